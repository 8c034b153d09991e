/** @file Events as they come, a line for each: JSON, or the row of a table. */
#include "as/cli/cli.h"
#include "as/cli/show/select.h"
#include "as/cli/show/table.h"
#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES = 1 << 20, TOKENS = 4096, PROCESS_WIDTH = 4, NAME_WIDTH = 32, OF_WIDTH = 24 };

struct following {
	const char *fields;
	bool is_plain, is_table, is_closed;
	struct table table;
	struct text line; /**< what has come of it */
	struct json_tok tok[TOKENS];
};

/** The columns of events are as wide as most of them need, since nobody knows what comes. */
static void widen(struct table *t)
{
	static const size_t widths[] = { 0, PROCESS_WIDTH, NAME_WIDTH, OF_WIDTH };
	for (size_t i = 0; i < COUNT(widths) && i < t->n; i++)
		if (widths[i] > t->width[i])
			t->width[i] = widths[i];
}

static void print_line(struct following *f)
{
	__attribute__((cleanup(text_done_auto))) struct text t = text_growing(LINE_BYTES);
	struct json j;
	if (json_parse(text_str(&f->line), f->tok, COUNT(f->tok), &j, NULL)) {
		puts(f->line.len ? f->line.p : "");
	} else if (f->is_table) {
		table_row(&f->table, &(struct row){ .j = &j, .v = json_root(&j) });
		table_print(&f->table, false);
	} else {
		select_write(&t, &j, json_root(&j), f->fields);
		puts(t.p);
	}
}

static int on_piece(void *ctx, struct str piece)
{
	struct following *f = ctx;
	if (f->is_plain)
		fwrite(piece.p, 1, piece.n, stdout);
	while (!f->is_plain && piece.n) {
		struct str head, all = piece;
		piece = str_cut(piece, '\n', &head);
		text_put(&f->line, head);
		if (head.n == all.n)
			break;
		print_line(f);
		text_reset(&f->line);
	}
	f->is_closed = fflush(stdout) || ferror(stdout);
	return f->is_closed;
}

static int call(struct cli *c, const char *path, struct following *f)
{
	__attribute__((cleanup(text_done_auto))) struct text answer = text_growing(LINE_BYTES);
	int status = client_call(&c->client, "GET", path, STR(""), &answer, on_piece, f, &c->err);
	if (status >= 300)
		return cli_refused(c, status, text_str(&answer));
	if (status > 0 && !f->is_closed)
		text_printf(&c->err, "%s has ended the stream", c->client.address);
	return f->is_closed ? CLI_OK : CLI_FAILED;
}

int cli_follow(struct cli *c, const char *path)
{
	struct following *f = calloc(1, sizeof *f);
	int status = f ? CLI_OK : CLI_FAILED;
	if (f) {
		f->fields = args_get(&c->args, "fields");
		f->is_table = args_on(&c->args, "table");
		f->is_plain = !f->is_table && !f->fields;
		f->line = text_growing(LINE_BYTES);
	}
	if (f && f->is_table && table_begin(&f->table, "events", f->fields)) {
		text_printf(&c->err, "--fields takes at most %d for a table", TABLE_COLUMNS);
		status = CLI_USAGE;
	} else if (f && f->is_table) {
		widen(&f->table);
	}
	if (!status)
		status = call(c, path, f);
	if (f) {
		table_done(&f->table);
		text_done(&f->line);
	}
	free(f);
	return status;
}
