/** @file Is a store sound? LMDB believes its pages, and a damaged one ends the process that reads it. */
#pragma once
#include "common/core/err.h"

/** Walk all keys of a store that nobody writes to, and its list of free pages, in a process of its own, which may end there. What
 * values hold is not looked at, but they are within the file. Blocks for as long as it takes to read the keys.
 * @return 0 as far as can be seen, and where there is no store; -EMEDIUMTYPE it is damaged */
int store_probe(const char *dir);
