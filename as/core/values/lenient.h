/** @file JSON as devices write it, read as Gson reads it when it is lenient, which is how ThingsBoard reads what devices send.
 *
 * Beyond JSON: names and strings without quotes or in single ones, comments (`//`, `#`, slash-star), `;` for `,`, `=` and `=>` for `:`,
 * TRUE, True and so on, control characters in strings, and a comma before a closing bracket. What is not true, false, null or a number as
 * JSON has them is a string: NaN, 007, abc. Where nothing stands between two commas of an array, null does.
 *
 * The text is rewritten as strict JSON without blanks, in well-formed UTF-8 (what was not becomes U+FFFD) and without U+0000, which is left out;
 * that is parsed with common/core/json.h.
 */
#pragma once
#include "common/core/json.h"

/** Rewrite one value with nothing but blanks and comments around it.
 * @param ret      emptied, then the strict JSON; undefined on failure
 * @param ret_err  where it went wrong, in characters from the start; may be NULL
 * @return 0; -EBADMSG; -E2BIG nested deeper than JSON_DEPTH; -ENOMEM, also where ret may not grow so far */
int lenient_strict(struct str text, struct text *ret, size_t *ret_err);

/** A document and its memory, which is used again. Zeroed: empty. */
struct lenient {
	struct text strict;
	struct json_tok *tok;
	size_t max_tok;
	struct json json; /**< of what was read last; borrowed until the next is read */
};

enum { LENIENT_MAX_BYTES = 256 << 10 /**< of a text */ };

/** Read a text into l->json. @return as lenient_strict; -E2BIG also a text that is too long */
int lenient_read(struct lenient *l, struct str text, size_t *ret_err);
void lenient_done(struct lenient *l);
