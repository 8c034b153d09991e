/** @file Changes of shared attributes, told to devices: at once to those that listen, else at their next subscription.
 *
 * What waits for a device is a list of keys in the store; it is told the values that they have then. What was sent and not
 * acknowledged when its connection ended waits again.
 */
#include "as/attributes.h"
#include "as/device_api/rooms.h"
#include "as/store.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { CHANGE_MAX = 2 << 20, WAITING_MAX = 16 << 10, TOKENS = 4096 };
static const char everything[] = "[\"*\",\"*\"]"; /* more keys than are kept; no key is there twice otherwise */

/** A change that is on its way. */
struct told {
	struct told *next;
	uint64_t device, number;
	char keys[]; /* JSON array */
};

struct shared {
	struct told *told;
	uint64_t next;
	struct json_tok *tok;
};

/* ---- lists of keys ---- */

static bool holds(const struct json *j, json_val list, struct str key)
{
	for (json_val e = list < 0 ? -1 : json_first(j, list); e >= 0; e = json_next(j, e))
		if (str_eq(json_raw(j, e), key))
			return true;
	return false;
}

/** A string of a document, with its quotes and escapes as it stands. */
static void put_key(struct text *t, const struct json *j, json_val name)
{
	json_raw_out(t, json_whole(j, name));
}

/** The keys of a change: of {"key":value} and of {"deleted":["key"]}, which may also be an attribute of this name. */
static void write_keys(struct text *t, const struct json *j)
{
	json_open(t, '[');
	for (json_val n = json_first(j, json_root(j)); n >= 0; n = json_next(j, n)) {
		json_val v = json_member_value(j, n);
		put_key(t, j, n);
		if (!str_is(json_raw(j, n), "deleted") || json_type(j, v) != JSON_ARRAY)
			continue;
		for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e))
			if (json_type(j, e) == JSON_STRING && !str_is(json_raw(j, e), "deleted"))
				put_key(t, j, e);
	}
	json_close(t, ']');
}

/* ---- what waits ---- */

static struct slice waiting_key(uint8_t buf[UID_KEY], uint64_t device)
{
	return as_store_uid_key(buf, TABLE_SHARED, device);
}

/** Copy what waits for a device. @return 0; STORE_E_NONE; -errno */
static int waiting_get(struct as *as, uint64_t device, struct text *ret)
{
	uint8_t key[UID_KEY];
	struct slice s;
	int r = store_get(as->store, waiting_key(key, device), &s);
	if (r)
		return r;
	text_put(ret, (struct str){ (const char *)s.p, s.n });
	return ret->failed ? -ENOMEM : 0;
}

/** Let these keys wait, beside those that do. @param keys  JSON array */
static void wait_for(struct as *as, uint64_t device, struct str keys)
{
	AUTO(text_done) struct text old = text_growing(WAITING_MAX), all = text_growing(WAITING_MAX);
	struct json_tok *tok = as->shared->tok;
	uint8_t key[UID_KEY];
	struct json a, b;
	int r = waiting_get(as, device, &old);
	if (r == STORE_E_NONE)
		text_puts(&old, "[]");
	bool fits = r >= 0 && !json_parse(text_str(&old), tok, TOKENS, &a, NULL) && !json_parse(keys, tok + TOKENS, TOKENS, &b, NULL);
	if (fits && str_is(text_str(&old), everything))
		return;
	json_open(&all, '[');
	for (json_val e = fits ? json_first(&a, json_root(&a)) : -1; e >= 0; e = json_next(&a, e))
		put_key(&all, &a, e);
	for (json_val e = fits ? json_first(&b, json_root(&b)) : -1; e >= 0; e = json_next(&b, e))
		if (!holds(&a, json_root(&a), json_raw(&b, e)))
			put_key(&all, &b, e);
	json_close(&all, ']');
	struct str v = fits && !all.failed ? text_str(&all) : str_of(everything);
	r = store_put(as->store, waiting_key(key, device), (struct slice){ (const uint8_t *)v.p, v.n });
	if (r)
		LOG(LOG_ERROR, "attribute_change_not_kept", KV_Z("error", strerror(-r)));
}

/* ---- telling ---- */

/** @return whether the device is there and listens */
static bool tell(struct as *as, uint64_t device, struct str change, struct str keys)
{
	struct told *t = malloc(sizeof *t + keys.n + 1);
	if (!t)
		return false;
	*t = (struct told){ .device = device, .number = ++as->shared->next };
	memcpy(t->keys, keys.p, keys.n);
	t->keys[keys.n] = '\0';
	if (!device_door_tell(as, device, ANSWER_ATTRIBUTES, 0, change, ATTRIBUTE_COOKIE | t->number)) {
		free(t);
		return false;
	}
	t->next = as->shared->told;
	as->shared->told = t;
	return true;
}

/** @return 0; -ENOMEM; -EBADMSG */
static int keys_of(struct str change, struct text *ret)
{
	size_t max = change.n / 2 + 16;
	struct json_tok *tok = calloc(max, sizeof *tok);
	struct json j;
	int r = !tok ? -ENOMEM : json_parse(change, tok, max, &j, NULL);
	if (!r)
		write_keys(ret, &j);
	free(tok);
	return r ? r : ret->failed ? -ENOMEM : 0;
}

/** For who is away it waits, in the store with the change itself. */
static void on_change_soon(struct as *as, const struct device *d, enum attribute_scope scope, struct str change)
{
	AUTO(text_done) struct text keys = text_growing(CHANGE_MAX);
	if (scope == ATTRIBUTES_SHARED && !device_door_listens(as, d->entry.uid, ANSWER_ATTRIBUTES) && !keys_of(change, &keys))
		wait_for(as, d->entry.uid, text_str(&keys));
}

static void on_change(struct as *as, const struct device *d, enum attribute_scope scope, struct str change)
{
	AUTO(text_done) struct text keys = text_growing(CHANGE_MAX);
	if (scope == ATTRIBUTES_SHARED && !keys_of(change, &keys) && !tell(as, d->entry.uid, change, text_str(&keys)))
		wait_for(as, d->entry.uid, text_str(&keys)); /* again, if it has not been there all the time */
}

/** What these keys are now. @param keys  NULL: all @return 0; -errno */
static int write_now(struct as *as, const struct device *d, const struct json *keys, struct text *changed, struct text *deleted)
{
	const struct names *names;
	TRY(attributes_get(as, d, ATTRIBUTES_SHARED, &names));
	json_open(changed, '{');
	json_open(deleted, '{');
	json_name(deleted, "deleted");
	json_open(deleted, '[');
	for (size_t i = 0; !keys && i < names->n; i++) {
		json_str(changed, names->v[i].name);
		text_putc(changed, ':');
		value_json(changed, &names->v[i].value);
	}
	for (json_val e = keys ? json_first(keys, json_root(keys)) : -1; e >= 0; e = json_next(keys, e)) {
		char name[READINGS_KEY_MAX + 1];
		const struct named *n = json_string(keys, e, name, sizeof name) ? NULL : names_find(names, str_of(name));
		if (!n && str_is(json_raw(keys, e), "deleted"))
			continue; /* the word, and no attribute of this name */
		json_raw_out(n ? changed : deleted, json_whole(keys, e));
		if (n) {
			text_putc(changed, ':');
			value_json(changed, &n->value);
		}
	}
	json_close(deleted, ']');
	json_close(deleted, '}');
	json_close(changed, '}');
	return changed->failed || deleted->failed ? -ENOMEM : 0;
}

void shared_online(struct as *as, const struct device *d)
{
	AUTO(text_done) struct text keys = text_growing(WAITING_MAX), changed = text_growing(CHANGE_MAX), deleted = text_growing(CHANGE_MAX);
	uint8_t key[UID_KEY];
	struct json j;
	if (!device_door_listens(as, d->entry.uid, ANSWER_ATTRIBUTES) || waiting_get(as, d->entry.uid, &keys))
		return;
	bool is_list = !str_is(text_str(&keys), everything) && !json_parse(text_str(&keys), as->shared->tok, TOKENS, &j, NULL);
	if (write_now(as, d, is_list ? &j : NULL, &changed, &deleted))
		return;
	bool is_told = str_is(text_str(&changed), "{}") || tell(as, d->entry.uid, text_str(&changed), text_str(&keys));
	if (is_told && !str_is(text_str(&deleted), "{\"deleted\":[]}"))
		is_told = tell(as, d->entry.uid, text_str(&deleted), text_str(&keys));
	if (is_told)
		(void)store_del(as->store, waiting_key(key, d->entry.uid));
}

void shared_told(struct as *as, uint64_t device, uint64_t cookie)
{
	for (struct told **at = &as->shared->told; *at; at = &(*at)->next) {
		struct told *t = *at;
		if (t->device != device || (ATTRIBUTE_COOKIE | t->number) != cookie)
			continue;
		*at = t->next;
		free(t);
		return;
	}
}

void shared_offline(struct as *as, uint64_t device)
{
	for (struct told **at = &as->shared->told, *t; (t = *at);) {
		if (t->device != device) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		wait_for(as, device, str_of(t->keys));
		free(t);
	}
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct as *as = ctx;
	uint8_t key[UID_KEY];
	if (c != CHANGE_DELETED)
		return;
	for (struct told **at = &as->shared->told, *t; (t = *at);) {
		if (t->device != d->entry.uid) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		free(t);
	}
	(void)store_del(as->store, waiting_key(key, d->entry.uid));
}

int shared_start(struct as *as, struct text *err)
{
	(void)err;
	as->shared = calloc(1, sizeof *as->shared);
	if (!as->shared || !(as->shared->tok = malloc(2 * TOKENS * sizeof *as->shared->tok)))
		return -ENOMEM;
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = as });
	attributes_watch_soon(as, on_change_soon);
	attributes_watch(as, on_change);
	return 0;
}

void shared_stop(struct as *as)
{
	if (!as->shared)
		return;
	for (struct told *t = as->shared->told, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	free(as->shared->tok);
	free(as->shared);
	as->shared = NULL;
}
