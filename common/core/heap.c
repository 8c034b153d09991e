/** @file A binary heap of deadlines. */
#include "common/core/heap.h"
#include <errno.h>
#include <stdlib.h>

int heap_reserve(struct heap *h, size_t n)
{
	if (n <= h->cap)
		return 0;
	struct heap_node **v = n <= PTRDIFF_MAX / sizeof *v ? realloc(h->v, n * sizeof *v) : NULL;
	if (!v)
		return -ENOMEM;
	h->v = v;
	h->cap = n;
	return 0;
}

void heap_done(struct heap *h)
{
	for (size_t i = 0; i < h->n; i++)
		h->v[i]->at = 0;
	free(h->v);
	*h = (struct heap){ 0 };
}

static void place(struct heap *h, size_t i, struct heap_node *n)
{
	h->v[i] = n;
	n->at = i + 1;
}

/** Move n, whose place i is free, towards the root and then towards the leaves until it is in order. */
static void sift(struct heap *h, size_t i, struct heap_node *n)
{
	for (size_t up; i > 0 && n->due_us < h->v[up = (i - 1) / 2]->due_us; i = up)
		place(h, i, h->v[up]);
	for (size_t down; (down = 2 * i + 1) < h->n; i = down) {
		if (down + 1 < h->n && h->v[down + 1]->due_us < h->v[down]->due_us)
			down++;
		if (n->due_us <= h->v[down]->due_us)
			break;
		place(h, i, h->v[down]);
	}
	place(h, i, n);
}

int heap_set(struct heap *h, struct heap_node *n, uint64_t due_us)
{
	if (!n->at) {
		if (h->n == h->cap) {
			int e = heap_reserve(h, h->cap ? h->cap * 2 : 16);
			if (e)
				return e;
		}
		n->at = ++h->n;
	}
	n->due_us = due_us;
	sift(h, n->at - 1, n);
	return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
	if (!n->at)
		return;
	size_t i = n->at - 1;
	struct heap_node *last = h->v[--h->n];
	if (last != n)
		sift(h, i, last);
	n->at = 0;
}

struct heap_node *heap_first(const struct heap *h)
{
	return h->n ? h->v[0] : NULL;
}

struct heap_node *heap_pop_due(struct heap *h, uint64_t now_us)
{
	struct heap_node *first = heap_first(h);
	if (!first || first->due_us > now_us)
		return NULL;
	heap_remove(h, first);
	return first;
}

uint64_t heap_deadline(const struct heap *h)
{
	return h->n ? h->v[0]->due_us : UINT64_MAX;
}
