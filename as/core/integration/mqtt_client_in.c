/** @file The broker's messages to the MQTT client: each taken once, acknowledged in order when it is durable. */
#include "as/core/integration/mqtt_client_inside.h"
#include <string.h>

enum { ANSWERS_MAX = 1000 };

bool mqtt_client_is_held_up(const struct mqtt_client *c)
{
	return c->due_n == MQTT_CLIENT_TAKING_MAX || c->answers >= ANSWERS_MAX;
}

static struct held *held_find(struct mqtt_client *c, uint16_t id)
{
	for (size_t i = 0; i < c->held_n; i++)
		if (c->held[i].id == id)
			return &c->held[i];
	return NULL;
}

int mqtt_client_remember(struct mqtt_client *c, uint16_t id)
{
	if (held_find(c, id))
		return 0;
	if (c->held_n == MQTT_CLIENT_HELD_MAX)
		return -ENOSPC;
	c->held[c->held_n++] = (struct held){ .id = id, .is_taken = true };
	return 0;
}

/** Send what is due and ready, up to the first that is not. */
static void flush(struct mqtt_client *c, uint64_t now_us)
{
	size_t n = 0;
	for (; n < c->due_n && c->due[n].is_ready; n++)
		mqtt_client_answer(c, c->due[n].type, c->due[n].id, 0, now_us);
	c->due_n -= n;
	memmove(c->due, c->due + n, c->due_n * sizeof *c->due);
	mqtt_client_resume(c, now_us);
}

/* There is room: who is held up is not read from. */
static void due_add(struct mqtt_client *c, uint8_t type, uint16_t id, uint64_t token, bool is_ready)
{
	c->due[c->due_n++] = (struct due){ type, id, token, is_ready };
}

void mqtt_client_accept(struct mqtt_client *c, uint64_t token, uint64_t now_us)
{
	if (!token)
		return;
	for (size_t i = 0; i < c->due_n; i++)
		c->due[i].is_ready |= c->due[i].token == token;
	for (size_t i = 0; i < c->held_n; i++) {
		c->held[i].is_taken |= c->held[i].token == token;
		if (c->held[i].release == token) {
			c->held[i] = c->held[--c->held_n];
			break;
		}
	}
	flush(c, now_us);
}

/** Which of the filters lets it in; filters_n: none. */
static size_t filter_of(const struct mqtt_client *c, struct str topic)
{
	size_t i = 0;
	for (struct str group, inner; i < c->filters_n; i++) {
		(void)mqtt_topic_share(c->filters[i].filter, &group, &inner);
		if (mqtt_topic_match(inner, topic))
			break;
	}
	return i;
}

static void hand_over(struct mqtt_client *c, const struct mqtt_publish *p, uint64_t token, uint64_t now_us)
{
	struct mqtt_incoming m = { .topic = p->topic, .payload = p->payload, .filter = filter_of(c, p->topic), .qos = p->qos,
		.is_retained = p->retain, .id = p->id, .token = token };
	if (m.filter < c->filters_n)
		c->user.message(c->user.ctx, &m);
	else /* a subscription of earlier, of which the broker still knows */
		mqtt_client_accept(c, token, now_us);
}

static void take_twice(struct mqtt_client *c, const struct mqtt_publish *p, uint64_t now_us)
{
	struct held *h = held_find(c, p->id);
	if (h) { /* again, because our PUBREC did not arrive */
		due_add(c, MQTT_PUBREC, p->id, h->token, h->is_taken);
		flush(c, now_us);
		return;
	}
	if (c->held_n == MQTT_CLIENT_HELD_MAX) {
		mqtt_client_fail(c, MQTT_FAULT_PROTOCOL, "the broker has sent %d messages of QoS 2 and released none of them", MQTT_CLIENT_HELD_MAX);
		return;
	}
	uint64_t token = ++c->next_token;
	c->held[c->held_n++] = (struct held){ .id = p->id, .token = token };
	due_add(c, MQTT_PUBREC, p->id, token, false);
	hand_over(c, p, token, now_us);
}

void mqtt_client_on_publish(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_publish p;
	memset(&p, 0, sizeof p);
	if (mqtt_publish_read(f->flags, f->body, c->level, &p)) {
		mqtt_client_breach(c, MQTT_PUBLISH, "is malformed");
		return;
	}
	if (c->level == MQTT_5 && mqtt_props_has(&p.props, MQTT_PROP_TOPIC_ALIAS)) {
		mqtt_client_breach(c, MQTT_PUBLISH, "has a topic alias, and none was allowed");
		return;
	}
	if (p.qos == 2) {
		take_twice(c, &p, now_us);
		return;
	}
	uint64_t token = p.qos ? ++c->next_token : 0;
	if (p.qos)
		due_add(c, MQTT_PUBACK, p.id, token, false);
	hand_over(c, &p, token, now_us);
}

void mqtt_client_on_release(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us)
{
	struct mqtt_ack p;
	memset(&p, 0, sizeof p);
	if (mqtt_ack_read(MQTT_PUBREL, f->body, c->level, &p)) {
		mqtt_client_breach(c, MQTT_PUBREL, "is malformed");
		return;
	}
	struct held *h = held_find(c, p.id);
	if (h && !h->is_taken) {
		mqtt_client_breach(c, MQTT_PUBREL, "comes before its message was taken");
		return;
	}
	if (!h) { /* it did not hear our PUBCOMP */
		due_add(c, MQTT_PUBCOMP, p.id, 0, true);
		flush(c, now_us);
		return;
	}
	bool is_first = !h->release;
	h->release = is_first ? ++c->next_token : h->release;
	due_add(c, MQTT_PUBCOMP, p.id, h->release, false);
	if (c->user.released && is_first)
		c->user.released(c->user.ctx, p.id, h->release);
	else if (!c->user.released)
		mqtt_client_accept(c, h->release, now_us);
}
