/** @file Which of a device's 65536 nonces were used, all of them and for ever: a list while they are few, then a map of bits.
 *
 * The memory is one record, as it is stored: empty while none was used.
 */
#pragma once
#include "common/core/bytes.h"
#include <stdbool.h>
#include <stdint.h>

enum { NONCES_RECORD_MAX = 1 + 65536 / 8 };

/** Was it used? A damaged record says yes to all: to refuse a join is safe, to accept a replay is not. */
bool nonces_used(struct slice record, uint16_t nonce);
/** The record with one more.
 * @return 0; -EPROTO damaged */
int nonces_add(struct slice record, uint16_t nonce, uint8_t ret[NONCES_RECORD_MAX], size_t *ret_n);
