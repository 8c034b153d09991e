/** @file An MQTT client for tests: its wire is memory, and what it tells its caller is one line of text. */
#pragma once
#include "as/core/integration/mqtt_client.h"
#include "common/core/clock.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct rig {
	struct mqtt_client *client;
	uint64_t now_us;
	uint8_t out[200000];
	size_t out_n;
	char told[20000]; /* "connected(0) done(5) …" */
	struct text log;
	bool is_full;     /* the wire says so */
	bool is_closed, was_resumed, accepts; /* accepts: every message at once */
	uint64_t token;   /* the last one */
	enum mqtt_fault fault;
	char words[600];
	size_t need;
} rig;

static inline bool rig_send(void *ctx, const struct slice *parts, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_le(rig.out_n + parts[i].n, sizeof rig.out);
		if (parts[i].n)
			memcpy(rig.out + rig.out_n, parts[i].p, parts[i].n);
		rig.out_n += parts[i].n;
	}
	return rig.is_full;
}

static inline void rig_resume(void *ctx)
{
	(void)ctx;
	rig.was_resumed = true;
}

static inline void rig_close(void *ctx, enum mqtt_fault fault, struct str words)
{
	(void)ctx;
	ck_assert(!rig.is_closed);
	rig.is_closed = true;
	rig.fault = fault;
	ck_assert_int_eq(str_copy(words, rig.words, sizeof rig.words), 0);
}

static inline void rig_connected(void *ctx, bool has_session)
{
	(void)ctx;
	text_printf(&rig.log, "connected(%d) ", has_session);
}

static inline void rig_room(void *ctx)
{
	(void)ctx;
	text_puts(&rig.log, "room ");
}

static inline void rig_outcome(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words)
{
	static const char *const names[] = { "received", "done", "refused" };
	(void)ctx;
	text_printf(&rig.log, "%s(%llu%s%.*s) ", names[what], (unsigned long long)number, words.n ? ": " : "", STR_ARG(words));
}

static inline void rig_message(void *ctx, const struct mqtt_incoming *m)
{
	(void)ctx;
	text_printf(&rig.log, "message(%.*s=%.*s of %zu qos %u%s) ", STR_ARG(m->topic), (int)m->payload.n, (const char *)m->payload.p, m->filter,
		m->qos, m->is_retained ? " retained" : "");
	rig.token = m->token;
	ck_assert_int_eq(m->token != 0, m->qos != 0);
	if (rig.accepts)
		mqtt_client_accept(rig.client, m->token, rig.now_us);
}

static inline void rig_released(void *ctx, uint16_t id, uint64_t token)
{
	(void)ctx;
	text_printf(&rig.log, "released(%u) ", id);
	rig.token = token;
	if (rig.accepts)
		mqtt_client_accept(rig.client, token, rig.now_us);
}

static inline void rig_warning(void *ctx, struct str words)
{
	(void)ctx;
	text_printf(&rig.log, "warning(%.*s) ", STR_ARG(words));
}

static const struct mqtt_client_wire rig_wire = { NULL, rig_send, rig_resume, rig_close };
static const struct mqtt_client_user rig_user = { NULL, rig_connected, rig_room, rig_outcome, rig_message, rig_released, rig_warning };

/** What most tests ask for: client id "c", window of 4, subscribed to `push/+` with QoS 2 if it subscribes. */
static inline struct mqtt_client_options rig_options(uint8_t level, bool subscribes)
{
	static const struct mqtt_filter filters[] = { { .filter = { "push/+", 6 }, .qos = 2 } };
	return (struct mqtt_client_options){ .level = level, .client_id = STR("c"), .keep_alive_s = 60, .in_flight_max = 4, .packet_max = 4096,
		.answer_us = 10 * SEC_US, .ack_us = 30 * SEC_US, .filters = filters, .filters_n = subscribes ? 1 : 0 };
}

static inline void rig_begin(const struct mqtt_client_options *o)
{
	memset(&rig, 0, sizeof rig);
	rig.now_us = SEC_US;
	rig.log = text_fixed(rig.told, sizeof rig.told);
	ck_assert_int_eq(mqtt_client_new(o, &rig_wire, &rig_user, &rig.client), 0);
}

static inline void rig_end(void)
{
	mqtt_client_free(rig.client);
}

/** The broker says these octets (hex). @return how many were used */
static inline size_t says(const char *hex)
{
	uint8_t b[8192];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), b, sizeof b, &n), 0);
	return mqtt_client_receive(rig.client, (struct slice){ b, n }, rig.now_us, &rig.need);
}

/** The client has sent exactly this (hex) since it was last asked. */
static inline void sent(const char *hex)
{
	uint8_t b[8192];
	size_t n;
	char is[2000];
	struct text t = text_fixed(is, sizeof is);
	ck_assert_int_eq(hex_decode(str_of(hex), b, sizeof b, &n), 0);
	text_hex(&t, rig.out, rig.out_n < 900 ? rig.out_n : 900, false);
	ck_assert_msg(n == rig.out_n && memcmp(b, rig.out, n) == 0, "sent %s, not %s", is, hex);
	rig.out_n = 0;
}

/** Its caller was told exactly this since it was last asked. */
static inline void told(const char *what)
{
	ck_assert_str_eq(rig.told, what);
	text_reset(&rig.log);
}

static inline void closed(enum mqtt_fault fault, const char *words)
{
	ck_assert_msg(rig.is_closed, "not closed; there should be: %s", words);
	ck_assert_msg(strstr(rig.words, words) != NULL, "\"%s\" is not \"%s\"", rig.words, words);
	ck_assert_int_eq(rig.fault, fault);
	rig.is_closed = false;
}

/** As if all had left. */
static inline void drain(void)
{
	rig.is_full = false;
	mqtt_client_drained(rig.client, rig.now_us);
}

/** A connection that is accepted; what is sent and told on the way is not looked at. */
static inline void up(const char *connack)
{
	mqtt_client_begin(rig.client, rig.now_us);
	(void)says(connack);
	drain();
	ck_assert(mqtt_client_is_connected(rig.client));
	rig.out_n = 0;
	text_reset(&rig.log);
}

static inline int offer_as(uint64_t number, uint8_t qos, enum mqtt_item_state state)
{
	char words[200];
	struct text why = text_fixed(words, sizeof words);
	const struct mqtt_item item = { number, state, qos, STR("t"), { (const uint8_t *)"hi", 2 } };
	return mqtt_client_send(rig.client, &item, rig.now_us, &why);
}

static inline int offer(uint64_t number, uint8_t qos)
{
	return offer_as(number, qos, MQTT_ITEM_WAITING);
}

static inline void after(uint64_t us)
{
	rig.now_us += us;
	mqtt_client_tick(rig.client, rig.now_us);
}
