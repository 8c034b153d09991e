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
	text_puts(t, "# HELP ");
	text_puts(t, name);
	text_putc(t, ' ');
	put_help(t, help);
	text_puts(t, "\n# TYPE ");
	text_puts(t, name);
	text_puts(t, kind == METRIC_COUNTER ? " counter\n" : " gauge\n");
}

static bool is_first_of_name(const struct metric *m, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(m[j].name, m[i].name))
			return false;
	return true;
}

static void put_sample(struct text *t, const struct metric *m, const void *values)
{
	uint64_t value;
	memcpy(&value, (const char *)values + m->off, sizeof value);
	text_puts(t, m->name);
	if (m->labels && *m->labels) {
		text_putc(t, '{');
		text_puts(t, m->labels);
		text_putc(t, '}');
	}
	text_putc(t, ' ');
	text_u64(t, value);
	text_putc(t, '\n');
}

void metrics_render(struct text *t, const struct metric *m, size_t n, const void *values)
{
	for (size_t i = 0; i < n; i++) {
		if (!is_first_of_name(m, i))
			continue;
		metrics_head(t, m[i].name, m[i].help, m[i].kind);
		/* All samples of a name stand together, wherever its rows are. */
		for (size_t j = i; j < n; j++)
			if (!strcmp(m[j].name, m[i].name))
				put_sample(t, &m[j], values);
	}
}
