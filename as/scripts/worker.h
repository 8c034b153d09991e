/** @file What a child does: keeps some scripts compiled, and answers questions about them. No process, no clock, no file. */
#pragma once
#include "as/scripts/engine.h"

enum { WORKER_SLOTS = 32 }; /**< scripts kept; the parent says which one goes into which */

struct worker;
struct worker *worker_new(void); /**< NULL: no memory */
void worker_free(struct worker *w);
/** Put a script into a slot, in the place of what was there; it is compiled when it is first asked. @return 0; -ENOMEM */
int worker_keep(struct worker *w, unsigned slot, struct str text);
/** Ask the script in a slot. @param answer  eleven lines (answer.h) are appended; growing, to SCRIPT_ANSWER_MAX at least
 * @return 0; -ENOENT the slot is empty; -ENOMEM of the process, not of the script */
int worker_ask(struct worker *w, unsigned slot, const struct script_question *q, struct text *answer);
