/** @file Ways back to a device: the gateways that heard it, best first. */
#include "ns/core/path.h"
#include <limits.h>
#include <string.h>

/* What estimates of path times may differ by without telling anything. */
#define SCATTER_US 50000

int32_t path_rank(const struct rx_meta *m)
{
	if (m->rssi_ddbm == 0)
		return INT32_MIN;
	if (!MSG_HAS(m, snr_ddb) || m->snr_ddb >= 100)
		return m->rssi_ddbm;
	return m->snr_ddb <= -50 ? m->rssi_ddbm + m->snr_ddb : m->rssi_ddbm + (m->snr_ddb - 100) / 3;
}

static void remove_at(struct path *v, size_t *n, size_t i)
{
	memmove(v + i, v + i + 1, (*n - i - 1) * sizeof(*v));
	--*n;
}

bool path_add(struct path *v, size_t *n, const struct copy *c)
{
	struct path p = { .gateway = c->gateway, .heard_mono_us = c->heard_mono_us, .tmst_us = c->rx.tmst_us, .path_us = c->path_us,
		.rank_ddb = path_rank(&c->rx) };
	if (!p.gateway)
		return false;
	for (size_t i = 0; i < *n; i++)
		if (v[i].gateway == p.gateway) {
			if (v[i].rank_ddb >= p.rank_ddb)
				return true;
			remove_at(v, n, i);
			break;
		}
	size_t at = *n;
	while (at > 0 && v[at - 1].rank_ddb < p.rank_ddb)
		at--;
	if (at >= NS_PATHS_MAX)
		return false;
	if (*n == NS_PATHS_MAX)
		--*n;
	memmove(v + at + 1, v + at, (*n - at) * sizeof(*v));
	v[at] = p;
	++*n;
	return true;
}

void path_align(struct path *v, size_t n)
{
	uint64_t first_us = UINT64_MAX;
	for (size_t i = 0; i < n; i++)
		if (v[i].heard_mono_us < first_us)
			first_us = v[i].heard_mono_us;
	for (size_t i = 0; i < n; i++) {
		uint64_t late_us = v[i].heard_mono_us - first_us;
		if (late_us <= SCATTER_US)
			continue;
		v[i].heard_mono_us = first_us;
		v[i].path_us += (uint32_t)(late_us < UINT32_MAX / 2 ? late_us : UINT32_MAX / 2);
	}
}

uint64_t path_latest_us(const struct path *p, uint64_t delay_us)
{
	uint64_t start = p->heard_mono_us + delay_us, lead = (uint64_t)p->path_us + NS_LEAD_US + NS_POLL_US;
	return start > lead ? start - lead : 0;
}
