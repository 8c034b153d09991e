/** @file Numbers and values in few octets, as records of series and attributes have them.
 *
 * A varint has seven bits in each octet, the lowest first, the top bit set in all but the last; a signed one is folded first: 0, -1, 1, -2, …
 */
#pragma once
#include "as/core/values/value.h"
#include "common/core/bytes.h"

enum { PACK_VARINT_MAX = 10 };

void pack_varint(struct writer *w, uint64_t v);
void pack_signed(struct writer *w, int64_t v);
void pack_text(struct writer *w, struct str s); /**< its length, then its octets */
void pack_double(struct writer *w, double d);
/** Readers of the same; what does not fit, or is not there, sets failed, and is 0. */
uint64_t unpack_long_varint(struct reader *r);
static inline uint64_t unpack_varint(struct reader *r)
{
	return r->p < r->end && *r->p < 0x80 ? *r->p++ : unpack_long_varint(r);
}
int64_t unpack_signed(struct reader *r);
struct str unpack_text(struct reader *r); /**< borrowed */
double unpack_double(struct reader *r);   /**< failed if it is not finite */

/** A value by itself, its kind first; VALUE_KIND_N stands for one that is not told. */
void pack_value(struct writer *w, const struct value *v);
struct value unpack_value(struct reader *r);
