/** @file Bounded reading and writing of bytes: the only place where wire order exists. */
#include "common/core/bytes.h"
#include <string.h>

struct reader reader_of(const void *p, size_t n)
{
	const uint8_t *from = p;
	return (struct reader){ .p = from, .end = n ? from + n : from };
}

size_t reader_left(const struct reader *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->p);
}

struct slice reader_take(struct reader *r, size_t n)
{
	if (reader_left(r) < n) {
		r->failed = true;
		return (struct slice){ NULL, 0 };
	}
	struct slice s = { r->p, n };
	if (n)
		r->p += n;
	return s;
}

/** The next n <= 8 octets as a number, least significant first; 0 and failed if there are fewer. */
static uint64_t take_le(struct reader *r, size_t n)
{
	struct slice s = reader_take(r, n);
	uint64_t v = 0;
	for (size_t i = s.n; i-- > 0;)
		v = v << 8 | s.p[i];
	return v;
}

static uint64_t take_be(struct reader *r, size_t n)
{
	struct slice s = reader_take(r, n);
	uint64_t v = 0;
	for (size_t i = 0; i < s.n; i++)
		v = v << 8 | s.p[i];
	return v;
}

uint8_t reader_u8(struct reader *r) { return (uint8_t)take_le(r, 1); }
uint16_t reader_le16(struct reader *r) { return (uint16_t)take_le(r, 2); }
uint32_t reader_le24(struct reader *r) { return (uint32_t)take_le(r, 3); }
uint32_t reader_le32(struct reader *r) { return (uint32_t)take_le(r, 4); }
uint64_t reader_le64(struct reader *r) { return take_le(r, 8); }
uint16_t reader_be16(struct reader *r) { return (uint16_t)take_be(r, 2); }
uint32_t reader_be32(struct reader *r) { return (uint32_t)take_be(r, 4); }
uint64_t reader_be64(struct reader *r) { return take_be(r, 8); }

struct writer writer_of(void *p, size_t cap)
{
	return (struct writer){ .p = p, .cap = cap };
}

/** Where the next n octets go; NULL and failed if they do not fit. */
static uint8_t *claim(struct writer *w, size_t n)
{
	if (w->failed || w->cap - w->len < n) {
		w->failed = true;
		return NULL;
	}
	uint8_t *at = w->p + w->len;
	w->len += n;
	return at;
}

static void put_le(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *at = claim(w, n);
	for (size_t i = 0; at && i < n; i++)
		at[i] = (uint8_t)(v >> 8 * i);
}

static void put_be(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *at = claim(w, n);
	for (size_t i = 0; at && i < n; i++)
		at[n - 1 - i] = (uint8_t)(v >> 8 * i);
}

void writer_u8(struct writer *w, uint8_t v) { put_le(w, v, 1); }
void writer_le16(struct writer *w, uint16_t v) { put_le(w, v, 2); }
void writer_le24(struct writer *w, uint32_t v) { put_le(w, v, 3); }
void writer_le32(struct writer *w, uint32_t v) { put_le(w, v, 4); }
void writer_le64(struct writer *w, uint64_t v) { put_le(w, v, 8); }
void writer_be16(struct writer *w, uint16_t v) { put_be(w, v, 2); }
void writer_be32(struct writer *w, uint32_t v) { put_be(w, v, 4); }
void writer_be64(struct writer *w, uint64_t v) { put_be(w, v, 8); }

void writer_put(struct writer *w, const void *p, size_t n)
{
	if (n == 0)
		return;
	uint8_t *at = claim(w, n);
	if (at)
		memcpy(at, p, n);
}
