/** @file down/push and down/replace to devices that speak IP. */
#include "as/device_api/push.h"
#include "as/core/registry/json_copy.h"
#include "as/device_api/rpcs.h"
#include <string.h>

/** How long a push waits for a device that is away. */
#define PUSH_US (7 * UINT64_C(86400) * SEC_US)

static int refuse(struct tts_error *err, const char *name)
{
	err->row = down_error_find(str_of(name));
	return TTS_E_REFUSED;
}

/** @return 0; TTS_E_REFUSED */
static int read_call(const struct json *j, json_val payload, struct text *room, struct rpc_wish *ret, struct tts_error *err)
{
	json_val method = json_get(j, payload, "method"), params = json_get(j, payload, "params");
	*ret = (struct rpc_wish){ .method = "downlink", .params = STR("{}"), .persistent = true, .timeout_us = PUSH_US };
	if (payload < 0 || json_type(j, payload) != JSON_OBJECT)
		return refuse(err, "no_payload");
	bool is_call = method >= 0 && json_type(j, method) == JSON_STRING;
	if (is_call && (json_string(j, method, ret->method, sizeof ret->method) || !ret->method[0]))
		return refuse(err, "no_payload");
	json_copy(room, j, is_call ? params : payload);
	if (room->failed || room->len > RPC_BODY_MAX) {
		err->num_attribute[0] = "length";
		err->num_value[0] = room->len;
		err->num_attribute[1] = "max";
		err->num_value[1] = RPC_BODY_MAX;
		return refuse(err, "payload_too_long");
	}
	if (room->len)
		ret->params = text_str(room);
	return 0;
}

int device_push_item(struct as *as, const struct device *d, const struct json *j, json_val item, struct text *room, struct tts_item *ret_item,
	struct rpc **ret, struct tts_downlink *ret_shown, struct tts_error *err)
{
	struct rpc_wish w;
	struct problem full;
	*ret_item = (struct tts_item){ .confirmed = false };
	*err = (struct tts_error){ .row = NULL };
	(void)json_bool(j, json_get(j, item, "confirmed"), &ret_item->confirmed);
	int r = tts_request_cids(j, item, ret_item, err);
	*ret_shown = (struct tts_downlink){ .confirmed = ret_item->confirmed, .own_cids = ret_item->own_cids, .own_cids_n = ret_item->own_cids_n };
	if (!r)
		r = read_call(j, json_get(j, item, "decoded_payload"), room, &w, err);
	if (r)
		return r;
	w.oneway = !ret_item->confirmed;
	ret_shown->decoded_payload = room->len && room->p[0] == '{' ? room->p : NULL;
	r = rpcs_push(as, d, &w, ret_item, ret, &full);
	if (r != REGISTRY_E_FULL)
		return r;
	err->num_attribute[0] = "max";
	err->num_value[0] = RPC_PER_DEVICE;
	return refuse(err, "queue_full");
}

void device_push_clear(struct as *as, const struct device *d)
{
	for (struct rpc *r = rpcs_of(as, d), *next; r; r = next) {
		next = r->next;
		if (r->is_push && r->state == RPC_QUEUED)
			rpcs_delete(as, r);
	}
}

void device_push_list(struct as *as, const struct device *d, struct text *ret)
{
	for (const struct rpc *r = rpcs_of(as, d); r; r = r->next) {
		AUTO(text_done) struct text room = text_growing(2 * RPC_BODY_MAX);
		rpc_body(&room, r);
		struct tts_downlink shown = { .confirmed = r->is_confirmed, .item = &r->id, .decoded_payload = room.p, .own_cids = r->own_cids,
			.own_cids_n = r->own_cids_n };
		if (r->is_push && r->state == RPC_QUEUED && !room.failed)
			tts_downlink_object(ret, &shown);
	}
}
