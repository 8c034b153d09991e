/** @file Time series of devices: where a value goes, what is kept of it, how long.
 *
 * A device's values lie in chunks (rows.h), each from its first time on up to the first of the next; the oldest one that there is when something
 * older comes takes all that is older (its first time is 0). A row that comes goes into the chunk of its time, whenever it comes. A full chunk is
 * followed by another if the row is newer than all it has, and is split otherwise; then what was said again of the same time is dropped.
 *
 * Beside them stands the device's head: what its chunks take, and of each key the newest value. Keys that are too many are refused.
 */
#pragma once
#include "as/core/series/names.h"
#include "as/core/series/rows.h"

enum {
	SERIES_CHUNK = 1000,          /**< octets up to which rows are added to a chunk: what each further row costs grows with it */
	SERIES_CHUNK_MAX = 512 << 10, /**< of one that has a row larger than that, or very much of one time */
	SERIES_HEAD_TEXT = 64,        /**< the longest text of a newest value that stands in the head */
};

/** Where records are kept. What is given is borrowed until the next call of any of them. */
struct series_shelf {
	void *ctx;
	/** The chunk with the latest first time that is at most at_ms. @return 0; SERIES_E_NONE; -errno */
	int (*seek)(void *ctx, uint64_t uid, int64_t at_ms, int64_t *ret_first_ms, struct slice *ret);
	int (*put)(void *ctx, uint64_t uid, int64_t first_ms, struct slice chunk);
	int (*del)(void *ctx, uint64_t uid, int64_t first_ms);
	int (*head)(void *ctx, uint64_t uid, struct slice *ret); /**< SERIES_E_NONE: there is none */
	int (*put_head)(void *ctx, uint64_t uid, struct slice head);
	int (*del_head)(void *ctx, uint64_t uid);
};
enum { SERIES_E_NONE = 1, SERIES_E_KEYS = 2, SERIES_E_LARGE = 3 };

struct series_limits {
	size_t keys;           /**< of a device */
	uint64_t device_bytes; /**< its chunks; beyond, the oldest go */
};

struct series {
	struct series_shelf shelf;
	struct series_limits limits;
	uint64_t bytes;   /**< all chunks of all devices; the caller sets what there was at the start */
	uint64_t damaged; /**< chunks and heads that were given up, since the start */
	/* memory */
	struct names newest;
	uint8_t *head_bytes, *head_read, *chunk;
	size_t head_max;
	struct rows rows;
};

/** @param limits  copied @return 0; -ENOMEM */
int series_init(struct series *s, const struct series_shelf *shelf, const struct series_limits *limits);
void series_done(struct series *s);

/** Keep values of one time. Values of keys that would be too many are left out.
 * @param first  any number of values, no key twice
 * @return 0; SERIES_E_KEYS some were left out; SERIES_E_LARGE it is more of one time than is kept: it is not; -errno of the shelf */
int series_add(struct series *s, uint64_t uid, int64_t ts_ms, const struct reading *first, size_t n);

/** What a head says. */
struct series_head {
	uint64_t bytes, chunks;
	const struct names *newest; /**< borrowed until the next call; one whose text is long is of VALUE_KIND_N */
};
/** @return 0; SERIES_E_NONE the device has no series; -errno */
int series_head(struct series *s, uint64_t uid, struct series_head *ret);
/** The same of a head that was read elsewhere. @return 0; -EBADMSG damaged */
int series_head_read(struct slice head, uint64_t *ret_bytes);

/** Delete chunks whose values are all older than that, `most` of them at most. @return how many; -errno */
int series_trim(struct series *s, uint64_t uid, int64_t before_ms, size_t most);
/** Delete everything of a device, newest values too. @return 0; -errno */
int series_forget(struct series *s, uint64_t uid);
