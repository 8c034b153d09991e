/** @file The gateway server's core: its start, and the events it takes. */
#include "gs/core/gs.h"
#include "gs/core/gs_int.h"
#include <stdlib.h>
#include <string.h>

enum { BURST_S = 2, MOVE_NOTE_S = 60 };

struct gs *gs_new(const struct gs_config *config, const struct gs_sink *sink, struct rng rng)
{
	AUTO(gs_free) struct gs *gs = calloc(1, sizeof *gs);
	if (!gs)
		return NULL;
	gs->config = *config;
	gs->sink = *sink;
	gs->rng = rng;
	gs->gateways_free = gs->pendings_free = INDEX_NONE;
	/* All that there may ever be, asked for at once. The kernel gives a page only when it is first
	 * written to. */
	gs->gateways = calloc(config->max_gateways, sizeof *gs->gateways);
	gs->pendings = calloc(config->max_pending, sizeof *gs->pendings);
	if (!gs->gateways || !gs->pendings ||
		gs_index_init(&gs->by_eui, config->max_gateways, rng_u64(&rng)) ||
		gs_registry_init(&gs->registry, config->max_gateways, rng_u64(&rng)) ||
		heap_reserve(&gs->gateway_due, config->max_gateways) ||
		heap_reserve(&gs->pending_due, config->max_pending))
		return NULL;
	return TAKE(gs);
}

void gs_free(struct gs *gs)
{
	if (!gs)
		return;
	heap_done(&gs->gateway_due);
	heap_done(&gs->pending_due);
	gs_registry_done(&gs->registry);
	gs_index_done(&gs->by_eui);
	free(gs->gateways);
	free(gs->pendings);
	free(gs);
}

/** It is elsewhere now. Once a minute: two forwarders with the same EUI take turns. */
static void move_note(struct gs *gs, struct gateway *g, const struct gs_peer *to, const struct now *now)
{
	gs->metrics.moves++;
	g->moves++;
	if (g->moves_noted_us && now->mono_us - g->moves_noted_us < MOVE_NOTE_S * SEC_US)
		return;
	struct gs_note note = {.kind = GS_NOTE_MOVE, .gateway = g, .peer = to, .eui = g->eui};
	gs->sink.note(gs->sink.ctx, &note);
	g->moves = 0;
	g->moves_noted_us = now->mono_us;
}

static void on_pull_data(
	struct gs *gs, struct gateway *g, const struct gs_peer *from, uint8_t version, const struct now *now)
{
	gs->metrics.pull_data++;
	bool opened = !gs_gateway_has_path(g, now->mono_us), is_first = !g->pull.len;
	bool moved = !is_first && !gs_peer_is(&g->pull, from);
	/* A forwarder that starts again, and its counter with it, speaks from another port, or after a silence. */
	if (moved || (opened && !is_first))
		gs_conc_clock_doubt(&g->clock);
	if (moved)
		move_note(gs, g, from, now);
	g->pull = *from;
	g->version = version;
	g->path_us = now->mono_us;
	if (opened || moved)
		gs_status_touch(gs, g, now->mono_us, opened);
}

static void on_push_data(struct gs *gs, struct gateway *g, struct gs_source *from,
	const struct semtech_datagram *d, const struct now *now)
{
	gs->metrics.push_data++;
	g->push = from->peer;
	if (!g->version)
		g->version = d->version;
	gs_up_push(gs, g, from, d->body, now);
}

static enum gs_drop datagram_take(
	struct gs *gs, const struct gs_peer *from, const struct semtech_datagram *d, const struct now *now)
{
	enum gs_drop why = GS_DROP_NONE;
	if (d->type != SEMTECH_PUSH_DATA && d->type != SEMTECH_PULL_DATA && d->type != SEMTECH_TX_ACK)
		return GS_DROP_NOT_GATEWAY;
	struct gateway *g = gs_conn_admit(gs, d->eui, from, now, &why);
	if (!g)
		return why;
	uint32_t per_s = gs->config.uplinks_per_s + gs->config.uplinks_per_s / 2;
	struct gs_source *s = gs_gateway_source(g, from, now->mono_us);
	/* All its sources together have twice the share of one. */
	if (!gs_quota_take(&s->datagrams, 1, per_s, BURST_S, now->mono_us) ||
		!gs_quota_take(&g->datagram_quota, 1, 2 * per_s, BURST_S, now->mono_us)) {
		gs_trace_drop(gs, g, g->eui, from, GS_DROP_QUOTA, now);
	} else if (d->type == SEMTECH_PUSH_DATA) {
		on_push_data(gs, g, s, d, now);
	} else if (d->type == SEMTECH_PULL_DATA) {
		on_pull_data(gs, g, from, d->version, now);
	} else {
		g->path_us = g->pull.len ? now->mono_us : 0;
		gs_outcome_tx_ack(gs, g, d, now);
	}
	return GS_DROP_NONE;
}

void gs_datagram(struct gs *gs, const struct gs_peer *from, struct slice datagram, const struct now *now)
{
	struct semtech_datagram d = {.eui = 0};
	gs->metrics.datagrams++;
	gs->metrics.datagram_bytes += datagram.n;
	enum gs_drop why = (enum gs_drop)semtech_read(datagram.p, datagram.n, &d);
	if (!why)
		why = datagram_take(gs, from, &d, now);
	if (why)
		gs_trace_drop(gs, NULL, d.eui, from, why, now);
}

void gs_sync(struct gs *gs, const struct sync *s, const struct now *now)
{
	gs_registry_sync(&gs->registry, s);
	gs->metrics.registered = gs->registry.used;
	if (!gs->registry.filling)
		gs_conn_resolve_all(gs, now);
}

void gs_time(struct gs *gs, const struct now *now)
{
	for (struct heap_node *n; (n = heap_pop_due(&gs->pending_due, now->mono_us));)
		gs_down_due(gs, CONTAINER_OF(n, struct pending, due), now);
	for (struct heap_node *n; (n = heap_pop_due(&gs->gateway_due, now->mono_us));)
		gs_conn_due(gs, CONTAINER_OF(n, struct gateway, due), now);
}

uint64_t gs_deadline(const struct gs *gs)
{
	uint64_t a = heap_deadline(&gs->pending_due), b = heap_deadline(&gs->gateway_due);
	return a < b ? a : b;
}

void gs_report_all(struct gs *gs, const struct now *now)
{
	for (uint32_t i = 0; i < gs->gateways_high; i++)
		if (gs->gateways[i].connected)
			gs_status_touch(gs, &gs->gateways[i], now->mono_us, true);
}

bool gs_uplink_refresh(const struct gs *gs, struct gs_uplink *up)
{
	const struct ns_gateway *gtw = gs_registry_find(&gs->registry, up->rx.gateway_eui);
	if (!gtw)
		return !(gs->config.require_registered && gs->registry.complete);
	memcpy(up->rx.gateway_id, gtw->gateway_id, sizeof up->rx.gateway_id);
	memcpy(up->plan, gtw->plan, sizeof up->plan);
	MSG_MARK(up, plan);
	return true;
}
