/** @file uthash, with failure to allocate as an outcome: an element that could not be added has no table. */
#pragma once
#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION HASH_OAT /* its default falls through cases, of which clang warns */
#include <uthash.h>

/** After HASH_ADD: is the element in? */
#define HASH_IS_IN(hh, element) ((element)->hh.tbl != NULL)
