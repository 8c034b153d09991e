/** @file Heads of HTTP requests, against the rules and examples of RFC 9110 and RFC 9112. */
#include "common/core/http_fields.h"
#include "common/core/http_head.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char buf[8192];
static struct http_head h;

static int parse(const char *text)
{
	size_t n = strlen(text);
	ck_assert_uint_lt(n, sizeof buf);
	memcpy(buf, text, n);
	return http_head_parse(buf, n, &h);
}

START_TEST(a_request_is_taken_apart)
{
	ck_assert_int_eq(parse("GET /where%2Fx?q=now&Q=a%20b+c&flag HTTP/1.1\r\nHost: www.example.org\r\naccept:\t*/* \r\n\r\n"), 0);
	ck_assert_str_eq(h.method, "GET");
	ck_assert_str_eq(h.path, "/where%2Fx");
	ck_assert_str_eq(http_head_query(&h, "q"), "now");
	ck_assert_str_eq(http_head_query(&h, "Q"), "a b c");
	ck_assert_str_eq(http_head_query(&h, "flag"), "");
	ck_assert_ptr_null(http_head_query(&h, "x"));
	ck_assert_str_eq(http_head_header(&h, "ACCEPT"), "*/*");
	ck_assert_ptr_null(http_head_header(&h, "Accept-Encoding"));
	ck_assert(h.keeps_alive && !h.is_chunked && h.content_length == 0);
	/* RFC 9112 3.2.2: a server must accept the absolute form. */
	ck_assert_int_eq(parse("GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1\r\n\r\n"), 0);
	ck_assert_str_eq(h.path, "/pub/WWW/TheProject.html");
}
END_TEST

START_TEST(the_connection_is_kept_or_closed_as_the_version_and_header_say)
{
	static const struct {
		const char *text;
		bool keeps;
	} rows[] = { /* RFC 9112 9.3 */
		{ "GET / HTTP/1.1\r\n\r\n", true },
		{ "GET / HTTP/1.1\r\nConnection: close\r\n\r\n", false },
		{ "GET / HTTP/1.1\r\nConnection: Upgrade, Close\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\n\r\n", false },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(parse(rows[i].text), 0);
		ck_assert_int_eq(h.keeps_alive, rows[i].keeps);
	}
}
END_TEST

START_TEST(the_body_has_one_length)
{
	ck_assert_int_eq(parse("POST / HTTP/1.1\r\nContent-Length: 1048577\r\nExpect: 100-Continue\r\n\r\n"), 0);
	ck_assert_uint_eq(h.content_length, 1048577);
	ck_assert(h.expects_continue);
	ck_assert_int_eq(parse("POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n"), 0);
	ck_assert(h.is_chunked);
}
END_TEST

/* RFC 9112 2.2, 3, 5.1, 5.2, 6.1, 6.3, 11.2 and RFC 9110 5.5: what two readers could take differently. */
static const struct {
	const char *text;
	int status;
} refused[] = {
	{ "", 400 },
	{ "GET /\r\n\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n\r\n", 505 },
	{ "GET / HTTP/2.0\r\n\r\n", 505 },
	{ "GET / http/1.1\r\n\r\n", 400 },
	{ "G@T / HTTP/1.1\r\n\r\n", 400 },
	{ "GET x HTTP/1.1\r\n\r\n", 400 },
	{ "GET http://h HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nA : b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nA\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n A: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\nA: b\n\n", 400 },
	{ "GET / HTTP/1.1\r\nA: b\r\n", 400 },
	{ "GET /?a=%zz HTTP/1.1\r\n\r\n", 400 },
	{ "GET /?a=%00 HTTP/1.1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: 0x3\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501 },
};

START_TEST(what_could_be_understood_differently_is_refused)
{
	ck_assert_msg(parse(refused[_i].text) == refused[_i].status, "%s", refused[_i].text);
}
END_TEST

START_TEST(fields_are_counted)
{
	char text[4096] = "GET / HTTP/1.1\r\n";
	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		strcat(text, "A: b\r\n");
	strcat(text, "\r\n");
	ck_assert_int_eq(parse(text), 431);
	char query[4096] = "GET /?a";
	for (int i = 0; i <= HTTP_QUERIES_MAX; i++)
		strcat(query, "&a");
	strcat(query, " HTTP/1.1\r\n\r\n");
	ck_assert_int_eq(parse(query), 400);
}
END_TEST

START_TEST(a_chunk_has_a_length_in_hex)
{
	static const struct {
		const char *text;
		int rc;
		uint64_t n;
	} rows[] = {
		{ "0", 0, 0 }, { "1a", 0, 26 }, { "FF;ext=1", 0, 255 }, { "10 ;x", 0, 16 }, { "0fffffffffffffff", 0, UINT64_MAX >> 4 },
		{ "", -EINVAL, 0 }, { ";x", -EINVAL, 0 }, { "0x10", -EINVAL, 0 }, { "-1", -EINVAL, 0 }, { "1g", -EINVAL, 0 },
		{ "10000000000000000", -EINVAL, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t n = 0;
		ck_assert_msg(http_chunk_length(str_of(rows[i].text), &n) == rows[i].rc, "%s", rows[i].text);
		ck_assert_uint_eq(n, rows[i].n);
	}
}
END_TEST

START_TEST(a_token_is_one_of_a_list)
{
	ck_assert(http_has_token(STR("keep-alive, Upgrade"), "upgrade"));
	ck_assert(!http_has_token(STR("upgrades, up grade,"), "upgrade"));
	ck_assert(!http_has_token(STR(""), "") && !http_has_token(STR("a,,b"), ""));
}
END_TEST

START_TEST(json_is_what_says_so_or_nothing)
{
	static const char *const taken[] = { NULL, "", "application/json", "Application/JSON; charset=utf-8", "text/json", "application/problem+json",
		"application/x-www-form-urlencoded", " application/json " };
	static const char *const left[] = { "text/plain", "text/xml", "application/octet-stream", "multipart/form-data; boundary=x", "application/jsonx",
		"+json", "application/x-ndjson" };
	for (size_t i = 0; i < COUNT(taken); i++)
		ck_assert_msg(http_is_json(taken[i]), "%s", taken[i]);
	for (size_t i = 0; i < COUNT(left); i++)
		ck_assert_msg(!http_is_json(left[i]), "%s", left[i]);
}
END_TEST

START_TEST(origins_are_written_as_browsers_write_them)
{
	static const char *const right[] = { "", "*", "null", "https://a.example", "http://localhost:3000, https://b.example ,", "capacitor://localhost",
		"http://[::1]:8080" };
	static const char *const wrong[] = { "a.example", "https://a.example/", "https://a.example/app", "https://", "://x", "https://*.example", "https://a b",
		"https://a?b", "https:/a" };
	struct str which;
	for (size_t i = 0; i < COUNT(right); i++)
		ck_assert_msg(http_origins_valid(str_of(right[i]), &which), "%s", right[i]);
	for (size_t i = 0; i < COUNT(wrong); i++) {
		ck_assert_msg(!http_origins_valid(str_of(wrong[i]), &which), "%s", wrong[i]);
		ck_assert(str_is(which, wrong[i]));
	}
	ck_assert(http_origin_allowed(STR("https://a.example"), "https://A.example") && http_origin_allowed(STR("*"), "null"));
	ck_assert(!http_origin_allowed(STR("https://a.example"), "https://a.example.evil") && !http_origin_allowed(STR("*"), NULL));
	ck_assert(!http_origin_allowed(STR("https://a.example"), "http://a.example") && !http_origin_allowed(STR(""), ""));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http_head");
	TCase *c = tcase_create("heads");
	tcase_add_test(c, a_request_is_taken_apart);
	tcase_add_test(c, the_connection_is_kept_or_closed_as_the_version_and_header_say);
	tcase_add_test(c, the_body_has_one_length);
	tcase_add_loop_test(c, what_could_be_understood_differently_is_refused, 0, COUNT(refused));
	tcase_add_test(c, fields_are_counted);
	tcase_add_test(c, a_chunk_has_a_length_in_hex);
	tcase_add_test(c, a_token_is_one_of_a_list);
	tcase_add_test(c, json_is_what_says_so_or_nothing);
	tcase_add_test(c, origins_are_written_as_browsers_write_them);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
