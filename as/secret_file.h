/** @file Small files with one secret each: the key-encryption key and the operator's API key. */
#pragma once
#include "common/core/text.h"

/** Read the file into *ret; if it is not there, write what is in *ret to it (0600, atomically, on disk when
 * this returns). A file that others may read is refused.
 * @param ret      in: what a fresh file is to hold; out: what the file holds
 * @param ret_err  on failure: one line for the operator
 * @return 0; -errno */
int secret_file(const char *path, struct text *ret, struct text *ret_err);
