/** @file Metrics as Prometheus text (exposition format 0.0.4). */
#include "common/metrics.h"
#include <string.h>

/** Backslash and line feed are what a HELP line escapes. */
static void put_help(struct text *t, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\')
			text_puts(t, "\\\\");
		else if (*help == '\n')
			text_puts(t, "\\n");
		else
			text_putc(t, *help);
	}
}

void metrics_label(struct text *t, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			text_putc(t, '\\');
		if (*value == '\n')
			text_puts(t, "\\n");
		else
			text_putc(t, *value);
	}
}

void metrics_head(struct text *t, const char *name, const char *help, enum metric_kind kind)
{
	static const char *const types[] = { [METRIC_COUNTER] = " counter\n", [METRIC_GAUGE] = " gauge\n", [METRIC_SECONDS] = " gauge\n",
		[METRIC_HISTOGRAM] = " histogram\n" };
	text_puts(t, "# HELP ");
	text_puts(t, name);
	text_putc(t, ' ');
	put_help(t, help);
	text_puts(t, "\n# TYPE ");
	text_puts(t, name);
	text_puts(t, types[kind]);
}

/** What stands beside each sample of a row. */
struct beside {
	const char *process, *label, *value; /**< NULL: not there */
};

static void put_one(struct text *t, bool *is_first, const char *label, const char *value)
{
	text_putc(t, *is_first ? '{' : ',');
	*is_first = false;
	text_puts(t, label);
	text_puts(t, "=\"");
	metrics_label(t, value);
	text_putc(t, '"');
}

/** @param le  the bound of a bucket; NULL: none */
static void put_name(struct text *t, const char *name, const char *suffix, const struct beside *b, const char *le)
{
	bool is_first = true;
	text_puts(t, name);
	text_puts(t, suffix);
	if (b->process)
		put_one(t, &is_first, "process", b->process);
	if (b->value)
		put_one(t, &is_first, b->label, b->value);
	if (le)
		put_one(t, &is_first, "le", le);
	text_puts(t, is_first ? " " : "} ");
}

static void put_seconds(struct text *t, uint64_t us)
{
	text_decimal(t, (int64_t)us, 6);
	text_putc(t, '\n');
}

static void put_count(struct text *t, uint64_t n)
{
	text_u64(t, n);
	text_putc(t, '\n');
}

/** Buckets are cumulative; the count is the last one. */
static void put_histogram(struct text *t, const char *name, const struct beside *b, const struct histogram *h)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		char bound[24];
		struct text le = text_fixed(bound, sizeof bound);
		text_decimal(&le, histogram_bounds_us[i], 6);
		put_name(t, name, "_bucket", b, bound);
		put_count(t, n += h->n[i]);
	}
	n += h->n[HISTOGRAM_BOUNDS];
	put_name(t, name, "_bucket", b, "+Inf");
	put_count(t, n);
	put_name(t, name, "_sum", b, NULL);
	put_seconds(t, h->sum_us);
	put_name(t, name, "_count", b, NULL);
	put_count(t, n);
}

static void put_value(struct text *t, const struct metric *m, const struct beside *b, const char *at)
{
	uint64_t value;
	if (m->kind == METRIC_HISTOGRAM) {
		struct histogram h;
		memcpy(&h, at, sizeof h);
		put_histogram(t, m->name, b, &h);
		return;
	}
	memcpy(&value, at, sizeof value);
	put_name(t, m->name, "", b, NULL);
	if (m->kind == METRIC_SECONDS)
		put_seconds(t, value);
	else
		put_count(t, value);
}

void metrics_render(struct text *t, const struct metric *m, size_t n, const void *values, const char *process)
{
	for (const struct metric *end = m + n; m < end; m++) {
		size_t size = m->kind == METRIC_HISTOGRAM ? sizeof(struct histogram) : sizeof(uint64_t);
		metrics_head(t, m->name, m->help, m->kind);
		for (uint32_t i = 0; i < m->n; i++) {
			struct beside b = { process, m->label, m->word ? m->word(i) : NULL };
			if (!m->word || b.value)
				put_value(t, m, &b, (const char *)values + m->off + i * size);
		}
	}
}
