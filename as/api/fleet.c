/** @file Fleets over HTTP: a device as another network exports it, taken once however often it is sent; and written for the way back. */
#include "as/api/credentials.h"
#include "as/api/device_live.h"
#include "as/api/routes.h"
#include "as/core/registry/device_json.h"
#include "as/joins.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = RECORD_TEXT_MAX, FIELD_MAX = 64 };

struct importing {
	struct api_call *c;
	bool may_update, is_dry;
	struct join_facts facts;
	struct credentials_wish login;
	const char *outcome; /**< "created", "present", "updated" */
	bool is_stale;       /**< it has joined here since: the session that is brought along is an old one */
	bool is_mute;        /**< mac_settings.schedule_downlinks is false */
};

static bool query_on(const struct api_call *c, const char *name)
{
	const char *z = http_query(c->r, name);
	return z && !strcmp(z, "true");
}

static bool says_true(const struct api_call *c, const char *path)
{
	bool on = false;
	json_val v = record_find(&c->body, c->object, path);
	return v >= 0 && !json_bool(&c->body, v, &on) && on;
}

static bool has_object(const struct api_call *c, const char *path)
{
	json_val v = record_find(&c->body, c->object, path);
	return v >= 0 && json_type(&c->body, v) == JSON_OBJECT;
}

/* ---- what differs ---- */

/** Where two devices differ first, by the member's name; "" nowhere. */
static void first_difference(const struct json *a, const struct json *b, char *ret, size_t cap)
{
	ret[0] = '\0';
	for (json_val n = json_first(a, json_root(a)); n >= 0; n = json_next(a, n)) {
		struct str name = json_raw(a, n), other = { "", 0 };
		char z[64];
		if (str_copy(name, z, sizeof z) || str_is(name, "updated_at"))
			continue;
		json_val v = json_get(b, json_root(b), z);
		if (v >= 0)
			other = json_whole(b, v);
		if (!str_eq(json_whole(a, json_member_value(a, n)), other)) {
			str_copy(name, ret, cap);
			return;
		}
	}
}

static void write_all(struct text *t, const struct device *d)
{
	json_open(t, '{');
	device_json_members(t, d, DEVICE_JSON_KEYS | DEVICE_JSON_SESSION, NULL);
	json_name(t, "mac_state");
	json_puts(t, texts_get(&d->texts, TEXT_MAC_STATE));
	json_close(t, '}');
}

/** The member in which the wish differs from the device; "" if in none. @return 0; -ENOMEM */
static int device_difference(const struct device *d, const struct device *wish, char *ret, size_t cap)
{
	AUTO(text_done) struct text now = text_growing(SHOWN_MAX), then = text_growing(SHOWN_MAX);
	struct json_tok *tok = malloc(2 * RECORD_TOKENS_MAX * sizeof *tok);
	struct json a, b;
	write_all(&now, d);
	write_all(&then, wish);
	int e = !tok || now.failed || then.failed || json_parse(text_str(&now), tok, RECORD_TOKENS_MAX, &a, NULL) ||
			json_parse(text_str(&then), tok + RECORD_TOKENS_MAX, RECORD_TOKENS_MAX, &b, NULL)
		? -ENOMEM : 0;
	if (!e) {
		first_difference(&b, &a, ret, cap);
		if (!*ret)
			first_difference(&a, &b, ret, cap);
	}
	crypto_forget(now.p, now.len);
	crypto_forget(then.p, then.len);
	free(tok);
	return e;
}

/* ---- taking ---- */

static int read_onto(struct importing *i, struct device *d)
{
	static const struct field_mask all = { 0 };
	struct api_call *c = i->c;
	if (!d)
		return -ENOMEM;
	int e = device_json_read(d, &all, &(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem, .is_import = true });
	i->is_mute = !e && MSG_HAS(&d->mac, schedule_downlinks) && !d->mac.schedule_downlinks;
	return e;
}

static void copy_query(struct text *t, const struct api_call *c, const char *name)
{
	const char *z = http_query(c->r, name);
	if (!z)
		return;
	json_name(t, name);
	json_puts(t, z);
}

/** What a new device has unless the body says otherwise. @return 0; as device_json_read */
static int read_defaults(struct importing *i, struct device *d)
{
	static const struct field_mask all = { 0 };
	struct api_call *c = i->c;
	struct json_tok tok[16];
	struct json j;
	AUTO(text_done) struct text t = text_growing(SHOWN_MAX);
	json_open(&t, '{');
	copy_query(&t, c, "frequency_plan_id");
	/* The two versions belong together. */
	if (record_find(&c->body, c->object, "lorawan_version") < 0) {
		copy_query(&t, c, "lorawan_version");
		copy_query(&t, c, "lorawan_phy_version");
	}
	json_close(&t, '}');
	if (t.failed || json_parse(text_str(&t), tok, COUNT(tok), &j, NULL))
		return -ENOMEM;
	return device_json_read(d, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &c->problem });
}

static int take_joins(struct importing *i, const struct device *d)
{
	struct joins_news news;
	return d->supports_join && join_facts_any(&i->facts) ? joins_take(i->c->as, d, &i->facts, i->is_dry, &news) : 0;
}

static int create(struct importing *i)
{
	struct api_call *c = i->c;
	struct registry *r = &c->as->registry;
	AUTO(device_free) struct device *d = device_new();
	i->outcome = "created";
	int e = d ? read_defaults(i, d) : -ENOMEM;
	if (!e)
		e = read_onto(i, d);
	if (e || i->is_dry)
		return e ? e : api_hide_others(c, registry_device_check(r, c->app, d, &c->problem), d);
	e = registry_device_create(r, c->app, d, loop_now(c->as->loop), &c->problem);
	if (e)
		return api_hide_others(c, e, d);
	struct device *made = TAKE(d);
	e = take_joins(i, made);
	if (!e)
		e = api_set_credentials(c, made, &i->login);
	if (e)
		(void)registry_device_delete(r, made); /* whole or not at all */
	return e;
}

/** Keep the session that the device has, instead of the one that the wish took from the body. @return 0; -ENOMEM */
static int session_stays(const struct device *d, struct device *wish)
{
	wish->session = d->session;
	return texts_set(&wish->texts, TEXT_MAC_STATE, str_of(texts_get(&d->texts, TEXT_MAC_STATE)));
}

/** The same session goes on under the id that it has here. */
static void session_id_stays(const struct device *d, struct device *wish)
{
	if (device_session_eq(d, wish))
		wish->session.session_key_id = d->session.session_key_id;
}

/** What the body would make of a device that is there.
 * @param ret_news   what is new about its joins
 * @param ret_field  where the two differ first; "" nowhere
 * @return 0; as registry_device_update */
static int compare(struct importing *i, struct device *d, struct device *wish, struct joins_news *ret_news, char ret_field[FIELD_MAX])
{
	struct api_call *c = i->c;
	int e = read_onto(i, wish);
	if (!e && d->supports_join)
		e = joins_take(c->as, d, &i->facts, true, ret_news);
	i->is_stale = ret_news->has_joined_since && has_object(c, "session");
	if (!e && i->is_stale)
		e = session_stays(d, wish);
	if (!e)
		e = registry_device_update_check(&c->as->registry, d, wish, &c->problem);
	if (e)
		return api_hide_others(c, e, wish);
	session_id_stays(d, wish);
	wish->app = d->app;
	return device_difference(d, wish, ret_field, FIELD_MAX);
}

static int differs_from(struct api_call *c, const struct device *d, const char *field)
{
	return problem_say(&c->problem, REGISTRY_E_EXISTS, field, "is another than that of the device %s that is there", d->id);
}

/** Does the body say another way to log in than the device has? */
static bool logs_in_otherwise(const struct importing *i, const struct device *d)
{
	struct credentials_wish now;
	if (i->login.kind == CREDENTIALS_NONE)
		return false;
	(void)credentials_get(&i->c->as->credentials, d->entry.uid, &now);
	bool differs = !credentials_eq(&now, &i->login);
	crypto_forget(&now, sizeof now);
	return differs;
}

/** The body's words on a device that is there. @return 0; REGISTRY_E_EXISTS it differs, and may not be changed; as registry_device_update */
static int change(struct importing *i, struct device *d)
{
	struct api_call *c = i->c;
	struct joins_news news = { false };
	char field[FIELD_MAX] = "";
	AUTO(device_free) struct device *wish = device_clone(d);
	int e = wish ? compare(i, d, wish, &news, field) : -ENOMEM;
	bool differs = *field || news.is_any;
	i->outcome = differs ? "updated" : "present";
	if (!e && differs && !i->may_update)
		e = differs_from(c, d, *field ? field : "last_join_nonce");
	if (e || !differs || i->is_dry)
		return e;
	e = take_joins(i, d);
	if (!e && *field)
		e = registry_device_update(&c->as->registry, d, wish, loop_now(c->as->loop), &c->problem);
	if (!e && *field)
		(void)TAKE(wish);
	return e;
}

/** What it logs in with is looked at by itself. @return as change */
static int change_login(struct importing *i, const struct device *d)
{
	if (!logs_in_otherwise(i, d))
		return 0;
	if (!i->may_update)
		return differs_from(i->c, d, "credentials");
	i->outcome = "updated";
	return i->is_dry ? 0 : api_set_credentials(i->c, d, &i->login);
}

/* ---- the answer ---- */

static void write_notes(struct importing *i)
{
	const struct {
		bool applies;
		const char *note;
	} notes[] = {
		{ i->is_stale, "it has joined here since: its session stays as it is" },
		{ has_object(i->c, "pending_session"), "pending_session is left out: a device that uses it must join again" },
		{ i->is_mute, "mac_settings.schedule_downlinks is false, as ttn-lw-migrate leaves it where it has exported: nothing is sent to the device" },
		{ says_true(i->c, "skip_payload_crypto"), "skip_payload_crypto is kept, but payloads are decrypted here" },
		{ has_object(i->c, "session") && !has_object(i->c, "mac_state.current_parameters"),
			"mac_state.current_parameters is missing: it is taken to listen as its maker set it (mac_settings)" },
	};
	struct text *t = &i->c->out;
	json_name(t, "notes");
	json_open(t, '[');
	for (size_t k = 0; k < COUNT(notes); k++)
		if (notes[k].applies)
			json_puts(t, notes[k].note);
	json_close(t, ']');
}

static void write_outcome(struct importing *i)
{
	struct text *t = &i->c->out;
	json_open(t, '{');
	json_name(t, "outcome");
	json_puts(t, i->outcome);
	write_notes(i);
	json_close(t, '}');
}

static bool sets_keys(const struct api_call *c)
{
	return has_object(c, "credentials") || has_object(c, "root_keys") || has_object(c, "session.keys");
}

static void device_import(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE | API_LARGE, RIGHT_APPLICATION_DEVICES_WRITE, "end_device" };
	struct api_call c;
	struct str id = { "", 0 };
	if (api_begin(&c, ctx, r, &need))
		return;
	struct importing i = { .c = &c, .may_update = query_on(&c, "update"), .is_dry = query_on(&c, "dry_run") };
	if (sets_keys(&c) && !api_insist(&c, RIGHT_APPLICATION_DEVICES_WRITE_KEYS)) {
		api_done(&c);
		return;
	}
	int e = join_facts_read(&c.body, c.object, &i.facts, &c.problem);
	(void)json_plain(&c.body, record_find(&c.body, c.object, "ids.device_id"), &id);
	struct device *d = registry_device(&c.as->registry, c.app, id);
	if (!e)
		e = api_read_credentials(&c, d, &i.login);
	if (!e)
		e = d ? change(&i, d) : create(&i);
	if (!e && d)
		e = change_login(&i, d);
	if (e)
		api_fail(&c, e);
	else
		write_outcome(&i);
	if (!e && (i.is_dry || !strcmp(i.outcome, "present")))
		api_reply(&c);
	else if (!e)
		api_commit(&c);
	api_done(&c);
}

static void device_export(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_READ, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (api_insist(&c, RIGHT_APPLICATION_DEVICES_READ_KEYS))
		device_export_reply(&c, DEVICE_JSON_KEYS | DEVICE_JSON_SESSION);
	api_done(&c);
}

#define DEVICES "/api/v3/applications/{application_id}/devices"
const struct api_route api_fleet_routes[] = {
	{ HTTP_POST, DEVICES "/import", device_import,
		"APPLICATION_DEVICES_WRITE", "Take a device as another network exports it, once however often it is sent", "@EndDeviceRequest", "@ImportOutcome",
		"update dry_run frequency_plan_id lorawan_version lorawan_phy_version" },
	{ HTTP_GET, DEVICES "/{device_id}/export", device_export,
		"APPLICATION_DEVICES_READ_KEYS", "Write a device for another network: keys, session and nonces", "", "@EndDevice", "" },
	{ .path = NULL },
};
