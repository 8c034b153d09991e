/** @file Lists over HTTP: searched, sorted, in pages, with the members that were asked for. */
#include "as/api/lists.h"
#include "as/core/registry/json_mask.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_CAP = 72, COLUMN_CAP = 4096, OBJECT_MAX = 1 << 22, PATH_CAP = 160 };

void api_masked(struct text *out, struct str object, const struct field_mask *mask)
{
	static const char *const always[] = { "ids", "created_at", "updated_at", NULL };
	if (json_masked(out, object, mask, always))
		out->failed = true;
}

/* ---- searching ---- */

static bool contains(const char *text, const char *part)
{
	size_t n = strlen(part);
	for (; strlen(text) >= n; text++)
		if (!strncasecmp(text, part, n))
			return true;
	return false;
}

static bool is_searched(struct api_call *c, const struct api_column *column, const void *object)
{
	const char *part = column->contains ? http_query(c->r, column->contains) : NULL;
	char buf[COLUMN_CAP];
	struct text t = text_fixed(buf, sizeof buf);
	if (!part || !*part)
		return true;
	column->get(object, &t);
	return contains(buf, part);
}

void api_rows_add(struct api_call *c, const struct api_listing *l, struct api_rows *rows, const void *object)
{
	for (size_t i = 0; i < l->n_columns; i++)
		if (!is_searched(c, &l->columns[i], object))
			return;
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 64;
		const void **v = realloc(rows->v, cap * sizeof *v);
		if (!v) {
			rows->failed = true;
			return;
		}
		rows->v = v;
		rows->cap = cap;
	}
	rows->v[rows->n++] = object;
}

/* ---- sorting ---- */

struct sorted {
	const void *object;
	size_t at;
	char key[KEY_CAP]; /* its beginning, where it is longer */
};

static int by_key(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int c = strcmp(x->key, y->key);
	return c ? c : x->at < y->at ? -1 : 1;
}

static int by_key_down(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int c = strcmp(y->key, x->key);
	return c ? c : x->at < y->at ? -1 : 1;
}

static int sort(struct api_rows *rows, const struct api_column *column, bool is_down)
{
	struct sorted *v = rows->n ? malloc(rows->n * sizeof *v) : NULL;
	if (rows->n && !v)
		return -ENOMEM;
	for (size_t i = 0; i < rows->n; i++) {
		struct text t = text_fixed(v[i].key, sizeof v[i].key);
		v[i].object = rows->v[i];
		v[i].at = i;
		column->get(rows->v[i], &t);
	}
	if (rows->n)
		qsort(v, rows->n, sizeof *v, is_down ? by_key_down : by_key);
	for (size_t i = 0; i < rows->n; i++)
		rows->v[i] = v[i].object;
	free(v);
	return 0;
}

/** Sort by what ?order names. @return 0; else it has answered */
static int order(struct api_call *c, const struct api_listing *l, struct api_rows *rows)
{
	const char *wish = http_query(c->r, "order");
	char names[200];
	struct text known = text_fixed(names, sizeof names);
	if (!wish || !*wish)
		return 0;
	bool is_down = *wish == '-';
	for (size_t i = 0; i < l->n_columns; i++) {
		if (!strcmp(l->columns[i].name, wish + is_down)) {
			int e = sort(rows, &l->columns[i], is_down);
			if (e)
				api_fail(c, e);
			return e;
		}
		text_printf(&known, "%s%s", i ? ", " : "", l->columns[i].name);
	}
	api_error(c, 400, "order", "must be one of %s; with - before it for the reverse", names);
	return -EINVAL;
}

/* ---- answering ---- */

static bool is_searching(struct api_call *c, const struct api_listing *l)
{
	for (size_t i = 0; i < l->n_columns; i++)
		if (l->columns[i].contains && http_query(c->r, l->columns[i].contains))
			return true;
	return false;
}

static void write_row(struct api_call *c, const struct api_listing *l, const void *object, const struct field_mask *mask)
{
	struct text list = c->out;
	c->out = text_growing(OBJECT_MAX);
	l->write(c, object);
	struct text one = c->out;
	c->out = list;
	if (one.failed)
		c->out.failed = true;
	else
		api_masked(&c->out, text_str(&one), mask);
	crypto_forget(one.p, one.len);
	text_done(&one);
}

void api_rows_reply(struct api_call *c, const struct api_listing *l, struct api_rows *rows)
{
	struct field_mask mask;
	size_t skip, limit;
	char total[64];
	if (rows->failed) {
		api_fail(c, -ENOMEM);
	} else if (!api_mask(c, &mask) && !api_page(c, &skip, &limit) && !order(c, l, rows)) {
		json_open(&c->out, '{');
		json_name(&c->out, l->member);
		json_open(&c->out, '[');
		for (size_t i = skip; i < rows->n && i - skip < limit; i++)
			write_row(c, l, rows->v[i], &mask);
		if (l->more && limit == SIZE_MAX && !is_searching(c, l))
			l->more(c);
		json_close(&c->out, ']');
		json_close(&c->out, '}');
		snprintf(total, sizeof total, "X-Total-Count: %zu\r\n", rows->n);
		if (c->out.failed)
			api_reply(c);
		else
			http_reply_json_more(c->r, 200, text_str(&c->out), total);
	}
	free(rows->v);
	*rows = (struct api_rows){ .n = 0 };
}

void api_sortable(struct text *ret, uint64_t unix_us)
{
	text_printf(ret, "%020" PRIu64, unix_us);
}
