/** @file Frequency plans: a region and an operator's choices. */
#include "common/core/bytes.h"
#include "proto/region/tables.h"
#include <string.h>

/* A macro more, so that words of a line that stand for several columns are columns by then. */
#define PLAN_OF(...) PLAN_ROW(__VA_ARGS__)
#define PLAN_ROW(name, table, version, sub, dr, hz, up, down, ...)                                         \
	{ .id = name, .region = &table, .until = version, .sub_band = sub, .rx2_dr = dr, .rx2_hz = hz,             \
		.up_dwell = up, .down_dwell = down, .extra_hz = { __VA_ARGS__ } },
#define REGION(table)

static const struct plan plans[] = {
#define PLAN(name, table, ...) PLAN_OF(name, table, RP_NONE, __VA_ARGS__)
#define OLD_PLAN(...)
#include "proto/region/regions.def"
#undef PLAN
#undef OLD_PLAN
};

static const struct plan old_plans[] = {
#define PLAN(...)
#define OLD_PLAN(...) PLAN_OF(__VA_ARGS__)
#include "proto/region/regions.def"
#undef PLAN
#undef OLD_PLAN
};

enum { CF_LIST_SIZE = 16, CF_LIST_FREQS = 5, CF_LIST_TYPE_MASKS = 1, SUB_BAND = 8, FIRST_WIDE = 64 };

const struct plan *plan_find(struct str id)
{
	for (size_t i = 0; i < COUNT(plans); i++)
		if (str_is(id, plans[i].id))
			return &plans[i];
	return NULL;
}

const struct plan *plan_for(struct str id, enum phy_version v)
{
	for (size_t i = 0; i < COUNT(old_plans); i++)
		if (v < old_plans[i].until && str_is(id, old_plans[i].id))
			return &old_plans[i];
	return plan_find(id);
}

const struct plan *plan_at(size_t i)
{
	return i < COUNT(plans) ? &plans[i] : NULL;
}

static bool begins_alike(struct str id, const char *other)
{
	enum { LETTERS = 2, LOWER = 0x20 };
	for (size_t i = 0; i < LETTERS; i++)
		if (i >= id.n || (id.p[i] | LOWER) != (other[i] | LOWER))
			return false;
	return true;
}

/** The number of the sub-band that a name ends in, and what stands before it; 0: it is no such name. */
static unsigned sub_band_of(const struct plan *p, struct str *ret_stem)
{
	static const char word[] = "_FSB_";
	const char *at = strstr(p->id, word);
	if (!at)
		return 0;
	*ret_stem = (struct str){ p->id, (size_t)(at - p->id) + sizeof word - 1 };
	return p->sub_band;
}

void plan_suggest(struct text *t, struct str id)
{
	bool is_any = false;
	const struct region *last = NULL;
	const char *comma = "";
	for (size_t i = 0; i < COUNT(plans); i++)
		is_any |= begins_alike(id, plans[i].id);
	for (size_t i = 0; i < COUNT(plans); i++) {
		struct str stem, next;
		const struct plan *p = &plans[i];
		if (is_any ? !begins_alike(id, p->id) : p->region == last)
			continue;
		last = p->region;
		text_printf(t, "%s%s", comma, p->id);
		comma = ", ";
		/* The sub-bands that follow are one entry with the first. */
		unsigned n = 0;
		while (is_any && sub_band_of(p, &stem) && i + 1 < COUNT(plans) && sub_band_of(&plans[i + 1], &next) &&
			str_eq(stem, next))
			n = plans[++i].sub_band;
		if (n)
			text_printf(t, " to %u", n);
	}
}

uint8_t plan_rx2_dr(const struct plan *p)
{
	return p->rx2_dr >= 0 ? (uint8_t)p->rx2_dr : p->region->rx2_dr;
}

uint32_t plan_rx2_hz(const struct plan *p)
{
	return p->rx2_hz ? p->rx2_hz : p->region->rx2_hz;
}

bool plan_dwell(const struct plan *p, bool is_up)
{
	uint8_t dwell = is_up ? p->up_dwell : p->down_dwell;
	uint16_t limit_ms = is_up ? p->region->up_dwell_ms : p->region->down_dwell_ms;
	return dwell == DWELL_UNKNOWN ? p->region->has_tx_param_setup && limit_ms : dwell == DWELL_ON;
}

/** Index of the first channel that is not the region's own. */
static unsigned plan_first_extra(const struct plan *p)
{
	const struct region_run *last = &p->region->runs[p->region->n_runs - 1];
	return (unsigned)last->first + last->n;
}

static const struct region_run *run_of(const struct region *r, unsigned i)
{
	for (size_t k = 0; k < r->n_runs; k++)
		if (i >= r->runs[k].first && i < (unsigned)r->runs[k].first + r->runs[k].n)
			return &r->runs[k];
	return NULL;
}

bool plan_channel(
	const struct plan *p, unsigned i, uint32_t *ret_hz, uint8_t *ret_min_dr, uint8_t *ret_max_dr)
{
	const struct region *r = p->region;
	const struct region_run *run = run_of(r, i);
	if (run) {
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
	for (unsigned i = 0; i < CHANNELS_MAX; i++) {
		if (!plan_channel(p, i, &hz, &min_dr, &max_dr) || hz != freq_hz)
			continue;
		const struct region_run *run = run_of(p->region, i);
		if (dr >= min_dr && (dr <= max_dr || (run && dr <= run->top_dr)))
			return (int)i;
	}
	return -1;
}

void plan_wanted(const struct plan *p, struct channels *ret)
{
	uint32_t hz;
	uint8_t min_dr, max_dr;
	*ret = (struct channels){ { 0 } };
	if (p->sub_band) {
		channels_add_run(ret, SUB_BAND * (p->sub_band - 1U), SUB_BAND);
		if (p->region->chmask == CHMASK_72)
			channels_add(ret, FIRST_WIDE + p->sub_band - 1U);
		return;
	}
	for (unsigned i = 0; i < CHANNELS_MAX; i++)
		if (plan_channel(p, i, &hz, &min_dr, &max_dr))
			channels_add(ret, i);
}

void plan_start(const struct plan *p, bool has_cf_list, struct channels *ret)
{
	if (has_cf_list) {
		plan_wanted(p, ret);
		/* A CFList of frequencies has room for five. */
		for (unsigned i = plan_first_extra(p) + CF_LIST_FREQS; !p->region->is_fixed && i < 16; i++)
			ret->bank[0] = (uint16_t)(ret->bank[0] & ~(1U << i));
		return;
	}
	*ret = (struct channels){ { 0 } };
	for (size_t k = 0; k < p->region->n_runs; k++)
		channels_add_run(ret, p->region->runs[k].first, p->region->runs[k].n);
}

bool plan_cf_list(const struct plan *p, enum phy_version v, uint8_t ret[16])
{
	const struct region *r = p->region;
	bool is_masks = r->cf_list == CF_LIST_MASKS;
	if (r->cf_list == CF_LIST_NONE || v < r->cf_list_since || (!is_masks && !p->extra_hz[0]))
		return false;
	struct channels wanted;
	struct writer w = writer_of(ret, CF_LIST_SIZE);
	memset(ret, 0, CF_LIST_SIZE);
	plan_wanted(p, &wanted);
	for (size_t i = 0; is_masks && i < CHANNEL_BANKS; i++)
		writer_le16(&w, wanted.bank[i]);
	for (size_t i = 0; !is_masks && i < CF_LIST_FREQS; i++)
		writer_le24(&w, p->extra_hz[i] / region_freq_step_hz(r));
	ret[CF_LIST_SIZE - 1] = is_masks ? CF_LIST_TYPE_MASKS : 0;
	return true;
}
