/** @file The registry: its indexes, lookups, and the revisions that replicas follow. */
#include "as/core/registry/registry.h"
#include "as/core/registry/registry_records.h"
#include <stdlib.h>
#include <string.h>

void registry_init(struct registry *r, const struct registry_sink *sink, const struct envelope *envelope,
	const struct rng *rng, const char *default_tenant)
{
	*r = (struct registry){ .sink = *sink, .envelope = envelope, .rng = *rng, .next_uid = 1 };
	if (default_tenant && str_copy(str_of(default_tenant), r->default_tenant, sizeof r->default_tenant))
		r->default_tenant[0] = '\0';
}

void registry_done(struct registry *r)
{
	struct entry *e, *next;
	struct app *a, *tmp;
	HASH_CLEAR(by_id, r->by_id);
	HASH_CLEAR(by_uid, r->by_uid);
	HASH_CLEAR(by_eui, r->by_eui);
	HASH_CLEAR(by_id, r->gtw_by_id);
	HASH_CLEAR(by_uid, r->gtw_by_uid);
	HASH_CLEAR(by_eui, r->gtw_by_eui);
	for (e = r->oldest; e; e = next) {
		next = e->newer;
		if (e->deleted)
			free(e);
		else if (e->kind == ENTRY_DEVICE)
			device_free(CONTAINER_OF(e, struct device, entry));
		else
			gateway_free(CONTAINER_OF(e, struct gateway, entry));
	}
	HASH_ITER(hh, r->apps, a, tmp) {
		HASH_DEL(r->apps, a);
		app_free(a);
	}
	scripts_done(&r->scripts);
	*r = (struct registry){ 0 };
}

void registry_watch(struct registry *r, const struct registry_watch *w)
{
	assert(r->n_watch < COUNT(r->watch));
	r->watch[r->n_watch++] = *w;
}

static struct app *app_by_key(const struct registry *r, struct str key)
{
	struct app *a = NULL;
	if (key.n)
		HASH_FIND(hh, r->apps, key.p, key.n, a);
	return a;
}

struct app *registry_app(const struct registry *r, struct str key)
{
	struct app *a = app_by_key(r, key);
	if (a || !r->default_tenant[0])
		return a;
	struct str id, tenant = str_cut(key, '@', &id);
	return str_is(tenant, r->default_tenant) ? app_by_key(r, id) : NULL;
}

struct device *registry_device(const struct registry *r, const struct app *a, struct str id)
{
	char path[sizeof ((struct device *)0)->path];
	struct text t = text_fixed(path, sizeof path);
	struct device *d = NULL;
	text_puts(&t, a->key);
	text_putc(&t, '/');
	text_put(&t, id);
	if (!t.failed)
		HASH_FIND(by_id, r->by_id, path, t.len, d);
	return d;
}

struct device *registry_device_by_uid(const struct registry *r, uint64_t uid)
{
	struct device *d = NULL;
	HASH_FIND(by_uid, r->by_uid, &uid, sizeof uid, d);
	return d;
}

struct device *registry_device_by_eui(const struct registry *r, uint64_t join_eui, uint64_t dev_eui)
{
	uint64_t euis[2] = { join_eui, dev_eui };
	struct device *d = NULL;
	HASH_FIND(by_eui, r->by_eui, euis, sizeof euis, d);
	return d;
}

struct gateway *registry_gateway(const struct registry *r, struct str id)
{
	struct gateway *g = NULL;
	if (id.n)
		HASH_FIND(by_id, r->gtw_by_id, id.p, id.n, g);
	return g;
}

struct gateway *registry_gateway_by_uid(const struct registry *r, uint64_t uid)
{
	struct gateway *g = NULL;
	HASH_FIND(by_uid, r->gtw_by_uid, &uid, sizeof uid, g);
	return g;
}

struct gateway *registry_gateway_by_eui(const struct registry *r, uint64_t eui)
{
	struct gateway *g = NULL;
	HASH_FIND(by_eui, r->gtw_by_eui, &eui, sizeof eui, g);
	return g;
}

/* ---- indexes ---- */

int index_app(struct registry *r, struct app *a)
{
	HASH_ADD_KEYPTR(hh, r->apps, a->key, strlen(a->key), a);
	return a->hh.tbl ? 0 : -ENOMEM;
}

int index_device_eui(struct registry *r, struct device *d)
{
	if (!d->has_dev_eui)
		return 0;
	d->euis[0] = d->join_eui;
	d->euis[1] = d->dev_eui;
	HASH_ADD(by_eui, r->by_eui, euis, sizeof d->euis, d);
	return d->by_eui.tbl ? 0 : -ENOMEM;
}

void unindex_device_eui(struct registry *r, struct device *d)
{
	if (d->by_eui.tbl)
		HASH_DELETE(by_eui, r->by_eui, d);
	d->by_eui.tbl = NULL;
}

void unindex_device(struct registry *r, struct device *d)
{
	if (d->by_id.tbl)
		HASH_DELETE(by_id, r->by_id, d);
	if (d->by_uid.tbl)
		HASH_DELETE(by_uid, r->by_uid, d);
	unindex_device_eui(r, d);
	d->by_id.tbl = d->by_uid.tbl = NULL;
}

int index_device(struct registry *r, struct device *d)
{
	struct text path = text_fixed(d->path, sizeof d->path);
	text_printf(&path, "%s/%s", d->app->key, d->id);
	HASH_ADD_KEYPTR(by_id, r->by_id, d->path, path.len, d);
	HASH_ADD(by_uid, r->by_uid, entry.uid, sizeof d->entry.uid, d);
	if (d->by_id.tbl && d->by_uid.tbl && index_device_eui(r, d) == 0)
		return 0;
	unindex_device(r, d);
	return -ENOMEM;
}

int index_gateway_eui(struct registry *r, struct gateway *g)
{
	if (!g->has_eui)
		return 0;
	HASH_ADD(by_eui, r->gtw_by_eui, eui, sizeof g->eui, g);
	return g->by_eui.tbl ? 0 : -ENOMEM;
}

void unindex_gateway_eui(struct registry *r, struct gateway *g)
{
	if (g->by_eui.tbl)
		HASH_DELETE(by_eui, r->gtw_by_eui, g);
	g->by_eui.tbl = NULL;
}

void unindex_gateway(struct registry *r, struct gateway *g)
{
	if (g->by_id.tbl)
		HASH_DELETE(by_id, r->gtw_by_id, g);
	if (g->by_uid.tbl)
		HASH_DELETE(by_uid, r->gtw_by_uid, g);
	unindex_gateway_eui(r, g);
	g->by_id.tbl = g->by_uid.tbl = NULL;
}

int index_gateway(struct registry *r, struct gateway *g)
{
	HASH_ADD_KEYPTR(by_id, r->gtw_by_id, g->id, strlen(g->id), g);
	HASH_ADD(by_uid, r->gtw_by_uid, entry.uid, sizeof g->entry.uid, g);
	if (g->by_id.tbl && g->by_uid.tbl && index_gateway_eui(r, g) == 0)
		return 0;
	unindex_gateway(r, g);
	return -ENOMEM;
}

/* ---- revisions ---- */

void entry_append(struct registry *r, struct entry *e)
{
	e->older = r->newest;
	e->newer = NULL;
	if (r->newest)
		r->newest->newer = e;
	else
		r->oldest = e;
	r->newest = e;
	if (!r->unsent)
		r->unsent = e;
}

void entry_remove(struct registry *r, struct entry *e)
{
	if (r->unsent == e)
		r->unsent = e->newer;
	if (e->older)
		e->older->newer = e->newer;
	else
		r->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		r->newest = e->older;
	e->older = e->newer = NULL;
}

struct entry *registry_since(const struct registry *r, uint64_t revision)
{
	struct entry *e = r->newest, *first = NULL;
	/* A replica is rarely far behind: walk back from the end. */
	while (e && e->revision > revision) {
		first = e;
		e = e->older;
	}
	return first;
}

bool registry_can_follow(const struct registry *r, const struct ulid *store_id, uint64_t revision)
{
	return ulid_eq(store_id, &r->store_id) && revision <= r->revision && revision >= r->forgotten;
}

void registry_entry_to_sync(struct entry *e, struct sync_entry *ret)
{
	bool deleted = e->deleted;
	*ret = (struct sync_entry){ .revision = e->revision };
	if (e->kind == ENTRY_DEVICE) {
		MSG_SET(ret, device, e->uid);
		const struct device *d = CONTAINER_OF(e, struct device, entry);
		deleted = deleted || !device_is_lorawan(d);
		if (!deleted) {
			device_to_ns(d, &ret->dev);
			MSG_MARK(ret, dev);
		}
	} else {
		MSG_SET(ret, gateway, e->uid);
		const struct gateway *g = CONTAINER_OF(e, struct gateway, entry);
		deleted = deleted || !g->has_eui;
		if (!deleted) {
			gateway_to_ns(g, &ret->gtw);
			MSG_MARK(ret, gtw);
		}
	}
	if (deleted)
		MSG_SET(ret, deleted, true);
}
