/** @file Cryptography through libcrypto, with contexts that are made once and keyed again for each use. */
#include "common/core/crypto.h"
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct crypto {
	EVP_CIPHER *ecb, *wrap, *wrap_pad;
	EVP_CIPHER_CTX *ecb_ctx, *wrap_ctx;
	EVP_MAC *cmac;
	EVP_MAC_CTX *cmac_ctx;
};

/** What libcrypto says about a failure would otherwise be taken for the reason of somebody's next TLS error. */
static int failure(int error)
{
	ERR_clear_error();
	return error;
}

/** Looking algorithms up by name costs microseconds, so it happens here and only here. */
static bool fetch(struct crypto *c)
{
	char cbc[] = "AES-128-CBC";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cbc, 0),
		OSSL_PARAM_construct_end(),
	};
	c->ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	c->wrap = EVP_CIPHER_fetch(NULL, "AES-128-WRAP", NULL);
	c->wrap_pad = EVP_CIPHER_fetch(NULL, "AES-128-WRAP-PAD", NULL);
	c->cmac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	c->ecb_ctx = EVP_CIPHER_CTX_new();
	c->wrap_ctx = EVP_CIPHER_CTX_new();
	if (!c->ecb || !c->wrap || !c->wrap_pad || !c->cmac || !c->ecb_ctx || !c->wrap_ctx)
		return false;
	c->cmac_ctx = EVP_MAC_CTX_new(c->cmac);
	EVP_CIPHER_CTX_set_flags(c->wrap_ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	return c->cmac_ctx && EVP_MAC_CTX_set_params(c->cmac_ctx, params) == 1;
}

struct crypto *crypto_new(void)
{
	struct crypto *c = calloc(1, sizeof *c);
	if (!c || fetch(c))
		return c;
	crypto_free(c);
	failure(0);
	return NULL;
}

void crypto_free(struct crypto *c)
{
	if (!c)
		return;
	EVP_MAC_CTX_free(c->cmac_ctx);
	EVP_MAC_free(c->cmac);
	EVP_CIPHER_CTX_free(c->wrap_ctx);
	EVP_CIPHER_CTX_free(c->ecb_ctx);
	EVP_CIPHER_free(c->wrap_pad);
	EVP_CIPHER_free(c->wrap);
	EVP_CIPHER_free(c->ecb);
	free(c);
}

static int ecb(struct crypto *c, const struct key *k, const void *in, void *out, size_t n, int encrypt)
{
	int len;
	if (n % AES_BLOCK || n > INT_MAX)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (EVP_CipherInit_ex2(c->ecb_ctx, c->ecb, k->b, NULL, encrypt, NULL) != 1 ||
		EVP_CIPHER_CTX_set_padding(c->ecb_ctx, 0) != 1 ||
		EVP_CipherUpdate(c->ecb_ctx, out, &len, in, (int)n) != 1 || (size_t)len != n)
		return failure(-EIO);
	return 0;
}

int crypto_aes_encrypt(struct crypto *c, const struct key *k, const void *in, void *out, size_t n)
{
	return ecb(c, k, in, out, n, 1);
}

int crypto_aes_decrypt(struct crypto *c, const struct key *k, const void *in, void *out, size_t n)
{
	return ecb(c, k, in, out, n, 0);
}

int crypto_cmac(struct crypto *c, const struct key *k, const struct slice *parts, size_t n_parts,
	uint8_t ret_mac[AES_BLOCK])
{
	uint8_t mac[AES_BLOCK];
	size_t len;
	if (EVP_MAC_init(c->cmac_ctx, k->b, sizeof k->b, NULL) != 1)
		return failure(-EIO);
	for (size_t i = 0; i < n_parts; i++)
		if (parts[i].n && EVP_MAC_update(c->cmac_ctx, parts[i].p, parts[i].n) != 1)
			return failure(-EIO);
	if (EVP_MAC_final(c->cmac_ctx, mac, &len, sizeof mac) != 1 || len != sizeof mac)
		return failure(-EIO);
	for (size_t i = 0; i < sizeof mac; i++)
		ret_mac[i] = mac[i];
	return 0;
}

int crypto_wrap(struct crypto *c, const struct key *kek, const struct key *k, uint8_t ret_wrapped[WRAPPED_KEY])
{
	uint8_t wrapped[WRAPPED_KEY + AES_BLOCK];
	int len;
	if (EVP_CipherInit_ex2(c->wrap_ctx, c->wrap, kek->b, NULL, 1, NULL) != 1 ||
		EVP_CipherUpdate(c->wrap_ctx, wrapped, &len, k->b, sizeof k->b) != 1 || len != WRAPPED_KEY)
		return failure(-EIO);
	for (size_t i = 0; i < WRAPPED_KEY; i++)
		ret_wrapped[i] = wrapped[i];
	return 0;
}

int crypto_unwrap(struct crypto *c, const struct key *kek, const uint8_t wrapped[WRAPPED_KEY], struct key *ret_k)
{
	uint8_t k[WRAPPED_KEY + AES_BLOCK];
	int len;
	if (EVP_CipherInit_ex2(c->wrap_ctx, c->wrap, kek->b, NULL, 0, NULL) != 1)
		return failure(-EIO);
	if (EVP_CipherUpdate(c->wrap_ctx, k, &len, wrapped, WRAPPED_KEY) != 1 || len != AES_KEY)
		return failure(-EBADMSG);
	for (size_t i = 0; i < AES_KEY; i++)
		ret_k->b[i] = k[i];
	crypto_forget(k, sizeof k);
	return 0;
}

int crypto_wrap_secret(struct crypto *c, const struct key *kek, const void *p, size_t n, uint8_t *ret, size_t *ret_n)
{
	int len;
	if (n == 0 || n > INT_MAX / 2)
		return -EINVAL;
	if (EVP_CipherInit_ex2(c->wrap_ctx, c->wrap_pad, kek->b, NULL, 1, NULL) != 1 ||
		EVP_CipherUpdate(c->wrap_ctx, ret, &len, p, (int)n) != 1 || len <= 0)
		return failure(-EIO);
	*ret_n = (size_t)len;
	return 0;
}

int crypto_unwrap_secret(struct crypto *c, const struct key *kek, const void *p, size_t n, uint8_t *ret, size_t *ret_n)
{
	int len;
	if (n < AES_BLOCK || n % (AES_BLOCK / 2) || n > INT_MAX / 2)
		return -EBADMSG;
	if (EVP_CipherInit_ex2(c->wrap_ctx, c->wrap_pad, kek->b, NULL, 0, NULL) != 1)
		return failure(-EIO);
	if (EVP_CipherUpdate(c->wrap_ctx, ret, &len, p, (int)n) != 1 || len <= 0)
		return failure(-EBADMSG);
	*ret_n = (size_t)len;
	return 0;
}

int crypto_sha256(const void *p, size_t n, uint8_t ret[SHA256_LEN])
{
	return EVP_Digest(n ? p : "", n, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : failure(-EIO);
}

int crypto_hmac_sha256(struct slice key, struct slice data, uint8_t ret[SHA256_LEN])
{
	size_t n = 0;
	unsigned char *done = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.n ? key.p : (const uint8_t *)"", key.n,
		data.n ? data.p : (const uint8_t *)"", data.n, ret, SHA256_LEN, &n);
	return done && n == SHA256_LEN ? 0 : failure(-EIO);
}

bool crypto_equal(const void *a, const void *b, size_t n)
{
	return n == 0 || CRYPTO_memcmp(a, b, n) == 0;
}

void crypto_forget(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

bool key_is_none(const struct key *k)
{
	static const struct key none;
	return crypto_equal(k, &none, sizeof none);
}
