/** @file Every bus message: the first octet picks the message, the rest is decoded; what decodes must survive a round trip. */
#include "proto/schema.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { BIG = 1 << 18 };
_Static_assert(sizeof(struct ns_up) < BIG && sizeof(struct trace_events) < BIG && sizeof(struct sync) < BIG, "fits");

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static _Alignas(16) uint8_t a[BIG], b[BIG];
	static uint8_t first[BIG], second[BIG];
	size_t n_first = 0, n_second = 0;
	if (!n)
		return 0;
	const struct schema *s = schema_all[data[0] % schema_all_n]();
	memset(a, 0xa5, s->size);
	memset(b, 0x5a, s->size);
	if (msg_decode(s, data + 1, n - 1, a))
		return 0;
	if (msg_encode(s, a, first, sizeof first, &n_first) || msg_decode(s, first, n_first, b) ||
		msg_encode(s, b, second, sizeof second, &n_second) || n_first != n_second || memcmp(first, second, n_first))
		abort();
	return 0;
}
