/** @file A check at the front of a record. */
#include "common/core/seal.h"
#include "common/core/err.h"
#include <string.h>

static uint32_t check_of(const uint8_t *p, size_t n)
{
	const uint64_t prime = UINT64_C(0x9E3779B97F4A7C15);
	uint64_t h = n * prime;
	for (; n >= sizeof h; p += sizeof h, n -= sizeof h) {
		uint64_t word;
		memcpy(&word, p, sizeof word);
		h = (h ^ word) * prime;
		h ^= h >> 29;
	}
	for (; n; p++, n--)
		h = (h ^ *p) * prime;
	h ^= h >> 32;
	return (uint32_t)h;
}

void seal_close(uint8_t *p, size_t n)
{
	if (n < SEAL_BYTES)
		return;
	struct writer w = writer_of(p, SEAL_BYTES);
	writer_be32(&w, check_of(p + SEAL_BYTES, n - SEAL_BYTES));
}

int seal_open(struct slice record, struct slice *ret_content)
{
	struct reader r = reader_of(record.p, record.n);
	uint32_t check = reader_be32(&r);
	struct slice content = reader_take(&r, reader_left(&r));
	if (r.failed || check != check_of(content.p, content.n))
		return -EBADMSG;
	*ret_content = content;
	return 0;
}
