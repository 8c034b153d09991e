/** @file Time series: rows in chunks, where values go, what is kept, what questions are answered; against a plain table of all that was said. */
#include "as/core/series/ask.h"
#include "as/core/series/lorawan.h"
#include "common/core/seal.h"
#include "common/core/json_out.h"
#include "common/core/rng.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a shelf in memory ---- */

enum { RECORDS = 20000, UID = 7 };

struct record_of {
	uint64_t uid;
	int64_t first_ms;
	struct slice v;
};

static struct {
	struct record_of v[RECORDS]; /* in order of uid and time */
	size_t n;
	struct record_of head[4];
	int fail;
} shelf;

static void set(struct slice *to, struct slice v)
{
	uint8_t *p = malloc(v.n ? v.n : 1);
	memcpy(p, v.p, v.n);
	free((void *)(uintptr_t)to->p);
	*to = (struct slice){ p, v.n };
}

/** The place of the first record behind (uid, at_ms). */
static size_t behind(uint64_t uid, int64_t at_ms)
{
	size_t i = 0;
	while (i < shelf.n && (shelf.v[i].uid < uid || (shelf.v[i].uid == uid && shelf.v[i].first_ms <= at_ms)))
		i++;
	return i;
}

static int seek(void *ctx, uint64_t uid, int64_t at_ms, int64_t *ret_first_ms, struct slice *ret)
{
	size_t i = behind(uid, at_ms);
	(void)ctx;
	if (!i || shelf.v[i - 1].uid != uid)
		return SERIES_E_NONE;
	*ret_first_ms = shelf.v[i - 1].first_ms;
	*ret = shelf.v[i - 1].v;
	return 0;
}

static int put(void *ctx, uint64_t uid, int64_t first_ms, struct slice chunk)
{
	size_t i = behind(uid, first_ms);
	(void)ctx;
	if (shelf.fail)
		return -EIO;
	if (i && shelf.v[i - 1].uid == uid && shelf.v[i - 1].first_ms == first_ms) {
		set(&shelf.v[i - 1].v, chunk);
		return 0;
	}
	ck_assert_uint_lt(shelf.n, RECORDS);
	memmove(&shelf.v[i + 1], &shelf.v[i], (shelf.n++ - i) * sizeof shelf.v[0]);
	shelf.v[i] = (struct record_of){ .uid = uid, .first_ms = first_ms };
	set(&shelf.v[i].v, chunk);
	return 0;
}

static int del(void *ctx, uint64_t uid, int64_t first_ms)
{
	size_t i = behind(uid, first_ms);
	(void)ctx;
	ck_assert(i && shelf.v[i - 1].uid == uid && shelf.v[i - 1].first_ms == first_ms);
	free((void *)(uintptr_t)shelf.v[i - 1].v.p);
	memmove(&shelf.v[i - 1], &shelf.v[i], (shelf.n-- - i) * sizeof shelf.v[0]);
	return 0;
}

static int head(void *ctx, uint64_t uid, struct slice *ret)
{
	(void)ctx;
	*ret = shelf.head[uid % COUNT(shelf.head)].v;
	return ret->p ? 0 : SERIES_E_NONE;
}

static int put_head(void *ctx, uint64_t uid, struct slice v)
{
	(void)ctx;
	set(&shelf.head[uid % COUNT(shelf.head)].v, v);
	return 0;
}

static int del_head(void *ctx, uint64_t uid)
{
	(void)ctx;
	free((void *)(uintptr_t)shelf.head[uid % COUNT(shelf.head)].v.p);
	shelf.head[uid % COUNT(shelf.head)].v = (struct slice){ 0 };
	return 0;
}

static struct series s;

static void open_series(size_t keys, uint64_t device_bytes)
{
	static const struct series_shelf there = { NULL, seek, put, del, head, put_head, del_head };
	ck_assert_int_eq(series_init(&s, &there, &(struct series_limits){ keys, device_bytes }), 0);
}

static void close_series(void)
{
	while (shelf.n)
		del(NULL, shelf.v[0].uid, shelf.v[0].first_ms);
	for (uint64_t i = 0; i < COUNT(shelf.head); i++)
		del_head(NULL, i);
	series_done(&s);
}

/** What is counted is what there is, and chunks do not overlap. */
static void check_shelf(void)
{
	uint64_t bytes = 0;
	struct series_head h;
	for (size_t i = 0; i < shelf.n; i++) {
		struct rows rows;
		static struct row row;
		bytes += shelf.v[i].v.n;
		ck_assert_int_eq(rows_open(&rows, shelf.v[i].v), 0);
		int64_t next_ms = i + 1 < shelf.n ? shelf.v[i + 1].first_ms : INT64_MAX;
		while (!rows_next(&rows, &row))
			ck_assert(row.ts_ms >= shelf.v[i].first_ms && (row.ts_ms < next_ms || next_ms == INT64_MAX));
	}
	if (shelf.n) {
		ck_assert_int_eq(series_head(&s, UID, &h), 0);
		ck_assert_uint_eq(h.bytes, bytes);
		ck_assert_uint_eq(h.chunks, shelf.n);
	}
	ck_assert_uint_eq(s.bytes, bytes);
}

/* ---- answers as text ---- */

static struct text answer;

static void tell(void *ctx, size_t key, int64_t ts_ms, const struct value *v)
{
	(void)ctx;
	__attribute__((cleanup(text_done_auto))) struct text json = text_growing(1 << 20);
	value_json(&json, v);
	text_printf(&answer, "%zu@%lld=%s", key, (long long)ts_ms, json.p);
	text_putc(&answer, ' ');
}

static const char *ask(struct ask q, const char *a, const char *b)
{
	struct str keys[] = { str_of(a), str_of(b) };
	q.uid = UID;
	q.tell = tell;
	q.to_ms = q.to_ms ? q.to_ms : INT64_MAX;
	q.limit = q.limit ? q.limit : SIZE_MAX;
	struct asking *asking = asking_new(&q, keys, b ? 2 : 1);
	text_done(&answer);
	answer = text_growing(64 << 20);
	text_puts(&answer, "");
	int r;
	while ((r = asking_step(asking, &s)) > 0)
		;
	ck_assert_int_eq(r, 0);
	asking_free(asking);
	return answer.len ? answer.p : "";
}

static int add(int64_t ts_ms, const char *key, struct value v)
{
	return series_add(&s, UID, ts_ms, &(struct reading){ str_of(key), v }, 1);
}

/* ---- rows ---- */

static uint8_t chunk[64 << 10];

START_TEST(rows_come_back_as_they_were)
{
	static struct rows rows;
	static struct row row;
	struct reading v[] = {
		{ STR("t"), value_of_double(21.43) }, { STR("n"), value_of_long(0) }, { STR("on"), value_of_bool(true) },
		{ STR("dr"), value_of_text(STR("SF7BW125")) }, { STR("j"), { .kind = VALUE_JSON, .text = STR("[1]") } },
		{ STR("r"), value_of_double(1.0 / 3) }, { STR("big"), value_of_long(INT64_MIN) }, { STR("e"), value_of_text(STR("")) },
	};
	static const double t[] = { 21.43, 21, 21.5, -0.0, 0.30000000000000004, 1e300, -21.123456789, 5e-324, 9007199254740993.0, 0.1 };
	struct writer w = writer_of(chunk, sizeof chunk);
	rows_begin(&rows, &w);
	for (size_t i = 0; i < 50; i++) {
		v[0].value = i % 3 == 2 ? value_of_long((int64_t)i - 20) : value_of_double(t[i % COUNT(t)]);
		v[1].value = value_of_long(i == 40 ? INT64_MAX : (int64_t)i);
		v[2].value.truth = i % 2;
		ck_assert_int_eq(rows_add(&rows, &w, (int64_t)(i * i * 1000 + (i == 9 ? INT64_MAX / 2 : 0)), v, COUNT(v)), 0);
	}
	ck_assert_int_eq(rows_open(&rows, rows_seal(&w)), 0);
	for (size_t i = 0; i < 50; i++) {
		v[0].value = i % 3 == 2 ? value_of_long((int64_t)i - 20) : value_of_double(t[i % COUNT(t)]);
		v[1].value = value_of_long(i == 40 ? INT64_MAX : (int64_t)i);
		v[2].value.truth = i % 2;
		ck_assert_int_eq(rows_next(&rows, &row), 0);
		ck_assert_int_eq(row.ts_ms, (int64_t)(i * i * 1000 + (i == 9 ? INT64_MAX / 2 : 0)));
		ck_assert_uint_eq(row.n, COUNT(v));
		for (size_t k = 0; k < COUNT(v); k++)
			ck_assert_msg(str_eq(row.v[k].key, v[k].key) && value_eq(&row.v[k].value, &v[k].value), "row %zu, %s", i, v[k].key.p);
	}
	ck_assert_int_eq(rows_next(&rows, &row), -ENOENT);
}
END_TEST

START_TEST(a_row_that_does_not_fit_leaves_the_chunk_as_it_was)
{
	static struct rows rows;
	static struct row row;
	struct writer w = writer_of(chunk, 60);
	rows_begin(&rows, &w);
	ck_assert_int_eq(rows_add(&rows, &w, 1, &(struct reading){ STR("a"), value_of_long(1) }, 1), 0);
	struct reading large = { STR("b"), value_of_text(STR("0123456789012345678901234567890123456789012345678901234567890123")) };
	ck_assert_int_eq(rows_add(&rows, &w, 2, &large, 1), ROWS_E_FULL);
	ck_assert_int_eq(rows_open(&rows, rows_seal(&w)), 0);
	ck_assert_int_eq(rows_next(&rows, &row), 0);
	ck_assert_int_eq(rows_next(&rows, &row), -ENOENT);
}
END_TEST

START_TEST(a_damaged_chunk_is_refused)
{
	static struct rows rows;
	static struct row row;
	struct writer w = writer_of(chunk, sizeof chunk);
	rows_begin(&rows, &w);
	for (int i = 0; i < 5; i++)
		rows_add(&rows, &w, i, (struct reading[]){ { STR("a"), value_of_long(i) }, { STR("b"), value_of_text(STR("x")) } }, 2);
	struct slice c = rows_seal(&w);
	for (size_t bit = 0; bit < 8 * c.n; bit++) {
		chunk[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(rows_open(&rows, c), -EBADMSG);
		/* And where the check is right all the same, reading ends. */
		seal_close(chunk, c.n);
		if (!rows_open(&rows, c))
			while (!rows_next(&rows, &row))
				;
		rows_seal(&w);
		chunk[bit / 8] ^= (uint8_t)(1 << bit % 8);
		rows_seal(&w);
	}
	for (size_t n = 0; n < c.n; n++)
		ck_assert_int_eq(rows_open(&rows, (struct slice){ c.p, n }), -EBADMSG);
}
END_TEST

START_TEST(what_a_lorawan_device_says_takes_few_octets)
{
	static struct rows rows;
	struct rng_seeded seeded;
	struct rng rng = rng_seeded(&seeded, 1);
	struct writer w = writer_of(chunk, sizeof chunk);
	static const char *const rates[] = { "SF7BW125", "SF8BW125" };
	rows_begin(&rows, &w);
	enum { ROWS = 150, VALUES = 8 };
	for (uint32_t i = 0; i < ROWS; i++) {
		const struct reading v[VALUES] = {
			{ STR("rssi"), value_of_long(-100 + (int64_t)(rng_below(&rng, 20))) },
			{ STR("snr"), value_of_double((double)(rng_below(&rng, 60)) / 4 - 5) },
			{ STR("data_rate"), value_of_text(str_of(rates[rng_below(&rng, 10) == 0])) },
			{ STR("frequency"), value_of_long(868100000 + 200000 * (int64_t)(rng_below(&rng, 3))) },
			{ STR("f_cnt"), value_of_long(i) }, { STR("f_port"), value_of_long(1) },
			{ STR("temperature"), value_of_double((double)(2100 + rng_below(&rng, 100)) / 100) },
			{ STR("humidity"), value_of_double((double)(500 + rng_below(&rng, 20)) / 10) },
		};
		rows_add(&rows, &w, 1700000000000 + (int64_t)i * 600000 + (int64_t)(rng_below(&rng, 200)), v, VALUES);
	}
	printf("%zu octets for %d values of %d uplinks: %.2f for each\n", w.len, ROWS * VALUES, ROWS, (double)w.len / (ROWS * VALUES));
	ck_assert_uint_le(w.len, 2 * ROWS * VALUES);
}
END_TEST

/* ---- series ---- */

START_TEST(values_are_told_newest_first)
{
	open_series(10, 1 << 20);
	ck_assert_str_eq(ask((struct ask){ 0 }, "a", NULL), "");
	for (int i = 1; i <= 3; i++)
		ck_assert_int_eq(series_add(&s, UID, 1000 * i, (struct reading[]){ { STR("a"), value_of_long(i) }, { STR("b"), value_of_bool(true) } }, 2), 0);
	ck_assert_int_eq(add(2500, "a", value_of_text(STR("late"))), 0);
	ck_assert_int_eq(add(2000, "a", value_of_double(2.5)), 0);
	ck_assert_str_eq(ask((struct ask){ 0 }, "a", NULL), "0@3000=3 0@2500=\"late\" 0@2000=2.5 0@1000=1 ");
	ck_assert_str_eq(ask((struct ask){ .limit = 2 }, "a", NULL), "0@3000=3 0@2500=\"late\" ");
	ck_assert_str_eq(ask((struct ask){ .from_ms = 2000, .to_ms = 3000 }, "a", NULL), "0@2500=\"late\" 0@2000=2.5 ");
	ck_assert_str_eq(ask((struct ask){ .limit = 1 }, "b", "a"), "1@3000=3 0@3000=true ");
	ck_assert_str_eq(ask((struct ask){ 0 }, "c", NULL), "");
	check_shelf();
	close_series();
}
END_TEST

START_TEST(intervals_are_summed_up)
{
	open_series(10, 1 << 20);
	static const struct { int64_t ts_ms; struct value v; } said[] = {
		{ 1000, { .kind = VALUE_LONG, .whole = 4 } }, { 1500, { .kind = VALUE_LONG, .whole = -2 } },
		{ 2100, { .kind = VALUE_DOUBLE, .real = 1.5 } }, { 2200, { .kind = VALUE_LONG, .whole = 2 } },
		{ 2300, { .kind = VALUE_BOOLEAN, .truth = true } }, { 4999, { .kind = VALUE_BOOLEAN, .truth = true } },
		{ 5000, { .kind = VALUE_LONG, .whole = INT64_MAX } }, { 5001, { .kind = VALUE_LONG, .whole = INT64_MAX } },
	};
	for (size_t i = 0; i < COUNT(said); i++)
		add(said[i].ts_ms, "a", said[i].v);
	struct ask q = { .from_ms = 1000, .interval_ms = 1000 };
	static const char *const want[ASK_AGGREGATE_N] = {
		[ASK_MIN] = "0@5000=9223372036854775807 0@2000=1.5 0@1000=-2 ",
		[ASK_MAX] = "0@5000=9223372036854775807 0@2000=2 0@1000=4 ",
		[ASK_AVG] = "0@5000=9.223372036854776e+18 0@2000=1.75 0@1000=1.0 ",
		[ASK_SUM] = "0@5000=1.8446744073709552e+19 0@2000=3.5 0@1000=2 ",
		[ASK_COUNT] = "0@5000=2 0@4000=1 0@2000=3 0@1000=2 ",
	};
	for (q.aggregate = ASK_MIN; q.aggregate < ASK_AGGREGATE_N; q.aggregate++)
		ck_assert_str_eq(ask(q, "a", NULL), want[q.aggregate]);
	q.aggregate = ASK_COUNT;
	q.limit = 2;
	ck_assert_str_eq(ask(q, "a", NULL), "0@5000=2 0@4000=1 ");
	q = (struct ask){ .from_ms = 500, .to_ms = 2200, .interval_ms = 1000, .aggregate = ASK_COUNT };
	ck_assert_str_eq(ask(q, "a", NULL), "0@1500=2 0@500=1 ");
	enum ask_aggregate aggregate;
	ck_assert(ask_aggregate_of(STR("AVG"), &aggregate) == 0 && aggregate == ASK_AVG);
	ck_assert_int_eq(ask_aggregate_of(STR("median"), &aggregate), -EINVAL);
	close_series();
}
END_TEST

/** All that was said, in a plain table. */
enum { SAID = 6000, KEYS = 3 };
static struct { int64_t ts_ms; size_t key; int64_t v; } table[SAID];

static const char *plain_answer(size_t n, size_t key, int64_t from_ms, int64_t to_ms)
{
	static struct text t;
	int64_t last = INT64_MAX;
	text_done(&t);
	t = text_growing(64 << 20);
	for (;;) {
		size_t best = SAID;
		for (size_t i = 0; i < n; i++)
			if (table[i].key == key && table[i].ts_ms < last && table[i].ts_ms >= from_ms && table[i].ts_ms < to_ms &&
				(best == SAID || table[i].ts_ms >= table[best].ts_ms))
				best = i;
		if (best == SAID)
			return t.len ? t.p : "";
		last = table[best].ts_ms;
		text_printf(&t, "0@%lld=%lld ", (long long)last, (long long)table[best].v);
	}
}

/** @param spread  times of so many ms, in any order; 0: one after the other */
static void say_and_compare(uint64_t seed, uint32_t spread)
{
	static const char *const keys[KEYS] = { "a", "b", "c" };
	struct rng_seeded seeded;
	struct rng rng = rng_seeded(&seeded, seed);
	open_series(10, 16 << 20);
	for (size_t n = 0; n < SAID; n++) {
		table[n].ts_ms = spread ? (int64_t)(rng_below(&rng, spread)) : (int64_t)n * 10;
		table[n].key = rng_below(&rng, KEYS);
		table[n].v = (int32_t)rng_u64(&rng);
		ck_assert_int_eq(add(table[n].ts_ms, keys[table[n].key], value_of_long(table[n].v)), 0);
	}
	check_shelf();
	for (size_t key = 0; key < KEYS; key++) {
		ck_assert(!strcmp(ask((struct ask){ 0 }, keys[key], NULL), plain_answer(SAID, key, 0, INT64_MAX)));
		int64_t from_ms = spread / 3, to_ms = spread / 2 + 2;
		ck_assert(!strcmp(ask((struct ask){ .from_ms = from_ms, .to_ms = to_ms }, keys[key], NULL), plain_answer(SAID, key, from_ms, to_ms)));
	}
	ck_assert_uint_eq(s.damaged, 0);
	close_series();
}

START_TEST(any_order_is_the_same)
{
	say_and_compare(1, 0);
	say_and_compare(2, 1000000);
	say_and_compare(3, 500); /* the same times again and again */
	say_and_compare(4, 1);
}
END_TEST

START_TEST(going_back_in_time_makes_no_chunk_for_each_value)
{
	open_series(10, 16 << 20);
	for (int64_t i = 5000; i > 0; i--)
		ck_assert_int_eq(add(i * 1000, "a", value_of_long(i)), 0);
	check_shelf();
	ck_assert_uint_lt(shelf.n, 80);
	ck_assert_str_eq(ask((struct ask){ .to_ms = 3000 }, "a", NULL), "0@2000=2 0@1000=1 ");
	close_series();
}
END_TEST

START_TEST(a_head_knows_the_newest_of_each_key)
{
	struct series_head h;
	open_series(2, 1 << 20);
	char text[SERIES_HEAD_TEXT + 2];
	memset(text, 'x', sizeof text);
	ck_assert_int_eq(series_head(&s, UID, &h), SERIES_E_NONE);
	add(2000, "a", value_of_long(2));
	add(1000, "a", value_of_long(1));
	add(1000, "b", value_of_text((struct str){ text, sizeof text }));
	ck_assert_int_eq(add(3000, "c", value_of_long(1)), SERIES_E_KEYS);
	ck_assert_int_eq(series_head(&s, UID, &h), 0);
	ck_assert_uint_eq(h.newest->n, 2);
	ck_assert(h.newest->v[0].ts_ms == 2000 && h.newest->v[0].value.whole == 2);
	ck_assert(h.newest->v[1].ts_ms == 1000 && h.newest->v[1].value.kind == VALUE_KIND_N);
	ck_assert_str_eq(ask((struct ask){ 0 }, "c", NULL), "");
	/* Those that are known are kept though others are too many. */
	ck_assert_int_eq(series_add(&s, UID, 4000, (struct reading[]){ { STR("c"), value_of_long(1) }, { STR("a"), value_of_long(9) } }, 2), SERIES_E_KEYS);
	ck_assert_str_eq(ask((struct ask){ .limit = 1 }, "a", NULL), "0@4000=9 ");
	close_series();
}
END_TEST

START_TEST(what_is_old_goes)
{
	open_series(10, 16 << 20);
	for (int64_t i = 0; i < 4000; i++)
		add(i * 1000, "a", value_of_long(i * 7919 % 1000));
	size_t n = shelf.n;
	ck_assert_uint_gt(n, 4);
	ck_assert_int_eq(series_trim(&s, UID, shelf.v[2].first_ms, 100), 2);
	check_shelf();
	ck_assert_int_eq(series_trim(&s, UID, shelf.v[1].first_ms - 1, 100), 0);
	ck_assert_int_eq(series_trim(&s, UID, 3999000, 1), 1);
	ck_assert_int_gt(series_trim(&s, UID, 3999000, 100), 0);
	ck_assert_uint_eq(shelf.n, 1);
	ck_assert_int_eq(series_trim(&s, UID, 4000000, 100), 1);
	ck_assert_uint_eq(shelf.n, 0);
	ck_assert_uint_eq(s.bytes, 0);
	/* The newest value stays, and what comes then begins anew. */
	struct series_head h;
	ck_assert_int_eq(series_head(&s, UID, &h), 0);
	ck_assert_int_eq(h.newest->v[0].ts_ms, 3999000);
	add(5000, "a", value_of_long(1));
	check_shelf();
	ck_assert_int_eq(series_forget(&s, UID), 0);
	ck_assert_uint_eq(shelf.n, 0);
	ck_assert_int_eq(series_head(&s, UID, &h), SERIES_E_NONE);
	close_series();
}
END_TEST

START_TEST(a_device_has_its_share)
{
	open_series(10, 20000);
	for (int64_t i = 0; i < 20000; i++)
		ck_assert_int_eq(add(i * 1000, "a", value_of_long(i * 7919 % 1000)), 0);
	check_shelf();
	ck_assert_uint_le(s.bytes, 20000 + SERIES_CHUNK);
	ck_assert_uint_ge(s.bytes, 16000);
	ck_assert_int_eq(shelf.v[shelf.n - 1].v.n > 0, 1);
	ck_assert_str_eq(ask((struct ask){ .limit = 1 }, "a", NULL), "0@19999000=81 ");
	close_series();
}
END_TEST

START_TEST(large_messages_are_kept)
{
	enum { MANY = 600 };
	static char names[MANY][8], large[100000];
	static struct reading v[MANY];
	open_series(1000, 16 << 20);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "k%zu", i);
		v[i] = (struct reading){ str_of(names[i]), value_of_long((int64_t)i) };
	}
	for (int64_t ts = 0; ts < 5; ts++)
		ck_assert_int_eq(series_add(&s, UID, ts, v, MANY), 0);
	ck_assert_str_eq(ask((struct ask){ 0 }, "k599", NULL), "0@4=599 0@3=599 0@2=599 0@1=599 0@0=599 ");
	memset(large, 'x', sizeof large);
	ck_assert_int_eq(add(10, "text", value_of_text((struct str){ large, sizeof large })), 0);
	ck_assert_int_eq(add(9, "text", value_of_text((struct str){ large, sizeof large })), 0);
	ck_assert_int_eq(add(10, "text", value_of_long(1)), 0);
	check_shelf();
	ck_assert_uint_gt(strlen(ask((struct ask){ .to_ms = 10 }, "text", NULL)), sizeof large);
	/* Of one time so much is kept, and what was there stays. */
	int r = 0;
	for (size_t i = 0; i < MANY && !r; i++)
		r = series_add(&s, UID, 20, &(struct reading){ v[i].key, value_of_text((struct str){ large, sizeof large }) }, 1);
	ck_assert_int_eq(r, SERIES_E_LARGE);
	ck_assert_uint_gt(strlen(ask((struct ask){ .from_ms = 20 }, "k0", NULL)), sizeof large);
	check_shelf();
	close_series();
}
END_TEST

START_TEST(damaged_records_cost_what_they_held)
{
	open_series(10, 16 << 20);
	for (int64_t i = 0; i < 3000; i++)
		add(i * 1000, "a", value_of_long(i));
	size_t n = shelf.n;
	((uint8_t *)(uintptr_t)shelf.v[n - 1].v.p)[9] ^= 1;
	ck_assert_str_eq(ask((struct ask){ .to_ms = 2000 }, "a", NULL), "0@1000=1 0@0=0 ");
	ck_assert_str_eq(ask((struct ask){ .from_ms = 2999000 }, "a", NULL), "");
	ck_assert_uint_eq(s.damaged, 1);
	ck_assert_int_eq(add(3000000, "a", value_of_long(5)), 0);
	ck_assert_str_eq(ask((struct ask){ .limit = 1 }, "a", NULL), "0@3000000=5 ");
	ck_assert_uint_eq(shelf.n, n);
	((uint8_t *)(uintptr_t)shelf.head[UID % 4].v.p)[9] ^= 1;
	ck_assert_int_eq(add(3001000, "a", value_of_long(6)), 0);
	ck_assert_str_eq(ask((struct ask){ .limit = 1 }, "a", NULL), "0@3001000=6 ");
	shelf.fail = 1;
	ck_assert_int_eq(add(3002000, "a", value_of_long(6)), -EIO);
	shelf.fail = 0;
	close_series();
}
END_TEST

/* ---- LoRaWAN ---- */

static const char *as_json(const struct reading *v, size_t n)
{
	static char json[512];
	struct text t = text_fixed(json, sizeof json);
	readings_json(&t, v, n);
	return json;
}

START_TEST(an_uplink_is_kept_as_the_best_gateway_heard_it)
{
	static struct up_data up;
	struct reading v[LORAWAN_READINGS_MAX];
	char words[LORAWAN_WORDS];
	up = (struct up_data){ .f_cnt = 70000, .freq_hz = 868500000, .mod = { .sf = 12, .bw_hz = 125000 } };
	up.rx.len = 3;
	up.rx.v[0].rssi_ddbm = -350;
	MSG_SET(&up.rx.v[1], snr_ddb, 95);
	up.rx.v[1].rssi_ddbm = -425;
	MSG_SET(&up.rx.v[2], snr_ddb, -70);
	up.rx.v[2].rssi_ddbm = -300;
	MSG_SET(&up, f_port, 0);
	ck_assert_str_eq(as_json(v, lorawan_uplink(&up, words, v)),
		"{\"rssi\":-42.5,\"snr\":9.5,\"data_rate\":\"SF12BW125\",\"frequency\":868500000,\"f_cnt\":70000,\"f_port\":0}");
	up = (struct up_data){ .f_cnt = 1, .freq_hz = 868800000, .mod = { .kind = 1, .bit_rate = 50000 } };
	up.rx.len = 2;
	up.rx.v[0].rssi_ddbm = -900;
	up.rx.v[1].rssi_ddbm = -800;
	ck_assert_str_eq(as_json(v, lorawan_uplink(&up, words, v)), "{\"rssi\":-80,\"data_rate\":\"FSK50000\",\"frequency\":868800000,\"f_cnt\":1}");
	up = (struct up_data){ 0 };
	ck_assert_str_eq(as_json(v, lorawan_uplink(&up, words, v)), "{\"f_cnt\":0}");
}
END_TEST

START_TEST(a_status_is_kept_without_what_is_not_known)
{
	struct reading v[LORAWAN_READINGS_MAX];
	struct up_status status = { .battery = 254, .margin_db = -3 };
	ck_assert_str_eq(as_json(v, lorawan_status(&status, v)), "{\"battery_percentage\":100.0,\"margin\":-3}");
	status.battery = 1;
	ck_assert_str_eq(as_json(v, lorawan_status(&status, v)), "{\"battery_percentage\":0.0,\"margin\":-3}");
	status.battery = 0;
	ck_assert_str_eq(as_json(v, lorawan_status(&status, v)), "{\"margin\":-3}");
	status.battery = 255;
	ck_assert_str_eq(as_json(v, lorawan_status(&status, v)), "{\"margin\":-3}");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("series");
	TCase *rows = tcase_create("rows"), *where = tcase_create("series");
	tcase_add_test(rows, rows_come_back_as_they_were);
	tcase_add_test(rows, a_row_that_does_not_fit_leaves_the_chunk_as_it_was);
	tcase_add_test(rows, a_damaged_chunk_is_refused);
	tcase_add_test(rows, what_a_lorawan_device_says_takes_few_octets);
	tcase_add_test(where, values_are_told_newest_first);
	tcase_add_test(where, intervals_are_summed_up);
	tcase_add_test(where, any_order_is_the_same);
	tcase_add_test(where, going_back_in_time_makes_no_chunk_for_each_value);
	tcase_add_test(where, a_head_knows_the_newest_of_each_key);
	tcase_add_test(where, what_is_old_goes);
	tcase_add_test(where, a_device_has_its_share);
	tcase_add_test(where, large_messages_are_kept);
	tcase_add_test(where, damaged_records_cost_what_they_held);
	tcase_add_test(where, an_uplink_is_kept_as_the_best_gateway_heard_it);
	tcase_add_test(where, a_status_is_kept_without_what_is_not_known);
	tcase_set_timeout(where, 60);
	suite_add_tcase(suite, rows);
	suite_add_tcase(suite, where);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
