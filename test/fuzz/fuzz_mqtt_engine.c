/** @file A byte string becomes three clients, time, restarts and a publishing application; the engine must neither crash, leak nor
 * break its own books. Each step: one octet of what, one of how much, then that many octets of stream. */
#ifndef OPEN_OUT_MAX
#define OPEN_OUT_MAX ((size_t)1 << 14)
#endif
#include "test/unit/mqtt_open.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct open_net net;
	struct mqtt_limits limits = mqtt_limits_default();
	limits.queue_messages = 4;
	limits.queue_bytes = 1000;
	limits.inflight = 2;
	limits.receive_max = 3;
	limits.sessions = 3;
	limits.retained_messages = 2;
	open_start(&net, n && data[0] & 1 ? &limits : NULL, true);
	bool has_restarted = false;
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
		} else {
			step(&net, c, what >> 2 & 7, how);
			has_restarted |= (what >> 2 & 7) == 7 && how == 0;
		}
		for (size_t i = 0; i < OPEN_CLIENTS; i++)
			net.clients[i].out_n = 0;
	}
	mqtt_engine_shutdown(net.engine, &net.now);
	const struct mqtt_stats *s = mqtt_engine_stats(net.engine);
	must(s->connections == 0);
	mqtt_engine_forget(net.engine, STR("open"), &net.now);
	mqtt_engine_forget(net.engine, STR("one"), &net.now);
	mqtt_engine_forget(net.engine, STR("narrow"), &net.now);
	if (s->sessions == 0 && s->retained == 0)
		must(s->subscriptions == 0 && s->message_bytes == 0 && net.records_n == 0 && (has_restarted || net.released_n == net.disconnected_n));
	open_stop(&net);
	return 0;
}
