/** @file Hexadecimal text and octets. */
#include "common/core/text.h"

void text_hex(struct text *t, const void *p, size_t n, bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	const uint8_t *b = p;
	char chunk[64];
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		chunk[len++] = digits[b[i] >> 4];
		chunk[len++] = digits[b[i] & 15];
		if (len == sizeof chunk || i + 1 == n) {
			text_put(t, (struct str){ chunk, len });
			len = 0;
		}
	}
}

/** @return the value of a digit; -1: it is none */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(struct str s, void *out, size_t cap, size_t *ret_n)
{
	uint8_t *to = out;
	size_t n = 0;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		if (c == ' ' || c == ':' || c == '-')
			continue;
		int high = digit(c), low = i + 1 < s.n ? digit(s.p[i + 1]) : -1;
		if (high < 0 || low < 0)
			return -EINVAL;
		if (n == cap)
			return -ENOSPC;
		to[n++] = (uint8_t)(high << 4 | low);
		i++;
	}
	*ret_n = n;
	return 0;
}

int hex_exact(struct str s, void *out, size_t n)
{
	size_t got;
	return hex_decode(s, out, n, &got) || got != n ? -EINVAL : 0;
}

int hex_eui(struct str s, uint64_t *ret)
{
	uint8_t b[8];
	TRY(hex_exact(s, b, sizeof b));
	struct reader r = reader_of(b, sizeof b);
	*ret = reader_be64(&r);
	return 0;
}

int hex_u32(struct str s, unsigned digits, uint32_t *ret)
{
	if (s.n != digits || digits == 0 || digits > 8)
		return -EINVAL;
	uint32_t v = 0;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);
		if (d < 0)
			return -EINVAL;
		v = v << 4 | (uint32_t)d;
	}
	*ret = v;
	return 0;
}
