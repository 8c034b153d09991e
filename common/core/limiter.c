/** @file How often the same may be said. */
#include "common/core/limiter.h"

enum { PROBES = 8 };

/* Its own slot, or one that nobody needs, or at worst somebody else's. */
static unsigned slot_of(const struct limiter *l, uint64_t key, uint64_t period_us, uint64_t now_us)
{
	unsigned first = (unsigned)(key % LIMITER_SLOTS), idle = first;
	bool has_idle = false;
	for (unsigned i = 0; i < PROBES; i++) {
		unsigned at = (first + i) % LIMITER_SLOTS;
		if (l->slot[at].said && l->slot[at].key == key)
			return at;
		bool is_idle = !l->slot[at].said || (now_us - l->slot[at].since_us >= period_us && !l->slot[at].held);
		if (is_idle && !has_idle) {
			idle = at;
			has_idle = true;
		}
	}
	return idle;
}

bool limiter_may(struct limiter *l, uint64_t key, uint32_t most, uint64_t period_us, uint64_t now_us, uint32_t *ret_held)
{
	unsigned at = slot_of(l, key, period_us, now_us);
	if (!l->slot[at].said || now_us - l->slot[at].since_us >= period_us) {
		l->slot[at].key = key;
		l->slot[at].since_us = now_us;
		l->slot[at].said = 0;
	}
	if (l->slot[at].said >= most) {
		l->slot[at].held += l->slot[at].held < UINT32_MAX;
		return false;
	}
	l->slot[at].said++;
	*ret_held = l->slot[at].held;
	l->slot[at].held = 0;
	return true;
}
