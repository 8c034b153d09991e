/** @file The time line: steps, measured and drawn in columns. */
#include "as/cli/show/width.h"
#include "as/cli/story/story.h"
#include "common/core/clock.h"
#include <stdlib.h>
#include <string.h>

enum { CELL = 4096, GAP = 2, DATA_LEAST = 24 };
static const char mac[] = "ns.mac.";
static const char red[] = "\033[31m", faint[] = "\033[2m", plain[] = "\033[0m";

enum { C_TIME, C_MARK, C_PROCESS, C_STEP, C_GATEWAY, C_DATA, COLUMNS };
struct line {
	char cell[COLUMNS][CELL];
};
static const char *const headings[COLUMNS] = { "ms", "", "", "step", "gateway", "" };

static const char *words_of(const struct story *s, const struct step *e, char *buf, size_t cap)
{
	static const char *const words[EVENT_N] = {
#define STEP(event, text) [EVENT_##event] = text,
#include "as/cli/story/steps.def"
#undef STEP
	};
	if (e->is_on_air)
		return "on air";
	if (e->id != EVENT_N && words[e->id])
		return words[e->id];
	/* "ns.mac.link_adr.request" is "MAC link_adr request" */
	story_text(s, e, "name", buf, cap);
	if (!str_starts(str_of(buf), mac))
		return buf;
	memcpy(buf, "MAC ", 4);
	memmove(buf + 4, buf + sizeof mac - 1, strlen(buf + sizeof mac - 1) + 1);
	for (char *p = buf; *p; p++)
		*p = *p == '.' ? ' ' : *p;
	return buf;
}

static bool is_failure(const struct step *e)
{
	return !e->is_on_air && e->id != EVENT_N && events_info(e->id)->outcome == EVENT_OUTCOME_FAIL;
}

/* ---- steps ---- */

static int by_time(const void *a, const void *b)
{
	const struct step *x = a, *y = b;
	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->event < y->event ? -1 : x->event > y->event;
}

static struct step step_of(const struct json *j, json_val event)
{
	struct step e = { .event = event, .id = EVENT_N };
	char buf[80] = "";
	uint64_t ns = 0;
	if (!json_string(j, json_get(j, event, "time"), buf, sizeof buf) && !clock_parse_rfc3339(str_of(buf), &ns))
		e.time_us = ns / 1000;
	if (!json_string(j, json_get(j, event, "name"), buf, sizeof buf))
		events_find(str_of(buf), &e.id);
	return e;
}

static bool is_attempt(const struct step *e)
{
	return e->id == EVENT_NS_DOWN_DATA_SCHEDULE_ATTEMPT || e->id == EVENT_NS_DOWN_JOIN_SCHEDULE_ATTEMPT;
}

/** Was what the attempt chose sent? The next word of that gateway says so. */
static bool was_sent(const struct story *s, size_t at)
{
	char asked[64], told[64];
	story_text(s, &s->v[at], "identifiers.gateway_id", asked, sizeof asked);
	for (size_t i = at + 1; i < s->n; i++) {
		const struct step *e = &s->v[i];
		if (e->id != EVENT_NS_DOWN_TRANSMISSION_SUCCESS && e->id != EVENT_NS_DOWN_TRANSMISSION_FAIL)
			continue;
		if (!strcmp(story_text(s, e, "identifiers.gateway_id", told, sizeof told), asked))
			return e->id == EVENT_NS_DOWN_TRANSMISSION_SUCCESS;
	}
	return false;
}

/** What was sent stands in the time line at its moment too. */
static void add_emissions(struct story *s)
{
	size_t n = s->n;
	for (size_t i = 0; i < n; i++) {
		char due[64];
		uint64_t ns;
		if (!is_attempt(&s->v[i]) || !was_sent(s, i))
			continue;
		if (clock_parse_rfc3339(str_of(story_text(s, &s->v[i], "data.due", due, sizeof due)), &ns))
			continue;
		s->v[s->n++] = (struct step){ .event = s->v[i].event, .id = s->v[i].id, .time_us = ns / 1000, .is_on_air = true };
	}
	qsort(s->v, s->n, sizeof *s->v, by_time);
}

/** A TX_ACK is told twice: as it came, and what it means. */
static void hide_repeats(struct story *s)
{
	for (size_t i = 0; i + 1 < s->n; i++) {
		enum event_id next = s->v[i + 1].id;
		s->v[i].is_hidden = s->v[i].id == EVENT_GS_TXACK_RECEIVE && (next == EVENT_GS_DOWN_TX_SUCCESS || next == EVENT_GS_DOWN_TX_FAIL);
	}
}

static int story_make(struct story *s, const struct json *j)
{
	json_val root = json_root(j);
	size_t max = 2 * json_count(j, root);
	*s = (struct story){ .j = j, .v = calloc(max ? max : 1, sizeof *s->v) };
	if (!s->v)
		return -ENOMEM;
	for (json_val v = json_first(j, root); v >= 0; v = json_next(j, v))
		s->v[s->n++] = step_of(j, v);
	qsort(s->v, s->n, sizeof *s->v, by_time);
	s->start_us = s->n ? s->v[0].time_us : 0;
	add_emissions(s);
	hide_repeats(s);
	return 0;
}

/* ---- lines ---- */

static void air_data(struct text *t, const struct story *s, const struct step *e)
{
	int64_t window, us;
	if (!story_number(s, e, "data.window", &window))
		text_puts(t, story_window(window));
	if (!story_number(s, e, "data.airtime_us", &us)) {
		text_puts(t, "  for ");
		story_ms(t, us);
	}
}

static void line_make(struct line *l, const struct story *s, const struct step *e)
{
	char buf[CELL];
	struct text cell[COLUMNS];
	for (size_t i = 0; i < COLUMNS; i++)
		cell[i] = text_fixed(l->cell[i], CELL);
	int64_t us = (int64_t)e->time_us - (int64_t)s->start_us;
	text_printf(&cell[C_TIME], "%lld.%lld", (long long)(us / 1000), (long long)(us / 100 % 10));
	text_puts(&cell[C_MARK], is_failure(e) ? "!" : "");
	if (!e->is_on_air)
		width_safe(&cell[C_PROCESS], str_of(story_text(s, e, "process", buf, sizeof buf)));
	width_safe(&cell[C_STEP], str_of(words_of(s, e, buf, sizeof buf)));
	width_safe(&cell[C_GATEWAY], str_of(story_text(s, e, "identifiers.gateway_id", buf, sizeof buf)));
	if (e->is_on_air)
		air_data(&cell[C_DATA], s, e);
	else
		story_data(&cell[C_DATA], s, e);
}

static void pad(struct text *out, size_t n)
{
	while (n--)
		text_putc(out, ' ');
}

/** Where a line that has no room for more of s ends: between two members, else between two words. */
static size_t line_end(struct str head)
{
	size_t n = head.n;
	for (size_t i = head.n; i > head.n / 2 && i > 1; i--)
		if (head.p[i - 1] == ' ' && head.p[i - 2] == ' ')
			return i;
	while (n && head.p[n - 1] != ' ')
		n--;
	return n ? n : head.n;
}

void timeline_wrap(struct text *out, struct str s, size_t column, size_t width)
{
	size_t room = width == SIZE_MAX ? SIZE_MAX : width > column + DATA_LEAST ? width - column : DATA_LEAST;
	while (width_of(s) > room) {
		struct str head = width_cut(s, room);
		size_t n = line_end(head);
		text_put(out, str_trim((struct str){ s.p, n }));
		text_putc(out, '\n');
		pad(out, column);
		s = (struct str){ s.p + n, s.n - n };
		while (s.n && *s.p == ' ')
			s = (struct str){ s.p + 1, s.n - 1 };
	}
	text_put(out, s);
}

static void put_line(struct text *out, const struct line *l, const size_t *w, const struct timeline_style *style, const char *color)
{
	size_t column = 0;
	text_puts(out, style->is_colored ? color : "");
	pad(out, w[C_TIME] - width_of(str_of(l->cell[C_TIME])));
	text_puts(out, l->cell[C_TIME]);
	column = w[C_TIME];
	for (size_t i = C_MARK; i < C_DATA; i++) {
		pad(out, i == C_MARK ? 1 : GAP);
		text_puts(out, l->cell[i]);
		pad(out, w[i] - width_of(str_of(l->cell[i])));
		column += (i == C_MARK ? 1 : GAP) + w[i];
	}
	pad(out, GAP);
	timeline_wrap(out, str_of(l->cell[C_DATA]), column + GAP, style->width);
	while (out->len && out->p[out->len - 1] == ' ')
		out->len--;
	text_puts(out, style->is_colored && *color ? plain : "");
	text_putc(out, '\n');
}

static void head_write(struct text *out, const struct story *s)
{
	text_puts(out, "0 is ");
	clock_rfc3339(out, s->start_us * 1000);
	text_puts(out, "; marked with ! is what failed\n");
}

int timeline_write(struct text *out, const struct json *j, const struct timeline_style *style)
{
	struct story s;
	struct line *l = malloc(sizeof *l);
	size_t w[COLUMNS] = { 0 };
	int e = l ? story_make(&s, j) : -ENOMEM;
	if (e) {
		free(l);
		return e;
	}
	for (size_t i = 0; i < COLUMNS; i++)
		w[i] = i == C_MARK ? 1 : width_of(str_of(headings[i]));
	for (size_t i = 0; i < s.n; i++) {
		line_make(l, &s, &s.v[i]);
		for (size_t c = 0; c < COLUMNS; c++)
			w[c] = width_of(str_of(l->cell[c])) > w[c] ? width_of(str_of(l->cell[c])) : w[c];
	}
	if (s.n) {
		head_write(out, &s);
		for (size_t i = 0; i < COLUMNS; i++)
			str_copy(str_of(headings[i]), l->cell[i], CELL);
		put_line(out, l, w, style, faint);
	}
	for (size_t i = 0; i < s.n; i++) {
		if (s.v[i].is_hidden)
			continue;
		line_make(l, &s, &s.v[i]);
		put_line(out, l, w, style, is_failure(&s.v[i]) ? red : "");
	}
	story_sum(out, &s);
	free(s.v);
	free(l);
	return 0;
}
