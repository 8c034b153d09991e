/** @file Where values of a device go. */
#include "as/core/series/series.h"
#include "as/core/series/split.h"
#include "common/core/seal.h"
#include <stdlib.h>
#include <string.h>

enum {
	HEAD_CHECK = 4,
	HEAD_OWN = 16,    /* octets of chunks (8), chunks (8) */
	HEAD_KEY_MAX = READINGS_KEY_MAX + SERIES_HEAD_TEXT + 2 * PACK_VARINT_MAX + 8,
	HEAD_KEYS = 2000, /* that can be read at least, in case there may be fewer now than there were */
	TRIM_PART = 10    /* of a device's chunks that go at once where it has too many */
};

int series_init(struct series *s, const struct series_shelf *shelf, const struct series_limits *limits)
{
	*s = (struct series){ .shelf = *shelf, .limits = *limits };
	s->head_max = HEAD_CHECK + HEAD_OWN + (limits->keys > HEAD_KEYS ? limits->keys : HEAD_KEYS) * HEAD_KEY_MAX;
	s->head_bytes = malloc(s->head_max);
	s->head_read = malloc(s->head_max);
	s->chunk = malloc(SERIES_CHUNK_MAX);
	return s->head_bytes && s->head_read && s->chunk ? 0 : -ENOMEM;
}

void series_done(struct series *s)
{
	names_done(&s->newest);
	free(s->head_bytes);
	free(s->head_read);
	free(s->chunk);
	s->head_bytes = s->head_read = s->chunk = NULL;
}

/* ---- heads ---- */

/** Read a device's head into memory of our own, from which s->newest borrows. @return 0; SERIES_E_NONE; -errno */
static int load_head(struct series *s, uint64_t uid, struct series_head *ret)
{
	struct slice value;
	*ret = (struct series_head){ .newest = &s->newest };
	s->newest.n = 0;
	int r = s->shelf.head(s->shelf.ctx, uid, &value);
	if (r)
		return r;
	struct writer w = writer_of(s->head_read, s->head_max);
	writer_put(&w, value.p, value.n);
	value = (struct slice){ w.p, w.len };
	r = w.failed || w.len < HEAD_CHECK + HEAD_OWN ? -EBADMSG : names_read(&s->newest, value, HEAD_OWN);
	if (r == -EBADMSG) { /* its chunks are there all the same; what they take is not known any more */
		s->damaged++;
		s->newest.n = 0;
		return SERIES_E_NONE;
	}
	TRY(r);
	struct reader own = reader_of(value.p + HEAD_CHECK, HEAD_OWN);
	ret->bytes = reader_be64(&own);
	ret->chunks = reader_be64(&own);
	return 0;
}

int series_head_read(struct slice head, uint64_t *ret_bytes)
{
	struct slice records;
	if (seal_open(head, &records) || records.n < HEAD_OWN)
		return -EBADMSG;
	struct reader r = reader_of(records.p, records.n);
	*ret_bytes = reader_be64(&r);
	return 0;
}

/** Write down what series_head and s->newest say. */
static int save_head(struct series *s, uint64_t uid, const struct series_head *head)
{
	uint8_t own[HEAD_OWN];
	struct writer w = writer_of(own, sizeof own), all = writer_of(s->head_bytes, s->head_max);
	writer_be64(&w, head->bytes);
	writer_be64(&w, head->chunks);
	TRY(names_write(&s->newest, (struct slice){ own, w.len }, &all));
	return s->shelf.put_head(s->shelf.ctx, uid, (struct slice){ all.p, all.len });
}

int series_head(struct series *s, uint64_t uid, struct series_head *ret)
{
	return load_head(s, uid, ret);
}

/** Note a value if it is the newest of its key. @return 0; SERIES_E_KEYS; -errno */
static int note(struct series *s, int64_t ts_ms, const struct reading *r)
{
	struct named *there = names_find(&s->newest, r->key), n = { r->key, ts_ms, r->value };
	if (value_text_bytes(&n.value) > SERIES_HEAD_TEXT)
		n.value = (struct value){ .kind = VALUE_KIND_N };
	if (!there)
		return s->newest.n >= s->limits.keys ? SERIES_E_KEYS : names_set(&s->newest, &n);
	if (there->ts_ms <= ts_ms)
		*there = n;
	return 0;
}

/* ---- chunks ---- */

/** A chunk gets another size, or comes, or goes. */
static void account(struct series *s, struct series_head *head, size_t before, size_t after)
{
	head->bytes = head->bytes + after > before ? head->bytes + after - before : 0;
	s->bytes = s->bytes + after > before ? s->bytes + after - before : 0;
	head->chunks += !before;
	head->chunks -= !after && head->chunks;
}

static int put(struct series *s, uint64_t uid, int64_t first_ms, struct slice chunk, size_t before, struct series_head *head)
{
	TRY(s->shelf.put(s->shelf.ctx, uid, first_ms, chunk));
	account(s, head, before, chunk.n);
	return 0;
}

/** Read the chunk in w to its end. @return the latest time in it; -1: it has no rows; -EBADMSG as *ret_error */
static int64_t read_through(struct series *s, const struct writer *w, int *ret_error)
{
	int64_t latest_ms = -1, ts_ms;
	int r = rows_open(&s->rows, (struct slice){ w->p, w->len });
	while (!r) {
		r = rows_skip(&s->rows, &ts_ms);
		if (!r && ts_ms > latest_ms)
			latest_ms = ts_ms;
	}
	*ret_error = r == -ENOENT ? 0 : r;
	return latest_ms;
}

/** A chunk of its own. */
static int add_first(struct series *s, uint64_t uid, int64_t first_ms, const struct row_of *row, size_t before, struct series_head *head)
{
	struct writer w = writer_of(s->chunk, SERIES_CHUNK_MAX);
	rows_begin(&s->rows, &w);
	if (rows_add(&s->rows, &w, row->ts_ms, row->v, row->n))
		return SERIES_E_LARGE;
	return put(s, uid, first_ms, rows_seal(&w), before, head);
}

struct putting {
	struct series *s;
	uint64_t uid;
	size_t before; /* of the chunk that is split, until its first part is put */
	struct series_head *head;
};

static int put_part(void *ctx, int64_t first_ms, struct slice chunk)
{
	struct putting *p = ctx;
	size_t before = p->before;
	p->before = 0;
	return put(p->s, p->uid, first_ms, chunk, before, p->head);
}

/** @param row  at most ROWS_VALUES_MAX values @return 0; SERIES_E_LARGE; -errno */
static int add_row(struct series *s, uint64_t uid, const struct row_of *row, struct series_head *head)
{
	int64_t first_ms;
	struct slice there;
	int r = s->shelf.seek(s->shelf.ctx, uid, row->ts_ms, &first_ms, &there);
	if (r == SERIES_E_NONE)
		return add_first(s, uid, head->chunks ? 0 : row->ts_ms, row, 0, head);
	TRY(r);
	struct writer w = writer_of(s->chunk, SERIES_CHUNK_MAX);
	size_t before = there.n;
	writer_put(&w, there.p, there.n);
	int64_t latest_ms = read_through(s, &w, &r);
	if (r || w.failed) {
		s->damaged++;
		return add_first(s, uid, first_ms, row, before, head);
	}
	r = rows_add(&s->rows, &w, row->ts_ms, row->v, row->n);
	if (!r && w.len <= SERIES_CHUNK)
		return put(s, uid, first_ms, rows_seal(&w), before, head);
	if (row->ts_ms > latest_ms)
		return add_first(s, uid, row->ts_ms, row, 0, head);
	w.len = before;
	struct putting p = { s, uid, before, head };
	r = split_chunk(rows_seal(&w), first_ms, row, &(struct split_to){ SERIES_CHUNK / 2, SERIES_CHUNK_MAX, put_part, &p });
	return r == SPLIT_E_LARGE ? SERIES_E_LARGE : r;
}

/** The oldest go, so many octets that what is left is a tenth below what a device may have. */
static int trim_size(struct series *s, uint64_t uid, struct series_head *head)
{
	uint64_t kept = 0, most = s->limits.device_bytes - s->limits.device_bytes / TRIM_PART;
	int64_t at_ms = INT64_MAX, first_ms;
	struct slice chunk;
	while (at_ms >= 0) {
		int r = s->shelf.seek(s->shelf.ctx, uid, at_ms, &first_ms, &chunk);
		if (r == SERIES_E_NONE)
			break;
		TRY(r);
		kept += chunk.n;
		if (kept > most && at_ms != INT64_MAX) {
			size_t before = chunk.n;
			TRY(s->shelf.del(s->shelf.ctx, uid, first_ms));
			account(s, head, before, 0);
		}
		at_ms = first_ms - 1;
	}
	return 0;
}

int series_add(struct series *s, uint64_t uid, int64_t ts_ms, const struct reading *first, size_t n)
{
	struct series_head head;
	struct reading row[ROWS_VALUES_MAX];
	size_t in_row = 0;
	int outcome = 0, r = load_head(s, uid, &head);
	if (r < 0 || !n)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < n; i++) {
		r = note(s, ts_ms, &first[i]);
		if (r < 0)
			return r;
		if (r)
			outcome = r;
		else
			row[in_row++] = first[i];
		if (in_row && (in_row == ROWS_VALUES_MAX || i + 1 == n)) {
			r = add_row(s, uid, &(struct row_of){ ts_ms, row, in_row }, &head);
			if (r < 0)
				return r;
			outcome = r ? r : outcome;
			in_row = 0;
		}
	}
	if (head.bytes > s->limits.device_bytes)
		TRY(trim_size(s, uid, &head));
	TRY(save_head(s, uid, &head));
	return outcome;
}

int series_trim(struct series *s, uint64_t uid, int64_t before_ms, size_t most)
{
	struct series_head head;
	struct slice chunk;
	int64_t newest_ms = -1, at_ms, first_ms;
	int n = 0, r = load_head(s, uid, &head);
	if (r)
		return r < 0 ? r : 0;
	for (size_t i = 0; i < s->newest.n; i++)
		newest_ms = s->newest.v[i].ts_ms > newest_ms ? s->newest.v[i].ts_ms : newest_ms;
	/* The chunk of that time stays, unless all is older. */
	at_ms = newest_ms < before_ms ? INT64_MAX : before_ms;
	if (at_ms == before_ms) {
		r = s->shelf.seek(s->shelf.ctx, uid, before_ms, &first_ms, &chunk);
		if (r)
			return r < 0 ? r : 0;
		at_ms = first_ms - 1;
	}
	while (at_ms >= 0 && (size_t)n < most) {
		r = s->shelf.seek(s->shelf.ctx, uid, at_ms, &first_ms, &chunk);
		if (r < 0)
			return r;
		if (r)
			break;
		size_t before = chunk.n;
		TRY(s->shelf.del(s->shelf.ctx, uid, first_ms));
		account(s, &head, before, 0);
		at_ms = first_ms - 1;
		n++;
	}
	if (n)
		TRY(save_head(s, uid, &head));
	return n;
}

int series_forget(struct series *s, uint64_t uid)
{
	int64_t at_ms = INT64_MAX, first_ms;
	struct series_head head;
	struct slice chunk;
	int r = load_head(s, uid, &head);
	if (r < 0)
		return r;
	while (at_ms >= 0 && !(r = s->shelf.seek(s->shelf.ctx, uid, at_ms, &first_ms, &chunk))) {
		size_t before = chunk.n;
		TRY(s->shelf.del(s->shelf.ctx, uid, first_ms));
		account(s, &head, before, 0);
		at_ms = first_ms - 1;
	}
	return r < 0 ? r : s->shelf.del_head(s->shelf.ctx, uid);
}
