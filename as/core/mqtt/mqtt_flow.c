/** @file Messages from clients, and the acknowledgements of QoS 1 and 2 in both directions [MQTT311 4.3]. */
#include "as/core/mqtt/mqtt_alias.h"
#include "as/core/mqtt/mqtt_inside.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

/* Tickets: one per QoS 1 or 2 message that is being taken, in a ring that all connections share. */

static struct mqtt_ticket *ticket_at(struct mqtt_engine *e, uint64_t ticket)
{
	if (ticket < e->tickets_base || ticket - e->tickets_base >= e->tickets_n)
		return NULL;
	struct mqtt_ticket *t = &e->tickets[ticket % e->tickets_cap];
	return t->is_open ? t : NULL;
}

static int tickets_grow(struct mqtt_engine *e)
{
	size_t cap = e->tickets_cap ? e->tickets_cap * 2 : 64;
	struct mqtt_ticket *v = cap <= TICKETS_MAX ? calloc(cap, sizeof *v) : NULL;
	if (!v)
		return -ENOMEM;
	for (uint64_t t = e->tickets_base; t < e->tickets_base + e->tickets_n; t++)
		v[t % cap] = e->tickets[t % e->tickets_cap];
	free(e->tickets);
	e->tickets = v;
	e->tickets_cap = cap;
	return 0;
}

static int ticket_open(struct mqtt_engine *e, struct mqtt_conn *c, uint16_t id, uint64_t *ret)
{
	if (e->tickets_n == e->tickets_cap)
		TRY(tickets_grow(e));
	*ret = e->tickets_base + e->tickets_n++;
	e->tickets[*ret % e->tickets_cap] = (struct mqtt_ticket){ c, c->session, id, true };
	c->session->tickets_n++;
	return 0;
}

static void ticket_close(struct mqtt_engine *e, struct mqtt_ticket *t)
{
	t->is_open = false;
	if (t->session)
		t->session->tickets_n--;
	while (e->tickets_n && !e->tickets[e->tickets_base % e->tickets_cap].is_open)
		e->tickets_base++, e->tickets_n--;
}

static uint64_t ticket_of_id(struct mqtt_engine *e, const struct mqtt_session *s, uint16_t id)
{
	for (uint64_t t = e->tickets_base; s->tickets_n && t < e->tickets_base + e->tickets_n; t++) {
		struct mqtt_ticket *at = ticket_at(e, t);
		if (at && at->session == s && at->id == id)
			return t;
	}
	return 0;
}

void mqtt_flow_forget(struct mqtt_engine *e, const struct mqtt_session *s)
{
	for (uint64_t t = e->tickets_base; s->tickets_n && t < e->tickets_base + e->tickets_n; t++) {
		struct mqtt_ticket *at = ticket_at(e, t);
		if (at && at->session == s)
			at->session = NULL;
	}
}

/* Acknowledgements leave in the order in which messages came [MQTT311 4.6.0-2, -3]. */

static struct mqtt_due *due_at(struct mqtt_conn *c, uint32_t i)
{
	return &c->due[(c->due_first + i) % c->due_cap];
}

static int due_push(struct mqtt_conn *c, uint8_t type, uint16_t id, uint64_t ticket)
{
	if (c->due_n == c->due_cap) {
		uint32_t cap = c->due_cap ? c->due_cap * 2 : 8;
		struct mqtt_due *v = malloc(cap * sizeof *v);
		if (!v)
			return -ENOMEM;
		for (uint32_t i = 0; i < c->due_n; i++)
			v[i] = *due_at(c, i);
		free(c->due);
		c->due = v;
		c->due_first = 0;
		c->due_cap = cap;
	}
	c->due_n++;
	c->due_pubacks += type == MQTT_PUBACK;
	*due_at(c, c->due_n - 1) = (struct mqtt_due){ .ticket = ticket, .id = id, .type = type };
	return 0;
}

static struct mqtt_due *due_find(struct mqtt_conn *c, uint64_t ticket)
{
	for (uint32_t i = 0; i < c->due_n; i++)
		if (due_at(c, i)->ticket == ticket)
			return due_at(c, i);
	return NULL;
}

static void ack_send(struct mqtt_conn *c, uint8_t type, uint16_t id, uint8_t reason, struct str why)
{
	uint8_t b[256];
	struct writer w = writer_of(b, sizeof b);
	if (!mqtt_reason_fits(type, reason, true))
		reason = reason < MQTT_UNSPECIFIED ? MQTT_OK : MQTT_UNSPECIFIED; /* [MQTT5 3.4.2-1] */
	mqtt_ack_write(&w, type, id, c->level, reason, mqtt_conn_why(c, reason, why));
	mqtt_conn_write(c, &w);
}

static void due_flush(struct mqtt_conn *c)
{
	while (c->due_n && due_at(c, 0)->is_done) {
		struct mqtt_due due = *due_at(c, 0);
		c->due_first = (c->due_first + 1) % c->due_cap;
		c->due_n--;
		c->due_pubacks -= due.type == MQTT_PUBACK;
		if (due.type == MQTT_PUBREC && due.reason >= 0x80 && c->level == MQTT_5)
			(void)mqtt_session_release(c->engine, c->session, due.id);
		bool is_explained = due.ticket && due.ticket == c->engine->why_ticket;
		ack_send(c, due.type, due.id, due.reason, is_explained ? (struct str){ c->engine->why, c->engine->why_n } : STR(""));
	}
	mqtt_conn_resume(c);
}

void mqtt_flow_detach(struct mqtt_conn *c)
{
	for (uint32_t i = 0; i < c->due_n; i++) {
		struct mqtt_ticket *t = ticket_at(c->engine, due_at(c, i)->ticket);
		if (t)
			t->conn = NULL;
	}
	c->due_n = 0;
}

void mqtt_engine_taken(struct mqtt_engine *e, uint64_t ticket, uint8_t reason, const struct now *now)
{
	struct mqtt_ticket *t = ticket_at(e, ticket);
	if (!t)
		return;
	struct mqtt_conn *c = t->conn;
	struct mqtt_session *s = t->session;
	uint16_t id = t->id;
	ticket_close(e, t);
	struct mqtt_due *due = c ? due_find(c, ticket) : NULL;
	if (reason == MQTT_UNAVAILABLE) { /* not taken: the client is to send it again */
		if (s && (!due || due->type == MQTT_PUBREC))
			(void)mqtt_session_release(e, s, id);
		if (c)
			mqtt_conn_end(c, END_CLOSE, reason, now);
	} else if (due) {
		due->is_done = true;
		due->reason = reason;
		due_flush(c);
	}
}

/* PUBLISH from a client. */

/* @return 0; else what a 5.0 client finds in the acknowledgement */
static uint8_t route(struct mqtt_conn *c, const struct mqtt_publish *p, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_owner *o = c->session->owner;
	if (p->topic.p[0] == '$') {
		mqtt_engine_explain(e, STR("clients do not publish to topics that begin with $"));
		return MQTT_NOT_AUTHORIZED;
	}
	struct mqtt_msg *m = mqtt_message_new(e, p->topic, p->payload, p->props.raw, p->qos);
	if (!m)
		return 0;
	if (mqtt_props_has(&p->props, MQTT_PROP_MESSAGE_EXPIRY))
		m->expiry_unix_us = now->unix_us + mqtt_props_u(&p->props, MQTT_PROP_MESSAGE_EXPIRY, 0) * SEC_US;
	if (p->retain)
		mqtt_retain_set(e, o, m, c->session->limits.retained_messages);
	(void)mqtt_deliver_fan_out(e, o, m, p->retain, c->session, now);
	mqtt_message_free(e, m);
	return 0;
}

/* The first time that a message is seen: ask the policy, and do what it says. What was kept since `kept` is on disk before it is
 * acknowledged. */
static void fresh_take(struct mqtt_conn *c, const struct mqtt_publish *p, uint64_t ticket, uint64_t kept, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_session *s = c->session;
	const struct mqtt_publication pub = { .login = c->login, .owner = mqtt_owner_name(s->owner), .client_id = mqtt_session_client(s),
		.topic = p->topic, .payload = p->payload, .level = c->level, .qos = p->qos, .retain = p->retain, .ticket = ticket,
		.props = c->level == MQTT_5 ? &p->props : NULL };
	uint8_t reason = 0;
	e->why_n = 0;
	bool is_text = !pub.props || mqtt_message_is_as_said(pub.props, p->payload);
	enum mqtt_verdict verdict = is_text ? e->policy.publish(e->policy.ctx, &pub, &reason) : MQTT_DROP;
	if (!is_text)
		reason = MQTT_BAD_PAYLOAD;
	e->why_ticket = ticket;
	if (c->is_closed) {
		if (ticket && verdict != MQTT_TAKEN_LATER)
			mqtt_engine_taken(e, ticket, 0, now);
		return;
	}
	if (verdict == MQTT_ROUTE) {
		uint8_t refused = route(c, p, now);
		reason = refused ? refused : reason;
	}
	if (verdict == MQTT_CLOSE) {
		if (p->qos == 2)
			(void)mqtt_session_release(e, s, p->id);
		mqtt_conn_end(c, END_CLOSE, reason ? reason : MQTT_ADMINISTRATIVE, now);
	}
	if (ticket && verdict != MQTT_TAKEN_LATER) {
		mqtt_conn_hold_since(c, kept);
		mqtt_engine_taken(e, ticket, reason, now);
	}
}

/* QoS 2 seen before: it is acknowledged again, and not delivered again [MQTT311 4.3.3-2]. */
static void repeated_take(struct mqtt_conn *c, uint16_t id)
{
	struct mqtt_engine *e = c->engine;
	uint64_t ticket = ticket_of_id(e, c->session, id);
	struct mqtt_ticket *t = ticket_at(e, ticket);
	if (t && t->conn == c)
		return; /* it will be acknowledged when it is taken */
	if (due_push(c, MQTT_PUBREC, id, ticket))
		return;
	if (t)
		t->conn = c;
	else
		due_at(c, c->due_n - 1)->is_done = true;
	due_flush(c);
}

/* A fault that ends the connection, or 0. */
static uint8_t publish_judge(const struct mqtt_conn *c, const struct mqtt_publish *p)
{
	const struct mqtt_limits *l = &c->session->limits;
	if (c->level == MQTT_5 && mqtt_props_has(&p->props, MQTT_PROP_SUBSCRIPTION_ID))
		return MQTT_PROTOCOL_ERROR;
	if (p->topic.n > l->topic_bytes || mqtt_topic_levels(p->topic) > l->topic_levels)
		return MQTT_BAD_TOPIC;
	bool is_new = p->qos == 1 || (p->qos == 2 && !mqtt_session_has_received(c->session, p->id));
	if (c->level == MQTT_5 && is_new && c->session->received_n + c->due_pubacks >= c->session->limits.receive_max)
		return MQTT_RECEIVE_MAX_EXCEEDED;
	return 0;
}

void mqtt_flow_publish(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_publish p;
	int fault = mqtt_publish_read(f->flags, f->body, c->level, &p);
	if (fault == 0)
		fault = publish_judge(c, &p);
	if (fault == 0)
		fault = mqtt_alias_resolve(c, &p);
	if (fault) {
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
		return;
	}
	e->stats.received++;
	uint64_t ticket = 0, kept = e->kept;
	if (p.qos == 2 && mqtt_session_has_received(c->session, p.id)) {
		repeated_take(c, p.id);
		return;
	}
	int rc = p.qos ? ticket_open(e, c, p.id, &ticket) : 0;
	if (rc == 0 && p.qos)
		rc = due_push(c, p.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, p.id, ticket);
	if (rc == 0 && p.qos == 2)
		rc = mqtt_session_receive(e, c->session, p.id);
	if (rc == 0) {
		fresh_take(c, &p, ticket, kept, now);
		return;
	}
	if (ticket)
		mqtt_engine_taken(e, ticket, MQTT_UNAVAILABLE, now);
	mqtt_conn_end(c, END_CLOSE, MQTT_UNAVAILABLE, now);
}

/* Acknowledgements from a client. */

static void flight_end(struct mqtt_conn *c, struct mqtt_out *out, const struct now *now)
{
	struct mqtt_engine *e = c->engine;
	struct mqtt_session *s = c->session;
	if (out->sent_us)
		histogram_add(&e->stats.ack, us_since(out->sent_us, now->mono_us));
	mqtt_queue_land(s, out);
	mqtt_keep_out_gone(e, s, out);
	mqtt_deliver_told(e, c, out->msg);
	mqtt_queue_free(e, out);
	mqtt_deliver_pump(s, now);
}

static void pubrec_take(struct mqtt_conn *c, struct mqtt_out *out, uint8_t reason, const struct now *now)
{
	if (reason >= 0x80) {
		flight_end(c, out, now);
		return;
	}
	if (out->state == OUT_SENT) {
		struct mqtt_session *s = c->session;
		s->unsent_n -= out->is_unsent;
		out->is_unsent = false;
		out->state = OUT_RECEIVED;
		mqtt_keep_out_state(c->engine, c->session, out);
	}
	mqtt_conn_hold(c);
	ack_send(c, MQTT_PUBREL, out->id, 0, STR(""));
}

static void pubrel_take(struct mqtt_conn *c, uint16_t id)
{
	bool was_there = mqtt_session_release(c->engine, c->session, id);
	mqtt_conn_hold(c); /* else the id's next message could be taken for this one again */
	ack_send(c, MQTT_PUBCOMP, id, was_there ? MQTT_OK : MQTT_ID_NOT_FOUND, STR(""));
}

void mqtt_flow_ack(struct mqtt_conn *c, const struct mqtt_frame *f, const struct now *now)
{
	struct mqtt_ack a;
	int fault = mqtt_ack_read(f->type, f->body, c->level, &a);
	if (fault) {
		mqtt_conn_end(c, END_CLOSE, (uint8_t)fault, now);
		return;
	}
	if (f->type == MQTT_PUBREL) {
		pubrel_take(c, a.id);
		return;
	}
	struct mqtt_out *out = mqtt_queue_find(c->session, a.id);
	if (!out) { /* of a session that we have lost: let the client finish it */
		if (f->type == MQTT_PUBREC && a.reason < 0x80)
			ack_send(c, MQTT_PUBREL, a.id, MQTT_ID_NOT_FOUND, STR(""));
		return;
	}
	bool fits = f->type == MQTT_PUBACK ? out->qos == 1 : out->qos == 2 && (f->type == MQTT_PUBREC || out->state == OUT_RECEIVED);
	if (!fits)
		mqtt_conn_end(c, END_CLOSE, MQTT_PROTOCOL_ERROR, now);
	else if (f->type == MQTT_PUBREC)
		pubrec_take(c, out, a.reason, now);
	else
		flight_end(c, out, now);
}
