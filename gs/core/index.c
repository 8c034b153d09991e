/** @file From a 64-bit key to the number of a slot. */
#include "gs/core/index.h"
#include "common/core/err.h"
#include <stdlib.h>

struct index_cell {
	uint64_t key;
	uint32_t slot_1; /**< slot + 1; 0: free */
};

static size_t home(const struct index *x, uint64_t key)
{
	key ^= x->seed;
	key = (key ^ key >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	key = (key ^ key >> 27) * UINT64_C(0x94d049bb133111eb);
	return (size_t)(key ^ key >> 31) & x->mask;
}

int gs_index_init(struct index *x, size_t keys, uint64_t seed)
{
	size_t cells = 16;
	while (cells < 2 * keys)
		cells *= 2;
	*x = (struct index){.mask = cells - 1, .seed = seed};
	x->cell = calloc(cells, sizeof *x->cell);
	return x->cell ? 0 : -ENOMEM;
}

void gs_index_done(struct index *x)
{
	free(x->cell);
	x->cell = NULL;
}

/** The cell of a key, or the free one where it would go. */
static size_t seek(const struct index *x, uint64_t key)
{
	size_t at = home(x, key);
	while (x->cell[at].slot_1 && x->cell[at].key != key)
		at = (at + 1) & x->mask;
	return at;
}

uint32_t gs_index_find(const struct index *x, uint64_t key)
{
	uint32_t slot_1 = x->cell[seek(x, key)].slot_1;
	return slot_1 ? slot_1 - 1 : INDEX_NONE;
}

void gs_index_put(struct index *x, uint64_t key, uint32_t slot)
{
	struct index_cell *c = &x->cell[seek(x, key)];
	x->n += !c->slot_1;
	*c = (struct index_cell){key, slot + 1};
}

void gs_index_remove(struct index *x, uint64_t key)
{
	size_t hole = seek(x, key);
	if (!x->cell[hole].slot_1)
		return;
	x->n--;
	/* Move back what stands behind the hole only because of it, so that no search ends there too early.
	 */
	for (size_t at = (hole + 1) & x->mask; x->cell[at].slot_1; at = (at + 1) & x->mask) {
		size_t h = home(x, x->cell[at].key);
		if (((at - h) & x->mask) < ((at - hole) & x->mask))
			continue;
		x->cell[hole] = x->cell[at];
		hole = at;
	}
	x->cell[hole].slot_1 = 0;
}
