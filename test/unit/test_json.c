/** @file Reading JSON: what is JSON and what is not, walking, finding, and the values. */
#include "common/core/json.h"
#include <check.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct json_tok tok[256];

static struct json doc(const char *z)
{
	struct json j = { 0 };
	size_t at = 0;
	int e = json_parse(str_of(z), tok, COUNT(tok), &j, &at);
	ck_assert_msg(e == 0, "%s: %d at %zu", z, e, at);
	return j;
}

START_TEST(json_is_accepted)
{
	static const char *const good[] = {
		"{}", "[]", "0", "-0", "\"\"", "true", "false", "null", " \t\r\n1 \n", "[1,2]", "{\"a\":1}", "{\"a\":{\"b\":[{}]}}",
		"1.5e+10", "-0.5E-3", "1e3", "[[],[[]],{}]", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\"", "{\"\":\"\"}",
		"\"\x7f\xc3\xa9\"", "\"\xff\"", "[ 1 , 2 ]", "{ \"a\" : 1 }", "\"\\ud800\"",
		/* trailing commas, as in the examples of The Things Stack */
		"[1,]", "{\"a\":1,}", "[[1,],]", "{\"a\":{\"b\":[1,],},}", "[1 , ]",
	};
	for (size_t i = 0; i < COUNT(good); i++)
		doc(good[i]);
}
END_TEST

START_TEST(nonsense_is_refused)
{
	static const struct {
		const char *text;
		size_t at;
	} bad[] = {
		{ "", 0 }, { "  ", 2 }, { "{", 1 }, { "[", 1 }, { "}", 0 }, { "]", 0 }, { ",", 0 }, { ":", 0 }, { "{]", 1 },
		{ "[}", 1 }, { "[1}", 2 }, { "{\"a\"}", 4 }, { "{\"a\" \"b\"}", 5 }, { "{\"a\":}", 5 }, { "{\"a\":1 \"b\":2}", 7 },
		{ "{\"a\":\"b\":\"c\"}", 8 }, { "{a:1}", 1 }, { "{1:1}", 1 }, { "{{}:1}", 1 }, { "[a]", 1 }, { "abc", 0 },
		{ "[,]", 1 }, { "[,1]", 1 }, { "{,}", 1 }, { "[1,,]", 3 }, { "[1 2]", 3 }, { "[1:2]", 2 }, { "1 2", 2 },
		{ "{} {}", 3 }, { "{}x", 2 }, { "[1],", 3 }, { "tru", 0 }, { "truex", 4 }, { "nul", 0 }, { "True", 0 },
		{ "01", 1 }, { "-", 1 }, { "+1", 0 }, { ".5", 0 }, { "5.", 2 }, { "1e", 2 }, { "1e+", 3 }, { "0x10", 1 },
		{ "NaN", 0 }, { "--1", 1 }, { "'a'", 0 }, { "\"a", 2 }, { "\"\\", 2 }, { "\"\\x\"", 3 }, { "\"\\u12g4\"", 5 },
		{ "\"\\u123", 6 }, { "\"a\nb\"", 2 }, { "\"\x1f\"", 1 }, { "[1]//", 3 }, { "/**/1", 0 }, { "\xef\xbb\xbf{}", 0 },
		{ "{\"a\":1]", 6 }, { "{\"a\",\"b\"}", 4 }, { "[\"a\":1]", 4 },
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct json j = { .n = 77 };
		size_t at = 99;
		ck_assert_msg(json_parse(str_of(bad[i].text), tok, COUNT(tok), &j, &at) == -EBADMSG, "%s", bad[i].text);
		ck_assert_msg(at == bad[i].at, "%s: at %zu", bad[i].text, at);
		ck_assert_int_eq(j.n, 77);
		ck_assert_int_eq(json_parse(str_of(bad[i].text), tok, COUNT(tok), &j, NULL), -EBADMSG);
	}
}
END_TEST

START_TEST(a_nul_is_no_end_of_text)
{
	struct json j;
	size_t at;
	ck_assert_int_eq(json_parse(STR("[1\0]"), tok, COUNT(tok), &j, &at), -EBADMSG);
	ck_assert_int_eq(json_parse(STR("{}\0"), tok, COUNT(tok), &j, &at), -EBADMSG);
	ck_assert_uint_eq(at, 2);
	ck_assert_int_eq(json_parse(STR("\"a\0b\""), tok, COUNT(tok), &j, &at), -EBADMSG);
	ck_assert_int_eq(json_parse(STR("\"\\\0\""), tok, COUNT(tok), &j, &at), -EBADMSG);
}
END_TEST

START_TEST(what_follows_the_first_value_is_ignored_on_request)
{
	static const char *const texts[] = { "{\"a\":1}", "{\"a\":1} ", "{\"a\":1}}", "{\"a\":1}{\"a\":2}", "{\"a\":1},", "{\"a\":1}x" };
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct json j;
		uint64_t v;
		ck_assert_int_eq(json_parse_first(str_of(texts[i]), tok, COUNT(tok), &j, NULL), 0);
		ck_assert_int_eq(j.n, 3);
		ck_assert_int_eq(json_u64(&j, json_get(&j, json_root(&j), "a"), &v), 0);
		ck_assert_uint_eq(v, 1);
	}
	struct json j;
	ck_assert_int_eq(json_parse_first(STR("truex"), tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_eq(json_type(&j, 0), JSON_BOOL);
	ck_assert_int_eq(json_parse_first(STR("x"), tok, COUNT(tok), &j, NULL), -EBADMSG);
}
END_TEST

START_TEST(depth_and_tokens_are_bounded)
{
	char text[2 * JSON_DEPTH + 3];
	struct json j;
	for (size_t depth = 1; depth <= JSON_DEPTH + 1; depth++) {
		memset(text, '[', depth);
		memset(text + depth, ']', depth);
		struct str s = { text, 2 * depth };
		ck_assert_int_eq(json_parse(s, tok, COUNT(tok), &j, NULL), depth <= JSON_DEPTH ? 0 : -E2BIG);
	}
	static const char five[] = "{\"a\":[1,2]}";
	for (size_t max = 0; max <= 6; max++)
		ck_assert_int_eq(json_parse(str_of(five), tok, max, &j, NULL), max < 5 ? -ENOSPC : 0);
}
END_TEST

START_TEST(containers_are_walked_in_order)
{
	struct json j = doc("[{\"a\":[1,{\"x\":[]},3],\"b\":\"\",\"c\":{},},\"s\",[],true,null,-1.5,]");
	static const enum json_type types[] = {
		JSON_OBJECT, JSON_STRING, JSON_ARRAY, JSON_BOOL, JSON_NULL, JSON_NUMBER,
	};
	size_t n = 0;
	for (json_val v = json_first(&j, json_root(&j)); v >= 0; v = json_next(&j, v))
		ck_assert_int_eq(json_type(&j, v), types[n++]);
	ck_assert_uint_eq(n, COUNT(types));
	ck_assert_uint_eq(json_count(&j, json_root(&j)), COUNT(types));

	json_val object = json_first(&j, json_root(&j)), a = json_first(&j, object);
	ck_assert(str_is(json_raw(&j, a), "a"));
	ck_assert_int_eq(json_type(&j, json_member_value(&j, a)), JSON_ARRAY);
	ck_assert_uint_eq(json_count(&j, json_member_value(&j, a)), 3);
	json_val b = json_next(&j, a), c = json_next(&j, b);
	ck_assert(str_is(json_raw(&j, b), "b"));
	ck_assert(str_is(json_raw(&j, json_member_value(&j, b)), ""));
	ck_assert(str_is(json_raw(&j, c), "c"));
	ck_assert(str_is(json_whole(&j, c), "\"c\""));
	ck_assert_int_eq(json_type(&j, json_member_value(&j, c)), JSON_OBJECT);
	ck_assert_int_lt(json_next(&j, c), 0);
	ck_assert_int_lt(json_first(&j, json_member_value(&j, c)), 0);
	ck_assert_uint_eq(json_count(&j, object), 3);
}
END_TEST

START_TEST(absent_values_are_harmless)
{
	struct json j = doc("{\"a\":1}");
	uint64_t u;
	int64_t i;
	bool t;
	char s[4];
	size_t n;
	struct str p;
	for (json_val v = -3; v < 9; v += v == -1 ? 4 : 1) {
		ck_assert_int_eq(json_type(&j, v), JSON_NONE);
		ck_assert_int_lt(json_first(&j, v), 0);
		ck_assert_int_lt(json_next(&j, v), 0);
		ck_assert_int_lt(json_member_value(&j, v), 0);
		ck_assert_int_lt(json_get(&j, v, "a"), 0);
		ck_assert_uint_eq(json_count(&j, v), 0);
		ck_assert_uint_eq(json_raw(&j, v).n, 0);
		ck_assert_uint_eq(json_whole(&j, v).n, 0);
		ck_assert_int_eq(json_u64(&j, v, &u), -ENOENT);
		ck_assert_int_eq(json_i64(&j, v, &i), -ENOENT);
		ck_assert_int_eq(json_decimal(&j, v, 6, &i), -ENOENT);
		ck_assert_int_eq(json_bool(&j, v, &t), -ENOENT);
		ck_assert_int_eq(json_string(&j, v, s, sizeof s), -ENOENT);
		ck_assert_int_eq(json_plain(&j, v, &p), -ENOENT);
		ck_assert_int_eq(json_base64(&j, v, s, sizeof s, &n), -ENOENT);
	}
	ck_assert_int_lt(json_next(&j, 0), 0);
	ck_assert_int_lt(json_next(&j, 2), 0);
	ck_assert_int_lt(json_member_value(&j, 2), 0);
	ck_assert_int_lt(json_get(&j, 1, "a"), 0);
	ck_assert_int_lt(json_first(&j, 2), 0);
}
END_TEST

START_TEST(members_are_found_in_both_spellings)
{
	struct json j = doc("{\"fPort\":1,\"frm_payload\":2,\"rx1DelayMs\":3,\"class_b_c\":4,\"dup\":5,\"dup\":6,"
			    "\"\\u0061bc\":7,\"aBc\":{\"f_port\":8},\"f_Port\":9,\"_\":10}");
	static const struct {
		const char *name;
		int want;
	} rows[] = {
		{ "f_port", 1 }, { "frm_payload", 2 }, { "rx1_delay_ms", 3 }, { "class_b_c", 4 }, { "dup", 6 }, { "abc", 7 },
		{ "fPort", 1 }, { "f_Port", 9 }, { "_", 10 }, { "f_por", -1 }, { "f_ports", -1 }, { "", -1 }, { "frmPayload", -1 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t v = -1;
		json_i64(&j, json_get(&j, json_root(&j), rows[i].name), &v);
		ck_assert_msg(v == rows[i].want, "%s is %" PRId64, rows[i].name, v);
	}
}
END_TEST

START_TEST(strings_are_unescaped)
{
	struct json j = doc("[\"a\\\"\\\\\\/\\b\\f\\n\\r\\tz\",\"\\u0041\\u00e9\\u20AC\",\"\\ud83d\\ude00\",\"\",12.50,"
			    "\"\\ud83d\",\"\\ude00\",\"\\ud83dx\",\"\\ud83d\\u0041\",\"\\u0000\",true,null,[],\"\\ud83d\\n1234567\"]");
	static const char *const want[] = { "a\"\\/\b\f\n\r\tz", "A\xc3\xa9\xe2\x82\xac", "\xf0\x9f\x98\x80", "", "12.50" };
	static const int errors[] = { -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENOENT, -EINVAL, -EINVAL };
	char s[16];
	json_val v = json_first(&j, 0);
	for (size_t i = 0; i < COUNT(want); i++, v = json_next(&j, v)) {
		ck_assert_int_eq(json_string(&j, v, s, sizeof s), 0);
		ck_assert_str_eq(s, want[i]);
		ck_assert_int_eq(json_string(&j, v, s, strlen(want[i]) + 1), 0);
		ck_assert_int_eq(json_string(&j, v, s, strlen(want[i])), -ENOSPC);
	}
	for (size_t i = 0; i < COUNT(errors); i++, v = json_next(&j, v))
		ck_assert_int_eq(json_string(&j, v, s, sizeof s), errors[i]);
	ck_assert_int_lt(v, 0);
	struct str plain;
	ck_assert_int_eq(json_plain(&j, 1, &plain), -EINVAL);
	ck_assert_int_eq(json_plain(&j, 5, &plain), 0);
	ck_assert(str_is(plain, "12.50"));
}
END_TEST

START_TEST(numbers_are_read_from_numbers_and_strings)
{
	static const struct {
		const char *text;
		int u_result;
		uint64_t u;
		int i_result;
		int64_t i;
	} rows[] = {
		{ "868100000", 0, 868100000, 0, 868100000 }, { "\"868100000\"", 0, 868100000, 0, 868100000 },
		{ "1.0", 0, 1, 0, 1 }, { "1e3", 0, 1000, 0, 1000 }, { "1.5e1", 0, 15, 0, 15 }, { "-0", 0, 0, 0, 0 },
		{ "-1", -ERANGE, 0, 0, -1 }, { "1.5", -EINVAL, 0, -EINVAL, 0 }, { "1e-1", -EINVAL, 0, -EINVAL, 0 },
		{ "18446744073709551615", 0, UINT64_MAX, -ERANGE, 0 }, { "1e19", 0, 10000000000000000000U, -ERANGE, 0 },
		{ "18446744073709551616", -ERANGE, 0, -ERANGE, 0 }, { "-9223372036854775808", -ERANGE, 0, 0, INT64_MIN },
		{ "-9223372036854775809", -ERANGE, 0, -ERANGE, 0 }, { "true", -EINVAL, 0, -EINVAL, 0 },
		{ "null", -ENOENT, 0, -ENOENT, 0 }, { "\"\"", -EINVAL, 0, -EINVAL, 0 }, { "[]", -EINVAL, 0, -EINVAL, 0 },
		{ "\"x\"", -EINVAL, 0, -EINVAL, 0 }, { "\" 1\"", -EINVAL, 0, -EINVAL, 0 }, { "\"\\u0031\"", -EINVAL, 0, -EINVAL, 0 },
	};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct json j = doc(rows[k].text);
		uint64_t u = 0;
		int64_t i = 0;
		ck_assert_msg(json_u64(&j, 0, &u) == rows[k].u_result && u == rows[k].u, "%s", rows[k].text);
		ck_assert_msg(json_i64(&j, 0, &i) == rows[k].i_result && i == rows[k].i, "%s", rows[k].text);
	}
	struct json j = doc("[868.1,\"-7.25\",null,{}]");
	int64_t v;
	ck_assert_int_eq(json_decimal(&j, 1, 6, &v), 0);
	ck_assert_int_eq(v, 868100000);
	ck_assert_int_eq(json_decimal(&j, 2, 1, &v), 0);
	ck_assert_int_eq(v, -73);
	ck_assert_int_eq(json_decimal(&j, 3, 1, &v), -ENOENT);
	ck_assert_int_eq(json_decimal(&j, 4, 1, &v), -EINVAL);
}
END_TEST

START_TEST(truths_are_read)
{
	struct json j = doc("[true,false,\"true\",\"false\",1,\"\",\"yes\",[]]");
	for (json_val v = 1; v <= 8; v++) {
		bool t = v % 2 == 0;
		ck_assert_int_eq(json_bool(&j, v, &t), v <= 4 ? 0 : -EINVAL);
		ck_assert_int_eq(t, v <= 4 ? v % 2 == 1 : v % 2 == 0);
	}
}
END_TEST

START_TEST(base64_is_read_also_when_escaped)
{
	struct json j = doc("[\"AQID\",\"AQI\",\"\\/\\/8=\",\"\\u002b+\\/\\/\",\"A\",\"AQI\\n\",7,\"\",\"\\u0041=\\/AA\",\"\\u00e9A\"]");
	static const struct {
		int result;
		const char *octets;
		size_t n;
	} rows[] = {
		{ 0, "\1\2\3", 3 }, { 0, "\1\2", 2 }, { 0, "\xff\xff", 2 }, { 0, "\xfb\xef\xff", 3 }, { -EINVAL, "", 0 },
		{ -EINVAL, "", 0 }, { -EINVAL, "", 0 }, { 0, "", 0 }, { -EINVAL, "", 0 }, { -EINVAL, "", 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t out[3];
		size_t n = 0;
		ck_assert_msg(json_base64(&j, (json_val)i + 1, out, sizeof out, &n) == rows[i].result, "row %zu", i);
		ck_assert_uint_eq(n, rows[i].n);
		ck_assert(memcmp(out, rows[i].octets, n) == 0);
	}
	uint8_t two[2];
	size_t n;
	ck_assert_int_eq(json_base64(&j, 1, two, sizeof two, &n), -ENOSPC);
	ck_assert_int_eq(json_base64(&j, 4, two, sizeof two, &n), -ENOSPC);
}
END_TEST

START_TEST(long_escaped_base64_is_read_in_pieces)
{
	uint8_t in[3000], out[3000];
	size_t n = 0;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 31 + 0xfb);
	for (size_t len = sizeof in - 3; len <= sizeof in; len++) {
		struct text plain = text_growing(10000), t = text_growing(10000);
		struct json j;
		text_base64(&plain, in, len);
		text_putc(&t, '"');
		for (size_t i = 0; i < plain.len; i++)
			text_printf(&t, plain.p[i] == '/' ? "\\%c" : "%c", plain.p[i]);
		text_putc(&t, '"');
		ck_assert_int_eq(json_parse(text_str(&t), tok, 1, &j, NULL), 0);
		ck_assert_int_eq(json_base64(&j, 0, out, sizeof out, &n), 0);
		ck_assert_uint_eq(n, len);
		ck_assert_mem_eq(out, in, len);
		text_done(&plain);
		text_done(&t);
	}
}
END_TEST

static double seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/** Parse n elements in an array, and visit each with one member lookup. @return seconds */
static double time_of(const char *element, size_t n)
{
	struct text t = text_growing(64 << 20);
	struct json_tok *many = calloc(16 * n + 1, sizeof *many);
	struct json j;
	size_t seen = 0;
	text_putc(&t, '[');
	for (size_t i = 0; i < n; i++) {
		text_puts(&t, element);
		text_putc(&t, ',');
	}
	text_putc(&t, ']');
	double start = seconds();
	ck_assert_int_eq(json_parse(text_str(&t), many, 16 * n + 1, &j, NULL), 0);
	for (json_val v = json_first(&j, 0); v >= 0; v = json_next(&j, v), seen++)
		json_get(&j, v, "b");
	double taken = seconds() - start;
	ck_assert_uint_eq(seen, n);
	free(many);
	text_done(&t);
	return taken;
}

/** Quadratic work would be 16 times as much for four times the input. */
START_TEST(time_grows_with_the_length_only)
{
	static const char *const elements[] = { "{\"a\":1,\"b\":[2,{}]}", "1", "[[[[]]]]", "{}" };
	for (size_t i = 0; i < COUNT(elements); i++) {
		double once = time_of(elements[i], 20000), four = time_of(elements[i], 80000);
		ck_assert_msg(four < 10 * once + 0.02, "%s: %f s, then %f s", elements[i], once, four);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json");
	TCase *c = tcase_create("json");
	tcase_add_test(c, json_is_accepted);
	tcase_add_test(c, nonsense_is_refused);
	tcase_add_test(c, a_nul_is_no_end_of_text);
	tcase_add_test(c, what_follows_the_first_value_is_ignored_on_request);
	tcase_add_test(c, depth_and_tokens_are_bounded);
	tcase_add_test(c, containers_are_walked_in_order);
	tcase_add_test(c, absent_values_are_harmless);
	tcase_add_test(c, members_are_found_in_both_spellings);
	tcase_add_test(c, strings_are_unescaped);
	tcase_add_test(c, numbers_are_read_from_numbers_and_strings);
	tcase_add_test(c, truths_are_read);
	tcase_add_test(c, base64_is_read_also_when_escaped);
	tcase_add_test(c, long_escaped_base64_is_read_in_pieces);
	tcase_add_test(c, time_grows_with_the_length_only);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
