/** @file Pools: blocks of one size, kept for use again. */
#include "ns/core/pool.h"
#include <stdlib.h>
#include <string.h>

enum { SLAB_BLOCKS = 64, ALIGN = 16 };

/* A free block and a slab both begin with a link. */
struct link {
	struct link *next;
};

void pool_init(struct pool *p, size_t block_size, size_t max)
{
	*p = (struct pool){ .size = (block_size + ALIGN - 1) / ALIGN * ALIGN, .max = max };
}

void pool_done(struct pool *p)
{
	for (struct link *s = p->slabs, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	pool_init(p, p->size, p->max);
}

static void slab_add(struct pool *p)
{
	char *slab = malloc(ALIGN + SLAB_BLOCKS * p->size);
	if (!slab)
		return;
	struct link *head = (void *)slab;
	head->next = p->slabs;
	p->slabs = head;
	for (size_t i = 0; i < SLAB_BLOCKS; i++) {
		struct link *l = (void *)(slab + ALIGN + i * p->size);
		l->next = p->free_blocks;
		p->free_blocks = l;
	}
}

void *pool_get(struct pool *p)
{
	if (p->used >= p->max)
		return NULL;
	if (!p->free_blocks)
		slab_add(p);
	struct link *l = p->free_blocks;
	if (!l)
		return NULL;
	p->free_blocks = l->next;
	p->used++;
	memset(l, 0, p->size);
	return l;
}

void pool_put(struct pool *p, void *block)
{
	if (!block)
		return;
	struct link *l = block;
	l->next = p->free_blocks;
	p->free_blocks = l;
	p->used--;
}
