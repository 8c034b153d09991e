/** @file Attributes of devices: what they say of themselves, and what they ask for. */
#include "as/attributes.h"
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "common/core/json_out.h"

enum { PAYLOAD_MAX = 1 << 20, KEYS_MAX = 16 << 10 };

enum mqtt_verdict device_attributes_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	const struct value_rules rules = device_rules(as, m->device);
	AUTO(text_done) struct text json = text_growing(PAYLOAD_MAX);
	struct readings *v = device_rooms_readings(as);
	int r = readings_attributes(v, m->body, &rules, (int64_t)(loop_now(as->loop)->unix_us / MS_US));
	if (r)
		return device_refuse(as, m, r, v->problem, ret_reason);
	if (!device_may_send_points(as, m->login, (uint32_t)v->n))
		return device_exceeded(as, m, ret_reason);
	readings_json(&json, v->v, v->n);
	if (json.failed || store_failing(as->store))
		return device_unavailable(as, m, ret_reason);
	r = v->n ? attributes_set(as, m->device, ATTRIBUTES_CLIENT, v->v, v->n) : 0;
	if (r == ATTRIBUTES_E_FULL)
		return device_refuse(as, m, -EBADMSG, "these would be more attributes than a device may have", ret_reason);
	if (!r && v->n)
		r = device_publish_service(as, m->device, "attributes", json.p);
	return r ? device_unavailable(as, m, ret_reason) : device_taken(as, m);
}

/** "a,b", also as the only element of an array, as ThingsBoard reads it. @return 0; -ENOENT absent; -EBADMSG */
static int read_keys(const struct json *j, const char *name, char ret[KEYS_MAX])
{
	json_val v = json_get(j, json_root(j), name);
	if (v >= 0 && json_type(j, v) == JSON_ARRAY && json_count(j, v) == 1)
		v = json_first(j, v);
	int r = json_string(j, v, ret, KEYS_MAX);
	return r == -ENOENT || r == 0 ? r : -EBADMSG;
}

/** A scope without any of the keys is left out. */
static int write_scope(struct as *as, const struct device *d, enum attribute_scope scope, const char *keys, struct text *t)
{
	AUTO(text_done) struct text own = text_growing(PAYLOAD_MAX);
	int n = attributes_json(as, d, scope, keys, &own);
	if (n < 0 || own.failed)
		return n < 0 ? n : -ENOMEM;
	if (n == 0)
		return 0;
	json_name(t, attributes_scope_name(scope));
	json_raw_out(t, text_str(&own));
	return 0;
}

/** @return 0; -EBADMSG; -errno */
static int write_answer(struct as *as, const struct device *d, const struct json *j, struct text *t)
{
	char client[KEYS_MAX], shared[KEYS_MAX];
	int c = json_type(j, json_root(j)) == JSON_OBJECT ? read_keys(j, "clientKeys", client) : -EBADMSG;
	int s = c == -EBADMSG ? c : read_keys(j, "sharedKeys", shared);
	if (c == -EBADMSG || s == -EBADMSG)
		return -EBADMSG;
	bool is_all = c && s;
	json_open(t, '{');
	if (is_all || !c)
		TRY(write_scope(as, d, ATTRIBUTES_CLIENT, is_all ? NULL : client, t));
	if (is_all || !s)
		TRY(write_scope(as, d, ATTRIBUTES_SHARED, is_all ? NULL : shared, t));
	json_close(t, '}');
	return t->failed ? -ENOMEM : 0;
}

enum mqtt_verdict device_attributes_answer(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	struct lenient *l = &device_rooms_readings(as)->json;
	AUTO(text_done) struct text t = text_growing(2 * PAYLOAD_MAX);
	char topic[DEVICE_TOPIC_MAX];
	struct text where = text_fixed(topic, sizeof topic);
	int r = lenient_read(l, m->body, NULL);
	if (!r)
		r = write_answer(as, m->device, &l->json, &t);
	if (r == -EBADMSG || r == -E2BIG)
		return device_refuse(as, m, r, "a request is an object with clientKeys and sharedKeys, as \"a,b\"", ret_reason);
	if (r)
		return device_unavailable(as, m, ret_reason);
	device_topic_answer(&where, ANSWER_ATTRIBUTES_RESPONSE, m->said.family, m->said.id);
	(void)device_door_answer(as, m->login->number, topic, text_str(&t));
	return MQTT_TAKEN;
}
