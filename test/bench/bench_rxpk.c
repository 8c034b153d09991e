/** @file What one uplink costs the gateway server: from the octets of a datagram to an encoded bus message.
 *
 * Prints nanoseconds per frame, and the share of a core at 5,000 frames a second; sockets are not in it.
 */
#include "gs/core/gs.h"
#include "proto/event_pack.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 200000, GATEWAYS = 50, FRAMES_PER_S = 5000 };

struct bench {
	struct gs *gs;
	uint64_t ups, octets;
	struct trace_events events;
	struct trace_event event;
};

static void on_uplink(void *ctx, const struct gs_uplink *up, uint32_t generation)
{
	static uint8_t wire[2048];
	struct bench *b = ctx;
	size_t n;
	(void)generation;
	if (msg_encode(gs_uplink_schema(), up, wire, sizeof wire, &n))
		abort();
	b->ups++;
	b->octets += n;
}

static struct trace_event *on_event(void *ctx, enum event_id id, const char *gateway_id)
{
	(void)id;
	(void)gateway_id;
	struct bench *b = ctx;
	return &b->event;
}

static void on_event_end(void *ctx, enum event_id id, struct trace_event *e)
{
	static uint8_t wire[2 * sizeof(struct trace_events)];
	struct bench *b = ctx;
	struct trace_events *m = &b->events;
	size_t n;
	(void)id;
	struct writer w = {.p = m->events.p, .len = m->events.len, .cap = sizeof m->events.p};
	if (events_pack(&w, e))
		abort();
	m->events.len = (uint16_t)w.len;
	if (w.cap - w.len >= EVENT_PACKED_MAX)
		return;
	MSG_MARK(m, events);
	if (msg_encode(trace_events_schema(), m, wire, sizeof wire, &n))
		abort();
	b->octets += n;
	m->events.len = 0;
}

static void on_tx_ack(void *ctx, const struct tx_ack *ack)
{
	(void)ctx;
	(void)ack;
}

static void on_status(void *ctx, const struct gateway_status *st)
{
	(void)ctx;
	(void)st;
}

static int on_send(void *ctx, const struct gs_peer *to, struct slice datagram)
{
	(void)ctx;
	(void)to;
	(void)datagram;
	return 0;
}

static void on_note(void *ctx, const struct gs_note *note)
{
	(void)ctx;
	(void)note;
}

static void on_peer_text(void *ctx, struct text *t, const struct gs_peer *peer)
{
	(void)ctx;
	(void)t;
	(void)peer;
}

static size_t datagram_make(uint8_t *buf, size_t cap, uint32_t i)
{
	static const char json[] = "{\"rxpk\":[{\"jver\":1,\"tmst\":%u,\"chan\":0,\"rfch\":1,\"freq\":868."
				   "100000,\"mid\": 8,\"stat\":1,\"modu\":\"LORA\","
				   "\"datr\":\"SF7BW125\",\"codr\":\"4/"
				   "5\",\"rssis\":-58,\"lsnr\":9.2,\"foff\":-137,\"rssi\":-57,\"size\":23,"
				   "\"data\":\"QBEiM0QAAQABhaq7zN3u/wABAgMEBQY=\"}]}";
	char body[512];
	struct writer w = writer_of(buf, cap);
	snprintf(body, sizeof body, json, i * 200);
	semtech_write(&w, &(struct semtech_datagram){.version = 2,
				  .type = SEMTECH_PUSH_DATA,
				  .eui = i % GATEWAYS + 1,
				  .body = str_of(body)});
	return w.len;
}

int main(void)
{
	static struct bench b;
	static struct rng_seeded seed;
	uint8_t buf[1024];
	struct gs_peer from = {.len = 1};
	struct gs_config config = {.max_gateways = 100,
		.max_pending = 16,
		.uplinks_per_s = 1000000,
		.default_plan = "EU_863_870"};
	struct gs_sink sink = {on_uplink, on_tx_ack, on_status, on_event, on_event_end, on_send, on_note, on_peer_text, &b};
	struct now now = {SEC_US, SEC_US};
	struct timespec t0, t1;
	b.gs = gs_new(&config, &sink, rng_seeded(&seed, 1));
	if (!b.gs)
		return EXIT_FAILURE;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		now.mono_us += 200;
		size_t n = datagram_make(buf, sizeof buf, i);
		gs_datagram(b.gs, &from, (struct slice){buf, n}, &now);
		gs_time(b.gs, &now);
	}
	clock_gettime(CLOCK_MONOTONIC, &t1);
	double ns = ((double)(t1.tv_sec - t0.tv_sec) * 1e9 + (double)(t1.tv_nsec - t0.tv_nsec)) / ROUNDS;
	printf("%llu of %d frames handed on, %.0f ns a frame with its event, both encoded; %.2f %% of a core "
	       "at %d frames/s\n",
		(unsigned long long)b.ups, ROUNDS, ns, ns * FRAMES_PER_S / 1e7, FRAMES_PER_S);
	gs_free(b.gs);
	return b.ups == ROUNDS ? EXIT_SUCCESS : EXIT_FAILURE;
}
