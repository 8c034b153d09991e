/** @file Profiles of applications for their devices that speak IP: looking them up, changing them, their records. */
#include "as/core/device_api/profile.h"
#include "common/core/json_out.h"
#include "proto/mqtt/mqtt_topic.h"
#include <stdlib.h>
#include <string.h>

enum { RECORD_MAX = 2048, TOKENS = 64 };

static struct device_profile *find_app(const struct device_profiles *x, const char *app)
{
	struct device_profile *it;
	HASH_FIND(by_app, x->by_app, app, strlen(app), it);
	return it;
}

static struct device_profile *find_key(const struct device_profiles *x, struct str key)
{
	struct device_profile *it = NULL;
	if (key.n)
		HASH_FIND(by_key, x->by_key, key.p, key.n, it);
	return it;
}

static void release(struct device_profile *it)
{
	if (it)
		crypto_forget(it, sizeof *it);
	free(it);
}

static void unlink_it(struct device_profiles *x, struct device_profile *it)
{
	HASH_DELETE(by_app, x->by_app, it);
	if (it->key[0])
		HASH_DELETE(by_key, x->by_key, it);
}

static int link_it(struct device_profiles *x, struct device_profile *it)
{
	HASH_ADD(by_app, x->by_app, app, strlen(it->app), it);
	if (!it->by_app.tbl)
		return -ENOMEM;
	if (!it->key[0])
		return 0;
	HASH_ADD(by_key, x->by_key, key, strlen(it->key), it);
	if (it->by_key.tbl)
		return 0;
	HASH_DELETE(by_app, x->by_app, it);
	return -ENOMEM;
}

/* ---- JSON ---- */

static int read_text_of(const struct json *j, json_val v, const char *name, char *ret, size_t cap, struct problem *p)
{
	char text[PROFILE_SECRET_MAX + 1] = "";
	if (v < 0)
		return 0;
	int r = json_type(j, v) == JSON_NULL ? 0 : json_string(j, v, text, cap);
	if (r || !mqtt_string_valid(str_of(text)))
		return problem_say(p, REGISTRY_E_INVALID, name, "must be a text of at most %zu octets", cap - 1);
	memcpy(ret, text, cap);
	return 0;
}

static int filter_check(const char *filter, const char *name, struct problem *p)
{
	bool fits = !*filter || (mqtt_filter_valid(str_of(filter)) && mqtt_topic_levels(str_of(filter)) <= 32);
	return fits ? 0 : problem_say(p, REGISTRY_E_INVALID, name, "must be a topic filter such as sensors/+/data");
}

/* ThingsBoard's words. */
static const char *const strategies[] = { "ALLOW_CREATE_NEW_DEVICES", "CHECK_PRE_PROVISIONED_DEVICES" };

static int strategy_read(const struct json *j, json_val v, bool *ret_only_known, struct problem *p)
{
	char word[40];
	if (v < 0)
		return 0;
	for (size_t i = 0; !json_string(j, v, word, sizeof word) && i < COUNT(strategies); i++)
		if (!strcmp(word, strategies[i])) {
			*ret_only_known = i == 1;
			return 0;
		}
	return problem_say(p, REGISTRY_E_INVALID, "provision_strategy", "must be %s or %s", strategies[0], strategies[1]);
}

int profile_read(const struct json *j, json_val object, struct device_profile *ret, struct problem *p)
{
	const struct {
		const char *name;
		char *to;
		size_t cap;
	} rows[] = {
		{ "provision_device_key", ret->key, sizeof ret->key },
		{ "provision_device_secret", ret->secret, sizeof ret->secret },
		{ "telemetry_topic", ret->telemetry, sizeof ret->telemetry },
		{ "attributes_topic", ret->attributes, sizeof ret->attributes },
	};
	bool casts = !ret->keeps_texts;
	int e = 0;
	for (size_t i = 0; !e && i < COUNT(rows); i++)
		e = read_text_of(j, json_get(j, object, rows[i].name), rows[i].name, rows[i].to, rows[i].cap, p);
	if (!e && !ret->key[0] != !ret->secret[0])
		e = problem_say(p, REGISTRY_E_INVALID, "provision_device_secret", "goes with provision_device_key: give both, or neither");
	if (!e)
		e = strategy_read(j, json_get(j, object, "provision_strategy"), &ret->only_known, p);
	if (!e)
		e = filter_check(ret->telemetry, "telemetry_topic", p);
	if (!e)
		e = filter_check(ret->attributes, "attributes_topic", p);
	int r = json_bool(j, json_get(j, object, "number_texts_are_numbers"), &casts);
	if (!e && r && r != -ENOENT)
		e = problem_say(p, REGISTRY_E_INVALID, "number_texts_are_numbers", "must be true or false");
	ret->keeps_texts = !casts;
	return e;
}

static void write_word(struct text *t, const char *name, const char *z)
{
	if (*z) {
		json_name(t, name);
		json_puts(t, z);
	}
}

void profile_write(struct text *t, const struct device_profile *p, bool secrets)
{
	static const struct device_profile usual = { .app = "" };
	p = p ? p : &usual;
	json_open(t, '{');
	write_word(t, "provision_device_key", p->key);
	if (secrets)
		write_word(t, "provision_device_secret", p->secret);
	if (*p->key)
		write_word(t, "provision_strategy", strategies[p->only_known]);
	write_word(t, "telemetry_topic", p->telemetry);
	write_word(t, "attributes_topic", p->attributes);
	json_name(t, "number_texts_are_numbers");
	json_truth(t, !p->keeps_texts);
	json_close(t, '}');
}

/* ---- the store ---- */

static struct slice key_of(const char *app)
{
	return (struct slice){ (const uint8_t *)app, strlen(app) };
}

static int put_record(const struct device_profiles *x, const struct device_profile *it)
{
	const struct registry *r = x->registry;
	char json[RECORD_MAX], value[2 * RECORD_MAX];
	struct text t = text_fixed(json, sizeof json), v = text_fixed(value, sizeof value);
	profile_write(&t, it, true);
	int e = t.failed ? -ENOSPC : envelope_seal_text(r->envelope, text_str(&t), &v);
	if (!e)
		e = r->sink.put(r->sink.ctx, REGISTRY_PROFILES, key_of(it->app), (struct slice){ (const uint8_t *)value, v.len });
	crypto_forget(json, sizeof json);
	return e;
}

int profiles_load(struct device_profiles *x, struct slice key, struct slice value, struct problem *p)
{
	struct json_tok tok[TOKENS];
	char room[RECORD_MAX];
	struct text text = text_fixed(room, sizeof room);
	struct json j;
	const struct app *a = registry_app(x->registry, (struct str){ (const char *)key.p, key.n });
	if (!a || strlen(a->key) != key.n || memcmp(a->key, key.p, key.n))
		return REGISTRY_E_NOT_FOUND;
	struct device_profile *it = calloc(1, sizeof *it);
	if (!it)
		return -ENOMEM;
	memcpy(it->app, a->key, sizeof it->app);
	bool is_good = !envelope_open_text(x->registry->envelope, (struct str){ (const char *)value.p, value.n }, &text) &&
		       !json_parse(text_str(&text), tok, TOKENS, &j, NULL) && !profile_read(&j, json_root(&j), it, p) &&
		       !find_app(x, it->app) && !find_key(x, str_of(it->key));
	int e = is_good ? link_it(x, it) : problem_say(p, REGISTRY_E_INVALID, "", "a device profile is damaged, or sealed with another as/kek");
	if (e)
		release(it);
	crypto_forget(room, sizeof room);
	return e;
}

/* ---- changes ---- */

int profiles_set(struct device_profiles *x, const struct app *a, const struct device_profile *wish, struct problem *p)
{
	struct device_profile *was = find_app(x, a->key), *it;
	const struct device_profile *other = find_key(x, str_of(wish->key));
	if (other && other != was)
		return problem_say(p, REGISTRY_E_EXISTS, "provision_device_key", "another application has this key");
	it = malloc(sizeof *it);
	if (!it)
		return -ENOMEM;
	*it = *wish;
	memset(&it->by_app, 0, sizeof it->by_app);
	memset(&it->by_key, 0, sizeof it->by_key);
	memcpy(it->app, a->key, sizeof it->app);
	int e = put_record(x, it);
	if (!e && was)
		unlink_it(x, was);
	if (!e)
		e = link_it(x, it);
	release(e ? it : was);
	return e;
}

static void on_app(void *ctx, struct app *a, enum change c)
{
	struct device_profiles *x = ctx;
	struct device_profile *it = c == CHANGE_DELETED ? find_app(x, a->key) : NULL;
	if (!it)
		return;
	(void)x->registry->sink.del(x->registry->sink.ctx, REGISTRY_PROFILES, key_of(a->key)); /* else at the next start */
	unlink_it(x, it);
	release(it);
}

void profiles_init(struct device_profiles *x, struct registry *r)
{
	*x = (struct device_profiles){ .registry = r };
	registry_watch(r, &(struct registry_watch){ .app = on_app, .ctx = x });
}

void profiles_done(struct device_profiles *x)
{
	struct device_profile *it, *next;
	HASH_ITER(by_app, x->by_app, it, next) {
		unlink_it(x, it);
		release(it);
	}
	*x = (struct device_profiles){ 0 };
}

const struct device_profile *profiles_of(const struct device_profiles *x, const struct app *a)
{
	return find_app(x, a->key);
}

const struct device_profile *profiles_judge(const struct device_profiles *x, struct str key, struct str secret)
{
	const struct device_profile *it = find_key(x, key);
	uint8_t own[SHA256_LEN], theirs[SHA256_LEN];
	struct str mine = str_of(it ? it->secret : "");
	if (crypto_sha256(mine.p, mine.n, own) || crypto_sha256(secret.p, secret.n, theirs))
		return NULL;
	return crypto_equal(own, theirs, sizeof own) && it ? it : NULL;
}
