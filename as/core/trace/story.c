/** @file The story of one message. */
#include "as/core/trace/story.h"
#include "proto/cids.h"
#include <string.h>

void story_ask(struct story *ret, const char *id)
{
	*ret = (struct story){ .own = id };
	if (!cid_parse(str_of(id), &ret->ids[0]))
		ret->n = ret->n_seeds = 1;
}

size_t story_prints(const struct story *s, enum story_visit visit, uint32_t ret[STORY_IDS])
{
	if (visit == STORY_SEED) {
		ret[0] = print_own(s->own);
		return 1;
	}
	size_t n = visit == STORY_FOLLOW ? s->n_seeds : s->n;
	for (size_t i = 0; i < n; i++)
		ret[i] = print_cid(&s->ids[i]);
	return prints_sort(ret, n);
}

static bool has_cid(const struct story *s, size_t n, const struct cid *c)
{
	for (size_t i = 0; i < n; i++)
		if (s->ids[i].kind == c->kind && ulid_eq(&s->ids[i].id, &c->id))
			return true;
	return false;
}

static void add_cid(struct story *s, const struct cid *c)
{
	if (s->n < STORY_IDS && !has_cid(s, s->n, c))
		s->ids[s->n++] = *c;
}

struct own {
	const char *id;
	bool is_there;
};

static bool is_other(void *ctx, const char *id)
{
	struct own *o = ctx;
	o->is_there |= !strcmp(id, o->id);
	return !o->is_there;
}

/** Does the event's data name the id among the application's own? */
static bool names_own(const struct trace_event *e, const char *id)
{
	struct own o = { .id = id };
	own_ids_each(e, is_other, &o);
	return o.is_there;
}

void story_seed(struct story *s, const struct trace_event *e)
{
	const struct cid *c = MSG_HAS(e, cids) ? cids_find(e->cids.v, e->cids.len, CID_AS_DOWNLINK) : NULL;
	if (!c && MSG_HAS(e, cids))
		c = cids_find(e->cids.v, e->cids.len, CID_AS_UP); /* an uplink that the application made up */
	if (!c || !names_own(e, s->own))
		return;
	add_cid(s, c);
	s->n_seeds = s->n;
}

bool story_follow(struct story *s, const struct trace_event *e)
{
	size_t n = MSG_HAS(e, cids) ? e->cids.len : 0;
	bool is_of_it = false;
	for (size_t i = 0; i < n && !is_of_it; i++)
		is_of_it = has_cid(s, s->n_seeds, &e->cids.v[i]);
	for (size_t i = 0; i < n && is_of_it; i++)
		if (e->cids.v[i].kind != CID_GS_CONN)
			add_cid(s, &e->cids.v[i]);
	return is_of_it;
}

static bool shares_id(const struct story *s, const struct trace_event *e, bool with_conn)
{
	for (size_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++)
		if ((with_conn || e->cids.v[i].kind != CID_GS_CONN) && has_cid(s, s->n, &e->cids.v[i]))
			return true;
	return false;
}

bool story_has(const struct story *s, const struct trace_event *e)
{
	return shares_id(s, e, true);
}

bool story_has_message(const struct story *s, const struct trace_event *e)
{
	return shares_id(s, e, false);
}
