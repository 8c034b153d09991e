/** @file A bounded memory of events. A record is its length in two octets, then its encoding; it may go over the ring's end. */
#include "as/core/trace_ring.h"
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

void trace_ring_each(const struct trace_ring *r, struct trace_event *e, bool (*fn)(void *ctx, const struct trace_event *e), void *ctx)
{
	uint8_t record[RECORD_MAX];
	for (uint64_t at = r->tail; at < r->head;) {
		size_t n = length_at(r, at);
		get(r, at + HEAD, record, n);
		at += HEAD + n;
		if (!msg_decode(trace_event_schema(), record, n, e) && !fn(ctx, e))
			return;
	}
}

static bool has_cid(const struct story *s, const struct cid *c)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->ids[i].kind == c->kind && ulid_eq(&s->ids[i].id, &c->id))
			return true;
	return false;
}

bool story_has(const struct story *s, const struct trace_event *e)
{
	char quoted[160];
	for (size_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++)
		if (has_cid(s, &e->cids.v[i]))
			return true;
	if (!s->own || !MSG_HAS(e, data))
		return false;
	struct text t = text_fixed(quoted, sizeof quoted);
	text_printf(&t, "\"%s\"", s->own);
	return !t.failed && strstr(e->data, quoted);
}

void story_follow(struct story *s, const struct trace_event *e)
{
	/* A connection is shared by all that went over it; everything else belongs to one message or what it caused. */
	for (size_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++)
		if (e->cids.v[i].kind != CID_GS_CONN && !has_cid(s, &e->cids.v[i]) && s->n < STORY_IDS)
			s->ids[s->n++] = e->cids.v[i];
}
