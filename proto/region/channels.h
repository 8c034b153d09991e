/** @file A set of channels, 0 to 95, in the banks of 16 in which channel masks speak of them. */
#pragma once
#include "common/core/err.h"
#include <stdbool.h>
#include <stdint.h>

enum { CHANNELS_MAX = 96, CHANNEL_BANKS = 6 };

/** Channel i is bit i % 16 of bank i / 16, as in CFList type 1 and LinkADRReq. */
struct channels {
	uint16_t bank[CHANNEL_BANKS];
};

static inline bool channels_has(const struct channels *s, unsigned i)
{
	return i < CHANNELS_MAX && s->bank[i / 16] >> i % 16 & 1;
}

static inline void channels_add(struct channels *s, unsigned i)
{
	if (i < CHANNELS_MAX)
		s->bank[i / 16] = (uint16_t)(s->bank[i / 16] | 1U << i % 16);
}

static inline void channels_add_run(struct channels *s, unsigned first, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		channels_add(s, first + i);
}

static inline bool channels_eq(const struct channels *a, const struct channels *b)
{
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		if (a->bank[i] != b->bank[i])
			return false;
	return true;
}

/** Does a hold all of b? */
static inline bool channels_hold(const struct channels *a, const struct channels *b)
{
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		if (b->bank[i] & ~a->bank[i])
			return false;
	return true;
}

static inline unsigned channels_count(const struct channels *s)
{
	unsigned n = 0;
	for (unsigned i = 0; i < CHANNEL_BANKS; i++)
		n += (unsigned)__builtin_popcount(s->bank[i]);
	return n;
}
