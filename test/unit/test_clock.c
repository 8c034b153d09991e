/** @file The calendar against the C library's, RFC 3339, and GPS time against published instants. */
#include "common/core/clock.h"
#include "test/unit/vec_lines.h"
#include <check.h>
#include <time.h>

static uint64_t instant_ns(struct str s)
{
	uint64_t ns = 0;
	ck_assert_msg(clock_parse_rfc3339(s, &ns) == 0, "%.*s", STR_ARG(s));
	return ns;
}

START_TEST(the_calendar_is_that_of_libc)
{
	/* Each day until the year 2600, at a time of day that moves. */
	for (uint64_t day = 0; day < 230000; day++) {
		uint64_t s = day * 86400 + day * 7919 % 86400, back = 0;
		time_t at = (time_t)s;
		struct tm tm;
		struct civil c = clock_civil(s);
		if ((uint64_t)at != s)
			break; /* a time_t of 32 bits ends in 2038 */
		gmtime_r(&at, &tm);
		bool is_same = (int)c.year == tm.tm_year + 1900 && (int)c.month == tm.tm_mon + 1 && (int)c.day == tm.tm_mday &&
			(int)c.hour == tm.tm_hour && (int)c.minute == tm.tm_min && (int)c.second == tm.tm_sec;
		/* One assertion for all days: check writes a line for each that holds. */
		if (!is_same || clock_unix_s(&c, &back) != 0 || back != s)
			ck_abort_msg("%" PRIu64 " s is not %s", s, asctime(&tm));
	}
}
END_TEST

START_TEST(dates_that_cannot_be_counted_are_refused)
{
	static const struct civil bad[] = {
		{ .year = 1969, .month = 12, .day = 31 }, { .year = 2000, .month = 0, .day = 1 },
		{ .year = 2000, .month = 13, .day = 1 }, { .year = 2000, .month = 1, .day = 0 },
		{ .year = INT64_MAX, .month = 1, .day = 1 }, { .year = INT64_MIN, .month = 1, .day = 1 },
	};
	uint64_t s;
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_int_eq(clock_unix_s(&bad[i], &s), -ERANGE);
	struct civil over = { .year = 2016, .month = 12, .day = 31, .hour = 23, .minute = 59, .second = 60 };
	ck_assert_int_eq(clock_unix_s(&over, &s), 0);
	ck_assert_uint_eq(s, 1483228800);
	clock_civil(UINT64_MAX);
}
END_TEST

START_TEST(instants_are_written_with_as_many_digits_as_needed)
{
	static const struct {
		uint64_t ns;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" }, { 1, "1970-01-01T00:00:00.000000001Z" }, { 1000, "1970-01-01T00:00:00.000001Z" },
		{ 1000000, "1970-01-01T00:00:00.001Z" }, { 120000000, "1970-01-01T00:00:00.120Z" },
		{ 1772446530412345678, "2026-03-02T10:15:30.412345678Z" }, { 951782400000000000, "2000-02-29T00:00:00Z" },
		{ UINT64_MAX, "2554-07-21T23:34:33.709551615Z" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[40];
		struct text t = text_fixed(buf, sizeof buf);
		clock_rfc3339(&t, rows[i].ns);
		ck_assert_str_eq(buf, rows[i].want);
		ck_assert_uint_eq(instant_ns(text_str(&t)), rows[i].ns);
	}
}
END_TEST

START_TEST(instants_are_read_in_every_zone)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} rows[] = {
		/* RFC 3339 5.8 */
		{ "1985-04-12T23:20:50.52Z", 482196050520000000 }, { "1996-12-19T16:39:57-08:00", 851042397000000000 },
		{ "1996-12-20T00:39:57Z", 851042397000000000 }, { "1990-12-31T23:59:60Z", 662688000000000000 },
		{ "1990-12-31T15:59:60-08:00", 662688000000000000 },
		/* forwarders */
		{ "2013-03-31T16:21:17.528002Z", 1364746877528002000 }, { "2013-03-31t16:21:17z", 1364746877000000000 },
		{ "2013-03-31 16:21:17Z", 1364746877000000000 }, { "2013-03-31T18:21:17+02:00", 1364746877000000000 },
		{ "2013-04-01T02:06:17+09:45", 1364746877000000000 }, { "1970-01-01T00:30:00+00:30", 0 },
		{ "1969-12-31T23:59:00-00:01", 0 }, { "2013-03-31T16:21:17.123456789Z", 1364746877123456789 },
		{ "2013-03-31T16:21:17.1-00:00", 1364746877100000000 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_msg(instant_ns(str_of(rows[i].text)) == rows[i].ns, "%s", rows[i].text);
	}
}
END_TEST

START_TEST(what_is_no_instant_is_refused)
{
	static const char *const bad[] = {
		"", "2013", "2013-03-31", "2013-03-31T16:21:17", "2013-03-31T16:21Z", "2013-03-31T16:21:17.Z",
		"2013-03-31T16:21:17.1234567890Z", "2013-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2013-04-31T00:00:00Z",
		"2013-13-01T00:00:00Z", "2013-00-01T00:00:00Z", "2013-01-00T00:00:00Z", "2013-01-01T24:00:00Z",
		"2013-01-01T00:60:00Z", "2013-01-01T00:00:61Z", "2013-01-01T00:00:00ZZ", "2013-01-01T00:00:00+24:00",
		"2013-01-01T00:00:00+0100", "2013-01-01T00:00:00+01:60", "2013-01-01T00:00:00+01:00x", "2013-1-01T00:00:00Z",
		"2013-01-01X00:00:00Z", "+013-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "0001-01-01T00:00:00+23:59",
		"2554-07-21T23:34:33.709551616Z", "2555-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z",
		"2013-01-01T00:00:00 Z", "2016-02-12 14:24:31 GMT", " 2013-01-01T00:00:00Z",
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t ns = 77;
		ck_assert_msg(clock_parse_rfc3339(str_of(bad[i]), &ns) == -EINVAL, "%s", bad[i]);
		ck_assert_uint_eq(ns, 77);
	}
}
END_TEST

START_TEST(gps_time_is_as_published)
{
	struct vectors v = vectors_open("clock/gps.txt");
	size_t leaps = 0, points = 0;
	while (vectors_next(&v)) {
		uint64_t unix_us = instant_ns(vec_get(&v, "utc")) / 1000, gps_us = vec_num(&v, "gps") * SEC_US;
		if (!vec_has(&v, "leap")) {
			ck_assert_uint_eq(clock_gps_us(unix_us), gps_us);
			ck_assert_uint_eq(clock_unix_us_of_gps(gps_us), unix_us);
			points++;
			continue;
		}
		/* The second before midnight, the leap second itself, midnight. */
		ck_assert_uint_eq(vec_num(&v, "leap"), ++leaps);
		ck_assert_uint_eq(clock_gps_us(unix_us - 1), gps_us - 1);
		ck_assert_uint_eq(clock_gps_us(unix_us), gps_us + SEC_US);
		ck_assert_uint_eq(clock_unix_us_of_gps(gps_us - 1), unix_us - 1);
		ck_assert_uint_eq(clock_unix_us_of_gps(gps_us), unix_us);
		ck_assert_uint_eq(clock_unix_us_of_gps(gps_us + 999999), unix_us + 999999);
		ck_assert_uint_eq(clock_unix_us_of_gps(gps_us + SEC_US), unix_us);
		uint64_t seconds = unix_us / SEC_US - 315964800;
		ck_assert_uint_eq(clock_gps_us(unix_us) / SEC_US - seconds, leaps);
	}
	ck_assert_uint_eq(leaps, 18);
	ck_assert_uint_eq(points, 5);
}
END_TEST

START_TEST(gps_time_begins_in_1980)
{
	uint64_t epoch_us = instant_ns(STR("1980-01-06T00:00:00Z")) / 1000;
	ck_assert_uint_eq(clock_gps_us(epoch_us), 0);
	ck_assert_uint_eq(clock_gps_us(epoch_us + 5), 5);
	ck_assert_uint_eq(clock_gps_us(epoch_us - 1), 0);
	ck_assert_uint_eq(clock_gps_us(0), 0);
	ck_assert_uint_eq(clock_unix_us_of_gps(0), epoch_us);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("clock");
	TCase *c = tcase_create("clock");
	tcase_add_test(c, the_calendar_is_that_of_libc);
	tcase_add_test(c, dates_that_cannot_be_counted_are_refused);
	tcase_add_test(c, instants_are_written_with_as_many_digits_as_needed);
	tcase_add_test(c, instants_are_read_in_every_zone);
	tcase_add_test(c, what_is_no_instant_is_refused);
	tcase_add_test(c, gps_time_is_as_published);
	tcase_add_test(c, gps_time_begins_in_1980);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
