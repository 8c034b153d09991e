/** @file The key-encryption key: a file of 32 hex digits that only its owner may read. */
#pragma once
#include "common/core/crypto.h"
#include "common/core/rng.h"
#include "common/core/text.h"

/** Read it, or make it where there is none.
 * @return 0; -errno with one line in *err that names the file */
int kek_open(const char *path, const struct rng *rng, struct key *ret, struct text *err);
