/** @file A gateway's share: tokens that come back with time, up to a bucket's size. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct quota {
	uint64_t at_us;     /**< when `credit` was right */
	uint64_t credit_us; /**< time in which what is left would come back */
};

/** Take n. @param per_s  tokens a second; @param burst_s  size of the bucket in seconds of them
 * @return false: there are not so many */
bool gs_quota_take(struct quota *q, uint32_t n, uint32_t per_s, uint32_t burst_s, uint64_t now_us);
