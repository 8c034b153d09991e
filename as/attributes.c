/** @file Attributes of devices: one record for each device and scope. */
#include "as/attributes.h"
#include "as/store.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { SCOPE_KEY = UID_KEY + 1, WATCHES = 4, CHANGE_MAX = 4 << 20 };

struct attributes {
	struct names names;   /* of what was read last */
	uint8_t *record;      /* scratch of record_max octets */
	size_t record_max;
	void (*watch[WATCHES])(struct as *as, const struct device *d, enum attribute_scope scope, struct str change);
	size_t n_watch;
	void (*soon)(struct as *as, const struct device *d, enum attribute_scope scope, struct str change); /**< NULL: nobody */
};

static const char *const scope_names[] = { "client", "shared", "server" };
_Static_assert(COUNT(scope_names) == ATTRIBUTES_SCOPE_N, "each scope has a name");

const char *attributes_scope_name(enum attribute_scope scope)
{
	return scope_names[scope];
}

int attributes_scope_of(struct str name, enum attribute_scope *ret)
{
	static const char *const there[] = { "CLIENT_SCOPE", "SHARED_SCOPE", "SERVER_SCOPE" };
	for (size_t i = 0; i < COUNT(scope_names); i++)
		if (str_is(name, scope_names[i]) || str_is(name, there[i])) {
			*ret = (enum attribute_scope)i;
			return 0;
		}
	return -EINVAL;
}

static struct slice key_of(uint8_t buf[SCOPE_KEY], uint64_t uid, enum attribute_scope scope)
{
	as_store_uid_key(buf, TABLE_ATTRIBUTES, uid);
	buf[UID_KEY] = (uint8_t)scope;
	return (struct slice){ buf, SCOPE_KEY };
}

/** Read what a device has into a->names. @return 0; -errno */
static int load(struct as *as, const struct device *d, enum attribute_scope scope)
{
	struct attributes *a = as->attributes;
	uint8_t key[SCOPE_KEY];
	struct slice value = { 0 };
	int r = store_get(as->store, key_of(key, d->entry.uid, scope), &value);
	if (r < 0)
		return r;
	r = names_read(&a->names, value, 0);
	if (r != -EBADMSG)
		return r;
	LOG(LOG_ERROR, "record_damaged", KV_Z("what", "attributes"), KV_Z("scope", scope_names[scope]), KV_Z("device", d->path));
	a->names.n = 0;
	return 0;
}

/** Write a->names down, which are borrowed from the record that this replaces. @return 0; ATTRIBUTES_E_FULL; -errno */
static int save(struct as *as, const struct device *d, enum attribute_scope scope)
{
	struct attributes *a = as->attributes;
	uint8_t key[SCOPE_KEY];
	struct writer w = writer_of(a->record, a->record_max);
	key_of(key, d->entry.uid, scope);
	if (!a->names.n)
		return store_del(as->store, (struct slice){ key, sizeof key });
	if (names_write(&a->names, (struct slice){ 0 }, &w))
		return ATTRIBUTES_E_FULL;
	return store_put(as->store, (struct slice){ key, sizeof key }, (struct slice){ w.p, w.len });
}

/* ---- who wants to know ---- */

struct telling {
	struct as *as;
	uint64_t uid;
	enum attribute_scope scope;
	struct text json;
};

static void telling_free(struct telling *c)
{
	text_done(&c->json);
	free(c);
}

static void tell(void *ctx)
{
	struct telling *c = ctx;
	struct attributes *a = c->as->attributes;
	const struct device *d = registry_device_by_uid(&c->as->registry, c->uid);
	for (size_t i = 0; a && d && i < a->n_watch; i++)
		a->watch[i](c->as, d, c->scope, text_str(&c->json));
	telling_free(c);
}

static struct telling *telling_new(struct as *as, const struct device *d, enum attribute_scope scope)
{
	struct telling *c = calloc(1, sizeof *c);
	if (c)
		*c = (struct telling){ .as = as, .uid = d->entry.uid, .scope = scope, .json = text_growing(CHANGE_MAX) };
	return c;
}

/** Tell of it once it is on disk. @return 0; -errno */
static int tell_later(struct telling *take_c)
{
	struct as *as = take_c->as;
	const struct device *d = registry_device_by_uid(&as->registry, take_c->uid);
	if (d && as->attributes->soon && !take_c->json.failed)
		as->attributes->soon(as, d, take_c->scope, text_str(&take_c->json));
	int r = take_c->json.failed ? -ENOMEM : store_after(take_c->as->store, tell, take_c);
	if (r)
		telling_free(take_c);
	return r;
}

void attributes_watch_soon(struct as *as, void (*fn)(struct as *as, const struct device *d, enum attribute_scope scope, struct str change))
{
	as->attributes->soon = fn;
}

void attributes_watch(struct as *as,
	void (*fn)(struct as *as, const struct device *d, enum attribute_scope scope, struct str change))
{
	struct attributes *a = as->attributes;
	assert(a->n_watch < COUNT(a->watch));
	a->watch[a->n_watch++] = fn;
}

/* ---- what others ask for ---- */

int attributes_set(struct as *as, const struct device *d, enum attribute_scope scope, const struct reading *v, size_t n)
{
	struct attributes *a = as->attributes;
	int64_t now_ms = (int64_t)(loop_now(as->loop)->unix_us / 1000);
	if (!n)
		return 0;
	TRY(load(as, d, scope));
	for (size_t i = 0; i < n; i++)
		TRY(names_set(&a->names, &(struct named){ v[i].key, now_ms, v[i].value }));
	if (a->names.n > as->settings->attributes_keys)
		return ATTRIBUTES_E_FULL;
	struct telling *c = telling_new(as, d, scope);
	if (!c)
		return -ENOMEM;
	readings_json(&c->json, v, n);
	int r = save(as, d, scope);
	if (!r)
		return tell_later(c);
	telling_free(c);
	return r;
}

int attributes_delete(struct as *as, const struct device *d, enum attribute_scope scope, const struct str *keys, size_t n)
{
	struct attributes *a = as->attributes;
	size_t gone = 0;
	TRY(load(as, d, scope));
	struct telling *c = telling_new(as, d, scope);
	if (!c)
		return -ENOMEM;
	text_puts(&c->json, "{\"deleted\":[");
	for (size_t i = 0; i < n; i++)
		if (names_remove(&a->names, keys[i])) {
			gone++;
			json_str(&c->json, keys[i]);
		}
	text_puts(&c->json, "]}");
	int r = gone ? save(as, d, scope) : 0;
	if (gone && !r)
		return tell_later(c);
	telling_free(c);
	return r;
}

int attributes_get(struct as *as, const struct device *d, enum attribute_scope scope, const struct names **ret)
{
	TRY(load(as, d, scope));
	*ret = &as->attributes->names;
	return 0;
}

bool attributes_among(const char *keys, struct str name)
{
	struct str rest = str_of(keys), one;
	while (rest.n) {
		rest = str_cut(rest, ',', &one);
		if (str_eq(one, name))
			return true;
	}
	return false;
}

int attributes_json(struct as *as, const struct device *d, enum attribute_scope scope, const char *keys, struct text *t)
{
	const struct names *names;
	int n = 0;
	TRY(attributes_get(as, d, scope, &names));
	json_open(t, '{');
	for (size_t i = 0; i < names->n; i++) {
		if (keys && !attributes_among(keys, names->v[i].name))
			continue;
		json_str(t, names->v[i].name);
		text_putc(t, ':');
		value_json(t, &names->v[i].value);
		n++;
	}
	json_close(t, '}');
	return n;
}

/* ---- the room ---- */

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct as *as = ctx;
	uint8_t key[SCOPE_KEY];
	if (c != CHANGE_DELETED)
		return;
	for (enum attribute_scope s = 0; s < ATTRIBUTES_SCOPE_N; s++)
		if (store_del(as->store, key_of(key, d->entry.uid, s)))
			LOG(LOG_ERROR, "attributes_left", KV_Z("device", d->path));
}

int attributes_start(struct as *as, struct text *err)
{
	struct attributes *a = calloc(1, sizeof *a);
	(void)err;
	as->attributes = a;
	if (!a)
		return -ENOMEM;
	a->record_max = as->settings->attributes_size;
	a->record = malloc(a->record_max);
	if (!a->record)
		return -ENOMEM;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	return 0;
}

void attributes_stop(struct as *as)
{
	struct attributes *a = as->attributes;
	if (!a)
		return;
	names_done(&a->names);
	free(a->record);
	free(a);
	as->attributes = NULL;
}
