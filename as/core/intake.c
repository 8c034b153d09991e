/** @file How far the outbox of one ns has been taken. */
#include "as/core/intake.h"

enum intake_verdict intake_judge(const struct intake *i, uint64_t seq)
{
	if (seq <= i->seq)
		return INTAKE_KNOWN;
	return i->refused && seq > i->refused ? INTAKE_EARLY : INTAKE_NEW;
}

void intake_took(struct intake *i, uint64_t seq)
{
	i->seq = seq;
	if (seq >= i->refused)
		i->refused = 0;
}

void intake_refused(struct intake *i, uint64_t seq)
{
	if (seq > i->seq && (!i->refused || seq < i->refused))
		i->refused = seq;
}
