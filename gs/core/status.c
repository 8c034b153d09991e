/** @file What is told about a gateway's connection: on change, not too often, and every half minute. */
#include "gs/core/gs_int.h"
#include <string.h>

enum { CALM_US = 1000 * 1000, CALM_PER_GATEWAY_US = 2000 };

void gs_status_touch(struct gs *gs, struct gateway *g, uint64_t now_us, bool at_once)
{
	/* With many gateways each tells its news more slowly, so that all together stay a trickle. */
	uint64_t calm_us = CALM_US + gs->metrics.gateways * CALM_PER_GATEWAY_US;
	uint64_t at_us =
		g->reported_us + (calm_us < GATEWAY_REPORT_S * SEC_US ? calm_us : GATEWAY_REPORT_S * SEC_US);
	if (at_once || at_us < now_us)
		at_us = now_us;
	if (at_us >= g->report_us)
		return;
	g->report_us = at_us;
	if (g->due.at && g->due.due_us > at_us)
		heap_set(&gs->gateway_due, &g->due, at_us);
}

static void counts_fill(struct gateway_status *s, const struct gateway_counts *c)
{
	MSG_SET(s, uplinks, c->uplinks);
	MSG_SET(s, downlinks, c->downlinks);
	MSG_SET(s, tx_acks, c->tx_acks);
	if (c->last_uplink_unix_us)
		MSG_SET(s, last_uplink_unix_us, c->last_uplink_unix_us);
	if (c->last_downlink_unix_us)
		MSG_SET(s, last_downlink_unix_us, c->last_downlink_unix_us);
	if (c->last_status_unix_us)
		MSG_SET(s, last_status_unix_us, c->last_status_unix_us);
}

static void rtt_fill(struct gateway_status *s, const struct rtt *r)
{
	MSG_SET(s, path_us, gs_rtt_path(r));
	if (!r->n)
		return;
	MSG_SET(s, rtt_min_us, gs_rtt_min(r));
	MSG_SET(s, rtt_median_us, gs_rtt_median(r));
	MSG_SET(s, rtt_max_us, gs_rtt_max(r));
	MSG_SET(s, rtt_count, r->n);
}

static void clock_fill(struct gateway_status *s, struct gateway *g, const struct now *now)
{
	g->was_sure = gs_conc_clock_is_sure(&g->clock, now->mono_us);
	g->had_gps = g->clock.has_gps;
	MSG_SET(s, clock_known, g->was_sure);
	MSG_SET(s, has_gps, g->had_gps);
	if (g->clock.has_drift)
		MSG_SET(s, clock_drift_ppb, g->clock.drift_ppb);
}

static void texts_fill(struct gs *gs, struct gateway_status *s, const struct gateway *g)
{
	memcpy(s->gateway_id, g->id, sizeof s->gateway_id);
	memcpy(s->plan, g->plan, sizeof s->plan);
	if (g->plan[0])
		MSG_MARK(s, plan);
	struct text t = text_fixed(s->address, sizeof s->address);
	gs->sink.peer_text(gs->sink.ctx, &t, g->pull.len ? &g->pull : &g->push);
	if (t.len && !t.failed)
		MSG_MARK(s, address);
	memcpy(s->stat, g->stat, sizeof s->stat);
	if (g->stat[0])
		MSG_MARK(s, stat);
}

void gs_status_report(struct gs *gs, struct gateway *g, const struct now *now)
{
	struct gateway_status *s = &gs->status;
	s->has = 0;
	s->sub_bands.len = 0;
	texts_fill(gs, s, g);
	s->gateway_eui = g->eui;
	s->connected = g->connected;
	s->can_send = gs_gateway_can_send(g, now->mono_us);
	s->conn = g->conn;
	MSG_SET(s, version, g->version);
	MSG_SET(s, connected_unix_us, g->connected_unix_us);
	MSG_SET(s, registered, g->registered);
	counts_fill(s, &g->counts);
	rtt_fill(s, &g->rtt);
	if (g->has_position) {
		MSG_SET(s, latitude_e7, g->latitude_e7);
		MSG_SET(s, longitude_e7, g->longitude_e7);
	}
	if (g->has_position && g->has_altitude)
		MSG_SET(s, altitude_m, g->altitude_m);
	clock_fill(s, g, now);
	g->path_open = gs_gateway_has_path(g, now->mono_us);
	g->reported_us = now->mono_us;
	g->report_us = now->mono_us + GATEWAY_REPORT_S * SEC_US;
	gs->sink.status(gs->sink.ctx, s);
}
