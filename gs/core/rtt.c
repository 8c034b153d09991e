/** @file Round trips of a gateway. */
#include "gs/core/rtt.h"

void gs_rtt_add(struct rtt *r, uint32_t rtt_us)
{
	r->v[r->next] = rtt_us;
	r->next = (r->next + 1) % RTT_MAX;
	if (r->n < RTT_MAX)
		r->n++;
	for (uint32_t i = 0; i < r->n; i++) {
		uint32_t at = i, v = r->v[i];
		for (; at > 0 && r->sorted[at - 1] > v; at--)
			r->sorted[at] = r->sorted[at - 1];
		r->sorted[at] = v;
	}
}

uint32_t gs_rtt_min(const struct rtt *r)
{
	return r->n ? r->sorted[0] : 0;
}

uint32_t gs_rtt_median(const struct rtt *r)
{
	if (!r->n)
		return 0;
	uint32_t lower = r->sorted[(r->n - 1) / 2], upper = r->sorted[r->n / 2];
	return lower + (upper - lower) / 2;
}

uint32_t gs_rtt_max(const struct rtt *r)
{
	return r->n ? r->sorted[r->n - 1] : 0;
}

uint32_t gs_rtt_path(const struct rtt *r)
{
	/* Nearest rank: of twenty the nineteenth, of few the greatest. */
	return r->n ? r->sorted[(r->n * 95 + 99) / 100 - 1] / 2 : RTT_PATH_DEFAULT_US;
}
