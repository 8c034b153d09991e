/** @file The registry of integrations: kept in the store, served by the room of their kind. */
#include "as/integrations/integrations_inside.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 1 + APP_KEY_TEXT + 1 + ID_MAX, NUMBER_BYTES = 8, OUTBOX_KEY = 17 };

/** Table, application, 0, kind, id. */
static struct slice key_of(uint8_t buf[KEY_MAX], const struct integration *i)
{
	struct writer w = writer_of(buf, KEY_MAX);
	writer_u8(&w, TABLE_INTEGRATIONS);
	writer_put(&w, i->app, strlen(i->app) + 1);
	writer_u8(&w, (uint8_t)i->kind);
	writer_put(&w, i->id, strlen(i->id));
	return (struct slice){ buf, w.len };
}

static struct slice item_key(uint8_t buf[OUTBOX_KEY], uint64_t number, uint64_t seq)
{
	struct writer w = writer_of(buf, OUTBOX_KEY);
	writer_u8(&w, TABLE_OUTBOX);
	writer_be64(&w, number);
	writer_be64(&w, seq);
	return (struct slice){ buf, w.len };
}

static int put_item(void *ctx, uint64_t number, uint64_t seq, struct slice record)
{
	uint8_t key[OUTBOX_KEY];
	struct as *as = ctx;
	return as->store ? store_put(as->store, item_key(key, number, seq), record) : -ENODEV;
}

static int del_item(void *ctx, uint64_t number, uint64_t seq)
{
	uint8_t key[OUTBOX_KEY];
	struct as *as = ctx;
	return as->store ? store_del(as->store, item_key(key, number, seq)) : -ENODEV;
}

struct spool_sink integrations_sink(struct as *as)
{
	return (struct spool_sink){ put_item, del_item, as };
}

struct spool_limits integrations_limits(const struct as *as)
{
	return (struct spool_limits){ as->settings->outbox_size, as->settings->outbox_age };
}

/* ---- in memory ---- */

struct integrations_app *integrations_app_find(const struct integrations *x, const char *key)
{
	struct integrations_app *a;
	HASH_FIND_STR(x->apps, key, a);
	return a;
}

static struct integrations_app *app_find_or_add(struct integrations *x, const char *key)
{
	struct integrations_app *a = integrations_app_find(x, key);
	if (a || !(a = calloc(1, sizeof *a)))
		return a;
	str_copy(str_of(key), a->key, sizeof a->key);
	HASH_ADD_STR(x->apps, key, a);
	if (a->hh.tbl)
		return a;
	free(a);
	return NULL;
}

static void app_leave_empty(struct integrations *x, struct integrations_app *a)
{
	if (!a || a->first)
		return;
	HASH_DEL(x->apps, a);
	free(a);
}

static void free_one(struct integration *i)
{
	if (!i)
		return;
	spool_done(&i->spool);
	free(i->record);
	free(i);
}

/** Make it, with its place among the others. @return 0; -ENOMEM */
static int add(struct integrations *x, const struct integration *wish, struct integration **ret)
{
	struct integrations_app *a = app_find_or_add(x, wish->app);
	struct integration *i = a ? malloc(sizeof *i) : NULL;
	if (!i) {
		app_leave_empty(x, a);
		return -ENOMEM;
	}
	*i = *wish;
	i->as = x->as;
	spool_init(&i->spool, i->number);
	HASH_ADD(hh, x->by_number, number, sizeof i->number, i);
	if (!i->hh.tbl) {
		free_one(i);
		app_leave_empty(x, a);
		return -ENOMEM;
	}
	struct integration **at = &a->first;
	while (*at && ((*at)->kind < i->kind || ((*at)->kind == i->kind && strcmp((*at)->id, i->id) < 0)))
		at = &(*at)->next_of_app;
	i->next_of_app = *at;
	*at = i;
	if (x->next_number <= i->number)
		x->next_number = i->number + 1;
	*ret = i;
	return 0;
}

static void take_out(struct integrations *x, struct integration *i)
{
	struct integrations_app *a = integrations_app_find(x, i->app);
	struct integration **at = &a->first;
	const struct integration_class *c = x->classes[i->kind];
	if (c)
		c->leave(i);
	while (*at != i)
		at = &(*at)->next_of_app;
	*at = i->next_of_app;
	app_leave_empty(x, a);
	HASH_DEL(x->by_number, i);
	free_one(i);
}

struct integration *integrations_by_number(struct as *as, uint64_t number)
{
	struct integration *i;
	HASH_FIND(hh, as->integrations->by_number, &number, sizeof number, i);
	return i;
}

struct integration *integrations_of(struct as *as, const struct app *a)
{
	const struct integrations_app *found = integrations_app_find(as->integrations, a->key);
	return found ? found->first : NULL;
}

struct integration *integrations_find(struct as *as, enum integration_kind kind, const struct app *a, struct str id)
{
	struct integration *i = integrations_of(as, a);
	while (i && !(i->kind == kind && str_is(id, i->id)))
		i = i->next_of_app;
	return i;
}

/* ---- changes ---- */

static int save(struct integration *i)
{
	uint8_t key[KEY_MAX];
	size_t n = strlen(i->record), total = NUMBER_BYTES + n;
	uint8_t *value = malloc(total);
	if (!value)
		return -ENOMEM;
	struct writer w = writer_of(value, total);
	writer_be64(&w, i->number);
	writer_put(&w, i->record, n);
	int r = store_put(i->as->store, key_of(key, i), (struct slice){ value, w.len });
	free(value);
	return r;
}

static void tell(struct integration *i, enum event_id e)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	const struct app *a = registry_app(&i->as->registry, str_of(i->app));
	text_printf(&t, "{\"integration_id\":\"%s\"}", i->id);
	traces_add_app(i->as, e, a, data);
}

static struct integration fresh(struct as *as, enum integration_kind kind, const struct app *a, const char *id)
{
	struct integration i = { .as = as, .kind = kind, .number = loop_now(as->loop)->unix_us };
	if (i.number < as->integrations->next_number)
		i.number = as->integrations->next_number;
	str_copy(str_of(a->key), i.app, sizeof i.app);
	str_copy(str_of(id), i.id, sizeof i.id);
	return i;
}

static int may_be_added(struct as *as, enum integration_kind kind, const struct app *a, const char *id, struct problem *p)
{
	size_t n = 0;
	if (!id_valid(str_of(id)))
		return problem_say(p, REGISTRY_E_INVALID, "ids", "the id must be 2 to 36 of a-z, 0-9 and single dashes inside");
	for (const struct integration *i = integrations_of(as, a); i; i = i->next_of_app)
		n += i->kind == kind;
	if (n < as->settings->integrations)
		return 0;
	return problem_say(p, REGISTRY_E_FULL, "", "application %s has %zu of them, and may have no more (as.integrations)", a->key, n);
}

int integrations_set(struct as *as, enum integration_kind kind, const struct app *a, const char *id, struct str record,
	struct integration **ret, struct problem *p)
{
	struct integrations *x = as->integrations;
	const struct integration_class *c = x->classes[kind];
	struct integration *i = integrations_find(as, kind, a, str_of(id)), wish = fresh(as, kind, a, id);
	bool is_new = !i;
	int r = i ? 0 : may_be_added(as, kind, a, id, p);
	if (r)
		return r;
	char *text = strndup(record.p, record.n);
	if (!text)
		return -ENOMEM;
	if (is_new)
		r = add(x, &wish, &i);
	if (r) {
		free(text);
		return r;
	}
	char *old = i->record;
	i->record = text;
	r = save(i);
	if (!r && c)
		r = c->serve(i);
	if (r) {
		i->record = old;
		free(text);
		if (is_new)
			take_out(x, i);
		else
			(void)save(i);
		return r;
	}
	free(old);
	tell(i, c->events.set);
	integrations_wake_soon(i);
	*ret = i;
	return 0;
}

/** Forget what is in the store. @return 0; -errno */
static int erase(struct integration *i)
{
	struct spool_sink sink = integrations_sink(i->as);
	uint8_t key[KEY_MAX], items[UID_KEY];
	TRY(store_del(i->as->store, key_of(key, i)));
	TRY(spool_clear(&i->spool, &sink));
	return as_store_forget(i->as->store, as_store_uid_key(items, TABLE_INBOX, i->number));
}

int integrations_delete(struct as *as, struct integration *i)
{
	const struct integration_class *c = as->integrations->classes[i->kind];
	int r = erase(i);
	if (r)
		return r;
	if (c)
		tell(i, c->events.del);
	take_out(as->integrations, i);
	return 0;
}

static void on_app(void *ctx, struct app *a, enum change change)
{
	struct as *as = ctx;
	struct integration *i;
	if (change != CHANGE_DELETED)
		return;
	while ((i = integrations_of(as, a)))
		if (integrations_delete(as, i)) {
			LOG(LOG_ERROR, "integration_not_deleted", KV_Z("application", i->app), KV_Z("id", i->id));
			take_out(as->integrations, i); /* the next start finds it without its application */
		}
}

/* ---- from the store ---- */

/** A record that cannot be read costs its integration, not everybody the service. */
static int damaged(const char *what, const char *app, const char *id)
{
	LOG(LOG_ERROR, "record_damaged", KV_Z("what", what), KV_Z("application", app), KV_Z("id", id));
	return 0;
}

static int load_one(void *ctx, struct slice key, struct slice value)
{
	struct integrations *x = ctx;
	struct integration wish = { .as = x->as }, *i;
	const uint8_t *end = key.n > 1 ? memchr(key.p + 1, 0, key.n - 1) : NULL;
	size_t app_n = end ? (size_t)(end - key.p) - 1 : 0;
	if (!end || app_n >= sizeof wish.app || key.n < app_n + 4 || end[1] >= INTEGRATION_KINDS || value.n < NUMBER_BYTES)
		return damaged("integration", "", "");
	struct reader r = reader_of(value.p, value.n);
	wish.number = reader_be64(&r);
	wish.kind = end[1];
	struct slice record = reader_take(&r, reader_left(&r));
	if (str_copy((struct str){ (const char *)key.p + 1, app_n }, wish.app, sizeof wish.app) ||
		str_copy((struct str){ (const char *)end + 2, key.n - app_n - 3 }, wish.id, sizeof wish.id) || !id_valid(str_of(wish.id)) ||
		integrations_by_number(x->as, wish.number))
		return damaged("integration", wish.app, wish.id);
	wish.record = strndup((const char *)record.p, record.n);
	int e = wish.record ? add(x, &wish, &i) : -ENOMEM;
	if (e)
		free(wish.record);
	return e;
}

/** Numbers of messages whose integration is not there, a handful at a time. */
struct orphans {
	struct integrations *x;
	uint64_t v[16];
	size_t n;
};

static int load_item(void *ctx, struct slice key, struct slice value)
{
	struct orphans *o = ctx;
	struct reader r = reader_of(key.p + 1, key.n - 1);
	uint64_t number = reader_be64(&r), seq = reader_be64(&r);
	struct integration *i = integrations_by_number(o->x->as, number);
	if (!i && o->n < COUNT(o->v) && (!o->n || o->v[o->n - 1] != number))
		o->v[o->n++] = number;
	if (!i || r.failed)
		return 0;
	int e = spool_load(&i->spool, seq, value, o->x->as->settings->outbox_age, loop_now(o->x->as->loop));
	return e == -EPROTO ? damaged("outbox", i->app, i->id) : e;
}

/** What a deletion left that a crash cut off goes now. */
static int forget_orphans(struct integrations *x, const struct orphans *o)
{
	uint8_t key[UID_KEY];
	struct integration *i, *next;
	for (size_t k = 0; k < o->n; k++)
		TRY(as_store_forget(x->as->store, as_store_uid_key(key, TABLE_OUTBOX, o->v[k])));
	HASH_ITER(hh, x->by_number, i, next)
		if (!registry_app(&x->as->registry, str_of(i->app))) {
			TRY(erase(i));
			take_out(x, i);
		}
	return 0;
}

static int load(struct integrations *x)
{
	static const uint8_t table = TABLE_INTEGRATIONS, items = TABLE_OUTBOX;
	struct orphans o = { .x = x };
	TRY(store_scan(x->as->store, (struct slice){ &table, 1 }, (struct slice){ 0 }, load_one, x));
	TRY(store_scan(x->as->store, (struct slice){ &items, 1 }, (struct slice){ 0 }, load_item, &o));
	return forget_orphans(x, &o);
}

/** The reservation of one spool, and the key to go on behind. */
struct reservation {
	uint8_t key[OUTBOX_KEY];
	uint64_t reserved;
};

static int find_reservation(void *ctx, struct slice key, struct slice value)
{
	struct reservation *found = ctx;
	struct reader k = reader_of(key.p, key.n), v = reader_of(value.p, value.n);
	reader_take(&k, UID_KEY);
	if (reader_be64(&k) != 0 || k.failed || key.n != OUTBOX_KEY)
		return 0;
	memcpy(found->key, key.p, key.n);
	found->reserved = reader_be64(&v);
	return v.failed ? 0 : 1;
}

int integrations_leap(struct store *store, uint64_t by)
{
	static const uint8_t table = TABLE_OUTBOX;
	struct reservation found = { .key = { TABLE_OUTBOX } };
	size_t from = 1;
	for (;;) {
		uint8_t mark[8];
		struct writer w = writer_of(mark, sizeof mark);
		int r = store_scan(store, (struct slice){ &table, 1 }, (struct slice){ found.key, from }, find_reservation, &found);
		if (r != 1)
			return r;
		writer_be64(&w, found.reserved + by);
		TRY(store_put(store, (struct slice){ found.key, OUTBOX_KEY }, (struct slice){ mark, sizeof mark }));
		from = OUTBOX_KEY;
		found.key[OUTBOX_KEY - 1] = 1; /* behind it: the first message */
	}
}

/** All outboxes together leave the store room for what else is in it. */
static uint64_t share_of_store(const struct as *as)
{
	struct store_stats s;
	store_stats(as->store, &s);
	return s.map_bytes / 4;
}

int integrations_start(struct as *as, struct text *err)
{
	struct integrations *x = as->integrations = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->as = as;
	x->timer_us = UINT64_MAX;
	x->bytes_max = share_of_store(as);
	x->timer = loop_timer_new(as->loop, integrations_trim, as);
	if (!x->timer)
		return -ENOMEM;
	int r = load(x);
	if (r) {
		text_printf(err, "the store's integrations cannot be read: %s", strerror(-r));
		return r;
	}
	registry_watch(&as->registry, &(struct registry_watch){ .app = on_app, .ctx = as });
	return 0;
}

int integrations_serve(struct as *as, const struct integration_class *c, struct text *err)
{
	struct integration *i, *next;
	as->integrations->classes[c->kind] = c;
	HASH_ITER(hh, as->integrations->by_number, i, next) {
		if (i->kind != c->kind)
			continue;
		int r = c->serve(i);
		if (r == -ENOMEM) {
			text_puts(err, "there is no memory for the integrations");
			return r;
		}
		if (r) {
			integrations_failed(i, "what it is set to cannot be read: is as.kek-file the one that it was made with? Set it again");
			damaged("integration", i->app, i->id);
		}
		integrations_expect(i);
		integrations_wake_soon(i);
	}
	return 0;
}

void integrations_leave(struct as *as, enum integration_kind kind)
{
	struct integrations *x = as->integrations;
	struct integration *i, *next;
	const struct integration_class *c = x ? x->classes[kind] : NULL;
	if (!c)
		return;
	HASH_ITER(hh, x->by_number, i, next)
		if (i->kind == kind)
			c->leave(i);
	x->classes[kind] = NULL;
}

void integrations_stop(struct as *as)
{
	struct integrations *x = as->integrations;
	struct integration *i, *next;
	if (!x)
		return;
	HASH_ITER(hh, x->by_number, i, next)
		take_out(x, i);
	loop_timer_free(x->timer);
	loop_forget(as->loop, integrations_settle, as);
	free(x);
	as->integrations = NULL;
}
