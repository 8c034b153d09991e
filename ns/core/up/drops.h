/** @file Reasons why a frame goes no further, from drops.def: words, counters. */
#pragma once
#include "ns/core/trace.h"
#include "ns/core/up/drop.h"

const char *drop_word(enum drop d);
/** Count it. */
void drop_count(struct ns *ns, enum drop d);
