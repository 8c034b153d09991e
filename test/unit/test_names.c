/** @file Values by name in one record: attributes, newest values. */
#include "as/core/series/names.h"
#include <check.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

static uint8_t record[4096];

/** Write them down, and read them again into *ret. */
static struct slice there_and_back(const struct names *names, struct slice head, struct names *ret)
{
	struct writer w = writer_of(record, sizeof record);
	ck_assert_int_eq(names_write(names, head, &w), 0);
	ck_assert_int_eq(names_read(ret, (struct slice){ w.p, w.len }, head.n), 0);
	return (struct slice){ w.p, w.len };
}

START_TEST(numbers_come_back)
{
	static const int64_t v[] = { 0, 1, -1, 63, 64, -64, -65, INT32_MAX, INT64_MAX, INT64_MIN, INT64_MIN + 1 };
	for (size_t i = 0; i < COUNT(v); i++) {
		struct writer w = writer_of(record, sizeof record);
		pack_signed(&w, v[i]);
		struct reader r = reader_of(record, w.len);
		ck_assert_int_eq(unpack_signed(&r), v[i]);
		ck_assert(!r.failed && reader_left(&r) == 0);
		r = reader_of(record, w.len - 1);
		unpack_signed(&r);
		ck_assert(r.failed);
	}
	/* Protocol Buffers' own examples of varints and ZigZag. */
	struct writer w = writer_of(record, sizeof record);
	pack_varint(&w, 150);
	pack_signed(&w, -2);
	ck_assert_mem_eq(record, "\x96\x01\x03", 3);
	/* 65 bits */
	struct reader r = reader_of("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
	unpack_varint(&r);
	ck_assert(r.failed);
}
END_TEST

START_TEST(values_of_each_kind_come_back)
{
	const struct named v[] = {
		{ STR("a"), 5, value_of_bool(true) }, { STR("b"), 1700000000000, value_of_long(-7) },
		{ STR("c"), 0, value_of_double(0.1) }, { STR("d"), INT64_MAX, value_of_text(STR("text")) },
		{ STR("e"), 3, { .kind = VALUE_JSON, .text = STR("{\"x\":[1]}") } }, { STR("f"), 4, { .kind = VALUE_KIND_N } },
		{ STR("g"), 4, value_of_double(-DBL_MAX) }, { STR("h"), 4, value_of_text(STR("")) },
	};
	struct names names = { 0 }, again = { 0 };
	for (size_t i = 0; i < COUNT(v); i++)
		ck_assert_int_eq(names_set(&names, &v[i]), 0);
	there_and_back(&names, (struct slice){ (const uint8_t *)"head", 4 }, &again);
	ck_assert_mem_eq(record + 4, "head", 4);
	ck_assert_uint_eq(again.n, COUNT(v));
	for (size_t i = 0; i < COUNT(v); i++) {
		ck_assert(str_eq(again.v[i].name, v[i].name) && value_eq(&again.v[i].value, &v[i].value));
		ck_assert_int_eq(again.v[i].ts_ms, v[i].ts_ms);
	}
	names_done(&names);
	names_done(&again);
}
END_TEST

START_TEST(names_are_set_and_removed)
{
	struct names names = { 0 };
	ck_assert_int_eq(names_set(&names, &(struct named){ STR("a"), 1, value_of_long(1) }), 0);
	ck_assert_int_eq(names_set(&names, &(struct named){ STR("b"), 1, value_of_long(2) }), 0);
	ck_assert_int_eq(names_set(&names, &(struct named){ STR("a"), 2, value_of_bool(false) }), 0);
	ck_assert_uint_eq(names.n, 2);
	ck_assert_int_eq(names_find(&names, STR("a"))->ts_ms, 2);
	ck_assert(names_remove(&names, STR("a")));
	ck_assert(!names_remove(&names, STR("a")));
	ck_assert_ptr_null(names_find(&names, STR("a")));
	ck_assert_ptr_nonnull(names_find(&names, STR("b")));
	names_done(&names);
}
END_TEST

START_TEST(a_damaged_record_is_refused)
{
	struct names names = { 0 }, again = { 0 };
	ck_assert_int_eq(names_set(&names, &(struct named){ STR("a"), 1, value_of_text(STR("text")) }), 0);
	struct slice s = there_and_back(&names, (struct slice){ 0 }, &again);
	for (size_t n = 1; n < s.n; n++)
		ck_assert_int_eq(names_read(&again, (struct slice){ s.p, n }, 0), -EBADMSG);
	for (size_t bit = 0; bit < 8 * s.n; bit++) {
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(names_read(&again, s, 0), -EBADMSG);
		record[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(names_read(&again, (struct slice){ 0 }, 0), 0);
	ck_assert_uint_eq(again.n, 0);
	struct writer w = writer_of(record, 8);
	ck_assert_int_eq(names_write(&names, (struct slice){ 0 }, &w), -ENOSPC);
	names_done(&names);
	names_done(&again);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("names");
	TCase *t = tcase_create("records");
	tcase_add_test(t, numbers_come_back);
	tcase_add_test(t, values_of_each_kind_come_back);
	tcase_add_test(t, names_are_set_and_removed);
	tcase_add_test(t, a_damaged_record_is_refused);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
