/** @file What a device's series say of a time: values newest first, or one of each interval; a chunk at a time, so that nobody is held up.
 */
#pragma once
#include "as/core/series/series.h"

enum ask_aggregate { ASK_NONE, ASK_MIN, ASK_MAX, ASK_AVG, ASK_SUM, ASK_COUNT, ASK_AGGREGATE_N };

/** @return 0; -EINVAL */
int ask_aggregate_of(struct str name, enum ask_aggregate *ret); /**< "avg", "AVG", "none" */

struct ask {
	uint64_t uid;
	int64_t from_ms, to_ms; /**< from this time on, and before that */
	size_t limit;           /**< values, or intervals, of each key; at least 1 */
	enum ask_aggregate aggregate;
	int64_t interval_ms;    /**< of an aggregate: each begins at from_ms and a whole number of these; at least 1 */
	void *ctx;
	/** Told of each key's values, its newest first. An aggregate has the time at which its interval begins; minimum, maximum, average and sum
	 * are of numbers only, and an interval without any has none. @param v borrowed */
	void (*tell)(void *ctx, size_t key, int64_t ts_ms, const struct value *v);
};

struct asking;
/** @param keys  as many as n; copied @return NULL: no memory */
struct asking *asking_new(const struct ask *ask, const struct str *keys, size_t n);
/** Look at one chunk. @return 1: go on; 0: all is told; -errno of the shelf */
int asking_step(struct asking *a, struct series *s);
struct str asking_key(const struct asking *a, size_t key); /**< borrowed */
void asking_free(struct asking *a);
