/** @file API keys as JSON. */
#include "as/core/registry/keyring_json.h"
#include <string.h>

static const char *const kinds[] = {
	[KEY_ADMIN] = "admin", [KEY_APPLICATION] = "application", [KEY_GATEWAY] = "gateway"
};

static void write_time(struct text *t, const char *name, uint64_t unix_us)
{
	if (unix_us) {
		json_name(t, name);
		json_time(t, unix_us * 1000);
	}
}

static void write_common(struct text *t, const struct api_key *key)
{
	if (key->name[0]) {
		json_name(t, "name");
		json_puts(t, key->name);
	}
	json_name(t, "rights");
	json_open(t, '[');
	for (enum right r = 0; r < RIGHT_N; r++)
		if (key->rights & RIGHT_BIT(r))
			json_puts(t, right_name(r));
	json_close(t, ']');
	write_time(t, "created_at", key->created_unix_us);
	write_time(t, "updated_at", key->updated_unix_us);
	write_time(t, "expires_at", key->expires_unix_us);
}

void api_key_json_write(struct text *t, const struct api_key *key, const char *token)
{
	json_open(t, '{');
	json_name(t, "id");
	json_puts(t, key->id);
	if (token) {
		json_name(t, "key");
		json_puts(t, token);
	}
	write_common(t, key);
	json_close(t, '}');
}

void api_key_json_store(struct text *t, const struct api_key *key)
{
	json_open(t, '{');
	json_name(t, "id");
	json_puts(t, key->id);
	json_name(t, "kind");
	json_puts(t, kinds[key->kind]);
	json_name(t, "owner");
	json_puts(t, key->kind == KEY_APPLICATION ? key->app->key : key->kind == KEY_GATEWAY ? key->gateway->id : "");
	json_name(t, "salt");
	json_b64(t, key->salt, sizeof key->salt);
	json_name(t, "hash");
	json_b64(t, key->hash, sizeof key->hash);
	write_common(t, key);
	json_close(t, '}');
}

static int read_rights(const struct json *j, json_val v, uint64_t *ret, struct problem *p)
{
	uint64_t set = 0;
	if (json_type(j, v) != JSON_ARRAY)
		return problem_say(p, REGISTRY_E_INVALID, "rights", "must be an array of rights");
	for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e)) {
		struct str name;
		enum right r;
		if (json_plain(j, e, &name) || right_find(name, &r)) {
			struct str raw = json_raw(j, e);
			return problem_say(p, REGISTRY_E_INVALID, "rights", "there is no right %.*s",
				(int)(raw.n > 60 ? 60 : raw.n), raw.p);
		}
		set |= RIGHT_BIT(r);
	}
	*ret = set;
	return 0;
}

static int read_time(const struct json *j, json_val v, const char *field, uint64_t *ret_us, struct problem *p)
{
	char text[48];
	uint64_t ns = 0;
	if (json_type(j, v) != JSON_NULL &&
		(json_string(j, v, text, sizeof text) || clock_parse_rfc3339(str_of(text), &ns)))
		return problem_say(
			p, REGISTRY_E_INVALID, field, "must be a time such as 2030-01-01T00:00:00Z");
	*ret_us = ns / 1000;
	return 0;
}

int api_key_json_read(struct api_key_wish *w, const struct json *j, json_val object, struct problem *p)
{
	json_val v = json_get(j, object, "name");
	int r = 0;
	if (v >= 0 && (json_string(j, v, w->name, sizeof w->name) || !utf8_valid(str_of(w->name))))
		return problem_say(
			p, REGISTRY_E_INVALID, "name", "must be a text of at most %d octets", NAME_TEXT_MAX);
	v = json_get(j, object, "rights");
	if (v >= 0)
		r = read_rights(j, v, &w->rights, p);
	v = json_get(j, object, "expires_at");
	if (!r && v >= 0)
		r = read_time(j, v, "expires_at", &w->expires_unix_us, p);
	return r;
}

static int load_owner(struct api_key *key, const struct registry *r, const struct json *j, json_val root)
{
	struct str kind, owner;
	if (json_plain(j, json_get(j, root, "kind"), &kind) ||
		json_plain(j, json_get(j, root, "owner"), &owner))
		return -EINVAL;
	key->kind = str_is(kind, "application") ? KEY_APPLICATION : str_is(kind, "admin") ? KEY_ADMIN : KEY_GATEWAY;
	if (key->kind == KEY_ADMIN)
		return 0;
	if (key->kind == KEY_APPLICATION)
		key->app = registry_app(r, owner);
	else
		key->gateway = registry_gateway(r, owner);
	return key->app || key->gateway ? 0 : -ENOENT;
}

int api_key_json_load(struct api_key *key, const struct registry *r, struct slice value, struct problem *p)
{
	struct json_tok tok[256];
	struct json j;
	struct api_key_wish w = { 0 };
	struct str id;
	size_t salt, hash;
	if (json_parse((struct str){ (const char *)value.p, value.n }, tok, COUNT(tok), &j, NULL))
		return problem_say(p, REGISTRY_E_INVALID, "", "the record of an API key is damaged");
	json_val root = json_root(&j);
	if (load_owner(key, r, &j, root))
		return problem_say(p, REGISTRY_E_NOT_FOUND, "owner", "of an API key does not exist");
	int e = api_key_json_read(&w, &j, root, p);
	if (e)
		return e;
	if (json_plain(&j, json_get(&j, root, "id"), &id) || str_copy(id, key->id, sizeof key->id) ||
		json_base64(&j, json_get(&j, root, "salt"), key->salt, sizeof key->salt, &salt) ||
		salt != sizeof key->salt ||
		json_base64(&j, json_get(&j, root, "hash"), key->hash, sizeof key->hash, &hash) ||
		hash != sizeof key->hash)
		return problem_say(p, REGISTRY_E_INVALID, "", "the record of an API key is damaged");
	key->rights = w.rights;
	memcpy(key->name, w.name, sizeof key->name);
	key->expires_unix_us = w.expires_unix_us;
	e = read_time(&j, json_get(&j, root, "created_at"), "created_at", &key->created_unix_us, p);
	return e ? e
		 : read_time(&j, json_get(&j, root, "updated_at"), "updated_at", &key->updated_unix_us, p);
}
