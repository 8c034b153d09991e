/** @file The downlink queue over HTTP: push, replace, list. */
#include "as/api/api.h"
#include "as/device_api/push.h"
#include "as/downlinks.h"

static int status_of(const struct down_error *e)
{
	enum { NOT_FOUND = 5, EXHAUSTED = 8 };
	return e->code == NOT_FOUND ? 404 : e->code == EXHAUSTED ? 429 : 400;
}

void api_send_downlinks(struct api_call *c, bool is_replace)
{
	struct downlinks_result result;
	int e = downlinks_request(c->as, c->app, http_param(c->r, "device_id"), http_body(c->r), is_replace, &result);
	if (e) {
		api_fail(c, e);
	} else if (result.error && result.queued) {
		api_error(c, status_of(result.error), "",
			"%zu of %zu items refused, the others are queued: %s", result.refused,
			result.refused + result.queued, result.message);
	} else if (result.error) {
		api_error(c, status_of(result.error), "", "%s", result.message);
	} else {
		text_puts(&c->out, "{}");
		api_commit(c);
	}
}

static void send_items(void *ctx, struct http_request *r, bool is_replace)
{
	const struct api_need need = {
		.what = API_APP | (is_replace ? 0 : API_CHANGE), .right = RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE};
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	api_send_downlinks(&c, is_replace);
	api_done(&c);
}

static void push(void *ctx, struct http_request *r)
{
	send_items(ctx, r, false);
}

static void replace(void *ctx, struct http_request *r)
{
	send_items(ctx, r, true);
}

static void list(void *ctx, struct http_request *r)
{
	static const struct api_need need = {
		.what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_TRAFFIC_READ};
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct device_traffic *t = traffic_of(c.as, c.device->entry.uid, false);
	json_open(&c.out, '{');
	json_name(&c.out, "downlinks");
	json_open(&c.out, '[');
	for (const struct item *i = t ? t->queue.first : NULL; i; i = i->next) {
		struct tts_downlink d = item_show(i, false);
		if (i->state == ITEM_WAITING)
			tts_downlink_object(&c.out, &d);
	}
	device_push_list(c.as, c.device, &c.out);
	json_close(&c.out, ']');
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

#define QUEUE_PATH "/api/v3/as/applications/{application_id}/devices/{device_id}/down"
const struct api_route downlinks_routes[] = {
	{ HTTP_POST, QUEUE_PATH "/push", push,
		"APPLICATION_TRAFFIC_DOWN_WRITE", "Add items to a device's downlink queue", "@Downlinks", "@Empty", "" },
	{ HTTP_POST, QUEUE_PATH "/replace", replace,
		"APPLICATION_TRAFFIC_DOWN_WRITE", "Put these items in the place of a device's downlink queue", "@Downlinks", "@Empty", "" },
	{ HTTP_GET, QUEUE_PATH, list,
		"APPLICATION_TRAFFIC_READ", "List a device's downlink queue", "", "@Downlinks", "" },
	{ .path = NULL },
};
