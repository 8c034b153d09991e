/** @file The MQTT client's messages to the broker: a window over its caller's queue. */
#include "as/core/integration/mqtt_client_inside.h"
#include <string.h>

uint16_t mqtt_client_packet_id(uint64_t number)
{
	return (uint16_t)(number % (SUBSCRIBE_ID - 1) + 1);
}

bool mqtt_client_is_connected(const struct mqtt_client *c)
{
	return c->state == CLIENT_UP;
}

size_t mqtt_client_in_flight(const struct mqtt_client *c)
{
	return c->flights_n;
}

bool mqtt_client_owes_us(const struct mqtt_client *c)
{
	for (size_t i = 0; i < c->flights_n; i++) {
		enum flight_state s = c->flights[i].state;
		if (s == FLIGHT_SENT_1 || s == FLIGHT_SENT_2 || s == FLIGHT_RELEASED)
			return true;
	}
	return false;
}

static struct flight *find(struct mqtt_client *c, uint16_t id)
{
	for (size_t i = 0; i < c->flights_n; i++)
		if (c->flights[i].id == id && c->flights[i].state != FLIGHT_SENT_0)
			return &c->flights[i];
	return NULL;
}

static bool has_room(const struct mqtt_client *c)
{
	return c->state == CLIENT_UP && !c->is_full && c->flights_n < c->now_in_flight_max;
}

void mqtt_client_tell_room(struct mqtt_client *c)
{
	if (!c->wants_room || !has_room(c))
		return;
	c->wants_room = false;
	c->user.room(c->user.ctx);
}

/** It is no more in flight. */
static void finish(struct mqtt_client *c, struct flight *f, enum mqtt_outcome what, struct str words)
{
	uint64_t number = f->number;
	size_t at = (size_t)(f - c->flights);
	memmove(f, f + 1, (--c->flights_n - at) * sizeof *f);
	c->user.outcome(c->user.ctx, number, what, words);
}

/** Something is sent that the broker has to acknowledge. */
static void ask(struct mqtt_client *c, uint64_t now_us)
{
	c->asks = true;
	if (!mqtt_client_owes_us(c))
		c->acked_us = now_us;
}

static void release(struct mqtt_client *c, struct flight *f, uint64_t now_us)
{
	ask(c, now_us);
	f->state = FLIGHT_RELEASED;
	mqtt_client_answer(c, MQTT_PUBREL, f->id, 0, now_us);
}

/* Sending. */

/** The QoS that the broker lets it have. */
static uint8_t qos_of(struct mqtt_client *c, const struct mqtt_item *item)
{
	char words[96];
	struct text t = text_fixed(words, sizeof words);
	if (item->qos <= c->broker_qos_max)
		return item->qos;
	if (!c->has_warned_of_qos) {
		text_printf(&t, "the broker takes QoS %u at most; messages of QoS %u are sent with that", c->broker_qos_max, item->qos);
		c->has_warned_of_qos = true;
		c->user.warning(c->user.ctx, text_str(&t));
	}
	return c->broker_qos_max;
}

static int publish(struct mqtt_client *c, const struct mqtt_item *item, uint8_t qos, uint64_t now_us, struct text *why)
{
	uint8_t b[MQTT_CLIENT_TOPIC_MAX + 16];
	struct writer w = writer_of(b, sizeof b);
	bool is_dup = qos && c->has_session && item->number <= c->maybe_sent;
	struct mqtt_publish p = { .is_dup = is_dup, .qos = qos, .id = mqtt_client_packet_id(item->number), .topic = item->topic, .payload = item->payload };
	if (item->topic.n > MQTT_CLIENT_TOPIC_MAX || !mqtt_string_valid(item->topic) || !mqtt_topic_valid(item->topic)) {
		text_puts(why, "its topic is not one that MQTT can carry");
		return MQTT_CLIENT_E_NEVER;
	}
	mqtt_publish_head_write(&w, c->level, &p);
	if (w.failed || w.len + item->payload.n > c->broker_packet_max) {
		text_printf(why, "%zu octets are more than the broker takes", item->payload.n);
		return MQTT_CLIENT_E_NEVER;
	}
	if (qos)
		ask(c, now_us);
	c->flights[c->flights_n++] = (struct flight){ item->number, p.id, (enum flight_state)(FLIGHT_SENT_0 + qos) };
	c->maybe_sent = qos && item->number > c->maybe_sent ? item->number : c->maybe_sent;
	mqtt_client_put(c, (struct slice[]){ { w.p, w.len }, item->payload }, 2, now_us);
	return 0;
}

int mqtt_client_send(struct mqtt_client *c, const struct mqtt_item *item, uint64_t now_us, struct text *why)
{
	/* Two numbers that far apart have one id. */
	if (!has_room(c) || find(c, mqtt_client_packet_id(item->number))) {
		c->wants_room = c->state == CLIENT_UP;
		return c->state == CLIENT_UP && item->number <= c->last_offered ? -EINVAL : MQTT_CLIENT_E_WAIT;
	}
	if (item->number == 0 || item->number <= c->last_offered || item->qos > 2)
		return -EINVAL;
	c->last_offered = item->number;
	if (item->state != MQTT_ITEM_RECEIVED)
		return publish(c, item, qos_of(c, item), now_us, why);
	if (!c->has_session) { /* it was the broker's from PUBREC on; there is nothing to be released any more */
		c->user.outcome(c->user.ctx, item->number, MQTT_OUTCOME_DONE, STR(""));
		return 0;
	}
	struct flight *f = &c->flights[c->flights_n++];
	*f = (struct flight){ item->number, mqtt_client_packet_id(item->number), FLIGHT_STORING };
	release(c, f, now_us);
	return 0;
}

void mqtt_client_stored(struct mqtt_client *c, uint64_t number, uint64_t now_us)
{
	for (size_t i = 0; i < c->flights_n; i++)
		if (c->flights[i].number == number && c->flights[i].state == FLIGHT_STORING)
			release(c, &c->flights[i], now_us);
}

void mqtt_client_out_drained(struct mqtt_client *c)
{
	/* What is sent from within has not left yet. */
	uint64_t last = c->last_offered;
	for (size_t i = 0; i < c->flights_n && c->flights[i].number <= last;) {
		if (c->flights[i].state == FLIGHT_SENT_0) {
			finish(c, &c->flights[i], MQTT_OUTCOME_DONE, STR(""));
			i = 0;
		} else {
			i++;
		}
	}
	mqtt_client_tell_room(c);
}

/* Acknowledgements. */

static void refuse(struct mqtt_client *c, struct flight *f, const struct mqtt_ack *p)
{
	char words[256];
	struct text t = text_fixed(words, sizeof words);
	text_puts(&t, "the broker refused a message");
	mqtt_client_reason(&t, p->reason, &p->props);
	if (p->reason == MQTT_QUOTA) { /* it would take the message another time */
		mqtt_client_fail(c, MQTT_FAULT_BUSY, "%s", words);
		return;
	}
	finish(c, f, MQTT_OUTCOME_REFUSED, text_str(&t));
}

static void on_puback(struct mqtt_client *c, struct flight *f, const struct mqtt_ack *p)
{
	if (f && f->state != FLIGHT_SENT_1)
		mqtt_client_breach(c, MQTT_PUBACK, "answers a message of QoS 2");
	else if (f && p->reason >= 0x80)
		refuse(c, f, p);
	else if (f)
		finish(c, f, MQTT_OUTCOME_DONE, STR(""));
}

static void on_pubrec(struct mqtt_client *c, struct flight *f, const struct mqtt_ack *p, uint64_t now_us)
{
	if (f && f->state == FLIGHT_SENT_1) {
		mqtt_client_breach(c, MQTT_PUBREC, "answers a message of QoS 1");
	} else if (f && f->state == FLIGHT_SENT_2 && p->reason >= 0x80) {
		refuse(c, f, p);
	} else if (f && f->state == FLIGHT_SENT_2) {
		f->state = FLIGHT_STORING;
		c->user.outcome(c->user.ctx, f->number, MQTT_OUTCOME_RECEIVED, STR(""));
	} else if (p->reason < 0x80 && (!f || f->state == FLIGHT_RELEASED)) {
		/* Of a message that is dropped here, the broker need not keep anything either. */
		mqtt_client_answer(c, MQTT_PUBREL, p->id, f ? MQTT_OK : MQTT_ID_NOT_FOUND, now_us);
	}
}

static void on_pubcomp(struct mqtt_client *c, struct flight *f)
{
	if (f && f->state != FLIGHT_RELEASED)
		mqtt_client_breach(c, MQTT_PUBCOMP, "answers a message that was not released");
	else if (f)
		finish(c, f, MQTT_OUTCOME_DONE, STR(""));
}

void mqtt_client_on_ack(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_ack p;
	memset(&p, 0, sizeof p);
	if (mqtt_ack_read(f->type, f->body, c->level, &p)) {
		mqtt_client_breach(c, f->type, "is malformed");
		return;
	}
	struct flight *flight = find(c, p.id);
	if (flight)
		c->acked_us = now_us;
	if (f->type == MQTT_PUBACK)
		on_puback(c, flight, &p);
	else if (f->type == MQTT_PUBREC)
		on_pubrec(c, flight, &p, now_us);
	else
		on_pubcomp(c, flight);
	mqtt_client_tell_room(c);
}
