/** @file A bounded memory of events: encoded one after another in a ring, the oldest overwritten. */
#pragma once
#include "proto/schema.h"

struct trace_ring {
	uint8_t *bytes;
	size_t cap;
	uint64_t head, tail; /**< octets ever written; of the oldest record that is whole */
	uint64_t lost;       /**< told by others: events that never came */
};

/** @param bytes the ring's memory, borrowed */
void trace_ring_init(struct trace_ring *r, void *bytes, size_t cap);
/** Add one; its time counts, not the order of arrival. */
void trace_ring_add(struct trace_ring *r, const struct trace_event *e);
/** Visit all, oldest arrival first, until fn returns false. `e` is the caller's scratch. */
void trace_ring_each(const struct trace_ring *r, struct trace_event *e, bool (*fn)(void *ctx, const struct trace_event *e), void *ctx);

/** Ids that lead from one event of a story to others. */
enum { STORY_IDS = 256 };
struct story {
	struct cid ids[STORY_IDS];
	uint16_t n;
	const char *own; /**< an application's id, looked for in the events' data; NULL: none */
};
/** Does the event belong to it? */
bool story_has(const struct story *s, const struct trace_event *e);
/** Add the ids of an event that belongs to it, those that stand for one message only (not a gateway's connection). */
void story_follow(struct story *s, const struct trace_event *e);
