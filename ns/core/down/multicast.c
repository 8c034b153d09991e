/** @file Multicast groups: members, and the gateways that reach them. */
#include "ns/core/down/multicast.h"
#include "ns/core/down/cast.h"
#include <stdlib.h>
#include <string.h>

static struct group *group_find(const struct ns *ns, uint64_t uid)
{
	struct group *g;
	HASH_FIND(hh, ns->groups, &uid, sizeof(uid), g);
	return g;
}

static struct group *group_make(struct ns *ns, uint64_t uid)
{
	struct group *g = group_find(ns, uid);
	if (g)
		return g;
	g = calloc(1, sizeof(*g));
	if (!g)
		return NULL;
	g->uid = uid;
	HASH_ADD(hh, ns->groups, uid, sizeof(g->uid), g);
	if (HASH_IS_IN(hh, g))
		return g;
	free(g);
	return NULL;
}

static void group_free(struct ns *ns, struct group *g)
{
	HASH_DELETE(hh, ns->groups, g);
	free(g->member);
	free(g);
}

static int join(struct ns *ns, uint64_t group, uint64_t member)
{
	struct group *g = group_make(ns, group);
	if (!g)
		return -ENOMEM;
	if (g->n == g->cap) {
		size_t cap = g->cap ? g->cap * 2 : 8;
		uint64_t *v = realloc(g->member, cap * sizeof(*v));
		if (!v)
			return -ENOMEM;
		g->member = v;
		g->cap = cap;
	}
	g->member[g->n++] = member;
	return 0;
}

static void leave(struct ns *ns, uint64_t group, uint64_t member)
{
	struct group *g = group_find(ns, group);
	for (size_t i = 0; g && i < g->n; i++)
		if (g->member[i] == member) {
			g->member[i] = g->member[--g->n];
			break;
		}
	if (g && !g->n)
		group_free(ns, g);
}

int multicast_set(struct ns *ns, struct dev *d, const uint64_t *groups, size_t n)
{
	for (size_t i = 0; i < NS_GROUPS_MAX && d->groups[i]; i++) {
		leave(ns, d->groups[i], d->uid);
	}
	memset(d->groups, 0, sizeof(d->groups));
	for (size_t i = 0; i < n && i < NS_GROUPS_MAX; i++) {
		TRY(join(ns, groups[i], d->uid));
		d->groups[i] = groups[i];
	}
	return 0;
}

void multicast_done(struct ns *ns)
{
	struct group *g, *next;
	HASH_ITER(hh, ns->groups, g, next)
		group_free(ns, g);
}

/* ---- cover ---- */

static bool is_usable(const struct ns *ns, const struct gateway *g)
{
	return g && g->gs && ns->gs_is_up[g->gs] && g->can_send;
}

/* Do something with each gateway that hears a member and could send. */
static void each_hearer(const struct ns *ns, const struct dev *member, void (*fn)(struct gateway *g, void *ctx), void *ctx)
{
	const struct session *s = member->current;
	for (unsigned i = 0; s && i < s->n_hearers; i++) {
		struct gateway *g = gateways_find(&ns->gateways, s->hearers[i].eui);
		if (is_usable(ns, g))
			fn(g, ctx);
	}
}

static void count_up(struct gateway *g, void *ctx)
{
	(void)ctx;
	g->reach++;
}

static void count_down(struct gateway *g, void *ctx)
{
	(void)ctx;
	g->reach--;
}

/* Of those that reach equally many, the one with more airtime left. */
struct widest {
	struct gateway *gateway;
	uint32_t freq_hz;
	uint64_t now_us;
};

static void take_wider(struct gateway *g, void *ctx)
{
	struct widest *w = ctx;
	const struct gateway *best = w->gateway;
	bool is_wider = !best || g->reach > best->reach ||
		(g->reach == best->reach && ledger_share(&g->ledger, w->freq_hz, w->now_us) < ledger_share(&best->ledger, w->freq_hz, w->now_us));
	if (g->reach && is_wider)
		w->gateway = g;
}

static void is_it(struct gateway *g, void *ctx)
{
	struct widest *w = ctx;
	if (g == w->gateway)
		w->gateway = NULL;
}

static void cover_with(struct ns *ns, const struct group *m, struct gateway *g)
{
	for (size_t i = 0; i < m->n; i++) {
		struct dev *d = devices_find(&ns->devices, m->member[i]);
		struct widest w = { .gateway = g };
		if (!d || d->is_covered)
			continue;
		each_hearer(ns, d, is_it, &w);
		if (w.gateway)
			continue;
		d->is_covered = true;
		each_hearer(ns, d, count_down, NULL);
	}
}

void multicast_cover(struct ns *ns, const struct dev *group, struct cast *c, uint32_t freq_hz)
{
	const struct group *m = group_find(ns, group->uid);
	if (!m)
		return;
	for (struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next)
		g->reach = 0;
	for (size_t i = 0; i < m->n; i++) {
		struct dev *d = devices_find(&ns->devices, m->member[i]);
		if (!d)
			continue;
		d->is_covered = false;
		each_hearer(ns, d, count_up, NULL);
	}
	/* The gateway that reaches most of those that are left, again and again: never much worse than the smallest set. */
	for (;;) {
		struct widest w = { .freq_hz = freq_hz, .now_us = ns_ledger_us(ns, ns->now.mono_us) };
		for (size_t i = 0; i < m->n; i++) {
			struct dev *d = devices_find(&ns->devices, m->member[i]);
			if (d && !d->is_covered)
				each_hearer(ns, d, take_wider, &w);
		}
		if (!w.gateway || c->n_ways == NS_WAYS_MAX)
			return;
		cast_leg(c);
		cast_way(c, w.gateway);
		cover_with(ns, m, w.gateway);
	}
}

/* ---- common members ---- */

struct heard_by {
	const struct cast *cast;
	uint64_t ways;
};

static void mark(struct gateway *g, void *ctx)
{
	struct heard_by *h = ctx;
	for (unsigned i = 0; i < h->cast->n_ways; i++)
		if (h->cast->way[i].gateway == g)
			h->ways |= UINT64_C(1) << i;
}

void multicast_meet(struct ns *ns, const struct dev *group, struct cast *c)
{
	const struct group *m = group_find(ns, group->uid);
	for (unsigned i = 0; i < c->n_ways; i++)
		c->way[i].meets = m ? UINT64_C(1) << i : UINT64_MAX;
	for (size_t k = 0; m && k < m->n; k++) {
		const struct dev *d = devices_find(&ns->devices, m->member[k]);
		struct heard_by h = { .cast = c };
		if (d)
			each_hearer(ns, d, mark, &h);
		for (unsigned i = 0; i < c->n_ways; i++)
			if (h.ways >> i & 1)
				c->way[i].meets |= h.ways;
	}
}
