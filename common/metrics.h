/** @file Counters and gauges of a process, described once in its metrics.def:
 *
 *     METRIC(uplinks, COUNTER, "gs_uplinks_total", "Uplinks received with a good CRC")
 *
 * A process keeps a struct of uint64_t made from that file; this renders it as Prometheus text.
 */
#pragma once
#include "common/core/text.h"
#include <stdint.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE };
struct metric {
	const char *name, *labels, *help; /**< labels: "" or "reason=\"mic\"" */
	size_t off;                       /**< of a uint64_t */
	enum metric_kind kind;
};
/** The lines before the samples of a name. */
void metrics_head(struct text *t, const char *name, const char *help, enum metric_kind kind);
/** A label's value, between quotation marks that the caller writes. */
void metrics_label(struct text *t, const char *value);
void metrics_render(struct text *t, const struct metric *m, size_t n, const void *values);
