/** @file API keys over HTTP: of applications, of gateways, and the operator's. */
#include "as/api/lists.h"
#include "as/api/routes.h"
#include "as/core/registry/keyring_json.h"
#include <string.h>

static struct api_key_wish wish_for(const struct api_call *c)
{
	return (struct api_key_wish){
		.kind = c->app ? KEY_APPLICATION : c->gateway ? KEY_GATEWAY : KEY_ADMIN,
		.app = c->app,
		.gateway = c->gateway,
	};
}

static const struct api_key *keys_of(const struct api_call *c)
{
	return c->app ? c->app->keys : c->gateway ? c->gateway->keys : c->as->keyring.admins;
}

/** Nobody gives away rights that he does not have; those of the operator's keys only the operator gives. */
static int wish_check(struct api_call *c, const struct api_key_wish *w)
{
	uint64_t own = c->app ? rights_on_app(c->key, c->app) : c->gateway ? rights_on_gateway(c->key, c->gateway) : rights_of_kind(KEY_ADMIN);
	for (enum right i = 0; i < RIGHT_N; i++)
		if (w->rights & rights_of_kind(w->kind) & ~own & RIGHT_BIT(i)) {
			api_error(c, 403, "rights", "the API key that asks lacks %s itself", right_name(i));
			return -EACCES;
		}
	return 0;
}

static void create(void *ctx, struct http_request *r, const struct api_need *need)
{
	struct api_call c;
	struct api_key *key;
	char token[API_KEY_TEXT + 1];
	if (api_begin(&c, ctx, r, need))
		return;
	struct api_key_wish w = wish_for(&c);
	w.rights = w.kind == KEY_ADMIN ? rights_of_kind(KEY_ADMIN) : 0; /* there is no other */
	int e = api_key_json_read(&w, &c.body, c.object, &c.problem);
	if (e) {
		api_fail(&c, e);
	} else if (!wish_check(&c, &w)) {
		e = keyring_create(&c.as->keyring, &w, loop_now(c.as->loop), token, &key, &c.problem);
		if (e) {
			api_fail(&c, e);
		} else {
			api_key_json_write(&c.out, key, token);
			crypto_forget(token, sizeof token);
			api_commit(&c);
		}
	}
	api_done(&c);
}

static void get_id(const void *k, struct text *ret) { text_puts(ret, ((const struct api_key *)k)->id); }
static void get_name(const void *k, struct text *ret) { text_puts(ret, ((const struct api_key *)k)->name); }
static void get_created(const void *k, struct text *ret) { api_sortable(ret, ((const struct api_key *)k)->created_unix_us); }
/** Those that never end come last. */
static void get_expiry(const void *k, struct text *ret) { api_sortable(ret, ((const struct api_key *)k)->expires_unix_us - 1); }

static void write_row(struct api_call *c, const void *k)
{
	api_key_json_write(&c->out, k, NULL);
}

static const struct api_column columns[] = {
	{ "api_key_id", NULL, get_id },
	{ "name", NULL, get_name },
	{ "created_at", NULL, get_created },
	{ "expires_at", NULL, get_expiry },
};

static void list(void *ctx, struct http_request *r, const struct api_need *need)
{
	static const struct api_listing listing = { "api_keys", columns, COUNT(columns), write_row, NULL };
	struct api_rows rows = { .n = 0 };
	struct api_call c;
	if (api_begin(&c, ctx, r, need))
		return;
	for (const struct api_key *k = keys_of(&c); k; k = k->next_of_owner)
		api_rows_add(&c, &listing, &rows, k);
	api_rows_reply(&c, &listing, &rows);
	api_done(&c);
}

/** The key that {key_id} names, if it is of this application, this gateway, or the operator; else it has answered. */
static struct api_key *named(struct api_call *c)
{
	const char *id = http_param(c->r, "key_id");
	struct api_key *key = keyring_find(&c->as->keyring, str_of(id));
	if (key && key->kind == wish_for(c).kind && key->app == c->app && key->gateway == c->gateway)
		return key;
	api_error(c, 404, "", "api key with id %s not found", id);
	return NULL;
}

static void get(void *ctx, struct http_request *r, const struct api_need *need)
{
	struct api_call c;
	if (api_begin(&c, ctx, r, need))
		return;
	const struct api_key *key = named(&c);
	if (key) {
		api_key_json_write(&c.out, key, NULL);
		api_reply(&c);
	}
	api_done(&c);
}

/** This host's own key stays: it is what the command line and the next start find. @return true: it has answered */
static bool is_of_host(struct api_call *c, const struct api_key *key)
{
	if (!key->is_of_host)
		return false;
	api_error(c, 400, "key_id", "this is the host's own key, of admin.key in its state directory: remove that file and restart the AS for a new one");
	return true;
}

static void remove_key(struct api_call *c, struct api_key *key)
{
	int e = keyring_delete(&c->as->keyring, key);
	if (e) {
		api_fail(c, e);
		return;
	}
	text_puts(&c->out, "{}");
	api_commit(c);
}

/** Change name, rights or expiry; no rights at all delete the key, as in The Things Stack. */
static void update(void *ctx, struct http_request *r, const struct api_need *need)
{
	struct api_call c;
	if (api_begin(&c, ctx, r, need))
		return;
	struct api_key *key = named(&c);
	if (key && !is_of_host(&c, key)) {
		struct api_key_wish w = wish_for(&c);
		w.rights = key->rights;
		w.expires_unix_us = key->expires_unix_us;
		memcpy(w.name, key->name, sizeof w.name);
		int e = api_key_json_read(&w, &c.body, c.object, &c.problem);
		if (e) {
			api_fail(&c, e);
		} else if (!w.rights) {
			remove_key(&c, key);
		} else if (!wish_check(&c, &w)) {
			e = keyring_update(&c.as->keyring, key, &w, loop_now(c.as->loop), &c.problem);
			if (!e)
				api_key_json_write(&c.out, key, NULL);
			e ? api_fail(&c, e) : api_commit(&c);
		}
	}
	api_done(&c);
}

static void delete(void *ctx, struct http_request *r, const struct api_need *need)
{
	struct api_call c;
	if (api_begin(&c, ctx, r, need))
		return;
	struct api_key *key = named(&c);
	if (key && !is_of_host(&c, key))
		remove_key(&c, key);
	api_done(&c);
}

#define FOR_ALL(name, more)                                                                                  \
	static void app_##name(void *ctx, struct http_request *r)                                            \
	{                                                                                                    \
		static const struct api_need need = { API_APP | (more), RIGHT_APPLICATION_SETTINGS_API_KEYS, \
			"api_key" };                                                                         \
		name(ctx, r, &need);                                                                         \
	}                                                                                                    \
	static void gateway_##name(void *ctx, struct http_request *r)                                        \
	{                                                                                                    \
		static const struct api_need need = { API_GATEWAY | (more), RIGHT_GATEWAY_SETTINGS_API_KEYS, \
			"api_key" };                                                                         \
		name(ctx, r, &need);                                                                         \
	}                                                                                                    \
	static void admin_##name(void *ctx, struct http_request *r)                                          \
	{                                                                                                    \
		static const struct api_need need = { API_ADMIN | (more), RIGHT_N, "api_key" };              \
		name(ctx, r, &need);                                                                         \
	}
FOR_ALL(create, API_BODY | API_CHANGE)
FOR_ALL(list, 0)
FOR_ALL(get, 0)
FOR_ALL(update, API_BODY | API_CHANGE)
FOR_ALL(delete, 0)

/** Who am I, and what may I do? */
static void auth_info(void *ctx, struct http_request *r)
{
	static const struct api_need need = { 0, RIGHT_N, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	json_open(&c.out, '{');
	json_name(&c.out, "api_key");
	api_key_json_write(&c.out, c.key, NULL);
	if (c.key->app) {
		json_name(&c.out, "application_id");
		json_puts(&c.out, c.key->app->key);
	}
	if (c.key->gateway) {
		json_name(&c.out, "gateway_id");
		json_puts(&c.out, c.key->gateway->id);
	}
	json_name(&c.out, "is_admin");
	json_truth(&c.out, c.key->kind == KEY_ADMIN);
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

#define APP "/api/v3/applications/{application_id}/api-keys"
#define GATEWAY "/api/v3/gateways/{gateway_id}/api-keys"
/* There are no users; whichever is named stands for the operator. */
#define ADMIN "/api/v3/users/{user_id}/api-keys"
const struct api_route api_key_routes[] = {
	{ HTTP_POST, APP, app_create,
		"APPLICATION_SETTINGS_API_KEYS", "Make a key of an application", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_GET, APP, app_list,
		"APPLICATION_SETTINGS_API_KEYS", "List the keys of an application", "", "@ApiKeys", "limit page order" },
	{ HTTP_GET, APP "/{key_id}", app_get,
		"APPLICATION_SETTINGS_API_KEYS", "Show a key of an application", "", "@ApiKey", "" },
	{ HTTP_PUT, APP "/{key_id}", app_update,
		"APPLICATION_SETTINGS_API_KEYS", "Change a key of an application; without rights it is deleted", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_DELETE, APP "/{key_id}", app_delete,
		"APPLICATION_SETTINGS_API_KEYS", "Delete a key of an application, and end what is logged in with it", "", "@Empty", "" },
	{ HTTP_POST, GATEWAY, gateway_create,
		"GATEWAY_SETTINGS_API_KEYS", "Make a key of a gateway", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_GET, GATEWAY, gateway_list,
		"GATEWAY_SETTINGS_API_KEYS", "List the keys of a gateway", "", "@ApiKeys", "limit page order" },
	{ HTTP_GET, GATEWAY "/{key_id}", gateway_get,
		"GATEWAY_SETTINGS_API_KEYS", "Show a key of a gateway", "", "@ApiKey", "" },
	{ HTTP_PUT, GATEWAY "/{key_id}", gateway_update,
		"GATEWAY_SETTINGS_API_KEYS", "Change a key of a gateway; without rights it is deleted", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_DELETE, GATEWAY "/{key_id}", gateway_delete,
		"GATEWAY_SETTINGS_API_KEYS", "Delete a key of a gateway", "", "@Empty", "" },
	{ HTTP_POST, ADMIN, admin_create,
		"operator", "Make a key of the operator", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_GET, ADMIN, admin_list,
		"operator", "List the keys of the operator", "", "@ApiKeys", "limit page order" },
	{ HTTP_GET, ADMIN "/{key_id}", admin_get,
		"operator", "Show a key of the operator", "", "@ApiKey", "" },
	{ HTTP_PUT, ADMIN "/{key_id}", admin_update,
		"operator", "Change a key of the operator", "@ApiKeyRequest", "@ApiKey", "" },
	{ HTTP_DELETE, ADMIN "/{key_id}", admin_delete,
		"operator", "Delete a key of the operator", "", "@Empty", "" },
	{ HTTP_GET, "/api/v3/auth_info", auth_info,
		"any key", "Who am I, and what may I do?", "", "@AuthInfo", "" },
	{ .path = NULL },
};
