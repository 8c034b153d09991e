/** @file From a message to the sessions that want it, and from their queues to the wire. */
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

/* One PUBLISH. False: the client said it takes nothing that large, so it counts as done [MQTT5 3.1.2-25]. */
static bool out_send(struct mqtt_conn *c, const struct mqtt_out *out, bool is_dup, const struct now *now)
{
	enum { SUB_IDS_SENT_MAX = 64 };
	uint8_t head[5], middle[2 + 4 + 5 + SUB_IDS_SENT_MAX * 5];
	const struct mqtt_msg *m = out->msg;
	struct slice props = { NULL, 0 };
	struct writer w = writer_of(middle, sizeof middle);
	if (out->qos)
		writer_be16(&w, out->id);
	if (c->level == MQTT_5) {
		size_t ids_n = out->sub_ids_n < SUB_IDS_SENT_MAX ? out->sub_ids_n : SUB_IDS_SENT_MAX;
		size_t n = m->props_n + (m->expiry_unix_us ? 5 : 0);
		for (size_t i = 0; i < ids_n; i++)
			n += 1 + mqtt_varint_size(out->sub_ids[i]);
		mqtt_varint_write(&w, (uint32_t)n);
		if (m->expiry_unix_us) {
			writer_u8(&w, 0x02);
			writer_be32(&w, m->expiry_unix_us > now->unix_us ? (uint32_t)((m->expiry_unix_us - now->unix_us) / SEC_US) : 0);
		}
		for (size_t i = 0; i < ids_n; i++) {
			writer_u8(&w, 0x0b);
			mqtt_varint_write(&w, out->sub_ids[i]);
		}
		props = mqtt_message_props(m);
	}
	struct slice payload = mqtt_message_payload(m);
	struct writer h = writer_of(head, sizeof head);
	unsigned flags = (is_dup ? 8U : 0) | (unsigned)out->qos << 1 | (out->retain ? 1U : 0);
	size_t remaining = 2 + m->topic_n + w.len + props.n + payload.n;
	mqtt_head_write(&h, (uint8_t)(MQTT_PUBLISH << 4 | flags), remaining);
	if (h.failed || w.failed || h.len + remaining > c->packet_max)
		return false;
	const struct slice parts[] = { { head, h.len }, { m->bytes, 2 + m->topic_n }, { middle, w.len }, props, payload };
	mqtt_conn_send(c, parts, COUNT(parts));
	c->engine->stats.sent++;
	return true;
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
	if (!out_send(s->conn, out, false, now)) {
		mqtt_keep_out_gone(e, s, out);
		mqtt_queue_free(e, out);
		e->stats.dropped_queue++;
		return false;
	}
	out->state = OUT_SENT;
	mqtt_queue_append(&s->inflight, out);
	mqtt_keep_out_state(e, s, out);
	return true;
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
		e->stats.dropped_queue++;
		return false;
	}
	if (is_free && qos && s->inflight.n < s->limits.inflight) {
		mqtt_keep_out(e, s, out);
		return flight_start(e, s, out, now);
	}
	bool is_queued = mqtt_queue_push(e, s, out);
	if (is_free)
		mqtt_deliver_pump(s, now);
	return is_queued;
}

void mqtt_deliver_pump(struct mqtt_session *s, const struct now *now)
{
	struct mqtt_conn *c = s->conn;
	if (!c || !s->queue.n)
		return;
	struct mqtt_engine *e = c->engine;
	if (!e->policy.may_read(e->policy.ctx, c->login)) {
		e->stats.dropped_rights += s->queue.n;
		mqtt_queue_clear(e, s);
		return;
	}
	while (!c->is_full && s->queue.n && (s->queue.first->qos == 0 || s->inflight.n < s->limits.inflight)) {
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

/* Send again what was in flight when the connection was lost, in its order [MQTT311 4.4.0-1]. */
void mqtt_deliver_resume(struct mqtt_session *s, const struct now *now)
{
	struct mqtt_conn *c = s->conn;
	struct mqtt_engine *e = c->engine;
	bool may_read = e->policy.may_read(e->policy.ctx, c->login);
	for (struct mqtt_out *out = s->inflight.first, *next; out; out = next) {
		next = out->next;
		if (out->state == OUT_RECEIVED) {
			uint8_t b[4];
			struct writer w = writer_of(b, sizeof b);
			mqtt_ack_write(&w, MQTT_PUBREL, out->id, c->level, 0, STR(""));
			mqtt_conn_write(c, &w);
		} else if (!may_read || !out_send(c, out, true, now)) {
			e->stats.dropped_rights += !may_read;
			mqtt_queue_remove(&s->inflight, out);
			mqtt_keep_out_gone(e, s, out);
			mqtt_queue_free(e, out);
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
		s->next_hit = h->sessions;
		h->sessions = s;
	}
	s->hit_qos = sub->qos > s->hit_qos ? sub->qos : s->hit_qos;
	s->hit_retain |= sub->retain_as_published && h->retain;
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
		n += mqtt_deliver_to(e, s, m, m->qos < s->hit_qos ? m->qos : s->hit_qos, s->hit_retain, NULL, now);
	}
	for (struct mqtt_share *share = h.shares; share; share = share->next_hit) {
		struct mqtt_sub *sub = mqtt_share_pick(share);
		n += mqtt_deliver_to(e, sub->session, m, m->qos < sub->qos ? m->qos : sub->qos, retain && sub->retain_as_published, NULL, now);
	}
	return n;
}
