/** @file Multicast groups: members, and the gateways that reach them. */
#include "ns/core/down/multicast.h"
#include "ns/core/down/cast.h"
#include <stdlib.h>
#include <string.h>

enum { STAND_INS_MAX = 2 }; /* for one gateway of a cover */

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

/* Each gateway that hears any is put on a list, if there is one. */
static void count_up(struct gateway *g, void *ctx)
{
	struct gateway **list = ctx;
	if (!g->reach++ && list) {
		g->reach_next = *list;
		*list = g;
	}
}

static void count_down(struct gateway *g, void *ctx)
{
	(void)ctx;
	g->reach--;
}

/* The one that reaches most members; of those that reach equally many, the one with more airtime left. NULL: none reaches any */
static struct gateway *widest_of(struct gateway *list, uint32_t freq_hz, uint64_t now_us)
{
	struct gateway *best = NULL;
	for (struct gateway *g = list; g; g = g->reach_next) {
		bool is_wider = !best || g->reach > best->reach ||
			(g->reach == best->reach && ledger_share(&g->ledger, freq_hz, now_us) <= ledger_share(&best->ledger, freq_hz, now_us));
		if (g->reach && is_wider)
			best = g;
	}
	return best;
}

static bool hears(const struct gateway *g, const struct dev *d)
{
	const struct session *s = d->current;
	for (unsigned i = 0; s && i < s->n_hearers; i++)
		if (s->hearers[i].eui == g->eui)
			return true;
	return false;
}

static void cover_with(struct ns *ns, const struct group *m, struct gateway *g, uint8_t number)
{
	for (size_t i = 0; i < m->n; i++) {
		struct dev *d = devices_find(&ns->devices, m->member[i]);
		if (!d || d->covered_by || !hears(g, d))
			continue;
		d->covered_by = number;
		each_hearer(ns, d, count_down, NULL);
	}
}

/* The gateway that reaches most of those that are left, again and again: never much worse than the smallest set. @return how many */
static unsigned cover(struct ns *ns, const struct group *m, uint32_t freq_hz, struct gateway *ret[NS_WAYS_MAX])
{
	uint64_t now_us = ns_ledger_us(ns, ns->now.mono_us);
	struct gateway *list = NULL;
	unsigned n = 0;
	for (size_t i = 0; i < m->n; i++) {
		struct dev *d = devices_find(&ns->devices, m->member[i]);
		if (!d)
			continue;
		d->covered_by = 0;
		each_hearer(ns, d, count_up, &list);
	}
	for (; n < NS_WAYS_MAX && (ret[n] = widest_of(list, freq_hz, now_us)); n++)
		cover_with(ns, m, ret[n], (uint8_t)(n + 1));
	/* Where there is no room for more, some are left. */
	for (; list; list = list->reach_next)
		list->reach = 0;
	return n;
}

/* Who could take a gateway's place: hears as many of its members as there are. */
struct stand_ins {
	struct cast *cast;
	const struct gateway *gateway;
	uint32_t members;
	unsigned left;
};

static void stand_in(struct gateway *g, void *ctx)
{
	struct stand_ins *s = ctx;
	if (g != s->gateway && g->reach == s->members && s->left && cast_way(s->cast, g))
		s->left--;
}

/* Those that hear the first of the members, best first, and all others too. */
static void add_stand_ins(struct ns *ns, const struct group *m, struct stand_ins *s, uint8_t number)
{
	const struct dev *first = NULL;
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < m->n; i++) {
			const struct dev *d = devices_find(&ns->devices, m->member[i]);
			if (!d || d->covered_by != number)
				continue;
			first = first ? first : d;
			s->members += pass == 0;
			each_hearer(ns, d, pass == 0 ? count_up : count_down, NULL);
		}
		if (pass == 0 && first)
			each_hearer(ns, first, stand_in, s);
	}
}

void multicast_cover(struct ns *ns, const struct dev *group, struct cast *c, uint32_t freq_hz)
{
	const struct group *m = group_find(ns, group->uid);
	struct gateway *by[NS_WAYS_MAX];
	unsigned n = m ? cover(ns, m, freq_hz, by) : 0;
	for (unsigned i = 0; i < n; i++) {
		unsigned spare = NS_WAYS_MAX - c->n_ways - (n - i);
		struct stand_ins s = { .cast = c, .gateway = by[i], .left = spare < STAND_INS_MAX ? spare : STAND_INS_MAX };
		cast_leg(c);
		cast_way(c, by[i]);
		if (s.left)
			add_stand_ins(ns, m, &s, (uint8_t)(i + 1));
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
