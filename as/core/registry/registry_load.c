/** @file The registry: taking records from the store at start. */
#include "as/core/registry/device_json.h"
#include "as/core/registry/entity_json.h"
#include "as/core/registry/registry_records.h"
#include <stdlib.h>
#include <string.h>

static const struct field_mask everything = { 0 };

static struct str str_of_slice(struct slice s)
{
	return (struct str){ (const char *)s.p, s.n };
}

static int load_meta(struct registry *r, struct str key, struct slice value)
{
	struct reader rd = reader_of(value.p, value.n);
	if (str_is(key, "store") && value.n == sizeof r->store_id.b)
		memcpy(r->store_id.b, value.p, value.n);
	else if (str_is(key, "uid"))
		r->next_uid = reader_be64(&rd);
	else if (str_is(key, "forgotten"))
		r->forgotten = reader_be64(&rd);
	return 0;
}

static int load_app(struct registry *r, const struct record_source *rd)
{
	AUTO(app_free) struct app *a = app_new();
	if (!a)
		return -ENOMEM;
	int e = app_json_read(a, &everything, rd);
	if (e)
		return e;
	if (!a->key[0] || registry_app(r, str_of(a->key)))
		return problem_say(
			rd->problem, REGISTRY_E_INVALID, "ids.application_id", "is missing or twice");
	e = formatters_intern(&r->scripts, &a->formatters);
	if (!e)
		e = index_app(r, a);
	if (!e)
		(void)TAKE(a);
	return e;
}

static int load_device(struct registry *r, const struct record_source *rd)
{
	AUTO(device_free) struct device *d = device_new();
	struct str app;
	if (!d)
		return -ENOMEM;
	int e = device_json_read(d, &everything, rd);
	if (e)
		return e;
	json_val v = record_find(rd->j, rd->root, "godwit.app");
	if (json_plain(rd->j, v, &app) || !(d->app = registry_app(r, app)))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "godwit.app", "names no application");
	e = device_settle(d, rd->problem);
	if (e)
		return e;
	if (registry_device(r, d->app, str_of(d->id)) || registry_device_by_uid(r, d->entry.uid))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "ids.device_id", "is there twice");
	e = formatters_intern(&r->scripts, &d->formatters);
	if (!e)
		e = index_device(r, d);
	if (e)
		return e;
	app_adopt(d->app, d);
	entry_append(r, &d->entry);
	(void)TAKE(d);
	return 0;
}

static int load_gateway(struct registry *r, const struct record_source *rd)
{
	AUTO(gateway_free) struct gateway *g = gateway_new();
	if (!g)
		return -ENOMEM;
	int e = gateway_json_read(g, &everything, rd);
	if (!e)
		e = gateway_settle(g, rd->problem);
	if (e)
		return e;
	if (registry_gateway(r, str_of(g->id)) || registry_gateway_by_uid(r, g->entry.uid))
		return problem_say(rd->problem, REGISTRY_E_INVALID, "ids.gateway_id", "is there twice");
	e = index_gateway(r, g);
	if (e)
		return e;
	entry_append(r, &g->entry);
	(void)TAKE(g);
	return 0;
}

static int load_tombstone(struct registry *r, struct slice key, struct slice value, struct problem *p)
{
	struct reader k = reader_of(key.p, key.n), v = reader_of(value.p, value.n);
	struct entry *e = calloc(1, sizeof *e);
	if (!e)
		return -ENOMEM;
	e->revision = reader_be64(&k);
	e->kind = reader_u8(&v) == ENTRY_DEVICE ? ENTRY_DEVICE : ENTRY_GATEWAY;
	e->uid = reader_be64(&v);
	e->deleted = true;
	if (k.failed || v.failed) {
		free(e);
		return problem_say(p, REGISTRY_E_INVALID, "", "a tombstone is damaged");
	}
	entry_append(r, e);
	r->n_tombstones++;
	return 0;
}

int registry_load(struct registry *r, enum registry_table table, struct slice key, struct slice value,
	struct problem *p)
{
	static const struct {
		enum registry_table table;
		int (*fn)(struct registry *r, const struct record_source *rd);
	} tables[] = {
		{ REGISTRY_APPS, load_app },
		{ REGISTRY_DEVICES, load_device },
		{ REGISTRY_GATEWAYS, load_gateway },
	};
	struct json_tok *tok;
	struct json j;
	int e = -EINVAL;
	if (table == REGISTRY_META)
		return load_meta(r, str_of_slice(key), value);
	if (table == REGISTRY_TOMBSTONES)
		return load_tombstone(r, key, value, p);
	tok = malloc(RECORD_TOKENS_MAX * sizeof *tok);
	if (!tok)
		return -ENOMEM;
	if (json_parse(str_of_slice(value), tok, RECORD_TOKENS_MAX, &j, NULL))
		e = problem_say(p, REGISTRY_E_INVALID, "", "a record is damaged");
	else
		for (size_t i = 0; i < COUNT(tables); i++)
			if (tables[i].table == table)
				e = tables[i].fn(r, &(struct record_source){ .j = &j, .root = json_root(&j), .envelope = r->envelope, .problem = p });
	free(tok);
	return e;
}

static int by_revision(const void *a, const void *b)
{
	const struct entry *x = *(struct entry *const *)a, *y = *(struct entry *const *)b;
	return x->revision < y->revision ? -1 : x->revision > y->revision;
}

static int sort_entries(struct registry *r)
{
	size_t n = 0, i = 0;
	for (struct entry *e = r->oldest; e; e = e->newer)
		n++;
	if (n == 0)
		return 0;
	struct entry **v = malloc(n * sizeof *v);
	if (!v)
		return -ENOMEM;
	for (struct entry *e = r->oldest; e; e = e->newer)
		v[i++] = e;
	qsort(v, n, sizeof *v, by_revision);
	r->oldest = r->newest = r->unsent = NULL;
	for (i = 0; i < n; i++)
		entry_append(r, v[i]);
	free(v);
	return 0;
}

static int by_creation(const struct app *a, const struct app *b)
{
	return a->created_unix_us < b->created_unix_us ? -1 : a->created_unix_us > b->created_unix_us;
}

int registry_loaded(struct registry *r, const struct now *now)
{
	TRY(sort_entries(r));
	HASH_SRT(hh, r->apps, by_creation);
	if (r->newest && r->newest->revision > r->revision)
		r->revision = r->newest->revision;
	for (struct entry *e = r->oldest; e; e = e->newer)
		if (e->uid >= r->next_uid)
			r->next_uid = e->uid + 1;
	if (r->forgotten > r->revision)
		r->revision = r->forgotten;
	if (!ulid_is_none(&r->store_id))
		return 0;
	r->store_id = ulid_make(now->unix_us, &r->rng);
	return r->sink.put(r->sink.ctx, REGISTRY_META, (struct slice){ (const uint8_t *)"store", 5 },
		(struct slice){ r->store_id.b, sizeof r->store_id.b });
}
