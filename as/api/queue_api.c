/** @file The downlink queue over HTTP: push, replace, list. */
#include "as/api/api.h"
#include "as/device_api/push.h"
#include "as/downlinks.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 1 << 16 };

static int status_of(const struct down_error *e)
{
	enum { NOT_FOUND = 5, EXHAUSTED = 8 };
	return e->code == NOT_FOUND ? 404 : e->code == EXHAUSTED ? 429 : 400;
}

/** What a request has come to. */
static void answer(struct api_call *c, const struct downlinks_result *result, const char *about)
{
	(void)about;
	if (result->error && result->queued) {
		api_error(c, status_of(result->error), "",
			"%zu of %zu items refused, the others are queued: %s", result->refused,
			result->refused + result->queued, result->message);
	} else if (result->error) {
		api_error(c, status_of(result->error), "", "%s", result->message);
	} else {
		text_puts(&c->out, "{}");
		api_commit(c);
	}
}

struct downlinks_patience {
	struct as *as;
	struct http_request *r; /**< NULL: the peer is gone */
	downlinks_teller *tell;
	char about[];
};

static void peer_gone(void *ctx)
{
	((struct downlinks_patience *)ctx)->r = NULL;
}

static void encoded(void *ctx, int e, const struct downlinks_result *result)
{
	struct downlinks_patience *p = ctx;
	struct api_call c = { .as = p->as, .r = p->r, .object = -1, .out = text_growing(ANSWER_MAX) };
	if (p->r && e == -ENODEV)
		api_error(&c, 404, "", "the device was deleted while its formatter was at work");
	else if (p->r && e)
		api_error(&c, 503, "", "the server ends now: it goes on with the downlinks when it is started again");
	else if (p->r)
		p->tell(&c, result, p->about);
	api_done(&c);
	free(p);
}

void api_downlinks(struct api_call *c, const char *device_id, struct str body, bool is_replace, downlinks_teller *tell, const char *about)
{
	struct downlinks_result result;
	struct downlinks_patience *p = malloc(sizeof *p + strlen(about) + 1);
	int e = -ENOMEM;
	if (p) {
		*p = (struct downlinks_patience){ c->as, c->r, tell };
		memcpy(p->about, about, strlen(about) + 1);
		e = downlinks_request(c->as, c->app, device_id, body, is_replace, &(struct downlinks_waiter){ encoded, p }, &result);
	}
	if (e == DOWNLINKS_E_LATER) {
		http_on_close(c->r, peer_gone, p);
		return;
	}
	free(p);
	if (e)
		api_fail(c, e);
	else
		tell(c, &result, about);
}

void api_send_downlinks(struct api_call *c, bool is_replace)
{
	api_downlinks(c, http_param(c->r, "device_id"), http_body(c->r), is_replace, answer, "");
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
