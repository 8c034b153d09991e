/** @file What concerns several devices of an application: deleting them at once, and a DevEUI for one that is to come. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include <stdlib.h>
#include <string.h>

enum { BATCH_MAX = 1000, EUI_TRIES = 16 };
/* The first octet of an EUI-64 that nobody was assigned: locally administered, and not of a group (IEEE 802c). */
#define EUI_LOCAL UINT64_C(0x0200000000000000)
#define EUI_GROUP UINT64_C(0x0100000000000000)

struct batch {
	struct device *v[BATCH_MAX];
	size_t n;
};

/** A device that is not there is not missed, as in The Things Stack; one that is named twice is deleted once. */
static void add(struct api_call *c, struct batch *b, struct str id)
{
	struct device *d = registry_device(&c->as->registry, c->app, id);
	for (size_t i = 0; i < b->n; i++)
		if (b->v[i] == d)
			return;
	if (d)
		b->v[b->n++] = d;
}

static int from_query(struct api_call *c, struct batch *b)
{
	const char *id;
	size_t i = 0;
	while ((id = http_query_nth(c->r, "device_ids", i))) {
		add(c, b, str_of(id));
		i++;
	}
	return i ? 0 : -ENOENT;
}

static int from_body(struct api_call *c, struct batch *b)
{
	json_val list = json_get(&c->body, c->object, "device_ids");
	if (json_type(&c->body, list) != JSON_ARRAY || !json_count(&c->body, list))
		return problem_say(&c->problem, REGISTRY_E_INVALID, "device_ids", "which? ?device_ids=dev1&device_ids=dev2, or an array in the body");
	if (json_count(&c->body, list) > BATCH_MAX)
		return problem_say(&c->problem, REGISTRY_E_INVALID, "device_ids", "are more than %d", BATCH_MAX);
	for (json_val v = json_first(&c->body, list); v >= 0; v = json_next(&c->body, v)) {
		struct str id;
		if (json_type(&c->body, v) != JSON_STRING || json_plain(&c->body, v, &id))
			return problem_say(&c->problem, REGISTRY_E_INVALID, "device_ids", "must be an array of device ids");
		add(c, b, id);
	}
	return 0;
}

/** All of them or, where the request is wrong, none. */
static void delete_batch(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP | API_BODY | API_NO_BODY_OK, RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct batch *b = malloc(sizeof *b);
	int e = b ? 0 : -ENOMEM;
	if (b) {
		b->n = 0;
		e = from_query(&c, b) ? from_body(&c, b) : 0;
	}
	for (size_t i = 0; !e && i < b->n; i++)
		e = registry_device_delete(&c.as->registry, b->v[i]);
	if (e) {
		api_fail(&c, e);
	} else {
		text_puts(&c.out, "{}");
		api_commit(&c);
	}
	free(b);
	api_done(&c);
}

static bool has_eui(const struct registry *r, uint64_t eui)
{
	const struct app *a, *tmp;
	HASH_ITER(hh, r->apps, a, tmp)
		for (const struct device *d = a->devices; d; d = d->next_of_app)
			if (d->has_dev_eui && d->dev_eui == eui)
				return true;
	return false;
}

/** A DevEUI for a device whose maker gave it none. It is of the space that is nobody's, and not remembered: it is taken by the device
 * that is created with it. */
static void issue_dev_eui(void *ctx, struct http_request *r)
{
	static const struct api_need need = { API_APP, RIGHT_APPLICATION_DEVICES_WRITE, NULL };
	struct api_call c;
	uint64_t eui = 0;
	if (api_begin(&c, ctx, r, &need))
		return;
	for (int i = 0; i < EUI_TRIES && (!eui || has_eui(&c.as->registry, eui)); i++)
		eui = (rng_u64(&c.as->rng) | EUI_LOCAL) & ~EUI_GROUP;
	json_open(&c.out, '{');
	json_name(&c.out, "dev_eui");
	json_eui(&c.out, eui);
	json_close(&c.out, '}');
	api_reply(&c);
	api_done(&c);
}

#define APP "/api/v3/applications/{application_id}"
const struct api_route api_batch_routes[] = {
	{ HTTP_DELETE, APP "/devices/batch", delete_batch,
		"APPLICATION_DEVICES_WRITE", "Delete devices at once; those that are not there are passed over", "@DevicesRequest", "@Empty",
		"device_ids" },
	{ HTTP_POST, APP "/dev-eui", issue_dev_eui,
		"APPLICATION_DEVICES_WRITE", "A DevEUI, locally administered, that no device has", "", "@DevEui", "" },
	{ .path = NULL },
};
