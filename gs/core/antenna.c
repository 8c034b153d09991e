/** @file What a gateway's only transmitter is known to be doing. */
#include "gs/core/antenna.h"

void gs_antenna_add(struct antenna *a, struct antenna_use use)
{
	struct antenna_use *first = &a->v[0];
	for (int i = 1; i < ANTENNA_MAX; i++)
		if (a->v[i].until_us < first->until_us)
			first = &a->v[i];
	*first = use;
}

void gs_antenna_remove(struct antenna *a, uint32_t id)
{
	for (int i = 0; i < ANTENNA_MAX; i++)
		if (a->v[i].id == id)
			a->v[i].until_us = 0;
}

uint64_t gs_antenna_free_us(const struct antenna *a, uint64_t at_us, uint64_t for_us)
{
	/* Each round steps over one use at least, and never comes back to it. */
	for (int i = 0; i < ANTENNA_MAX; i++) {
		const struct antenna_use *u = &a->v[i];
		if (at_us >= u->until_us || at_us + for_us < u->from_us)
			continue;
		at_us = u->until_us;
		i = -1;
	}
	return at_us;
}
