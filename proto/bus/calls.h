/** @file The open calls of one connection: found by id, due by deadline. */
#pragma once
#include "common/core/heap.h"
#include "proto/bus/bus.h"

enum { CALLS_BLOCK = 256, CALLS_MAX = 1 << 16 };

struct call {
	struct heap_node node; /**< in `due`, while it is open */
	uint32_t id;           /**< slot in the lower 16 bits, how often the slot was used in the upper */
	enum method method;
	bus_done *done;
	void *ctx;
	struct call *next; /**< in `free` */
};

/** All zero: empty. Slots are kept for later calls, so that a call in steady operation allocates nothing. */
struct calls {
	struct call *blocks[CALLS_MAX / CALLS_BLOCK];
	size_t n_blocks, n_open;
	struct call *free;
	struct heap due;
};

void calls_done(struct calls *c);
/** Open a call that is due at due_us; the rest of *ret is the caller's to fill in. @return 0; -ENOBUFS CALLS_MAX are open; -ENOMEM */
int calls_open(struct calls *c, uint64_t due_us, struct call **ret);
/** NULL: none, or no more. */
struct call *calls_find(const struct calls *c, uint32_t id);
/** The slot may be used again at once; *call keeps its content until then. */
void calls_close(struct calls *c, struct call *call);
/** The open call that is due first, if it is due at now_us (UINT64_MAX: whenever it is); NULL: none. It stays open. */
struct call *calls_first_due(const struct calls *c, uint64_t now_us);
