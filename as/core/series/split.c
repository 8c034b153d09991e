/** @file Splitting a chunk. */
#include "as/core/series/split.h"
#include <stdlib.h>
#include <string.h>

/** One value, and when it was said and at which place. */
struct said {
	int64_t ts_ms;
	size_t place;
	struct reading r;
};

struct split {
	struct said *v;
	size_t n, max;
	struct rows rows;
	struct row row;
	struct writer w;         /* the part that is being filled */
	int64_t first_ms, at_ms; /* of it; time of its last row */
	bool is_empty, left_out;
	const struct split_to *to;
};

static int gather(struct split *s, int64_t ts_ms, const struct reading *v, size_t n)
{
	if (s->n + n > s->max) {
		size_t max = 2 * (s->n + n);
		struct said *room = reallocarray(s->v, max, sizeof *room);
		if (!room)
			return -ENOMEM;
		s->v = room;
		s->max = max;
	}
	for (size_t i = 0; i < n; i++, s->n++)
		s->v[s->n] = (struct said){ ts_ms, s->n, v[i] };
	return 0;
}

static int gather_all(struct split *s, struct slice chunk, const struct row_of *row)
{
	int r = rows_open(&s->rows, chunk);
	while (!r) {
		r = rows_next(&s->rows, &s->row);
		if (!r)
			r = gather(s, s->row.ts_ms, s->row.v, s->row.n);
	}
	if (r != -ENOENT)
		return r;
	return gather(s, row->ts_ms, row->v, row->n);
}

static int by_time_key_place(const void *a, const void *b)
{
	const struct said *x = a, *y = b;
	int d = (x->ts_ms > y->ts_ms) - (x->ts_ms < y->ts_ms);
	d = d ? d : str_cmp(x->r.key, y->r.key);
	return d ? d : (x->place > y->place) - (x->place < y->place);
}

static void drop_repeated(struct split *s)
{
	size_t kept = 0;
	qsort(s->v, s->n, sizeof *s->v, by_time_key_place);
	for (size_t i = 0; i < s->n; i++) {
		bool again = i + 1 < s->n && s->v[i].ts_ms == s->v[i + 1].ts_ms && str_eq(s->v[i].r.key, s->v[i + 1].r.key);
		if (!again)
			s->v[kept++] = s->v[i];
	}
	s->n = kept;
}

/** The values of one time from s->v[from] on, as many as a row has, into s->row. @return how many */
static size_t take_row(struct split *s, size_t from)
{
	size_t n = 0;
	s->row.ts_ms = s->v[from].ts_ms;
	while (n < ROWS_VALUES_MAX && from + n < s->n && s->v[from + n].ts_ms == s->row.ts_ms) {
		s->row.v[n] = s->v[from + n].r;
		n++;
	}
	s->row.n = n;
	return n;
}

static void begin_part(struct split *s, int64_t first_ms)
{
	s->w.len = 0;
	s->is_empty = true;
	s->first_ms = first_ms;
	rows_begin(&s->rows, &s->w);
}

static int end_part(struct split *s)
{
	return s->is_empty ? 0 : s->to->put(s->to->ctx, s->first_ms, rows_seal(&s->w));
}

static int write_row(struct split *s)
{
	bool may_end = !s->is_empty && s->at_ms != s->row.ts_ms;
	if (may_end && s->w.len >= s->to->full) {
		TRY(end_part(s));
		begin_part(s, s->row.ts_ms);
		may_end = false;
	}
	int r = rows_add(&s->rows, &s->w, s->row.ts_ms, s->row.v, s->row.n);
	if (r && may_end) {
		TRY(end_part(s));
		begin_part(s, s->row.ts_ms);
		r = rows_add(&s->rows, &s->w, s->row.ts_ms, s->row.v, s->row.n);
	}
	s->left_out = s->left_out || r;
	s->is_empty = s->is_empty && r;
	s->at_ms = s->row.ts_ms;
	return 0;
}

static int write_all(struct split *s, int64_t first_ms)
{
	begin_part(s, first_ms);
	for (size_t i = 0; i < s->n; i += s->row.n) {
		take_row(s, i);
		TRY(write_row(s));
	}
	return end_part(s);
}

int split_chunk(struct slice chunk, int64_t first_ms, const struct row_of *row, const struct split_to *to)
{
	uint8_t *part = malloc(to->max);
	struct split *s = calloc(1, sizeof *s);
	int r = part && s ? 0 : -ENOMEM;
	if (!r) {
		s->to = to;
		s->w = writer_of(part, to->max);
		r = gather_all(s, chunk, row);
	}
	if (!r) {
		drop_repeated(s);
		r = write_all(s, first_ms);
	}
	if (!r && s->left_out)
		r = SPLIT_E_LARGE;
	if (s)
		free(s->v);
	free(s);
	free(part);
	return r;
}
