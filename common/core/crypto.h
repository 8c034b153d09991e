/** @file Cryptography through libcrypto: the one file that may call it outside TLS.
 *
 * A `struct crypto` holds the reusable contexts; one per process loop, not shared between threads.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AES_KEY = 16, AES_BLOCK = 16, SHA256_LEN = 32, WRAPPED_KEY = 24, WRAPPED_MORE = 15 };

/** An AES-128 key. Never printable. All zero: none. */
struct key {
	uint8_t b[AES_KEY];
};

struct crypto;
/** @return NULL when libcrypto refuses (no memory, algorithm missing) */
struct crypto *crypto_new(void);
void crypto_free(struct crypto *c);
DEFINE_AUTO(struct crypto, crypto_free);

/** Encrypt or decrypt n octets, a multiple of 16, as independent blocks (ECB); in and out may be the same.
 * @return 0; -EINVAL n; -EIO libcrypto failed */
int crypto_aes_encrypt(struct crypto *c, const struct key *k, const void *in, void *out, size_t n);
int crypto_aes_decrypt(struct crypto *c, const struct key *k, const void *in, void *out, size_t n);
/** AES-CMAC (RFC 4493) over the concatenation of n_parts parts. @return 0; -EIO */
int crypto_cmac(struct crypto *c, const struct key *k, const struct slice *parts, size_t n_parts,
	uint8_t ret_mac[AES_BLOCK]);
/** RFC 3394 key wrap of one AES-128 key. @return 0; -EIO */
int crypto_wrap(struct crypto *c, const struct key *kek, const struct key *k, uint8_t ret_wrapped[WRAPPED_KEY]);
/** @return 0; -EBADMSG the key-encryption key is not the one it was wrapped with; -EIO */
int crypto_unwrap(struct crypto *c, const struct key *kek, const uint8_t wrapped[WRAPPED_KEY], struct key *ret_k);
/** RFC 5649 key wrap with padding of a secret of any length from 1 on.
 * @param ret  room for n + WRAPPED_MORE octets @return 0; -EINVAL n; -EIO */
int crypto_wrap_secret(struct crypto *c, const struct key *kek, const void *p, size_t n, uint8_t *ret, size_t *ret_n);
/** @param ret  room for n octets: crypto_forget all of them, also after a failure
 * @return 0; -EBADMSG the key-encryption key is not the one it was wrapped with, or it is damaged; -EIO */
int crypto_unwrap_secret(struct crypto *c, const struct key *kek, const void *p, size_t n, uint8_t *ret, size_t *ret_n);
/** @return 0; -EIO */
int crypto_sha256(const void *p, size_t n, uint8_t ret[SHA256_LEN]);
/** HMAC-SHA256 (RFC 2104, RFC 4231) with a key of any length. @return 0; -EIO */
int crypto_hmac_sha256(struct slice key, struct slice data, uint8_t ret[SHA256_LEN]);

bool crypto_equal(const void *a, const void *b, size_t n); /**< in constant time */
void crypto_forget(void *p, size_t n);                      /**< overwrite, never optimised away */
bool key_is_none(const struct key *k);
