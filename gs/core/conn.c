/** @file Who is connected: made by the first datagram, named by the registry, ended by silence. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include <string.h>

struct gateway *gs_conn_find(const struct gs *gs, uint64_t eui)
{
	uint32_t slot = gs_index_find(&gs->by_eui, eui);
	return slot == INDEX_NONE ? NULL : &gs->gateways[slot];
}

/** Id, plan and place of an EUI. */
static void name_take(const struct gs *gs, uint64_t eui, const struct ns_gateway *gtw,
	char id[GATEWAY_ID_MAX + 1], char plan[GATEWAY_PLAN_MAX + 1])
{
	if (gtw) {
		memcpy(id, gtw->gateway_id, sizeof gtw->gateway_id);
		memcpy(plan, gtw->plan, sizeof gtw->plan);
		return;
	}
	struct text t = text_fixed(id, GATEWAY_ID_MAX + 1);
	text_printf(&t, "eui-%016llx", (unsigned long long)eui);
	t = text_fixed(plan, GATEWAY_PLAN_MAX + 1);
	text_puts(&t, gs->config.default_plan);
}

bool gs_conn_resolve(struct gs *gs, struct gateway *g)
{
	const struct ns_gateway *gtw = gs_registry_find(&gs->registry, g->eui);
	char id[GATEWAY_ID_MAX + 1] = "", plan[GATEWAY_PLAN_MAX + 1] = "";
	name_take(gs, g->eui, gtw, id, plan);
	bool changed = g->registered != (gtw != NULL) || strcmp(g->id, id) || strcmp(g->plan, plan);
	g->registered = gtw != NULL;
	memcpy(g->id, id, sizeof g->id);
	memcpy(g->plan, plan, sizeof g->plan);
	if (g->plan[0])
		g->plan_noted = false;
	if (gtw && MSG_HAS(gtw, latitude_e7) && MSG_HAS(gtw, longitude_e7)) {
		g->has_position = g->is_position_registered = true;
		g->latitude_e7 = gtw->latitude_e7;
		g->longitude_e7 = gtw->longitude_e7;
		g->has_altitude = MSG_HAS(gtw, altitude_m);
		g->altitude_m = g->has_altitude ? gtw->altitude_m : 0;
	} else if (g->is_position_registered) {
		g->has_position = g->is_position_registered = g->has_altitude = false;
	}
	return changed;
}

void gs_conn_plan_note(struct gs *gs, struct gateway *g)
{
	if (g->plan[0] || g->plan_noted || !gs->registry.complete)
		return;
	g->plan_noted = true;
	struct gs_note note = {.kind = GS_NOTE_NO_PLAN, .gateway = g, .peer = &g->push, .eui = g->eui};
	gs->sink.note(gs->sink.ctx, &note);
}

static void closed_trace(struct gs *gs, struct gateway *g, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_GATEWAY_DISCONNECT, g, now);
	if (e) {
		struct text t = gs_trace_data(e);
		gs_trace_num(&t, "uplink_count", g->counts.uplinks);
		gs_trace_num(&t, "downlink_count", g->counts.downlinks);
		gs_trace_end(gs, e, &t);
	}
}

void gs_conn_close(struct gs *gs, struct gateway *g, const struct now *now)
{
	gs_outcome_abandon(gs, g, now);
	g->connected = false;
	gs_status_report(gs, g, now);
	closed_trace(gs, g, now);
	struct gs_note note = {.kind = GS_NOTE_DISCONNECT, .gateway = g, .eui = g->eui};
	gs->sink.note(gs->sink.ctx, &note);
	gs->metrics.disconnects++;
	gs->metrics.gateways--;
	heap_remove(&gs->gateway_due, &g->due);
	gs_index_remove(&gs->by_eui, g->eui);
	g->free_next = gs->gateways_free;
	gs->gateways_free = g->slot;
}

/** Room for a registered gateway when the table is full: the stranger that has been silent longest goes. */
static bool stranger_evict(struct gs *gs, const struct now *now)
{
	struct gateway *oldest = NULL;
	for (uint32_t i = 0; i < gs->gateways_high; i++) {
		struct gateway *g = &gs->gateways[i];
		if (g->connected && !g->registered && (!oldest || g->last_packet_us < oldest->last_packet_us))
			oldest = g;
	}
	if (oldest)
		gs_conn_close(gs, oldest, now);
	return oldest != NULL;
}

static struct gateway *slot_take(struct gs *gs)
{
	uint32_t slot = gs->gateways_free;
	if (slot != INDEX_NONE)
		gs->gateways_free = gs->gateways[slot].free_next;
	else if (gs->gateways_high < gs->config.max_gateways)
		slot = gs->gateways_high++;
	else
		return NULL;
	struct gateway *g = &gs->gateways[slot];
	*g = (struct gateway){.slot = slot, .pending = INDEX_NONE};
	return g;
}

static struct gateway *conn_open(
	struct gs *gs, struct gateway *g, uint64_t eui, const struct gs_peer *from, const struct now *now)
{
	g->eui = eui;
	g->conn = ulid_make(now->unix_us, &gs->rng);
	g->connected = true;
	g->connected_unix_us = now->unix_us;
	g->last_packet_us = now->mono_us;
	g->report_us = now->mono_us;
	gs_index_put(&gs->by_eui, eui, g->slot);
	gs_conn_resolve(gs, g);
	/* Room was reserved for every gateway when the core was made. */
	heap_set(&gs->gateway_due, &g->due, g->report_us);
	gs->metrics.connects++;
	gs->metrics.gateways++;
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_GATEWAY_CONNECT, g, now);
	if (e)
		gs_trace_end(gs, e, NULL);
	struct gs_note note = {.kind = GS_NOTE_CONNECT, .gateway = g, .peer = from, .eui = eui};
	gs->sink.note(gs->sink.ctx, &note);
	gs_conn_plan_note(gs, g);
	return g;
}

struct gateway *gs_conn_admit(
	struct gs *gs, uint64_t eui, const struct gs_peer *from, const struct now *now, enum gs_drop *ret_why)
{
	struct gateway *g = gs_conn_find(gs, eui);
	if (g) {
		g->last_packet_us = now->mono_us;
		return g;
	}
	bool registered = gs_registry_find(&gs->registry, eui) != NULL;
	/* Before the registry has come nobody is known to be a stranger. */
	if (!registered && gs->config.require_registered && gs->registry.complete) {
		*ret_why = GS_DROP_UNREGISTERED;
		return NULL;
	}
	g = slot_take(gs);
	if (!g && registered && stranger_evict(gs, now))
		g = slot_take(gs);
	if (!g) {
		*ret_why = GS_DROP_TABLE_FULL;
		return NULL;
	}
	return conn_open(gs, g, eui, from, now);
}

void gs_conn_resolve_all(struct gs *gs, const struct now *now)
{
	for (uint32_t i = 0; i < gs->gateways_high; i++) {
		struct gateway *g = &gs->gateways[i];
		if (!g->connected)
			continue;
		if (gs_conn_resolve(gs, g))
			gs_status_touch(gs, g, now->mono_us, true);
		if (!g->registered && gs->config.require_registered && gs->registry.complete) {
			gs_trace_drop(gs, NULL, g->eui, &g->push, GS_DROP_UNREGISTERED, now);
			gs_conn_close(gs, g, now);
			continue;
		}
		gs_conn_plan_note(gs, g);
	}
}

void gs_conn_due(struct gs *gs, struct gateway *g, const struct now *now)
{
	uint64_t expiry_us = g->last_packet_us + GATEWAY_EXPIRY_S * SEC_US;
	if (now->mono_us >= expiry_us) {
		gs_conn_close(gs, g, now);
		return;
	}
	bool path_open = gs_gateway_has_path(g, now->mono_us);
	if (now->mono_us >= g->report_us || path_open != g->path_open)
		gs_status_report(gs, g, now);
	uint64_t next_us = g->report_us < expiry_us ? g->report_us : expiry_us;
	uint64_t path_us = g->path_us + GATEWAY_PATH_EXPIRY_S * SEC_US;
	if (g->path_open && path_us < next_us)
		next_us = path_us;
	heap_set(&gs->gateway_due, &g->due, next_us);
}
