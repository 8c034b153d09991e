/** @file uthash as this process uses it; include nothing else, or two files could hash one table in two ways.
 *
 * Failure to allocate is an outcome: an element that could not be added has no table (`hh.tbl`). The hash is
 * Jenkins's one-at-a-time: uthash's usual one falls through switch labels, which clang complains of.
 */
#pragma once
#ifdef UTHASH_H
#error "include as/core/hash.h instead of uthash.h"
#endif
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key, n, ret_hash) HASH_OAT(key, n, ret_hash)
#include <uthash.h>
/* uthash's is 10, for a mean walk of three. Each element of a chain costs a line that the cache has not got. */
#undef HASH_BKT_CAPACITY_THRESH
#define HASH_BKT_CAPACITY_THRESH 6U
