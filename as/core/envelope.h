/** @file Keys at rest: wrapped (RFC 3394) with the key-encryption key of this installation. */
#pragma once
#include "common/core/crypto.h"
#include "common/core/rng.h"
#include "common/core/text.h"

struct envelope {
	struct crypto *crypto; /**< borrowed */
	struct key kek;
};

/** Wrap into 24 octets. @return 0; -EIO */
int envelope_seal(const struct envelope *e, const struct key *k, uint8_t ret[WRAPPED_KEY]);
/** @return 0; -EBADMSG sealed with another key-encryption key, or damaged; -EIO */
int envelope_open(const struct envelope *e, const uint8_t sealed[WRAPPED_KEY], struct key *ret);
/** Append a secret of any length as text for a record: wrapped (RFC 5649), base64. Of an empty one nothing. @return 0; -ENOMEM; -EIO */
int envelope_seal_text(const struct envelope *e, struct str secret, struct text *ret);
/** The opposite; the text is to be forgotten (crypto_forget) once it was used. @return 0; -EBADMSG as above; -ENOMEM; -EIO */
int envelope_open_text(const struct envelope *e, struct str sealed, struct text *ret);
/** The text form of a KEK file: 32 hex digits and a newline. */
void envelope_kek_text(struct text *t, const struct key *kek);
/** @return 0; -EINVAL */
int envelope_kek_parse(struct str s, struct key *ret);
/** A fresh one. */
struct key envelope_kek_make(const struct rng *rng);
