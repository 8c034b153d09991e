/** @file Bounded readers and writers. */
#include "common/core/bytes.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t wire[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	26, 27, 28, 29, 30, 31, 32, 0xff };

START_TEST(numbers_are_read_in_both_orders)
{
	struct reader r = reader_of(wire, sizeof wire);
	ck_assert_uint_eq(reader_u8(&r), 1);
	ck_assert_uint_eq(reader_le16(&r), 0x0302);
	ck_assert_uint_eq(reader_le24(&r), 0x060504);
	ck_assert_uint_eq(reader_le32(&r), 0x0a090807);
	ck_assert_uint_eq(reader_le64(&r), 0x1211100f0e0d0c0b);
	ck_assert_uint_eq(reader_be16(&r), 0x1314);
	ck_assert_uint_eq(reader_be32(&r), 0x15161718);
	ck_assert_uint_eq(reader_be64(&r), 0x191a1b1c1d1e1f20);
	ck_assert_uint_eq(reader_left(&r), 1);
	ck_assert_uint_eq(reader_u8(&r), 0xff);
	ck_assert(!r.failed);
}
END_TEST

START_TEST(what_was_read_is_written_again)
{
	uint8_t out[sizeof wire];
	struct reader r = reader_of(wire, sizeof wire);
	struct writer w = writer_of(out, sizeof out);
	writer_u8(&w, reader_u8(&r));
	writer_le16(&w, reader_le16(&r));
	writer_le24(&w, reader_le24(&r));
	writer_le32(&w, reader_le32(&r));
	writer_le64(&w, reader_le64(&r));
	writer_be16(&w, reader_be16(&r));
	writer_be32(&w, reader_be32(&r));
	writer_be64(&w, reader_be64(&r));
	writer_put(&w, "\xff", 1);
	ck_assert(!w.failed);
	ck_assert_uint_eq(w.len, sizeof wire);
	ck_assert_mem_eq(out, wire, sizeof wire);
}
END_TEST

START_TEST(reading_past_the_end_gives_zero_for_ever)
{
	struct reader r = reader_of(wire, 3);
	ck_assert_uint_eq(reader_le32(&r), 0);
	ck_assert(r.failed);
	ck_assert_uint_eq(reader_left(&r), 0);
	ck_assert_uint_eq(reader_u8(&r), 0);
	struct slice s = reader_take(&r, 1);
	ck_assert_ptr_null(s.p);
	ck_assert_uint_eq(s.n, 0);
	r = reader_of(wire, 3);
	ck_assert_uint_eq(reader_take(&r, 3).n, 3);
	ck_assert_uint_eq(reader_take(&r, 0).n, 0);
	ck_assert(!r.failed);
	ck_assert_uint_eq(reader_take(&r, SIZE_MAX).n, 0);
	ck_assert(r.failed);
}
END_TEST

START_TEST(nothing_is_a_fine_thing_to_read)
{
	struct reader r = reader_of(NULL, 0);
	ck_assert_uint_eq(reader_left(&r), 0);
	ck_assert_uint_eq(reader_take(&r, 0).n, 0);
	ck_assert(!r.failed);
	ck_assert_uint_eq(reader_u8(&r), 0);
	ck_assert(r.failed);
}
END_TEST

START_TEST(writing_past_the_end_writes_nothing_more)
{
	uint8_t out[4] = { 0xee, 0xee, 0xee, 0xee };
	struct writer w = writer_of(out, 3);
	writer_u8(&w, 1);
	writer_be32(&w, 2);
	ck_assert(w.failed);
	writer_u8(&w, 3);
	writer_put(&w, "x", 1);
	ck_assert_uint_eq(w.len, 1);
	ck_assert_mem_eq(out, "\x01\xee\xee\xee", 4);
	w = writer_of(NULL, 0);
	writer_put(&w, NULL, 0);
	ck_assert(!w.failed);
	writer_put(&w, "x", 1);
	ck_assert(w.failed);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bytes");
	TCase *c = tcase_create("bytes");
	tcase_add_test(c, numbers_are_read_in_both_orders);
	tcase_add_test(c, what_was_read_is_written_again);
	tcase_add_test(c, reading_past_the_end_gives_zero_for_ever);
	tcase_add_test(c, nothing_is_a_fine_thing_to_read);
	tcase_add_test(c, writing_past_the_end_writes_nothing_more);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
