/** @file An answer as a child gives it: eleven lines (prelude.js), read by the parent, which believes none of it. */
#pragma once
#include "as/scripts/job.h"

/** Data, the same once more as normalized, warnings of both, words. */
enum { SCRIPT_ANSWER_MAX = 6 * SCRIPT_JSON_MAX };

/** What of an answer cannot be borrowed from its text. */
struct script_answer {
	char message[SCRIPT_WORDS_MAX + 1], normalized_error[SCRIPT_WORDS_MAX + 1];
	uint8_t bytes[SCRIPT_BYTES_MAX];
};

/** Read an answer to `call`. JSON in it is looked at: well-formed, UTF-8, of the right kind, within SCRIPT_JSON_MAX; where the script
 * returned more than that, the outcome is SCRIPT_OUTPUT, where it is nested too deep, SCRIPT_BAD_RESULT.
 * @param ret  borrows from text and *memory
 * @return 0; -EBADMSG it is no answer: whoever gave it is out of order */
int script_answer_read(struct str text, enum script_call call, struct script_answer *memory, struct script_result *ret);

/** Write an answer that has an outcome, a line and words, and nothing else. */
void script_answer_write(struct text *out, enum script_outcome outcome, unsigned line, const char *message);
