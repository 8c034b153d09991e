/** @file Members of a multicast group over HTTP. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/core/registry/device_json.h"

static void write_members(struct api_call *c)
{
	json_open(&c->out, '{');
	json_name(&c->out, "members");
	json_open(&c->out, '[');
	for (const struct device *d = c->app->devices; d; d = d->next_of_app) {
		if (!device_is_member(d, c->device->entry.uid))
			continue;
		json_open(&c->out, '{');
		json_name(&c->out, "ids");
		device_json_ids(&c->out, d, d->session.present ? &d->session.dev_addr : NULL);
		json_close(&c->out, '}');
	}
	json_close(&c->out, ']');
	json_close(&c->out, '}');
}

static bool is_group(struct api_call *c)
{
	if (!c->device->multicast)
		api_error(c, 400, "multicast", "device %s is no multicast group: create it with --multicast", c->device->id);
	return c->device->multicast;
}

/** The device that an element of device_ids names. NULL: it has answered */
static struct device *named(struct api_call *c, json_val v)
{
	char id[ID_MAX + 1];
	struct device *d = json_string(&c->body, v, id, sizeof id) ? NULL : registry_device(&c->as->registry, c->app, str_of(id));
	if (!d)
		api_error(c, 404, "device_ids", "device %.*s of application %s not found", (int)json_raw(&c->body, v).n, json_raw(&c->body, v).p,
			c->app->key);
	else if (d->multicast || !device_is_lorawan(d))
		api_error(c, 400, "device_ids", "device %s has no radio of its own, so it cannot be a member", d->id);
	else
		return d;
	return NULL;
}

/** Add one to the group, or remove it. @return 0; REGISTRY_E_*; -errno */
static int change_one(struct api_call *c, struct device *d, bool add)
{
	uint64_t group = c->device->entry.uid;
	if (device_is_member(d, group) == add)
		return 0;
	AUTO(device_free) struct device *wish = device_clone(d);
	if (!wish)
		return -ENOMEM;
	int e = add ? device_join_group(wish, group, &c->problem) : 0;
	if (!add)
		device_leave_group(wish, group);
	if (!e)
		e = registry_device_update(&c->as->registry, d, wish, loop_now(c->as->loop), &c->problem);
	if (!e)
		(void)TAKE(wish);
	return e;
}

static void change(void *ctx, struct http_request *r, bool add)
{
	static const struct api_need need = { API_APP | API_DEVICE | API_BODY | API_CHANGE, RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	json_val list = json_get(&c.body, c.object, "device_ids"), v;
	bool ok = is_group(&c);
	if (ok && json_type(&c.body, list) != JSON_ARRAY) {
		api_error(&c, 400, "device_ids", "must be an array of device ids");
		ok = false;
	}
	for (v = ok ? json_first(&c.body, list) : -1; v >= 0; v = json_next(&c.body, v)) {
		ok = named(&c, v) != NULL;
		if (!ok)
			break; /* it has answered, and the body is gone with that */
	}
	int e = 0;
	for (v = ok ? json_first(&c.body, list) : -1; v >= 0 && !e; v = json_next(&c.body, v))
		e = change_one(&c, named(&c, v), add);
	if (e) {
		api_fail(&c, e);
	} else if (ok) {
		write_members(&c);
		api_commit(&c);
	}
	api_done(&c);
}

static void members_add(void *ctx, struct http_request *r)
{
	change(ctx, r, true);
}

static void members_remove(void *ctx, struct http_request *r)
{
	change(ctx, r, false);
}

static void members_list(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_DEVICE, RIGHT_APPLICATION_DEVICES_READ, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	if (is_group(&c)) {
		write_members(&c);
		api_reply(&c);
	}
	api_done(&c);
}

#define MEMBERS "/api/v3/applications/{application_id}/devices/{device_id}/multicast-members"
const struct api_route api_member_routes[] = {
	{ HTTP_GET, MEMBERS, members_list,
		"APPLICATION_DEVICES_READ", "List the members of a multicast group", "", "@Members", "" },
	{ HTTP_POST, MEMBERS, members_add,
		"APPLICATION_DEVICES_WRITE", "Add devices to a multicast group", "@MembersRequest", "@Members", "" },
	{ HTTP_POST, MEMBERS "/remove", members_remove,
		"APPLICATION_DEVICES_WRITE", "Remove devices from a multicast group", "@MembersRequest", "@Members", "" },
	{ .path = NULL },
};
