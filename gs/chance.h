/** @file The kernel's randomness in larger helpings: two ids an uplink would be two system calls. */
#pragma once
#include "common/core/rng.h"
#include <stdint.h>

struct chance {
	struct rng from;
	size_t left;
	uint8_t buf[2048];
};

/** @param c  must live as long as what is returned */
struct rng chance_init(struct chance *c, struct rng from);
