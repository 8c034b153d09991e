/** @file A heap of deadlines: which of many things is due first. Nodes live inside the things; nothing is allocated
 * per node, only the array of pointers grows. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t due_us;
	size_t at; /**< place in the heap + 1; 0: not in it */
};

struct heap {
	struct heap_node **v;
	size_t n, cap;
};

/** Make room for n nodes in all, so that later insertions cannot fail. @return 0; -ENOMEM */
int heap_reserve(struct heap *h, size_t n);
void heap_done(struct heap *h);
/** Insert, or move if it is in already. @return 0; -ENOMEM (then unchanged) */
int heap_set(struct heap *h, struct heap_node *n, uint64_t due_us);
void heap_remove(struct heap *h, struct heap_node *n); /**< not in it: nothing happens */
struct heap_node *heap_first(const struct heap *h);    /**< NULL: empty */
/** Take out the first if it is due at now_us; NULL: none is. */
struct heap_node *heap_pop_due(struct heap *h, uint64_t now_us);
/** When the first is due; UINT64_MAX: never. */
uint64_t heap_deadline(const struct heap *h);
