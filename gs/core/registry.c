/** @file What the network server says about gateways. */
#include "gs/core/registry.h"
#include "common/core/err.h"
#include <stdlib.h>

int gs_registry_init(struct registry *r, uint32_t max, uint64_t seed)
{
	*r = (struct registry){.max = max};
	r->v = calloc(max, sizeof *r->v);
	if (!r->v || gs_index_init(&r->by_eui, max, seed) || gs_index_init(&r->by_number, max, seed)) {
		gs_registry_done(r);
		return -ENOMEM;
	}
	return 0;
}

void gs_registry_done(struct registry *r)
{
	gs_index_done(&r->by_eui);
	gs_index_done(&r->by_number);
	free(r->v);
	r->v = NULL;
}

static void slot_clear(struct registry *r, uint32_t slot)
{
	struct registration *g = &r->v[slot];
	gs_index_remove(&r->by_number, g->number);
	if (gs_index_find(&r->by_eui, g->gtw.gateway_eui) == slot)
		gs_index_remove(&r->by_eui, g->gtw.gateway_eui);
	g->used = false;
	r->used--;
}

static uint32_t slot_free(struct registry *r)
{
	if (r->high < r->max)
		return r->high++;
	for (uint32_t i = 0; r->used < r->max && i < r->max; i++)
		if (!r->v[i].used)
			return i;
	return INDEX_NONE;
}

static bool entry_put(struct registry *r, uint64_t number, const struct ns_gateway *gtw)
{
	uint32_t slot = gs_index_find(&r->by_number, number);
	/* An EUI that another number had belongs to the newer entry; the other one's tombstone may still be
	 * on its way. */
	uint32_t other = gs_index_find(&r->by_eui, gtw->gateway_eui);
	if (other != INDEX_NONE && other != slot)
		slot_clear(r, other);
	if (slot != INDEX_NONE)
		slot_clear(r, slot);
	else
		slot = slot_free(r);
	if (slot == INDEX_NONE)
		return false;
	r->v[slot] = (struct registration){.number = number, .gtw = *gtw, .used = true, .seen = true};
	r->used++;
	gs_index_put(&r->by_number, number, slot);
	gs_index_put(&r->by_eui, gtw->gateway_eui, slot);
	return true;
}

/** Forget all, or what a full set has not named. */
static void sweep(struct registry *r, bool all)
{
	for (uint32_t i = 0; i < r->high; i++)
		if (r->v[i].used && (all || !r->v[i].seen))
			slot_clear(r, i);
}

static void set_begin(struct registry *r)
{
	for (uint32_t i = 0; i < r->high; i++)
		r->v[i].seen = false;
	r->filling = true;
}

uint32_t gs_registry_sync(struct registry *r, const struct sync *s)
{
	uint32_t refused = 0;
	bool first = MSG_HAS(s, first) && s->first, last = MSG_HAS(s, last) && s->last;
	if (!ulid_eq(&r->store_id, &s->store_id)) {
		sweep(r, true);
		r->store_id = s->store_id;
	}
	if (first)
		set_begin(r);
	for (uint16_t i = 0; i < s->v.len; i++) {
		const struct sync_entry *e = &s->v.v[i];
		if (!MSG_HAS(e, gateway))
			continue;
		uint32_t slot = gs_index_find(&r->by_number, e->gateway);
		if (MSG_HAS(e, deleted) && e->deleted) {
			if (slot != INDEX_NONE)
				slot_clear(r, slot);
		} else if (MSG_HAS(e, gtw)) {
			refused += !entry_put(r, e->gateway, &e->gtw);
		}
	}
	if (last && r->filling) {
		sweep(r, false);
		r->filling = false;
	}
	r->complete |= last;
	r->generation++;
	return refused;
}

const struct ns_gateway *gs_registry_find(const struct registry *r, uint64_t eui)
{
	uint32_t slot = gs_index_find(&r->by_eui, eui);
	return slot == INDEX_NONE ? NULL : &r->v[slot].gtw;
}
