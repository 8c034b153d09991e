/** @file A downlink counter that can skip values in a crash and can never repeat one.
 *
 * Values are reserved on disk in blocks before they are used: the record holds the end of the reservation, written in a
 * batch that is committed anyway. After a restart the counter goes on behind the whole reservation.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { COUNTER_BLOCK = 32 };

struct counter {
	uint64_t next;        /**< not used yet; above UINT32_MAX: the session is at its end */
	uint64_t durable;     /**< values below this are reserved on disk */
	uint64_t asked;       /**< end of the reservation that was written last */
	uint64_t asked_batch; /**< and the batch it is in */
};

/** Begin at a value: 0 of a new session, or the reservation's end that a record held. */
void counter_start(struct counter *c, uint64_t first);
/** The end to write into the record now; takes another block once half of the last is used.
 * @param batch  what the record is written in */
uint64_t counter_reserve(struct counter *c, uint64_t batch);
/** May the next value be used, all batches up to `durable_batch` being on disk? */
bool counter_ready(struct counter *c, uint64_t durable_batch);
/** Use the next value, which must be ready. */
uint32_t counter_spend(struct counter *c);
