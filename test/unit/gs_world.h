/** @file A gateway server without sockets: gateways that send, and everything that comes out of the core,
 * kept. */
#pragma once
#include "common/core/rng.h"
#include "gs/core/gs.h"
#include "proto/semtech/txack.h"
#include "proto/semtech/txpk.h"
#include "test/unit/events_check.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_KEPT = 512, WORLD_TEXT = 1024 };

struct world {
	struct gs *gs;
	struct rng_seeded chance;
	struct now now;
	struct gs_uplink up[WORLD_KEPT];
	struct tx_ack ack[WORLD_KEPT];
	struct gateway_status status[WORLD_KEPT];
	struct trace_event event[WORLD_KEPT];
	struct gs_note note[WORLD_KEPT];
	struct gs_peer sent_to;
	uint8_t sent[WORLD_TEXT];
	size_t sent_n;
	unsigned ups, acks, statuses, events, notes, sends;
	int send_error;
	bool no_events;
};

static inline void world_uplink(void *ctx, const struct gs_uplink *up, uint32_t generation)
{
	struct world *w = ctx;
	(void)generation;
	w->up[w->ups++ % WORLD_KEPT] = *up;
}

static inline void world_tx_ack(void *ctx, const struct tx_ack *ack)
{
	struct world *w = ctx;
	w->ack[w->acks++ % WORLD_KEPT] = *ack;
}

static inline void world_status(void *ctx, const struct gateway_status *st)
{
	struct world *w = ctx;
	w->status[w->statuses++ % WORLD_KEPT] = *st;
}

static inline struct trace_event *world_event(void *ctx, enum event_id id, const char *gateway_id)
{
	struct world *w = ctx;
	(void)id;
	(void)gateway_id;
	return w->no_events ? NULL : &w->event[w->events++ % WORLD_KEPT];
}

static inline void world_event_end(void *ctx, enum event_id id, struct trace_event *e)
{
	const char *problem = events_problem(e);
	(void)ctx;
	ck_assert_msg(!problem, "%s", problem);
	ck_assert_str_eq(e->name, events_info(id)->name);
}

static inline int world_send(void *ctx, const struct gs_peer *to, struct slice datagram)
{
	struct world *w = ctx;
	if (w->send_error)
		return w->send_error;
	ck_assert_uint_le(datagram.n, sizeof w->sent);
	w->sent_to = *to;
	memcpy(w->sent, datagram.p, datagram.n);
	w->sent_n = datagram.n;
	w->sends++;
	return 0;
}

static inline void world_note(void *ctx, const struct gs_note *note)
{
	struct world *w = ctx;
	w->note[w->notes++ % WORLD_KEPT] = *note;
}

static inline void world_peer_text(void *ctx, struct text *t, const struct gs_peer *peer)
{
	(void)ctx;
	text_printf(t, "peer:%u", peer->sa[0]);
}

static inline struct world *world_new(struct gs_config config)
{
	struct world *w = calloc(1, sizeof *w);
	struct gs_sink sink = {world_uplink, world_tx_ack, world_status, world_event, world_event_end, world_send, world_note,
		world_peer_text, w};
	ck_assert_ptr_nonnull(w);
	w->now = (struct now){.mono_us = 1000 * SEC_US, .unix_us = UINT64_C(1795217790000000)};
	if (!config.default_plan)
		config.default_plan = "";
	config.max_gateways = config.max_gateways ? config.max_gateways : 8;
	config.max_pending = config.max_pending ? config.max_pending : 256;
	config.uplinks_per_s = config.uplinks_per_s ? config.uplinks_per_s : 4000;
	w->gs = gs_new(&config, &sink, rng_seeded(&w->chance, 42));
	ck_assert_ptr_nonnull(w->gs);
	return w;
}

static inline void world_free(struct world *w)
{
	gs_free(w->gs);
	free(w);
}

/** Let time pass, doing what falls due on the way. */
static inline void world_pass(struct world *w, uint64_t us)
{
	uint64_t end = w->now.mono_us + us;
	for (;;) {
		uint64_t due = gs_deadline(w->gs);
		uint64_t next = due < end ? due : end;
		if (next > w->now.mono_us) {
			w->now.unix_us += next - w->now.mono_us;
			w->now.mono_us = next;
		}
		gs_time(w->gs, &w->now);
		if (next == end)
			return;
	}
}

/** A datagram of a gateway, from its own port: 1 for PULL, 2 for PUSH, as forwarders have two. */
static inline void world_send_in(struct world *w, uint8_t version, uint64_t eui, enum semtech_type type,
	uint16_t token, const char *body)
{
	uint8_t buf[SEMTECH_DATAGRAM_MAX];
	struct gs_peer from = {
		.listener = 0, .len = 1, .sa = {type == SEMTECH_PUSH_DATA ? 2 : 1, (uint8_t)eui}};
	struct writer out = writer_of(buf, sizeof buf);
	semtech_write(&out,
		&(struct semtech_datagram){
			.version = version, .token = token, .type = type, .eui = eui, .body = str_of(body)});
	ck_assert(!out.failed);
	gs_datagram(w->gs, &from, (struct slice){buf, out.len}, &w->now);
	gs_time(w->gs, &w->now);
}

static inline void world_pull(struct world *w, uint64_t eui)
{
	world_send_in(w, 2, eui, SEMTECH_PULL_DATA, 7, "");
}

static inline void world_push(struct world *w, uint64_t eui, const char *body)
{
	world_send_in(w, 2, eui, SEMTECH_PUSH_DATA, 8, body);
}

/** One frame at a counter, with a payload octet to tell it by. */
static inline void world_rxpk(struct world *w, uint64_t eui, uint32_t tmst, int stat, const char *data)
{
	char body[512];
	snprintf(body, sizeof body,
		"{\"rxpk\":[{\"tmst\":%u,\"chan\":2,\"rfch\":1,\"freq\":868.300000,\"stat\":%d,\"modu\":"
		"\"LORA\",\"datr\":\"SF9BW125\","
		"\"codr\":\"4/5\",\"rssi\":-57,\"lsnr\":9.2,\"data\":\"%s\"}]}",
		tmst, stat, data);
	world_push(w, eui, body);
}

/** The registry names gateways: number, EUI, id, plan. A full set of one batch if `full`. */
static inline void world_register(
	struct world *w, bool full, uint64_t number, uint64_t eui, const char *id, const char *plan)
{
	static struct sync s;
	memset(&s, 0, sizeof s);
	s.has = HAS(sync, first) | HAS(sync, last);
	s.first = s.last = full;
	if (id) {
		struct sync_entry *e = &s.v.v[s.v.len++];
		e->has = HAS(sync_entry, gateway) | HAS(sync_entry, gtw);
		e->gateway = number;
		e->gtw.gateway_eui = eui;
		str_copy(str_of(id), e->gtw.gateway_id, sizeof e->gtw.gateway_id);
		str_copy(str_of(plan), e->gtw.plan, sizeof e->gtw.plan);
	}
	gs_sync(w->gs, &s, &w->now);
	gs_time(w->gs, &w->now);
}

static inline struct tx_request world_request(uint64_t eui, uint32_t tmst, uint32_t wait_us)
{
	struct tx_request r = {.gateway_eui = eui,
		.freq_hz = 868300000,
		.eirp_dbm = 16,
		.airtime_us = 50000,
		.wait_us = wait_us,
		.phy = {14, {0x60, 1, 2, 3, 4}}};
	r.mod.kind = RADIO_LORA;
	MSG_SET(&r.mod, sf, 9);
	MSG_SET(&r.mod, bw_hz, 125000);
	str_copy(STR("4/5"), r.mod.coding_rate, sizeof r.mod.coding_rate);
	MSG_MARK(&r.mod, coding_rate);
	r.transmission.b[0] = 9;
	CIDS_ADD(&r.cids, CID_NS_TRANSMISSION, r.transmission);
	if (wait_us)
		MSG_SET(&r, tmst_us, tmst);
	return r;
}

static inline uint16_t world_token(const struct world *w)
{
	struct semtech_datagram d;
	ck_assert_int_eq(semtech_read(w->sent, w->sent_n, &d), 0);
	ck_assert_int_eq(d.type, SEMTECH_PULL_RESP);
	return d.token;
}

static inline struct txpk world_txpk(const struct world *w)
{
	struct json_tok tok[TXPK_TOKENS];
	struct semtech_datagram d;
	struct txpk tx;
	ck_assert_int_eq(semtech_read(w->sent, w->sent_n, &d), 0);
	ck_assert_int_eq(txpk_read(d.body, tok, TXPK_TOKENS, &tx), 0);
	return tx;
}

/** How many events of a name came out. */
static inline unsigned world_events(const struct world *w, const char *name)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->events && i < WORLD_KEPT; i++)
		n += !strcmp(w->event[i].name, name);
	return n;
}

static inline unsigned world_notes(const struct world *w, enum gs_note_kind kind)
{
	unsigned n = 0;
	for (unsigned i = 0; i < w->notes && i < WORLD_KEPT; i++)
		n += w->note[i].kind == kind;
	return n;
}
