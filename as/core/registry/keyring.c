/** @file The keyring: API keys in memory, by id and by owner, and their records. */
#include "as/core/registry/keyring_json.h"
#include <stdlib.h>
#include <string.h>

static struct api_key **owner_list(struct keyring *k, const struct api_key *key)
{
	if (key->kind == KEY_APPLICATION)
		return &key->app->keys;
	return key->kind == KEY_GATEWAY ? &key->gateway->keys : &k->admins;
}

static int link_key(struct keyring *k, struct api_key *key)
{
	HASH_ADD(hh, k->keys, id, API_KEY_ID, key);
	if (!key->hh.tbl)
		return -ENOMEM;
	struct api_key **list = owner_list(k, key);
	/* Oldest first, as they are listed; the store gives them in the order of their ids. */
	while (*list && (*list)->created_unix_us <= key->created_unix_us)
		list = &(*list)->next_of_owner;
	key->next_of_owner = *list;
	*list = key;
	return 0;
}

static void unlink_key(struct keyring *k, struct api_key *key)
{
	HASH_DELETE(hh, k->keys, key);
	struct api_key **list = owner_list(k, key);
	while (*list && *list != key)
		list = &(*list)->next_of_owner;
	if (*list)
		*list = key->next_of_owner;
}

static void key_free(struct api_key *key)
{
	free(key);
}
DEFINE_AUTO(struct api_key, key_free);

static void tell(struct keyring *k, const struct api_key *key, enum change c)
{
	for (size_t i = 0; i < k->n_watch; i++)
		k->watch[i].fn(k->watch[i].ctx, key, c);
}

static void on_app(void *ctx, struct app *a, enum change c)
{
	while (c == CHANGE_DELETED && a->keys)
		if (keyring_delete(ctx, a->keys) < 0)
			break;
}

static void on_gateway(void *ctx, struct gateway *g, enum change c)
{
	while (c == CHANGE_DELETED && g->keys)
		if (keyring_delete(ctx, g->keys) < 0)
			break;
}

void keyring_init(struct keyring *k, struct registry *r)
{
	*k = (struct keyring){ .registry = r };
	registry_watch(r, &(struct registry_watch){ .app = on_app, .gateway = on_gateway, .ctx = k });
}

void keyring_done(struct keyring *k)
{
	struct api_key *key, *tmp;
	HASH_ITER(hh, k->keys, key, tmp) {
		HASH_DELETE(hh, k->keys, key);
		key_free(key);
	}
	*k = (struct keyring){ 0 };
}

void keyring_watch(
	struct keyring *k, void (*fn)(void *ctx, const struct api_key *key, enum change c), void *ctx)
{
	assert(k->n_watch < COUNT(k->watch));
	k->watch[k->n_watch].fn = fn;
	k->watch[k->n_watch++].ctx = ctx;
}

struct api_key *keyring_find(const struct keyring *k, struct str id)
{
	struct api_key *key = NULL;
	if (id.n == API_KEY_ID)
		HASH_FIND(hh, k->keys, id.p, API_KEY_ID, key);
	return key;
}

static int put_key(struct keyring *k, const struct api_key *key)
{
	AUTO(text_done) struct text t = text_growing(RECORD_TEXT_MAX);
	api_key_json_store(&t, key);
	if (t.failed)
		return -ENOSPC;
	const struct registry_sink *s = &k->registry->sink;
	return s->put(s->ctx, REGISTRY_API_KEYS, (struct slice){ (const uint8_t *)key->id, API_KEY_ID },
		(struct slice){ (const uint8_t *)t.p, t.len });
}

static int set_token(struct api_key *key, struct str token, const struct rng *rng)
{
	struct str id, secret;
	TRY(rights_token_split(token, &id, &secret));
	memcpy(key->id, id.p, API_KEY_ID);
	rng_fill(rng, key->salt, sizeof key->salt);
	return rights_hash(key->salt, secret, key->hash);
}

static int wish_check(const struct api_key_wish *w, struct problem *p)
{
	if (!w->rights)
		return problem_say(p, REGISTRY_E_INVALID, "rights", "must name at least one right");
	for (enum right r = 0; r < RIGHT_N; r++)
		if (w->rights & RIGHT_BIT(r) & ~rights_of_kind(w->kind))
			return problem_say(p, REGISTRY_E_INVALID, "rights",
				"%s is no right on this kind of thing", right_name(r));
	return 0;
}

int keyring_create(struct keyring *k, const struct api_key_wish *w, const struct now *now,
	char ret_token[API_KEY_TEXT + 1], struct api_key **ret, struct problem *p)
{
	char token[API_KEY_TEXT + 1];
	size_t n = 0;
	int e = wish_check(w, p);
	if (e)
		return e;
	AUTO(key_free) struct api_key *key = calloc(1, sizeof *key);
	if (!key)
		return -ENOMEM;
	key->kind = w->kind;
	key->app = w->app;
	key->gateway = w->gateway;
	struct api_key **list = owner_list(k, key);
	for (const struct api_key *i = *list; i; i = i->next_of_owner)
		n++;
	if (n >= API_KEYS_PER_ENTITY_MAX)
		return problem_say(p, REGISTRY_E_FULL, "", "there are %zu keys already: delete one first", n);
	key->rights = w->rights;
	memcpy(key->name, w->name, sizeof key->name);
	key->created_unix_us = key->updated_unix_us = now->unix_us;
	key->expires_unix_us = w->expires_unix_us;
	rights_token_make(&k->registry->rng, token);
	TRY(set_token(key, str_of(token), &k->registry->rng));
	TRY(link_key(k, key));
	e = put_key(k, key);
	if (e) {
		unlink_key(k, key);
		return e;
	}
	memcpy(ret_token, token, sizeof token);
	crypto_forget(token, sizeof token);
	*ret = TAKE(key);
	tell(k, *ret, CHANGE_CREATED);
	return 0;
}

int keyring_admin(struct keyring *k, struct str token)
{
	AUTO(key_free) struct api_key *key = calloc(1, sizeof *key);
	if (!key)
		return -ENOMEM;
	key->kind = KEY_ADMIN;
	key->is_of_host = true;
	key->rights = rights_of_kind(KEY_ADMIN);
	memcpy(key->name, "admin", sizeof "admin");
	TRY(set_token(key, token, &k->registry->rng));
	if (keyring_find(k, str_of(key->id)))
		return -EINVAL;
	TRY(link_key(k, key));
	(void)TAKE(key);
	return 0;
}

int keyring_update(struct keyring *k, struct api_key *key, const struct api_key_wish *w,
	const struct now *now, struct problem *p)
{
	int e = wish_check(w, p);
	if (e)
		return e;
	struct api_key was = *key;
	key->rights = w->rights;
	memcpy(key->name, w->name, sizeof key->name);
	key->expires_unix_us = w->expires_unix_us;
	key->updated_unix_us = now->unix_us;
	e = put_key(k, key);
	if (e) {
		key->rights = was.rights;
		key->expires_unix_us = was.expires_unix_us;
		key->updated_unix_us = was.updated_unix_us;
		memcpy(key->name, was.name, sizeof key->name);
		return e;
	}
	tell(k, key, CHANGE_UPDATED);
	return 0;
}

int keyring_delete(struct keyring *k, struct api_key *key)
{
	const struct registry_sink *s = &k->registry->sink;
	TRY(s->del(s->ctx, REGISTRY_API_KEYS, (struct slice){ (const uint8_t *)key->id, API_KEY_ID }));
	unlink_key(k, key);
	tell(k, key, CHANGE_DELETED);
	key_free(key);
	return 0;
}

int keyring_load(struct keyring *k, struct slice key, struct slice value, struct problem *p)
{
	AUTO(key_free) struct api_key *it = calloc(1, sizeof *it);
	if (!it)
		return -ENOMEM;
	int e = api_key_json_load(it, k->registry, value, p);
	if (e)
		return e;
	if (key.n != API_KEY_ID || memcmp(key.p, it->id, API_KEY_ID) != 0 || keyring_find(k, str_of(it->id)))
		return problem_say(p, REGISTRY_E_INVALID, "id", "is damaged");
	e = link_key(k, it);
	if (!e)
		(void)TAKE(it);
	return e;
}
