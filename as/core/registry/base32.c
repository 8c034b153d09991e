/** @file Base32 of RFC 4648 6 without padding. */
#include "as/core/registry/base32.h"

void base32_put(struct text *t, const void *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	const uint8_t *b = p;
	uint32_t acc = 0;
	unsigned bits = 0;
	for (size_t i = 0; i < n; i++) {
		acc = (acc << 8 | b[i]) & 0xFFFFF;
		for (bits += 8; bits >= 5; bits -= 5)
			text_putc(t, digits[acc >> (bits - 5) & 31]);
	}
	if (bits)
		text_putc(t, digits[acc << (5 - bits) & 31]);
}

bool base32_valid(struct str s, size_t n)
{
	if (s.n != (n * 8 + 4) / 5)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= 'A' && s.p[i] <= 'Z') || (s.p[i] >= '2' && s.p[i] <= '7')))
			return false;
	return true;
}
