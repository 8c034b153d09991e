/** @file Calls to devices, and answers to theirs, over HTTP. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/registry/json_copy.h"
#include "as/device_api/asks.h"
#include "as/device_api/rpcs.h"
#include "as/downlinks.h"

static void tell_queued(struct api_call *c, const struct downlinks_result *result, const char *method)
{
	if (result->error) {
		api_error(c, 400, "params", "a LoRaWAN device is called by a downlink, with f_port and frm_payload, or decoded_payload, as params: %s",
			result->message);
		return;
	}
	json_open(&c->out, '{');
	json_name(&c->out, "method");
	json_puts(&c->out, method);
	json_name(&c->out, "status");
	json_puts(&c->out, "QUEUED");
	json_close(&c->out, '}');
	api_commit(c);
}

/** What a LoRaWAN device is called with is a downlink: its params are the item. Answers c. */
static void call_lorawan(struct api_call *c, const struct rpc_wish *w)
{
	AUTO(text_done) struct text body = text_growing(2 * RPC_BODY_MAX);
	text_printf(&body, "{\"downlinks\":[%.*s]}", STR_ARG(w->params));
	if (body.failed)
		api_fail(c, -ENOMEM);
	else
		api_downlinks(c, c->device->id, text_str(&body), false, tell_queued, w->method);
}

static void begin_persistent(struct api_call *c, struct rpc *made)
{
	rpc_write(&c->out, made);
	api_commit(c);
	rpcs_send(c->as, made);
}

static void call(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY | API_CHANGE, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE, NULL };
	AUTO(text_done) struct text room = text_growing(2 * RPC_BODY_MAX);
	struct rpc_wish w;
	struct rpc *made;
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = rpc_read(&c.body, c.object, loop_now(c.as->loop)->unix_us, &room, &w, &c.problem);
	bool is_lorawan = !e && device_is_lorawan(c.device);
	if (is_lorawan)
		call_lorawan(&c, &w);
	else if (!e)
		e = rpcs_call(c.as, c.device, &w, &made, &c.problem);
	if (e)
		api_fail(&c, e);
	else if (!is_lorawan && w.persistent)
		begin_persistent(&c, made);
	else if (!is_lorawan)
		rpcs_wait(c.as, made, r);
	api_done(&c);
}

static void list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_TRAFFIC_READ, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	json_open(&c.out, '{');
	json_name(&c.out, "calls");
	json_open(&c.out, '[');
	for (const struct rpc *it = rpcs_of(c.as, c.device); it; it = it->next)
		rpc_write(&c.out, it);
	json_close(&c.out, ']');
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

static struct rpc *find(struct api_call *c)
{
	struct rpc *it = rpcs_find(c->as, c->device, str_of(http_param(c->r, "rpc_id")));
	if (!it)
		api_error(c, 404, "", "the device has no call %s; one that is not persistent is gone once it is over", http_param(c->r, "rpc_id"));
	return it;
}

static void get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_TRAFFIC_READ, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	const struct rpc *it = find(&c);
	if (it) {
		rpc_write(&c.out, it);
		api_reply(&c);
	}
	api_done(&c);
}

static void forget(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct rpc *it = find(&c);
	if (it) {
		rpcs_delete(c.as, it);
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	api_done(&c);
}

/** The application answers a call of the device: the body's `response`. */
static void answer(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE, NULL };
	AUTO(text_done) struct text json = text_growing(2 * RPC_BODY_MAX);
	struct api_call c;
	uint64_t id;
	if (api_begin(&c, ctx, r, &need))
		return;
	json_val v = json_get(&c.body, c.object, "response");
	json_copy(&json, &c.body, v);
	if (num_u64(str_of(http_param(r, "request_id")), &id) || id > INT32_MAX)
		api_error(&c, 400, "request_id", "must be the request_id of an rpc-request");
	else if (v < 0 || json.failed)
		api_error(&c, 400, "response", "%s", v < 0 ? "is missing" : "is too long");
	else if (asks_answer(c.as, c.device, (int32_t)id, text_str(&json)))
		api_error(&c, 404, "request_id", "the device does not wait for an answer of this number");
	else
		text_puts(&c.out, "{}");
	if (c.out.len)
		api_reply(&c);
	api_done(&c);
}

#define CALLS "/api/v3/as/applications/{application_id}/devices/{device_id}/rpc"
const struct api_route api_call_routes[] = {
	{ HTTP_POST, CALLS, call, "APPLICATION_TRAFFIC_DOWN_WRITE",
		"Call a device; the answer comes when it has answered, or at once where it is oneway or persistent", "@CallRequest", "@Call", "" },
	{ HTTP_GET, CALLS, list, "APPLICATION_TRAFFIC_READ", "List the calls of a device that are not over, and the persistent ones", "", "@Calls", "" },
	{ HTTP_GET, CALLS "/{rpc_id}", get, "APPLICATION_TRAFFIC_READ", "Show what a call has come to", "", "@Call", "" },
	{ HTTP_DELETE, CALLS "/{rpc_id}", forget, "APPLICATION_TRAFFIC_DOWN_WRITE", "Forget a call", "", "@Empty", "" },
	{ HTTP_POST, CALLS "/requests/{request_id}", answer, "APPLICATION_TRAFFIC_DOWN_WRITE", "Answer a call that the device has made", "@CallAnswer", "@Empty", "" },
	{ .path = NULL },
};
