/** @file What the network server has not acknowledged yet. */
#include "gs/outbox.h"
#include <stdlib.h>

enum { NONE = UINT32_C(0xffffffff) };

int gs_outbox_init(struct outbox *o, uint32_t keep)
{
	*o = (struct outbox){.keep = keep, .max = 2 * keep, .free = NONE};
	o->waiting = o->called = (struct outbox_list){NONE, NONE, 0};
	o->v = calloc(o->max, sizeof *o->v);
	return o->v ? 0 : -ENOMEM;
}

void gs_outbox_done(struct outbox *o)
{
	free(o->v);
	o->v = NULL;
}

static uint32_t number(const struct outbox_slot *s)
{
	return (uint32_t)(s - s->outbox->v);
}

static void unlink_from(struct outbox *o, struct outbox_list *l, struct outbox_slot *s)
{
	*(s->prev == NONE ? &l->first : &o->v[s->prev].next) = s->next;
	*(s->next == NONE ? &l->last : &o->v[s->next].prev) = s->prev;
	l->n--;
}

/** Behind `after`; NONE: as the first. */
static void link_behind(struct outbox *o, struct outbox_list *l, struct outbox_slot *s, uint32_t after)
{
	s->prev = after;
	s->next = after == NONE ? l->first : o->v[after].next;
	*(s->prev == NONE ? &l->first : &o->v[s->prev].next) = number(s);
	*(s->next == NONE ? &l->last : &o->v[s->next].prev) = number(s);
	l->n++;
}

static void slot_free(struct outbox_slot *s)
{
	struct outbox *o = s->outbox;
	s->next = o->free;
	o->free = number(s);
}

/** NULL: there is none. */
static struct outbox_slot *oldest(const struct outbox *o)
{
	uint32_t w = o->waiting.first, c = o->called.first;
	if (w == NONE || (c != NONE && o->v[c].seq < o->v[w].seq))
		w = c;
	return w == NONE ? NULL : &o->v[w];
}

/** Make the oldest give way. */
static void oldest_forget(struct outbox *o)
{
	struct outbox_slot *s = oldest(o);
	bool is_waiting = s && !s->is_called;
	if (!s)
		return;
	unlink_from(o, is_waiting ? &o->waiting : &o->called, s);
	o->lost += s->kind == OUTBOX_UPLINK;
	if (is_waiting)
		slot_free(s);
	else
		s->is_forgotten = true;
}

struct outbox_slot *gs_outbox_add(struct outbox *o, enum outbox_kind kind, uint64_t now_us)
{
	if (gs_outbox_count(o) >= o->keep)
		oldest_forget(o);
	uint32_t slot = o->free;
	if (slot != NONE) {
		o->free = o->v[slot].next;
	} else if (o->high < o->max) {
		slot = o->high++;
	} else {
		o->lost += kind == OUTBOX_UPLINK;
		return NULL;
	}
	struct outbox_slot *s = &o->v[slot];
	s->outbox = o;
	s->seq = ++o->seq;
	s->received_us = now_us;
	s->kind = kind;
	s->is_called = s->is_forgotten = false;
	link_behind(o, &o->waiting, s, o->waiting.last);
	return s;
}

struct outbox_slot *gs_outbox_next(const struct outbox *o)
{
	return o->waiting.first == NONE ? NULL : &o->v[o->waiting.first];
}

void gs_outbox_call(struct outbox_slot *s)
{
	struct outbox *o = s->outbox;
	unlink_from(o, &o->waiting, s);
	s->is_called = true;
	link_behind(o, &o->called, s, o->called.last);
}

void gs_outbox_end(struct outbox_slot *s, bool is_over)
{
	struct outbox *o = s->outbox;
	if (!s->is_forgotten)
		unlink_from(o, s->is_called ? &o->called : &o->waiting, s);
	s->is_called = false;
	if (is_over || s->is_forgotten) {
		slot_free(s);
		return;
	}
	/* After a lost connection many come back at once, oldest first or last; either way the place is near
	 * an end. */
	uint32_t after = o->waiting.last;
	if (o->waiting.first != NONE && o->v[o->waiting.first].seq > s->seq)
		after = NONE;
	while (after != NONE && o->v[after].seq > s->seq)
		after = o->v[after].prev;
	link_behind(o, &o->waiting, s, after);
}

uint32_t gs_outbox_count(const struct outbox *o)
{
	return o->waiting.n + o->called.n;
}

bool gs_outbox_oldest(const struct outbox *o, uint64_t *ret_received_us)
{
	const struct outbox_slot *s = oldest(o);
	if (s)
		*ret_received_us = s->received_us;
	return s != NULL;
}
