/** @file --table: rows and columns, as wide as what is in them and no wider than the terminal where that can be. */
#include "as/cli/show/table.h"
#include "as/cli/show/width.h"
#include <stdio.h>
#include <string.h>

enum { GAP = 2, NARROWEST = 10, CELLS_MAX = 64 << 20, LINE_MAX_ = TABLE_COLUMNS * 2 * TABLE_CELL };

static const char zone[] = " (UTC)";

static const struct column columns[] = {
#define COLUMN(object, heading, kind, path) { object, heading, path, CELL_##kind },
#include "as/cli/show/columns.def"
#undef COLUMN
};

static bool is_time(enum cell_kind kind)
{
	return kind == CELL_TIME || kind == CELL_TIME_MS || kind == CELL_EXPIRY;
}

static void add(struct table *t, const struct column *c)
{
	t->col[t->n] = *c;
	t->width[t->n] = width_of(str_of(c->heading)) + (is_time(c->kind) ? strlen(zone) : 0);
	t->n++;
}

/** One column for each path; it borrows from the list, and ends at the comma. */
static int add_fields(struct table *t, const char *object, const char *fields)
{
	struct str rest = str_of(fields), path;
	while (rest.n) {
		rest = str_cut(rest, ',', &path);
		if (t->n == TABLE_COLUMNS)
			return -E2BIG;
		t->col[t->n] = (struct column){ object, path.p, path.p, CELL_ANY };
		t->width[t->n++] = path.n;
	}
	return 0;
}

int table_begin(struct table *t, const char *object, const char *fields)
{
	*t = (struct table){ .terminal = width_of_terminal(), .cells = text_growing(CELLS_MAX) };
	if (fields)
		return add_fields(t, object, fields);
	for (size_t i = 0; i < COUNT(columns); i++)
		if (!strcmp(columns[i].object, object))
			add(t, &columns[i]);
	return t->n ? 0 : -ENOENT;
}

void table_done(struct table *t)
{
	text_done(&t->cells);
}

bool table_wants_more(const struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->col[i].path[0] == '+')
			return true;
	return false;
}

static void write_cell(struct text *t, const struct column *c, const struct row *r)
{
	struct str path = { c->path, strcspn(c->path, ",") };
	if (path.n && path.p[0] == '+') {
		path = (struct str){ path.p + 1, path.n - 1 };
		json_val v = r->more ? cell_at(r->more, json_root(r->more), path) : -1;
		if (v >= 0 && (path.n || c->kind != CELL_ADDRESS || json_get(r->more, v, "session") >= 0)) {
			cell_write(t, c->kind, r->more, v);
			return;
		}
	}
	json_val v = cell_at(r->j, r->v, path);
	if (v < 0 && r->more)
		cell_write(t, c->kind, r->more, cell_at(r->more, json_root(r->more), path));
	else
		cell_write(t, c->kind, r->j, v);
}

void table_row(struct table *t, const struct row *r)
{
	for (size_t i = 0; i < t->n; i++) {
		char buf[TABLE_CELL];
		struct text cell = text_fixed(buf, sizeof buf);
		write_cell(&cell, &t->col[i], r);
		size_t w = width_of(text_str(&cell));
		if (w > t->width[i])
			t->width[i] = w;
		t->has_any[i] |= cell.len > 0;
		text_put(&t->cells, text_str(&cell));
		text_putc(&t->cells, '\0');
	}
}

/** Make free texts narrower, the widest first, until the line fits or none may give. */
static void fit(const struct table *t, const bool *is_shown, size_t *width)
{
	for (;;) {
		size_t sum = 0, widest = TABLE_COLUMNS;
		for (size_t i = 0; i < t->n; i++) {
			if (!is_shown[i])
				continue;
			sum += width[i] + (sum ? GAP : 0);
			if (t->col[i].kind == CELL_TEXT && width[i] > NARROWEST && (widest == TABLE_COLUMNS || width[i] > width[widest]))
				widest = i;
		}
		if (sum <= t->terminal || widest == TABLE_COLUMNS)
			return;
		width[widest]--;
	}
}

/** A cell with blanks up to the next one. */
static void put_cell(struct text *line, struct str s, size_t width, bool at_right)
{
	size_t w = width_of(s);
	bool is_cut = w > width;
	if (is_cut) {
		s = width_cut(s, width - 1);
		w = width_of(s) + 1;
	}
	text_printf(line, "%*s", at_right ? (int)(width - w) : 0, "");
	text_put(line, s);
	text_puts(line, is_cut ? "…" : "");
	text_printf(line, "%*s", (int)(at_right ? GAP : width - w + GAP), "");
}

/** Without the blanks at its end. */
static void put_line(struct text *line)
{
	while (line->len && line->p[line->len - 1] == ' ')
		line->len--;
	printf("%.*s\n", (int)line->len, line->len ? line->p : "");
	text_reset(line);
}

static void print_headings(const struct table *t, const bool *is_shown, const size_t *width, struct text *line)
{
	for (size_t i = 0; i < t->n; i++) {
		char buf[128];
		struct text heading = text_fixed(buf, sizeof buf);
		const struct column *c = &t->col[i];
		text_put(&heading, (struct str){ c->heading, strcspn(c->heading, ",") });
		if (is_time(c->kind))
			text_puts(&heading, zone);
		if (is_shown[i])
			put_cell(line, text_str(&heading), width[i], cell_is_number(c->kind));
	}
	put_line(line);
}

void table_print(struct table *t, bool is_whole)
{
	AUTO(text_done) struct text line = text_growing(LINE_MAX_);
	bool is_shown[TABLE_COLUMNS];
	size_t width[TABLE_COLUMNS];
	memcpy(width, t->width, sizeof width);
	for (size_t i = 0; i < t->n; i++)
		is_shown[i] = !i || !is_whole || t->has_any[i] || !t->cells.len || t->col[i].kind == CELL_ANY;
	fit(t, is_shown, width);
	if (!t->is_begun)
		print_headings(t, is_shown, width, &line);
	t->is_begun = true;
	const char *cell = t->cells.p, *end = t->cells.p + t->cells.len;
	for (size_t i = 0; cell < end; i = (i + 1) % t->n) {
		struct str s = str_of(cell);
		if (is_shown[i])
			put_cell(&line, s, width[i], cell_is_number(t->col[i].kind));
		if (i + 1 == t->n)
			put_line(&line);
		cell += s.n + 1;
	}
	text_reset(&t->cells);
}

/* ---- one object ---- */

/** How a member that is known by name is read, whichever object it stands in. */
static enum cell_kind kind_of(const char *path, const struct json *j, json_val v)
{
	static const struct {
		const char *path;
		enum cell_kind kind;
	} known[] = { { "lorawan_version", CELL_VERSION }, { "rights", CELL_RIGHTS } };
	for (size_t i = 0; i < COUNT(known); i++)
		if (!strcmp(path, known[i].path))
			return known[i].kind;
	return cell_guess(j, v);
}

static bool is_list_of_objects(const struct json *j, json_val v)
{
	return json_type(j, v) == JSON_ARRAY && json_first(j, v) >= 0 && json_type(j, json_first(j, v)) == JSON_OBJECT;
}

/** Each plain member below the object, with its path; depth is bounded by JSON_DEPTH. */
static void each_member(const struct json *j, json_val object, const char *path, void (*fn)(void *ctx, const char *path, const struct json *j, json_val v),
	void *ctx)
{
	for (json_val m = json_first(j, object); m >= 0; m = json_next(j, m)) {
		char name[96], buf[512];
		struct text p = text_fixed(buf, sizeof buf);
		json_val v = json_member_value(j, m);
		if (json_string(j, m, name, sizeof name))
			continue;
		text_puts(&p, path);
		text_puts(&p, *path ? "." : "");
		width_safe(&p, str_of(name));
		if (json_type(j, v) == JSON_OBJECT)
			each_member(j, v, buf, fn, ctx);
		else
			fn(ctx, buf, j, v);
	}
}

static void measure(void *ctx, const char *path, const struct json *j, json_val v)
{
	size_t *width = ctx, w = width_of(str_of(path));
	if (!is_list_of_objects(j, v) && w > *width)
		*width = w;
}

static void print_member(void *ctx, const char *path, const struct json *j, json_val v)
{
	char buf[TABLE_CELL];
	struct text cell = text_fixed(buf, sizeof buf);
	if (is_list_of_objects(j, v))
		return;
	enum cell_kind kind = kind_of(path, j, v);
	cell_write(&cell, kind, j, v);
	printf("%s%*s%s%s\n", path, (int)(*(size_t *)ctx - width_of(str_of(path)) + GAP), "", buf, is_time(kind) ? zone : "");
}

static void print_list(void *ctx, const char *path, const struct json *j, json_val v)
{
	struct table t;
	const char *leaf = strrchr(path, '.');
	(void)ctx;
	if (!is_list_of_objects(j, v))
		return;
	printf("\n%s\n", path);
	if (table_begin(&t, leaf ? leaf + 1 : path, NULL)) {
		for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e)) {
			printf("  %.*s\n", STR_ARG(json_raw(j, e)));
		}
	} else {
		for (json_val e = json_first(j, v); e >= 0; e = json_next(j, e))
			table_row(&t, &(struct row){ .j = j, .v = e });
		table_print(&t, true);
	}
	table_done(&t);
}

void table_sheet(const struct json *j, json_val object)
{
	size_t width = 0;
	each_member(j, object, "", measure, &width);
	each_member(j, object, "", print_member, &width);
	each_member(j, object, "", print_list, NULL);
}
