/** @file Keys at rest: wrapping, and the text form of the key-encryption key. */
#include "as/core/envelope.h"

int envelope_seal(const struct envelope *e, const struct key *k, uint8_t ret[WRAPPED_KEY])
{
	return crypto_wrap(e->crypto, &e->kek, k, ret);
}

int envelope_open(const struct envelope *e, const uint8_t sealed[WRAPPED_KEY], struct key *ret)
{
	return crypto_unwrap(e->crypto, &e->kek, sealed, ret);
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
