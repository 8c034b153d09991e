/** @file A bounded memory of events. A record is its length in two octets, then its encoding; it may go over the ring's end. */
#include "as/core/trace_ring.h"
#include "common/core/json.h"
#include "proto/cids.h"
#include <string.h>

enum { RECORD_MAX = 2048, HEAD = 2 };

void trace_ring_init(struct trace_ring *r, void *bytes, size_t cap)
{
	*r = (struct trace_ring){ .bytes = bytes, .cap = cap };
}

static void put(struct trace_ring *r, const uint8_t *p, size_t n)
{
	size_t at = (size_t)(r->head % r->cap), first = n < r->cap - at ? n : r->cap - at;
	memcpy(r->bytes + at, p, first);
	memcpy(r->bytes, p + first, n - first);
	r->head += n;
}

static void get(const struct trace_ring *r, uint64_t from, uint8_t *p, size_t n)
{
	size_t at = (size_t)(from % r->cap), first = n < r->cap - at ? n : r->cap - at;
	memcpy(p, r->bytes + at, first);
	memcpy(p + first, r->bytes, n - first);
}

static size_t length_at(const struct trace_ring *r, uint64_t from)
{
	uint8_t head[HEAD];
	get(r, from, head, HEAD);
	return (size_t)head[0] << 8 | head[1];
}

void trace_ring_add(struct trace_ring *r, const struct trace_event *e)
{
	uint8_t record[RECORD_MAX];
	size_t n;
	if (msg_encode(trace_event_schema(), e, record + HEAD, sizeof record - HEAD, &n)) {
		r->lost++;
		return;
	}
	record[0] = (uint8_t)(n >> 8);
	record[1] = (uint8_t)n;
	while (r->head - r->tail + HEAD + n > r->cap)
		r->tail += HEAD + length_at(r, r->tail);
	put(r, record, HEAD + n);
}

void trace_ring_each(const struct trace_ring *r, struct trace_event *e,
	bool (*fn)(void *ctx, uint64_t at, const struct trace_event *e), void *ctx)
{
	uint8_t record[RECORD_MAX];
	for (uint64_t at = r->tail; at < r->head;) {
		uint64_t here = at;
		size_t n = length_at(r, at);
		get(r, at + HEAD, record, n);
		at += HEAD + n;
		if (!msg_decode(trace_event_schema(), record, n, e) && !fn(ctx, here, e))
			return;
	}
}

int trace_ring_at(const struct trace_ring *r, uint64_t at, struct trace_event *ret)
{
	uint8_t record[RECORD_MAX];
	if (at < r->tail || at >= r->head)
		return -ENOENT;
	size_t n = length_at(r, at);
	get(r, at + HEAD, record, n);
	return msg_decode(trace_event_schema(), record, n, ret) ? -ENOENT : 0;
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

/** Does the event's data name the id among the application's own? */
static bool names_own(const struct trace_event *e, const char *own)
{
	struct json_tok tok[64];
	struct json j;
	char one[sizeof e->data];
	if (!MSG_HAS(e, data) || json_parse(str_of(e->data), tok, COUNT(tok), &j, NULL))
		return false;
	json_val list = json_get(&j, json_root(&j), "correlation_ids");
	for (json_val v = json_first(&j, list); v >= 0; v = json_next(&j, v))
		if (!json_string(&j, v, one, sizeof one) && !strcmp(one, own))
			return true;
	return false;
}

void story_seed(struct story *s, const struct trace_event *e)
{
	const struct cid *c = MSG_HAS(e, cids) ? cids_find(e->cids.v, e->cids.len, CID_AS_DOWNLINK) : NULL;
	if (!c && MSG_HAS(e, cids))
		c = cids_find(e->cids.v, e->cids.len, CID_AS_UP); /* an uplink that the application made up */
	if (!c || !s->own || !names_own(e, s->own))
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
