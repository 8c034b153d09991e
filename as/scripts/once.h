/** @file One call of a script, in a forked child with the limits of those of the application server; for `godwit formatters test`. Waits. */
#pragma once
#include "as/scripts/job.h"

struct script_once_job {
	struct str text; /**< at most SCRIPT_TEXT_MAX */
	struct script_question question;
};

struct script_once_result {
	struct script_result result; /**< borrows from the memory below */
	char *memory;
};

/** @param ret  to be given to script_once_done on 0, whatever the outcome in it
 * @return 0; -EMSGSIZE text, bytes or data are too long; -errno no child could be made */
int script_once(const struct script_once_job *job, struct script_once_result *ret);
void script_once_done(struct script_once_result *r);
