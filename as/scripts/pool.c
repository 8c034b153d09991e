/** @file Room scripts: children that run scripts. */
#include "as/scripts/pool.h"

int script_pool_start(struct as *as, struct text *err)
{
	(void)as, (void)err;
	return 0;
}

void script_pool_stop(struct as *as)
{
	(void)as;
}

uint64_t scripts_start(struct as *as, const struct script_job *job)
{
	(void)as, (void)job;
	return 0;
}

void scripts_cancel(struct as *as, uint64_t ticket)
{
	(void)as, (void)ticket;
}

bool scripts_available(const struct as *as)
{
	(void)as;
	return false;
}
