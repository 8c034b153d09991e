/** @file Questions to a region's table; nothing in here knows any one region. */
#include "proto/region/region.h"
#include <limits.h>

/** The last row of a versioned table that holds in version v; its first for a version before all. */
#define ROW_OF(rows, n, v)                                              \
	({                                                              \
		size_t at_ = 0;                                         \
		for (size_t i_ = 1; i_ < (n) && (rows)[i_].since <= (v); i_++) \
			at_ = i_;                                       \
		(rows) + at_;                                           \
	})

enum { FREQ_STEP_HZ = 100, BEACON_PERIOD_S = 128 };

const struct modu *region_modu(const struct region *r, bool is_up, unsigned dr)
{
	if (dr >= REGION_DRS)
		return NULL;
	const struct modu *m = is_up ? &r->up[dr] : &r->down[dr];
	return m->kind == MODU_NONE ? NULL : m;
}

int region_dr(const struct region *r, enum phy_version v, bool is_up, const struct modu *m)
{
	for (unsigned dr = 0; dr < REGION_DRS; dr++) {
		const struct modu *row = region_modu(r, is_up, dr);
		if (row && r->dr_since[dr] <= v && modu_eq(row, m))
			return (int)dr;
	}
	return -1;
}

static unsigned limit_of(const struct region *r, enum phy_version v, bool is_up, unsigned dr, unsigned way[2])
{
	if (!region_modu(r, is_up, dr) || r->dr_since[dr] > v)
		return 0;
	const struct region_limits *l =
		is_up ? ROW_OF(r->up_limits, r->n_up_limits, v) : ROW_OF(r->down_limits, r->n_down_limits, v);
	return l->m[way[0]][way[1]][dr];
}

unsigned region_max_payload(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, enum region_dwell dwell)
{
	return limit_of(r, v, is_up, dr, (unsigned[]){ 0, dwell != DWELL_OFF });
}

unsigned region_max_payload_repeater(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, enum region_dwell dwell)
{
	return limit_of(r, v, is_up, dr, (unsigned[]){ 1, dwell != DWELL_OFF });
}

unsigned region_max_payload_ever(const struct region *r, enum phy_version v, bool is_up)
{
	unsigned most = 0;
	for (unsigned dr = 0; dr < REGION_DRS; dr++) {
		unsigned m = region_max_payload(r, v, is_up, dr, DWELL_OFF);
		if (m > most)
			most = m;
	}
	return most;
}

int region_rx1_dr(
	const struct region *r, enum phy_version v, unsigned up_dr, unsigned offset, enum region_dwell dwell)
{
	if (up_dr >= REGION_DRS || offset > r->rx1_offset_max)
		return -1;
	const struct region_rx1 *t = ROW_OF(r->rx1, r->n_rx1, v);
	uint8_t free = t->dr[0][up_dr][offset], limited = t->dr[1][up_dr][offset];
	uint8_t dr = dwell == DWELL_ON ? limited : dwell == DWELL_OFF || free == limited ? free : DR_NONE;
	return dr == DR_NONE || !region_modu(r, false, dr) ? -1 : dr;
}

uint32_t region_rx1_hz(const struct region *r, uint32_t up_hz, unsigned channel)
{
	if (r->rx1_channel == RX1_SAME)
		return up_hz;
	return r->down_run.first_hz + channel % r->down_run.n * r->down_run.step_hz;
}

const struct region_join *region_join(const struct region *r, uint32_t up_hz)
{
	for (size_t i = 0; i < r->n_joins; i++)
		if (r->joins[i].up_hz == up_hz)
			return &r->joins[i];
	return NULL;
}

const struct region_band *region_band(const struct region *r, uint32_t freq_hz)
{
	for (size_t i = 0; i < r->n_bands; i++)
		if (freq_hz >= r->bands[i].min_hz && freq_hz < r->bands[i].max_hz)
			return &r->bands[i];
	return NULL;
}

int region_down_eirp_dbm(const struct region *r, uint32_t freq_hz)
{
	const struct region_band *b = region_band(r, freq_hz);
	return b ? b->max_eirp_ddbm / 10 : INT_MIN;
}

bool region_freq_ok(const struct region *r, uint32_t freq_hz)
{
	return freq_hz >= r->min_hz && freq_hz <= r->max_hz;
}

uint32_t region_freq_step_hz(const struct region *r)
{
	return r->freq_step_hz ? r->freq_step_hz : FREQ_STEP_HZ;
}

unsigned region_max_power_index(const struct region *r, enum phy_version v)
{
	return ROW_OF(r->powers, r->n_powers, v)->max_index;
}

int region_max_eirp_ddbm(const struct region *r, enum phy_version v)
{
	return ROW_OF(r->powers, r->n_powers, v)->max_eirp_ddbm;
}

bool region_has_tx_param_setup(const struct region *r, enum phy_version v)
{
	return r->has_tx_param_setup && v >= r->tx_param_setup_since;
}

enum region_dwell region_boot_dwell(const struct region *r, enum phy_version v, bool is_up)
{
	if (!r->n_boot)
		return DWELL_OFF;
	const struct region_boot *b = ROW_OF(r->boot, r->n_boot, v);
	return is_up ? b->up_dwell : b->down_dwell;
}

int region_backoff_dr(const struct region *r, unsigned dr)
{
	return dr >= REGION_DRS || r->backoff_dr[dr] == DR_NONE || !region_modu(r, true, dr) ? -1 : r->backoff_dr[dr];
}

uint32_t region_hop_hz(const struct region_hop *h, uint32_t gps_s, uint32_t dev_addr)
{
	if (!h->n)
		return 0;
	uint64_t turn = (uint64_t)dev_addr + gps_s / BEACON_PERIOD_S;
	return h->first_hz + (uint32_t)(turn % h->n) * h->step_hz;
}
