/** @file Events in chunks, which is how the trace is kept: a chunk has events encoded one after another, and beside it stands a
 * small index that says what they are about (print.h) and when they were.
 *
 * Whoever looks for something reads indexes, and decodes only the chunks that may have it. Both carry a check, so that a damaged
 * one is passed over and never believed.
 *
 * Chunk: check (4), octets that the events take (4), and these as one LZ4 block; they are as in event_pack.h, and a message's ids
 * stand in each of its events: a quarter is left of them. Index: check (4), first and last time (8 each),
 * octets of its events (4), events (4), processes (1), then the fingerprints (4 each), sorted. All big endian.
 */
#pragma once
#include "as/core/trace/print.h"
#include "proto/event_pack.h"

enum {
	CHUNK_MAX = 64 << 10, /**< octets of a chunk's events */
	CHUNK_HEAD = 8,
	CHUNK_KEPT_MAX = CHUNK_HEAD + CHUNK_MAX + CHUNK_MAX / 255 + 16, /**< octets of a chunk as it is kept: what LZ4 makes of chance */
	CHUNK_PRINTS_MAX = 4096,
	CHUNK_INDEX_HEAD = 29,
	CHUNK_INDEX_MAX = CHUNK_INDEX_HEAD + 4 * CHUNK_PRINTS_MAX
};

/** A chunk that is being filled. */
struct chunk {
	size_t len; /**< of bytes */
	uint64_t first_us, last_us;
	uint32_t events, n_prints;
	uint8_t processes; /**< a bit each */
	uint8_t bytes[CHUNK_MAX];
	uint32_t prints[2 * CHUNK_PRINTS_MAX]; /**< a hash set; 0: free */
};

void chunk_init(struct chunk *c);
/** Add an event; its time counts, not the order of arrival.
 * @param app     the application of its device; "": of none
 * @param packed  the event as event_pack.h has it, where it came so; no octets: it is encoded here
 * @return 0; CHUNK_E_FULL there is no room: begin another; -EINVAL it cannot be encoded */
enum { CHUNK_E_FULL = 1 };
int chunk_add(struct chunk *c, const struct trace_event *e, const char *app, struct slice packed);
/** Write the chunk as it is kept. @return its octets */
size_t chunk_value(const struct chunk *c, uint8_t ret[CHUNK_KEPT_MAX]);
/** Write its index. @return its octets */
size_t chunk_index(const struct chunk *c, uint8_t ret[CHUNK_INDEX_MAX]);

/** The records of a chunk that was kept.
 * @param room  where they are put; *ret_records borrows it
 * @return 0; -EBADMSG it is damaged */
int chunk_open(struct slice value, uint8_t room[CHUNK_MAX], struct slice *ret_records);
/** The records of one that is being filled, borrowed until the next event is added. */
struct slice chunk_records(const struct chunk *c);
/** Read the record at *at, and set *at behind it. The first is at 0; any other place must be one that this has set.
 * @param ret_e  borrowed memory, undefined on failure
 * @return 0; -ENOENT there are no more; -EBADMSG this one is damaged (*at is behind it; at the end where no more can be read) */
int chunk_next(struct slice records, size_t *at, struct trace_event *ret_e);

struct chunk_index {
	uint64_t first_us, last_us;
	uint32_t octets, events;
	uint8_t processes;
	struct slice prints; /**< borrowed; four octets each */
};
/** @return 0; -EBADMSG it is damaged */
int chunk_index_read(struct slice value, struct chunk_index *ret);

/** May the chunk have an event with this fingerprint? With one of these? */
bool chunk_may_have(const struct chunk_index *i, uint32_t print);
bool chunk_may_have_any(const struct chunk_index *i, const uint32_t *sorted, size_t n);
