/** @file ULIDs and the grammar of identifiers. */
#include "common/core/id.h"
#include <string.h>

struct ulid ulid_make(uint64_t unix_us, const struct rng *rng)
{
	struct ulid u;
	uint64_t ms = unix_us / 1000;
	for (size_t i = 0; i < 6; i++)
		u.b[i] = (uint8_t)(ms >> 8 * (5 - i));
	rng_fill(rng, u.b + 6, sizeof u.b - 6);
	return u;
}

uint64_t ulid_unix_us(const struct ulid *u)
{
	uint64_t ms = 0;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u->b[i];
	return ms * 1000;
}

bool ulid_is_none(const struct ulid *u)
{
	return ulid_eq(u, &(struct ulid){ { 0 } });
}

bool ulid_eq(const struct ulid *a, const struct ulid *b)
{
	return memcmp(a, b, sizeof *a) == 0;
}

static const char crockford[32] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void ulid_text(struct text *t, const struct ulid *u)
{
	char out[ULID_TEXT];
	size_t n = 0;
	/* 26 digits hold 130 bits, so the number begins with two bits that are always zero. */
	unsigned bits = 0, have = 2;
	for (size_t i = 0; i < sizeof u->b; i++) {
		bits = (bits << 8 | u->b[i]) & 0xffff;
		for (have += 8; have >= 5; have -= 5)
			out[n++] = crockford[bits >> (have - 5) & 31];
	}
	text_put(t, (struct str){ out, n });
}

/** @return the value of a digit; -1: it is none */
static int digit(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	const char *at = memchr(crockford, c, sizeof crockford);
	return at ? (int)(at - crockford) : -1;
}

int ulid_parse(struct str s, struct ulid *ret)
{
	if (s.n != ULID_TEXT || digit(s.p[0]) > 7)
		return -EINVAL;
	struct ulid u = { { 0 } };
	size_t n = 0;
	unsigned bits = 0, have = 0;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit(s.p[i]);
		if (d < 0)
			return -EINVAL;
		bits = (bits << 5 | (unsigned)d) & 0xffff;
		have += i == 0 ? 3 : 5;
		if (have >= 8) {
			have -= 8;
			u.b[n++] = (uint8_t)(bits >> have);
		}
	}
	*ret = u;
	return 0;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool id_valid(struct str s)
{
	if (s.n < 2 || s.n > ID_MAX || !is_plain(s.p[0]) || !is_plain(s.p[s.n - 1]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_plain(s.p[i]) && (s.p[i] != '-' || s.p[i - 1] == '-'))
			return false;
	return true;
}
