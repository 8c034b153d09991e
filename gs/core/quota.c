/** @file A gateway's share. */
#include "gs/core/quota.h"
#include "common/core/clock.h"

bool gs_quota_take(struct quota *q, uint32_t n, uint32_t per_s, uint32_t burst_s, uint64_t now_us)
{
	uint64_t full_us = burst_s * SEC_US, cost_us = n * SEC_US / per_s;
	if (!q->at_us)
		q->credit_us = full_us;
	else if (now_us > q->at_us)
		q->credit_us += now_us - q->at_us;
	q->at_us = now_us;
	if (q->credit_us > full_us)
		q->credit_us = full_us;
	if (q->credit_us < cost_us)
		return false;
	q->credit_us -= cost_us;
	return true;
}
