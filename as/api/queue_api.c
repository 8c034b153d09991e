/** @file The downlink queue over HTTP: push, replace, list. */
#include "as/api/api.h"
#include "as/downlinks.h"
#include <stdlib.h>

/** A request that is answered once its items are on disk. */
struct down_call {
	struct http_request *r; /**< NULL: the asker has gone */
	struct downlinks_result result;
};

static void asker_gone(void *ctx)
{
	struct down_call *d = ctx;
	d->r = NULL;
}

static int status_of(const struct down_error *e)
{
	enum { NOT_FOUND = 5, EXHAUSTED = 8 };
	return e->code == NOT_FOUND ? 404 : e->code == EXHAUSTED ? 429 : 400;
}

static void durable(void *ctx)
{
	struct down_call *d = ctx;
	if (d->r && d->result.error)
		http_reply_error(d->r, status_of(d->result.error), d->result.message);
	else if (d->r)
		http_reply_json(d->r, 200, STR("{}"));
	free(d);
}

static void send_items(void *ctx, struct http_request *r, bool is_replace)
{
	struct api_call c;
	if (api_begin(&c, ctx, r,
		    &(struct api_need){
			    .what = API_APP | API_CHANGE, .right = RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE }))
		return;
	struct down_call *d = calloc(1, sizeof *d);
	const char *device_id = http_param(r, "device_id");
	if (!d || !id_valid(str_of(device_id))) {
		api_error(&c, d ? 400 : 503, d ? "device_id" : "", d ? "not a device id" : "no memory");
		free(d);
	} else {
		d->r = r;
		http_on_close(r, asker_gone, d);
		int e = downlinks_request(
			c.as, c.app, device_id, http_body(r), is_replace, durable, d, &d->result);
		if (e) {
			http_on_close(r, NULL, NULL);
			api_fail(&c, e);
			free(d);
		}
	}
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
	struct api_call c;
	if (api_begin(&c, ctx, r,
		    &(struct api_need){
			    .what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_TRAFFIC_READ }))
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
	json_close(&c.out, ']');
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

#define QUEUE_PATH "/api/v3/as/applications/{application_id}/devices/{device_id}/down"
const struct http_route downlinks_routes[] = {
	{ HTTP_POST, QUEUE_PATH "/push", push },
	{ HTTP_POST, QUEUE_PATH "/replace", replace },
	{ HTTP_GET, QUEUE_PATH, list },
	{ .path = NULL },
};
