/** @file Attributes of devices over HTTP. */
#include "as/attributes.h"
#include "as/api/api.h"
#include "as/api/routes.h"
#include <stdlib.h>
#include <string.h>

/** The scope that the path names. @return 0; else it has answered */
static int scope_of(struct api_call *c, enum attribute_scope *ret)
{
	int r = attributes_scope_of(str_of(http_param(c->r, "scope")), ret);
	if (r)
		api_error(c, 400, "scope", "must be client, shared or server");
	return r;
}

/** One scope, with times if they are asked for. @return 0; -errno */
static int write_scope(struct api_call *c, enum attribute_scope scope)
{
	const char *keys = http_query(c->r, "keys"), *times = http_query(c->r, "times");
	const struct names *names;
	if (!times || strcmp(times, "true") != 0) {
		int n = attributes_json(c->as, c->device, scope, keys, &c->out);
		return n < 0 ? n : 0;
	}
	TRY(attributes_get(c->as, c->device, scope, &names));
	json_open(&c->out, '{');
	for (size_t i = 0; i < names->n; i++) {
		const struct named *n = &names->v[i];
		if (keys && !attributes_among(keys, n->name))
			continue;
		json_str(&c->out, n->name);
		text_putc(&c->out, ':');
		json_open(&c->out, '{');
		json_name(&c->out, "value");
		value_json(&c->out, &n->value);
		json_name(&c->out, "ts");
		json_num(&c->out, n->ts_ms);
		json_close(&c->out, '}');
	}
	json_close(&c->out, '}');
	return 0;
}

static void answer(struct api_call *c, int e)
{
	if (e)
		api_fail(c, e);
	else
		api_reply(c);
}

static const struct api_need reads = { .what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_DEVICES_READ };

static void get_all(void *ctx, struct http_request *r)
{
	struct api_call c;
	int e = 0;
	if (api_begin(&c, ctx, r, &reads))
		return;
	json_open(&c.out, '{');
	for (enum attribute_scope s = 0; !e && s < ATTRIBUTES_SCOPE_N; s++) {
		json_name(&c.out, attributes_scope_name(s));
		e = write_scope(&c, s);
	}
	json_close(&c.out, '}');
	answer(&c, e);
	api_done(&c);
}

static void get_scope(void *ctx, struct http_request *r)
{
	struct api_call c;
	enum attribute_scope scope;
	if (api_begin(&c, ctx, r, &reads))
		return;
	if (!scope_of(&c, &scope))
		answer(&c, write_scope(&c, scope));
	api_done(&c);
}

/** Answer with what the attributes are now, or with what is wrong. @param e  as attributes_set returns it */
static void commit(struct api_call *c, enum attribute_scope scope, int e)
{
	if (e == ATTRIBUTES_E_FULL) {
		api_error(c, 429, "", "the device has too many attributes, or too large ones, for as.attributes-keys and as.attributes-size");
		return;
	}
	if (!e) {
		e = attributes_json(c->as, c->device, scope, NULL, &c->out);
		e = e < 0 ? e : 0;
	}
	if (e)
		api_fail(c, e);
	else
		api_commit(c);
}

static void set(void *ctx, struct http_request *r)
{
	static const struct api_need need = {
		.what = API_APP | API_DEVICE | API_BODY | API_LARGE | API_CHANGE, .right = RIGHT_APPLICATION_DEVICES_WRITE };
	struct api_call c;
	enum attribute_scope scope;
	struct readings readings = { 0 };
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!scope_of(&c, &scope)) {
		if (readings_attributes(&readings, http_body(r), &(struct value_rules){ 0 }, 0))
			api_error(&c, 400, "", "%s", readings.problem);
		else
			commit(&c, scope, attributes_set(c.as, c.device, scope, readings.v, readings.n));
	}
	readings_done(&readings);
	api_done(&c);
}

/** Delete those that "a,b" names. */
static int delete_keys(struct api_call *c, enum attribute_scope scope, const char *keys)
{
	struct str rest = str_of(keys);
	size_t n = 0, max = 1;
	for (const char *p = keys; *p; p++)
		max += *p == ',';
	struct str *v = calloc(max, sizeof *v);
	if (!v)
		return -ENOMEM;
	while (rest.n)
		rest = str_cut(rest, ',', &v[n++]);
	int r = attributes_delete(c->as, c->device, scope, v, n);
	free(v);
	return r;
}

static void delete(void *ctx, struct http_request *r)
{
	static const struct api_need need = { .what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_DEVICES_WRITE };
	struct api_call c;
	enum attribute_scope scope;
	const char *keys = http_query(r, "keys");
	if (api_begin(&c, ctx, r, &need))
		return;
	if (!scope_of(&c, &scope)) {
		if (!keys || !*keys)
			api_error(&c, 400, "keys", "names the attributes to delete, with commas between");
		else
			commit(&c, scope, delete_keys(&c, scope, keys));
	}
	api_done(&c);
}

#define PATH "/api/v3/as/applications/{application_id}/devices/{device_id}/attributes"
const struct api_route api_attribute_routes[] = {
	{ HTTP_GET, PATH, get_all,
		"APPLICATION_DEVICES_READ", "Show a device's attributes of all scopes", "", "@Attributes", "keys times" },
	{ HTTP_GET, PATH "/{scope}", get_scope,
		"APPLICATION_DEVICES_READ", "Show a device's attributes of one scope", "", "object", "keys times" },
	{ HTTP_PUT, PATH "/{scope}", set,
		"APPLICATION_DEVICES_WRITE", "Set attributes: the members of the body; others stay", "object", "object", "" },
	{ HTTP_DELETE, PATH "/{scope}", delete,
		"APPLICATION_DEVICES_WRITE", "Delete attributes", "", "object", "keys" },
	{ .path = NULL },
};
