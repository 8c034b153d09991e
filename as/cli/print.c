/** @file The answers for people: JSON with line breaks, or a table. */
#include "as/cli/cli.h"
#include "as/cli/show/select.h"
#include "as/cli/show/table.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTED_MAX = 256 << 20 };

/** Line breaks and two blanks a level, from `depth` on; the JSON is known to be well-formed. */
static void indent(struct str json, int depth)
{
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
}

void cli_print_element(struct str json, bool is_first)
{
	fputs(is_first ? "[\n  " : ",\n  ", stdout);
	indent(json, 1);
}

void cli_print_end(bool is_empty)
{
	puts(is_empty ? "[]" : "\n]");
}

static int print_table(const struct cli *c, const struct json *j, const char *object)
{
	struct table t;
	json_val root = json_root(j);
	bool is_list = json_type(j, root) == JSON_ARRAY;
	if (!is_list) {
		table_sheet(j, root);
		return 0;
	}
	int r = table_begin(&t, object, args_get(&c->args, "fields"));
	for (json_val v = r ? -1 : json_first(j, root); v >= 0; v = json_next(j, v))
		table_row(&t, &(struct row){ .j = j, .v = v });
	if (!r)
		table_print(&t, true);
	table_done(&t);
	return r;
}

static void print_fields(const struct json *j, const char *fields, bool is_table)
{
	__attribute__((cleanup(text_done_auto))) struct text t = text_growing(SELECTED_MAX);
	select_write(&t, j, json_root(j), fields);
	size_t max = t.len / 2 + 16;
	struct json_tok *tok = is_table ? calloc(max, sizeof *tok) : NULL;
	struct json some;
	if (tok && !json_parse(text_str(&t), tok, max, &some, NULL)) {
		table_sheet(&some, json_root(&some));
	} else {
		indent(text_str(&t), 0);
		putchar('\n');
	}
	free(tok);
}

void cli_print(const struct cli *c, struct str json, const char *object)
{
	const char *fields = args_get(&c->args, "fields");
	bool is_table = args_on(&c->args, "table");
	size_t max = json.n / 2 + 16;
	struct json_tok *tok = is_table || fields ? calloc(max, sizeof *tok) : NULL;
	struct json j;
	bool is_parsed = tok && !json_parse(json, tok, max, &j, NULL);
	if (is_parsed && fields && (!is_table || json_type(&j, json_root(&j)) != JSON_ARRAY)) {
		print_fields(&j, fields, is_table);
	} else if (!is_parsed || !is_table || print_table(c, &j, object ? object : "")) {
		indent(json, 0);
		putchar('\n');
	}
	free(tok);
}
