/** @file Keys at rest: wrapping, and the text form of the key-encryption key. */
#include "as/core/envelope.h"
#include <stdlib.h>

int envelope_seal(const struct envelope *e, const struct key *k, uint8_t ret[WRAPPED_KEY])
{
	return crypto_wrap(e->crypto, &e->kek, k, ret);
}

int envelope_open(const struct envelope *e, const uint8_t sealed[WRAPPED_KEY], struct key *ret)
{
	return crypto_unwrap(e->crypto, &e->kek, sealed, ret);
}

int envelope_seal_text(const struct envelope *e, struct str secret, struct text *ret)
{
	size_t n;
	if (!secret.n)
		return 0;
	uint8_t *wrapped = malloc(secret.n + WRAPPED_MORE);
	if (!wrapped)
		return -ENOMEM;
	int r = crypto_wrap_secret(e->crypto, &e->kek, secret.p, secret.n, wrapped, &n);
	if (!r)
		text_base64(ret, wrapped, n);
	free(wrapped);
	return r ? r : ret->failed ? -ENOMEM : 0;
}

int envelope_open_text(const struct envelope *e, struct str sealed, struct text *ret)
{
	size_t n, plain_n = 0;
	if (!sealed.n)
		return 0;
	uint8_t *wrapped = malloc(2 * sealed.n), *plain = wrapped ? wrapped + sealed.n : NULL;
	if (!wrapped)
		return -ENOMEM;
	int r = base64_decode(sealed, wrapped, sealed.n, &n) ? -EBADMSG : 0;
	if (!r)
		r = crypto_unwrap_secret(e->crypto, &e->kek, wrapped, n, plain, &plain_n);
	if (!r)
		text_put(ret, (struct str){ (const char *)plain, plain_n });
	crypto_forget(plain, sealed.n);
	free(wrapped);
	return r ? r : ret->failed ? -ENOMEM : 0;
}

void envelope_kek_text(struct text *t, const struct key *kek)
{
	text_hex(t, kek->b, sizeof kek->b, true);
	text_putc(t, '\n');
}

int envelope_kek_parse(struct str s, struct key *ret)
{
	struct key k;
	int r = hex_exact(str_trim(s), k.b, sizeof k.b);
	if (r)
		return r;
	*ret = k;
	crypto_forget(&k, sizeof k);
	return 0;
}

struct key envelope_kek_make(const struct rng *rng)
{
	struct key k;
	rng_fill(rng, k.b, sizeof k.b);
	return k;
}
