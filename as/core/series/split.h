/** @file A chunk that is full, in parts: in order of time, and of what was said twice of one time only the last. */
#pragma once
#include "as/core/series/rows.h"

struct row_of {
	int64_t ts_ms;
	const struct reading *v;
	size_t n; /**< at most ROWS_VALUES_MAX */
};

/** Write the rows of a chunk and one more into parts of about half the size that chunks may have; what is of one time stays together.
 * @param first_ms  of the chunk, and of the first part
 * @param to        the parts' size, and who is told of each, in order; the chunk must stay as it is meanwhile
 * @return 0; SPLIT_E_LARGE values of one time did not fit and were left out; -ENOMEM; -EBADMSG the chunk is damaged; what put returned */
enum { SPLIT_E_LARGE = 3 };
struct split_to {
	size_t full; /**< octets at which a part is closed */
	size_t max;  /**< octets of one that has very much of one time */
	int (*put)(void *ctx, int64_t first_ms, struct slice part);
	void *ctx;
};
int split_chunk(struct slice chunk, int64_t first_ms, const struct row_of *row, const struct split_to *to);
