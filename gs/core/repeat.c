/** @file The same reception told twice. */
#include "gs/core/repeat.h"

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/** Not secret and not safe against forgery; who can send datagrams for a gateway needs no collision. */
static uint64_t print_of(const struct rxpk *rx)
{
	uint64_t h = mix((uint64_t)rx->tmst_us << 32 | rx->freq_hz, rx->phy_len);
	for (uint32_t i = 0; i < rx->phy_len; i++)
		h = mix(h, rx->phy[i]);
	return h | 1;
}

bool gs_repeat_seen(struct repeat *r, const struct rxpk *rx, uint64_t now_us)
{
	/* A gateway whose counter stands still cannot tell a repeated report from a repeated frame. */
	if (!rx->tmst_us)
		return false;
	uint64_t print = print_of(rx);
	for (uint32_t i = 0; i < REPEAT_KEPT; i++)
		if (r->v[i].print == print && now_us - r->v[i].at_us <= REPEAT_US)
			return true;
	r->v[r->next].print = print;
	r->v[r->next].at_us = now_us;
	r->next = (r->next + 1) % REPEAT_KEPT;
	return false;
}
