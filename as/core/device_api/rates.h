/** @file How much a device may send: ThingsBoard's limits "200:1,6000:60", so many in so many seconds, all at once. */
#pragma once
#include "common/core/text.h"

enum { RATES_MAX = 4 };

struct rate_limits {
	size_t n; /**< 0: no limit */
	struct { uint32_t count, seconds; } v[RATES_MAX];
};
/** What is left of each. All zero is a fresh one. */
struct rate_meter {
	uint64_t since_us;          /**< 0: nothing was taken yet */
	uint64_t spent_us[RATES_MAX]; /**< time that what was taken takes to come back */
};

/** @return 0; -EINVAL not such a list, or more than RATES_MAX */
int rate_limits_parse(struct str s, struct rate_limits *ret);
/** Take n. @param now_us  monotonic @return whether no limit is exceeded; else nothing is taken */
bool rate_take(const struct rate_limits *l, struct rate_meter *m, uint32_t n, uint64_t now_us);
