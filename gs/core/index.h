/** @file From a 64-bit key to the number of a slot: an open-addressing table of fixed size.
 *
 * Its memory is asked for once and touched where it is used, so a table for many costs nothing while there
 * are few.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { INDEX_NONE = UINT32_C(0xffffffff) };

struct index {
	struct index_cell *cell;
	size_t mask; /**< cells - 1, a power of two of at least twice the keys it is made for */
	uint64_t seed;
	uint32_t n;
};

/** @param seed  random, so that nobody can choose keys that collide. @return 0; -ENOMEM */
int gs_index_init(struct index *x, size_t keys, uint64_t seed);
void gs_index_done(struct index *x);
/** @return the slot; INDEX_NONE */
uint32_t gs_index_find(const struct index *x, uint64_t key);
/** Put or replace. The caller never puts more keys than the index was made for. */
void gs_index_put(struct index *x, uint64_t key, uint32_t slot);
void gs_index_remove(struct index *x, uint64_t key); /**< not there: nothing happens */
