/** @file A downlink counter that can skip values in a crash and can never repeat one. */
#include "ns/core/down/counter.h"

void counter_start(struct counter *c, uint64_t first)
{
	*c = (struct counter){ .next = first, .durable = first, .asked = first };
}

static void settle(struct counter *c, uint64_t durable_batch)
{
	if (c->asked > c->durable && c->asked_batch <= durable_batch)
		c->durable = c->asked;
}

uint64_t counter_reserve(struct counter *c, uint64_t batch)
{
	if (c->asked <= c->next + COUNTER_BLOCK / 2) {
		/* An older reservation that is not on disk yet is forgotten here: only the newest is waited for. */
		c->asked = c->next + COUNTER_BLOCK;
		c->asked_batch = batch;
	}
	return c->asked;
}

bool counter_ready(struct counter *c, uint64_t durable_batch)
{
	settle(c, durable_batch);
	return c->next < c->durable && c->next <= UINT32_MAX;
}

uint32_t counter_spend(struct counter *c)
{
	return (uint32_t)c->next++;
}
