/** @file Telemetry of devices: kept, and published to their application. */
#include "as/core/device_api/merge.h"
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "as/telemetry.h"

enum { PAYLOAD_MAX = 1 << 20 };

/** Each record that has a time of its own is a message; those without are one together. @return 0; -errno */
static int publish_all(struct as *as, const struct device *d, const struct readings *v)
{
	AUTO(text_done) struct text json = text_growing(PAYLOAD_MAX);
	for (size_t i = 0; i < v->n_records; i++) {
		const struct record *r = &v->records[i];
		const uint64_t time_ms = (uint64_t)r->ts_ms;
		if (!r->n || !r->has_ts)
			continue;
		text_reset(&json);
		readings_json(&json, v->v + r->first, r->n);
		TRY(json.failed ? -ENOMEM : device_publish_up(as, d, json.p, &time_ms));
	}
	text_reset(&json);
	int r = merge_untimed(&json, v);
	return r < 0 ? r : r == MERGE_E_NONE ? 0 : device_publish_up(as, d, json.p, NULL);
}

enum mqtt_verdict telemetry_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	const struct value_rules rules = device_rules(as, m->device);
	struct readings *v = device_rooms_readings(as);
	int r = readings_telemetry(v, m->body, &rules, (int64_t)(loop_now(as->loop)->unix_us / MS_US));
	if (r)
		return device_refuse(as, m, r, v->problem, ret_reason);
	if (!device_may_send_points(as, m->login, (uint32_t)v->n))
		return device_exceeded(as, m, ret_reason);
	if (store_failing(as->store) || telemetry_keep_all(as, m->device, v) || publish_all(as, m->device, v))
		return device_unavailable(as, m, ret_reason);
	return device_taken(as, m);
}
