/** @file A chunk of a device's series: what it said at one time after another, a row each, in few octets.
 *
 * Chunk: check (4, as seal_close makes it), then rows. A row is its shape, its time and its values. A shape says which keys in which kinds, and
 * is written where it is used first; a device that says the same things each time has one, and each further row costs an octet for it.
 * The time is written as how much longer or shorter it took than the row before, a number as its difference from the same place of the last
 * row of that shape, a text that is still the same as one octet. Decimals (21.43) are whole numbers of so many digits behind the point.
 *
 *     row:   varint 0, n, then for each value key and kind: a new shape; or varint number of the shape, from 1 on
 *            signed: change of the interval [ms]; then the values
 *     key:   varint number of a key of this chunk, from 1 on; or varint 0, then a text: a new one
 *     value: by kind: octet; 8 octets; varint 0 (as before) or length + 1 and octets; varint difference (folded, then the lowest bit: a long)
 *
 * Rows are in the order in which they came, which need not be that of their times.
 */
#pragma once
#include "as/core/series/pack.h"
#include "as/core/values/readings.h"

enum {
	ROWS_HEAD = 4,
	ROWS_VALUES_MAX = 256, /**< of a row */
	ROWS_KEYS_MAX = 1024,  /**< of a chunk, as the next two are */
	ROWS_SHAPES_MAX = 128,
	ROWS_SLOTS_MAX = 2048, /**< values of all its shapes */
};

/** The place of one value in a shape, and what stood there last. */
struct rows_slot {
	uint16_t key;
	uint8_t kind;
	int64_t number; /**< as it is written: times ten to the digits behind the point */
	struct str text;
};

/** A chunk that is being read, and once it has been read to its end may be written on. */
struct rows {
	struct reader r;
	struct str keys[ROWS_KEYS_MAX]; /**< borrowed from the chunk */
	struct { uint16_t first, n; } shapes[ROWS_SHAPES_MAX];
	struct rows_slot slots[ROWS_SLOTS_MAX];
	size_t n_keys, n_shapes, n_slots;
	uint64_t ts_ms, step_ms;
	size_t last_shape;
};

struct row {
	int64_t ts_ms;
	size_t n;
	const struct rows_slot *slots; /**< slots[i].key is the number that v[i].key has in this chunk */
	struct reading v[ROWS_VALUES_MAX];
};

/** Begin to read. @return 0; -EBADMSG damaged */
int rows_open(struct rows *rows, struct slice chunk);
/** Read the next row. @param ret  borrowed from the chunk @return 0; -ENOENT there are no more; -EBADMSG damaged */
int rows_next(struct rows *rows, struct row *ret);
/** The same without its values, for who wants to write behind them. */
int rows_skip(struct rows *rows, int64_t *ret_ts_ms);

/** Begin a chunk in w, which is empty. */
void rows_begin(struct rows *rows, struct writer *w);
/** Write a row behind what there is: after rows_begin, or behind a chunk that has been read to its end where it lies in w. On failure the
 * chunk is as it was, but nothing further can be written to it.
 * @param w      what has been written so far; its memory stays where it is
 * @param first  the row's first value; at most ROWS_VALUES_MAX of them, no key twice
 * @return 0; ROWS_E_FULL no room in w, or too many keys or shapes */
enum { ROWS_E_FULL = 1 };
int rows_add(struct rows *rows, struct writer *w, int64_t ts_ms, const struct reading *first, size_t n);
/** Give it its check. @return the chunk */
struct slice rows_seal(struct writer *w);
