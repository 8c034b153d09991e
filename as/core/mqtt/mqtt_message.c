/** @file Messages: encoded once, counted, shared by all who wait for them. */
#include "as/core/mqtt/mqtt_inside.h"
#include <stdlib.h>
#include <string.h>

struct mqtt_msg *mqtt_message_new(struct mqtt_engine *e, struct str topic, struct slice payload, struct slice props, uint8_t qos)
{
	size_t room = 2 + topic.n + payload.n + props.n;
	struct mqtt_msg *m = malloc(sizeof *m + room);
	if (!m)
		return NULL;
	*m = (struct mqtt_msg){ .refs = 1, .topic_n = topic.n, .payload_n = payload.n, .cost = sizeof *m + room, .qos = qos };
	struct writer w = writer_of(m->bytes, room);
	mqtt_str_write(&w, topic);
	if (payload.n)
		writer_put(&w, payload.p, payload.n);
	size_t before = w.len;
	mqtt_props_forward(&w, props);
	m->props_n = w.len - before;
	e->stats.message_bytes += m->cost;
	return m;
}

struct mqtt_msg *mqtt_message_ref(struct mqtt_msg *m)
{
	m->refs++;
	return m;
}

void mqtt_message_free(struct mqtt_engine *e, struct mqtt_msg *m)
{
	if (!m || --m->refs)
		return;
	e->stats.message_bytes -= m->cost;
	free(m);
}

bool mqtt_message_is_as_said(const struct mqtt_props *props, struct slice payload)
{
	return mqtt_props_u(props, MQTT_PROP_PAYLOAD_FORMAT, 0) != 1 || utf8_valid((struct str){ (const char *)payload.p, payload.n });
}

struct str mqtt_message_topic(const struct mqtt_msg *m)
{
	return (struct str){ (const char *)m->bytes + 2, m->topic_n };
}

struct slice mqtt_message_payload(const struct mqtt_msg *m)
{
	return (struct slice){ m->bytes + 2 + m->topic_n, m->payload_n };
}

struct slice mqtt_message_props(const struct mqtt_msg *m)
{
	return (struct slice){ m->bytes + 2 + m->topic_n + m->payload_n, m->props_n };
}
