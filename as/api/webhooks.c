/** @file Webhooks over HTTP: setting them, how they fare, and downlinks by way of one. */
#include "as/api/integrations.h"
#include "as/api/routes.h"
#include "as/integrations/webhooks.h"
#include <stdlib.h>
#include <string.h>

static const struct api_kind kind = { INTEGRATION_WEBHOOK, "webhook_id", "webhook" };

static void write_one(struct api_call *c, const struct integration *i)
{
	const struct webhook *w = webhooks_settings(i);
	struct text *t = &c->out;
	json_open(t, '{');
	api_integration_ids(c, &kind, i);
	if (w)
		webhook_write(t, w);
	webhooks_write_status(i, t);
	json_close(t, '}');
}

/* ---- reading them ---- */

static void get_id(const void *i, struct text *ret) { text_puts(ret, ((const struct integration *)i)->id); }
static void get_created(const void *i, struct text *ret)
{
	const struct webhook *w = webhooks_settings(i);
	api_sortable(ret, w ? w->created_unix_us : 0);
}
static void write_row(struct api_call *c, const void *i) { write_one(c, i); }

static const struct api_column columns[] = {
	{ "webhook_id", NULL, get_id },
	{ "created_at", NULL, get_created },
};

static void list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_TRAFFIC_READ, NULL };
	static const struct api_listing listing = { "webhooks", columns, COUNT(columns), write_row, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	api_integrations_list(&c, &kind, &listing);
	api_done(&c);
}

static void get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_TRAFFIC_READ, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	const struct integration *i = api_integration(&c, &kind);
	if (i) {
		write_one(&c, i);
		api_reply_masked(&c);
	}
	api_done(&c);
}

/* ---- changing them ---- */

/** Read the request over what it is set to now. */
static int read_over(struct api_call *c, const struct integration *i, const struct field_mask *mask, struct webhook *w)
{
	const struct webhook *now = i ? webhooks_settings(i) : NULL;
	uint64_t unix_us = loop_now(c->as->loop)->unix_us;
	int e = now ? webhook_copy(w, now) : 0;
	if (!e)
		e = webhook_read(w, mask, &(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem });
	w->updated_unix_us = unix_us;
	if (!w->created_unix_us)
		w->created_unix_us = unix_us;
	return e;
}

static void set(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE, RIGHT_APPLICATION_SETTINGS_BASIC, "webhook" };
	struct api_call c;
	struct field_mask mask;
	char id[ID_MAX + 1];
	struct integration *i = NULL;
	if (api_begin(&c, ctx, r, &need))
		return;
	/* Who makes the application server speak to somebody else needs every right that this hands on. */
	if (api_may_integrate(&c) && !api_mask(&c, &mask)) {
		AUTO(webhook_free) struct webhook *w = webhook_new();
		int e = w ? api_integration_id(&c, &kind, id) : -ENOMEM;
		if (!e)
			e = read_over(&c, integrations_find(c.as, INTEGRATION_WEBHOOK, c.app, str_of(id)), &mask, w);
		if (!e)
			e = webhooks_set(c.as, c.app, id, w, &i, &c.problem);
		if (e) {
			api_fail(&c, e);
		} else {
			write_one(&c, i);
			api_commit(&c);
		}
	}
	api_done(&c);
}

static void delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_SETTINGS_BASIC, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (api_may_integrate(&c))
		api_integration_delete(&c, &kind);
	api_done(&c);
}

/* ---- downlinks of its server ---- */

static void down(void *ctx, struct http_request *r, bool is_replace)
{
	const struct api_need need = { API_APP | (is_replace ? 0 : API_CHANGE), RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct integration *i = api_integration(&c, &kind);
	const struct webhook *w = i ? webhooks_settings(i) : NULL;
	if (w && w->is_paused) {
		api_error(&c, 406, "", "webhook %s is paused", i->id);
	} else if (i) {
		i->received++;
		c.as->metrics.integrations_received[INTEGRATION_WEBHOOK]++;
		api_send_downlinks(&c, is_replace);
	}
	api_done(&c);
}
static void push(void *ctx, struct http_request *r) { down(ctx, r, false); }
static void replace(void *ctx, struct http_request *r) { down(ctx, r, true); }

#define WEBHOOKS "/api/v3/as/webhooks/{application_id}"
#define DOWN     "/api/v3/as/applications/{application_id}/webhooks/{webhook_id}/devices/{device_id}/down"
#define NEEDS    "APPLICATION_SETTINGS_BASIC"
#define NEEDS_TOO "; also needs APPLICATION_TRAFFIC_READ and APPLICATION_TRAFFIC_DOWN_WRITE"
const struct api_route api_webhook_routes[] = {
	{ HTTP_GET, "/api/v3/as/webhook-formats", api_integration_formats, "any key", "The formats of webhooks' messages", "", "@WebhookFormats", "" },
	{ HTTP_GET, WEBHOOKS, list, "APPLICATION_TRAFFIC_READ", "List an application's webhooks", "", "@Webhooks", "limit page order field_mask" },
	{ HTTP_POST, WEBHOOKS, set, NEEDS, "Create or change a webhook" NEEDS_TOO, "@WebhookRequest", "@Webhook", "" },
	{ HTTP_GET, WEBHOOKS "/{webhook_id}", get, "APPLICATION_TRAFFIC_READ", "Show a webhook, and how it fares", "", "@Webhook", "field_mask" },
	{ HTTP_PUT, WEBHOOKS "/{webhook_id}", set, NEEDS, "Create or change a webhook" NEEDS_TOO, "@WebhookRequest", "@Webhook", "" },
	{ HTTP_DELETE, WEBHOOKS "/{webhook_id}", delete, NEEDS, "Delete a webhook with what waits for it" NEEDS_TOO, "", "@Empty", "" },
	{ HTTP_POST, DOWN "/push", push, "APPLICATION_TRAFFIC_DOWN_WRITE", "Add items to a device's downlink queue, as a webhook's server", "@Downlinks", "@Empty", "" },
	{ HTTP_POST, DOWN "/replace", replace, "APPLICATION_TRAFFIC_DOWN_WRITE", "Put these items in the place of a device's downlink queue, as a webhook's server",
		"@Downlinks", "@Empty", "" },
	{ .path = NULL },
};
