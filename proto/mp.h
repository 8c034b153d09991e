/** @file Reading msgpack one head at a time: no allocation, no recursion, no claim believed before the bytes are there.
 *
 * msgpack-c's unpacker reserves memory for whatever count a peer claims, so bytes from outside are read here instead.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/err.h"

enum mp_kind { MP_NIL, MP_BOOL, MP_UINT, MP_INT, MP_STR, MP_BIN, MP_ARRAY, MP_MAP, MP_OTHER };

/** What stands at the front of a value. */
struct mp {
	enum mp_kind kind; /**< MP_INT: negative ones only; MP_OTHER: floats and extensions */
	uint64_t u;        /**< BOOL, UINT: the value; INT: the value as int64_t; ARRAY: items; MAP: pairs */
	uint32_t body;     /**< octets behind the head that belong to this value alone: STR, BIN, OTHER */
	uint64_t children; /**< values that follow and belong to it: items, or twice the pairs */
};

/** Read the head at p; nothing behind it is looked at.
 * @return its length (1 to 9); 0 the head is cut short; -EBADMSG 0xc1, which is no msgpack */
int mp_head(const uint8_t *p, size_t n, struct mp *ret);
/** Read one head and, of STR, BIN and OTHER, the body: *ret_body borrows it from r (may be NULL to refuse bodies).
 * @return 0; -EBADMSG malformed or cut short */
int mp_next(struct reader *r, struct mp *ret, struct slice *ret_body);
/** Pass over one whole value, however deep. @return 0; -EBADMSG */
int mp_skip(struct reader *r);
