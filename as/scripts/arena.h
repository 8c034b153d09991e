/** @file The memory of an engine: one piece at an address that stays, of which at most `limit` octets are in use, and which can be put back to
 * what it was.
 *
 * An engine whose whole state lies in an arena is fresh again by one memcpy: no heap is built for a call, nothing is collected after it,
 * and nothing can be left behind by it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct arena;
struct arena_image;

/** @param limit  most octets that may be in use at a time; what is asked for beyond is refused
 * @return NULL: no memory */
struct arena *arena_new(size_t limit);
void arena_free(struct arena *a);

/* As malloc, realloc and free, aligned to 16; NULL: the limit is reached, which arena_exhausted remembers. */
void *arena_take(struct arena *a, size_t n);
void *arena_resize(struct arena *a, void *p, size_t n);
void arena_give(struct arena *a, void *p);
size_t arena_room(const struct arena *a, const void *p); /**< octets of a piece that may be used, at least what was asked for */
bool arena_exhausted(const struct arena *a);
size_t arena_used(const struct arena *a);

/** Keep what is in it now. @return NULL: no memory */
struct arena_image *arena_save(const struct arena *a);
/** Put that back: every pointer into the arena means again what it meant then. */
void arena_restore(struct arena *a, const struct arena_image *i);
size_t arena_image_size(const struct arena_image *i);
void arena_image_free(struct arena_image *i);
