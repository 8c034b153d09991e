/** @file Fuzzes the bodies of the HTTP API: applications, devices, gateways and API keys. What is taken is
 * stored, and comes back from the store as it was.
 *
 * The first octet chooses: 0 application, 1 device, 2 gateway, 3 API key; 4 to 7 the same as an update under
 * the body's own mask.
 */
#include "as/core/registry/device_json.h"
#include "as/core/registry/entity_json.h"
#include "as/core/registry/keyring_json.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { RECORDS = 8 };
static struct {
	enum registry_table table;
	char key[128];
	size_t key_n;
	char *value;
	size_t n;
} kept[RECORDS];
static size_t n_kept;

static int del(void *ctx, enum registry_table t, struct slice key)
{
	(void)ctx;
	for (size_t i = 0; i < n_kept; i++) {
		if (kept[i].table == t && kept[i].key_n == key.n && !memcmp(kept[i].key, key.p, key.n)) {
			free(kept[i].value);
			kept[i] = kept[--n_kept];
			return 0;
		}
	}
	return 0;
}

static int put(void *ctx, enum registry_table t, struct slice key, struct slice value)
{
	del(ctx, t, key);
	assert(n_kept < RECORDS && key.n <= sizeof kept[0].key && value.n <= RECORD_TEXT_MAX);
	kept[n_kept].table = t;
	memcpy(kept[n_kept].key, key.p, key.n);
	kept[n_kept].key_n = key.n;
	kept[n_kept].value = malloc(value.n + 1);
	assert(kept[n_kept].value);
	memcpy(kept[n_kept].value, value.p, value.n);
	kept[n_kept++].n = value.n;
	return 0;
}

static struct registry_sink sink = { put, del, NULL };
static struct rng_seeded seeded;
static struct rng rng;
static struct envelope envelope;
static const struct now now = { 1, UINT64_C(1700000000000000) };

/** Everything the registry holds, in the words of its records. */
static void print(struct text *t, const struct registry *r)
{
	struct app *a, *tmp;
	text_reset(t);
	HASH_ITER(hh, r->apps, a, tmp) {
		app_json_store(t, a);
		for (struct device *d = a->devices; d; d = d->next_of_app) {
			json_open(t, '{');
			device_json_members(t, d, DEVICE_JSON_STORE, &envelope);
			json_close(t, '}');
		}
		for (struct api_key *k = a->keys; k; k = k->next_of_owner)
			api_key_json_store(t, k);
	}
	for (struct gateway *g = r->gtw_by_id; g; g = g->by_id.next)
		gateway_json_write(t, g, true);
	assert(!t->failed);
}

static void change(
	struct registry *r, struct keyring *k, int what, const struct record_source *rd, const struct field_mask *m)
{
	struct app *app = registry_app(r, STR("app1"));
	char token[API_KEY_TEXT + 1];
	struct api_key *key;
	if (what == 0) {
		struct app *a = m->given ? app_clone(app) : app_new();
		if (app_json_read(a, m, rd) || (m->given ? registry_app_update(r, app, a, &now, rd->problem)
							 : registry_app_create(r, a, &now, rd->problem)))
			app_free(a);
	} else if (what == 1) {
		struct device *was = app->devices, *d = m->given ? device_clone(was) : device_new();
		if (device_json_read(d, m, rd) ||
			(m->given ? registry_device_update(r, was, d, &now, rd->problem)
				  : registry_device_create(r, app, d, &now, rd->problem)))
			device_free(d);
	} else if (what == 2) {
		struct gateway *was = r->gtw_by_id, *g = m->given ? gateway_clone(was) : gateway_new();
		if (gateway_json_read(g, m, rd) ||
			(m->given ? registry_gateway_update(r, was, g, &now, rd->problem)
				  : registry_gateway_create(r, g, &now, rd->problem)))
			gateway_free(g);
	} else {
		struct api_key_wish w = { .kind = KEY_APPLICATION, .app = app };
		if (!api_key_json_read(&w, rd->j, rd->root, rd->problem))
			(void)keyring_create(k, &w, &now, token, &key, rd->problem);
	}
}

static void begin(struct registry *r, struct keyring *k)
{
	registry_init(r, &sink, &envelope, &rng, "ttn");
	keyring_init(k, r);
}

/** One application, one device and one gateway to change. */
static void furnish(struct registry *r)
{
	struct app *a = app_new();
	struct device *d = device_new();
	struct gateway *g = gateway_new();
	assert(a && d && g && !app_set_ids(a, STR("app1"), NULL) && !registry_app_create(r, a, &now, NULL));
	memcpy(d->id, "dev1", 5);
	d->session =
		(struct device_session){.present = true, .has_f_nwk_s_int_key = true, .has_app_s_key = true};
	memcpy(g->id, "gtw1", 5);
	memcpy(g->plan, "EU_863_870", 11);
	assert(!registry_gateway_create(r, g, &now, NULL) && !registry_device_create(r, a, d, &now, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct json_tok tok[RECORD_TOKENS_MAX];
	struct registry r;
	struct keyring k;
	struct json j;
	struct problem p = { 0 };
	struct field_mask m = { 0 };
	if (!envelope.crypto) {
		envelope.crypto = crypto_new();
		rng = rng_seeded(&seeded, 1);
	}
	if (n < 1 || !utf8_valid((struct str){ (const char *)data + 1, n - 1 }) ||
	    json_parse((struct str){ (const char *)data + 1, n - 1 }, tok, COUNT(tok), &j, NULL))
		return 0;
	if ((data[0] & 4) &&
		(field_mask_read(&j, json_get(&j, json_root(&j), "field_mask"), &m, &p) || !m.given))
		return 0;
	begin(&r, &k);
	assert(!registry_loaded(&r, &now));
	furnish(&r);
	change(&r, &k, data[0] & 3, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &p }, &m);
	AUTO(text_done) struct text before = text_growing(1 << 20), after = text_growing(1 << 20);
	print(&before, &r);
	keyring_done(&k);
	registry_done(&r);
	begin(&r, &k);
	for (enum registry_table t = REGISTRY_META; t <= REGISTRY_API_KEYS; t++) {
		for (size_t i = 0; i < n_kept; i++) {
			struct slice key = {(uint8_t *)kept[i].key, kept[i].key_n},
				     value = {(uint8_t *)kept[i].value, kept[i].n};
			if (kept[i].table == t)
				assert(!(t == REGISTRY_API_KEYS ? keyring_load(&k, key, value, &p)
								: registry_load(&r, t, key, value, &p)));
		}
	}
	assert(!registry_loaded(&r, &now));
	print(&after, &r);
	assert(before.len == after.len && !memcmp(before.p, after.p, before.len));
	keyring_done(&k);
	registry_done(&r);
	while (n_kept)
		free(kept[--n_kept].value);
	return 0;
}
