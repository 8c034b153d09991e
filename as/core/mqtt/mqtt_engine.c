/** @file The MQTT engine as a whole: its making and end, time, and what the application calls. */
#include "as/core/mqtt/mqtt_engine.h"
#include "as/core/mqtt/mqtt_inside.h"
#include "as/core/mqtt/mqtt_loss.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

struct mqtt_limits mqtt_limits_default(void)
{
	return (struct mqtt_limits){ .packet_bytes = 1 << 20, .topic_bytes = 1024, .topic_levels = 32, .topic_aliases = 16,
		.queue_messages = 1000, .queue_bytes = 4 << 20,
		.inflight = 20, .receive_max = 1000, .subscriptions = 64, .filters = 64, .client_id_bytes = 256, .sessions = 1000,
		.session_expiry_s = 86400 };
}

struct mqtt_limits mqtt_limits_of_device(void)
{
	return (struct mqtt_limits){ .packet_bytes = 64 << 10, .topic_bytes = 1024, .topic_levels = 32, .topic_aliases = 16,
		.queue_messages = 100, .queue_bytes = 256 << 10, .inflight = 20, .receive_max = 100, .subscriptions = 32, .filters = 16,
		.client_id_bytes = 256, .sessions = 1, .evicts = true, .session_expiry_s = 7 * 86400 };
}

struct mqtt_engine *mqtt_engine_new(const struct mqtt_engine_options *o)
{
	struct mqtt_engine *e = calloc(1, sizeof *e);
	if (!e)
		return NULL;
	e->policy = o->policy;
	e->sink = o->sink;
	e->keep = o->keep;
	e->limits = o->limits.packet_bytes ? o->limits : mqtt_limits_default();
	e->connect_bytes = o->connect_bytes ? o->connect_bytes : 16 << 10;
	e->connect_s = o->connect_s ? o->connect_s : 10;
	e->sessions_max = o->sessions ? o->sessions : 100000;
	e->total_bytes = o->total_bytes ? o->total_bytes : 256 << 20;
	struct mqtt_map *maps[] = { &e->owners, &e->clients, &e->levels, &e->logins, &e->shares, &e->topics };
	for (size_t i = 0; i < COUNT(maps); i++)
		maps[i]->seed = o->seed + i;
	e->tickets_base = e->next_session = e->next_retained = 1;
	return e;
}

static void owner_free(struct mqtt_engine *e, struct mqtt_owner *o)
{
	while (o->sessions)
		mqtt_session_free(e, o->sessions, false);
	mqtt_retain_clear(e, o, false);
	mqtt_owner_settle(e, o);
}

void mqtt_engine_free(struct mqtt_engine *e)
{
	if (!e)
		return;
	heap_done(&e->timeouts); /* while the things whose nodes they hold are there */
	heap_done(&e->ends);
	heap_done(&e->wills);
	heap_done(&e->losses);
	while (e->conns) {
		struct mqtt_conn *c = e->conns;
		e->conns = c->next;
		mqtt_will_free(e, c->will);
		c->next = e->graveyard;
		e->graveyard = c;
	}
	mqtt_conn_bury(e);
	for (size_t i = 0; i < e->owners.cap; i++)
		while (e->owners.v[i])
			owner_free(e, CONTAINER_OF(e->owners.v[i], struct mqtt_owner, by_name));
	struct mqtt_map *maps[] = { &e->owners, &e->clients, &e->levels, &e->logins, &e->shares, &e->topics };
	for (size_t i = 0; i < COUNT(maps); i++)
		mqtt_map_done(maps[i]);
	free(e->tickets);
	free(e->told);
	free(e);
}

static void timeout_fire(struct mqtt_conn *c, const struct now *now)
{
	uint64_t limit_us = c->keep_alive_s * SEC_US * 3 / 2;
	if (c->session && c->is_paused && !c->is_full)
		c->last_rx_us = now->mono_us; /* it is we who do not listen */
	if (c->session && c->last_rx_us + limit_us > now->mono_us)
		mqtt_conn_arm(c); /* something came since; looked at only here, so that each packet does not cost a move in the heap */
	else
		mqtt_conn_end(c, END_CLOSE, MQTT_KEEP_ALIVE_TIMEOUT, now);
}

static void will_fire(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now)
{
	struct mqtt_will *will = TAKE(s->will);
	uint64_t login = will->login;
	mqtt_will_publish(e, will, now);
	if (e->policy.released)
		e->policy.released(e->policy.ctx, login);
}

static void told_flush(struct mqtt_engine *e)
{
	struct mqtt_told *told = TAKE(e->told);
	size_t n = e->told_n;
	e->told_n = e->told_cap = 0;
	for (size_t i = 0; i < n; i++)
		e->policy.acknowledged(e->policy.ctx, told[i].login, told[i].cookie);
	free(told);
}

void mqtt_engine_step(struct mqtt_engine *e, const struct now *now)
{
	for (struct heap_node *n; (n = heap_pop_due(&e->timeouts, now->mono_us));)
		timeout_fire(CONTAINER_OF(n, struct mqtt_conn, timeout), now);
	for (struct heap_node *n; (n = heap_pop_due(&e->wills, now->mono_us));)
		will_fire(e, CONTAINER_OF(n, struct mqtt_session, will_due), now);
	for (struct heap_node *n; (n = heap_pop_due(&e->ends, now->mono_us));)
		mqtt_session_expire(e, CONTAINER_OF(n, struct mqtt_session, ends), now);
	for (struct heap_node *n; (n = heap_pop_due(&e->losses, now->mono_us));)
		mqtt_loss_tell(e, n, now);
	if (e->told_n)
		told_flush(e);
	mqtt_conn_bury(e);
}

uint64_t mqtt_engine_deadline(const struct mqtt_engine *e)
{
	if (e->told_n)
		return 0;
	uint64_t due = heap_deadline(&e->timeouts), wills = heap_deadline(&e->wills), ends = heap_deadline(&e->ends);
	uint64_t losses = heap_deadline(&e->losses);
	due = wills < due ? wills : due;
	due = losses < due ? losses : due;
	return ends < due ? ends : due;
}

static struct mqtt_msg *message_of(struct mqtt_engine *e, const struct mqtt_message *m)
{
	if (m->topic.n > UINT16_MAX || !mqtt_topic_valid(m->topic))
		return NULL;
	struct mqtt_msg *msg = mqtt_message_new(e, m->topic, m->payload, (struct slice){ NULL, 0 }, m->qos);
	if (msg)
		msg->cookie = m->cookie;
	return msg;
}

size_t mqtt_engine_publish(struct mqtt_engine *e, struct str owner, const struct mqtt_message *m, const struct now *now)
{
	struct mqtt_owner *o = m->retain ? mqtt_owner_get(e, owner) : mqtt_owner_find(e, owner);
	struct mqtt_msg *msg = o ? message_of(e, m) : NULL;
	size_t n = 0;
	if (msg) {
		if (m->retain)
			mqtt_retain_set(e, o, msg, e->limits.retained_messages);
		n = mqtt_deliver_fan_out(e, o, msg, m->retain, NULL, now);
		mqtt_message_free(e, msg);
	}
	if (o)
		mqtt_owner_settle(e, o);
	return n;
}

struct mqtt_reach mqtt_engine_reach(struct mqtt_engine *e)
{
	struct mqtt_reach r = e->reach;
	e->reach = (struct mqtt_reach){ .stored = 0 };
	return r;
}

void mqtt_engine_explain(struct mqtt_engine *e, struct str why)
{
	e->why_n = why.n < sizeof e->why ? why.n : sizeof e->why;
	while (e->why_n && e->why_n < why.n && ((unsigned char)why.p[e->why_n] & 0xc0) == 0x80)
		e->why_n--; /* not in the middle of a character */
	if (e->why_n)
		memcpy(e->why, why.p, e->why_n);
}

static struct mqtt_conn *conn_of_login(struct mqtt_engine *e, uint64_t login)
{
	struct mqtt_map_node *n = mqtt_map_find(&e->logins, mqtt_map_hash(&e->logins, login, NULL, 0));
	for (; n; n = mqtt_map_next(n)) {
		struct mqtt_conn *c = CONTAINER_OF(n, struct mqtt_conn, by_login);
		if (c->login == login)
			return c;
	}
	return NULL;
}

/* The best QoS granted to a subscription that matches; -1: none does. */
static int qos_granted(const struct mqtt_session *s, struct str topic)
{
	int qos = -1;
	for (const struct mqtt_sub *sub = s->subs; sub; sub = sub->next)
		if (sub->qos > qos && mqtt_topic_match(mqtt_sub_filter(sub), topic))
			qos = sub->qos;
	return qos;
}

bool mqtt_engine_answer(struct mqtt_engine *e, uint64_t login, const struct mqtt_message *m, const struct now *now)
{
	struct mqtt_conn *c = conn_of_login(e, login);
	struct mqtt_msg *msg = c ? message_of(e, m) : NULL;
	if (!msg)
		return false;
	int granted = qos_granted(c->session, m->topic);
	bool is_taken = mqtt_deliver_to(e, c->session, msg, granted < 0 ? m->qos : (uint8_t)granted, false, NULL, now);
	mqtt_message_free(e, msg);
	return is_taken;
}

bool mqtt_engine_listens(struct mqtt_engine *e, uint64_t login, struct str topic)
{
	const struct mqtt_conn *c = conn_of_login(e, login);
	return c && qos_granted(c->session, topic) >= 0;
}

static void wills_discard(struct mqtt_engine *e, bool (*is)(const void *arg, uint64_t login), const void *arg)
{
	for (size_t i = 0; i < e->wills.n;) {
		struct mqtt_session *s = CONTAINER_OF(e->wills.v[i], struct mqtt_session, will_due);
		if (s->will && is(arg, s->will->login)) {
			mqtt_will_cancel(e, s);
			i = 0; /* the heap has been rearranged */
		} else {
			i++;
		}
	}
}

size_t mqtt_engine_kick(struct mqtt_engine *e, bool (*is)(const void *arg, uint64_t login), const void *arg, uint8_t reason,
	const struct now *now)
{
	size_t n = 0;
	for (struct mqtt_conn *c = e->conns; c;) {
		if (c->session && is(arg, c->login)) {
			mqtt_conn_end(c, END_KICK, reason, now);
			n++;
			c = e->conns; /* the policy was told, and may have changed the list */
		} else {
			c = c->next;
		}
	}
	wills_discard(e, is, arg);
	return n;
}

void mqtt_engine_forget(struct mqtt_engine *e, struct str owner, const struct now *now)
{
	for (struct mqtt_owner *o; (o = mqtt_owner_find(e, owner));) {
		struct mqtt_session *s = o->sessions;
		if (s && s->conn) {
			mqtt_conn_end(s->conn, END_KICK, MQTT_ADMINISTRATIVE, now);
		} else if (s) {
			mqtt_will_cancel(e, s);
			mqtt_session_free(e, s, true);
			mqtt_owner_settle(e, o);
		} else {
			mqtt_retain_clear(e, o, true);
			mqtt_owner_settle(e, o);
		}
	}
}

void mqtt_engine_shutdown(struct mqtt_engine *e, const struct now *now)
{
	while (e->conns)
		mqtt_conn_end(e->conns, END_CLOSE, MQTT_SHUTTING_DOWN, now);
	mqtt_conn_bury(e);
}

static void count_owner(void *ctx, struct mqtt_map_node *node)
{
	struct mqtt_stats *stats = ctx;
	const struct mqtt_owner *o = CONTAINER_OF(node, struct mqtt_owner, by_name);
	stats->connected += o->connected_n;
	for (const struct mqtt_session *s = o->sessions; s; s = s->next)
		stats->queued += s->queue.n + s->inflight.n;
}

const struct mqtt_stats *mqtt_engine_stats(struct mqtt_engine *e)
{
	e->stats.connected = e->stats.queued = 0;
	mqtt_map_each(&e->owners, count_owner, &e->stats);
	return &e->stats;
}
