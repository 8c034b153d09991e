/** @file How often the same may be said: so many times within a period; what is held back is counted. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { LIMITER_SLOTS = 256 };

/** All zero is a good beginning. */
struct limiter {
	struct {
		uint64_t key, since_us;
		uint32_t said, held;
	} slot[LIMITER_SLOTS];
};

/** May it be said now? Of more things at once than there are slots, some share one.
 * @param key       what is said, as a well-mixed number
 * @param now_us    monotonic
 * @param ret_held  set if it may: how often it was held back since it was said last
 * @return whether it was said less than `most` times since its period began */
bool limiter_may(struct limiter *l, uint64_t key, uint32_t most, uint64_t period_us, uint64_t now_us, uint32_t *ret_held);
