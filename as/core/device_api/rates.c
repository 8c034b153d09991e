/** @file Rate limits: a bucket each that fills evenly. */
#include "as/core/device_api/rates.h"
#include "common/core/clock.h"
#include <string.h>

enum { COUNT_MAX = 100000000, SECONDS_MAX = 86400 };

int rate_limits_parse(struct str s, struct rate_limits *ret)
{
	*ret = (struct rate_limits){ .n = 0 };
	struct str rest = str_trim(s);
	while (rest.n) {
		struct str one, count;
		uint64_t n, seconds;
		rest = str_cut(rest, ',', &one);
		struct str after = str_cut(str_trim(one), ':', &count);
		if (ret->n == RATES_MAX || num_u64(count, &n) || num_u64(after, &seconds) || !n || n > COUNT_MAX || !seconds || seconds > SECONDS_MAX)
			return -EINVAL;
		ret->v[ret->n].count = (uint32_t)n;
		ret->v[ret->n++].seconds = (uint32_t)seconds;
	}
	return 0;
}

bool rate_take(const struct rate_limits *l, struct rate_meter *m, uint32_t n, uint64_t now_us)
{
	uint64_t spent[RATES_MAX], gone_us = m->since_us && now_us > m->since_us ? now_us - m->since_us : 0;
	bool fits = true;
	for (size_t i = 0; i < l->n; i++) {
		uint64_t window_us = l->v[i].seconds * SEC_US;
		spent[i] = m->spent_us[i] > gone_us ? m->spent_us[i] - gone_us : 0;
		spent[i] += window_us * n / l->v[i].count;
		fits = fits && spent[i] <= window_us;
	}
	if (!fits || !l->n)
		return fits;
	memcpy(m->spent_us, spent, l->n * sizeof *spent);
	m->since_us = now_us;
	return true;
}
