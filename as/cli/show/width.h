/** @file How wide text stands on a terminal, and text that is safe to print there. Needs LC_CTYPE to be UTF-8. */
#pragma once
#include "common/core/text.h"

/** Columns that the text takes; it holds nothing that width_safe would change. */
size_t width_of(struct str s);
/** Append what may be printed: line breaks, tabs, other control characters, changes of direction and malformed octets as
 * escapes (\n, \t, \x1B, \u{202E}). */
void width_safe(struct text *t, struct str s);
/** The longest beginning of the text that takes at most `columns`. */
struct str width_cut(struct str s, size_t columns);
/** Columns of the terminal that stdout is, or what COLUMNS says; SIZE_MAX: no terminal. */
size_t width_of_terminal(void);
