/** @file From a device to the clients of its application: the way that uplinks take. */
#include "as/device_api/rooms.h"
#include "as/forwards.h"
#include "as/traffic.h"

/** @return the envelope; *ret_cid is borrowed by it */
static struct tts_up envelope(struct as *as, const struct device *d, struct cid *ret_cid)
{
	struct tts_up u = traffic_envelope(as, d);
	*ret_cid = (struct cid){ .kind = CID_AS_UP, .id = ulid_make(loop_now(as->loop)->unix_us, &as->rng) };
	u.cids = ret_cid;
	u.n_cids = 1;
	return u;
}

int device_publish_up(struct as *as, const struct device *d, const char *decoded_payload, const uint64_t *time_unix_ms)
{
	struct cid cid;
	struct tts_up u = envelope(as, d, &cid);
	traces_add(as, EVENT_AS_UP_DATA_RECEIVE, d, &cid, 1, "");
	tts_ip_uplink(traffic_json(as), &u, decoded_payload, time_unix_ms);
	as->metrics.uplinks++;
	return forwards_publish(as, d, "up", &u, (const enum event_id[]){ EVENT_AS_UP_DATA_FORWARD, EVENT_AS_UP_DATA_WAIT }, 0);
}

int device_publish_service(struct as *as, const struct device *d, const char *service, const char *data)
{
	struct cid cid;
	struct tts_up u = envelope(as, d, &cid);
	tts_service(traffic_json(as), &u, service, data);
	return forwards_publish(as, d, "service/data", &u, (const enum event_id[]){ EVENT_AS_UP_SERVICE_FORWARD, EVENT_AS_UP_SERVICE_WAIT }, 0);
}
