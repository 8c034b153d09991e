/** @file Questions to series. */
#include "as/core/series/ask.h"
#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/** An interval whose values are being summed up. */
struct interval {
	int64_t begin_ms;
	uint64_t n, numbers;
	struct value min, max;
	int64_t whole; /* the sum, as long as it is one */
	double real;
	bool is_real;
};

struct wanted {
	struct str key;
	size_t told;
	struct interval interval; /* n 0: none */
};

/** One value of a chunk. */
struct found {
	int64_t ts_ms;
	size_t key, place;
	struct value value;
};

struct asking {
	struct ask ask;
	struct wanted *keys;
	size_t n_keys, n_done;
	char *key_text;
	int64_t at_ms; /* chunks that begin later have been looked at */
	struct found *found;
	size_t n, max;
	bool is_sorted; /* each row of the chunk is later than the one before */
	int16_t map[ROWS_KEYS_MAX]; /* number in the chunk -> key; -1: not wanted */
	size_t n_map;
	struct rows rows;
	struct row row;
};

int ask_aggregate_of(struct str name, enum ask_aggregate *ret)
{
	static const char *const names[] = { "none", "min", "max", "avg", "sum", "count" };
	_Static_assert(COUNT(names) == ASK_AGGREGATE_N, "each has a name");
	for (size_t i = 0; i < COUNT(names); i++)
		if (name.n == strlen(names[i]) && strncasecmp(name.p, names[i], name.n) == 0) {
			*ret = (enum ask_aggregate)i;
			return 0;
		}
	return -EINVAL;
}

struct asking *asking_new(const struct ask *ask, const struct str *keys, size_t n)
{
	struct asking *a = calloc(1, sizeof *a);
	size_t octets = 1;
	for (size_t i = 0; i < n; i++)
		octets += keys[i].n;
	if (a) {
		a->keys = calloc(n ? n : 1, sizeof *a->keys);
		a->key_text = malloc(octets);
	}
	if (!a || !a->keys || !a->key_text) {
		asking_free(a);
		return NULL;
	}
	a->ask = *ask;
	a->at_ms = ask->to_ms - 1;
	a->n_keys = n;
	char *at = a->key_text;
	for (size_t i = 0; i < n; i++) {
		memcpy(at, keys[i].p, keys[i].n);
		a->keys[i].key = (struct str){ at, keys[i].n };
		at += keys[i].n;
	}
	return a;
}

struct str asking_key(const struct asking *a, size_t key)
{
	return a->keys[key].key;
}

void asking_free(struct asking *a)
{
	if (!a)
		return;
	free(a->keys);
	free(a->key_text);
	free(a->found);
	free(a);
}

/* ---- telling ---- */

static void tell(struct asking *a, size_t key, int64_t ts_ms, const struct value *v)
{
	struct wanted *w = &a->keys[key];
	if (w->told >= a->ask.limit)
		return;
	a->ask.tell(a->ask.ctx, key, ts_ms, v);
	if (++w->told == a->ask.limit)
		a->n_done++;
}

static double bounded(double d)
{
	return d > DBL_MAX ? DBL_MAX : d < -DBL_MAX ? -DBL_MAX : d;
}

static struct value sum_of(const struct interval *i)
{
	return i->is_real ? value_of_double(bounded(i->real)) : value_of_long(i->whole);
}

static void tell_interval(struct asking *a, size_t key)
{
	struct interval *i = &a->keys[key].interval;
	struct value v = { 0 };
	if (!i->n || (!i->numbers && a->ask.aggregate != ASK_COUNT))
		return;
	switch (a->ask.aggregate) {
	case ASK_MIN: v = i->min; break;
	case ASK_MAX: v = i->max; break;
	case ASK_AVG: v = value_of_double(bounded((i->is_real ? i->real : (double)i->whole) / (double)i->numbers)); break;
	case ASK_SUM: v = sum_of(i); break;
	default: v = value_of_long((int64_t)i->n);
	}
	tell(a, key, i->begin_ms, &v);
}

static void add_number(struct interval *i, const struct value *v, double number)
{
	double min, max;
	if (!i->numbers++) {
		i->min = i->max = *v;
		i->is_real = v->kind == VALUE_DOUBLE;
		i->whole = v->kind == VALUE_LONG ? v->whole : 0;
		i->real = number;
		return;
	}
	value_number(&i->min, &min);
	value_number(&i->max, &max);
	i->min = number < min ? *v : i->min;
	i->max = number > max ? *v : i->max;
	i->real += number;
	i->is_real = i->is_real || v->kind == VALUE_DOUBLE || __builtin_add_overflow(i->whole, v->whole, &i->whole);
}

/** Values come newest first, so an interval is complete when one of another comes. */
static void sum_up(struct asking *a, const struct found *f)
{
	struct interval *i = &a->keys[f->key].interval;
	int64_t begin_ms = f->ts_ms - (f->ts_ms - a->ask.from_ms) % a->ask.interval_ms;
	double number;
	if (i->n && i->begin_ms != begin_ms) {
		tell_interval(a, f->key);
		i->n = 0;
	}
	if (!i->n)
		*i = (struct interval){ .begin_ms = begin_ms };
	i->n++;
	if (value_number(&f->value, &number))
		add_number(i, &f->value, number);
}

/* ---- a chunk ---- */

static size_t wanted_key(const struct asking *a, struct str key)
{
	size_t i = 0;
	while (i < a->n_keys && !str_eq(a->keys[i].key, key))
		i++;
	return i;
}

/** Which key a value of the row is; n_keys: none that is wanted. */
static size_t key_of(struct asking *a, const struct row *row, size_t i)
{
	size_t number = row->slots[i].key;
	for (; a->n_map <= number; a->n_map++) {
		size_t key = wanted_key(a, a->rows.keys[a->n_map]);
		a->map[a->n_map] = key < a->n_keys && key <= INT16_MAX ? (int16_t)key : -1;
	}
	return a->map[number] < 0 ? a->n_keys : (size_t)a->map[number];
}

static int find_in_row(struct asking *a, const struct row *row)
{
	if (row->ts_ms < a->ask.from_ms || row->ts_ms >= a->ask.to_ms)
		return 0;
	if (a->n + row->n > a->max) {
		size_t max = 2 * (a->n + row->n);
		struct found *room = reallocarray(a->found, max, sizeof *room);
		if (!room)
			return -ENOMEM;
		a->found = room;
		a->max = max;
	}
	if (a->n && a->found[a->n - 1].ts_ms >= row->ts_ms)
		a->is_sorted = false;
	for (size_t i = 0; i < row->n; i++) {
		size_t key = key_of(a, row, i);
		if (key < a->n_keys) {
			a->found[a->n] = (struct found){ row->ts_ms, key, a->n, row->v[i].value };
			a->n++;
		}
	}
	return 0;
}

static int by_time_key_place(const void *p, const void *q)
{
	const struct found *x = p, *y = q;
	int d = (x->ts_ms > y->ts_ms) - (x->ts_ms < y->ts_ms);
	d = d ? d : (x->key > y->key) - (x->key < y->key);
	return d ? d : (x->place > y->place) - (x->place < y->place);
}

static void tell_found(struct asking *a)
{
	if (!a->is_sorted)
		qsort(a->found, a->n, sizeof *a->found, by_time_key_place);
	for (size_t i = a->n; i-- > 0;) {
		const struct found *f = &a->found[i];
		/* Of one time, what was said last counts, and stands last. */
		if (i + 1 < a->n && !a->is_sorted && f->ts_ms == f[1].ts_ms && f->key == f[1].key)
			continue;
		if (a->ask.aggregate == ASK_NONE)
			tell(a, f->key, f->ts_ms, &f->value);
		else
			sum_up(a, f);
	}
}

/** A damaged chunk says nothing. @return 0; -ENOMEM */
static int look_at(struct asking *a, struct series *s, struct slice chunk)
{
	a->n = a->n_map = 0;
	a->is_sorted = true;
	int r = rows_open(&a->rows, chunk);
	while (!r) {
		r = rows_next(&a->rows, &a->row);
		if (!r)
			r = find_in_row(a, &a->row);
	}
	if (r == -EBADMSG)
		s->damaged++;
	if (r == -ENOMEM)
		return r;
	tell_found(a);
	return 0;
}

static int finish(struct asking *a)
{
	for (size_t i = 0; i < a->n_keys && a->ask.aggregate != ASK_NONE; i++) {
		tell_interval(a, i);
		a->keys[i].interval.n = 0;
	}
	return 0;
}

int asking_step(struct asking *a, struct series *s)
{
	int64_t first_ms;
	struct slice chunk;
	if (a->at_ms < a->ask.from_ms || a->at_ms < 0 || a->n_done >= a->n_keys)
		return finish(a);
	int r = s->shelf.seek(s->shelf.ctx, a->ask.uid, a->at_ms, &first_ms, &chunk);
	if (r)
		return r < 0 ? r : finish(a);
	TRY(look_at(a, s, chunk));
	a->at_ms = first_ms - 1;
	return 1;
}
