/** @file Where the trace is kept: chunks of events in a store of its own, bounded by size and age.
 *
 * An event enters the open chunk in memory. Every second, and whenever it is full, the chunk is written beside its index; a chunk
 * that is still small goes on being filled, and is written again. So a process that dies takes the last second with it.
 *
 * The store is not the registry's, and nobody waits for it: what the disk does not take in time is left out and counted; a store
 * that is damaged is thrown away; and where there can be none, or as.trace-size is 0, the newest events are kept in memory.
 */
#pragma once
#include "as/core/trace/search.h"
#include "common/loop.h"

struct trace_store;

enum { TRACE_SIZE_MIN = 4 << 20, TRACE_PROCESSES = 3 };

struct trace_store_options {
	const char *dir;
	uint64_t size;   /**< most octets of its file, at least TRACE_SIZE_MIN; 0: none, events are kept in memory */
	uint64_t age_us; /**< chunks all of whose events are older are deleted */
};

/** @return NULL: no memory; a store that cannot be opened is logged and done without */
struct trace_store *trace_store_new(struct loop *l, const struct trace_store_options *o);
/** Write what is open, and close. Blocks: for the end of the process only. */
void trace_store_free(struct trace_store *s);
/** @param app     the application of the event's device; "": of none
 *  @param packed  the event as event_pack.h has it, where it came so; no octets: it is encoded */
void trace_store_add(struct trace_store *s, const struct trace_event *e, const char *app, struct slice packed);
/** Events that never came. @param process  whose they were */
void trace_store_missed(struct trace_store *s, uint32_t process, uint64_t n);
/** Chunks and records that a search found damaged. */
void trace_store_damaged(struct trace_store *s, uint64_t n);
/** To search in; borrowed. */
const struct shelf *trace_store_shelf(const struct trace_store *s);

struct trace_store_stats {
	uint64_t events, chunks, bytes, oldest_us; /**< of what is kept; age of the oldest */
	uint64_t waiting_bytes;                   /**< of events that are not on disk yet */
	uint64_t damaged;                         /**< chunks and records, since the start */
	uint64_t lost[TRACE_PROCESSES];           /**< events, since the start: never came from gs and ns, or could not be kept (as) */
	bool is_on_disk;
};
void trace_store_stats(struct trace_store *s, struct trace_store_stats *ret);
