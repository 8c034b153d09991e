/** @file Pools: blocks of one size, kept for use again, so that nothing is allocated per uplink once a load has been seen. */
#pragma once
#include <stddef.h>

struct pool {
	size_t size; /**< of a block */
	size_t max;  /**< most blocks at once */
	size_t used;
	void *free_blocks, *slabs;
};

void pool_init(struct pool *p, size_t block_size, size_t max);
void pool_done(struct pool *p); /**< frees every block, used or not */
/** A block of zeros; NULL: the pool is at its limit, or there is no memory. */
void *pool_get(struct pool *p);
void pool_put(struct pool *p, void *block);
