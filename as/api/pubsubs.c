/** @file Pub/Sub integrations over HTTP. */
#include "as/api/integrations.h"
#include "as/api/routes.h"
#include "as/integrations/pubsubs.h"
#include <string.h>

enum { RECORD_MAX = 1 << 18 };
static const struct api_kind kind = { INTEGRATION_PUBSUB, "pub_sub_id", "Pub/Sub integration" };

static void write_one(struct api_call *c, const struct integration *i)
{
	const struct pubsub *p = pubsubs_settings(i);
	struct text *t = &c->out;
	json_open(t, '{');
	api_integration_ids(c, &kind, i);
	if (p)
		pubsub_json_write(t, p);
	json_name(t, "status");
	integrations_write_status(i, t);
	json_close(t, '}');
}

/* ---- lists ---- */

static void get_id(const void *i, struct text *ret) { text_puts(ret, ((const struct integration *)i)->id); }
static void get_created(const void *i, struct text *ret)
{
	const struct pubsub *p = pubsubs_settings(i);
	api_sortable(ret, p ? p->created_unix_us : 0);
}

static void write_row(struct api_call *c, const void *i)
{
	write_one(c, i);
}

static const struct api_column columns[] = {
	{ "pub_sub_id", NULL, get_id },
	{ "created_at", NULL, get_created },
};

static void list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_SETTINGS_BASIC, NULL };
	static const struct api_listing listing = { "pubsubs", columns, COUNT(columns), write_row, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	api_integrations_list(&c, &kind, &listing);
	api_done(&c);
}

/* ---- one ---- */

static void get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_SETTINGS_BASIC, NULL };
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

static void delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_SETTINGS_BASIC, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	api_integration_delete(&c, &kind);
	api_done(&c);
}

/** A session needs a name that is always the same: where nobody gives it one, it is made once. */
static int name_client(struct api_call *c, struct pubsub *p)
{
	char id[24];
	if (p->v[PUBSUB_CLIENT_ID])
		return 0;
	struct text t = text_fixed(id, sizeof id);
	text_printf(&t, "godwit-%016llx", (unsigned long long)rng_u64(&c->as->rng));
	p->v[PUBSUB_CLIENT_ID] = strdup(id);
	return p->v[PUBSUB_CLIENT_ID] ? 0 : -ENOMEM;
}

/** What it is set to and what the request says, together. @return 0; REGISTRY_E_INVALID; -errno */
static int merge(struct api_call *c, const struct integration *old, const struct field_mask *mask, struct pubsub *p)
{
	AUTO(text_done) struct text record = text_growing(RECORD_MAX);
	const struct pubsub *is = old ? pubsubs_settings(old) : NULL;
	uint64_t now_us = loop_now(c->as->loop)->unix_us;
	/* A copy by way of what is kept: seldom, and it needs no other code. */
	if (is)
		TRY(pubsub_json_store(&record, is, &c->as->envelope));
	if (is)
		TRY(pubsub_load(p, text_str(&record), &c->as->envelope));
	int e = pubsub_json_read(p, mask, &(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem });
	if (!e)
		e = name_client(c, p);
	p->created_unix_us = is ? is->created_unix_us : now_us;
	p->updated_unix_us = now_us;
	return e ? e : pubsubs_check(c->as, old, p, &c->problem);
}

static int store(struct api_call *c, const struct field_mask *mask)
{
	char id[ID_MAX + 1];
	AUTO(text_done) struct text record = text_growing(RECORD_MAX);
	AUTO(pubsub_free) struct pubsub *p = pubsub_new();
	struct integration *i;
	if (!p)
		return -ENOMEM;
	int e = api_integration_id(c, &kind, id);
	if (!e)
		e = merge(c, integrations_find(c->as, INTEGRATION_PUBSUB, c->app, str_of(id)), mask, p);
	if (!e)
		e = pubsub_json_store(&record, p, &c->as->envelope);
	if (!e)
		e = integrations_set(c->as, INTEGRATION_PUBSUB, c->app, id, text_str(&record), &i, &c->problem);
	if (!e)
		write_one(c, i);
	return e;
}

static void set(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE, RIGHT_APPLICATION_SETTINGS_BASIC, "pubsub" };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	/* It sends what devices say to wherever it is told, and lets that speak to them. */
	if (api_may_integrate(&c) && !api_mask(&c, &mask)) {
		int e = store(&c, &mask);
		e ? api_fail(&c, e) : api_commit(&c);
	}
	api_done(&c);
}

#define PUBSUBS "/api/v3/as/pubsub/{application_id}"
#define ABOUT_SET \
	"APPLICATION_SETTINGS_BASIC", "Create or change a Pub/Sub integration; also needs APPLICATION_TRAFFIC_READ and APPLICATION_TRAFFIC_DOWN_WRITE", \
	"@PubSubRequest", "@PubSub", ""
const struct api_route api_pubsub_routes[] = {
	{ HTTP_GET, "/api/v3/as/pubsub-formats", api_integration_formats,
		"any key", "List the formats of Pub/Sub integrations", "", "@PubSubFormats", "" },
	{ HTTP_GET, PUBSUBS, list,
		"APPLICATION_SETTINGS_BASIC", "List an application's Pub/Sub integrations", "", "@PubSubs", "limit page order field_mask" },
	{ HTTP_POST, PUBSUBS, set, ABOUT_SET },
	{ HTTP_GET, PUBSUBS "/{pub_sub_id}", get,
		"APPLICATION_SETTINGS_BASIC", "Show a Pub/Sub integration, how it fares and what waits for it", "", "@PubSub", "field_mask" },
	{ HTTP_PUT, PUBSUBS "/{pub_sub_id}", set, ABOUT_SET },
	{ HTTP_POST, PUBSUBS "/{pub_sub_id}", set, ABOUT_SET },
	{ HTTP_PATCH, PUBSUBS "/{pub_sub_id}", set, ABOUT_SET },
	{ HTTP_DELETE, PUBSUBS "/{pub_sub_id}", delete,
		"APPLICATION_SETTINGS_BASIC", "Delete a Pub/Sub integration with what waits for it", "", "@Empty", "" },
	{ .path = NULL },
};
