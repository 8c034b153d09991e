/** @file Copying stores: all of them as they stood at one and the same moment, also while their processes write to them. */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

enum { STORE_COPIES_MAX = 4 };

struct store_copy {
	const char *from, *to;        /**< directories; `to` is made (0700), and must not be there */
	bool is_live;                 /**< a process may have `from` open; otherwise nothing is written there at all */
	uint64_t ret_records, ret_bytes; /**< copied; octets of keys and values */
};

/** Is there a store in the directory? */
bool store_is_there(const char *dir);
/** Copy n stores. Writers of live ones are held up for the moment that it takes to look at all of them at once, and no longer.
 * What was made is left behind on failure.
 * @param ret_error  on failure: one line for the operator
 * @return 0 and all of it on disk; -errno (-EMEDIUMTYPE no store of this machine) */
int store_copy(struct store_copy *c, size_t n, struct text *ret_error);
