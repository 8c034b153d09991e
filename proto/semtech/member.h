/** @file Tables of JSON members: most of what forwarders say is a number of some scale that lands in a
 * struct. */
#pragma once
#include "common/core/json.h"
#include <stddef.h>
#include <stdint.h>

enum member_kind {
	MEMBER_U32,
	MEMBER_U64,
	MEMBER_I32,  /**< times 10^digits */
	MEMBER_VALUE /**< a json_val: looked at later, when the rest is known */
};

struct member {
	const char *name;
	uint32_t len;
	uint32_t has; /**< bit set when it was understood */
	size_t off;   /**< of the target in the struct */
	enum member_kind kind;
	uint8_t digits;
};

#define MEMBER(text, type, field, k, d, bit)                                                                 \
	{                                                                                                    \
		.name = "" text, .len = sizeof(text) - 1, .has = (bit), .off = offsetof(struct type, field), \
		.kind = (k), .digits = (d)                                                                   \
	}

/** Walk an object and fill *dst from the members the table knows; others are skipped, and so are those that
 * do not have the kind the table says.
 * @return the bits of what was understood; 0 for something that is no object */
uint32_t member_read(const struct json *j, json_val object, const struct member *table, size_t n, void *dst);
/** A short text, unescaped into buf where it holds an escape, borrowed from the document otherwise.
 * @return 0; -ENOENT; -EINVAL; -ENOSPC */
int member_text(const struct json *j, json_val v, char *buf, size_t cap, struct str *ret);
/** Octets in base64 of either alphabet, padded or not, with escaped slashes too.
 * @return 0; -ENOENT; -EINVAL; -ENOSPC */
int member_base64(const struct json *j, json_val v, void *out, size_t cap, size_t *ret_n);
