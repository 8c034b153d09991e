/** @file Bounded reading and writing of bytes: the only place where wire order exists.
 *
 * Both cursors carry a sticky `failed` flag: read or write on, and look once at the end.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Borrowed bytes. */
struct slice {
	const uint8_t *p;
	size_t n;
};

struct reader {
	const uint8_t *p, *end;
	bool failed; /**< something was asked beyond the end; every value read since is 0 */
};

struct writer {
	uint8_t *p;
	size_t len, cap;
	bool failed; /**< something did not fit; nothing was written since */
};

struct reader reader_of(const void *p, size_t n);
size_t reader_left(const struct reader *r);
uint8_t reader_u8(struct reader *r);
uint16_t reader_le16(struct reader *r);
uint32_t reader_le24(struct reader *r);
uint32_t reader_le32(struct reader *r);
uint64_t reader_le64(struct reader *r);
uint16_t reader_be16(struct reader *r);
uint32_t reader_be32(struct reader *r);
uint64_t reader_be64(struct reader *r);
/** Borrow the next n bytes; {NULL, 0} and failed if there are fewer. */
struct slice reader_take(struct reader *r, size_t n);

struct writer writer_of(void *p, size_t cap);
void writer_u8(struct writer *w, uint8_t v);
void writer_le16(struct writer *w, uint16_t v);
void writer_le24(struct writer *w, uint32_t v);
void writer_le32(struct writer *w, uint32_t v);
void writer_le64(struct writer *w, uint64_t v);
void writer_be16(struct writer *w, uint16_t v);
void writer_be32(struct writer *w, uint32_t v);
void writer_be64(struct writer *w, uint64_t v);
void writer_put(struct writer *w, const void *p, size_t n);
