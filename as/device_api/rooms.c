/** @file Which file takes which message of a device, and what they share. */
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>

enum { REASON_UNAVAILABLE = 0x88 };

struct device_rooms {
	struct readings readings;
};

struct readings *device_rooms_readings(struct as *as)
{
	return &as->device_rooms->readings;
}

static enum mqtt_verdict take_other(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	return device_drop(as, m, DEVICE_DROP_TOPIC, "no topic of the device API", ret_reason);
}

/** What the application says that the topic means. */
static enum device_topic meaning_of(const struct as *as, const struct device_message *m)
{
	const struct device_profile *p = profiles_of(&as->profiles, m->device->app);
	if (p && p->attributes[0] && mqtt_topic_match(str_of(p->attributes), m->pub->topic))
		return TOPIC_ATTRIBUTES;
	return p && p->telemetry[0] && mqtt_topic_match(str_of(p->telemetry), m->pub->topic) ? TOPIC_TELEMETRY : TOPIC_OTHER;
}

struct value_rules device_rules(const struct as *as, const struct device *d)
{
	const struct device_profile *p = profiles_of(&as->profiles, d->app);
	return (struct value_rules){ .casts = !p || !p->keeps_texts };
}

enum mqtt_verdict device_rooms_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	static enum mqtt_verdict (*const takers[])(struct as *as, struct device_message *m, uint8_t *ret_reason) = {
		[TOPIC_OTHER] = take_other,
		[TOPIC_TELEMETRY] = telemetry_take,
		[TOPIC_ATTRIBUTES] = device_attributes_take,
		[TOPIC_ATTRIBUTES_REQUEST] = device_attributes_answer,
		[TOPIC_RPC_RESPONSE] = rpc_response_take,
		[TOPIC_RPC_REQUEST] = rpc_request_take,
		[TOPIC_CLAIM] = claims_take,
		[TOPIC_PROVISION] = take_other,
	};
	if (m->said.topic == TOPIC_OTHER)
		m->said.topic = meaning_of(as, m);
	return takers[m->said.topic](as, m, ret_reason);
}

void device_rooms_online(struct as *as, struct device *d)
{
	shared_online(as, d);
	rpcs_online(as, d->entry.uid);
}

void device_rooms_told(struct as *as, uint64_t device, uint64_t cookie)
{
	if (cookie & RPC_COOKIE)
		rpcs_told(as, device, cookie);
	else if (cookie & ATTRIBUTE_COOKIE)
		shared_told(as, device, cookie);
}

enum mqtt_verdict device_refuse(struct as *as, const struct device_message *m, int r, const char *problem, uint8_t *ret_reason)
{
	if (r == -ENOMEM)
		return device_unavailable(as, m, ret_reason);
	return device_drop(as, m, DEVICE_DROP_PAYLOAD, problem ? problem : "no JSON of the device API", ret_reason);
}

enum mqtt_verdict device_unavailable(struct as *as, const struct device_message *m, uint8_t *ret_reason)
{
	(void)device_drop(as, m, DEVICE_DROP_STORE, "the store cannot take it now", ret_reason);
	*ret_reason = REASON_UNAVAILABLE;
	return m->pub->qos && !m->pub->is_will ? MQTT_CLOSE : MQTT_DROP;
}

int device_rooms_start(struct as *as, struct text *err)
{
	(void)err;
	as->device_rooms = calloc(1, sizeof *as->device_rooms);
	return as->device_rooms ? 0 : -ENOMEM;
}

void device_rooms_stop(struct as *as)
{
	if (as->device_rooms)
		readings_done(&as->device_rooms->readings);
	free(as->device_rooms);
	as->device_rooms = NULL;
}
