/** @file An application: making, copying and naming it. */
#include "as/core/registry/app.h"
#include <stdlib.h>
#include <string.h>

struct app *app_new(void)
{
	return calloc(1, sizeof(struct app));
}

struct app *app_clone(const struct app *a)
{
	struct app *c = app_new();
	if (!c)
		return NULL;
	memcpy(c->key, a->key, sizeof c->key);
	memcpy(c->id, a->id, sizeof c->id);
	memcpy(c->tenant, a->tenant, sizeof c->tenant);
	c->created_unix_us = a->created_unix_us;
	c->updated_unix_us = a->updated_unix_us;
	formatters_copy(&c->formatters, &a->formatters);
	if (texts_copy(&c->texts, &a->texts) < 0) {
		app_free(c);
		return NULL;
	}
	return c;
}

void app_free(struct app *a)
{
	if (!a)
		return;
	texts_done(&a->texts);
	formatters_done(&a->formatters);
	free(a);
}

/* As its record has it; a link of any other form is one. */
static const char unlinked[] = "{\"linked\":false}";

bool app_is_linked(const struct app *a)
{
	return strcmp(texts_get(&a->texts, TEXT_LINK), unlinked) != 0;
}

int app_unlink(struct app *a)
{
	return texts_set(&a->texts, TEXT_LINK, str_of(unlinked));
}

int app_set_ids(struct app *a, struct str key, struct problem *p)
{
	struct str id, tenant = str_cut(key, '@', &id);
	bool has_tenant = id.n < key.n;
	if (!id_valid(id) || (has_tenant && !id_valid(tenant)))
		return problem_say(p, REGISTRY_E_INVALID,
			has_tenant && id_valid(id) ? "ids.tenant_id" : "ids.application_id",
			"must be 2 to 36 of a-z, 0-9 and single dashes inside, as in my-app-1");
	if (str_copy(key, a->key, sizeof a->key) || str_copy(id, a->id, sizeof a->id) ||
	    str_copy(tenant, a->tenant, sizeof a->tenant))
		return problem_say(p, REGISTRY_E_INVALID, "ids.application_id", "is too long");
	return 0;
}
