/** @file Text: borrowed strings, a text builder, hex, base64, numbers, UTF-8. Pure; no locale. */
#pragma once
#include "common/core/bytes.h"
#include "common/core/err.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Borrowed characters, not terminated. */
struct str {
	const char *p;
	size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_ARG(s)   (int)(s).n, (s).p /**< for "%.*s" */

struct str str_of(const char *z); /**< NULL gives the empty string */
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *z);
bool str_starts(struct str a, const char *prefix);
int str_cmp(struct str a, struct str b); /**< byte order, as strcmp */
/** Cut at the first `c`: *ret_head before it, the rest after it returned; no `c`: all is head, the rest empty. */
struct str str_cut(struct str s, char c, struct str *ret_head);
struct str str_trim(struct str s); /**< without leading and trailing blanks, tabs, CR, LF */
/** Copy with terminator into dst.
 * @return 0; -ENOSPC if it does not fit or holds a NUL (dst is then "") */
int str_copy(struct str s, char *dst, size_t cap);

/** Text being built. Fixed: writes into the caller's memory and never past it. Growing: owns heap memory for up to
 * `max` characters. Either way always terminated; what does not fit is cut, sets `failed`, and ends the writing. */
struct text {
	char *p;
	size_t len, cap, max;
	bool failed, grows;
};

struct text text_fixed(char *buf, size_t cap);
struct text text_growing(size_t max);
void text_done(struct text *t); /**< frees a growing text; any text may be given */
static inline void text_done_auto(struct text *t) { text_done(t); }
void text_reset(struct text *t); /**< empty again, memory kept */
void text_putc(struct text *t, char c);
void text_put(struct text *t, struct str s);
void text_puts(struct text *t, const char *z);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_u64(struct text *t, uint64_t v);
void text_i64(struct text *t, int64_t v);
/** A decimal fraction: v / 10^digits, trailing zeros and point removed: (925, 2) is 9.25, (-50, 1) is -5. */
void text_decimal(struct text *t, int64_t v, unsigned digits);
void text_hex(struct text *t, const void *p, size_t n, bool upper);
void text_base64(struct text *t, const void *p, size_t n); /**< RFC 4648 4, padded */
struct str text_str(const struct text *t);

/** Decode hex; blanks, `:` and `-` between octets are skipped.
 * @param ret_n  octets written, at most cap
 * @return 0; -EINVAL bad digit or odd count; -ENOSPC more than cap octets */
int hex_decode(struct str s, void *out, size_t cap, size_t *ret_n);
/** Exactly n octets of hex. @return 0; -EINVAL */
int hex_exact(struct str s, void *out, size_t n);
/** An EUI-64 of 16 hex digits (separators allowed) as a number. @return 0; -EINVAL */
int hex_eui(struct str s, uint64_t *ret);
/** A value of up to 8 hex digits exactly `digits` long, such as a DevAddr (8) or NetID (6). @return 0; -EINVAL */
int hex_u32(struct str s, unsigned digits, uint32_t *ret);

/** Decode base64: RFC 4648 4 and 5 (`+/` and `-_`), padded or not, no blanks inside.
 * @return 0; -EINVAL; -ENOSPC more than cap octets */
int base64_decode(struct str s, void *out, size_t cap, size_t *ret_n);

/** Whole decimal numbers: all of s, no blanks, no sign for u64. @return 0; -EINVAL; -ERANGE */
int num_u64(struct str s, uint64_t *ret);
int num_i64(struct str s, int64_t *ret);
/** A JSON-like decimal (sign, fraction, exponent) times 10^digits, rounded half away from zero, without floats:
 * ("868.1", 6) is 868100000, ("-0", 1) is 0. @return 0; -EINVAL; -ERANGE */
int num_decimal(struct str s, unsigned digits, int64_t *ret);
/** A whole number however written (868100000, 1.0, 1e3), as sign and magnitude.
 * @return 0; -EINVAL not a number, or not whole; -ERANGE */
int num_whole(struct str s, bool *ret_negative, uint64_t *ret);
/** A duration such as 200ms, 5s, 1m30s, 10m, 1h, 7d; also with
 * fractions; a bare number counts seconds. @return 0; -EINVAL; -ERANGE */
int num_duration_us(struct str s, uint64_t *ret_us);

/** Octets of the well-formed character that s begins with; 0: it begins with none (or is empty). */
size_t utf8_length(struct str s);
/** Write a code point of at most U+10FFFF. @return octets written, 1 to 4 */
size_t utf8_encode(uint32_t code, char ret[4]);
bool utf8_valid(struct str s); /**< well-formed, no surrogates, no overlong form; U+0000 is allowed here */
