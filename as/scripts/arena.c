/** @file Pieces of sixteen octets to some MiB, by classes of size; whatever there is to know of them lies in the arena itself. */
#include "as/scripts/arena.h"
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Four classes to each doubling, so that at most a fifth of a piece lies idle. The room beyond the limit makes up for pieces that
 * are free, and too small for what is asked for now. */
enum { FIRST_SHIFT = 7, CLASSES = 8 + 4 * 24, HEAD = 8, ROOM_FACTOR = 4, KEPT_MAX = 1 << 20 };

struct piece {
	uint32_t class;
	uint32_t unused;
	struct piece *next; /* while it is free */
};
static_assert(offsetof(struct piece, next) == HEAD, "what is handed out begins where a free piece's link stands");

struct arena {
	size_t limit, room, used, top; /* top: where what was never handed out begins */
	bool exhausted;
	struct piece *free[CLASSES];
};

struct arena_image {
	size_t n;
	char octets[];
};

/* Of a piece with its head: 16, 32 ... 128, then 160, 192, 224, 256, 320 ... */
static size_t class_size(unsigned c)
{
	if (c < 8)
		return (c + 1) * 16u;
	unsigned shift = (c - 8) / 4, quarter = (c - 8) % 4;
	return ((size_t)(5 + quarter) << (FIRST_SHIFT - 2)) << shift;
}

static unsigned class_of(size_t size)
{
	if (size <= 128)
		return (unsigned)((size + 15) / 16 - 1);
	unsigned shift = 63 - (unsigned)__builtin_clzll((unsigned long long)(size - 1)); /* size is in (2^shift, 2^(shift + 1)] */
	unsigned quarter = (unsigned)((size - 1) >> (shift - 2)) & 3;
	return 8 + (shift - FIRST_SHIFT) * 4 + quarter;
}

struct arena *arena_new(size_t limit)
{
	size_t room = limit * ROOM_FACTOR;
	struct arena *a = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a == MAP_FAILED)
		return NULL;
	size_t begin = (sizeof *a + 15) / 16 * 16 + 16 - HEAD;
	*a = (struct arena){ .limit = limit, .room = room, .top = begin };
	return a;
}

void arena_free(struct arena *a)
{
	if (a)
		munmap(a, a->room);
}

static struct piece *piece_of(void *p)
{
	return (struct piece *)(void *)((char *)p - HEAD);
}

void *arena_take(struct arena *a, size_t n)
{
	if (n > a->limit) {
		a->exhausted = true;
		return NULL;
	}
	unsigned c = class_of(n + HEAD);
	size_t size = class_size(c);
	struct piece *it = a->free[c];
	if (a->used + size > a->limit || (!it && a->top + size > a->room)) {
		a->exhausted = true;
		return NULL;
	}
	if (it) {
		a->free[c] = it->next;
	} else {
		it = (struct piece *)(void *)((char *)a + a->top);
		it->class = c;
		a->top += size;
	}
	a->used += size;
	return (char *)it + HEAD;
}

void arena_give(struct arena *a, void *p)
{
	if (!p)
		return;
	struct piece *it = piece_of(p);
	size_t size = class_size(it->class);
	a->used -= size;
	if ((char *)it + size == (char *)a + a->top) {
		a->top -= size; /* the last one: what grows step by step takes no more than it needs */
		return;
	}
	it->next = a->free[it->class];
	a->free[it->class] = it;
}

void *arena_resize(struct arena *a, void *p, size_t n)
{
	if (!p)
		return arena_take(a, n);
	if (!n) {
		arena_give(a, p);
		return NULL;
	}
	struct piece *it = piece_of(p);
	size_t size = class_size(it->class);
	if (n <= a->limit && class_of(n + HEAD) == it->class)
		return p;
	if (n <= a->limit && (char *)it + size == (char *)a + a->top) {
		size_t wanted = class_size(class_of(n + HEAD));
		if (a->used - size + wanted > a->limit || a->top - size + wanted > a->room) {
			a->exhausted = true;
			return NULL;
		}
		a->top = a->top - size + wanted;
		a->used = a->used - size + wanted;
		it->class = class_of(n + HEAD);
		return p;
	}
	void *q = arena_take(a, n);
	if (!q)
		return NULL;
	memcpy(q, p, n < size - HEAD ? n : size - HEAD);
	arena_give(a, p);
	return q;
}

size_t arena_room(const struct arena *a, const void *p)
{
	(void)a;
	return p ? class_size(((const struct piece *)(const void *)((const char *)p - HEAD))->class) - HEAD : 0;
}

bool arena_exhausted(const struct arena *a)
{
	return a->exhausted;
}

size_t arena_used(const struct arena *a)
{
	return a->used;
}

struct arena_image *arena_save(const struct arena *a)
{
	struct arena_image *i = malloc(sizeof *i + a->top);
	if (!i)
		return NULL;
	i->n = a->top;
	memcpy(i->octets, a, a->top);
	return i;
}

void arena_restore(struct arena *a, const struct arena_image *i)
{
	/* Pages that a greedy call touched go back to the system; those of a usual one are kept. */
	size_t from = (i->n + KEPT_MAX) / 4096 * 4096;
	if (a->top > from)
		(void)madvise((char *)a + from, a->room - from, MADV_DONTNEED);
	memcpy((void *)a, i->octets, i->n);
}

size_t arena_image_size(const struct arena_image *i)
{
	return i->n;
}

void arena_image_free(struct arena_image *i)
{
	free(i);
}
