/** @file Round trips of a gateway: the last twenty, what they say about its path. */
#pragma once
#include <stdint.h>

enum { RTT_MAX = 20, RTT_PATH_DEFAULT_US = 50000, RTT_SANE_US = 2000000 };

struct rtt {
	uint32_t v[RTT_MAX]; /**< a ring [us] */
	uint32_t n, next;
	uint32_t sorted[RTT_MAX];
};

void gs_rtt_add(struct rtt *r, uint32_t rtt_us);
uint32_t gs_rtt_min(const struct rtt *r);    /**< 0: none yet */
uint32_t gs_rtt_median(const struct rtt *r); /**< 0: none yet */
uint32_t gs_rtt_max(const struct rtt *r);    /**< 0: none yet */
/** 95th percentile of the one-way time; RTT_PATH_DEFAULT_US while there is no sample. */
uint32_t gs_rtt_path(const struct rtt *r);
