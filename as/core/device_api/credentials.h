/** @file How devices that speak IP log in: access token, user name and password, or certificate; one of them per device.
 *
 * Kept with the device's registry number, secrets sealed with the key-encryption key. Found by SHA-256 of what a device shows, so that
 * a lookup takes as long for a wrong word as for a right one.
 */
#pragma once
#include "as/core/registry/registry.h"
#include "common/core/json.h"

enum { CREDENTIALS_TEXT_MAX = 256, ACCESS_TOKEN_MADE = 20 };

enum credentials_kind { CREDENTIALS_NONE, CREDENTIALS_TOKEN, CREDENTIALS_BASIC, CREDENTIALS_X509, CREDENTIALS_KINDS };

/** What a device is to log in with. Texts are terminated; "" is none. */
struct credentials_wish {
	enum credentials_kind kind;
	char token[CREDENTIALS_TEXT_MAX + 1];
	char client_id[CREDENTIALS_TEXT_MAX + 1], user[CREDENTIALS_TEXT_MAX + 1], password[CREDENTIALS_TEXT_MAX + 1];
	uint8_t certificate[SHA256_LEN]; /**< SHA-256 of it (DER) */
};

struct credentials {
	uint64_t device; /**< registry number */
	enum credentials_kind kind;
	uint8_t key[SHA256_LEN], certificate[SHA256_LEN];
	UT_hash_handle by_device, by_key;
	size_t n;
	char text[]; /**< token, client id, user name, password; each terminated */
};

struct credential_ring {
	struct registry *registry; /**< borrowed */
	struct credentials *by_device, *by_key;
	struct {
		/** A device's credentials are others now, or gone: whoever is logged in with the old ones is to leave. */
		void (*fn)(void *ctx, uint64_t device);
		void *ctx;
	} watch;
};

/** Registers with the registry: credentials go with their device, and a new device that speaks IP is given a token. */
void credentials_init(struct credential_ring *c, struct registry *r);
void credentials_done(struct credential_ring *c);
/** A record of REGISTRY_CREDENTIALS at start, after all devices.
 * @return 0; REGISTRY_E_INVALID; REGISTRY_E_NOT_FOUND its device is gone, which a crash can leave: delete it; -ENOMEM */
int credentials_load(struct credential_ring *c, struct slice key, struct slice value, struct problem *p);

/** Could the device have these? @param d  NULL: one that is not there yet @return as credentials_set */
int credentials_check(const struct credential_ring *c, const struct device *d, const struct credentials_wish *w, struct problem *p);
/** Let the device log in with these and nothing else. CREDENTIALS_NONE: with nothing.
 * @return 0; REGISTRY_E_INVALID; REGISTRY_E_EXISTS another device has them; -errno */
int credentials_set(struct credential_ring *c, const struct device *d, const struct credentials_wish *w, struct problem *p);
/** A token of 20 random letters and digits. */
void credentials_make_token(const struct rng *rng, char ret[ACCESS_TOKEN_MADE + 1]);
/** What the device logs in with. @return 0; -ENOENT nothing */
int credentials_get(const struct credential_ring *c, uint64_t device, struct credentials_wish *ret);

bool credentials_eq(const struct credentials_wish *a, const struct credentials_wish *b);

/** What a CONNECT says. Absent texts are empty. */
struct credentials_shown {
	struct str client_id, user, password;
	const uint8_t *certificate; /**< SHA-256 of the client's; NULL: it showed none */
};
/** Whose are they?
 * @return 0, *ret is the registry number; -EINVAL nothing that a device could be known by, or a wrong password; -ENOENT unknown
 * user name */
int credentials_judge(const struct credential_ring *c, const struct credentials_shown *s, uint64_t *ret);

/** SHA-256 of a certificate in PEM, or of 64 hex digits what they say. @return 0; -EINVAL */
int credentials_certificate(struct str pem, uint8_t ret[SHA256_LEN]);
/** Read {"access_token"} or {"mqtt_client_id","mqtt_username","mqtt_password"} or {"x509_certificate"}; absent: CREDENTIALS_NONE.
 * @return 0; REGISTRY_E_INVALID */
int credentials_read(const struct json *j, json_val v, struct credentials_wish *ret, struct problem *p);
/** An object as credentials_read takes it, with its `credentials_type`. @param secrets  else token and password are left out */
void credentials_write(struct text *t, const struct credentials_wish *w, bool secrets);
