/** @file A CSV of end devices. */
#include "as/cli/fleet_csv.h"
#include <stdio.h>
#include <string.h>

enum { CSV_CELL_MAX = 400 * 1024 };

/* A flag's doc is the path of what is in force. */
static const struct flag columns[] = {
#define COLUMN(name, kind, path, live) { name, path, live, FLAG_##kind, 0 },
#include "as/cli/fleet_csv.def"
#undef COLUMN
};

/* ---- rows ---- */

void csv_init(struct csv *c)
{
	memset(c, 0, sizeof *c);
	c->cells = text_growing(CSV_ROW_MAX);
}

void csv_done(struct csv *c)
{
	text_done(&c->cells);
}

static void begin_row(struct csv *c)
{
	text_reset(&c->cells);
	c->n = 0;
	c->is_quoted = c->was_quote = c->is_cell = c->is_bad = false;
}

static void begin_cell(struct csv *c)
{
	if (c->is_cell)
		return;
	c->is_cell = true;
	c->was_quote = false;
	if (c->n == CSV_COLUMNS)
		c->is_bad = true;
	else
		c->at[c->n++] = c->cells.len;
}

static void end_cell(struct csv *c)
{
	begin_cell(c);
	text_putc(&c->cells, '\0');
	c->is_cell = c->is_quoted = c->was_quote = false;
}

static bool is_blank_row(const struct csv *c)
{
	return !c->n && !c->is_cell;
}

/* The header says which it is: the first of the two that it holds. */
static bool is_separator(struct csv *c, int ch)
{
	if (!c->sep && (ch == ';' || ch == ','))
		c->sep = (char)ch;
	return c->sep && ch == c->sep;
}

/* Inside quotes; a quote ends them, unless it is doubled. */
static void take_quoted(struct csv *c, int ch)
{
	if (ch == '"')
		c->is_quoted = false;
	else
		text_putc(&c->cells, (char)ch);
	c->was_quote = ch == '"';
}

bool csv_take(struct csv *c, int ch)
{
	if (c->is_quoted && ch != EOF) {
		take_quoted(c, ch);
		return false;
	}
	if (ch == '\n' || ch == EOF) {
		if (is_blank_row(c))
			return false;
		c->is_bad |= c->is_quoted;
		end_cell(c);
		c->is_bad |= c->cells.failed;
		return true;
	}
	if (ch == '\r' || (ch == ' ' && !c->is_cell))
		return false;
	if (is_separator(c, ch)) {
		end_cell(c);
	} else if (ch == '"') {
		/* The first of a cell, the second of a doubled one, or in the wrong place. */
		bool is_first = !c->is_cell;
		begin_cell(c);
		if (!is_first)
			text_putc(&c->cells, '"');
		c->is_quoted = is_first || c->was_quote;
		c->is_bad |= !c->is_quoted;
	} else {
		begin_cell(c);
		c->is_bad |= c->was_quote;
		text_putc(&c->cells, (char)ch);
	}
	return false;
}

static const char *cell(const struct csv *c, size_t i)
{
	return i < c->n && c->cells.p ? c->cells.p + c->at[i] : "";
}

int csv_header(struct csv *c, struct text *err)
{
	bool any = false;
	c->n_columns = c->n;
	for (size_t i = 0; i < c->n; i++) {
		c->column[i] = NULL;
		for (size_t k = 0; k < COUNT(columns); k++)
			if (!strcmp(cell(c, i), columns[k].name))
				c->column[i] = &columns[k];
		any |= c->column[i] != NULL;
	}
	bool is_bad = c->is_bad;
	c->has_header = true;
	begin_row(c);
	if (any && !is_bad)
		return 0;
	text_puts(err, is_bad ? "the header is no row of CSV" : "the header names no column that is known: id, dev_eui, join_eui, app_key, ...");
	return -EINVAL;
}

/* ---- a row as JSON ---- */

/* Spreadsheets write TRUE. */
static const char *truth_of(const char *z)
{
	static const char *const yes[] = { "true", "TRUE", "True", "1", "t" }, *const no[] = { "false", "FALSE", "False", "0", "f" };
	for (size_t i = 0; i < COUNT(yes); i++) {
		if (!strcmp(z, yes[i]))
			return "true";
		if (!strcmp(z, no[i]))
			return "false";
	}
	return NULL;
}

static void eui_id(const char *eui, char ret[24])
{
	size_t n = 4;
	memcpy(ret, "eui-", 5);
	for (; *eui && n < 20; eui++)
		if (*eui != '-' && *eui != ':' && *eui != ' ')
			ret[n++] = *eui >= 'A' && *eui <= 'F' ? (char)(*eui + 32) : *eui;
	ret[n] = '\0';
}

static bool is_below(const struct flag *f, const char *what)
{
	return str_starts(str_of(f->path), what);
}

static int check_row(const struct csv *c, struct text *err)
{
	if (c->is_bad)
		text_puts(err, "it is no row of CSV: a quote in the wrong place, or too much of it");
	else if (c->n != c->n_columns)
		text_printf(err, "it has %zu fields, the header has %zu", c->n, c->n_columns);
	else
		return 0;
	return -EINVAL;
}

/* What a row says. */
struct said {
	struct arg args[CSV_COLUMNS + 2];
	size_t n;
	const char *eui;
	bool has_id, says_join, has_root;
};

static int take_cell(struct said *s, const struct flag *f, const char *z, struct text *err)
{
	if (!f || !*z)
		return 0;
	const char *value = f->kind == FLAG_TRUTH ? truth_of(z) : z;
	if (!value) {
		text_printf(err, "%s: must be true or false", f->name);
		return -EINVAL;
	}
	s->args[s->n++] = (struct arg){ .flag = f, .value = value };
	s->has_id |= is_below(f, "ids.device_id");
	s->says_join |= is_below(f, "supports_join");
	s->has_root |= is_below(f, "root_keys.");
	if (is_below(f, "ids.dev_eui"))
		s->eui = z;
	return 0;
}

static int write_said(struct said *s, struct text *ret_json, struct text *err)
{
	static const struct flag id = { .path = "ids.device_id", .kind = FLAG_VALUE }, joins = { .path = "supports_join", .kind = FLAG_VALUE };
	struct cli nobody = { .err = *err };
	char made[24];
	if (!s->has_id && *s->eui) {
		eui_id(s->eui, made);
		s->args[s->n++] = (struct arg){ .flag = &id, .value = made };
	}
	if (!s->says_join && s->has_root)
		s->args[s->n++] = (struct arg){ .flag = &joins, .value = "true" };
	int r = cli_body(&nobody, 0, NULL, s->args, s->n, ret_json) ? -EINVAL : 0;
	*err = nobody.err;
	return r;
}

int csv_device(struct csv *c, struct text *ret_json, struct text *err)
{
	struct said s = { .eui = "" };
	int r = check_row(c, err);
	for (size_t i = 0; !r && i < c->n; i++)
		r = take_cell(&s, c->column[i], cell(c, i), err);
	if (!r)
		r = write_said(&s, ret_json, err);
	begin_row(c);
	return r;
}

/* ---- JSON as a row ---- */

static json_val find(const struct json *j, json_val root, const char *path)
{
	struct str rest = str_of(path), part;
	json_val v = root;
	while (rest.n && v >= 0 && json_type(j, v) == JSON_OBJECT) {
		char name[64];
		rest = str_cut(rest, '.', &part);
		v = str_copy(part, name, sizeof name) ? -1 : json_get(j, v, name);
	}
	return rest.n ? -1 : v;
}

static void one_text(const struct json *j, json_val v, struct text *t)
{
	char whole[4096];
	if (json_type(j, v) == JSON_BOOL)
		text_put(t, json_raw(j, v));
	else if (!json_string(j, v, whole, sizeof whole))
		text_puts(t, whole);
}

/* A list is its elements with commas between; one that says nothing is none, as it is read. */
static void value_text(const struct json *j, json_val v, struct text *t)
{
	if (json_type(j, v) != JSON_ARRAY) {
		one_text(j, v, t);
		return;
	}
	for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e)) {
		AUTO(text_done) struct text one = text_growing(CSV_CELL_MAX);
		one_text(j, e, &one);
		if (t->len && one.len)
			text_putc(t, ',');
		text_put(t, text_str(&one));
		t->failed |= one.failed;
	}
}

static void write_cell(struct text *t, struct str s)
{
	bool needs_quotes = s.n && s.p[0] == ' ';
	for (size_t i = 0; i < s.n; i++)
		needs_quotes |= s.p[i] == ';' || s.p[i] == '"' || s.p[i] == '\n' || s.p[i] == '\r';
	if (!needs_quotes) {
		text_put(t, s);
		return;
	}
	text_putc(t, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"')
			text_putc(t, '"');
		text_putc(t, s.p[i]);
	}
	text_putc(t, '"');
}

/* A column under a second name is read, not written. */
static bool is_written(const struct flag *column)
{
	return column->doc != NULL;
}

void csv_write_header(struct text *t)
{
	for (size_t i = 0; i < COUNT(columns); i++)
		if (is_written(&columns[i]))
			text_printf(t, "%s%s", i ? ";" : "", columns[i].name);
	text_putc(t, '\n');
}

void csv_write_device(struct text *t, const struct json *j, json_val device)
{
	for (size_t i = 0; i < COUNT(columns); i++) {
		AUTO(text_done) struct text value = text_growing(CSV_CELL_MAX);
		json_val live = is_written(&columns[i]) && columns[i].doc[0] ? find(j, device, columns[i].doc) : -1;
		if (!is_written(&columns[i]))
			continue;
		value_text(j, live >= 0 ? live : find(j, device, columns[i].path), &value);
		t->failed |= value.failed;
		if (i)
			text_putc(t, ';');
		write_cell(t, text_str(&value));
	}
	text_putc(t, '\n');
}
