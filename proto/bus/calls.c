/** @file The open calls of one connection. */
#include "proto/bus/calls.h"
#include <stdlib.h>

enum { SLOT_MASK = CALLS_MAX - 1 };

void calls_done(struct calls *c)
{
	for (size_t i = 0; i < c->n_blocks; i++)
		free(c->blocks[i]);
	heap_done(&c->due);
	*c = (struct calls){ 0 };
}

static int add_block(struct calls *c)
{
	if (c->n_blocks == COUNT(c->blocks))
		return -ENOBUFS;
	TRY(heap_reserve(&c->due, (c->n_blocks + 1) * CALLS_BLOCK));
	struct call *block = calloc(CALLS_BLOCK, sizeof *block);
	if (!block)
		return -ENOMEM;
	for (size_t i = CALLS_BLOCK; i-- > 0;) {
		block[i].id = (uint32_t)(c->n_blocks * CALLS_BLOCK + i);
		block[i].next = c->free;
		c->free = &block[i];
	}
	c->blocks[c->n_blocks++] = block;
	return 0;
}

int calls_open(struct calls *c, uint64_t due_us, struct call **ret)
{
	if (!c->free)
		TRY(add_block(c));
	struct call *call = c->free;
	TRY(heap_set(&c->due, &call->node, due_us));
	c->free = call->next;
	c->n_open++;
	*ret = call;
	return 0;
}

struct call *calls_find(const struct calls *c, uint32_t id)
{
	size_t slot = id & SLOT_MASK;
	if (slot / CALLS_BLOCK >= c->n_blocks)
		return NULL;
	struct call *call = &c->blocks[slot / CALLS_BLOCK][slot % CALLS_BLOCK];
	return call->id == id && call->node.at ? call : NULL;
}

void calls_close(struct calls *c, struct call *call)
{
	heap_remove(&c->due, &call->node);
	/* The next user of the slot has another id, so that a late answer to this call finds nobody. */
	call->id += SLOT_MASK + 1u;
	call->next = c->free;
	c->free = call;
	c->n_open--;
}

struct call *calls_first_due(const struct calls *c, uint64_t now_us)
{
	struct heap_node *n = heap_first(&c->due);
	return n && n->due_us <= now_us ? CONTAINER_OF(n, struct call, node) : NULL;
}
