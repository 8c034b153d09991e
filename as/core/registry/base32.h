/** @file Base32 of RFC 4648 6 without padding, as API keys are written. */
#pragma once
#include "common/core/text.h"

/** Append ceil(8 n / 5) characters of A-Z2-7. */
void base32_put(struct text *t, const void *p, size_t n);
/** Could s be base32 of n octets? (Its length and alphabet; case matters.) */
bool base32_valid(struct str s, size_t n);
