/** @file A client that keeps to the rules, with a session that stays: whatever happens around it, crashes included, it must be given
 * every message that was on disk, in order, those of QoS 2 once, and no packet id may stand for two messages. */
#pragma once
#include "proto/mqtt/mqtt_write.h"
#include "test/unit/mqtt_open.h"

enum { KEEPER_MESSAGES = 400, KEEPER_IDS = 64 };

struct keeper {
	struct open_net *net;
	struct open_client *c;
	uint8_t level;
	struct keeper_id {
		uint16_t id;
		uint32_t serial;
		uint8_t qos;
		bool is_due; /* received, and not answered */
	} ids[KEEPER_IDS];
	size_t ids_n;
	uint32_t published, on_disk, last_new;
	bool is_seen[KEEPER_MESSAGES], may_be_lost[KEEPER_MESSAGES];
	uint8_t qos[KEEPER_MESSAGES];
};

static inline void keeper_must(bool holds)
{
	if (!holds)
		abort();
}

static inline void keeper_say(struct keeper *k, uint8_t type, uint16_t id)
{
	uint8_t b[8];
	struct writer w = writer_of(b, sizeof b);
	mqtt_ack_write(&w, type, id, k->level, 0, STR(""));
	open_receive(k->net, k->c, b, w.len);
}

static inline struct keeper_id *keeper_find(struct keeper *k, uint16_t id)
{
	for (size_t i = 0; i < k->ids_n; i++)
		if (k->ids[i].id == id)
			return &k->ids[i];
	return NULL;
}

static inline void keeper_forget(struct keeper *k, struct keeper_id *at)
{
	*at = k->ids[--k->ids_n];
}

static inline void keeper_receives(struct keeper *k, const struct mqtt_publish *p)
{
	uint32_t serial = 0;
	keeper_must(p->payload.n == sizeof serial && p->qos > 0 && p->id > 0 && str_is(p->topic, "keep/a/long/topic"));
	memcpy(&serial, p->payload.p, sizeof serial);
	keeper_must(serial < k->published && p->qos == k->qos[serial]);
	struct keeper_id *at = keeper_find(k, p->id);
	if (at) { /* it has not been answered, or not to its end: only the same message may come, and again */
		keeper_must(at->serial == serial && p->is_dup);
		at->is_due = true;
		return;
	}
	if (k->is_seen[serial])
		keeper_must(p->qos == 1); /* of QoS 2 this would be twice */
	else
		keeper_must(k->last_new == 0 || serial >= k->last_new);
	if (!k->is_seen[serial])
		k->last_new = serial + 1;
	k->is_seen[serial] = true;
	keeper_must(k->ids_n < KEEPER_IDS);
	k->ids[k->ids_n++] = (struct keeper_id){ p->id, serial, p->qos, true };
}

/* Read what has come out, as far as it has left the process. */
static inline void keeper_read(struct keeper *k)
{
	struct mqtt_frame f;
	struct mqtt_publish p;
	struct mqtt_ack a;
	for (;;) {
		size_t n = k->c->is_held ? k->c->held_at : k->c->out_n;
		if (mqtt_frame_read((struct slice){ k->c->out, n }, 1 << 20, &f))
			return;
		uint8_t type = f.type;
		uint16_t released = 0;
		if (type == MQTT_PUBLISH) {
			keeper_must(mqtt_publish_read(f.flags, f.body, k->level, &p) == 0);
			keeper_receives(k, &p);
		} else if (type == MQTT_PUBREL) {
			keeper_must(mqtt_ack_read(type, f.body, k->level, &a) == 0);
			released = a.id;
		}
		memmove(k->c->out, k->c->out + f.size, k->c->out_n - f.size);
		k->c->out_n -= f.size;
		k->c->held_at -= k->c->is_held ? f.size : 0;
		struct keeper_id *at = released ? keeper_find(k, released) : NULL;
		if (at)
			keeper_forget(k, at);
		if (released)
			keeper_say(k, MQTT_PUBCOMP, released);
	}
}

static inline void keeper_comes(struct keeper *k)
{
	uint8_t b[100];
	struct writer w = writer_of(b, sizeof b);
	struct mqtt_connect p = { .level = k->level, .client_id = STR("keeper"), .user = { true, STR("safe") } };
	mqtt_props_set_u(&p.props, MQTT_PROP_SESSION_EXPIRY, 86400);
	mqtt_connect_write(&w, &p);
	if (k->c->conn)
		open_lose(k->net, k->c);
	open_forget(k->c);
	k->c->is_held = false;
	for (size_t i = k->ids_n; i-- > 0;) /* of QoS 1 nothing is remembered */
		if (k->ids[i].qos == 1)
			keeper_forget(k, &k->ids[i]);
	open_receive(k->net, k->c, b, w.len);
}

static inline void keeper_starts(struct keeper *k, struct open_net *net, uint8_t level)
{
	uint8_t b[100];
	struct writer w = writer_of(b, sizeof b);
	memset(k, 0, sizeof *k);
	k->net = net;
	k->c = &net->clients[OPEN_CLIENTS - 1];
	k->level = level;
	keeper_comes(k);
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 1, level, &(struct mqtt_filter){ .filter = STR("keep/#"), .qos = 2 }, 1);
	open_receive(net, k->c, b, w.len);
	open_commit(net);
	keeper_read(k);
	net->is_slow = true;
}

static inline void keeper_commit(struct keeper *k)
{
	open_commit(k->net);
	k->on_disk = k->published;
	keeper_read(k);
}

/* The process is gone and back: what was not on disk may be lost. */
static inline void keeper_crashed(struct keeper *k)
{
	for (uint32_t i = k->on_disk; i < k->published; i++)
		k->may_be_lost[i] = true;
	k->on_disk = k->published;
	keeper_comes(k);
}

static inline void keeper_is_sent(struct keeper *k, uint8_t qos)
{
	uint32_t serial = k->published;
	if (serial == KEEPER_MESSAGES)
		return;
	uint8_t body[sizeof serial];
	memcpy(body, &serial, sizeof serial);
	k->qos[serial] = qos;
	k->published++;
	struct mqtt_message m = { .topic = STR("keep/a/long/topic"), .payload = { body, sizeof body }, .qos = qos };
	keeper_must(mqtt_engine_publish(k->net->engine, STR("safe"), &m, &k->net->now) == 1);
	keeper_read(k);
}

/* Answer one message, any that is due. */
static inline bool keeper_answers(struct keeper *k, size_t which)
{
	for (size_t i = 0; i < k->ids_n; i++) {
		struct keeper_id *at = &k->ids[(i + which) % k->ids_n];
		if (!at->is_due)
			continue;
		struct keeper_id done = *at;
		at->is_due = false;
		if (done.qos == 1)
			keeper_forget(k, at);
		keeper_say(k, done.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, done.id);
		keeper_read(k);
		return true;
	}
	return false;
}

/* In the end all must have come that was on disk. */
static inline void keeper_ends(struct keeper *k)
{
	keeper_commit(k);
	keeper_comes(k);
	do
		keeper_commit(k);
	while (keeper_answers(k, 0));
	for (uint32_t i = 0; i < k->published; i++)
		keeper_must(k->is_seen[i] || k->may_be_lost[i]);
	keeper_must(k->ids_n == 0);
}
