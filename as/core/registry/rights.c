/** @file Rights: their names, what they imply, and the check of a token. */
#include "as/core/registry/rights.h"
#include "as/core/registry/base32.h"
#include <ctype.h>
#include <string.h>

static const char *const names[] = {
#define RIGHT(symbol, scope) "RIGHT_" #symbol,
#include "as/core/registry/rights.def"
#undef RIGHT
};
_Static_assert(RIGHT_N <= 64, "a set of rights is one word");

const char *right_name(enum right r)
{
	return names[r];
}

/** Equal but for case and for - instead of _. */
static bool same_name(struct str s, const char *name)
{
	if (s.n != strlen(name))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int c = s.p[i] == '-' ? '_' : toupper((unsigned char)s.p[i]);
		if (c != name[i])
			return false;
	}
	return true;
}

int right_find(struct str name, enum right *ret)
{
	for (unsigned i = 0; i < RIGHT_N; i++) {
		if (same_name(name, names[i]) || same_name(name, names[i] + strlen("RIGHT_"))) {
			*ret = i;
			return 0;
		}
	}
	return -ENOENT;
}

uint64_t rights_of_kind(enum key_kind kind)
{
	uint64_t application = 0, gateway = 0, admin = 0;
#define RIGHT(symbol, scope) RIGHTS_ADD_##scope(RIGHT_BIT(RIGHT_##symbol));
#define RIGHTS_ADD_APPLICATION(bit) application |= (bit)
#define RIGHTS_ADD_GATEWAY(bit)     gateway |= (bit)
#define RIGHTS_ADD_ADMIN(bit)       admin |= (bit)
#include "as/core/registry/rights.def"
#undef RIGHT
#undef RIGHTS_ADD_APPLICATION
#undef RIGHTS_ADD_GATEWAY
#undef RIGHTS_ADD_ADMIN
	return kind == KEY_APPLICATION ? application : kind == KEY_GATEWAY ? gateway : admin;
}

uint64_t rights_expand(uint64_t set)
{
	if (set & RIGHT_BIT(RIGHT_APPLICATION_ALL))
		set |= rights_of_kind(KEY_APPLICATION);
	if (set & RIGHT_BIT(RIGHT_GATEWAY_ALL))
		set |= rights_of_kind(KEY_GATEWAY);
	return set;
}

void rights_token_make(const struct rng *rng, char ret_token[API_KEY_TEXT + 1])
{
	uint8_t id[24], secret[32];
	struct text t = text_fixed(ret_token, API_KEY_TEXT + 1);
	rng_fill(rng, id, sizeof id);
	rng_fill(rng, secret, sizeof secret);
	text_puts(&t, "NNSXS.");
	base32_put(&t, id, sizeof id);
	text_putc(&t, '.');
	base32_put(&t, secret, sizeof secret);
	crypto_forget(secret, sizeof secret);
}

int rights_token_split(struct str token, struct str *ret_id, struct str *ret_secret)
{
	struct str prefix, id, secret;
	secret = str_cut(str_cut(token, '.', &prefix), '.', &id);
	if (!str_is(prefix, "NNSXS") || !base32_valid(id, 24) || !base32_valid(secret, 32))
		return -EINVAL;
	*ret_id = id;
	*ret_secret = secret;
	return 0;
}

int rights_hash(const uint8_t salt[16], struct str secret, uint8_t ret[SHA256_LEN])
{
	uint8_t both[16 + API_KEY_SECRET];
	if (secret.n != API_KEY_SECRET)
		return -EINVAL;
	memcpy(both, salt, 16);
	memcpy(both + 16, secret.p, secret.n);
	int r = crypto_sha256(both, sizeof both, ret);
	crypto_forget(both, sizeof both);
	return r;
}

int rights_check(const struct keyring *k, struct str token, const struct now *now, const struct api_key **ret,
	struct problem *ret_why)
{
	struct str id, secret;
	uint8_t hash[SHA256_LEN];
	if (rights_token_split(token, &id, &secret))
		return problem_say(ret_why, -ENOENT, "",
			"api key is malformed: it is not NNSXS.<39 characters>.<52 characters>");
	const struct api_key *key = keyring_find(k, id);
	if (!key)
		return problem_say(ret_why, -ENOENT, "", "api key with id %.*s not found", STR_ARG(id));
	if (rights_hash(key->salt, secret, hash) || !crypto_equal(hash, key->hash, sizeof hash))
		return problem_say(
			ret_why, -EACCES, "", "api key with id %.*s has another secret", STR_ARG(id));
	if (key->expires_unix_us && key->expires_unix_us <= now->unix_us)
		return problem_say(ret_why, -ETIME, "", "api key with id %.*s has expired", STR_ARG(id));
	*ret = key;
	return 0;
}

uint64_t rights_on_app(const struct api_key *k, const struct app *a)
{
	if (k->kind == KEY_ADMIN)
		return rights_of_kind(KEY_APPLICATION);
	return k->kind == KEY_APPLICATION && k->app == a ? rights_expand(k->rights) : 0;
}

uint64_t rights_on_gateway(const struct api_key *k, const struct gateway *g)
{
	if (k->kind == KEY_ADMIN)
		return rights_of_kind(KEY_GATEWAY);
	return k->kind == KEY_GATEWAY && k->gateway == g ? rights_expand(k->rights) : 0;
}
