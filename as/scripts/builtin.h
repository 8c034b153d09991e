/** @file CayenneLPP, asked as a script is. */
#pragma once
#include "as/core/formatters/cayenne.h"
#include "as/scripts/job.h"

/** What a result borrows from. */
struct builtin {
	struct text words;
	uint8_t bytes[CAYENNE_BYTES_MAX];
};

/** @param b  to be given to builtin_done; what is in it is overwritten
 * @param ret  SCRIPT_OK, or SCRIPT_ERRORS with the reason in words
 * @return 0; -ENOMEM */
int builtin_cayenne(struct builtin *b, const struct script_question *q, struct script_result *ret);
void builtin_done(struct builtin *b);
