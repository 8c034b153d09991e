/** @file A byte string as a life of the gateway server: datagrams, downlink requests, registry changes and
 * time. */
#include "gs/core/gs.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint64_t BEGIN_UNIX_US = UINT64_C(1795217790000000); /* GPS time exists */

struct life {
	struct gs *gs;
	struct now now;
	struct trace_event event;
	uint64_t open; /**< requests that were taken, less the answers reported */
	uint16_t token;
};

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void encodes(const struct schema *s, const void *msg)
{
	static uint8_t buf[1 << 16];
	size_t n;
	require(!msg_encode(s, msg, buf, sizeof buf, &n));
}

static void on_uplink(void *ctx, const struct gs_uplink *up, uint32_t generation)
{
	struct life *l = ctx;
	struct gs_uplink copy = *up;
	(void)generation;
	encodes(gs_uplink_schema(), up);
	require(up->phy.len > 0 && up->cids.len == 3);
	gs_uplink_refresh(l->gs, &copy);
}

static void on_tx_ack(void *ctx, const struct tx_ack *ack)
{
	struct life *l = ctx;
	encodes(tx_ack_schema(), ack);
	require(l->open-- > 0);
}

static void on_status(void *ctx, const struct gateway_status *st)
{
	(void)ctx;
	encodes(gateway_status_schema(), st);
}

static struct trace_event *on_event(void *ctx, enum event_id id, const char *gateway_id)
{
	(void)id;
	(void)gateway_id;
	struct life *l = ctx;
	return l->now.mono_us & 8 ? NULL : &l->event;
}

static void on_event_end(void *ctx, enum event_id id, struct trace_event *e)
{
	(void)ctx;
	if (e->process != EVENT_PROCESS_GS || strcmp(e->name, events_info(id)->name))
		abort();
}

static int on_send(void *ctx, const struct gs_peer *to, struct slice datagram)
{
	struct life *l = ctx;
	struct semtech_datagram d;
	require(to->len > 0 && !semtech_read(datagram.p, datagram.n, &d) && d.type == SEMTECH_PULL_RESP);
	l->token = d.token;
	return l->now.mono_us & 16 ? -ENETDOWN : 0;
}

static void on_note(void *ctx, const struct gs_note *note)
{
	(void)ctx;
	require(note->kind < GS_NOTE_N && note->drop < GS_DROP_N);
}

static void on_peer_text(void *ctx, struct text *t, const struct gs_peer *peer)
{
	(void)ctx;
	text_u64(t, peer->listener);
}

static void datagram_step(struct life *l, struct reader *r, bool has_token)
{
	uint8_t buf[2048];
	struct gs_peer from = {.listener = reader_u8(r), .len = 1};
	size_t n = reader_le16(r) % sizeof buf;
	if (n > reader_left(r))
		n = reader_left(r);
	struct slice body = reader_take(r, n);
	if (n)
		memcpy(buf, body.p, n);
	if (has_token && n >= SEMTECH_HEAD) {
		/* no input would guess the token of a PULL_RESP */
		buf[1] = (uint8_t)(l->token >> 8);
		buf[2] = (uint8_t)l->token;
	}
	gs_datagram(l->gs, &from, (struct slice){buf, n}, &l->now);
}

static void request_step(struct life *l, struct reader *r)
{
	struct tx_request q = {.gateway_eui = reader_u8(r),
		.freq_hz = reader_le32(r),
		.eirp_dbm = (int8_t)reader_u8(r),
		.airtime_us = reader_le24(r),
		.wait_us = reader_le24(r)};
	uint8_t how = reader_u8(r);
	if (how & 1)
		MSG_SET(&q, tmst_us, reader_le32(r));
	if (how & 2)
		MSG_SET(&q, gps_ms, how & 32 ? reader_le64(r) : clock_gps_us(l->now.unix_us) / MS_US + reader_le16(r));
	if (how & 16)
		MSG_SET(&q, at_us, reader_le32(r));
	q.mod.kind = how >> 2 & 3;
	MSG_SET(&q.mod, sf, reader_u8(r));
	MSG_SET(&q.mod, bw_hz, reader_le32(r));
	MSG_SET(&q.mod, bit_rate, reader_le32(r));
	q.phy.len = reader_u8(r);
	/* Spoken for before it is sent, for the answer may come within. */
	l->open++;
	if (gs_tx(l->gs, &q, &l->now) != TX_RESULT_SUCCESS)
		l->open--;
}

static void sync_step(struct life *l, struct reader *r)
{
	static struct sync s;
	uint8_t how = reader_u8(r);
	s.has = HAS(sync, first) | HAS(sync, last);
	s.first = how & 1;
	s.last = how & 2;
	s.store_id.b[0] = how >> 7;
	s.v.len = how >> 2 & 15;
	for (uint16_t i = 0; i < s.v.len; i++) {
		struct sync_entry *e = &s.v.v[i];
		uint8_t b = reader_u8(r);
		*e = (struct sync_entry){.has = HAS(sync_entry, gateway) | HAS(sync_entry, deleted),
			.gateway = b & 7,
			.deleted = b & 8};
		if (b & 16)
			MSG_MARK(e, gtw);
		e->gtw.gateway_eui = b >> 5;
		e->gtw.gateway_id[0] = (char)('a' + (b & 7));
		e->gtw.plan[0] = b & 64 ? 'P' : '\0';
	}
	gs_sync(l->gs, &s, &l->now);
}

static void life_step(struct life *l, struct reader *r)
{
	uint8_t what = reader_u8(r);
	switch (what & 7) {
	case 0:
	case 1:
	case 2: datagram_step(l, r, false); break;
	case 3: datagram_step(l, r, true); break;
	case 4: request_step(l, r); break;
	case 5: sync_step(l, r); break;
	case 6: gs_report_all(l->gs, &l->now); break;
	default:
		l->now.mono_us += (uint64_t)reader_le16(r) << (what >> 3 & 15);
		l->now.unix_us = BEGIN_UNIX_US + l->now.mono_us;
		break;
	}
	gs_time(l->gs, &l->now);
	require(gs_deadline(l->gs) > l->now.mono_us);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct life l = {.now = {SEC_US, BEGIN_UNIX_US + SEC_US}};
	struct rng_seeded seed;
	struct reader r = reader_of(data, n);
	uint8_t how = reader_u8(&r);
	struct gs_config config = {.max_gateways = 3,
		.max_pending = 5,
		.uplinks_per_s = 50,
		.require_registered = how & 1,
		.default_plan = how & 2 ? "P" : ""};
	struct gs_sink sink = {on_uplink, on_tx_ack, on_status, on_event, on_event_end, on_send, on_note, on_peer_text, &l};
	l.gs = gs_new(&config, &sink, rng_seeded(&seed, 1));
	if (!l.gs)
		return 0;
	while (reader_left(&r))
		life_step(&l, &r);
	l.now.mono_us += UINT64_C(3600) * SEC_US;
	gs_time(l.gs, &l.now);
	require(l.gs->metrics.gateways == 0 && l.gs->metrics.pending == 0 && l.open == 0);
	gs_free(l.gs);
	return 0;
}
