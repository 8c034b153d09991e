/** @file Which of a device's nonces were used: an octet for the form, then two octets each, or a bit for every nonce there is. */
#include "as/core/nonces.h"
#include "common/core/err.h"
#include <string.h>

enum { FORM_LIST = 1, FORM_BITS = 2, BITS_LEN = 65536 / 8 };

static bool is_sound(struct slice r)
{
	if (r.n == 0)
		return true;
	return r.p[0] == FORM_LIST ? r.n % 2 == 1 && r.n < 1 + BITS_LEN : r.p[0] == FORM_BITS && r.n == 1 + BITS_LEN;
}

static uint16_t listed(struct slice r, size_t i)
{
	return (uint16_t)(r.p[1 + 2 * i] << 8 | r.p[2 + 2 * i]);
}

bool nonces_used(struct slice record, uint16_t nonce)
{
	if (!is_sound(record))
		return true;
	if (record.n && record.p[0] == FORM_BITS)
		return record.p[1 + nonce / 8] >> nonce % 8 & 1;
	for (size_t i = 0; 1 + 2 * i < record.n; i++)
		if (listed(record, i) == nonce)
			return true;
	return false;
}

static void bit_set(uint8_t *map, uint16_t nonce)
{
	map[nonce / 8] = (uint8_t)(map[nonce / 8] | 1U << nonce % 8);
}

int nonces_add(struct slice record, uint16_t nonce, uint8_t ret[NONCES_RECORD_MAX], size_t *ret_n)
{
	size_t n = record.n ? record.n : 1;
	if (!is_sound(record))
		return -EPROTO;
	if (n + 2 < 1 + BITS_LEN && (!record.n || record.p[0] == FORM_LIST)) {
		if (record.n)
			memcpy(ret, record.p, n);
		ret[0] = FORM_LIST;
		ret[n] = (uint8_t)(nonce >> 8);
		ret[n + 1] = (uint8_t)nonce;
		*ret_n = n + 2;
		return 0;
	}
	if (record.p[0] == FORM_BITS) {
		memcpy(ret, record.p, record.n);
	} else {
		memset(ret, 0, NONCES_RECORD_MAX);
		for (size_t i = 0; 1 + 2 * i < record.n; i++)
			bit_set(ret + 1, listed(record, i));
	}
	ret[0] = FORM_BITS;
	bit_set(ret + 1, nonce);
	*ret_n = NONCES_RECORD_MAX;
	return 0;
}
