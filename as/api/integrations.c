/** @file What the routes of Pub/Sub integrations and webhooks share: which one is meant, listing and deleting them. */
#include "as/api/integrations.h"
#include "as/core/registry/device_json.h"
#include <string.h>

void api_integration_ids(struct api_call *c, const struct api_kind *k, const struct integration *i)
{
	struct text *t = &c->out;
	json_name(t, "ids");
	json_open(t, '{');
	json_name(t, "application_ids");
	app_json_ids(t, c->app);
	json_name(t, k->id);
	json_puts(t, i->id);
	json_close(t, '}');
}

struct integration *api_integration(struct api_call *c, const struct api_kind *k)
{
	const char *id = http_param(c->r, k->id);
	struct integration *i = integrations_find(c->as, k->kind, c->app, str_of(id));
	if (!i)
		api_error(c, 404, "", "application %s has no %s %s", c->app->key, k->called, id);
	return i;
}

int api_integration_id(struct api_call *c, const struct api_kind *k, char ret[ID_MAX + 1])
{
	const char *of_path = http_param(c->r, k->id); /* "" in a path without one */
	char field[32], of_body[ID_MAX + 1] = "";
	struct text f = text_fixed(field, sizeof field);
	text_printf(&f, "ids.%s", k->id);
	json_val v = record_find(&c->body, c->object, field);
	bool is_word = v < 0 || !json_string(&c->body, v, of_body, sizeof of_body);
	if (is_word && *of_path && *of_body && strcmp(of_path, of_body))
		return problem_say(&c->problem, REGISTRY_E_INVALID, field, "is not the one of the path");
	if (is_word && !*of_path && !*of_body)
		return problem_say(&c->problem, REGISTRY_E_INVALID, field, "is missing");
	if (!is_word || str_copy(str_of(*of_path ? of_path : of_body), ret, ID_MAX + 1) || !id_valid(str_of(ret)))
		return problem_say(&c->problem, REGISTRY_E_INVALID, field, "must be 2 to 36 of a-z, 0-9 and single dashes inside");
	return 0;
}

bool api_may_integrate(struct api_call *c)
{
	return api_insist(c, RIGHT_APPLICATION_TRAFFIC_READ) && api_insist(c, RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE);
}

void api_integrations_list(struct api_call *c, const struct api_kind *k, const struct api_listing *listing)
{
	struct api_rows rows = { .n = 0 };
	for (const struct integration *i = integrations_of(c->as, c->app); i; i = i->next_of_app)
		if (i->kind == k->kind)
			api_rows_add(c, listing, &rows, i);
	api_rows_reply(c, listing, &rows);
}

void api_integration_delete(struct api_call *c, const struct api_kind *k)
{
	struct integration *i = api_integration(c, k);
	if (!i)
		return;
	int e = integrations_delete(c->as, i);
	text_puts(&c->out, "{}");
	e ? api_fail(c, e) : api_commit(c);
}

void api_integration_formats(void *ctx, struct http_request *r)
{
	static const struct api_need need = { 0, RIGHT_N, NULL };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	text_puts(&c.out, "{\"formats\":{\"json\":\"JSON\"}}");
	api_reply(&c);
	api_done(&c);
}
