/** @file A network around the network server's core, in memory and on virtual time: a disk that commits late, gateways with
 * counters and bad days, an application server with a queue, devices with keys. What must always hold is checked here. */
#pragma once
#include "ns/core/hash.h"
#include "ns/core/limits.h"
#include "ns/core/ns.h"
#include "proto/cids.h"
#include "proto/event_pack.h"
#include "proto/lorawan/airtime.h"
#include "proto/lorawan/security.h"
#include "proto/region/region.h"
#include "proto/tables.h"
#include "test/unit/events_check.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { W_GATEWAYS = 8, W_DEVICES = 64, W_ITEMS = 4096, W_TX = 8192, W_UPS = 65536, W_EVENTS = 4096, W_TEXT = 256 };

struct w_record {
	uint8_t key[10];
	size_t n_key, n;
	uint8_t *value;
	UT_hash_handle hh;
};
struct w_op {
	struct w_op *next;
	uint64_t batch;
	bool is_del;
	struct w_record r;
};

/** How a gateway takes what it is told to send. */
enum w_mood { W_SENDS, W_REFUSES, W_SILENT, W_BUS_REFUSES };
struct w_gateway {
	char id[37];
	uint64_t eui, offset_us; /**< its counter is the clock plus that */
	uint32_t path_us, told_path_us; /**< and what its gs thinks it is; 0: the same */
	bool can_send, has_gps;
	int8_t clock; /**< does its gs know its counter? 0: that says nothing of it; 1: yes; -1: no */
	enum w_mood mood;
	enum tx_result result; /**< of a refusal */
	unsigned moods_left;   /**< emissions until it sends again; 0: for ever */
};

struct w_device {
	char name[37];
	uint64_t uid, dev_eui, join_eui;
	bool is_otaa, has_session, class_c, multicast;
	uint64_t groups[4];
	uint32_t dev_addr, f_cnt_up;
	struct key nwk, app;          /**< nwk is the FNwkSIntKey of 1.1 */
	struct key s_nwk, nwk_enc;    /**< 1.1 */
	bool is_v11;                  /**< of its session */
	uint16_t rj_count0, rj_count1; /**< of its next rejoin-requests */
	uint8_t tx_ch;                /**< 1.1: channel index of its next uplink */
	uint32_t conf_up;             /**< counter of its last confirmed uplink */
	uint16_t conf_down;           /**< and of the confirmed downlink that it owes an ACK */
	struct { bool is_there; uint32_t f_cnt; } last_down[2]; /**< 1.1: NFCntDown, AFCntDown */
	struct ulid session;
	unsigned rx1_delay_s;
	uint32_t rejoin; /**< how often the operator asked for one */
	uint32_t rx2_hz, rx1_hz; /**< where it listens; 0: as the region says */
	uint32_t join_rx1_hz;    /**< and for a join-accept */
	uint64_t last_up_us; /**< end of its last uplink */
	uint16_t nonce;      /**< of its last join-request; others are forged */
	uint8_t last[PHY_MAX]; /**< its octets */
	size_t n_last;
	struct { uint32_t freq_hz; struct modu modu; } up;
	struct { uint32_t f_cnt; bool confirmed, ack, pending, adr; uint8_t port, n, frm[242], n_opts, opts[15]; uint8_t window; } heard;
	unsigned n_heard, n_joins_heard;
	bool owes_ack;
	struct join_answer join; /**< the last answer to its join-request */
	uint64_t prepared_us;    /**< when the as was told last that a pull is near; 0: never */
	struct ulid offered;     /**< the item that it noted then */
	unsigned n_prepared;
	uint32_t mac_version;
	struct mac_settings mac;
	uint32_t generation;
	uint32_t last_f_cnt_up;
};

/** What the application server does not know: what became of an emission. */
struct w_tx {
	struct tx_request m;
	uint32_t gateway;
	uint64_t start_us; /**< by the clock */
	bool is_emitted;
	uint64_t at_us;    /**< when the core asked for it */
	struct key nwk;    /**< of the session that it is for, where a device has that now */
	bool is_v11;
};

#define W_OFFER_US (3 * SEC_US)
enum w_item_state { W_QUEUED, W_FLIGHT, W_SENT, W_FAILED, W_ACKED };
struct w_item {
	struct ulid id;
	uint64_t device;
	uint8_t port, n, frm[242];
	bool confirmed;
	uint32_t priority, f_cnt;
	struct { uint64_t eui; uint32_t group; } via[8];
	unsigned n_via;
	uint64_t at_unix_us;
	char error[41]; /**< it failed with */
	enum w_item_state state;
	unsigned n_sent, n_nacks, n_returned, n_failed, n_heard;
};

struct w_up {
	uint64_t device, seq;
	uint32_t f_cnt;
	struct ulid session;
	unsigned n_rx, port;
};

enum w_kind { W_DELIVER, W_COMMIT, W_PULLED, W_JOINED, W_TOOK, W_SCHEDULED, W_TX_ACK, W_TELL };
struct w_event {
	uint64_t at_us, order;
	enum w_kind kind;
	uint32_t gateway;
	uint64_t number;
	struct ulid id;
	uint32_t result;
	const char *refusal;
	struct ns_pull pull;
	union {
		struct gs_uplink up;
		struct pulled pulled;
		struct join_answer join;
		struct tx_ack ack;
	};
};

struct world {
	struct ns *ns;
	struct now now;
	struct rng_seeded seed;
	struct rng rng;
	struct crypto *crypto;
	const struct plan *plan;
	struct ns_config config;
	struct ns_ports ports;
	/* disk */
	struct w_record *view, *disk;
	struct w_op *ops, **last_op;
	uint64_t commit_us, commit_busy_us, open_batch, crash_us;
	/* the rest of the world */
	struct w_gateway gw[W_GATEWAYS];
	uint32_t n_gw;
	struct w_device dev[W_DEVICES];
	uint32_t n_dev;
	struct w_tx tx[W_TX];
	uint32_t n_tx;
	struct w_item item[W_ITEMS];
	uint32_t n_item;
	struct w_up up[W_UPS];
	uint32_t n_up;
	uint64_t seen_seq, as_delay_us, ack_us;
	uint64_t as_commit_us; /**< how long a note of the as takes to be on its disk */
	bool as_is_up, as_is_mute; /**< mute: takes calls and does not answer */
	bool as_loses_answers;     /**< takes pulls, and the answers stay on the way */
	bool as_is_full;           /**< refuses what the outbox holds */
	unsigned n_joins, n_statuses, n_refused;
	struct up_status last_status;
	struct ulid joined_session;
	struct join_request last_join; /**< what the core asked of the join server */
	struct w_event *ev[W_EVENTS];
	uint32_t n_ev;
	uint64_t order, request;
	struct { uint64_t request; struct gs_uplink up; uint32_t gateway; } held[W_EVENTS]; /**< what the gs keeps until answered */
	uint32_t n_held;
	char trace[64][64]; /**< names and reasons of the last events */
	uint32_t n_trace;
	char broken[W_TEXT]; /**< the first rule that was broken; "" if none */
};

#define W_BREAK(w, ...)                                                       \
	do {                                                                  \
		if (!(w)->broken[0])                                          \
			snprintf((w)->broken, sizeof((w)->broken), __VA_ARGS__); \
	} while (0)

/* ---- disk ---- */

static inline void w_record_free(struct w_record **table, struct w_record *r)
{
	HASH_DEL(*table, r);
	free(r->value);
	free(r);
}

static inline struct w_record *w_record_find(struct w_record *table, const uint8_t *key, size_t n)
{
	struct w_record *r;
	HASH_FIND(hh, table, key, n, r);
	return r;
}

static inline void w_record_set(struct w_record **table, const struct w_op *op)
{
	struct w_record *r = w_record_find(*table, op->r.key, op->r.n_key);
	if (r)
		w_record_free(table, r);
	if (op->is_del)
		return;
	r = calloc(1, sizeof(*r));
	*r = op->r;
	r->value = malloc(r->n + 1);
	memcpy(r->value, op->r.value, r->n);
	HASH_ADD(hh, *table, key, r->n_key, r);
}

static inline int w_write(struct world *w, struct slice key, const struct slice *value)
{
	struct w_op *op = calloc(1, sizeof(*op));
	op->batch = w->open_batch;
	op->is_del = !value;
	memcpy(op->r.key, key.p, key.n);
	op->r.n_key = key.n;
	op->r.n = value ? value->n : 0;
	op->r.value = malloc(op->r.n + 1);
	if (value && value->n)
		memcpy(op->r.value, value->p, value->n);
	w_record_set(&w->view, op);
	*w->last_op = op;
	w->last_op = &op->next;
	return 0;
}

static inline int w_put(void *ctx, struct slice key, struct slice value)
{
	return w_write(ctx, key, &value);
}

static inline int w_del(void *ctx, struct slice key)
{
	return w_write(ctx, key, NULL);
}

static inline int w_get(void *ctx, struct slice key, struct slice *ret)
{
	struct world *w = ctx;
	struct w_record *r = w_record_find(w->view, key.p, key.n);
	if (!r)
		return -ENOENT;
	*ret = (struct slice){ r->value, r->n };
	return 0;
}

static inline void w_commit(struct world *w, uint64_t batch)
{
	while (w->ops && w->ops->batch <= batch) {
		struct w_op *op = w->ops;
		w->ops = op->next;
		if (!w->ops)
			w->last_op = &w->ops;
		w_record_set(&w->disk, op);
		free(op->r.value);
		free(op);
	}
}

/* ---- events ---- */

static inline struct w_event *w_at(struct world *w, uint64_t at_us, enum w_kind kind)
{
	struct w_event *e = calloc(1, sizeof(*e));
	e->at_us = at_us;
	e->order = w->order++;
	e->kind = kind;
	if (w->n_ev == W_EVENTS) {
		W_BREAK(w, "more events than the world holds");
		free(w->ev[--w->n_ev]);
	}
	w->ev[w->n_ev++] = e;
	return e;
}

static inline struct w_device *w_device(struct world *w, uint64_t uid)
{
	for (uint32_t i = 0; i < w->n_dev; i++)
		if (w->dev[i].uid == uid)
			return &w->dev[i];
	return NULL;
}

static inline struct w_gateway *w_gateway(struct world *w, uint64_t eui)
{
	for (uint32_t i = 0; i < w->n_gw; i++)
		if (w->gw[i].eui == eui)
			return &w->gw[i];
	return NULL;
}

/* ---- gs ---- */

static inline void w_answer(void *ctx, uint64_t request, const char *refusal, const char *message)
{
	struct world *w = ctx;
	(void)message;
	if (refusal)
		w->n_refused++;
	for (uint32_t i = 0; i < w->n_held; i++)
		if (w->held[i].request == request) {
			w->held[i] = w->held[--w->n_held];
			return;
		}
}

static inline uint32_t w_airtime(const struct tx_request *m)
{
	struct modu modu = { .kind = (uint8_t)m->mod.kind, .sf = (uint8_t)m->mod.sf, .cr = CR_4_5, .bw_hz = m->mod.bw_hz, .bit_rate = m->mod.bit_rate };
	return airtime_us(&modu, m->phy.len, false);
}

static inline bool w_overlaps(const struct w_tx *a, const struct w_tx *b)
{
	return a != b && a->gateway == b->gateway && a->is_emitted && a->start_us < b->start_us + b->m.airtime_us &&
		b->start_us < a->start_us + a->m.airtime_us;
}

/** When a gateway begins: by its counter, by GPS, at a time that its gs keeps by its counter, or soon after it is told. */
static inline uint64_t w_start_us(struct world *w, const struct w_gateway *g, const struct tx_request *m)
{
	if (MSG_HAS(m, tmst_us))
		return w->now.mono_us + (uint64_t)(int64_t)(int32_t)(m->tmst_us - (uint32_t)(w->now.mono_us + g->offset_us));
	if (MSG_HAS(m, gps_ms))
		return w->now.mono_us + (clock_unix_us_of_gps(m->gps_ms * MS_US) - w->now.unix_us);
	if (!MSG_HAS(m, at_us))
		W_BREAK(w, "an emission without a time");
	uint64_t soon_us = g->path_us + (g->clock > 0 ? 85 * MS_US : NS_IMMEDIATE_US), told_us = MS_US;
	return w->now.mono_us + told_us + (g->clock > 0 && m->at_us > soon_us ? m->at_us : soon_us);
}

/** What a process that died had planned its successor cannot know; the forwarder does, and refuses. */
static inline bool w_collides_with_the_past(const struct world *w, const struct w_tx *t)
{
	for (uint32_t i = 0; i < w->n_tx; i++)
		if (w->tx[i].at_us < w->crash_us && w_overlaps(&w->tx[i], t))
			return true;
	return false;
}

/** Rules of the air: no two emissions of a gateway overlap, no sub-band has more than its share of any hour. */
static inline void w_check_air(struct world *w, const struct w_tx *t)
{
	const struct region_band *band = region_band(w->plan->region, t->m.freq_hz);
	uint64_t used = 0;
	if (!band) {
		W_BREAK(w, "an emission outside every sub-band: %u Hz", t->m.freq_hz);
		return;
	}
	for (uint32_t i = 0; i < w->n_tx; i++) {
		const struct w_tx *o = &w->tx[i];
		if (o->gateway != t->gateway || !o->is_emitted)
			continue;
		if (w_overlaps(o, t))
			W_BREAK(w, "two emissions of a gateway overlap at %" PRIu64, t->start_us);
		if (region_band(w->plan->region, o->m.freq_hz) == band && o->start_us + 3600 * SEC_US > t->start_us)
			used += o->m.airtime_us;
	}
	if (band->duty_ppm < 1000000 && used > 3600ULL * band->duty_ppm)
		W_BREAK(w, "%" PRIu64 " us of airtime within an hour in the sub-band of %u Hz", used, t->m.freq_hz);
}

/** Is a downlink's integrity code right for a device? */
static inline bool w_is_signed(struct world *w, const struct w_device *d, const struct frame *f, uint32_t f_cnt)
{
	uint8_t mic[MIC_LEN];
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = f_cnt };
	if (d->is_v11 && f->data.ack)
		id.conf_f_cnt = (uint16_t)d->conf_up;
	return mic_data(w->crypto, d->is_v11 ? &d->s_nwk : &d->nwk, &id, f->msg, mic) == 0 && mic_eq(mic, f->mic);
}

static inline bool w_is_app(const struct frame *f)
{
	return f->data.has_port && f->data.f_port != PORT_MAC;
}

static inline void w_find_session(struct world *w, struct w_tx *t, const struct frame *f)
{
	for (uint32_t i = 0; i < w->n_dev; i++) {
		if (w->dev[i].dev_addr != f->data.dev_addr)
			continue;
		t->is_v11 = w->dev[i].is_v11; /* also where an ACK is of an uplink before its last, so that its code is another */
		if (w_is_signed(w, &w->dev[i], f, f->data.f_cnt16))
			t->nwk = w->dev[i].nwk;
	}
}

/** Different octets never share a counter of a session. */
static inline void w_check_counter(struct world *w, struct w_tx *t)
{
	if (t->m.phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT)
		return;
	struct frame f, g;
	if (frame_parse((struct slice){ t->m.phy.p, t->m.phy.len }, &f) != 0) {
		W_BREAK(w, "a downlink that is no frame");
		return;
	}
	w_find_session(w, t, &f);
	for (uint32_t i = 0; i < w->n_tx; i++) {
		const struct tx_request *o = &w->tx[i].m;
		if (&w->tx[i] == t || o->phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT || frame_parse((struct slice){ o->phy.p, o->phy.len }, &g) != 0)
			continue;
		bool is_same = o->phy.len == t->m.phy.len && memcmp(o->phy.p, t->m.phy.p, o->phy.len) == 0;
		bool is_session = g.data.dev_addr == f.data.dev_addr && memcmp(&w->tx[i].nwk, &t->nwk, sizeof(t->nwk)) == 0;
		bool is_counter = !t->is_v11 || w_is_app(&f) == w_is_app(&g);
		if (is_session && is_counter && g.data.f_cnt16 == f.data.f_cnt16 && !is_same)
			W_BREAK(w, "FCntDown %u of %08x was used for different octets", f.data.f_cnt16, f.data.dev_addr);
	}
}

static inline void w_hear(struct world *w, const struct w_tx *t);

static inline int w_schedule(void *ctx, uint32_t gs, const struct tx_request *m)
{
	struct world *w = ctx;
	struct w_gateway *g = w_gateway(w, m->gateway_eui);
	struct w_tx *t = &w->tx[w->n_tx];
	(void)gs;
	if (!g || w->n_tx + 1 == W_TX)
		return -ENOTCONN;
	w->n_tx++;
	*t = (struct w_tx){ .m = *m, .gateway = (uint32_t)(g - w->gw), .at_us = w->now.mono_us };
	t->start_us = w_start_us(w, g, m);
	int32_t lead = (int32_t)(t->start_us - w->now.mono_us);
	enum w_mood mood = g->mood;
	if (g->moods_left && --g->moods_left == 0)
		g->mood = W_SENDS;
	if (m->airtime_us != w_airtime(m))
		W_BREAK(w, "the airtime of a request is wrong");
	if (lead < (int32_t)(NS_LEAD_US + g->path_us) && mood == W_SENDS) {
		if (!g->told_path_us)
			W_BREAK(w, "an emission was handed over %d us before its start", lead);
		mood = W_REFUSES; /* as forwarders do */
		g->result = TX_RESULT_TOO_LATE;
	}
	if ((mood == W_SENDS || mood == W_SILENT) && w_collides_with_the_past(w, t)) {
		mood = W_REFUSES;
		g->result = TX_RESULT_COLLISION_PACKET;
	}
	w_check_counter(w, t);
	struct w_event *e = w_at(w, w->now.mono_us + 1000, W_SCHEDULED);
	e->id = m->transmission;
	e->result = mood == W_BUS_REFUSES ? TX_RESULT_NOT_CONNECTED : TX_RESULT_SUCCESS;
	if (mood == W_SENDS || mood == W_SILENT) {
		t->is_emitted = true;
		w_check_air(w, t);
		w_hear(w, t);
	}
	e = w_at(w, w->now.mono_us + (mood == W_SILENT ? m->wait_us + SEC_US : w->ack_us), W_TX_ACK);
	uint32_t ack_us = (uint32_t)w->ack_us;
	e->ack = (struct tx_ack){ .transmission = m->transmission, .gateway_eui = g->eui,
		.result = mood == W_SENDS ? TX_RESULT_SUCCESS : mood == W_SILENT ? TX_RESULT_NO_TX_ACK : g->result };
	CIDS_ADD_ALL(&e->ack.cids, &m->cids);
	if (mood != W_SILENT)
		MSG_SET(&e->ack, rtt_us, ack_us);
	CIDS_ADD(&e->ack.cids, CID_GS_TX_ACK, ulid_make(w->now.unix_us, &w->rng));
	if (mood == W_BUS_REFUSES) {
		free(w->ev[--w->n_ev]);
	}
	return 0;
}

static inline int w_sync_gs(void *ctx, uint32_t gs, const struct sync *m)
{
	(void)ctx;
	(void)gs;
	(void)m;
	return 0;
}

/* ---- devices hear ---- */

static inline void w_hear_data(struct world *w, struct w_device *d, const struct w_tx *t, uint8_t window)
{
	struct frame f;
	if (frame_parse((struct slice){ t->m.phy.p, t->m.phy.len }, &f) != 0 || f.data.dev_addr != d->dev_addr)
		return;
	bool is_app = d->is_v11 && w_is_app(&f), is_first = d->is_v11 ? !d->last_down[is_app].is_there : !d->n_heard;
	uint32_t last = d->is_v11 ? d->last_down[is_app].f_cnt : d->heard.f_cnt;
	uint32_t full = is_first ? f.data.f_cnt16 : (uint32_t)(last + (uint16_t)(f.data.f_cnt16 - last));
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = full };
	if (!w_is_signed(w, d, &f, full) || (!is_first && full == last))
		return;
	d->last_down[is_app].is_there = true;
	d->last_down[is_app].f_cnt = full;
	d->heard.f_cnt = full;
	d->heard.window = window;
	d->heard.confirmed = f.mtype == MTYPE_CONFIRMED_DOWN;
	d->heard.ack = f.data.ack;
	d->heard.pending = f.data.f_pending;
	d->heard.adr = f.data.adr;
	d->heard.port = f.data.f_port;
	d->heard.n = (uint8_t)f.data.frm.n;
	d->heard.n_opts = (uint8_t)f.data.f_opts.n;
	if (f.data.frm.n)
		memcpy(d->heard.frm, f.data.frm.p, f.data.frm.n);
	if (f.data.f_opts.n)
		memcpy(d->heard.opts, f.data.f_opts.p, f.data.f_opts.n);
	cipher_frm(w->crypto, w_is_app(&f) ? &d->app : d->is_v11 ? &d->nwk_enc : &d->nwk, &id, d->heard.frm, d->heard.n);
	if (d->is_v11)
		cipher_f_opts(w->crypto, &d->nwk_enc, &id, is_app, d->heard.opts, d->heard.n_opts);
	d->owes_ack |= d->heard.confirmed;
	if (d->heard.confirmed)
		d->conf_down = (uint16_t)full;
	d->n_heard++;
	for (uint32_t i = 0; i < w->n_item && d->heard.n; i++)
		if (w->item[i].device == d->uid && w->item[i].state == W_FLIGHT && w->item[i].f_cnt == full)
			w->item[i].n_heard++;
}

/** Nothing at a time of our choosing while the device listens to its windows. */
static inline void w_check_windows(struct world *w, const struct w_device *d, const struct w_tx *t)
{
	struct frame f;
	if (frame_parse((struct slice){ t->m.phy.p, t->m.phy.len }, &f) != 0 || f.data.dev_addr != d->dev_addr || !d->last_up_us ||
		t->at_us < d->last_up_us + 30 * MS_US || w->crash_us > d->last_up_us)
		return; /* nobody knows of the uplink */
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at_us = d->last_up_us + (d->rx1_delay_s + i) * SEC_US;
		if (t->start_us < at_us + 100 * MS_US && t->start_us + t->m.airtime_us > at_us - 20 * MS_US)
			W_BREAK(w, "an emission of %u us at %" PRIu64 " us meets a window of its device", t->m.airtime_us, t->start_us - d->last_up_us);
	}
}

/** Every device that listens there and then hears it. */
static inline void w_hear(struct world *w, const struct w_tx *t)
{
	bool is_join = t->m.phy.p[0] >> 5 == MTYPE_JOIN_ACCEPT;
	for (uint32_t i = 0; i < w->n_dev; i++) {
		struct w_device *d = &w->dev[i];
		uint64_t delay = (is_join ? 5 : d->rx1_delay_s) * SEC_US, since = t->start_us - d->last_up_us;
		const struct region *r = w->plan->region;
		if (d->class_c && !is_join && t->m.window == 3 && t->m.freq_hz == r->rx2_hz) {
			w_check_windows(w, d, t);
			w_hear_data(w, d, t, 3);
			continue;
		}
		uint32_t rx1_hz = is_join ? d->join_rx1_hz : d->rx1_hz;
		if (since == delay && t->m.freq_hz != (rx1_hz ? rx1_hz : d->up.freq_hz))
			continue;
		if (since == delay + SEC_US && t->m.freq_hz != (d->rx2_hz && !is_join ? d->rx2_hz : r->rx2_hz))
			continue;
		if (since != delay && since != delay + SEC_US)
			continue;
		if (is_join && d->is_otaa && memcmp(t->m.phy.p, d->join.phy.p, t->m.phy.len) == 0) {
			d->n_joins_heard++;
			d->has_session = true;
			d->dev_addr = d->join.dev_addr;
			d->nwk = d->join.f_nwk_s_int_key;
			d->s_nwk = d->join.s_nwk_s_int_key;
			d->nwk_enc = d->join.nwk_s_enc_key;
			d->is_v11 = MSG_HAS(&d->join, v11);
			memset(d->last_down, 0, sizeof(d->last_down));
			d->rj_count0 = 0;
			d->session = d->join.session_key_id;
			d->f_cnt_up = 0;
			d->owes_ack = false;
			d->n_heard = 0;
			d->rx1_delay_s = 5;
		} else if (!is_join) {
			w_hear_data(w, d, t, since == delay ? 1 : 2);
		}
	}
}

/* ---- as ---- */

static inline struct w_item *w_item_of(struct world *w, const struct ulid *id)
{
	for (uint32_t i = 0; i < w->n_item; i++)
		if (ulid_eq(&w->item[i].id, id))
			return &w->item[i];
	return NULL;
}

static inline struct w_item *w_next_item(struct world *w, uint64_t device, unsigned *ret_n)
{
	struct w_item *best = NULL;
	*ret_n = 0;
	for (uint32_t i = 0; i < w->n_item; i++) {
		struct w_item *it = &w->item[i];
		if (it->device != device || it->state != W_QUEUED)
			continue;
		++*ret_n;
		if (!best || it->priority > best->priority)
			best = it;
	}
	return best;
}

static inline int w_pull(void *ctx, const struct ns_pull *call, const struct pull *m)
{
	struct world *w = ctx;
	unsigned n;
	if (!w->as_is_up)
		return -ENOTCONN;
	struct w_item *it = w_next_item(w, m->device, &n);
	struct w_device *d = w_device(w, m->device);
	uint64_t since_us = w->now.mono_us - d->prepared_us;
	bool is_offered = d->prepared_us && since_us >= w->as_commit_us && since_us <= W_OFFER_US;
	if (!is_offered || !it || !ulid_eq(&it->id, &d->offered))
		it = NULL; /* it hands out only what it noted before */
	if (w->as_is_mute)
		return 0;
	struct w_event *e = w_at(w, w->now.mono_us + w->as_delay_us, W_PULLED);
	e->pull = *call;
	e->refusal = w->as_loses_answers ? "lost" : NULL;
	e->pulled = (struct pulled){ .has = 0 };
	bool is_placed = it && (it->n_via || it->at_unix_us);
	if (!it || it->n > m->room || (is_placed && !MSG_HAS(m, class_c))) {
		MSG_SET(&e->pulled, more, n > 0);
		return 0;
	}
	struct frame_id id = { .dev_addr = d->dev_addr, .f_cnt = m->f_cnt };
	MSG_SET(&e->pulled, item, it->id);
	MSG_SET(&e->pulled, f_port, it->port);
	memcpy(e->pulled.frm.p, it->frm, it->n);
	e->pulled.frm.len = it->n;
	MSG_MARK(&e->pulled, frm);
	cipher_frm(w->crypto, &d->app, &id, e->pulled.frm.p, it->n);
	MSG_SET(&e->pulled, confirmed, it->confirmed);
	MSG_SET(&e->pulled, priority, it->priority);
	MSG_SET(&e->pulled, more, n > 1);
	CIDS_ADD(&e->pulled.cids, CID_AS_DOWNLINK, it->id);
	MSG_MARK(&e->pulled, cids);
	if (it->at_unix_us)
		MSG_SET(&e->pulled, at_unix_us, it->at_unix_us);
	for (unsigned i = 0; i < it->n_via; i++) {
		struct via *v = &e->pulled.gateways.v[e->pulled.gateways.len++];
		*v = (struct via){ .gateway_eui = it->via[i].eui };
		MSG_SET(v, group, it->via[i].group);
		MSG_MARK(&e->pulled, gateways);
	}
	it->state = W_FLIGHT;
	it->f_cnt = m->f_cnt;
	return 0;
}

static inline int w_join(void *ctx, uint64_t call, const struct join_request *m)
{
	struct world *w = ctx;
	struct w_device *d = w_device(w, m->device);
	if (!w->as_is_up || !d)
		return -ENOTCONN;
	if (w->as_is_mute)
		return 0;
	struct w_event *e = w_at(w, w->now.mono_us + w->as_delay_us, W_JOINED);
	e->number = call;
	struct frame f;
	if (frame_parse((struct slice){ m->phy.p, m->phy.len }, &f) != 0 || f.join.dev_nonce != d->nonce) {
		e->refusal = "mic";
		return 0;
	}
	struct join_answer *a = &d->join;
	*a = (struct join_answer){ .session_key_id = ulid_make(w->now.unix_us, &w->rng), .dev_addr = m->dev_addr };
	rng_fill(&w->rng, a->f_nwk_s_int_key.b, sizeof(a->f_nwk_s_int_key.b));
	a->s_nwk_s_int_key = a->nwk_s_enc_key = a->f_nwk_s_int_key;
	if (mac_rules(d->mac_version)->is_v11) {
		rng_fill(&w->rng, a->s_nwk_s_int_key.b, sizeof(a->s_nwk_s_int_key.b));
		rng_fill(&w->rng, a->nwk_s_enc_key.b, sizeof(a->nwk_s_enc_key.b));
		MSG_SET(a, v11, true);
	}
	w->last_join = *m;
	a->phy.len = 33;
	rng_fill(&w->rng, a->phy.p, 33);
	a->phy.p[0] = MTYPE_JOIN_ACCEPT << 5;
	e->join = *a;
	return 0;
}

/** What is out for this counter. */
static inline struct w_item *w_item_out(struct world *w, uint64_t device, uint32_t f_cnt)
{
	for (uint32_t i = 0; i < w->n_item; i++)
		if (w->item[i].device == device && w->item[i].state == W_FLIGHT && w->item[i].f_cnt == f_cnt)
			return &w->item[i];
	return NULL;
}

static inline void w_take_outcome(struct world *w, uint64_t device, const struct up_outcome *o)
{
	bool is_unanswered = ulid_is_none(&o->item);
	struct w_item *it = is_unanswered ? w_item_out(w, device, o->f_cnt) : w_item_of(w, &o->item);
	if (!it && is_unanswered)
		return; /* nothing was handed out */
	if (!it) {
		W_BREAK(w, "an outcome of an item that nobody handed out");
		return;
	}
	switch (o->outcome) {
	case 0:
		it->n_returned++;
		it->state = W_QUEUED;
		w_device(w, device)->prepared_us = 0; /* its offer is over */
		break;
	case 1: it->n_sent++; it->state = W_SENT; break;
	case 2:
		it->n_failed++;
		it->state = W_FAILED;
		if (MSG_HAS(o, error))
			snprintf(it->error, sizeof(it->error), "%s", o->error);
		break;
	case 3: it->state = W_ACKED; break;
	case 5: it->state = W_SENT; break;
	default: it->n_nacks++; it->state = W_QUEUED;
	}
	w_at(w, w->now.mono_us + w->as_delay_us, W_TELL)->number = device;
}

/** A new process knows nothing more of what is out: it may have been sent. */
static inline void w_forgotten(struct world *w)
{
	for (uint32_t i = 0; i < w->n_item; i++) {
		struct w_item *it = &w->item[i];
		if (it->state != W_FLIGHT)
			continue;
		it->n_failed += !it->confirmed;
		it->n_nacks += it->confirmed;
		it->state = it->confirmed ? W_QUEUED : W_FAILED;
	}
}

static inline void w_tell_waiting(struct world *w, uint64_t device)
{
	static struct downlink_queued q;
	unsigned n;
	const struct w_item *it = w_next_item(w, device, &n);
	q = (struct downlink_queued){ .v = { .len = 1 } };
	struct waiting *q0 = &q.v.v[0];
	*q0 = (struct waiting){ .device = device, .items = n };
	if (it) {
		MSG_SET(q0, item, it->id);
		MSG_SET(q0, length, it->n);
		MSG_SET(q0, priority, it->priority);
		MSG_SET(q0, is_placed, it->n_via > 0);
	}
	if (it && it->at_unix_us)
		MSG_SET(q0, at_unix_us, it->at_unix_us);
	if (w->as_is_up)
		ns_as_queued(w->ns, &w->now, &q);
}

static inline void w_take_up(struct world *w, const struct ns_up *m)
{
	if (m->seq <= w->seen_seq)
		return; /* a repeat */
	if (m->seq != w->seen_seq + 1 && w->seen_seq)
		W_BREAK(w, "outbox message %" PRIu64 " came after %" PRIu64, m->seq, w->seen_seq);
	w->seen_seq = m->seq;
	if (MSG_HAS(m, data)) {
		struct w_up *u = &w->up[w->n_up++ % W_UPS];
		*u = (struct w_up){ m->device, m->seq, m->data.f_cnt, m->data.session_key_id, m->data.rx.len, m->data.f_port };
		const struct w_device *d = w_device(w, m->device);
		bool may_begin_again = d && ((MSG_HAS(&d->mac, resets_f_cnt) && d->mac.resets_f_cnt) || (MSG_HAS(&d->mac, f_cnt_32) && !d->mac.f_cnt_32));
		for (uint32_t i = 0; i + 1 < w->n_up && i + 1 < W_UPS && !may_begin_again; i++)
			if (&w->up[i] != u && w->up[i].device == u->device && w->up[i].f_cnt == u->f_cnt && ulid_eq(&w->up[i].session, &u->session))
				W_BREAK(w, "FCntUp %u of device %" PRIu64 " was delivered twice", u->f_cnt, u->device);
	} else if (MSG_HAS(m, join)) {
		w->n_joins++;
		w->joined_session = m->join.session_key_id;
	} else if (MSG_HAS(m, outcome)) {
		w_take_outcome(w, m->device, &m->outcome);
	} else if (MSG_HAS(m, restarted)) {
		w_forgotten(w);
	} else if (MSG_HAS(m, status)) {
		w->n_statuses++;
		w->last_status = m->status;
	}
}

static inline int w_up(void *ctx, uint64_t seq, struct slice encoded)
{
	struct world *w = ctx;
	static struct ns_up m;
	if (!w->as_is_up)
		return -ENOTCONN;
	if (msg_decode(ns_up_schema(), encoded.p, encoded.n, &m) != 0 || m.seq != seq)
		W_BREAK(w, "the outbox holds what nobody can read");
	else if (!w->as_is_mute && !w->as_is_full)
		w_take_up(w, &m);
	if (w->as_is_mute)
		return 0;
	struct w_event *e = w_at(w, w->now.mono_us + w->as_delay_us, W_TOOK);
	e->number = seq;
	e->refusal = w->as_is_full ? "store_unavailable" : NULL;
	return 0;
}

static inline void w_tell_as(void *ctx, enum method m, const void *msg)
{
	struct world *w = ctx;
	const struct trace_events *t = msg;
	if (m == NSAS_PREPARE) {
		struct w_device *d = w_device(w, ((const struct prepare *)msg)->device);
		unsigned n;
		const struct w_item *it = w_next_item(w, d->uid, &n);
		d->prepared_us = w->now.mono_us;
		d->offered = it ? it->id : (struct ulid){ .b = { 0 } };
		d->n_prepared++;
	}
	if (m != NSAS_EVENT)
		return;
	struct reader r = reader_of(t->events.p, t->events.len);
	struct trace_event event, *e = &event;
	int damaged;
	while ((damaged = events_unpack(&r, e, NULL)) != -ENOENT) {
		const char *problem = damaged ? "an event that nobody can read" : events_problem(e);
		if (problem)
			W_BREAK(w, "%s", problem);
		const char *reason = MSG_HAS(e, data) ? strstr(e->data, "\"reason\":\"") : NULL;
		snprintf(w->trace[w->n_trace++ % 64], sizeof(w->trace[0]), "%.31s %.*s", e->name, reason ? (int)strcspn(reason + 10, "\"") : 0,
			reason ? reason + 10 : "");
	}
}

/** Was there an event of this name, with this reason, lately? */
static inline bool w_traced(const struct world *w, const char *name, const char *reason)
{
	char line[64];
	snprintf(line, sizeof(line), "%.31s %.31s", name, reason);
	for (uint32_t i = 0; i < 64; i++)
		if (strcmp(w->trace[i], line) == 0)
			return true;
	return false;
}
