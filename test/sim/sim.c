/** @file The simulated world's clock: one heap of what is due, one timer for its first. */
#include "test/sim/sim.h"
#include <stdio.h>
#include <stdlib.h>

uint64_t sim_now(const struct sim *s)
{
	return loop_now(s->loop)->mono_us;
}

void sim_at(struct sim *s, struct event *e, uint64_t due_us)
{
	if (heap_set(&s->due, &e->node, due_us)) {
		fprintf(stderr, "error: no memory\n");
		exit(EXIT_FAILURE);
	}
}

void sim_cancel(struct sim *s, struct event *e)
{
	heap_remove(&s->due, &e->node);
}

void sim_end(struct sim *s)
{
	s->is_over = true;
	loop_stop(s->loop);
}

bool sim_chance(struct sim *s, unsigned percent)
{
	return percent && rng_below(&s->rng, 100) < percent;
}
