/** @file Frames of the last second, each with the copies of it that gateways heard. */
#include "ns/core/up/dedup.h"
#include "common/core/err.h"
#include "ns/core/down/path.h"
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 1024 };

int dedup_init(struct dedup *d, uint64_t window_us, uint32_t seed)
{
	*d = (struct dedup){ .window_us = window_us, .seed = seed };
	pool_init(&d->receptions, sizeof(struct reception), NS_RECEPTIONS_MAX);
	pool_init(&d->copies, sizeof(struct copy), NS_COPY_POOL);
	d->bucket = calloc(BUCKETS, sizeof(*d->bucket));
	if (!d->bucket)
		return -ENOMEM;
	d->n_buckets = BUCKETS;
	return 0;
}

void dedup_done(struct dedup *d)
{
	pool_done(&d->receptions);
	pool_done(&d->copies);
	free(d->bucket);
	d->bucket = NULL;
}

static uint32_t hash_of(const struct dedup *d, const struct gs_uplink *up)
{
	uint32_t h = 2166136261U ^ d->seed;
	for (size_t i = 0; i < up->phy.len; i++)
		h = (h ^ up->phy.p[i]) * 16777619U;
	return h ^ h >> 15;
}

struct reception *dedup_find(struct dedup *d, const struct gs_uplink *up, const struct modu *m)
{
	uint32_t h = hash_of(d, up);
	for (struct reception *r = d->bucket[h % d->n_buckets]; r; r = r->next_hash)
		if (r->hash == h && r->len == up->phy.len && modu_eq(&r->modu, m) && memcmp(r->phy, up->phy.p, r->len) == 0)
			return r;
	return NULL;
}

/* Twice the buckets; without memory the chains just grow. */
static void grow(struct dedup *d)
{
	size_t n = d->n_buckets * 2;
	struct reception **bucket = calloc(n, sizeof(*bucket));
	if (!bucket)
		return;
	for (struct reception *r = d->oldest; r; r = r->newer) {
		r->next_hash = bucket[r->hash % n];
		bucket[r->hash % n] = r;
	}
	free(d->bucket);
	d->bucket = bucket;
	d->n_buckets = n;
}

struct reception *dedup_add(struct dedup *d, const struct gs_uplink *up, const struct modu *m, const struct now *now)
{
	struct reception *r = pool_get(&d->receptions);
	if (!r)
		return NULL;
	r->first_mono_us = now->mono_us;
	r->first_unix_us = now->unix_us;
	r->freq_hz = up->freq_hz;
	r->modu = *m;
	r->hash = hash_of(d, up);
	r->len = up->phy.len;
	memcpy(r->phy, up->phy.p, up->phy.len);
	if (d->newest)
		d->newest->newer = r;
	else
		d->oldest = r;
	d->newest = r;
	if (!d->open)
		d->open = r;
	if (d->receptions.used > d->n_buckets)
		grow(d); /* finds the new one in the list */
	if (d->bucket[r->hash % d->n_buckets] != r) {
		r->next_hash = d->bucket[r->hash % d->n_buckets];
		d->bucket[r->hash % d->n_buckets] = r;
	}
	return r;
}

struct copy *dedup_copy(struct dedup *d, struct reception *r)
{
	struct copy *c = r->n_copies < NS_COPIES_MAX ? pool_get(&d->copies) : NULL;
	if (!c)
		return NULL;
	if (r->last)
		r->last->next = c;
	else
		r->first = c;
	r->last = c;
	r->n_copies++;
	return c;
}

struct copy *dedup_copy_of(const struct reception *r, const struct ulid *uplink)
{
	struct copy *c = r->first;
	while (c && !ulid_eq(&c->uplink, uplink))
		c = c->next;
	return c;
}

struct reception *dedup_close(struct dedup *d, uint64_t now_us)
{
	struct reception *r = d->open;
	if (!r || r->first_mono_us + d->window_us > now_us)
		return NULL;
	d->open = r->newer;
	r->is_closed = true;
	return r;
}

void dedup_choose(struct reception *r)
{
	const struct copy *best = r->first;
	for (const struct copy *c = r->first; c; c = c->next)
		if (path_rank(&c->rx) > path_rank(&best->rx))
			best = c;
	if (!best)
		return;
	r->freq_hz = best->freq_hz;
	r->last = NULL;
	for (struct copy **at = &r->first, *c; (c = *at);) {
		if (c->freq_hz == r->freq_hz) {
			r->last = c;
			at = &c->next;
			continue;
		}
		*at = c->next;
		c->next = r->beside;
		r->beside = c;
		r->n_copies--;
	}
}

static void give_back(struct dedup *d, struct copy **list)
{
	for (struct copy *c = *list, *next; c; c = next) {
		next = c->next;
		pool_put(&d->copies, c);
	}
	*list = NULL;
}

void dedup_drop_copies(struct dedup *d, struct reception *r)
{
	give_back(d, &r->first);
	give_back(d, &r->beside);
	r->last = NULL;
}

static void unhash(struct dedup *d, struct reception *r)
{
	struct reception **at = &d->bucket[r->hash % d->n_buckets];
	while (*at != r)
		at = &(*at)->next_hash;
	*at = r->next_hash;
}

static uint64_t forget_at(const struct dedup *d, const struct reception *r)
{
	return r->first_mono_us + (d->window_us > NS_LATE_US ? d->window_us : NS_LATE_US);
}

void dedup_forget(struct dedup *d, uint64_t now_us)
{
	struct reception *r;
	while ((r = d->oldest) && r->is_closed && forget_at(d, r) <= now_us) {
		d->oldest = r->newer;
		if (!d->oldest)
			d->newest = NULL;
		unhash(d, r);
		dedup_drop_copies(d, r);
		pool_put(&d->receptions, r);
	}
}

uint64_t dedup_deadline_us(const struct dedup *d)
{
	uint64_t due = UINT64_MAX;
	if (d->open)
		due = d->open->first_mono_us + d->window_us;
	if (d->oldest && forget_at(d, d->oldest) < due)
		due = forget_at(d, d->oldest);
	return due;
}
