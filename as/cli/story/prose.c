/** @file Answers of `godwit why` as prose: the question, what is the matter, what it was found by, what to do. */
#include "as/cli/story/prose.h"
#include "as/cli/show/cell.h"
#include "as/cli/show/width.h"
#include "as/cli/story/story.h"
#include <string.h>

enum { TEXT = 2048, WIDEST = 110, INDENT = 4, HANG = 2 };
static const char bold[] = "\033[1m", red[] = "\033[31m", green[] = "\033[32m", plain[] = "\033[0m";

/** A paragraph, broken between words where the terminal ends; the lines after the first stand further in. */
static void paragraph(struct text *out, const struct timeline_style *style, size_t indent, const char *first, struct str s)
{
	size_t width = style->width == SIZE_MAX || style->width < WIDEST ? style->width : WIDEST;
	text_puts(out, first);
	timeline_wrap(out, s, indent, width);
	text_putc(out, '\n');
}

static const char *safe(const struct json *j, json_val v, char (*buf)[TEXT])
{
	char raw[TEXT] = "";
	struct text t = text_fixed(*buf, sizeof *buf);
	json_string(j, v, raw, sizeof raw);
	width_safe(&t, str_of(raw));
	return *buf;
}

static void write_value(struct text *t, const struct json *j, json_val v)
{
	bool on;
	if (json_type(j, v) == JSON_BOOL && !json_bool(j, v, &on))
		text_puts(t, on ? "yes" : "no");
	else
		cell_write(t, cell_guess(j, v), j, v);
}

/** Members of a state, each by its name. */
static void write_members(struct text *t, const struct json *j, json_val object)
{
	size_t n = 0;
	for (json_val m = json_first(j, object); m >= 0; m = json_next(j, m)) {
		char name[TEXT];
		json_val v = json_member_value(j, m);
		safe(j, m, &name);
		text_puts(t, n++ ? ", " : "");
		if (json_type(j, v) == JSON_OBJECT) {
			text_printf(t, "%s (", name);
			for (json_val i = json_first(j, v), k = 0; i >= 0; i = json_next(j, i), k++) {
				char inner[TEXT];
				text_printf(t, "%s%s ", k ? ", " : "", safe(j, i, &inner));
				write_value(t, j, json_member_value(j, i));
			}
			text_putc(t, ')');
		} else {
			text_printf(t, "%s ", name);
			write_value(t, j, v);
		}
	}
}

/** An event, with how often it was seen: "2026-11-28 10:02:47  js.join.reject  3 times since …  gtw1  mic" */
static void write_event(struct text *t, const struct json *j, json_val e)
{
	struct story s = { .j = j };
	struct step step = { .event = e };
	int64_t count;
	char buf[TEXT], data[TEXT];
	struct text d = text_fixed(data, sizeof data);
	cell_write(t, CELL_TIME, j, json_get(j, e, "time"));
	text_printf(t, "  %s", safe(j, json_get(j, e, "event"), &buf));
	if (!story_number(&s, &step, "count", &count) && count > 1) {
		text_printf(t, "  %lld times since ", (long long)count);
		cell_write(t, CELL_TIME, j, json_get(j, e, "first_time"));
	}
	if (json_get(j, e, "gateway_id") >= 0)
		text_printf(t, "  %s", safe(j, json_get(j, e, "gateway_id"), &buf));
	story_data(&d, &s, &step);
	text_printf(t, "%s%s", d.len ? "  " : "", data);
}

static void write_evidence(struct text *out, const struct json *j, json_val list, const struct timeline_style *style)
{
	const char *first = "    found by  ";
	for (json_val e = json_first(j, list); e >= 0; e = json_next(j, e)) {
		char line[TEXT * 2], name[TEXT];
		struct text t = text_fixed(line, sizeof line);
		json_val state = json_get(j, e, "state");
		if (state >= 0) {
			text_printf(&t, "%s: ", safe(j, state, &name));
			write_members(&t, j, json_get(j, e, "data"));
		} else {
			write_event(&t, j, e);
		}
		paragraph(out, style, strlen(first) + HANG, first, text_str(&t));
		first = "              ";
	}
}

static void write_answer(struct text *out, const struct json *j, json_val a, const struct timeline_style *style)
{
	char buf[TEXT], kind[TEXT], answer[TEXT + 128];
	struct text t = text_fixed(answer, sizeof answer);
	safe(j, json_get(j, a, "kind"), &kind);
	bool is_problem = !strcmp(kind, "problem"), is_fine = !strcmp(kind, "fine");
	text_puts(&t, safe(j, json_get(j, a, "answer"), &buf));
	text_printf(&t, " [%s]", safe(j, json_get(j, a, "finding"), &buf));
	text_puts(out, style->is_colored ? is_problem ? red : is_fine ? green : "" : "");
	paragraph(out, style, INDENT, is_problem ? "  ! " : is_fine ? "  + " : "  - ", text_str(&t));
	text_puts(out, style->is_colored && (is_problem || is_fine) ? plain : "");
	write_evidence(out, j, json_get(j, a, "evidence"), style);
	const char *first = "    do        ";
	json_val advice = json_get(j, a, "advice");
	for (json_val v = json_first(j, advice); v >= 0; v = json_next(j, v)) {
		paragraph(out, style, strlen(first) + HANG, first, str_of(safe(j, v, &buf)));
		first = "              ";
	}
}

void prose_write(struct text *out, const struct json *j, const struct timeline_style *style)
{
	char before[TEXT] = "", question[TEXT];
	for (json_val a = json_first(j, json_root(j)); a >= 0; a = json_next(j, a)) {
		safe(j, json_get(j, a, "question"), &question);
		if (strcmp(question, before))
			text_printf(out, "%s%s%s%s\n", *before ? "\n" : "", style->is_colored ? bold : "", question, style->is_colored ? plain : "");
		memcpy(before, question, sizeof before);
		write_answer(out, j, a, style);
	}
}
