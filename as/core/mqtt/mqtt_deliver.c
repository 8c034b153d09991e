/** @file From a message to the sessions that want it, and from their queues to the wire. */
#include "as/core/mqtt/mqtt_alias.h"
#include "as/core/mqtt/mqtt_inside.h"
#include "as/core/mqtt/mqtt_loss.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

/* What stands between topic and payload, but for the properties that are handed on. */
static void middle_write(struct writer *w, const struct mqtt_conn *c, const struct mqtt_out *out, uint16_t alias, const struct now *now)
{
	const struct mqtt_msg *m = out->msg;
	if (out->qos)
		writer_be16(w, out->id);
	if (c->level != MQTT_5)
		return;
	size_t n = m->props_n + (m->expiry_unix_us ? 5 : 0) + (alias ? 3 : 0);
	for (size_t i = 0; i < out->sub_ids_n; i++)
		n += 1 + mqtt_varint_size(out->sub_ids[i]);
	mqtt_varint_write(w, (uint32_t)n);
	if (m->expiry_unix_us) {
		writer_u8(w, 0x02);
		uint64_t left_us = m->expiry_unix_us > now->unix_us ? m->expiry_unix_us - now->unix_us : 0;
		writer_be32(w, (uint32_t)((left_us + SEC_US - 1) / SEC_US)); /* whole seconds waited: what is not stale is never told as 0 */
	}
	if (alias) {
		writer_u8(w, 0x23);
		writer_be16(w, alias);
	}
	for (size_t i = 0; i < out->sub_ids_n; i++) {
		writer_u8(w, 0x0b);
		mqtt_varint_write(w, out->sub_ids[i]);
	}
}

/* One PUBLISH, with or without an alias. False: the client said it takes nothing that large. */
static bool out_write(struct mqtt_conn *c, const struct mqtt_out *out, bool is_dup, struct mqtt_alias_use use, const struct now *now)
{
	static const uint8_t hollow[2] = { 0, 0 };
	uint8_t head[5], middle[2 + 4 + 5 + 3 + MQTT_SUBSCRIPTIONS_MAX * 5];
	const struct mqtt_msg *m = out->msg;
	struct writer w = writer_of(middle, sizeof middle), h = writer_of(head, sizeof head);
	middle_write(&w, c, out, use.alias, now);
	struct slice topic = use.is_known ? (struct slice){ hollow, 2 } : (struct slice){ m->bytes, 2 + m->topic_n };
	struct slice props = c->level == MQTT_5 ? mqtt_message_props(m) : (struct slice){ NULL, 0 }, payload = mqtt_message_payload(m);
	unsigned flags = (is_dup ? 8U : 0) | (unsigned)out->qos << 1 | (out->retain ? 1U : 0);
	size_t remaining = topic.n + w.len + props.n + payload.n;
	mqtt_head_write(&h, (uint8_t)(MQTT_PUBLISH << 4 | flags), remaining);
	if (h.failed || w.failed || h.len + remaining > c->packet_max)
		return false;
	const struct slice parts[] = { { head, h.len }, topic, { middle, w.len }, props, payload };
	mqtt_conn_send(c, parts, COUNT(parts));
	c->engine->stats.sent++;
	return true;
}

/* False: it is too large for the client, so it counts as done [MQTT5 3.1.2-25]. */
static bool out_send(struct mqtt_conn *c, const struct mqtt_out *out, bool is_dup, const struct now *now)
{
	struct mqtt_alias_use use = mqtt_alias_choose(c, mqtt_message_topic(out->msg));
	bool is_sent = out_write(c, out, is_dup, use, now);
	if (is_sent && use.alias && !use.is_known)
		mqtt_alias_told(c, use.alias, mqtt_message_topic(out->msg));
	if (!is_sent && use.alias && !use.is_known) /* an alias that is new makes it longer */
		is_sent = out_write(c, out, is_dup, (struct mqtt_alias_use){ 0, false }, now);
	return is_sent;
}

static bool is_stale(const struct mqtt_msg *m, const struct now *now)
{
	return m->expiry_unix_us && m->expiry_unix_us <= now->unix_us;
}

/* Told at the next step, when nothing is being walked and the policy may do what it likes. */
void mqtt_deliver_told(struct mqtt_engine *e, const struct mqtt_conn *c, const struct mqtt_msg *m)
{
	if (!m->cookie || !e->policy.acknowledged)
		return;
	if (e->told_n == e->told_cap) {
		size_t cap = e->told_cap ? e->told_cap * 2 : 16;
		struct mqtt_told *v = realloc(e->told, cap * sizeof *v);
		if (!v)
			return;
		e->told = v;
		e->told_cap = cap;
	}
	e->told[e->told_n++] = (struct mqtt_told){ c->login, m->cookie };
}

/* Give QoS 1 or 2 its packet id and send it; takes out. False: it could not go. */
static bool flight_start(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out, const struct now *now)
{
	out->id = mqtt_queue_id(s);
	out->state = OUT_SENT;
	out->sent_us = now->mono_us;
	mqtt_keep_out_state(e, s, out);
	if (out->qos == 2) /* else, after a crash, its id could stand for another message, which the client would take for this one again */
		mqtt_conn_hold(s->conn);
	if (!out_send(s->conn, out, false, now)) {
		mqtt_keep_out_gone(e, s, out);
		mqtt_queue_free(e, out);
		mqtt_loss_add(e, s);
		return false;
	}
	mqtt_queue_append(&s->inflight, out);
	return true;
}

/* Does the client take one more of QoS 1 or 2 [MQTT5 3.3.4-9]? */
static bool has_room(const struct mqtt_session *s)
{
	return s->inflight.n - s->unsent_n < s->limits.inflight;
}

/* Can it be had at all? If not, it is counted. */
static bool may_have(struct mqtt_engine *e, const struct mqtt_session *s, uint8_t qos)
{
	const struct mqtt_conn *c = s->conn;
	if (!c) {
		bool waits = qos && s->expiry_s;
		e->stats.dropped_qos0 += !waits;
		return waits;
	}
	bool may_read = e->policy.may_read(e->policy.ctx, c->login);
	e->stats.dropped_rights += !may_read;
	return may_read;
}

bool mqtt_deliver_to(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_msg *m, uint8_t qos, bool retain,
	const struct mqtt_sub *only, const struct now *now)
{
	if (!may_have(e, s, qos))
		return false;
	struct mqtt_conn *c = s->conn;
	bool is_free = c && !c->is_full && s->queue.n == 0;
	if (is_free && qos == 0 && s->sub_ids_n == 0) { /* the common case needs no memory */
		struct mqtt_out now_only = { .msg = m, .retain = retain };
		bool is_sent = out_send(c, &now_only, false, now);
		if (is_sent)
			mqtt_deliver_told(e, c, m);
		return is_sent;
	}
	struct mqtt_out *out = mqtt_queue_new(s, m, qos, retain, only);
	if (!out) {
		mqtt_loss_add(e, s);
		return false;
	}
	if (is_free && qos && has_room(s) && s->unsent_n == 0) {
		mqtt_keep_out(e, s, out);
		return flight_start(e, s, out, now);
	}
	bool is_queued = mqtt_queue_push(e, s, out);
	if (is_free)
		mqtt_deliver_pump(s, now);
	return is_queued;
}

static void flight_drop(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out)
{
	mqtt_queue_land(s, out);
	mqtt_keep_out_gone(e, s, out);
	mqtt_queue_free(e, out);
}

/* Send again what was in flight on another connection. */
static void flight_repeat(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_out *out, const struct now *now)
{
	out->is_unsent = false;
	out->sent_us = now->mono_us;
	s->unsent_n--;
	if (out_send(s->conn, out, true, now))
		return;
	flight_drop(e, s, out);
	mqtt_loss_add(e, s);
}

static void rights_lost(struct mqtt_engine *e, struct mqtt_session *s)
{
	e->stats.dropped_rights += s->queue.n + s->unsent_n;
	for (struct mqtt_out *out = s->inflight.first, *next; s->unsent_n && out; out = next) {
		next = out->next;
		if (out->is_unsent)
			flight_drop(e, s, out);
	}
	mqtt_queue_clear(e, s);
}

static void queue_pump(struct mqtt_engine *e, struct mqtt_session *s, const struct now *now)
{
	struct mqtt_conn *c = s->conn;
	while (!c->is_full && s->queue.n && (s->queue.first->qos == 0 || (s->unsent_n == 0 && has_room(s)))) {
		struct mqtt_out *out = mqtt_queue_pop(s);
		if (is_stale(out->msg, now)) {
			mqtt_keep_out_gone(e, s, out);
			mqtt_queue_free(e, out);
		} else if (out->qos) {
			(void)flight_start(e, s, out, now);
		} else {
			if (out_send(c, out, false, now))
				mqtt_deliver_told(e, c, out->msg);
			mqtt_queue_free(e, out);
		}
	}
}

void mqtt_deliver_pump(struct mqtt_session *s, const struct now *now)
{
	struct mqtt_conn *c = s->conn;
	if (!c || (!s->queue.n && !s->unsent_n))
		return;
	struct mqtt_engine *e = c->engine;
	if (!e->policy.may_read(e->policy.ctx, c->login)) {
		rights_lost(e, s);
		return;
	}
	for (struct mqtt_out *out = s->inflight.first, *next; out && s->unsent_n && has_room(s) && !c->is_full; out = next) {
		next = out->next;
		if (out->is_unsent)
			flight_repeat(e, s, out, now);
	}
	queue_pump(e, s, now);
}

/* Send again what was in flight when the connection was lost, in its order and as much as the client takes at once; the rest follows
 * [MQTT311 4.4.0-1; MQTT5 4.9]. */
void mqtt_deliver_resume(struct mqtt_session *s, const struct now *now)
{
	struct mqtt_conn *c = s->conn;
	struct mqtt_engine *e = c->engine;
	s->unsent_n = 0;
	for (struct mqtt_out *out = s->inflight.first; out; out = out->next)
		s->unsent_n += out->is_unsent = out->state == OUT_SENT;
	if (!e->policy.may_read(e->policy.ctx, c->login))
		rights_lost(e, s);
	if (s->inflight.n) /* another connection may have been lost before what it said was on disk */
		mqtt_conn_hold(c);
	for (struct mqtt_out *out = s->inflight.first, *next; out; out = next) {
		next = out->next;
		if (out->state == OUT_RECEIVED) {
			uint8_t b[4];
			struct writer w = writer_of(b, sizeof b);
			mqtt_ack_write(&w, MQTT_PUBREL, out->id, c->level, 0, STR(""));
			mqtt_conn_write(c, &w);
		} else if (has_room(s) && !c->is_full) {
			flight_repeat(e, s, out, now);
		}
	}
	mqtt_deliver_pump(s, now);
}

struct hits {
	struct mqtt_engine *e;
	struct mqtt_session *sessions;
	struct mqtt_share *shares;
	const struct mqtt_session *from;
	bool retain;
};

static void hit_add(void *ctx, struct mqtt_tree_entry *entry)
{
	struct hits *h = ctx;
	struct mqtt_sub *sub = CONTAINER_OF(entry, struct mqtt_sub, at);
	struct mqtt_session *s = sub->session;
	if (sub->share) {
		if (sub->share->mark == h->e->mark)
			return;
		sub->share->mark = h->e->mark;
		sub->share->next_hit = h->shares;
		h->shares = sub->share;
		return;
	}
	if (sub->no_local && s == h->from)
		return;
	if (s->mark != h->e->mark) {
		s->mark = h->e->mark;
		s->hit_qos = 0;
		s->hit_retain = false;
		s->hit_is_own = s == h->from;
		s->next_hit = h->sessions;
		h->sessions = s;
	}
	s->hit_qos = sub->qos > s->hit_qos ? sub->qos : s->hit_qos;
	s->hit_retain |= sub->retain_as_published && h->retain;
}

/* Deliver, and count it. @return 1 or 0: whether the session has it */
static size_t deliver_hit(struct mqtt_engine *e, struct mqtt_session *s, struct mqtt_msg *m, uint8_t qos, bool retain,
	const struct mqtt_sub *only, const struct now *now)
{
	bool is_there = mqtt_deliver_to(e, s, m, qos, retain, only, now);
	if (is_there)
		e->reach.qos[qos]++;
	e->reach.stored += is_there && !s->conn;
	e->reach.dropped += !is_there;
	return is_there;
}

size_t mqtt_deliver_fan_out(struct mqtt_engine *e, struct mqtt_owner *o, struct mqtt_msg *m, bool retain, const struct mqtt_session *from,
	const struct now *now)
{
	e->mark++;
	struct hits h = { .e = e, .from = from, .retain = retain };
	mqtt_tree_match(&o->tree, mqtt_message_topic(m), hit_add, &h);
	size_t n = 0;
	for (struct mqtt_session *s = h.sessions, *next; s; s = next) {
		next = s->next_hit;
		n += deliver_hit(e, s, m, m->qos < s->hit_qos ? m->qos : s->hit_qos, s->hit_retain, NULL, now);
		s->hit_is_own = false;
	}
	for (struct mqtt_share *share = h.shares; share; share = share->next_hit) {
		struct mqtt_sub *sub = mqtt_share_pick(share);
		n += deliver_hit(e, sub->session, m, m->qos < sub->qos ? m->qos : sub->qos, retain && sub->retain_as_published, sub, now);
	}
	return n;
}
