/** @file Base64 (RFC 4648): written with the standard alphabet, read with either. */
#include "common/core/text.h"

static const char alphabet[64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(struct text *t, const void *p, size_t n)
{
	const uint8_t *b = p;
	char chunk[64];
	size_t len = 0;
	for (size_t i = 0; i < n; i += 3) {
		size_t have = n - i < 3 ? n - i : 3;
		uint32_t v = (uint32_t)b[i] << 16;
		v |= have > 1 ? (uint32_t)b[i + 1] << 8 : 0;
		v |= have > 2 ? b[i + 2] : 0;
		chunk[len++] = alphabet[v >> 18];
		chunk[len++] = alphabet[v >> 12 & 63];
		chunk[len++] = have > 1 ? alphabet[v >> 6 & 63] : '=';
		chunk[len++] = have > 2 ? alphabet[v & 63] : '=';
		if (len == sizeof chunk || n - i <= 3) {
			text_put(t, (struct str){ chunk, len });
			len = 0;
		}
	}
}

/** Value of each character plus one; 0: not of the alphabet. */
static const uint8_t value_plus_1[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['+'] = 63, ['-'] = 63, ['/'] = 64, ['_'] = 64,
};

int base64_decode(struct str s, void *out, size_t cap, size_t *ret_n)
{
	if (s.n % 4 == 0)
		for (int pads = 0; pads < 2 && s.n && s.p[s.n - 1] == '='; pads++)
			s.n--;
	if (s.n % 4 == 1)
		return -EINVAL;
	uint8_t *to = out;
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		unsigned v = value_plus_1[(uint8_t)s.p[i]];
		if (v == 0)
			return -EINVAL;
		bits = bits << 6 | (v - 1);
		have += 6;
		if (have < 8)
			continue;
		if (n == cap)
			return -ENOSPC;
		have -= 8;
		to[n++] = (uint8_t)(bits >> have);
	}
	*ret_n = n;
	return 0;
}
