/** @file Reasons why a frame goes no further, from drops.def: numbers, words, counters. */
#pragma once
#include "ns/core/trace.h"

enum drop {
	DROP_NONE,
#define DROP(symbol, word, meaning) DROP_##symbol,
#include "ns/core/up/drops.def"
#undef DROP
	DROP_N
};

const char *drop_word(enum drop d);
/** Count it. */
void drop_count(struct ns *ns, enum drop d);
