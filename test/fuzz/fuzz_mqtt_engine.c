/** @file A byte string becomes three clients, time, restarts, a disk that is behind and a publishing application; the engine must neither
 * crash, leak nor break its own books, and a fourth client, which keeps to the rules, must lose nothing that was on disk.
 * Each step: one octet of what, one of how much, then that many octets of stream, or the chances of one packet. */
#ifndef OPEN_OUT_MAX
#define OPEN_OUT_MAX ((size_t)1 << 14)
#endif
#include "as/core/mqtt/mqtt_state.h"
#include "test/fuzz/mqtt_keeper.h"
#include "test/fuzz/mqtt_shape.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static bool is_any(const void *arg, uint64_t login)
{
	return (login >> 8 & 3) == (uintptr_t)arg;
}

static void publish(struct open_net *net, uint8_t how)
{
	static const char *const topics[] = { "t", "a/b", "v3/app1/x", "w" };
	struct mqtt_message m = { .topic = str_of(topics[how & 3]), .payload = { (const uint8_t *)"payload", how >> 6 }, .qos = how >> 2 & 1 ? 2 : how >> 3 & 1,
		.cookie = how };
	if (how & 16)
		(void)mqtt_engine_answer(net->engine, (net->next_login << 8) - (how & 32 ? 256 : 0), &m, &net->now);
	else
		(void)mqtt_engine_publish(net->engine, STR("open"), &m, &net->now);
}

/* The books of one session, and what its client was promised. */
static void session_check(const struct mqtt_session *s)
{
	size_t n = 0, unsent = 0;
	for (const struct mqtt_out *out = s->inflight.first; out; out = out->next, n++) {
		unsent += out->is_unsent;
		must(out->id && out->qos && out->state != OUT_WAITS);
		for (const struct mqtt_out *other = out->next; other; other = other->next)
			must(other->id != out->id);
	}
	must(n == s->inflight.n && unsent == s->unsent_n);
	must(s->queue.n <= s->limits.queue_messages && s->queue_bytes <= s->limits.queue_bytes && s->subs_n <= s->limits.subscriptions);
	must(s->received_n <= s->limits.receive_max || s->conn->level != MQTT_5);
}

static void packet_check(const struct mqtt_conn *c, const struct mqtt_frame *f)
{
	static struct mqtt_publish p;
	static struct mqtt_ack a;
	static const bool leaves[16] = { [2] = true, [3] = true, [4] = true, [5] = true, [6] = true, [7] = true, [9] = true, [11] = true, [13] = true, [14] = true };
	must(leaves[f->type] && !f->is_padded && f->size <= c->packet_max);
	if (f->type == MQTT_PUBLISH) {
		must(mqtt_publish_read(f->flags, f->body, c->level, &p) == 0);
		must(mqtt_props_u(&p.props, MQTT_PROP_TOPIC_ALIAS, 0) <= c->aliases_out_max && (p.topic.n || c->aliases_out_max));
	} else if (f->type >= MQTT_PUBACK && f->type <= MQTT_PUBCOMP) {
		must(mqtt_ack_read(f->type, f->body, c->level, &a) == 0);
	}
}

static void client_check(struct open_client *c)
{
	struct mqtt_frame f;
	if (c->conn && c->conn->session) {
		session_check(c->conn->session);
		for (size_t at = 0; c->out_n < OPEN_OUT_MAX && at < c->out_n; at += f.size) {
			must(mqtt_frame_read((struct slice){ c->out + at, c->out_n - at }, 1 << 21, &f) == 0);
			packet_check(c->conn, &f);
		}
	}
	c->out_n = c->held_at = 0;
}

static void keeper_step(struct keeper *k, uint8_t how)
{
	switch (how & 7) {
	case 0: keeper_is_sent(k, 1 + (how >> 7)); break;
	case 1: keeper_commit(k); break;
	case 2:
	case 3: (void)keeper_answers(k, how >> 3); break;
	case 4: keeper_comes(k); break;
	case 5: open_lose(k->net, k->c); break;
	case 6:
		must(open_restart(k->net) == 0);
		keeper_crashed(k);
		break;
	default:
		for (unsigned i = how >> 3; i; i--)
			keeper_is_sent(k, 1 + (i & 1));
		break;
	}
	keeper_read(k);
}

static void step(struct open_net *net, struct open_client *c, uint8_t what, uint8_t how)
{
	switch (what) {
	case 0: open_lose(net, c); break;
	case 1: open_wait(net, how * 500 * MS_US); break;
	case 2: publish(net, how); break;
	case 3:
		if (net->tickets_n)
			mqtt_engine_taken(net->engine, net->tickets[how % net->tickets_n], how & 0x80 ? MQTT_UNAVAILABLE : 0, &net->now);
		break;
	case 4:
		c->is_stuck = how & 1;
		if (c->conn && !c->is_stuck)
			mqtt_engine_drained(c->conn, &net->now);
		break;
	case 5: (void)mqtt_engine_kick(net->engine, is_any, (const void *)(uintptr_t)(how & 3), MQTT_ADMINISTRATIVE, &net->now); break;
	case 6: net->may_not_read = how & 1; break;
	case 7:
		if (how == 0)
			must(open_restart(net) == 0 || !OPEN_LOADS);
		else if (how == 1)
			mqtt_engine_forget(net->engine, STR("open"), &net->now);
		break;
	default: break;
	}
	open_step(net);
}

/* One packet of a client, shaped by the octets that follow. @return how many */
static size_t packet_give(struct open_net *net, struct open_client *c, const uint8_t *p, size_t n)
{
	uint8_t b[1000], level = c->conn && c->conn->level ? c->conn->level : MQTT_5;
	struct writer w = writer_of(b, sizeof b);
	struct shape s = { p, n };
	shape_packet(&s, &w, level);
	if (c->was_closed)
		open_forget(c);
	if (!w.failed)
		open_receive(net, c, b, w.len);
	return n - s.n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct keeper keeper;
	struct open_net net;
	struct mqtt_limits limits = mqtt_limits_default();
	limits.queue_messages = 4;
	limits.queue_bytes = 1000;
	limits.inflight = 2;
	limits.receive_max = 3;
	limits.sessions = 3;
	limits.subscriptions = 5;
	limits.topic_aliases = 2;
	limits.retained_messages = 2;
	open_start(&net, n && data[0] & 1 ? &limits : NULL, true);
	bool has_restarted = false;
	if (OPEN_LOADS) /* where memory runs out, so do promises */
		keeper_starts(&keeper, &net, n && data[0] & 2 ? MQTT_5 : MQTT_311);
	for (size_t at = 0; at + 2 <= n;) {
		uint8_t what = data[at], how = data[at + 1];
		struct open_client *c = &net.clients[what & 3 ? (what & 3) - 1 : 0];
		at += 2;
		if (what & 0x80) {
			size_t take = how < n - at ? how : n - at;
			if (c->was_closed)
				open_forget(c);
			open_receive(&net, c, data + at, take);
			at += take;
		} else if (what & 0x20) {
			at += packet_give(&net, c, data + at - 1, n - at + 1) - 1;
		} else if (what & 0x40) {
			has_restarted |= OPEN_LOADS && (how & 7) == 6;
			if (OPEN_LOADS)
				keeper_step(&keeper, how);
		} else {
			bool is_restart = (what >> 2 & 7) == 7 && how == 0;
			step(&net, c, what >> 2 & 7, how);
			has_restarted |= is_restart;
			if (is_restart && OPEN_LOADS)
				keeper_crashed(&keeper);
		}
		for (size_t i = 0; i < OPEN_CLIENTS - 1; i++)
			client_check(&net.clients[i]);
		if (OPEN_LOADS && keeper.net == &net)
			keeper_read(&keeper);
	}
	if (OPEN_LOADS)
		keeper_ends(&keeper);
	mqtt_engine_shutdown(net.engine, &net.now);
	const struct mqtt_stats *s = mqtt_engine_stats(net.engine);
	must(s->connections == 0);
	mqtt_engine_forget(net.engine, STR("open"), &net.now);
	mqtt_engine_forget(net.engine, STR("one"), &net.now);
	mqtt_engine_forget(net.engine, STR("narrow"), &net.now);
	mqtt_engine_forget(net.engine, STR("safe"), &net.now);
	if (s->sessions == 0 && s->retained == 0)
		must(s->subscriptions == 0 && s->message_bytes == 0 && net.records_n == 0 && (has_restarted || net.released_n == net.disconnected_n));
	open_stop(&net);
	return 0;
}
