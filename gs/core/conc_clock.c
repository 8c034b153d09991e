/** @file A concentrator's clock. */
#include "gs/core/conc_clock.h"

static enum conc_step restart(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us)
{
	enum conc_step step = c->known ? CONC_RESTART : CONC_FIRST;
	c->restarts += step == CONC_RESTART;
	c->known = true;
	/* One wrap ahead, so that a reception older than the first can be named too. */
	c->conc_us = (UINT64_C(1) << 32) + tmst_us;
	c->server_us = server_us;
	*ret_conc_us = c->conc_us;
	return step;
}

enum conc_step gs_conc_clock_take(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us)
{
	if (!c->known)
		return restart(c, tmst_us, server_us, ret_conc_us);
	uint64_t expected = c->conc_us + (server_us - c->server_us);
	int32_t off = (int32_t)(tmst_us - (uint32_t)expected);
	if (off > CONC_CLOCK_SLACK_US || off < -CONC_CLOCK_SLACK_US)
		return restart(c, tmst_us, server_us, ret_conc_us);
	uint64_t conc = expected + (uint64_t)(int64_t)off;
	*ret_conc_us = conc;
	if (conc > c->conc_us) {
		c->conc_us = conc;
		c->server_us = server_us;
	}
	return CONC_ON;
}

uint32_t gs_conc_clock_at(const struct conc_clock *c, uint64_t server_us)
{
	return (uint32_t)(c->conc_us + (server_us - c->server_us));
}
