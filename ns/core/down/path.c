/** @file Ways back to a device: the gateways that heard it, best first. */
#include "ns/core/down/path.h"
#include "ns/core/gateway.h"
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

/* What is lost to a gateway, in tenths of a decibel: better than good enough is no merit; a full sub-band costs as much as 20 dB, a
 * line of 200 ms as 1 dB, each emission that it has to send already as 1 dB. */
enum { GOOD_ENOUGH_DDB = -900, BAND_DIVISOR = 5, LINE_US = 20000, PLANNED_DDB = 10 };

static int64_t merit_of(const struct path *p, uint32_t freq_hz, uint64_t now_us)
{
	const struct ledger *l = &p->gateway->ledger;
	int64_t heard = p->rank_ddb < GOOD_ENOUGH_DDB ? p->rank_ddb : GOOD_ENOUGH_DDB;
	return heard - ledger_share(l, freq_hz, now_us) / BAND_DIVISOR - p->path_us / LINE_US -
		(int64_t)ledger_planned(l, now_us) * PLANNED_DDB;
}

void path_sort(struct path *v, size_t n, uint32_t freq_hz, uint64_t now_us)
{
	int64_t merit[NS_PATHS_MAX];
	for (size_t i = 0; i < n; i++) {
		struct path p = v[i];
		int64_t m = merit_of(&p, freq_hz, now_us);
		size_t at = i;
		for (; at > 0 && merit[at - 1] < m; at--) {
			v[at] = v[at - 1];
			merit[at] = merit[at - 1];
		}
		v[at] = p;
		merit[at] = m;
	}
}

uint64_t path_latest_us(const struct path *p, uint64_t delay_us)
{
	uint64_t start = p->heard_mono_us + delay_us, lead = (uint64_t)p->path_us + NS_LEAD_US + NS_POLL_US;
	return start > lead ? start - lead : 0;
}
