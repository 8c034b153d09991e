/** @file Chance as an interface: the kernel's in a daemon, a seeded sequence in tests. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct rng {
	void (*fill)(void *ctx, void *buf, size_t n); /**< never fails */
	void *ctx;
};

void rng_fill(const struct rng *rng, void *buf, size_t n);
uint64_t rng_u64(const struct rng *rng);
/** Uniform in [0, below), without modulo bias; below > 0. */
uint64_t rng_below(const struct rng *rng, uint64_t below);

/** A reproducible sequence (xorshift), for simulation and tests only. */
struct rng_seeded {
	uint64_t state;
};
struct rng rng_seeded(struct rng_seeded *s, uint64_t seed);
