/** @file Reasons why a frame goes no further, from drops.def: their numbers. */
#pragma once

enum drop {
	DROP_NONE,
#define DROP(symbol, word, meaning) DROP_##symbol,
#include "ns/core/up/drops.def"
#undef DROP
	DROP_N
};
