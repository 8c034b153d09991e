/** @file The answers for people: JSON with line breaks, or a table. */
#include "as/cli/cli.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 12, CELL = 100 };

/** Line breaks and two blanks a level; the JSON is known to be well-formed. */
static void indent(struct str json)
{
	int depth = 0;
	bool in_string = false;
	for (size_t i = 0; i < json.n; i++) {
		char ch = json.p[i], next = i + 1 < json.n ? json.p[i + 1] : '\0';
		if (in_string) {
			putchar(ch);
			if (ch == '\\' && i + 1 < json.n)
				putchar(json.p[++i]);
			else if (ch == '"')
				in_string = false;
			continue;
		}
		switch (ch) {
		case '"': in_string = true; putchar(ch); break;
		case '{':
		case '[':
			putchar(ch);
			if (next == '}' || next == ']')
				break;
			printf("\n%*s", ++depth * 2, "");
			break;
		case '}':
		case ']':
			if (i && json.p[i - 1] != '{' && json.p[i - 1] != '[')
				printf("\n%*s", --depth * 2, "");
			putchar(ch);
			break;
		case ',': printf(",\n%*s", depth * 2, ""); break;
		case ':': fputs(": ", stdout); break;
		case ' ': case '\n': case '\t': case '\r': break;
		default: putchar(ch);
		}
	}
	putchar('\n');
}

struct table {
	char name[COLUMNS][CELL + 1];
	size_t width[COLUMNS], n;
};

static void cell_text(const struct json *j, json_val v, char *ret)
{
	char whole[1024] = "";
	if (json_string(j, v, whole, sizeof whole))
		str_copy(json_raw(j, v).n < sizeof whole ? json_raw(j, v) : STR("..."), whole, sizeof whole);
	if (strlen(whole) > CELL)
		memcpy(whole + CELL - 3, "...", 4);
	memcpy(ret, whole, CELL + 1);
}

static size_t column(struct table *t, const char *name)
{
	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->name[i], name))
			return i;
	if (t->n == COLUMNS)
		return COLUMNS;
	snprintf(t->name[t->n], sizeof t->name[0], "%s", name);
	t->width[t->n] = strlen(name);
	return t->n++;
}

/** Visit the plain members of one row, and those of objects in it one level down; an event's data stay together. */
static void each_cell(const struct json *j, json_val row, struct table *t, void (*fn)(struct table *, size_t, const char *, void *), void *ctx)
{
	for (json_val m = json_first(j, row); m >= 0; m = json_next(j, m)) {
		json_val v = json_member_value(j, m);
		char cell[CELL + 1], name[CELL + 1] = "";
		enum json_type type = json_type(j, v);
		json_string(j, m, name, sizeof name);
		if (!strcmp(name, "correlation_ids"))
			continue; /* too wide for a table, and no news to who looks at one */
		if (type == JSON_OBJECT && strcmp(name, "data")) {
			for (json_val i = json_first(j, v); i >= 0; i = json_next(j, i)) {
				char inner[CELL + 1] = "";
				json_val w = json_member_value(j, i);
				if (json_type(j, w) == JSON_OBJECT || json_string(j, i, inner, sizeof inner))
					continue;
				cell_text(j, w, cell);
				fn(t, column(t, inner), cell, ctx);
			}
		} else {
			cell_text(j, v, cell);
			fn(t, column(t, name), cell, ctx);
		}
	}
}

static void measure(struct table *t, size_t at, const char *cell, void *ctx)
{
	(void)ctx;
	if (at < COLUMNS && strlen(cell) > t->width[at])
		t->width[at] = strlen(cell);
}

static void keep(struct table *t, size_t at, const char *cell, void *ctx)
{
	char (*row)[CELL + 1] = ctx;
	(void)t;
	if (at < COLUMNS)
		memcpy(row[at], cell, CELL + 1);
}

static void print_table(const struct json *j)
{
	struct table t = { .n = 0 };
	json_val root = json_root(j);
	bool many = json_type(j, root) == JSON_ARRAY;
	for (json_val r = many ? json_first(j, root) : root; r >= 0; r = many ? json_next(j, r) : -1)
		each_cell(j, r, &t, measure, NULL);
	for (size_t i = 0; i < t.n; i++)
		printf("%-*s%s", i + 1 < t.n ? (int)t.width[i] : 0, t.name[i], i + 1 < t.n ? "  " : "\n");
	for (json_val r = many ? json_first(j, root) : root; r >= 0; r = many ? json_next(j, r) : -1) {
		char row[COLUMNS][CELL + 1] = { "" };
		each_cell(j, r, &t, keep, row);
		for (size_t i = 0; i < t.n; i++)
			printf("%-*s%s", i + 1 < t.n ? (int)t.width[i] : 0, row[i], i + 1 < t.n ? "  " : "\n");
	}
}

void cli_print(const struct cli *c, struct str json)
{
	size_t max = json.n / 2 + 16;
	struct json_tok *tok = args_on(&c->args, "table") ? calloc(max, sizeof *tok) : NULL;
	struct json j;
	if (tok && !json_parse(json, tok, max, &j, NULL))
		print_table(&j);
	else
		indent(json);
	free(tok);
}
