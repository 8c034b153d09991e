/** @file Metrics as Prometheus text (exposition format 0.0.4), from the rows of common/core/metric.h:
 *
 *     static const struct metric rows[] = {
 *     #define METRIC(...) METRIC_ROW(struct gs_metrics, __VA_ARGS__)
 *     #define METRIC_BY(...) METRIC_ROW_BY(struct gs_metrics, __VA_ARGS__)
 *     #include "gs/core/metrics.def"
 */
#pragma once
#include "common/core/metric.h"
#include "common/core/text.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_SECONDS, METRIC_HISTOGRAM };
struct metric {
	const char *name, *help;
	enum metric_kind kind;
	uint32_t n; /**< values, from off on */
	size_t off;
	const char *label;                 /**< of each value; NULL: there is one, without a label of its own */
	const char *(*word)(unsigned i);   /**< what the label of value i says; NULL: that value is not shown */
};
#define METRIC_ROW(type, member, kind, name, help) { name, help, METRIC_##kind, 1, offsetof(type, member), NULL, NULL },
#define METRIC_ROW_BY(type, member, n, kind, name, label, word, help) { name, help, METRIC_##kind, n, offsetof(type, member), label, word },

/** Write all rows.
 * @param values   the struct they are about
 * @param process  "gs": the label `process` of each sample, for rows that several processes have; NULL: none */
void metrics_render(struct text *t, const struct metric *m, size_t n, const void *values, const char *process);
/** The lines before the samples of a name; for samples that are written by hand. */
void metrics_head(struct text *t, const char *name, const char *help, enum metric_kind kind);
/** Version, memory, open files and start of this process. */
void metrics_process(struct text *t, const char *process);
/** A label's value, between quotation marks that the caller writes. */
void metrics_label(struct text *t, const char *value);
