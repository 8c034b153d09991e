/** @file Looking for events in chunks, a small step at a time, so that whoever looks holds up nobody.
 *
 * Chunks have consecutive numbers, 1 at least; some may be missing. The newest is the one that is being filled. A search sees what is there
 * when it begins, newest chunk first, and tells of the newest `max` events in order of time. It keeps nothing of a chunk from one
 * step to the next but where its events are: what has been deleted in between is left out.
 */
#pragma once
#include "as/core/trace/chunk.h"
#include "as/core/trace/story.h"

/** Where chunks are kept. What its functions give is borrowed for the step. */
struct shelf {
	void *ctx;
	/** The numbers there are: from first to the open one, which is always there. */
	void (*range)(void *ctx, uint64_t *ret_first, uint64_t *ret_open);
	/** The index of a chunk; not asked of the open one. @return 0; -ENOENT; -EBADMSG damaged, as is the next */
	int (*index)(void *ctx, uint64_t number, struct chunk_index *ret);
	int (*records)(void *ctx, uint64_t number, struct slice *ret);
};

struct search_ask {
	void *ctx;
	/** Where there is no story: may the chunk have something that is asked for? */
	bool (*may_be_in)(void *ctx, const struct chunk_index *i);
	/** Is the event asked for, as far as that does not depend on the story, and may the asker see it? */
	bool (*sees)(void *ctx, const struct trace_event *e);
	/** May the asker see it as part of a message of which it sees other events? */
	bool (*sees_of_message)(void *ctx, const struct trace_event *e);
	void (*tell)(void *ctx, const struct trace_event *e);
	const char *correlation_id; /**< the story of one message, borrowed; NULL: all events */
	size_t max;                 /**< at least 1 */
	bool goes_on;               /**< tell at last what has come since the search began, in order of arrival, all of it */
};

struct search;
/** @return NULL: no memory */
struct search *search_new(const struct shelf *shelf, const struct search_ask *ask);
void search_free(struct search *s);
/** Take a step: look at one index, or read one chunk, or tell some events.
 * @param scratch  an event's memory
 * @return true: take another; false: it is done, and all there was when this step ended has been told */
bool search_step(struct search *s, struct trace_event *scratch);
/** Chunks and records that were passed over so far because they are damaged. */
uint64_t search_damaged(const struct search *s);
