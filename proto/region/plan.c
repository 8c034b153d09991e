/** @file Frequency plans: a region and an operator's choices. */
#include "common/core/bytes.h"
#include "proto/region/tables.h"
#include <string.h>

static const struct plan plans[] = {
#define REGION(table)
#define PLAN(name, table, dr, hz, ...)                                                                       \
	{ .id = name, .region = &table, .extra_hz = { __VA_ARGS__ }, .rx2_dr = dr, .rx2_hz = hz },
#include "proto/region/regions.def"
#undef REGION
#undef PLAN
};

enum { CF_LIST_FREQS = 5, CF_LIST_STEP_HZ = 100 };

const struct plan *plan_find(struct str id)
{
	for (size_t i = 0; i < COUNT(plans); i++)
		if (str_is(id, plans[i].id))
			return &plans[i];
	return NULL;
}

const struct plan *plan_at(size_t i)
{
	return i < COUNT(plans) ? &plans[i] : NULL;
}

uint8_t plan_rx2_dr(const struct plan *p)
{
	return p->rx2_dr >= 0 ? (uint8_t)p->rx2_dr : p->region->rx2_dr;
}

uint32_t plan_rx2_hz(const struct plan *p)
{
	return p->rx2_hz ? p->rx2_hz : p->region->rx2_hz;
}

/** Index of the first channel that is not the region's own. */
static unsigned plan_first_extra(const struct plan *p)
{
	unsigned end = 0;
	for (size_t i = 0; i < p->region->n_runs; i++)
		end = (unsigned)(p->region->runs[i].first + p->region->runs[i].n);
	return end;
}

bool plan_channel(
	const struct plan *p, unsigned i, uint32_t *ret_hz, uint8_t *ret_min_dr, uint8_t *ret_max_dr)
{
	const struct region *r = p->region;
	for (size_t k = 0; k < r->n_runs; k++) {
		const struct region_run *run = &r->runs[k];
		if (i < run->first || i >= (unsigned)run->first + run->n)
			continue;
		*ret_hz = run->first_hz + (i - run->first) * run->step_hz;
		*ret_min_dr = run->min_dr;
		*ret_max_dr = run->max_dr;
		return true;
	}
	unsigned first = plan_first_extra(p);
	if (i < first || i - first >= PLAN_EXTRA || !p->extra_hz[i - first])
		return false;
	*ret_hz = p->extra_hz[i - first];
	*ret_min_dr = r->adr_min_dr;
	*ret_max_dr = r->adr_max_dr;
	return true;
}

int plan_channel_index(const struct plan *p, uint32_t freq_hz, uint8_t dr)
{
	uint32_t hz;
	uint8_t min_dr, max_dr;
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (plan_channel(p, i, &hz, &min_dr, &max_dr) && hz == freq_hz && dr >= min_dr &&
			dr <= max_dr)
			return (int)i;
	return -1;
}

bool plan_cf_list(const struct plan *p, enum phy_version v, uint8_t ret[16])
{
	if (p->region->cf_list != CF_LIST_FREQUENCIES || v < p->region->cf_list_since || !p->extra_hz[0])
		return false;
	memset(ret, 0, 16);
	struct writer w = writer_of(ret, 15);
	for (size_t i = 0; i < CF_LIST_FREQS; i++)
		writer_le24(&w, p->extra_hz[i] / CF_LIST_STEP_HZ);
	return true;
}
