/** @file Writes that are not on disk yet: an ordered map of the newest one of each key, and the groups they are committed in.
 * Internal to the store. The map belongs to the loop's thread; a group that was handed to the writer is only read by both. */
#pragma once
#include "common/core/bytes.h"
#include <stdbool.h>
#include <sys/queue.h>

enum { OVERLAY_LEVELS = 12 };

/** One write, its key and its value in one piece of memory. */
struct overlay_op {
	TAILQ_ENTRY(overlay_op) link; /**< in its group */
	struct overlay_group *group;
	uint32_t key_bytes, value_bytes;
	uint8_t levels;
	bool is_del;
	bool is_hidden;            /**< a later group wrote the key again: no longer in the map */
	struct overlay_op *next[]; /**< levels of them, then key, then value */
};

/** Writes of one or more wakes that reach the disk together or not at all. A key stands in it once. */
struct overlay_group {
	TAILQ_HEAD(, overlay_op) ops;
	STAILQ_ENTRY(overlay_group) link;
	uint64_t seq;
	size_t n, bytes;
};

struct overlay {
	struct overlay_op *head[OVERLAY_LEVELS];
	size_t n, bytes; /**< of all groups */
	uint32_t chance;
};

void overlay_init(struct overlay *o);
struct slice overlay_key(const struct overlay_op *op);
struct slice overlay_value(const struct overlay_op *op);
/** Byte order; a shorter key stands before a longer one that begins with it. */
int overlay_cmp(struct slice a, struct slice b);

struct overlay_group *overlay_group_new(uint64_t seq);
/** Write in a group that nobody commits yet. key and value may lie in the map itself. @return 0; -ENOMEM */
int overlay_write(struct overlay *o, struct overlay_group *g, struct slice key, struct slice value, bool is_del);
/** The first op at or after key, deletions included; NULL: none. The next one is op->next[0]. */
const struct overlay_op *overlay_seek(const struct overlay *o, struct slice key);
/** Take the next group into this one; neither is being committed. What was written again is dropped, so this is done until no group
 * is left, oldest first. `later` is freed. */
void overlay_group_merge(struct overlay *o, struct overlay_group *g, struct overlay_group *later);
/** The group is on disk, or given up: its ops leave the map unless they were written again, and it is freed. */
void overlay_group_free(struct overlay *o, struct overlay_group *g);
