/** @file Who may do what: rights, API keys, and the check of a token.
 *
 * A key is NNSXS.<id>.<secret>: 24 and 32 random octets in base32. The secret is stored as SHA-256 over a
 * salt and it. A slow hash would buy nothing: it stretches what people choose, and 256 random bits cannot be
 * guessed at any speed; a check costs about a microsecond, so a storm of logins does not cost more than its
 * TCP connections.
 */
#pragma once
#include "as/core/registry/registry.h"

/** Bit numbers of single rights; sets are uint64_t of RIGHT_BIT(...). */
enum right {
#define RIGHT(symbol, scope) RIGHT_##symbol,
#include "as/core/registry/rights.def"
#undef RIGHT
	RIGHT_N
};
#define RIGHT_BIT(r) (UINT64_C(1) << (r))
enum { API_KEY_ID = 39, API_KEY_SECRET = 52, API_KEY_TEXT = 6 + API_KEY_ID + 1 + API_KEY_SECRET };

const char *right_name(enum right r); /**< "RIGHT_APPLICATION_TRAFFIC_READ" */
/** @return 0; -ENOENT no such right (RIGHT_ may be left out; case does not matter, - is _) */
int right_find(struct str name, enum right *ret);
/** All rights of the set, those included that an ALL stands for. */
uint64_t rights_expand(uint64_t set);

enum key_kind { KEY_ADMIN, KEY_APPLICATION, KEY_GATEWAY };
struct api_key {
	char id[API_KEY_ID + 1];
	uint8_t salt[16], hash[SHA256_LEN];
	enum key_kind kind;
	struct app *app;         /**< KEY_APPLICATION */
	struct gateway *gateway; /**< KEY_GATEWAY */
	uint64_t rights;         /**< as given */
	bool is_of_host;         /**< the operator's key of <state-dir>/admin.key, which is in no store */
	char name[NAME_TEXT_MAX + 1];
	uint64_t created_unix_us, updated_unix_us, expires_unix_us; /**< 0: never */
	struct api_key *next_of_owner;
	UT_hash_handle hh;
};

struct keyring {
	struct registry *registry; /**< borrowed */
	struct api_key *keys;      /**< by id */
	struct api_key *admins;    /**< the operator's, oldest first; next_of_owner */
	struct {
		/** A key is gone, has expired or has other rights: whoever is logged in with it is to be
		 * looked at again. */
		void (*fn)(void *ctx, const struct api_key *k, enum change c);
		void *ctx;
	} watch[4];
	size_t n_watch;
};

/** Registers with the registry: keys of a deleted application or gateway go with it. */
void keyring_init(struct keyring *k, struct registry *r);
void keyring_done(struct keyring *k);
void keyring_watch(
	struct keyring *k, void (*fn)(void *ctx, const struct api_key *key, enum change c), void *ctx);
/** A record of REGISTRY_API_KEYS at start, after all others.
 * @return 0; REGISTRY_E_INVALID; REGISTRY_E_NOT_FOUND its owner is gone, which a crash can leave: delete it;
 * -ENOMEM */
int keyring_load(struct keyring *k, struct slice key, struct slice value, struct problem *p);

/** What a key is to be. */
struct api_key_wish {
	enum key_kind kind;
	struct app *app;
	struct gateway *gateway;
	uint64_t rights;
	char name[NAME_TEXT_MAX + 1];
	uint64_t expires_unix_us; /**< 0: never */
};
/** Make a key. @param ret_token the whole text, shown once. @return 0; REGISTRY_E_INVALID, REGISTRY_E_FULL;
 * -errno */
int keyring_create(struct keyring *k, const struct api_key_wish *w, const struct now *now,
	char ret_token[API_KEY_TEXT + 1], struct api_key **ret, struct problem *p);
/** Take this host's key of the operator from its file; it is never in the store, where the operator's other keys are. @return 0; -EINVAL not a key; -ENOMEM */
int keyring_admin(struct keyring *k, struct str token);
int keyring_update(struct keyring *k, struct api_key *key, const struct api_key_wish *w,
	const struct now *now, struct problem *p);
int keyring_delete(struct keyring *k, struct api_key *key);
struct api_key *keyring_find(const struct keyring *k, struct str id);

/** Check a token. On failure *ret_why says it as The Things Stack does ("api key with id {id} not found").
 * @return 0 with the key, borrowed; -ENOENT unknown id or malformed; -EACCES wrong secret; -ETIME expired */
int rights_check(const struct keyring *k, struct str token, const struct now *now, const struct api_key **ret,
	struct problem *ret_why);
/** Rights that the key has on this application (or gateway); 0: none. A key of the operator has all. */
uint64_t rights_on_app(const struct api_key *k, const struct app *a);
uint64_t rights_on_gateway(const struct api_key *k, const struct gateway *g);
/** All rights that a key of this kind can have. */
uint64_t rights_of_kind(enum key_kind kind);
/** Cut NNSXS.<id>.<secret> in pieces. @return 0; -EINVAL */
int rights_token_split(struct str token, struct str *ret_id, struct str *ret_secret);
/** What is kept of a secret. @return 0; -EINVAL wrong length; -EIO */
int rights_hash(const uint8_t salt[16], struct str secret, uint8_t ret[SHA256_LEN]);
/** A fresh token's text. */
void rights_token_make(const struct rng *rng, char ret_token[API_KEY_TEXT + 1]);
