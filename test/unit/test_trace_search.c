/** @file Looking for events in chunks: as much is found as if all had been read, step by step, whatever happens in between. */
#include "as/core/trace/search.h"
#include "proto/cids.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHELVES = 8, EVENTS_IN_CHUNK = 50, TOLD_MAX = 4096 };

/** Chunks in memory; number n stands at n % SHELVES. */
static struct kept {
	struct chunk chunk;
	uint8_t index[CHUNK_INDEX_MAX], value[CHUNK_KEPT_MAX];
	size_t index_n, value_n;
	bool is_there;
} kept[SHELVES];
static uint64_t first, open_number, events, looked, opened;
static struct trace_event scratch;
static uint8_t opened_records[CHUNK_MAX];

static uint64_t told[TOLD_MAX];
static size_t n_told;
static const char *wanted_name; /* NULL: any */

static void range(void *ctx, uint64_t *ret_first, uint64_t *ret_open)
{
	(void)ctx;
	*ret_first = first;
	*ret_open = open_number;
}

static int get_index(void *ctx, uint64_t number, struct chunk_index *ret)
{
	struct kept *k = &kept[number % SHELVES];
	(void)ctx;
	looked++;
	ck_assert_uint_ne(number, open_number);
	if (number < first || !k->is_there)
		return -ENOENT;
	return chunk_index_read((struct slice){ k->index, k->index_n }, ret);
}

static int get_records(void *ctx, uint64_t number, struct slice *ret)
{
	struct kept *k = &kept[number % SHELVES];
	(void)ctx;
	opened++;
	if (number < first || !k->is_there)
		return -ENOENT;
	*ret = chunk_records(&k->chunk);
	return number == open_number ? 0 : chunk_open((struct slice){ k->value, k->value_n }, opened_records, ret);
}

static const struct shelf shelf = { .range = range, .index = get_index, .records = get_records };

static void begin_chunk(void)
{
	struct kept *k = &kept[++open_number % SHELVES];
	chunk_init(&k->chunk);
	k->is_there = true;
	if (open_number - first >= SHELVES)
		first = open_number - SHELVES + 1;
}

static void end_chunk(void)
{
	struct kept *k = &kept[open_number % SHELVES];
	k->index_n = chunk_index(&k->chunk, k->index);
	k->value_n = chunk_value(&k->chunk, k->value);
	begin_chunk();
}

static void put(const char *name, enum cid_kind kind, uint64_t id, enum cid_kind also, uint64_t also_id)
{
	struct trace_event e = { .time_unix_us = ++events };
	struct ulid u = { { 0 } };
	struct kept *k = &kept[open_number % SHELVES];
	snprintf(e.name, sizeof e.name, "%s", name);
	memcpy(u.b, &id, sizeof id);
	CIDS_ADD(&e.cids, kind, u);
	memcpy(u.b, &also_id, sizeof also_id);
	if (also_id)
		CIDS_ADD(&e.cids, also, u);
	MSG_MARK(&e, cids);
	if (!strcmp(name, "push"))
		snprintf(e.data, sizeof e.data, "{\"correlation_ids\":[\"own-%u\"]}", (unsigned)id);
	if (*e.data)
		MSG_MARK(&e, data);
	ck_assert_int_eq(chunk_add(&k->chunk, &e, "", (struct slice){ 0 }), 0);
	if (k->chunk.events == EVENTS_IN_CHUNK)
		end_chunk();
}

static void put_many(const char *name, uint64_t from, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		put(name, CID_GS_UPLINK, from + i, 0, 0);
}

static bool may_be_in(void *ctx, const struct chunk_index *i)
{
	(void)ctx;
	return !wanted_name || chunk_may_have(i, print_name(wanted_name));
}

static bool sees(void *ctx, const struct trace_event *e)
{
	(void)ctx;
	return !wanted_name || !strcmp(wanted_name, e->name);
}

static bool sees_of_message(void *ctx, const struct trace_event *e)
{
	(void)ctx;
	(void)e;
	return false;
}

static void tell(void *ctx, const struct trace_event *e)
{
	(void)ctx;
	ck_assert_uint_lt(n_told, TOLD_MAX);
	told[n_told++] = e->time_unix_us;
}

static struct search *ask(const char *correlation_id, size_t max, bool goes_on)
{
	struct search_ask a = { .may_be_in = may_be_in, .sees = sees, .sees_of_message = sees_of_message, .tell = tell,
		.correlation_id = correlation_id, .max = max, .goes_on = goes_on };
	n_told = 0;
	looked = opened = 0;
	struct search *s = search_new(&shelf, &a);
	ck_assert_ptr_nonnull(s);
	return s;
}

/** @return how many chunks and records were damaged */
static uint64_t finish(struct search *s)
{
	while (search_step(s, &scratch))
		;
	uint64_t n = search_damaged(s);
	search_free(s);
	return n;
}

static void set_up(void)
{
	memset(kept, 0, sizeof kept);
	wanted_name = NULL;
	events = 0;
	first = 1;
	open_number = 0;
	begin_chunk();
}

START_TEST(the_newest_are_told_oldest_first)
{
	finish(ask(NULL, 10, false));
	ck_assert_uint_eq(n_told, 0);
	put_many("a", 1, 325);
	for (size_t max = 1; max < 400; max += 13) {
		finish(ask(NULL, max, false));
		ck_assert_uint_eq(n_told, max < 325 ? max : 325);
		for (size_t i = 0; i < n_told; i++)
			ck_assert_uint_eq(told[i], 325 - n_told + 1 + i);
	}
}
END_TEST

START_TEST(only_chunks_that_may_have_it_are_read)
{
	put_many("a", 1, 120);
	put("b", CID_GS_UPLINK, 1000, 0, 0);
	put_many("a", 121, 200);
	wanted_name = "b";
	finish(ask(NULL, 10, false));
	ck_assert_uint_eq(n_told, 1);
	ck_assert_uint_eq(told[0], 121);
	/* The open one, to know its end and again to read it; the one that has it, to find and to tell it. */
	ck_assert_uint_eq(opened, 4);
	ck_assert_uint_eq(looked, open_number - 1);
}
END_TEST

START_TEST(a_story_is_found_across_chunks_from_an_applications_id)
{
	put_many("a", 1, 30);
	put("push", CID_AS_DOWNLINK, 7, 0, 0);
	put_many("a", 40, 100);
	put("attempt", CID_AS_DOWNLINK, 7, CID_NS_TRANSMISSION, 9);
	put_many("a", 200, 100);
	put("success", CID_NS_TRANSMISSION, 9, 0, 0);
	put("push", CID_AS_DOWNLINK, 8, 0, 0);
	finish(ask("own-7", 100, false));
	ck_assert_uint_eq(n_told, 3);
	ck_assert_uint_eq(told[0], 31);
	ck_assert_uint_eq(told[1], 132);
	ck_assert_uint_eq(told[2], 233);
	finish(ask("own-9", 100, false));
	ck_assert_uint_eq(n_told, 0);
	ck_assert_uint_le(opened, 2); /* nothing but the open one */
}
END_TEST

START_TEST(what_comes_later_is_told_once_and_in_order_where_it_is_asked_for)
{
	put_many("a", 1, 75);
	struct search *s = ask(NULL, 60, true);
	uint64_t n = 75;
	for (bool is_more = true; is_more;) {
		is_more = search_step(s, &scratch);
		if (is_more && n < 200) {
			put_many("a", 76, 5);
			n += 5;
		}
	}
	search_free(s);
	ck_assert_uint_gt(n, 80);
	ck_assert_uint_eq(n_told, 60 + n - 75);
	for (size_t i = 0; i < n_told; i++)
		ck_assert_uint_eq(told[i], 16 + i);
	s = ask(NULL, 10, false);
	put_many("a", 300, 3);
	finish(s);
	ck_assert_uint_eq(told[n_told - 1], n);
}
END_TEST

START_TEST(what_is_deleted_in_between_is_left_out)
{
	put_many("a", 1, 375);
	struct search *s = ask(NULL, 1000, false);
	for (int i = 0; i < 6; i++)
		ck_assert(search_step(s, &scratch));
	put_many("a", 1, 200); /* four more chunks, so four fewer of the old */
	finish(s);
	ck_assert_uint_gt(n_told, 0);
	ck_assert_uint_lt(n_told, 375);
	ck_assert_uint_eq(told[n_told - 1], 375);
	for (size_t i = 1; i < n_told; i++)
		ck_assert_uint_eq(told[i], told[i - 1] + 1);
}
END_TEST

START_TEST(damaged_ones_are_passed_over_and_counted)
{
	put_many("a", 1, 220);
	kept[2].value[50] ^= 1;
	kept[4].index[20] ^= 1;
	ck_assert_uint_eq(finish(ask(NULL, 1000, false)), 2);
	ck_assert_uint_eq(n_told, 120);
	ck_assert_uint_eq(told[0], 1);
	ck_assert_uint_eq(told[50], 101);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace_search");
	TCase *t = tcase_create("looking for events");
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, the_newest_are_told_oldest_first);
	tcase_add_test(t, only_chunks_that_may_have_it_are_read);
	tcase_add_test(t, a_story_is_found_across_chunks_from_an_applications_id);
	tcase_add_test(t, what_comes_later_is_told_once_and_in_order_where_it_is_asked_for);
	tcase_add_test(t, what_is_deleted_in_between_is_left_out);
	tcase_add_test(t, damaged_ones_are_passed_over_and_counted);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
