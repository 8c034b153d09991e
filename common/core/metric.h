/** @file What a process counts, described once in its metrics.def:
 *
 *     METRIC(uplinks,        COUNTER, "gs_uplinks_total", "Uplinks received with a good CRC")
 *     METRIC_BY(tx, TX_N,    COUNTER, "gs_tx_total", "result", tx_label, "Emissions, by what became of them")
 *
 * From a row come a member of the struct that is counted in (here) and its text (common/metrics.h). Counting neither allocates
 * nor looks anything up. Times are counted in microseconds and shown in seconds.
 *
 * Names begin with the process, as its settings do (gs_, ns_, as_), and with godwit_ where every process has the metric. Counters
 * end in _total, times in _seconds, sizes in _bytes.
 */
#pragma once
#include <stdint.h>

enum { HISTOGRAM_BOUNDS = 16 };
extern const uint32_t histogram_bounds_us[HISTOGRAM_BOUNDS]; /**< 100 us to 10 s; the same for all, so that stages compare */

struct histogram {
	uint64_t n[HISTOGRAM_BOUNDS + 1]; /**< by the first bound that is not exceeded; the last: longer than all */
	uint64_t sum_us;
};

void histogram_add(struct histogram *h, uint64_t us);
/** The time since a moment that may lie ahead, by another clock's doing: then none. */
static inline uint64_t us_since(uint64_t since_us, uint64_t now_us)
{
	return now_us > since_us ? now_us - since_us : 0;
}

/* The member that a row makes, by its kind. */
#define METRIC_MEMBER_COUNTER   uint64_t
#define METRIC_MEMBER_GAUGE     uint64_t
#define METRIC_MEMBER_SECONDS   uint64_t /* a gauge [us] */
#define METRIC_MEMBER_HISTOGRAM struct histogram
