/** @file The registry: creating, updating and deleting, each with its record, its revision and its watchers.
 */
#include "as/core/registry/device_json.h"
#include "as/core/registry/entity_json.h"
#include "as/core/registry/mac_settings.h"
#include "as/core/registry/mac_state.h"
#include "as/core/registry/registry_records.h"
#include "proto/lorawan/version.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct slice key_of_number(uint64_t n, uint8_t buf[8])
{
	struct writer w = writer_of(buf, 8);
	writer_be64(&w, n);
	return (struct slice){ buf, 8 };
}

static struct slice slice_of(struct str s)
{
	return (struct slice){ (const uint8_t *)s.p, s.n };
}

static int put_text(struct registry *r, enum registry_table table, struct slice key, const struct text *t)
{
	return t->failed ? -ENOSPC : r->sink.put(r->sink.ctx, table, key, slice_of(text_str(t)));
}

static int put_number(struct registry *r, const char *name, uint64_t n)
{
	uint8_t buf[8];
	return r->sink.put(r->sink.ctx, REGISTRY_META, slice_of(str_of(name)), key_of_number(n, buf));
}

static int put_app(struct registry *r, const struct app *a)
{
	AUTO(text_done) struct text t = text_growing(RECORD_TEXT_MAX);
	app_json_store(&t, a);
	return put_text(r, REGISTRY_APPS, slice_of(str_of(a->key)), &t);
}

static int put_device(struct registry *r, const struct device *d)
{
	AUTO(text_done) struct text t = text_growing(RECORD_TEXT_MAX);
	uint8_t key[8];
	json_open(&t, '{');
	device_json_members(&t, d, DEVICE_JSON_STORE, r->envelope);
	json_close(&t, '}');
	return put_text(r, REGISTRY_DEVICES, key_of_number(d->entry.uid, key), &t);
}

static int put_gateway(struct registry *r, const struct gateway *g)
{
	AUTO(text_done) struct text t = text_growing(RECORD_TEXT_MAX);
	uint8_t key[8];
	gateway_json_write(&t, g, true);
	return put_text(r, REGISTRY_GATEWAYS, key_of_number(g->entry.uid, key), &t);
}

static void tell_app(struct registry *r, struct app *a, enum change c)
{
	for (size_t i = 0; i < r->n_watch; i++)
		if (r->watch[i].app)
			r->watch[i].app(r->watch[i].ctx, a, c);
}

static void tell_device(struct registry *r, struct device *d, enum change c)
{
	for (size_t i = 0; i < r->n_watch; i++)
		if (r->watch[i].device)
			r->watch[i].device(r->watch[i].ctx, d, c);
}

static void tell_gateway(struct registry *r, struct gateway *g, enum change c)
{
	for (size_t i = 0; i < r->n_watch; i++)
		if (r->watch[i].gateway)
			r->watch[i].gateway(r->watch[i].ctx, g, c);
}

void app_adopt(struct app *a, struct device *d)
{
	struct device *last = a->devices ? a->devices->prev_of_app : NULL;
	/* The first one's prev_of_app is the last: appending needs no second pointer in the application. */
	if (last) {
		last->next_of_app = d;
		d->prev_of_app = last;
		a->devices->prev_of_app = d;
	} else {
		a->devices = d;
		d->prev_of_app = d;
	}
	d->next_of_app = NULL;
	a->n_devices++;
}

static void app_disown(struct app *a, struct device *d)
{
	if (a->devices == d)
		a->devices = d->next_of_app;
	else
		d->prev_of_app->next_of_app = d->next_of_app;
	if (d->next_of_app)
		d->next_of_app->prev_of_app = d->prev_of_app;
	else if (a->devices)
		a->devices->prev_of_app = d->prev_of_app;
	a->n_devices--;
}

/* ---- applications ---- */

int registry_app_create(struct registry *r, struct app *a, const struct now *now, struct problem *p)
{
	if (!a->key[0])
		return problem_say(p, REGISTRY_E_INVALID, "ids.application_id", "is missing");
	if (registry_app(r, str_of(a->key)))
		return problem_say(
			p, REGISTRY_E_EXISTS, "ids.application_id", "application %s exists", a->key);
	if (HASH_COUNT(r->apps) >= APPS_MAX)
		return problem_say(
			p, REGISTRY_E_FULL, "", "there are %d applications, more are not allowed", APPS_MAX);
	a->created_unix_us = a->updated_unix_us = now->unix_us;
	TRY(formatters_intern(&r->scripts, &a->formatters));
	TRY(index_app(r, a));
	int e = put_app(r, a);
	if (e) {
		HASH_DEL(r->apps, a);
		return e;
	}
	tell_app(r, a, CHANGE_CREATED);
	return 0;
}

int registry_app_update(
	struct registry *r, struct app *a, struct app *wish, const struct now *now, struct problem *p)
{
	if (strcmp(a->key, wish->key) != 0)
		return problem_say(p, REGISTRY_E_INVALID, "ids.application_id", "cannot be changed");
	wish->created_unix_us = a->created_unix_us;
	wish->updated_unix_us = now->unix_us;
	TRY(formatters_intern(&r->scripts, &wish->formatters));
	TRY(put_app(r, wish));
	struct record_texts old = a->texts;
	struct formatters before = a->formatters;
	a->texts = wish->texts;
	a->formatters = wish->formatters;
	a->updated_unix_us = wish->updated_unix_us;
	wish->texts = old;
	wish->formatters = before;
	app_free(wish);
	tell_app(r, a, CHANGE_UPDATED);
	return 0;
}

int registry_app_delete(struct registry *r, struct app *a, struct problem *p)
{
	if (a->n_devices)
		return problem_say(p, REGISTRY_E_IN_USE, "",
			"application %s still has %zu devices: delete them first", a->key, a->n_devices);
	TRY(r->sink.del(r->sink.ctx, REGISTRY_APPS, slice_of(str_of(a->key))));
	tell_app(r, a, CHANGE_DELETED);
	HASH_DEL(r->apps, a);
	app_free(a);
	return 0;
}

/* ---- devices ---- */

static int device_conflict(
	const struct registry *r, const struct device *d, const struct device *self, struct problem *p)
{
	if (!d->has_dev_eui)
		return 0;
	const struct device *other = registry_device_by_eui(r, d->join_eui, d->dev_eui);
	if (!other || other == self)
		return 0;
	return problem_say(p, REGISTRY_E_EXISTS, "ids.dev_eui",
		"%016" PRIX64 " with join_eui %016" PRIX64 " belongs to device %s of application %s",
		d->dev_eui, d->join_eui, other->id, other->app->key);
}

static int root_keys_check(const struct device *d, struct problem *p)
{
	if (!d->supports_join || d->session.present)
		return 0;
	/* A 1.1 device that is registered as 1.0.x joins with its NwkKey alone. */
	if (!d->has_app_key && (d->mac_version >= LW_1_1_0 || !d->has_nwk_key))
		return problem_say(p, REGISTRY_E_INVALID, "root_keys.app_key.key",
			"is missing; a device that joins needs its AppKey");
	if (d->mac_version >= LW_1_1_0 && !d->has_nwk_key)
		return problem_say(p, REGISTRY_E_INVALID, "root_keys.nwk_key.key",
			"is missing; a device of LoRaWAN 1.1 needs its NwkKey");
	return 0;
}

/** The plan of a device that was given none: that of the gateways and devices there are, if they agree. */
static int plan_settle(const struct registry *r, struct device *d, struct problem *p)
{
	const char *plan = "";
	if (d->plan[0] || !device_is_lorawan(d))
		return plan_check(d->plan, p);
	for (struct entry *e = r->newest; e; e = e->older) {
		if (e->deleted)
			continue;
		const char *its = e->kind == ENTRY_DEVICE ? CONTAINER_OF(e, struct device, entry)->plan
							  : CONTAINER_OF(e, struct gateway, entry)->plan;
		if (*its && *plan && strcmp(its, plan) != 0)
			plan = NULL;
		else if (*its)
			plan = its;
		if (!plan)
			break;
	}
	if (!plan || !*plan)
		return problem_say(
			p, REGISTRY_E_INVALID, "frequency_plan_id", "is missing, for example EU_863_870");
	memcpy(d->plan, plan, strlen(plan) + 1);
	return 0;
}

/** What a session needs that nobody typed in: an id, and a generation that says that it is a new one. */
static void session_begin(struct registry *r, struct device *d, const struct device *old, const struct now *now)
{
	struct device_session *s = &d->session;
	const struct device_session *was = old ? &old->session : NULL;
	if (!s->present || (old && device_session_eq(old, d)))
		return;
	s->generation = (was ? was->generation : 0) + 1;
	if (ulid_is_none(&s->session_key_id) ||
		(was && was->present && ulid_eq(&was->session_key_id, &s->session_key_id)))
		s->session_key_id = ulid_make(now->unix_us, &r->rng);
}

/** Has the band what is asked of the device's MAC, and what its session brings along? */
static int mac_check(const struct device *d, struct problem *p)
{
	struct mac_import m;
	const char *mac = texts_get(&d->texts, TEXT_MAC_STATE);
	int e = mac_settings_check(&d->mac, d->plan, d->mac_version, d->phy_version, p);
	return e || !*mac || mac_state_unpack(str_of(mac), &m) ? e : mac_state_check(&m, d->plan, p);
}

int registry_device_check(struct registry *r, struct app *a, struct device *d, struct problem *p)
{
	int e = device_settle(d, p);
	if (!e && registry_device(r, a, str_of(d->id)))
		e = problem_say(p, REGISTRY_E_EXISTS, "ids.device_id", "device %s of application %s exists",
			d->id, a->key);
	if (!e)
		e = device_conflict(r, d, NULL, p);
	if (!e)
		e = root_keys_check(d, p);
	if (!e)
		e = plan_settle(r, d, p);
	if (!e)
		e = mac_check(d, p);
	if (!e && HASH_CNT(by_uid, r->by_uid) >= DEVICES_MAX)
		e = problem_say(
			p, REGISTRY_E_FULL, "", "there are %d devices, more are not allowed", DEVICES_MAX);
	return e;
}

int registry_device_create(
	struct registry *r, struct app *a, struct device *d, const struct now *now, struct problem *p)
{
	int e = registry_device_check(r, a, d, p);
	if (e)
		return e;
	d->app = a;
	d->created_unix_us = d->updated_unix_us = now->unix_us;
	d->entry.uid = r->next_uid;
	d->entry.revision = r->revision + 1;
	session_begin(r, d, NULL, now);
	TRY(formatters_intern(&r->scripts, &d->formatters));
	e = index_device(r, d);
	if (!e)
		e = put_number(r, "uid", r->next_uid + 1);
	if (!e)
		e = put_device(r, d);
	if (e) {
		unindex_device(r, d);
		return e;
	}
	r->next_uid++;
	r->revision++;
	entry_append(r, &d->entry);
	app_adopt(a, d);
	tell_device(r, d, CHANGE_CREATED);
	return 0;
}

/** Let d become what wish says; what ties d to the registry stays. wish leaves with d's former content. */
static void device_exchange(struct device *d, struct device *wish)
{
	struct device was = *d;
	*d = *wish;
	d->entry = was.entry;
	d->app = was.app;
	d->prev_of_app = was.prev_of_app;
	d->next_of_app = was.next_of_app;
	d->by_id = was.by_id;
	d->by_uid = was.by_uid;
	d->by_eui = was.by_eui;
	memcpy(d->path, was.path, sizeof d->path);
	memcpy(d->euis, was.euis, sizeof d->euis);
	wish->texts = was.texts;
	wish->formatters = was.formatters;
	crypto_forget(&was, sizeof was);
}

int registry_device_update_check(const struct registry *r, const struct device *d, struct device *wish, struct problem *p)
{
	int e = device_settle(wish, p);
	if (!e)
		e = device_conflict(r, wish, d, p);
	if (!e)
		e = plan_settle(r, wish, p);
	if (!e)
		e = mac_check(wish, p);
	return e;
}

int registry_device_update(
	struct registry *r, struct device *d, struct device *wish, const struct now *now, struct problem *p)
{
	int e = registry_device_update_check(r, d, wish, p);
	if (e)
		return e;
	wish->app = d->app;
	wish->created_unix_us = d->created_unix_us;
	wish->updated_unix_us = now->unix_us;
	wish->entry.uid = d->entry.uid;
	wish->entry.revision = r->revision + 1;
	session_begin(r, wish, d, now);
	TRY(formatters_intern(&r->scripts, &wish->formatters));
	TRY(put_device(r, wish));
	bool moved = wish->has_dev_eui != d->has_dev_eui || wish->dev_eui != d->dev_eui ||
		     wish->join_eui != d->join_eui;
	if (moved)
		unindex_device_eui(r, d);
	device_exchange(d, wish);
	device_free(wish);
	d->entry.revision = ++r->revision;
	entry_remove(r, &d->entry);
	entry_append(r, &d->entry);
	/* The change is stored and happens. Without memory for it here, its EUIs are not looked up until the
	 * next start. */
	if (moved)
		(void)index_device_eui(r, d);
	tell_device(r, d, CHANGE_UPDATED);
	return 0;
}

/** Write a copy that was changed, and let replicas know. */
static int device_take(struct registry *r, struct device *d, struct device *wish, const struct now *now)
{
	wish->app = d->app;
	wish->updated_unix_us = now->unix_us;
	wish->entry.revision = r->revision + 1;
	TRY(put_device(r, wish));
	device_exchange(d, wish);
	d->entry.revision = ++r->revision;
	entry_remove(r, &d->entry);
	entry_append(r, &d->entry);
	tell_device(r, d, CHANGE_UPDATED);
	return 0;
}

int registry_device_reset(struct registry *r, struct device *d, const struct now *now)
{
	AUTO(device_free) struct device *wish = device_clone(d);
	if (!wish)
		return -ENOMEM;
	wish->reset++;
	if (wish->supports_join)
		TRY(device_session_drop(wish));
	TRY(texts_set(&wish->texts, TEXT_MAC_STATE, STR("")));
	if (wish->session.present) {
		wish->session.generation++;
		wish->session.session_key_id = ulid_make(now->unix_us, &r->rng);
		wish->session.last_f_cnt_up = wish->session.last_n_f_cnt_down =
			wish->session.last_a_f_cnt_down = 0;
		wish->session.has_f_cnt_up = wish->session.has_n_f_cnt_down = wish->session.has_a_f_cnt_down =
			wish->session.has_conf_f_cnt_down = wish->session.has_rj_count_0 = false;
		wish->session.last_conf_f_cnt_down = wish->session.last_rj_count_0 = 0;
	}
	return device_take(r, d, wish, now);
}

int registry_device_joined(struct registry *r, struct device *d, const struct now *now)
{
	if (!d->supports_join || !d->session.present)
		return 0;
	AUTO(device_free) struct device *wish = device_clone(d);
	if (!wish)
		return -ENOMEM;
	TRY(device_session_drop(wish));
	return device_take(r, d, wish, now);
}

int registry_device_rejoin(struct registry *r, struct device *d, const struct now *now, struct problem *p)
{
	if (!d->supports_join || d->mac_version < LW_1_1_0)
		return problem_say(p, REGISTRY_E_INVALID, "lorawan_version", "only a device of LoRaWAN 1.1 that joins can be asked to rejoin");
	AUTO(device_free) struct device *wish = device_clone(d);
	if (!wish)
		return -ENOMEM;
	wish->rejoin++;
	return device_take(r, d, wish, now);
}

int registry_leap(struct registry *r, uint64_t by)
{
	TRY(put_number(r, "uid", r->next_uid + by));
	TRY(put_number(r, "forgotten", r->revision + by));
	r->next_uid += by;
	r->forgotten = r->revision += by;
	return 0;
}

/* ---- deletions ---- */

/** Forget the older half of the tombstones; replicas further behind are sent everything. */
static int tombstones_trim(struct registry *r)
{
	size_t drop = r->n_tombstones / 2;
	struct entry *next;
	for (struct entry *e = r->oldest; e && drop; e = next) {
		uint8_t key[8];
		next = e->newer;
		if (!e->deleted)
			continue;
		uint64_t forgotten = e->revision > r->forgotten ? e->revision : r->forgotten;
		TRY(put_number(r, "forgotten", forgotten));
		TRY(r->sink.del(r->sink.ctx, REGISTRY_TOMBSTONES, key_of_number(e->revision, key)));
		r->forgotten = forgotten;
		entry_remove(r, e);
		free(e);
		r->n_tombstones--;
		drop--;
	}
	return 0;
}

/** Put a tombstone in the place of an entry, and its record away. */
static int bury(struct registry *r, struct entry *e, enum registry_table table)
{
	uint8_t key[8], value[9];
	struct entry *stone = calloc(1, sizeof *stone);
	if (!stone)
		return -ENOMEM;
	struct writer w = writer_of(value, sizeof value);
	writer_u8(&w, (uint8_t)e->kind);
	writer_be64(&w, e->uid);
	int err = r->sink.put(r->sink.ctx, REGISTRY_TOMBSTONES, key_of_number(r->revision + 1, key),
		(struct slice){ value, 9 });
	if (!err)
		err = r->sink.del(r->sink.ctx, table, key_of_number(e->uid, key));
	if (err) {
		free(stone);
		return err;
	}
	*stone = (struct entry){ .uid = e->uid, .kind = e->kind, .deleted = true, .revision = ++r->revision };
	entry_remove(r, e);
	entry_append(r, stone);
	r->n_tombstones++;
	if (r->n_tombstones > TOMBSTONES_MAX)
		(void)tombstones_trim(r); /* tried again at the next deletion */
	return 0;
}

int registry_device_delete(struct registry *r, struct device *d)
{
	TRY(bury(r, &d->entry, REGISTRY_DEVICES));
	tell_device(r, d, CHANGE_DELETED);
	unindex_device(r, d);
	app_disown(d->app, d);
	device_free(d);
	return 0;
}

int registry_gateway_delete(struct registry *r, struct gateway *g)
{
	TRY(bury(r, &g->entry, REGISTRY_GATEWAYS));
	tell_gateway(r, g, CHANGE_DELETED);
	unindex_gateway(r, g);
	gateway_free(g);
	return 0;
}

/* ---- gateways ---- */

static int gateway_conflict(
	const struct registry *r, const struct gateway *g, const struct gateway *self, struct problem *p)
{
	const struct gateway *other = g->has_eui ? registry_gateway_by_eui(r, g->eui) : NULL;
	if (!other || other == self)
		return 0;
	return problem_say(
		p, REGISTRY_E_EXISTS, "ids.eui", "%016" PRIX64 " belongs to gateway %s", g->eui, other->id);
}

int registry_gateway_create(struct registry *r, struct gateway *g, const struct now *now, struct problem *p)
{
	int e = gateway_settle(g, p);
	if (!e)
		e = plan_check(g->plan, p);
	if (!e && registry_gateway(r, str_of(g->id)))
		e = problem_say(p, REGISTRY_E_EXISTS, "ids.gateway_id", "gateway %s exists", g->id);
	if (!e)
		e = gateway_conflict(r, g, NULL, p);
	if (!e && HASH_CNT(by_uid, r->gtw_by_uid) >= GATEWAYS_MAX)
		e = problem_say(
			p, REGISTRY_E_FULL, "", "there are %d gateways, more are not allowed", GATEWAYS_MAX);
	if (e)
		return e;
	g->created_unix_us = g->updated_unix_us = now->unix_us;
	g->entry.uid = r->next_uid;
	g->entry.revision = r->revision + 1;
	e = index_gateway(r, g);
	if (!e)
		e = put_number(r, "uid", r->next_uid + 1);
	if (!e)
		e = put_gateway(r, g);
	if (e) {
		unindex_gateway(r, g);
		return e;
	}
	r->next_uid++;
	r->revision++;
	entry_append(r, &g->entry);
	tell_gateway(r, g, CHANGE_CREATED);
	return 0;
}

int registry_gateway_update(
	struct registry *r, struct gateway *g, struct gateway *wish, const struct now *now, struct problem *p)
{
	int e = gateway_settle(wish, p);
	if (!e)
		e = plan_check(wish->plan, p);
	if (!e)
		e = gateway_conflict(r, wish, g, p);
	if (e)
		return e;
	wish->created_unix_us = g->created_unix_us;
	wish->updated_unix_us = now->unix_us;
	wish->entry.uid = g->entry.uid;
	wish->entry.revision = r->revision + 1;
	TRY(put_gateway(r, wish));
	struct gateway was = *g;
	unindex_gateway_eui(r, g);
	was.by_eui = g->by_eui;
	*g = *wish;
	g->entry = was.entry;
	g->keys = was.keys;
	g->by_id = was.by_id;
	g->by_uid = was.by_uid;
	g->by_eui = was.by_eui;
	wish->texts = was.texts;
	gateway_free(wish);
	g->entry.revision = ++r->revision;
	entry_remove(r, &g->entry);
	entry_append(r, &g->entry);
	(void)index_gateway_eui(r, g); /* as in registry_device_update */
	tell_gateway(r, g, CHANGE_UPDATED);
	return 0;
}
