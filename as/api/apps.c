/** @file Applications over HTTP, with their link. */
#include "as/api/lists.h"
#include "as/api/routes.h"
#include "as/api/scripts_check.h"
#include "as/core/registry/entity_json.h"
#include "as/core/registry/formatters_json.h"
#include <stdio.h>
#include <string.h>

static void app_create(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_BODY | API_CHANGE | API_ADMIN, RIGHT_N, "application" };
	static const struct field_mask all = { 0 };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	AUTO(app_free) struct app *a = app_new();
	int e = a ? app_json_read(a, &all, &(struct record_source){ .j = &c.body, .root = c.object, .problem = &c.problem })
		  : -ENOMEM;
	if (!e)
		e = api_scripts_check(&c, "default_formatters", &a->formatters, NULL, app_create);
	if (!e && !c.as->settings->link_applications)
		e = app_unlink(a);
	if (!e)
		e = registry_app_create(&c.as->registry, a, loop_now(c.as->loop), &c.problem);
	if (e) {
		api_fail(&c, e);
	} else {
		app_json_write(&c.out, TAKE(a));
		api_commit(&c);
	}
	api_done(&c);
}

/* ---- lists of them ---- */

static void get_id(const void *a, struct text *ret) { text_puts(ret, ((const struct app *)a)->key); }
static void get_name(const void *a, struct text *ret) { text_puts(ret, texts_get(&((const struct app *)a)->texts, TEXT_NAME)); }
static void get_description(const void *a, struct text *ret) { text_puts(ret, texts_get(&((const struct app *)a)->texts, TEXT_DESCRIPTION)); }
static void get_created(const void *a, struct text *ret) { api_sortable(ret, ((const struct app *)a)->created_unix_us); }
static void get_updated(const void *a, struct text *ret) { api_sortable(ret, ((const struct app *)a)->updated_unix_us); }

static void write_row(struct api_call *c, const void *a)
{
	app_json_write(&c->out, a);
}

static const struct api_column columns[] = {
	{ "application_id", "id_contains", get_id },
	{ "name", "name_contains", get_name },
	{ "description", "description_contains", get_description },
	{ "created_at", NULL, get_created },
	{ "updated_at", NULL, get_updated },
};

static void app_list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { 0, RIGHT_N, NULL };
	static const struct api_listing listing = { "applications", columns, COUNT(columns), write_row, NULL };
	struct api_rows rows = { .n = 0 };
	struct api_call c;
	struct app *a, *tmp;
	if (api_begin(&c, ctx, r, &need))
		return;
	HASH_ITER(hh, c.as->registry.apps, a, tmp)
		if (rights_on_app(c.key, a) & RIGHT_BIT(RIGHT_APPLICATION_INFO))
			api_rows_add(&c, &listing, &rows, a);
	api_rows_reply(&c, &listing, &rows);
	api_done(&c);
}

static void app_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_INFO, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	app_json_write(&c.out, c.app);
	api_reply_masked(&c);
	api_done(&c);
}

static void app_update(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE,
		RIGHT_APPLICATION_SETTINGS_BASIC, "application" };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!api_mask(&c, &mask)) {
		AUTO(app_free) struct app *wish = app_clone(c.app);
		int e = wish ? app_json_read(
				       wish, &mask, &(struct record_source){ .j = &c.body, .root = c.object, .problem = &c.problem })
			     : -ENOMEM;
		if (!e)
			e = api_scripts_check(&c, "default_formatters", &wish->formatters, &c.app->formatters, app_update);
		if (!e)
			e = registry_app_update(
				&c.as->registry, c.app, wish, loop_now(c.as->loop), &c.problem);
		if (e) {
			api_fail(&c, e);
		} else {
			(void)TAKE(wish);
			app_json_write(&c.out, c.app);
			api_commit(&c);
		}
	}
	api_done(&c);
}

/** Delete an application with its devices and keys. */
static void app_delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_DELETE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!c.app->n_devices || api_insist(&c, RIGHT_APPLICATION_DEVICES_WRITE)) {
		int e = 0;
		while (!e && c.app->devices)
			e = registry_device_delete(&c.as->registry, c.app->devices);
		if (!e)
			e = registry_app_delete(&c.as->registry, c.app, &c.problem);
		if (!e)
			text_puts(&c.out, "{}");
		e ? api_fail(&c, e) : api_commit(&c);
	}
	api_done(&c);
}

/* ---- the link, without which what devices send waits: default formatters, and the key that older documentation tells people to set ---- */

static void write_link(struct text *t, const struct app *a)
{
	struct json_tok tok[512];
	struct json j;
	json_open(t, '{');
	formatters_write(t, "default_formatters", &a->formatters, true);
	struct str link = str_of(texts_get(&a->texts, TEXT_LINK));
	if (link.n && !json_parse(link, tok, COUNT(tok), &j, NULL)) {
		json_val v = json_get(&j, json_root(&j), "skip_payload_crypto");
		if (v >= 0) {
			json_name(t, "skip_payload_crypto");
			json_raw_out(t, json_raw(&j, v));
		}
	}
	json_close(t, '}');
}

static void link_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_LINK, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (app_is_linked(c.app)) {
		write_link(&c.out, c.app);
		api_reply(&c);
	} else {
		api_error(&c, 404, "", "application %s has no link: what its devices send waits", c.app->key);
	}
	api_done(&c);
}

/** A key in the link must be one of this application: it proves the right, and is not kept. */
static int link_key_check(struct api_call *c)
{
	const struct api_key *key;
	char token[API_KEY_TEXT + 1];
	json_val v = json_get(&c->body, c->object, "api_key");
	if (v < 0 || json_type(&c->body, v) == JSON_NULL)
		return 0;
	if (json_string(&c->body, v, token, sizeof token))
		return problem_say(&c->problem, REGISTRY_E_INVALID, "api_key", "is not an API key");
	int e = rights_check(&c->as->keyring, str_of(token), loop_now(c->as->loop), &key, &c->problem);
	crypto_forget(token, sizeof token);
	if (e)
		return problem_say(
			&c->problem, REGISTRY_E_INVALID, "api_key", "does not open this application");
	if (!(rights_on_app(key, c->app) & RIGHT_BIT(RIGHT_APPLICATION_LINK)))
		return problem_say(&c->problem, REGISTRY_E_INVALID, "api_key",
			"lacks RIGHT_APPLICATION_LINK on this application");
	return 0;
}

static int link_change(struct api_call *c, struct app *wish, const struct field_mask *mask)
{
	char kept[64];
	struct text t = text_fixed(kept, sizeof kept);
	bool skip = false;
	json_val v = json_get(&c->body, c->object, "skip_payload_crypto");
	int e = link_key_check(c);
	if (e)
		return e;
	if (v >= 0 && json_bool(&c->body, v, &skip))
		return problem_say(
			&c->problem, REGISTRY_E_INVALID, "skip_payload_crypto", "must be true or false");
	if (skip)
		return problem_say(&c->problem, REGISTRY_E_INVALID, "skip_payload_crypto",
			"cannot be true: payloads are always decrypted here; leave it out");
	text_puts(&t, "{\"skip_payload_crypto\":false}");
	e = formatters_read(&wish->formatters, "default_formatters", mask,
		&(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem });
	return e ? e : texts_set(&wish->texts, TEXT_LINK, text_str(&t));
}

static void link_store(struct api_call *c, int e, struct app **wish)
{
	if (!e)
		e = registry_app_update(&c->as->registry, c->app, *wish, loop_now(c->as->loop), &c->problem);
	if (e) {
		api_fail(c, e);
		return;
	}
	*wish = NULL;
	if (app_is_linked(c->app))
		write_link(&c->out, c->app);
	else
		text_puts(&c->out, "{}");
	api_commit(c);
}

static void link_set(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE | API_NO_BODY_OK,
		RIGHT_APPLICATION_LINK, "link" };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!api_mask(&c, &mask)) {
		AUTO(app_free) struct app *wish = app_clone(c.app);
		int e = wish ? link_change(&c, wish, &mask) : -ENOMEM;
		if (!e)
			e = api_scripts_check(&c, "default_formatters", &wish->formatters, &c.app->formatters, link_set);
		link_store(&c, e, &wish);
	}
	api_done(&c);
}

/** From here on what devices send waits. */
static void link_delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_LINK, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	AUTO(app_free) struct app *wish = app_clone(c.app);
	int e = wish ? app_unlink(wish) : -ENOMEM;
	if (!e)
		formatters_done(&wish->formatters);
	link_store(&c, e, &wish);
	api_done(&c);
}

#define APP "/api/v3/applications/{application_id}"
#define LINK "/api/v3/as/applications/{application_id}/link"
#define ABOUT_APP_CREATE \
	"operator", "Create an application", "@ApplicationRequest", "@Application", ""
#define ABOUT_APP_LIST \
	"any key", "List the applications", "", "@Applications", "limit page order field_mask id_contains name_contains description_contains"
#define ABOUT_APP_UPDATE \
	"APPLICATION_SETTINGS_BASIC", \
	"Change an application", "@ApplicationRequest", "@Application", ""
const struct api_route api_app_routes[] = {
	{ HTTP_POST, "/api/v3/applications", app_create, ABOUT_APP_CREATE },
	{ HTTP_POST, "/api/v3/users/{user_id}/applications", app_create, ABOUT_APP_CREATE },
	{ HTTP_POST, "/api/v3/organizations/{organization_id}/applications", app_create, ABOUT_APP_CREATE },
	{ HTTP_GET, "/api/v3/applications", app_list, ABOUT_APP_LIST },
	{ HTTP_GET, "/api/v3/users/{user_id}/applications", app_list, ABOUT_APP_LIST },
	{ HTTP_GET, "/api/v3/search/applications", app_list, ABOUT_APP_LIST },
	{ HTTP_GET, APP, app_get,
		"APPLICATION_INFO", "Show an application", "", "@Application", "field_mask" },
	{ HTTP_PUT, APP, app_update, ABOUT_APP_UPDATE },
	{ HTTP_PATCH, APP, app_update, ABOUT_APP_UPDATE },
	{ HTTP_DELETE, APP, app_delete,
		"APPLICATION_DELETE", "Delete an application with its devices and keys", "", "@Empty", "" },
	{ HTTP_GET, LINK, link_get,
		"APPLICATION_LINK", "Show the link, without which messages wait", "", "@Link", "" },
	{ HTTP_PUT, LINK, link_set,
		"APPLICATION_LINK", "Link the application", "@LinkRequest", "@Link", "" },
	{ HTTP_DELETE, LINK, link_delete,
		"APPLICATION_LINK", "Cut the link: what devices send waits from here on", "", "@Empty", "" },
	{ .path = NULL },
};
