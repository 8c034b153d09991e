/** @file INI text, line by line. Pure. */
#pragma once
#include "common/core/text.h"

struct ini_line {
	unsigned number; /**< from 1 */
	struct str section, key, value;
};

enum { INI_E_SYNTAX = 1 };

/** Call fn for every `key = value`, with the section it stands in ("" before the first), until fn returns non-zero.
 * Blank lines and lines that begin with # or ; are skipped; a value in double quotes loses them.
 * @param ret_line   set on INI_E_SYNTAX: the line that is neither of these
 * @return 0; INI_E_SYNTAX; what fn returned */
int ini_parse(struct str text, int (*fn)(void *ctx, const struct ini_line *line), void *ctx, unsigned *ret_line);
