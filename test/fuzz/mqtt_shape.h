/** @file MQTT packets shaped by a few octets of chance: well-formed most of the time, with properties, so that a fuzzer gets far. */
#pragma once
#include "proto/mqtt/mqtt_write.h"

struct shape {
	const uint8_t *p;
	size_t n;
};

static inline uint8_t shape_u8(struct shape *s)
{
	if (s->n == 0)
		return 0;
	s->n--;
	return *s->p++;
}

static inline struct str shape_filter(struct shape *s)
{
	static const char *const filters[] = { "t", "a/b", "#", "+", "a/+", "t/#", "$share/g/t", "$share/g/#", "$share/h/a/+", "later/x", "drop/x",
		"forbidden/x", "a/long/topic/that/is/worth/an/alias", "$SYS/x", "bad//", "w" };
	return str_of(filters[shape_u8(s) & 15]);
}

static inline struct str shape_topic(struct shape *s)
{
	static const char *const topics[] = { "t", "a/b", "a/c", "a/long/topic/that/is/worth/an/alias", "another/topic/worth/it", "later/x", "taken/x",
		"bad/x", "", "w", "drop/x", "t/x", "$SYS/x", "close/x", "a/third/topic/worth/it", "+" };
	return str_of(topics[shape_u8(s) & 15]);
}

/* Some of the properties that a place takes, sometimes one that it does not. */
static inline void shape_props(struct shape *s, struct mqtt_props *p, const uint8_t *which, size_t n)
{
	static const uint32_t numbers[] = { 0, 1, 2, 5, 100, 0xffff, 0xffffffff, 3 };
	uint8_t wants = shape_u8(s);
	for (size_t i = 0; i < n && i < 7; i++) {
		if (!(wants >> i & 1))
			continue;
		uint8_t how = shape_u8(s);
		uint32_t u = numbers[how & 7];
		if (which[i] == MQTT_PROP_SUBSCRIPTION_ID)
			u &= 0xfffffff;
		mqtt_props_set_u(p, which[i], u);
		mqtt_props_set_s(p, which[i], str_of(how & 16 ? "r" : "text"));
	}
	if (wants & 0x80)
		mqtt_props_set_u(p, shape_u8(s) % MQTT_PROP_N, shape_u8(s));
	p->has &= ~(UINT32_C(1) << MQTT_PROP_USER);
}

static inline void shape_connect(struct shape *s, struct writer *w)
{
	static const uint8_t of_connect[] = { MQTT_PROP_SESSION_EXPIRY, MQTT_PROP_RECEIVE_MAX, MQTT_PROP_MAX_PACKET, MQTT_PROP_TOPIC_ALIAS_MAX,
		MQTT_PROP_REQUEST_PROBLEM, MQTT_PROP_REQUEST_RESPONSE };
	static const uint8_t of_will[] = { MQTT_PROP_WILL_DELAY, MQTT_PROP_MESSAGE_EXPIRY, MQTT_PROP_PAYLOAD_FORMAT, MQTT_PROP_CONTENT_TYPE,
		MQTT_PROP_RESPONSE_TOPIC, MQTT_PROP_CORRELATION };
	static const char *const ids[] = { "a", "b", "c", "" }, *const users[] = { "one", "narrow", "open", "deny" };
	uint8_t how = shape_u8(s), more = shape_u8(s);
	struct mqtt_connect c = { .level = how & 1 ? MQTT_5 : how & 2 ? MQTT_31 : MQTT_311, .is_clean = how & 4, .client_id = str_of(ids[how >> 3 & 3]),
		.keep_alive_s = how & 32 ? 3 : 0, .has_will = how & 64 };
	if (more & 1)
		c.user = (struct mqtt_optional){ true, str_of(users[more >> 1 & 3]) };
	if (c.level == MQTT_5)
		shape_props(s, &c.props, of_connect, COUNT(of_connect));
	if (c.has_will) {
		c.will_topic = shape_topic(s);
		c.will_qos = more >> 4 & 3;
		c.will_retain = more & 8;
		c.will_payload = (struct slice){ (const uint8_t *)"will", more >> 6 };
		if (c.level == MQTT_5)
			shape_props(s, &c.will_props, of_will, COUNT(of_will));
	}
	mqtt_connect_write(w, &c);
}

static inline void shape_publish(struct shape *s, struct writer *w, uint8_t level)
{
	static const uint8_t of_publish[] = { MQTT_PROP_TOPIC_ALIAS, MQTT_PROP_MESSAGE_EXPIRY, MQTT_PROP_PAYLOAD_FORMAT, MQTT_PROP_CONTENT_TYPE,
		MQTT_PROP_RESPONSE_TOPIC, MQTT_PROP_CORRELATION };
	uint8_t how = shape_u8(s);
	struct mqtt_publish p = { .qos = how % 3, .retain = how & 4, .is_dup = (how & 8) && how % 3, .topic = shape_topic(s) };
	p.id = p.qos ? 1 + (how >> 4 & 7) : 0;
	size_t n = how & 128 ? 60 : how >> 6 & 1;
	p.payload = (struct slice){ (const uint8_t *)"sixty octets of payload, so that some packets are too large.", n };
	if (level == MQTT_5)
		shape_props(s, &p.props, of_publish, COUNT(of_publish));
	mqtt_publish_head_write(w, level, &p);
	writer_put(w, p.payload.p, n);
}

static inline void shape_filters(struct shape *s, struct writer *w, uint8_t type, uint8_t level)
{
	struct mqtt_filter v[4];
	uint8_t how = shape_u8(s);
	size_t n = 1 + (how & 3);
	uint8_t id = shape_u8(s) % 200, body[400];
	struct writer b = writer_of(body, sizeof body);
	for (size_t i = 0; i < n; i++) {
		uint8_t o = shape_u8(s);
		v[i] = (struct mqtt_filter){ .filter = shape_filter(s), .qos = o % 3, .no_local = o & 4, .retain_as_published = o & 8, .retain_handling = (o >> 4) % 3 };
	}
	mqtt_filters_write(&b, type, 1 + (how >> 2 & 7), level, v, n);
	if (type != MQTT_SUBSCRIBE || level != MQTT_5 || !(how & 128) || b.len > 120 || body[4] != 0) {
		writer_put(w, body, b.len);
		return;
	}
	writer_u8(w, body[0]); /* the same with a subscription identifier */
	writer_u8(w, (uint8_t)(b.len - 2 + 2));
	writer_put(w, body + 2, 2);
	writer_put(w, (const uint8_t[]){ 2, 0x0b, (uint8_t)(id & 127) }, 3);
	writer_put(w, body + 5, b.len - 5);
}

/** Write one packet of any type that a client sends. */
static inline void shape_packet(struct shape *s, struct writer *w, uint8_t level)
{
	static const uint8_t reasons[] = { 0, 0, 0x10, 0x80, 0x92, 0x04, 0x97, 1 };
	uint8_t type = shape_u8(s) & 15, how = shape_u8(s);
	switch (type) {
	case MQTT_CONNECT: shape_connect(s, w); break;
	case 0:
	case MQTT_CONNACK:
	case MQTT_PUBLISH: shape_publish(s, w, level); break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP: mqtt_ack_write(w, type, 1 + (how & 7), level, reasons[how >> 3 & 7], STR("")); break;
	case MQTT_SUBACK:
	case MQTT_SUBSCRIBE: shape_filters(s, w, MQTT_SUBSCRIBE, level); break;
	case MQTT_UNSUBACK:
	case MQTT_UNSUBSCRIBE: shape_filters(s, w, MQTT_UNSUBSCRIBE, level); break;
	case MQTT_DISCONNECT: mqtt_disconnect_write(w, level, reasons[how & 7], STR("")); break;
	default: mqtt_ping_write(w, MQTT_PINGREQ); break;
	}
}
