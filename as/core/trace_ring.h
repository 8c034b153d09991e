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
/** Visit all, oldest arrival first, until fn returns false. `e` is the caller's scratch; `at` finds the event
 * again as long as it has not been overwritten. */
void trace_ring_each(const struct trace_ring *r, struct trace_event *e,
	bool (*fn)(void *ctx, uint64_t at, const struct trace_event *e), void *ctx);
/** The event at a place that trace_ring_each gave. @return 0; -ENOENT it has been overwritten */
int trace_ring_at(const struct trace_ring *r, uint64_t at, struct trace_event *ret);

/** The story of one message: what shares an id that was asked for (a seed), and what shares an id with that.
 * No further: an answer to an uplink may acknowledge another downlink, and so on to the beginning of time. */
enum { STORY_IDS = 256 };
struct story {
	struct cid ids[STORY_IDS]; /**< the seeds first */
	uint16_t n_seeds, n;
	const char *own; /**< an application's id, which stands in the events' data; NULL: none */
};
/** First visit, where `own` is asked for: the ids of the downlinks, and of the made-up uplinks, that the application gave this id. */
void story_seed(struct story *s, const struct trace_event *e);
/** Second visit: add the ids of an event that has a seed, those that stand for one message only (not a
 * gateway's connection). @return whether it has one */
bool story_follow(struct story *s, const struct trace_event *e);
/** Third visit: does the event belong to the story? */
bool story_has(const struct story *s, const struct trace_event *e);
/** The same, where a gateway's connection alone does not count: it is shared by all that went over it. */
bool story_has_message(const struct story *s, const struct trace_event *e);
