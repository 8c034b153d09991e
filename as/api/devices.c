/** @file Devices over HTTP: one call creates the whole device. */
#include "as/api/credentials.h"
#include "as/api/device_live.h"
#include "as/api/lists.h"
#include "as/api/routes.h"
#include "as/api/scripts_check.h"
#include "as/core/registry/device_json.h"
#include "as/joins.h"
#include <inttypes.h>
#include <string.h>

static unsigned parts(const struct api_call *c)
{
	return DEVICE_JSON_SESSION | (api_may(c, RIGHT_APPLICATION_DEVICES_READ_KEYS) ? DEVICE_JSON_KEYS : 0);
}

/** @param more  parts beside those that the caller may see */
static void write_device(struct api_call *c, const struct device *d, unsigned more)
{
	json_open(&c->out, '{');
	device_json_members(&c->out, d, parts(c) | more, NULL);
	api_write_credentials(c, d, api_may(c, RIGHT_APPLICATION_DEVICES_READ_KEYS));
	json_close(&c->out, '}');
}

/** Does the request set keys, or clear them by a mask that names them? Then it takes the right to. */
static bool sets_keys(const struct api_call *c, const struct field_mask *mask)
{
	return record_find(&c->body, c->object, "credentials") >= 0 || record_find(&c->body, c->object, "root_keys") >= 0 || record_find(&c->body, c->object, "session.keys") >= 0 ||
	       (mask->given && (field_mask_covers(mask, "root_keys") || field_mask_covers(mask, "session.keys")));
}

/** What another join server remembers of the device comes with it. @return 0; REGISTRY_E_INVALID; -errno */
static int take_joins(struct api_call *c, const struct device *d, const struct join_facts *facts)
{
	struct joins_news news;
	return d->supports_join && join_facts_any(facts) ? joins_take(c->as, d, facts, false, &news) : 0;
}

static int read_device(struct api_call *c, struct device *d, const struct field_mask *mask)
{
	return d ? device_json_read(d, mask, &(struct record_source){ .j = &c->body, .root = c->object, .problem = &c->problem })
		 : -ENOMEM;
}

/** The answer to its creation says what it logs in with, as an API key is shown to who makes it. */
static void write_made(struct api_call *c, const struct device *d)
{
	json_open(&c->out, '{');
	device_json_members(&c->out, d, parts(c), NULL);
	api_write_credentials(c, d, true);
	json_close(&c->out, '}');
}

/** @param d  the registry's on 0 */
static int create(struct api_call *c, struct device *d)
{
	int e = registry_device_create(&c->as->registry, c->app, d, loop_now(c->as->loop), &c->problem);
	return e == REGISTRY_E_EXISTS ? api_hide_others(c, e, d) : e;
}

static void device_create(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_CHANGE | API_LARGE,
		RIGHT_APPLICATION_DEVICES_WRITE, "end_device" };
	static const struct field_mask all = { 0 };
	struct api_call c;
	struct join_facts facts;
	struct credentials_wish wish;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!sets_keys(&c, &all) || api_insist(&c, RIGHT_APPLICATION_DEVICES_WRITE_KEYS)) {
		AUTO(device_free) struct device *d = device_new();
		int e = join_facts_read(&c.body, c.object, &facts, &c.problem);
		if (!e)
			e = read_device(&c, d, &all);
		if (!e)
			e = api_scripts_check(&c, "formatters", &d->formatters, NULL, device_create);
		if (!e)
			e = api_read_credentials(&c, NULL, &wish);
		if (!e)
			e = create(&c, d);
		const struct device *made = e ? NULL : TAKE(d);
		if (!e)
			e = api_set_credentials(&c, made, &wish);
		if (!e)
			e = take_joins(&c, made, &facts);
		if (e) {
			api_fail(&c, e);
		} else {
			write_made(&c, made);
			api_commit(&c);
		}
	}
	api_done(&c);
}

/* ---- lists of them ---- */

static void write_eui(struct text *ret, bool has, uint64_t eui)
{
	if (has)
		text_printf(ret, "%016" PRIX64, eui);
}

static void get_id(const void *d, struct text *ret) { text_puts(ret, ((const struct device *)d)->id); }
static void get_name(const void *d, struct text *ret) { text_puts(ret, texts_get(&((const struct device *)d)->texts, TEXT_NAME)); }
static void get_description(const void *d, struct text *ret) { text_puts(ret, texts_get(&((const struct device *)d)->texts, TEXT_DESCRIPTION)); }
static void get_dev_eui(const void *d, struct text *ret) { write_eui(ret, ((const struct device *)d)->has_dev_eui, ((const struct device *)d)->dev_eui); }
static void get_join_eui(const void *d, struct text *ret) { write_eui(ret, ((const struct device *)d)->has_join_eui, ((const struct device *)d)->join_eui); }
static void get_created(const void *d, struct text *ret) { api_sortable(ret, ((const struct device *)d)->created_unix_us); }
static void get_updated(const void *d, struct text *ret) { api_sortable(ret, ((const struct device *)d)->updated_unix_us); }

/** Whoever asks for the ids alone, as an export does, has many. Scripts would make most of a list: they are for who names them. */
static void write_row(struct api_call *c, const void *object)
{
	const struct device *d = object;
	const char *mask = http_query(c->r, "field_mask");
	struct field_mask fields;
	if (!mask || strcmp(mask, "ids") != 0) {
		bool has_scripts = !field_mask_parse(mask, &fields, NULL) && field_mask_covers(&fields, "formatters");
		write_device(c, d, has_scripts ? 0 : DEVICE_JSON_BRIEF);
		return;
	}
	json_open(&c->out, '{');
	json_name(&c->out, "ids");
	device_json_ids(&c->out, d, d->session.present ? &d->session.dev_addr : NULL);
	json_close(&c->out, '}');
}

static const struct api_column columns[] = {
	{ "device_id", "id_contains", get_id },
	{ "name", "name_contains", get_name },
	{ "description", "description_contains", get_description },
	{ "dev_eui", "dev_eui_contains", get_dev_eui },
	{ "join_eui", "join_eui_contains", get_join_eui },
	{ "created_at", NULL, get_created },
	{ "updated_at", NULL, get_updated },
};

static void device_list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_DEVICES_READ, NULL };
	static const struct api_listing listing = { "end_devices", columns, COUNT(columns), write_row, NULL };
	struct api_rows rows = { .n = 0 };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	for (const struct device *d = c.app->devices; d; d = d->next_of_app)
		api_rows_add(&c, &listing, &rows, d);
	api_rows_reply(&c, &listing, &rows);
	api_done(&c);
}

/** Is only what the network server knows named? Then it is shown with all that is stored. */
static bool is_live_alone(const struct field_mask *mask)
{
	static const char *const live[] = { "session", "mac_state", "pending_session", "last_seen_at" };
	size_t of_them = 0;
	for (size_t i = 0; i < mask->n; i++)
		for (size_t k = 0; k < COUNT(live); k++)
			of_them += str_is(mask->v[i], live[k]);
	return of_them == mask->n;
}

static void device_get(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_READ, NULL };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!api_mask(&c, &mask)) {
		bool live = field_mask_covers(&mask, "session") || field_mask_covers(&mask, "mac_state") ||
			    field_mask_covers(&mask, "pending_session") ||
			    field_mask_covers(&mask, "last_seen_at");
		if (is_live_alone(&mask))
			mask.given = false;
		if (!live || device_live_reply(&c, parts(&c), &mask)) {
			write_device(&c, c.device, 0);
			mask.given ? api_reply_masked(&c) : api_reply(&c);
		}
	}
	api_done(&c);
}

static void device_update(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY | API_CHANGE,
		RIGHT_APPLICATION_DEVICES_WRITE, "end_device" };
	struct api_call c;
	struct field_mask mask;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!api_mask(&c, &mask) && (!sets_keys(&c, &mask) || api_insist(&c, RIGHT_APPLICATION_DEVICES_WRITE_KEYS))) {
		AUTO(device_free) struct device *wish = device_clone(c.device);
		struct credentials_wish login;
		int e = read_device(&c, wish, &mask);
		if (!e)
			e = api_scripts_check(&c, "formatters", &wish->formatters, &c.device->formatters, device_update);
		if (!e)
			e = api_read_credentials(&c, c.device, &login);
		if (!e)
			e = registry_device_update(
				&c.as->registry, c.device, wish, loop_now(c.as->loop), &c.problem);
		if (e == REGISTRY_E_EXISTS)
			e = api_hide_others(&c, e, wish);
		if (!e)
			(void)TAKE(wish);
		if (!e)
			e = api_set_credentials(&c, c.device, &login);
		if (e) {
			api_fail(&c, e);
		} else {
			write_device(&c, c.device, 0);
			api_commit(&c);
		}
	}
	api_done(&c);
}

static void device_delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE,
		RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = registry_device_delete(&c.as->registry, c.device);
	if (e) {
		api_fail(&c, e);
	} else {
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	api_done(&c);
}

static void device_reset(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_CHANGE,
		RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = registry_device_reset(&c.as->registry, c.device, loop_now(c.as->loop));
	if (e) {
		api_fail(&c, e);
	} else {
		write_device(&c, c.device, 0);
		api_commit(&c);
	}
	api_done(&c);
}

static void device_rejoin(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_CHANGE,
		RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	int e = registry_device_rejoin(&c.as->registry, c.device, loop_now(c.as->loop), &c.problem);
	if (e) {
		api_fail(&c, e);
	} else {
		write_device(&c, c.device, 0);
		api_commit(&c);
	}
	api_done(&c);
}

/* The Things Stack keeps a device in four registries with a path each; here they are one, and each path
 * serves it. */
#define DEVICES "/api/v3/applications/{application_id}/devices"
#define PART(part) "/api/v3/" part "/applications/{application_id}/devices/{device_id}"
#define ABOUT_DEVICE_GET \
	"APPLICATION_DEVICES_READ", \
	"Show a device; with field_mask also its session and MAC state as the network server has them", "", "@EndDevice", "field_mask"
#define ABOUT_DEVICE_UPDATE \
	"APPLICATION_DEVICES_WRITE", "Change a device", "@EndDeviceRequest", "@EndDevice", ""
#define ABOUT_DEVICE_RESET \
	"APPLICATION_DEVICES_WRITE", \
	"Forget the session of a device and all that was agreed with it", "", "@EndDevice", ""
#define ABOUT_DEVICE_LIST \
	"APPLICATION_DEVICES_READ", \
	"List the devices of an application", \
	"", "@EndDevices", "limit page order field_mask id_contains name_contains description_contains dev_eui_contains join_eui_contains"
const struct api_route api_device_routes[] = {
	{ HTTP_POST, DEVICES, device_create,
		"APPLICATION_DEVICES_WRITE", "Create a device, whole", "@EndDeviceRequest", "@EndDevice", "" },
	{ HTTP_GET, DEVICES, device_list, ABOUT_DEVICE_LIST },
	{ HTTP_GET, "/api/v3/search/applications/{application_id}/devices", device_list, ABOUT_DEVICE_LIST },
	{ HTTP_GET, DEVICES "/{device_id}", device_get, ABOUT_DEVICE_GET },
	{ HTTP_PUT, DEVICES "/{device_id}", device_update, ABOUT_DEVICE_UPDATE },
	{ HTTP_PATCH, DEVICES "/{device_id}", device_update, ABOUT_DEVICE_UPDATE },
	{ HTTP_DELETE, DEVICES "/{device_id}", device_delete,
		"APPLICATION_DEVICES_WRITE", "Delete a device", "", "@Empty", "" },
	{ HTTP_POST, DEVICES "/{device_id}/reset", device_reset, ABOUT_DEVICE_RESET },
	{ HTTP_POST, DEVICES "/{device_id}/rejoin", device_rejoin,
		"APPLICATION_DEVICES_WRITE", "Tell a device to rejoin", "", "@EndDevice", "" },
	{ HTTP_GET, PART("ns"), device_get, ABOUT_DEVICE_GET },
	{ HTTP_GET, PART("js"), device_get, ABOUT_DEVICE_GET },
	{ HTTP_GET, PART("as"), device_get, ABOUT_DEVICE_GET },
	{ HTTP_PUT, PART("ns"), device_update, ABOUT_DEVICE_UPDATE },
	{ HTTP_PUT, PART("js"), device_update, ABOUT_DEVICE_UPDATE },
	{ HTTP_PUT, PART("as"), device_update, ABOUT_DEVICE_UPDATE },
	{ HTTP_PATCH, PART("ns"), device_reset, ABOUT_DEVICE_RESET },
	{ .path = NULL },
};
