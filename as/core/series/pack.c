/** @file Varints and values. */
#include "as/core/series/pack.h"
#include <math.h>
#include <string.h>

enum { BITS = 7, MORE = 0x80, WORD_BITS = 64 };

void pack_varint(struct writer *w, uint64_t v)
{
	for (; v >= MORE; v >>= BITS)
		writer_u8(w, (uint8_t)(v | MORE));
	writer_u8(w, (uint8_t)v);
}

void pack_signed(struct writer *w, int64_t v)
{
	pack_varint(w, (uint64_t)v << 1 ^ (v < 0 ? UINT64_MAX : 0));
}

void pack_text(struct writer *w, struct str s)
{
	pack_varint(w, s.n);
	writer_put(w, s.p, s.n);
}

void pack_double(struct writer *w, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	writer_be64(w, bits);
}

uint64_t unpack_long_varint(struct reader *r)
{
	uint64_t v = 0;
	for (unsigned shift = 0; shift < WORD_BITS; shift += BITS) {
		uint64_t octet = reader_u8(r), part = octet & (MORE - 1);
		if (part << shift >> shift != part)
			break;
		v |= part << shift;
		if (!(octet & MORE))
			return v;
	}
	r->failed = true;
	return 0;
}

int64_t unpack_signed(struct reader *r)
{
	uint64_t v = unpack_varint(r);
	return (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
}

struct str unpack_text(struct reader *r)
{
	uint64_t n = unpack_varint(r);
	if (n > reader_left(r)) {
		r->failed = true;
		return STR("");
	}
	struct slice s = reader_take(r, (size_t)n);
	return s.n ? (struct str){ (const char *)s.p, s.n } : STR("");
}

double unpack_double(struct reader *r)
{
	uint64_t bits = reader_be64(r);
	double d;
	memcpy(&d, &bits, sizeof d);
	if (isfinite(d))
		return d;
	r->failed = true;
	return 0;
}

void pack_value(struct writer *w, const struct value *v)
{
	writer_u8(w, (uint8_t)v->kind);
	switch (v->kind) {
	case VALUE_BOOLEAN: writer_u8(w, v->truth); break;
	case VALUE_LONG: pack_signed(w, v->whole); break;
	case VALUE_DOUBLE: pack_double(w, v->real); break;
	case VALUE_STRING:
	case VALUE_JSON: pack_text(w, v->text); break;
	case VALUE_KIND_N: break;
	}
}

struct value unpack_value(struct reader *r)
{
	uint8_t kind = reader_u8(r);
	struct value v = { .kind = VALUE_KIND_N };
	switch (kind) {
	case VALUE_BOOLEAN: v = value_of_bool(reader_u8(r) != 0); break;
	case VALUE_LONG: v = value_of_long(unpack_signed(r)); break;
	case VALUE_DOUBLE: v = value_of_double(unpack_double(r)); break;
	case VALUE_STRING: v = value_of_text(unpack_text(r)); break;
	case VALUE_JSON: v = (struct value){ .kind = VALUE_JSON, .text = unpack_text(r) }; break;
	case VALUE_KIND_N: break;
	default: r->failed = true;
	}
	return v;
}
