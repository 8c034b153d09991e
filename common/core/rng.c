/** @file Chance as an interface, and a reproducible source of it. */
#include "common/core/rng.h"
#include <string.h>

void rng_fill(const struct rng *rng, void *buf, size_t n)
{
	if (n)
		rng->fill(rng->ctx, buf, n);
}

uint64_t rng_u64(const struct rng *rng)
{
	uint8_t b[8];
	uint64_t v = 0;
	rng_fill(rng, b, sizeof b);
	for (size_t i = 0; i < sizeof b; i++)
		v = v << 8 | b[i];
	return v;
}

uint64_t rng_below(const struct rng *rng, uint64_t below)
{
	/* The numbers under 2^64 mod below would make the small results more likely. */
	uint64_t unfair = -below % below, v;
	do
		v = rng_u64(rng);
	while (v < unfair);
	return v % below;
}

/** xorshift64* (Marsaglia 2003, Vigna 2016). */
static uint64_t seeded_next(struct rng_seeded *s)
{
	s->state ^= s->state >> 12;
	s->state ^= s->state << 25;
	s->state ^= s->state >> 27;
	return s->state * UINT64_C(0x2545f4914f6cdd1d);
}

static void seeded_fill(void *ctx, void *buf, size_t n)
{
	uint8_t *p = buf;
	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = seeded_next(ctx);
		uint8_t b[8];
		for (size_t k = 0; k < sizeof b; k++)
			b[k] = (uint8_t)(v >> 8 * k);
		memcpy(p + i, b, n - i < 8 ? n - i : 8);
	}
}

struct rng rng_seeded(struct rng_seeded *s, uint64_t seed)
{
	/* Zero is the one state xorshift never leaves; spreading the seed parts neighbouring seeds at once. */
	s->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	if (s->state == 0)
		s->state = 1;
	return (struct rng){ seeded_fill, s };
}
