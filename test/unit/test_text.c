/** @file Strings, the text builder, hex, base64, numbers and UTF-8, against RFC 4648 and the C library. */
#include "common/core/text.h"
#include "test/unit/vec_lines.h"
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

START_TEST(strings_are_cut_and_trimmed)
{
	struct str head, rest = str_cut(STR("a=b=c"), '=', &head);
	ck_assert(str_is(head, "a"));
	ck_assert(str_is(rest, "b=c"));
	rest = str_cut(STR("abc"), '=', &head);
	ck_assert(str_is(head, "abc"));
	ck_assert(str_is(rest, ""));
	rest = str_cut(STR(""), '=', &head);
	ck_assert(str_is(head, "") && str_is(rest, ""));
	ck_assert(str_is(str_trim(STR(" \t a b\r\n")), "a b"));
	ck_assert(str_is(str_trim(STR(" \n")), ""));
	ck_assert(str_eq(str_of(NULL), STR("")));
	ck_assert(str_starts(STR("gs:up"), "gs:"));
	ck_assert(str_starts(STR("gs"), ""));
	ck_assert(!str_starts(STR("gs"), "gs:"));
}
END_TEST

START_TEST(strings_compare_as_strcmp_does)
{
	static const char *const words[] = { "", "a", "ab", "abc", "b", "ba", "\x7f", "\x80", "\xff" };
	for (size_t i = 0; i < COUNT(words); i++)
		for (size_t k = 0; k < COUNT(words); k++) {
			int ours = str_cmp(str_of(words[i]), str_of(words[k])), theirs = strcmp(words[i], words[k]);
			ck_assert_int_eq((ours > 0) - (ours < 0), (theirs > 0) - (theirs < 0));
			ck_assert_int_eq(str_eq(str_of(words[i]), str_of(words[k])), theirs == 0);
		}
}
END_TEST

START_TEST(a_copy_is_whole_or_empty)
{
	char dst[4] = "xxx";
	ck_assert_int_eq(str_copy(STR("abc"), dst, sizeof dst), 0);
	ck_assert_str_eq(dst, "abc");
	ck_assert_int_eq(str_copy(STR("abcd"), dst, sizeof dst), -ENOSPC);
	ck_assert_str_eq(dst, "");
	ck_assert_int_eq(str_copy(STR("a\0b"), dst, sizeof dst), -ENOSPC);
	ck_assert_int_eq(str_copy(STR(""), dst, 0), -ENOSPC);
}
END_TEST

START_TEST(a_fixed_text_never_passes_its_end)
{
	for (size_t cap = 0; cap <= 12; cap++) {
		char buf[16];
		memset(buf, '#', sizeof buf);
		struct text t = text_fixed(buf, cap);
		ck_assert_uint_eq(text_str(&t).n, 0);
		text_puts(&t, "abc");
		text_printf(&t, "%d", 4567);
		text_putc(&t, '!');
		size_t want = cap == 0 ? 0 : cap - 1 < 8 ? cap - 1 : 8;
		ck_assert_uint_eq(t.len, want);
		ck_assert_int_eq(t.failed, want < 8);
		ck_assert(memcmp(t.p, "abc4567!", want) == 0);
		ck_assert_int_eq(t.p[want], '\0');
		for (size_t i = cap; i < sizeof buf; i++)
			ck_assert_int_eq(buf[i], '#');
	}
}
END_TEST

START_TEST(a_text_that_failed_takes_nothing_more)
{
	char buf[5];
	struct text t = text_fixed(buf, sizeof buf);
	text_puts(&t, "abcdef");
	ck_assert_str_eq(buf, "abcd");
	text_reset(&t);
	ck_assert_str_eq(buf, "");
	text_puts(&t, "xyz");
	text_puts(&t, "12");
	text_puts(&t, "");
	ck_assert_str_eq(buf, "xyz1");
	ck_assert(t.failed);
	text_reset(&t);
	text_puts(&t, "fine");
	ck_assert_str_eq(buf, "fine");
	ck_assert(!t.failed);
}
END_TEST

START_TEST(a_growing_text_stops_at_its_limit)
{
	__attribute__((cleanup(text_done_auto))) struct text t = text_growing(1000);
	ck_assert_str_eq(t.p, "");
	for (int i = 0; i < 250; i++)
		text_puts(&t, "abcd");
	ck_assert(!t.failed);
	ck_assert_uint_eq(t.len, 1000);
	text_putc(&t, 'e');
	ck_assert(t.failed);
	ck_assert_uint_eq(strlen(t.p), 1000);
	ck_assert_uint_le(t.cap, 1001);
	text_reset(&t);
	text_printf(&t, "%0600d|%s", 7, "end");
	ck_assert(!t.failed);
	ck_assert_str_eq(t.p + 598, "07|end");
	text_printf(&t, "%0600d", 7);
	ck_assert(t.failed);
	ck_assert_uint_eq(t.len, 1000);
	text_done(&t);
	ck_assert_uint_eq(t.len, 0);
	text_puts(&t, "again");
	ck_assert_str_eq(t.p, "again");
}
END_TEST

START_TEST(a_growing_text_without_limit_grows)
{
	struct text t = text_growing(SIZE_MAX);
	for (int i = 0; i < 100000; i++)
		text_puts(&t, "0123456789");
	ck_assert(!t.failed);
	ck_assert_uint_eq(t.len, 1000000);
	ck_assert_uint_eq(strlen(t.p), 1000000);
	text_done(&t);
}
END_TEST

START_TEST(whole_numbers_are_written_as_printf_does)
{
	static const int64_t numbers[] = { 0, 1, -1, 9, 10, 99, 100, -100, INT64_MAX, INT64_MIN, INT32_MIN, 4294967296 };
	for (size_t i = 0; i < COUNT(numbers); i++) {
		char buf[32], want[32];
		struct text t = text_fixed(buf, sizeof buf);
		text_i64(&t, numbers[i]);
		snprintf(want, sizeof want, "%" PRId64, numbers[i]);
		ck_assert_str_eq(buf, want);
		text_reset(&t);
		text_u64(&t, (uint64_t)numbers[i]);
		snprintf(want, sizeof want, "%" PRIu64, (uint64_t)numbers[i]);
		ck_assert_str_eq(buf, want);
	}
}
END_TEST

START_TEST(decimals_lose_their_trailing_zeros)
{
	static const struct {
		int64_t v;
		unsigned digits;
		const char *want;
	} rows[] = {
		{ 925, 2, "9.25" }, { -50, 1, "-5" }, { 0, 6, "0" }, { 0, 0, "0" }, { -5, 1, "-0.5" }, { 5, 3, "0.005" },
		{ 868100000, 6, "868.1" }, { 100, 0, "100" }, { 100, 2, "1" }, { 1, 19, "0.0000000000000000001" },
		{ INT64_MIN, 0, "-9223372036854775808" }, { INT64_MIN, 19, "-0.9223372036854775808" },
		{ INT64_MAX, 18, "9.223372036854775807" }, { 10, 1, "1" }, { 1010, 3, "1.01" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[48];
		struct text t = text_fixed(buf, sizeof buf);
		text_decimal(&t, rows[i].v, rows[i].digits);
		ck_assert_str_eq(buf, rows[i].want);
	}
}
END_TEST

START_TEST(rfc_4648_vectors_hold)
{
	struct vectors v = vectors_open("text/rfc4648.txt");
	size_t rows = 0;
	for (; vectors_next(&v); rows++) {
		struct str octets = vec_get(&v, "octets"), coded = vec_get(&v, "text");
		char buf[64];
		uint8_t out[32];
		size_t got = 0;
		struct text t = text_fixed(buf, sizeof buf);
		bool is_hex = vec_is(&v, "as", "base16");
		if (is_hex)
			text_hex(&t, octets.p, octets.n, true);
		else
			text_base64(&t, octets.p, octets.n);
		ck_assert(str_eq(text_str(&t), coded));
		ck_assert_int_eq((is_hex ? hex_decode : base64_decode)(coded, out, sizeof out, &got), 0);
		ck_assert(str_eq((struct str){ (char *)out, got }, octets));
	}
	ck_assert_uint_eq(rows, 14);
}
END_TEST

START_TEST(base64_is_read_in_every_dialect)
{
	static const struct {
		const char *text;
		int result;
		const char *hex;
	} rows[] = {
		{ "", 0, "" }, { "-_-_", 0, "fbffbf" }, { "+/+/", 0, "fbffbf" }, { "+_-/", 0, "fbffbf" },
		{ "Zg", 0, "66" }, { "Zg==", 0, "66" }, { "Zm8", 0, "666f" }, { "Zm8=", 0, "666f" },
		{ "Zg=", -EINVAL, "" }, { "Z", -EINVAL, "" }, { "Z===", -EINVAL, "" }, { "====", -EINVAL, "" },
		{ "Zg==Zg==", -EINVAL, "" }, { "Zm9v=", -EINVAL, "" }, { "Zm 9v", -EINVAL, "" }, { "Zm9v\n", -EINVAL, "" },
		{ "Zm9*", -EINVAL, "" }, { "Zm9\x80", -EINVAL, "" }, { "=", -EINVAL, "" }, { "Zm==9v", -EINVAL, "" },
		{ "AAAAAAAAAAAAAA", -ENOSPC, "" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t out[9];
		char hex[32];
		size_t n = 99;
		struct text t = text_fixed(hex, sizeof hex);
		ck_assert_int_eq(base64_decode(str_of(rows[i].text), out, sizeof out, &n), rows[i].result);
		ck_assert(rows[i].result == 0 || n == 99);
		if (rows[i].result == 0)
			text_hex(&t, out, n, false);
		ck_assert_str_eq(hex, rows[i].hex);
	}
}
END_TEST

START_TEST(long_octets_survive_base64_and_hex)
{
	uint8_t in[300], out[300];
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 7 + (i >> 3));
	for (size_t n = 0; n <= sizeof in; n++) {
		char buf[700];
		size_t got;
		struct text t = text_fixed(buf, sizeof buf);
		text_base64(&t, in, n);
		ck_assert_uint_eq(t.len, (n + 2) / 3 * 4);
		ck_assert_int_eq(base64_decode(text_str(&t), out, n, &got), 0);
		ck_assert_uint_eq(got, n);
		ck_assert_mem_eq(out, in, n);
		text_reset(&t);
		text_hex(&t, in, n, n & 1);
		ck_assert_int_eq(hex_exact(text_str(&t), out, n), 0);
		ck_assert_mem_eq(out, in, n);
	}
}
END_TEST

START_TEST(hex_allows_separators_between_octets_only)
{
	uint8_t out[8];
	size_t n;
	uint64_t eui;
	uint32_t v;
	ck_assert_int_eq(hex_decode(STR(" 70:b3-D5 7e"), out, sizeof out, &n), 0);
	ck_assert_uint_eq(n, 4);
	ck_assert_mem_eq(out, "\x70\xb3\xd5\x7e", 4);
	ck_assert_int_eq(hex_decode(STR("7:0"), out, sizeof out, &n), -EINVAL);
	ck_assert_int_eq(hex_decode(STR("701"), out, sizeof out, &n), -EINVAL);
	ck_assert_int_eq(hex_decode(STR("7g"), out, sizeof out, &n), -EINVAL);
	ck_assert_int_eq(hex_decode(STR("001122334455667788"), out, sizeof out, &n), -ENOSPC);
	ck_assert_int_eq(hex_exact(STR("0011"), out, 3), -EINVAL);
	ck_assert_int_eq(hex_exact(STR("00112233"), out, 3), -EINVAL);
	ck_assert_int_eq(hex_eui(STR("70B3D57ED0051234"), &eui), 0);
	ck_assert_uint_eq(eui, 0x70B3D57ED0051234);
	ck_assert_int_eq(hex_eui(STR("70-b3-d5-7e-d0-05-12-34"), &eui), 0);
	ck_assert_uint_eq(eui, 0x70B3D57ED0051234);
	ck_assert_int_eq(hex_eui(STR("70B3D57ED00512"), &eui), -EINVAL);
	ck_assert_int_eq(hex_eui(STR(""), &eui), -EINVAL);
	ck_assert_int_eq(hex_u32(STR("260B12AB"), 8, &v), 0);
	ck_assert_uint_eq(v, 0x260B12AB);
	ck_assert_int_eq(hex_u32(STR("000013"), 6, &v), 0);
	ck_assert_uint_eq(v, 0x13);
	ck_assert_int_eq(hex_u32(STR("00013"), 6, &v), -EINVAL);
	ck_assert_int_eq(hex_u32(STR("00-013"), 6, &v), -EINVAL);
	ck_assert_int_eq(hex_u32(STR("112233445"), 9, &v), -EINVAL);
	ck_assert_int_eq(hex_u32(STR(""), 0, &v), -EINVAL);
}
END_TEST

START_TEST(whole_numbers_are_read_to_their_limits)
{
	uint64_t u = 5;
	int64_t i = 5;
	ck_assert_int_eq(num_u64(STR("18446744073709551615"), &u), 0);
	ck_assert_uint_eq(u, UINT64_MAX);
	ck_assert_int_eq(num_u64(STR("18446744073709551616"), &u), -ERANGE);
	ck_assert_int_eq(num_u64(STR("99999999999999999999999999x"), &u), -EINVAL);
	ck_assert_int_eq(num_u64(STR("007"), &u), 0);
	ck_assert_uint_eq(u, 7);
	static const char *const bad[] = { "", "-1", "+1", " 1", "1 ", "0x1", "1.0", "1e3", "-" };
	for (size_t k = 0; k < COUNT(bad); k++)
		ck_assert_int_eq(num_u64(str_of(bad[k]), &u), -EINVAL);
	ck_assert_int_eq(num_i64(STR("-9223372036854775808"), &i), 0);
	ck_assert_int_eq(i, INT64_MIN);
	ck_assert_int_eq(num_i64(STR("-9223372036854775809"), &i), -ERANGE);
	ck_assert_int_eq(num_i64(STR("9223372036854775807"), &i), 0);
	ck_assert_int_eq(i, INT64_MAX);
	ck_assert_int_eq(num_i64(STR("9223372036854775808"), &i), -ERANGE);
	ck_assert_int_eq(num_i64(STR("--1"), &i), -EINVAL);
	ck_assert_int_eq(num_i64(STR("-"), &i), -EINVAL);
	ck_assert_int_eq(num_i64(STR("-0"), &i), 0);
	ck_assert_int_eq(i, 0);
}
END_TEST

START_TEST(decimals_are_read_exactly)
{
	static const struct {
		const char *text;
		unsigned digits;
		int result;
		int64_t want;
	} rows[] = {
		{ "868.1", 6, 0, 868100000 }, { "868.100000", 6, 0, 868100000 }, { "433.175001", 6, 0, 433175001 },
		{ "-0", 1, 0, 0 }, { "-0.0", 1, 0, 0 }, { "9.2", 1, 0, 92 }, { "-12.3", 1, 0, -123 }, { "-12.35", 1, 0, -124 },
		{ "-12.349999", 1, 0, -123 }, { "0.5", 0, 0, 1 }, { "-0.5", 0, 0, -1 }, { "0.49999", 0, 0, 0 },
		{ "2.5", 0, 0, 3 }, { "1e3", 0, 0, 1000 }, { "1E+3", 1, 0, 10000 }, { "8.681e2", 6, 0, 868100000 },
		{ "8681e-1", 6, 0, 868100000 }, { "5e-1", 0, 0, 1 }, { "5e-2", 0, 0, 0 }, { "0e999999999999999999999", 6, 0, 0 },
		{ "1e-999999999999999999999", 6, 0, 0 }, { "1e19", 0, -ERANGE, 0 }, { "1e999999999999999999999", 0, -ERANGE, 0 },
		{ "9223372036854775807", 0, 0, INT64_MAX }, { "9223372036854775808", 0, -ERANGE, 0 },
		{ "-9223372036854775808", 0, 0, INT64_MIN }, { "18446744073709551615.5", 0, -ERANGE, 0 },
		{ "0.00000000000000000000000000001e29", 0, 0, 1 }, { "007", 0, 0, 7 },
		{ "", 0, -EINVAL, 0 }, { "-", 0, -EINVAL, 0 }, { "+1", 0, -EINVAL, 0 }, { ".5", 0, -EINVAL, 0 },
		{ "5.", 0, -EINVAL, 0 }, { "1e", 0, -EINVAL, 0 }, { "1e+", 0, -EINVAL, 0 }, { "1e-+1", 0, -EINVAL, 0 },
		{ "1.2.3", 0, -EINVAL, 0 }, { "1 ", 0, -EINVAL, 0 }, { "nan", 0, -EINVAL, 0 }, { "1,5", 0, -EINVAL, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t v = 77;
		ck_assert_msg(num_decimal(str_of(rows[i].text), rows[i].digits, &v) == rows[i].result, "%s", rows[i].text);
		ck_assert_msg(v == (rows[i].result ? 77 : rows[i].want), "%s is not %" PRId64, rows[i].text, v);
	}
}
END_TEST

/** Printed by the C library from hertz, as packet forwarders do with %.6f, every frequency comes back. */
START_TEST(frequencies_of_a_forwarder_come_back)
{
	for (uint32_t hz = 137000000; hz < 2500000000U; hz += 99991) {
		char buf[32];
		int64_t back;
		snprintf(buf, sizeof buf, "%.6f", hz / 1e6);
		ck_assert_int_eq(num_decimal(str_of(buf), 6, &back), 0);
		ck_assert_int_eq(back, hz);
	}
}
END_TEST

START_TEST(durations_are_sums_of_parts)
{
	static const struct {
		const char *text;
		int result;
		uint64_t us;
	} rows[] = {
		{ "200ms", 0, 200000 }, { "5s", 0, 5000000 }, { "5", 0, 5000000 }, { "0", 0, 0 }, { "1m30s", 0, 90000000 },
		{ "10m", 0, 600000000 }, { "1h", 0, 3600000000 }, { "7d", 0, 604800000000 }, { "1.5h", 0, 5400000000 },
		{ "0.061696s", 0, 61696 }, { "1h2m3s4ms5us", 0, 3723004005 }, { "2.5", 0, 2500000 },
		{ "", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "5x", -EINVAL, 0 }, { "5 s", -EINVAL, 0 }, { "-5s", -EINVAL, 0 },
		{ "1m30", -EINVAL, 0 }, { "1e3s", -EINVAL, 0 }, { "5S", -EINVAL, 0 }, { "1.s", -EINVAL, 0 }, { ".", -EINVAL, 0 },
		{ "99999999999999999999s", -ERANGE, 0 }, { "300000000d", -ERANGE, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t us = 77;
		ck_assert_msg(num_duration_us(str_of(rows[i].text), &us) == rows[i].result, "%s", rows[i].text);
		ck_assert_msg(us == (rows[i].result ? 77 : rows[i].us), "%s is not %" PRIu64, rows[i].text, us);
	}
}
END_TEST

/** Everything up to U+10FFFF is written, read, and found well-formed; surrogates are not. */
START_TEST(every_character_survives_utf8)
{
	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		char c[5] = { 0 };
		size_t n = utf8_encode(code, c);
		bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
		size_t octets = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
		bool is_cut_valid = n > 1 && utf8_valid((struct str){ c, n - 1 });
		/* check writes a line for each assertion that holds: one for a million characters would take half a minute. */
		if (n != octets || utf8_valid((struct str){ c, n }) == is_surrogate || is_cut_valid)
			ck_abort_msg("U+%04X: %zu octets", code, n);
	}
}
END_TEST

START_TEST(malformed_utf8_is_refused)
{
	static const struct str bad[] = {
		{ "\x80", 1 }, { "\xbf", 1 }, { "\xc0\x80", 2 }, { "\xc1\xbf", 2 }, { "\xe0\x80\x80", 3 }, { "\xe0\x9f\xbf", 3 },
		{ "\xed\xa0\x80", 3 }, { "\xed\xbf\xbf", 3 }, { "\xf0\x80\x80\x80", 4 }, { "\xf0\x8f\xbf\xbf", 4 },
		{ "\xf4\x90\x80\x80", 4 }, { "\xf5\x80\x80\x80", 4 }, { "\xfe", 1 }, { "\xff", 1 }, { "ab\xc3", 3 },
		{ "\xe2\x82\x41", 3 }, { "\xc3\x28", 2 },
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!utf8_valid(bad[i]), "row %zu", i);
	ck_assert(utf8_valid(STR("a\0b")));
	ck_assert(utf8_valid(STR("")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("text");
	TCase *c = tcase_create("text");
	tcase_add_test(c, strings_are_cut_and_trimmed);
	tcase_add_test(c, strings_compare_as_strcmp_does);
	tcase_add_test(c, a_copy_is_whole_or_empty);
	tcase_add_test(c, a_fixed_text_never_passes_its_end);
	tcase_add_test(c, a_text_that_failed_takes_nothing_more);
	tcase_add_test(c, a_growing_text_stops_at_its_limit);
	tcase_add_test(c, a_growing_text_without_limit_grows);
	tcase_add_test(c, whole_numbers_are_written_as_printf_does);
	tcase_add_test(c, decimals_lose_their_trailing_zeros);
	tcase_add_test(c, rfc_4648_vectors_hold);
	tcase_add_test(c, base64_is_read_in_every_dialect);
	tcase_add_test(c, long_octets_survive_base64_and_hex);
	tcase_add_test(c, hex_allows_separators_between_octets_only);
	tcase_add_test(c, whole_numbers_are_read_to_their_limits);
	tcase_add_test(c, decimals_are_read_exactly);
	tcase_add_test(c, frequencies_of_a_forwarder_come_back);
	tcase_add_test(c, durations_are_sums_of_parts);
	tcase_add_test(c, every_character_survives_utf8);
	tcase_add_test(c, malformed_utf8_is_refused);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
