/** @file Attributes of devices: what they say of themselves, and what they are told. */
#include "as/device_api/rooms.h"
#include "as/store.h"

enum { PAYLOAD_MAX = 1 << 20 };

enum mqtt_verdict device_attributes_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	const struct value_rules rules = device_rules(as, m->device);
	AUTO(text_done) struct text json = text_growing(PAYLOAD_MAX);
	struct readings *v = device_rooms_readings(as);
	int r = readings_attributes(v, m->body, &rules, (int64_t)(loop_now(as->loop)->unix_us / MS_US));
	if (r)
		return device_refuse(as, m, r, v->problem, ret_reason);
	readings_json(&json, v->v, v->n);
	if (json.failed || store_failing(as->store) || (v->n && device_publish_service(as, m->device, "attributes", json.p)))
		return device_unavailable(as, m, ret_reason);
	return device_taken(as, m);
}
