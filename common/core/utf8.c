/** @file UTF-8 as Unicode defines it (table 3-7 of the standard). */
#include "common/core/text.h"

static bool between(uint8_t b, uint8_t low, uint8_t high)
{
	return b >= low && b <= high;
}

size_t utf8_length(struct str s)
{
	if (s.n == 0)
		return 0;
	const uint8_t *b = (const uint8_t *)s.p;
	if (b[0] < 0x80)
		return 1;
	size_t n;
	uint8_t low = 0x80, high = 0xbf;
	if (between(b[0], 0xc2, 0xdf)) {
		n = 2;
	} else if (between(b[0], 0xe0, 0xef)) {
		n = 3;
		low = b[0] == 0xe0 ? 0xa0 : low;   /* else overlong */
		high = b[0] == 0xed ? 0x9f : high; /* else a surrogate */
	} else if (between(b[0], 0xf0, 0xf4)) {
		n = 4;
		low = b[0] == 0xf0 ? 0x90 : low;   /* else overlong */
		high = b[0] == 0xf4 ? 0x8f : high; /* else above U+10FFFF */
	} else {
		return 0;
	}
	if (s.n < n || !between(b[1], low, high))
		return 0;
	for (size_t i = 2; i < n; i++)
		if (!between(b[i], 0x80, 0xbf))
			return 0;
	return n;
}

bool utf8_valid(struct str s)
{
	while (s.n) {
		size_t n = utf8_length(s);
		if (n == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}

size_t utf8_encode(uint32_t code, char ret[4])
{
	if (code < 0x80) {
		ret[0] = (char)code;
		return 1;
	}
	size_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, code >>= 6)
		ret[i] = (char)(0x80 | (code & 0x3f));
	ret[0] = (char)(0xf0U << (4 - n) | code);
	return n;
}
