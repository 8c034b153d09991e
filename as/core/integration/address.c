/** @file Addresses of networks of somebody's own. */
#include "as/core/integration/address.h"
#include "common/core/err.h"
#include <string.h>

/** A network: so many bits of an address. */
struct network {
	uint8_t ip[16];
	unsigned bits;
};

static bool is_within(const uint8_t *ip, const struct network *n)
{
	unsigned octets = n->bits / 8, rest = n->bits % 8;
	return !memcmp(ip, n->ip, octets) && (!rest || (ip[octets] ^ n->ip[octets]) >> (8 - rest) == 0);
}

static bool is_of(const uint8_t *ip, const struct network *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_within(ip, &v[i]))
			return true;
	return false;
}

/* RFC 6890, RFC 8190, RFC 5771. */
static const struct network own_v4[] = {
	{ { 0 }, 8 }, { { 10 }, 8 }, { { 100, 64 }, 10 }, { { 127 }, 8 }, { { 169, 254 }, 16 }, { { 172, 16 }, 12 }, { { 192, 0, 0 }, 24 },
	{ { 192, 0, 2 }, 24 }, { { 192, 88, 99 }, 24 }, { { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 198, 51, 100 }, 24 },
	{ { 203, 0, 113 }, 24 }, { { 224 }, 4 }, { { 240 }, 4 },
};

bool address_is_public(const uint8_t ip[16])
{
	static const struct network mapped = { { [10] = 0xff, 0xff }, 96 }, nat64 = { { 0, 0x64, 0xff, 0x9b }, 96 }, six_to_four = { { 0x20, 0x02 }, 16 },
				    global = { { 0x20 }, 3 };
	static const struct network own_v6[] = { { { 0x20, 0x01, 0, 0 }, 23 }, { { 0x20, 0x01, 0x0d, 0xb8 }, 32 }, { { 0x3f, 0xff }, 20 } };
	if (is_within(ip, &mapped) || is_within(ip, &nat64))
		return !is_of(ip + 12, own_v4, COUNT(own_v4));
	if (is_within(ip, &six_to_four))
		return !is_of(ip + 2, own_v4, COUNT(own_v4));
	return is_within(ip, &global) && !is_of(ip, own_v6, COUNT(own_v6));
}
