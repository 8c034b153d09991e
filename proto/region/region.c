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

unsigned region_max_payload(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, bool is_dwell_limited)
{
	if (!region_modu(r, is_up, dr) || r->dr_since[dr] > v)
		return 0;
	const struct region_limits *l =
		is_up ? ROW_OF(r->up_limits, r->n_up_limits, v) : ROW_OF(r->down_limits, r->n_down_limits, v);
	return l->m[0][is_dwell_limited][dr];
}

unsigned region_max_payload_ever(const struct region *r, enum phy_version v, bool is_up)
{
	unsigned most = 0;
	for (unsigned dr = 0; dr < REGION_DRS; dr++) {
		unsigned m = region_max_payload(r, v, is_up, dr, false);
		if (m > most)
			most = m;
	}
	return most;
}

int region_rx1_dr(
	const struct region *r, enum phy_version v, unsigned up_dr, unsigned offset, bool is_dwell_limited)
{
	if (up_dr >= REGION_DRS || offset > r->rx1_offset_max)
		return -1;
	uint8_t dr = ROW_OF(r->rx1, r->n_rx1, v)->dr[is_dwell_limited][up_dr][offset];
	return dr == DR_NONE || !region_modu(r, false, dr) ? -1 : dr;
}

uint32_t region_rx1_hz(const struct region *r, uint32_t up_hz, unsigned channel)
{
	if (r->rx1_channel == RX1_SAME)
		return up_hz;
	return r->down_run.first_hz + channel % r->down_run.n * r->down_run.step_hz;
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

unsigned region_max_power_index(const struct region *r, enum phy_version v)
{
	return ROW_OF(r->powers, r->n_powers, v)->max_index;
}

bool region_freq_ok(const struct region *r, uint32_t freq_hz)
{
	return freq_hz >= r->min_hz && freq_hz <= r->max_hz;
}
