/** @file A registry whose store is an array, for its tests. */
#pragma once
#include "as/core/registry/device_json.h"
#include "as/core/registry/entity_json.h"
#include "as/core/registry/rights.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORLD_RECORDS = 256 };

struct world {
	struct {
		enum registry_table table;
		uint8_t key[128], *value;
		size_t key_n, n;
	} kept[WORLD_RECORDS];
	size_t n_kept;
	bool is_broken; /**< every write fails */
	struct crypto *crypto;
	struct envelope envelope;
	struct rng_seeded seeded;
	struct rng rng;
	struct now now;
	struct registry r;
	struct keyring k;
};

static inline size_t world_find(const struct world *w, enum registry_table t, struct slice key)
{
	size_t i = 0;
	while (i < w->n_kept && !(w->kept[i].table == t && w->kept[i].key_n == key.n &&
					!memcmp(w->kept[i].key, key.p, key.n)))
		i++;
	return i;
}

static inline int world_del(void *ctx, enum registry_table t, struct slice key)
{
	struct world *w = ctx;
	size_t i = world_find(w, t, key);
	if (w->is_broken)
		return -EIO;
	if (i == w->n_kept)
		return 0;
	free(w->kept[i].value);
	w->kept[i] = w->kept[--w->n_kept];
	return 0;
}

static inline int world_put(void *ctx, enum registry_table t, struct slice key, struct slice value)
{
	struct world *w = ctx;
	if (w->is_broken)
		return -EIO;
	world_del(w, t, key);
	ck_assert_uint_lt(w->n_kept, WORLD_RECORDS);
	ck_assert_uint_le(key.n, sizeof w->kept[0].key);
	size_t i = w->n_kept++;
	w->kept[i].table = t;
	memcpy(w->kept[i].key, key.p, key.n);
	w->kept[i].key_n = key.n;
	w->kept[i].value = malloc(value.n + 1);
	memcpy(w->kept[i].value, value.p, value.n);
	w->kept[i].n = value.n;
	return 0;
}

static inline void world_begin(struct world *w)
{
	struct registry_sink sink = { world_put, world_del, w };
	registry_init(&w->r, &sink, &w->envelope, &w->rng, "ttn");
	keyring_init(&w->k, &w->r);
}

static inline void world_open(struct world *w)
{
	memset(w, 0, sizeof *w);
	w->crypto = crypto_new();
	w->rng = rng_seeded(&w->seeded, 42);
	w->envelope = (struct envelope){ w->crypto, envelope_kek_make(&w->rng) };
	w->now = (struct now){ .mono_us = 1, .unix_us = UINT64_C(1700000000000000) };
	world_begin(w);
	ck_assert_int_eq(registry_loaded(&w->r, &w->now), 0);
}

/** End the process and start it again, from what is kept. @return what loading said */
static inline int world_restart(struct world *w, struct problem *p)
{
	keyring_done(&w->k);
	registry_done(&w->r);
	world_begin(w);
	for (enum registry_table t = REGISTRY_META; t <= REGISTRY_API_KEYS; t++) {
		for (size_t i = 0; i < w->n_kept; i++) {
			struct slice key = { w->kept[i].key, w->kept[i].key_n },
				     value = { w->kept[i].value, w->kept[i].n };
			if (w->kept[i].table != t)
				continue;
			int e = t == REGISTRY_API_KEYS ? keyring_load(&w->k, key, value, p)
						       : registry_load(&w->r, t, key, value, p);
			if (e)
				return e;
		}
	}
	return registry_loaded(&w->r, &w->now);
}

static inline void world_close(struct world *w)
{
	keyring_done(&w->k);
	registry_done(&w->r);
	crypto_free(w->crypto);
	for (size_t i = 0; i < w->n_kept; i++)
		free(w->kept[i].value);
}

static inline struct app *world_app(struct world *w, const char *key)
{
	struct app *a = app_new();
	ck_assert_int_eq(app_set_ids(a, str_of(key), NULL), 0);
	ck_assert_int_eq(registry_app_create(&w->r, a, &w->now, NULL), 0);
	return a;
}

/** Change a device as a request body would. */
static inline int world_read(struct device *d, const char *json, const char *mask, struct problem *p)
{
	static struct json_tok tok[1024];
	struct json j;
	struct field_mask m;
	ck_assert_msg(json_parse(str_of(json), tok, COUNT(tok), &j, NULL) == 0, "%s", json);
	ck_assert_int_eq(field_mask_parse(mask, &m, p), 0);
	return device_json_read(d, &m, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = p });
}

/** Create a device from a request body. @return what the registry says; *ret_d borrowed */
static inline int world_device(
	struct world *w, struct app *a, const char *json, struct device **ret_d, struct problem *p)
{
	struct device *d = device_new();
	int e = world_read(d, json, NULL, p);
	if (!e)
		e = registry_device_create(&w->r, a, d, &w->now, p);
	if (e)
		device_free(d);
	else if (ret_d)
		*ret_d = d;
	return e;
}

static inline int world_update(
	struct world *w, struct device *d, const char *json, const char *mask, struct problem *p)
{
	struct device *wish = device_clone(d);
	int e = world_read(wish, json, mask, p);
	if (!e)
		e = registry_device_update(&w->r, d, wish, &w->now, p);
	if (e)
		device_free(wish);
	return e;
}

static inline int world_gateway(
	struct world *w, const char *id, uint64_t eui, struct gateway **ret, struct problem *p)
{
	struct gateway *g = gateway_new();
	ck_assert_int_eq(str_copy(str_of(id), g->id, sizeof g->id), 0);
	g->has_eui = eui != 0;
	g->eui = eui;
	memcpy(g->plan, "EU_863_870", 11);
	int e = registry_gateway_create(&w->r, g, &w->now, p);
	if (e)
		gateway_free(g);
	else if (ret)
		*ret = g;
	return e;
}

#define OTAA(id, eui)                                                                                        \
	"{\"ids\":{\"device_id\":\"" id "\",\"dev_eui\":\"" eui "\",\"join_eui\":\"0000000000000001\"},"     \
	"\"lorawan_version\":\"1.0.3\",\"frequency_plan_id\":\"EU_863_870\",\"supports_join\":true,"         \
	"\"root_keys\":{\"app_key\":{\"key\":\"000102030405060708090A0B0C0D0E0F\"}}}"
#define ABP(id, addr)                                                                                        \
	"{\"ids\":{\"device_id\":\"" id                                                                      \
	"\"},\"lorawan_version\":\"MAC_V1_0_3\",\"frequency_plan_id\":\"EU_863_870\","                       \
	"\"session\":{\"dev_addr\":\"" addr                                                                  \
	"\",\"keys\":{\"f_nwk_s_int_key\":{\"key\":\"0F0E0D0C0B0A09080706050403020100\"},"                   \
	"\"app_s_key\":{\"key\":\"00000000000000000000000000000001\"}}}}"
