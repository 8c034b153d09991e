/** @file PUSH_DATA: frames that gateways heard, and what they say of themselves. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include <string.h>

enum { LOCATION_GPS = 1, LOCATION_REGISTRY = 3 };

struct push_ctx {
	struct gs *gs;
	struct gateway *g;
	struct gs_source *from;
	const struct now *now;
};

static void radio_json(struct text *t, const struct rxpk *rx)
{
	json_name(t, "frequency");
	json_unum(t, rx->freq_hz);
	radio_write(t, &rx->radio);
	json_name(t, "rssi");
	json_dec(t, rx->rssi_ddbm, 1);
	if (rx->has & RXPK_LSNR) {
		json_name(t, "snr");
		json_dec(t, rx->lsnr_ddb, 1);
	}
	json_name(t, "tmst");
	json_unum(t, rx->tmst_us);
	json_name(t, "size");
	json_unum(t, rx->phy_len);
}

static void receive_trace(
	struct gs *gs, const struct gateway *g, const struct rxpk *rx, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_UP_RECEIVE, g, now);
	if (!e)
		return;
	e->cids.len = 0;
	CIDS_ADD_ALL(&e->cids, &gs->up.cids);
	gs_trace_frame(e, rx->phy, rx->phy_len);
	struct text t = gs_trace_data(e);
	radio_json(&t, rx);
	gs_trace_end(gs, e, &t);
}

/** A frame or element that goes no further. @param rx  NULL: it could not be read */
static void drop(struct push_ctx *c, enum gs_drop why, const struct rxpk *rx)
{
	gs_trace_drop(c->gs, c->g, c->g->eui, &c->g->push, why, c->now);
	struct trace_event *e = gs_trace_begin(c->gs, EVENT_GS_UP_DROP, c->g, c->now);
	if (!e)
		return;
	struct text t = gs_trace_data(e);
	json_name(&t, "reason");
	json_puts(&t, gs_drop_word(why));
	if (rx) {
		/* The bits of a frame with a wrong CRC name nobody. */
		if (rx->crc == RXPK_CRC_OK)
			gs_trace_frame(e, rx->phy, rx->phy_len);
		radio_json(&t, rx);
	}
	gs_trace_end(c->gs, e, &t);
}

static void meta_optional(struct rx_meta *m, const struct rxpk *rx)
{
	static const struct {
		uint32_t from;
		uint64_t to;
	} bits[] = {
		{RXPK_TIME, HAS(rx_meta, time_unix_ns)},
		{RXPK_TMMS, HAS(rx_meta, gps_ms)},
		{RXPK_FTIME, HAS(rx_meta, fine_ns)},
		{RXPK_RSSIS, HAS(rx_meta, signal_rssi_ddbm)},
		{RXPK_LSNR, HAS(rx_meta, snr_ddb)},
		{RXPK_FOFF, HAS(rx_meta, foff_hz)},
		{RXPK_CHAN, HAS(rx_meta, channel)},
		{RXPK_RFCH, HAS(rx_meta, rf_chain)},
		{RXPK_ANTENNA, HAS(rx_meta, antenna)},
	};
	m->has = 0;
	for (size_t i = 0; i < COUNT(bits); i++)
		if (rx->has & bits[i].from)
			m->has |= bits[i].to;
	m->time_unix_ns = rx->time_unix_ns;
	m->gps_ms = rx->tmms;
	m->fine_ns = rx->ftime_ns;
	m->signal_rssi_ddbm = rx->rssis_ddbm;
	m->snr_ddb = rx->lsnr_ddb;
	m->foff_hz = rx->foff_hz;
	m->channel = rx->chan;
	m->rf_chain = rx->rfch;
	m->antenna = rx->antenna;
}

static void meta_fill(
	struct rx_meta *m, const struct gateway *g, const struct rxpk *rx, const struct now *now)
{
	meta_optional(m, rx);
	memcpy(m->gateway_id, g->id, sizeof m->gateway_id);
	m->gateway_eui = g->eui;
	m->tmst_us = rx->tmst_us;
	m->received_unix_us = now->unix_us - gs_rtt_median(&g->rtt) / 2;
	m->rssi_ddbm = rx->rssi_ddbm;
	if (g->has_position) {
		MSG_SET(m, latitude_e7, g->latitude_e7);
		MSG_SET(m, longitude_e7, g->longitude_e7);
		MSG_SET(m, location_source, g->is_position_registered ? LOCATION_REGISTRY : LOCATION_GPS);
	}
	if (g->has_position && g->has_altitude)
		MSG_SET(m, altitude_m, g->altitude_m);
}

static void modulation_fill(struct modulation *m, const struct radio *r)
{
	m->has = 0;
	m->kind = r->kind;
	if (r->kind == RADIO_LORA)
		MSG_SET(m, sf, r->sf);
	if (r->kind == RADIO_FSK)
		MSG_SET(m, bit_rate, r->bit_rate);
	else
		MSG_SET(m, bw_hz, r->bw_hz);
	memcpy(m->coding_rate, r->codr, sizeof m->coding_rate);
	if (r->codr[0])
		MSG_MARK(m, coding_rate);
}

_Static_assert(
	sizeof((struct modulation){0}.coding_rate) == RADIO_CODR_MAX + 1, "a coding rate is copied as it is");
_Static_assert(sizeof((struct gs_uplink){0}.phy.p) == SEMTECH_PHY_MAX, "so is a payload");

static void uplink_fill(struct gs *gs, const struct gateway *g, const struct rxpk *rx, const struct now *now)
{
	struct gs_uplink *up = &gs->up;
	up->has = 0;
	up->cids.len = 0;
	CIDS_ADD(&up->cids, CID_GS_CONN, g->conn);
	CIDS_ADD(&up->cids, CID_GS_UPLINK, ulid_make(now->unix_us, &gs->rng));
	CIDS_ADD(&up->cids, CID_RPC_GSNS_UPLINK, ulid_make(now->unix_us, &gs->rng));
	meta_fill(&up->rx, g, rx, now);
	up->freq_hz = rx->freq_hz;
	modulation_fill(&up->mod, &rx->radio);
	up->phy.len = (uint16_t)rx->phy_len;
	memcpy(up->phy.p, rx->phy, rx->phy_len);
	up->age_us = 0;
	up->path_us = gs_rtt_path(&g->rtt);
	up->can_send = gs_gateway_can_send(g, now->mono_us);
	memcpy(up->plan, g->plan, sizeof up->plan);
	if (g->plan[0])
		MSG_MARK(up, plan);
}

static void clock_take(struct gs *gs, struct gateway *g, const struct rxpk *rx, const struct now *now)
{
	uint64_t conc_us;
	enum conc_step step = gs_conc_clock_take(&g->clock, rx->tmst_us, now->mono_us, &conc_us);
	gs_conc_clock_gps(&g->clock, conc_us, rx->has & RXPK_TMMS ? rx->tmms * MS_US : 0);
	g->is_imme_soon |= (rx->has & RXPK_JVER) != 0;
	/* It decides how a class C frame can be sent. Two gateways of one EUI shall not tell it all the time. */
	if (g->clock.has_gps != g->had_gps || gs_conc_clock_is_sure(&g->clock, now->mono_us) != g->was_sure)
		gs_status_touch(gs, g, now->mono_us, now->mono_us - g->reported_us >= SEC_US);
	if (step != CONC_RESTART && step != CONC_JUMP)
		return;
	*(step == CONC_JUMP ? &gs->metrics.clock_jumps : &gs->metrics.restarts) += 1;
	struct gs_note note = {.kind = step == CONC_JUMP ? GS_NOTE_JUMP : GS_NOTE_RESTART,
		.gateway = g,
		.peer = &g->push,
		.eui = g->eui};
	gs->sink.note(gs->sink.ctx, &note);
}

/** Its share of one source, and what all of them have together: twice that. */
static bool share_take(struct push_ctx *c)
{
	uint32_t per_s = c->gs->config.uplinks_per_s;
	return gs_quota_take(&c->from->uplinks, 1, per_s, 2, c->now->mono_us) &&
	       gs_quota_take(&c->g->uplink_quota, 1, 2 * per_s, 2, c->now->mono_us);
}

static enum gs_drop check(struct push_ctx *c, const struct rxpk *rx)
{
	if (!share_take(c))
		return GS_DROP_QUOTA;
	if (rx->crc == RXPK_CRC_BAD)
		return GS_DROP_CRC_BAD;
	if (rx->crc == RXPK_CRC_NONE)
		return GS_DROP_CRC_NONE;
	if (!rx->phy_len)
		return GS_DROP_EMPTY;
	return gs_repeat_seen(&c->g->repeat, rx, c->now->mono_us) ? GS_DROP_REPEAT : GS_DROP_NONE;
}

static void on_rxpk(void *ctx, const struct rxpk *rx)
{
	struct push_ctx *c = ctx;
	struct gs *gs = c->gs;
	struct gateway *g = c->g;
	enum gs_drop why = check(c, rx);
	if (why) {
		drop(c, why, rx);
		return;
	}
	clock_take(gs, g, rx, c->now);
	uplink_fill(gs, g, rx, c->now);
	gs->metrics.uplinks++;
	g->counts.uplinks++;
	g->counts.last_uplink_unix_us = c->now->unix_us;
	receive_trace(gs, g, rx, c->now);
	gs->sink.uplink(gs->sink.ctx, &gs->up, gs->registry.generation);
}

static void on_refused(void *ctx, int why, struct str element)
{
	struct push_ctx *c = ctx;
	(void)element;
	share_take(c);
	drop(c, (enum gs_drop)why, NULL);
}

static void stat_trace(struct gs *gs, const struct gateway *g, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_STATUS_RECEIVE, g, now);
	if (!e)
		return;
	CIDS_ADD(&e->cids, CID_GS_STATUS, ulid_make(now->unix_us, &gs->rng));
	if (g->stat[0]) {
		memcpy(e->data, g->stat, sizeof g->stat);
		MSG_MARK(e, data);
	}
	gs_trace_end(gs, e, NULL);
}

_Static_assert(sizeof((struct trace_event){0}.data) >= sizeof((struct gateway){0}.stat), "a stat is copied as it is");

static void on_stat(void *ctx, const struct gwstat *st, struct str raw)
{
	struct push_ctx *c = ctx;
	struct gateway *g = c->g;
	c->gs->metrics.stats++;
	g->counts.last_status_unix_us = c->now->unix_us;
	g->is_imme_soon |= (st->has & GWSTAT_TEMP) != 0; /* only sx1302 boards have a thermometer */
	if (!utf8_valid(raw) || str_copy(raw, g->stat, sizeof g->stat))
		g->stat[0] = '\0';
	if (st->has & GWSTAT_POSITION && !g->is_position_registered) {
		g->has_position = true;
		g->latitude_e7 = st->latitude_e7;
		g->longitude_e7 = st->longitude_e7;
		g->has_altitude = st->has & GWSTAT_ALTI;
		g->altitude_m = g->has_altitude ? st->altitude_m : 0;
	}
	stat_trace(c->gs, g, c->now);
}

void gs_up_push(
	struct gs *gs, struct gateway *g, struct gs_source *from, struct str body, const struct now *now)
{
	struct push_ctx c = {gs, g, from, now};
	struct push_sink sink = {on_rxpk, on_refused, on_stat, &c};
	int why = push_read(body, &gs->push, &sink);
	if (why)
		drop(&c, (enum gs_drop)why, NULL);
	gs_status_touch(gs, g, now->mono_us, false);
}
