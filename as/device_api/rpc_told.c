/** @file Calls to devices that came as downlinks, told as such. */
#include "as/device_api/rpc_told.h"
#include "as/device_api/rooms.h"
#include "as/forwards.h"
#include "as/traffic.h"
#include "as/unlinked.h"

/** @param room  where decoded_payload is written; borrowed by the result */
static struct tts_downlink shown(const struct rpc *r, struct text *room)
{
	rpc_body(room, r);
	return (struct tts_downlink){ .confirmed = r->is_confirmed, .item = &r->id, .decoded_payload = room->p, .own_cids = r->own_cids,
		.own_cids_n = r->own_cids_n };
}

static void write(struct as *as, const struct device *d, const struct rpc *r, enum tts_down_kind k, struct tts_error *e, struct text *ret)
{
	const struct cid cid = { .kind = CID_AS_DOWNLINK, .id = r->id };
	AUTO(text_done) struct text room = text_growing(2 * RPC_BODY_MAX);
	struct tts_up u = traffic_envelope(as, d);
	struct tts_downlink shows = shown(r, &room);
	u.cids = &cid;
	u.n_cids = 1;
	u.own_cids = r->own_cids;
	u.own_cids_n = r->own_cids_n;
	tts_down(ret, &u, k, &shows, e);
}

void rpc_told_queued(struct as *as, const struct device *d, const struct rpc *r, struct text *ret)
{
	write(as, d, r, TTS_QUEUED, NULL, ret);
}

static void publish(struct as *as, const struct rpc *r, enum tts_down_kind k, enum event_id event, struct tts_error *e)
{
	const struct device *d = registry_device_by_uid(&as->registry, r->device);
	const struct cid cid = { .kind = CID_AS_DOWNLINK, .id = r->id };
	struct text *t = traffic_json(as);
	if (!d)
		return;
	write(as, d, r, k, e, t);
	int waits = unlinked_publish(as, d, tts_down_topic(k), text_str(t));
	if (waits >= 0)
		forwards_tell(as, event, &(struct traces_of){ .device = d, .own = r->own_cids, .own_n = r->own_cids_n }, &cid, 1,
			&(struct forward){ .waits = waits, .error = e ? e->row->name : NULL, .message = e ? e->row->message_format : NULL });
}

void rpc_told_delivered(struct as *as, const struct rpc *r)
{
	if (r->is_push)
		publish(as, r, TTS_SENT, EVENT_AS_DOWN_DATA_SENT_FORWARD, NULL);
}

void rpc_told_over(struct as *as, const struct rpc *r)
{
	struct tts_error e = { .row = down_error_find(STR("downlink_expired")), .id = ulid_make(loop_now(as->loop)->unix_us, &as->rng) };
	const struct device *d = registry_device_by_uid(&as->registry, r->device);
	if (r->is_push && r->state == RPC_EXPIRED)
		publish(as, r, TTS_FAILED, EVENT_AS_DOWN_DATA_FAILED_FORWARD, &e);
	else if (r->is_push && r->is_confirmed)
		publish(as, r, TTS_ACK, EVENT_AS_DOWN_DATA_ACK_FORWARD, NULL);
	if (!d || !r->persistent || (r->is_push && !r->response))
		return;
	AUTO(text_done) struct text t = text_growing(RPC_RECORD_MAX);
	rpc_write(&t, r);
	if (!t.failed)
		(void)device_publish_service(as, d, "rpc", t.p);
}
