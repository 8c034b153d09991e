/** @file Names of things: ULIDs, and the identifiers of applications, devices and gateways. */
#pragma once
#include "common/core/rng.h"
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

enum { ULID_TEXT = 26, ID_MAX = 36 };

/** 48 bits of milliseconds since 1970, then 80 random bits. Zero: none. */
struct ulid {
	uint8_t b[16];
};

/** Make the ULID of this instant. Two of one millisecond differ by chance only, so they are not ordered. */
struct ulid ulid_make(uint64_t unix_us, const struct rng *rng);
uint64_t ulid_unix_us(const struct ulid *u); /**< of the instant it was made, to the millisecond */
bool ulid_is_none(const struct ulid *u);
bool ulid_eq(const struct ulid *a, const struct ulid *b);
/** 26 characters of Crockford base32. */
void ulid_text(struct text *t, const struct ulid *u);
/** @return 0; -EINVAL (lower case, and I L O for 1 1 0, are taken) */
int ulid_parse(struct str s, struct ulid *ret);

/** The grammar of application, device, gateway and tenant ids: [a-z0-9](-?[a-z0-9]){2,}, at most 36 characters;
 * shorter ids (from 2 characters) are accepted too. */
bool id_valid(struct str s);
