/** @file The story of one message: what shares an id that was asked for (a seed), and what shares an id with that.
 *
 * No further: an answer to an uplink may acknowledge another downlink, and so on to the beginning of time. Events are visited
 * three times; `story_prints` says which chunks a visit is about.
 */
#pragma once
#include "as/core/trace/print.h"

enum { STORY_IDS = 256 };
struct story {
	struct cid ids[STORY_IDS]; /**< the seeds first */
	uint16_t n_seeds, n;
	const char *own; /**< what was asked for, as an application may have given it: then it stands in events' data */
};

/** Ask for an id, as people paste it: one of ours (which an application may have put on a downlink too), or an application's own.
 * @param id  borrowed as long as *ret is used */
void story_ask(struct story *ret, const char *id);

enum story_visit { STORY_SEED, STORY_FOLLOW, STORY_COLLECT, STORY_VISIT_N };
/** The fingerprints of which a chunk must have one to matter in a visit, sorted. @return how many; 0: nothing can be found */
size_t story_prints(const struct story *s, enum story_visit visit, uint32_t ret[STORY_IDS]);

/** First visit: the ids of the downlinks, and of the made-up uplinks, that the application gave this id. */
void story_seed(struct story *s, const struct trace_event *e);
/** Second visit: add the ids of an event that has a seed, those that stand for one message only (not a
 * gateway's connection). @return whether it has one */
bool story_follow(struct story *s, const struct trace_event *e);
/** Third visit: does the event belong to the story? */
bool story_has(const struct story *s, const struct trace_event *e);
/** The same, where a gateway's connection alone does not count: it is shared by all that went over it. */
bool story_has_message(const struct story *s, const struct trace_event *e);
