/** @file Writing MQTT packets. */
#include "proto/mqtt/mqtt_write.h"

static const struct mqtt_props none = { 0 };

void mqtt_head_write(struct writer *w, uint8_t first, size_t remaining)
{
	if (remaining > 268435455)
		w->failed = true;
	writer_u8(w, first);
	mqtt_varint_write(w, (uint32_t)remaining);
}

void mqtt_connack_write(struct writer *w, uint8_t level, bool has_session, uint8_t code, const struct mqtt_props *props)
{
	props = props ? props : &none;
	mqtt_head_write(w, MQTT_CONNACK << 4, 2 + (level == MQTT_5 ? mqtt_props_size(props) : 0));
	writer_u8(w, has_session && level != MQTT_31); /* of 3.1 the octet is reserved */
	writer_u8(w, code);
	if (level == MQTT_5)
		mqtt_props_write(w, props);
}

static uint8_t first_octet(uint8_t type)
{
	bool has_two = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
	return (uint8_t)(type << 4 | (has_two ? 2 : 0));
}

static struct mqtt_props props_of_why(struct str why)
{
	struct mqtt_props props = { 0 };
	if (why.n)
		mqtt_props_set_s(&props, MQTT_PROP_REASON_STRING, why);
	return props;
}

void mqtt_ack_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, uint8_t reason, struct str why)
{
	if (level != MQTT_5 || (reason == 0 && why.n == 0)) {
		mqtt_head_write(w, first_octet(type), 2);
		writer_be16(w, id);
		return;
	}
	struct mqtt_props props = props_of_why(why);
	mqtt_head_write(w, first_octet(type), 3 + (why.n ? mqtt_props_size(&props) : 0));
	writer_be16(w, id);
	writer_u8(w, reason);
	if (why.n)
		mqtt_props_write(w, &props);
}

void mqtt_suback_head_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, size_t n, struct str why)
{
	bool has_codes = type == MQTT_SUBACK || level == MQTT_5;
	struct mqtt_props props = props_of_why(why);
	mqtt_head_write(w, first_octet(type), 2 + (level == MQTT_5 ? mqtt_props_size(&props) : 0) + (has_codes ? n : 0));
	writer_be16(w, id);
	if (level == MQTT_5)
		mqtt_props_write(w, &props);
}

void mqtt_ping_write(struct writer *w, uint8_t type)
{
	mqtt_head_write(w, first_octet(type), 0);
}

void mqtt_disconnect_write(struct writer *w, uint8_t level, uint8_t reason, struct str why)
{
	if (level != MQTT_5 || (reason == 0 && why.n == 0)) {
		mqtt_head_write(w, first_octet(MQTT_DISCONNECT), 0);
		return;
	}
	struct mqtt_props props = props_of_why(why);
	mqtt_head_write(w, first_octet(MQTT_DISCONNECT), 1 + (why.n ? mqtt_props_size(&props) : 0));
	writer_u8(w, reason);
	if (why.n)
		mqtt_props_write(w, &props);
}

static size_t connect_size(const struct mqtt_connect *c)
{
	size_t n = (c->level == MQTT_31 ? 8U : 6U) + 4 + 2 + c->client_id.n;
	if (c->level == MQTT_5)
		n += mqtt_props_size(&c->props) + (c->has_will ? mqtt_props_size(&c->will_props) : 0);
	if (c->has_will)
		n += 4 + c->will_topic.n + c->will_payload.n;
	if (c->user.is_present)
		n += 2 + c->user.s.n;
	if (c->password.is_present)
		n += 2 + c->password.s.n;
	return n;
}

void mqtt_connect_write(struct writer *w, const struct mqtt_connect *c)
{
	mqtt_head_write(w, MQTT_CONNECT << 4, connect_size(c));
	mqtt_str_write(w, c->level == MQTT_31 ? STR("MQIsdp") : STR("MQTT"));
	writer_u8(w, c->level);
	unsigned will = c->has_will ? 4U | (unsigned)c->will_qos << 3 | (c->will_retain ? 0x20U : 0) : 0;
	writer_u8(w, (uint8_t)((c->is_clean ? 2U : 0) | will | (c->password.is_present ? 0x40U : 0) | (c->user.is_present ? 0x80U : 0)));
	writer_be16(w, c->keep_alive_s);
	if (c->level == MQTT_5)
		mqtt_props_write(w, &c->props);
	mqtt_str_write(w, c->client_id);
	if (c->has_will) {
		if (c->level == MQTT_5)
			mqtt_props_write(w, &c->will_props);
		mqtt_str_write(w, c->will_topic);
		mqtt_str_write(w, (struct str){ (const char *)c->will_payload.p, c->will_payload.n });
	}
	if (c->user.is_present)
		mqtt_str_write(w, c->user.s);
	if (c->password.is_present)
		mqtt_str_write(w, c->password.s);
}

void mqtt_publish_head_write(struct writer *w, uint8_t level, const struct mqtt_publish *p)
{
	size_t props = level == MQTT_5 ? mqtt_props_size(&p->props) : 0;
	unsigned flags = (p->is_dup ? 8U : 0) | (unsigned)p->qos << 1 | (p->retain ? 1U : 0);
	mqtt_head_write(w, (uint8_t)(MQTT_PUBLISH << 4 | flags), 2 + p->topic.n + (p->qos ? 2 : 0) + props + p->payload.n);
	mqtt_str_write(w, p->topic);
	if (p->qos)
		writer_be16(w, p->id);
	if (level == MQTT_5)
		mqtt_props_write(w, &p->props);
}

void mqtt_filters_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, const struct mqtt_filter *v, size_t n)
{
	size_t size = level == MQTT_5 ? 3 : 2;
	for (size_t i = 0; i < n; i++)
		size += (type == MQTT_SUBSCRIBE ? 3U : 2U) + v[i].filter.n;
	mqtt_head_write(w, first_octet(type), size);
	writer_be16(w, id);
	if (level == MQTT_5)
		writer_u8(w, 0);
	for (size_t i = 0; i < n; i++) {
		mqtt_str_write(w, v[i].filter);
		unsigned five = (v[i].no_local ? 4U : 0) | (v[i].retain_as_published ? 8U : 0) | (unsigned)v[i].retain_handling << 4;
		if (type == MQTT_SUBSCRIBE)
			writer_u8(w, (uint8_t)(v[i].qos | (level == MQTT_5 ? five : 0)));
	}
}
