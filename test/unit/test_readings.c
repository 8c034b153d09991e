/** @file Telemetry and attributes in ThingsBoard's format: lenient JSON, kinds of values, the four forms. */
#include "as/core/values/readings.h"
#include "common/core/json_out.h"
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct value_rules casting = { .casts = true }, plain = { 0 };
enum { NOW_MS = 1700000000123 % INT32_MAX };
static char out[4096];

/* ---- lenient JSON ---- */

START_TEST(lenient_json_is_rewritten)
{
	static const char *const rows[][2] = {
		/* what a shell leaves of -m {"temperature":25}, and what ThingsBoard's connectivity check prints */
		{ "{temperature:25}", "{\"temperature\":25}" },
		{ "{'a':'b c'}", "{\"a\":\"b c\"}" },
		{ "{\"a\":1}", "{\"a\":1}" },
		{ " { a = 1 ; b => 2 } ", "{\"a\":1,\"b\":2}" },
		{ "// first\n{a:1, # then\n/* and */b:2}/**/", "{\"a\":1,\"b\":2}" },
		{ "[1;2,]", "[1,2]" },
		{ "[,1,,2]", "[null,1,null,2]" },
		{ "{a:TRUE,b:False,c:nULL}", "{\"a\":true,\"b\":false,\"c\":null}" },
		{ "[NaN,-Infinity,007,+1,.5,1.,0x10,trueish]",
			"[\"NaN\",\"-Infinity\",\"007\",\"+1\",\".5\",\"1.\",\"0x10\",\"trueish\"]" },
		{ "[-0,1e5,1.0E2,-1.5e-3]", "[-0,1e5,1.0E2,-1.5e-3]" },
		{ "{1:2}", "{\"1\":2}" },
		{ "'it\\'s \\u00e9 \\ud83d\\ude00 \\ud83d!'", "\"it's \xc3\xa9 \xf0\x9f\x98\x80 \xef\xbf\xbd!\"" },
		{ "'a\tb\\\nc'", "\"a\\tb\\nc\"" },
		{ "'a\\u0000b'", "\"ab\"" },
		{ "\"\xff\"", "\"\xef\xbf\xbd\"" },
		{ "\xef\xbb\xbf{}", "{}" },
		{ "{a:http://x}", NULL },
		{ "{a:{b:[{c:d}]}}", "{\"a\":{\"b\":[{\"c\":\"d\"}]}}" },
		{ "", NULL }, { "  ", NULL }, { "{", NULL }, { "{a}", NULL }, { "{a:}", NULL }, { "{:1}", NULL }, { "{a:1]", NULL },
		{ "{a:1}{b:2}", NULL }, { "{a:1} x", NULL }, { "'a", NULL }, { "\"\\x\"", NULL }, { "\"\\u12\"", NULL }, { "/* a", NULL },
		{ "1;", NULL }, { "]", NULL }, { "{a:1,,b:2}", NULL }, { "/", NULL }, { "\"\\ud800\\u12\"", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct text t = text_fixed(out, sizeof out);
		int r = lenient_strict(str_of(rows[i][0]), &t, NULL);
		ck_assert_msg(r == (rows[i][1] ? 0 : -EBADMSG), "%s: %d %s", rows[i][0], r, out);
		if (rows[i][1])
			ck_assert_str_eq(out, rows[i][1]);
	}
}
END_TEST

START_TEST(nesting_is_bounded)
{
	char deep[2 * JSON_DEPTH + 2];
	struct text t = text_fixed(out, sizeof out);
	memset(deep, '[', JSON_DEPTH);
	memset(deep + JSON_DEPTH, ']', JSON_DEPTH);
	ck_assert_int_eq(lenient_strict((struct str){ deep, 2 * JSON_DEPTH }, &t, NULL), 0);
	memset(deep, '[', JSON_DEPTH + 1);
	memset(deep + JSON_DEPTH + 1, ']', JSON_DEPTH + 1);
	ck_assert_int_eq(lenient_strict((struct str){ deep, 2 * JSON_DEPTH + 2 }, &t, NULL), -E2BIG);
}
END_TEST

/* ---- kinds ---- */

/** A message of one key, as "kind text". */
static const char *kind_of(const char *value, const struct value_rules *rules)
{
	static const char *const names[] = { "boolean", "long", "double", "string", "json" };
	static struct readings r;
	char body[512];
	struct text b = text_fixed(body, sizeof body), t = text_fixed(out, sizeof out);
	text_printf(&b, "{k:%s}", value);
	if (readings_attributes(&r, text_str(&b), rules, NOW_MS))
		return "refused";
	if (!r.n)
		return "skipped";
	ck_assert_uint_eq(r.n, 1);
	text_printf(&t, "%s ", names[r.v[0].value.kind]);
	value_json(&t, &r.v[0].value);
	return out;
}

START_TEST(kinds_are_thingsboards)
{
	static const struct {
		const char *json, *want, *uncast; /* uncast: where strings stay strings; NULL: the same */
	} rows[] = {
		/* ThingsBoard's key-value format: its own examples */
		{ "\"value1\"", "string \"value1\"", NULL }, { "true", "boolean true", NULL }, { "42.0", "double 42.0", NULL },
		{ "73", "long 73", NULL },
		{ "{\"someNumber\": 42, \"someArray\": [1,2,3], \"someNestedObject\": {\"key\": \"value\"}}",
			"json {\"someNumber\":42,\"someArray\":[1,2,3],\"someNestedObject\":{\"key\":\"value\"}}", NULL },
		{ "[ 1, 2.50 ]", "json [1,2.50]", NULL }, { "null", "skipped", NULL },
		/* whole with an exponent: long; a point without one: double */
		{ "1e5", "long 100000", NULL }, { "1.0E2", "long 100", NULL }, { "1.5e-3", "double 0.0015", NULL },
		{ "-0", "long 0", NULL }, { "0.1", "double 0.1", NULL }, { "1.25e1", "double 12.5", NULL },
		{ "9223372036854775807", "long 9223372036854775807", NULL },
		{ "-9223372036854775808", "long -9223372036854775808", NULL },
		/* what no number holds */
		{ "9223372036854775808", "string \"9223372036854775808\"", NULL },
		{ "1e20", "string \"100000000000000000000\"", NULL }, { "-12.5e20", "string \"-1250000000000000000000\"", NULL },
		{ "1e400", "string \"1e400\"", NULL }, { "1e999999999999", "string \"1e999999999999\"", NULL },
		{ "0.1234567890123456", "double 0.1234567890123456", NULL },
		{ "0.12345678901234567", "string \"0.12345678901234567\"", NULL },
		{ "1e-17", "string \"0.00000000000000001\"", NULL }, { "1e-16", "double 1e-16", NULL },
		{ "1.00000000000000000", "string \"1.00000000000000000\"", NULL },
		/* strings that read as numbers, as NumberUtils.isParsable has it */
		{ "\"25\"", "long 25", "string \"25\"" }, { "\"007\"", "long 7", "string \"007\"" }, { "007", "long 7", "string \"007\"" },
		{ "\"-3.50\"", "double -3.5", "string \"-3.50\"" }, { "\".5\"", "double 0.5", "string \".5\"" },
		{ "\"-.5\"", "double -0.5", "string \"-.5\"" }, { "\"1\\u0030\"", "long 10", "string \"10\"" },
		{ "\"+5\"", "string \"+5\"", NULL }, { "\"1e5\"", "string \"1e5\"", NULL }, { "\"0x10\"", "string \"0x10\"", NULL },
		{ "\"5.\"", "string \"5.\"", NULL }, { "\"1.2.3\"", "string \"1.2.3\"", NULL }, { "\"-\"", "string \"-\"", NULL },
		{ "\"\"", "string \"\"", NULL }, { "\".\"", "string \".\"", NULL }, { "\" 1\"", "string \" 1\"", NULL },
		{ "\"11223344556677889900\"", "string \"11223344556677889900\"", NULL },
		{ "NaN", "string \"NaN\"", NULL }, { "Infinity", "string \"Infinity\"", NULL }, { "'true'", "string \"true\"", NULL },
		{ "'a\\nb'", "string \"a\\nb\"", NULL },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *got = kind_of(rows[i].json, &casting);
		ck_assert_msg(!strcmp(got, rows[i].want), "%s is %s", rows[i].json, got);
		got = kind_of(rows[i].json, &plain);
		ck_assert_msg(!strcmp(got, rows[i].uncast ? rows[i].uncast : rows[i].want), "%s is %s without casts", rows[i].json, got);
	}
	ck_assert_str_eq(kind_of("'four'", &(struct value_rules){ .max_text_bytes = 3 }), "refused");
	ck_assert_str_eq(kind_of("'four'", &(struct value_rules){ .max_text_bytes = 4 }), "string \"four\"");
}
END_TEST

START_TEST(doubles_are_written_as_they_are)
{
	static const double v[] = { 0.1, 1.0 / 3, 1e300, 5e-324, 1.7976931348623157e308, -0.0, 123456789.125, 1e15, 1e16, 0.30000000000000004 };
	for (size_t i = 0; i < COUNT(v); i++) {
		struct text t = text_fixed(out, sizeof out);
		value_double_json(&t, v[i]);
		double again = strtod(out, NULL);
		ck_assert_msg(memcmp(&again, &v[i], sizeof again) == 0 && strpbrk(out, ".e"), "%s", out);
	}
}
END_TEST

/* ---- messages ---- */

/** A message's records as [[has_ts,ts,{…}],…], or what is wrong with it. */
static const char *records_of(const char *body)
{
	static struct readings r;
	struct text t = text_fixed(out, sizeof out);
	if (readings_telemetry(&r, str_of(body), &casting, NOW_MS)) {
		ck_assert_uint_eq(r.n_records, 0);
		return r.problem;
	}
	json_open(&t, '[');
	for (size_t i = 0; i < r.n_records; i++) {
		json_open(&t, '[');
		json_truth(&t, r.records[i].has_ts);
		json_num(&t, r.records[i].has_ts ? r.records[i].ts_ms : r.records[i].ts_ms - NOW_MS);
		readings_json(&t, r.v + r.records[i].first, r.records[i].n);
		json_close(&t, ']');
	}
	json_close(&t, ']');
	return out;
}

START_TEST(telemetry_has_four_forms)
{
	static const char *const rows[][2] = {
		/* ThingsBoard's own examples */
		{ "{\"key1\":\"value1\", \"key2\":\"value2\"}", "[[false,0,{\"key1\":\"value1\",\"key2\":\"value2\"}]]" },
		{ "[{\"key1\":\"value1\"}, {\"key2\":\"value2\"}]", "[[false,0,{\"key1\":\"value1\"}],[false,0,{\"key2\":\"value2\"}]]" },
		{ "{\"ts\":1451649600512, \"values\":{\"key1\":\"value1\", \"key2\":\"value2\"}}",
			"[[true,1451649600512,{\"key1\":\"value1\",\"key2\":\"value2\"}]]" },
		{ "{\"key1\":\"value1\",\"key2\":true,\"key3\":3.0,\"key4\":4}",
			"[[false,0,{\"key1\":\"value1\",\"key2\":true,\"key3\":3.0,\"key4\":4}]]" },
		{ "[{\"key1\":\"value1\"},{\"key2\":true}]", "[[false,0,{\"key1\":\"value1\"}],[false,0,{\"key2\":true}]]" },
		{ "{temperature:25}", "[[false,0,{\"temperature\":25}]]" },
		{ "[{ts:1,values:{a:1}},{a:2},{ts:'3',values:{a:3}}]", "[[true,1,{\"a\":1}],[false,0,{\"a\":2}],[true,3,{\"a\":3}]]" },
		/* ts alone, or values alone, is a key like others */
		{ "{ts:5,a:1}", "[[false,0,{\"ts\":5,\"a\":1}]]" }, { "{values:{a:1}}", "[[false,0,{\"values\":{\"a\":1}}]]" },
		{ "{ts:5,values:{a:1},metadata:{x:1},b:2}", "[[true,5,{\"a\":1}]]" },
		{ "[]", "[]" }, { "{}", "[[false,0,{}]]" }, { "{a:null}", "[[false,0,{}]]" },
		/* the last of equal keys, at its place; a null takes it out */
		{ "{a:1,b:2,a:3}", "[[false,0,{\"b\":2,\"a\":3}]]" }, { "{a:1,a:null,b:2}", "[[false,0,{\"b\":2}]]" },
		{ "{\"a\":1,\"\\u0061\":2}", "[[false,0,{\"a\":2}]]" },
		{ "5", "neither an object nor an array of objects" }, { "text", "neither an object nor an array of objects" },
		{ "null", "neither an object nor an array of objects" }, { "[{a:1},5]", "neither an object nor an array of objects" },
		{ "[[{a:1}]]", "neither an object nor an array of objects" }, { "{ts:1,values:[]}", "values is not an object" },
		{ "{ts:soon,values:{a:1}}", "ts is not a time in milliseconds" }, { "{ts:-1,values:{a:1}}", "ts is not a time in milliseconds" },
		{ "{ts:1.5,values:{a:1}}", "ts is not a time in milliseconds" },
		{ "", "not JSON" }, { "{a:1", "not JSON" }, { "{'':1}", "a key is empty" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *got = records_of(rows[i][0]);
		ck_assert_msg(!strcmp(got, rows[i][1]), "%s is %s", rows[i][0], got);
	}
}
END_TEST

START_TEST(a_key_has_at_most_255_octets)
{
	char body[300];
	snprintf(body, sizeof body, "{%0255d:1}", 7);
	ck_assert_ptr_nonnull(strstr(records_of(body), "7\":1"));
	snprintf(body, sizeof body, "{%0256d:1}", 7);
	ck_assert_str_eq(records_of(body), "a key is longer than 255 octets");
}
END_TEST

START_TEST(attributes_are_an_object)
{
	static struct readings r;
	struct text t = text_fixed(out, sizeof out);
	ck_assert_int_eq(readings_attributes(&r, STR("{\"attribute1\":\"value1\", \"attribute2\":true, \"attribute3\":42.0, "
						      "\"attribute4\":73}"), &casting, 5), 0);
	ck_assert_uint_eq(r.n_records, 1);
	ck_assert_int_eq(r.records[0].ts_ms, 5);
	readings_json(&t, r.v, r.n);
	ck_assert_str_eq(out, "{\"attribute1\":\"value1\",\"attribute2\":true,\"attribute3\":42.0,\"attribute4\":73}");
	ck_assert_int_eq(readings_attributes(&r, STR("[{a:1}]"), &casting, 5), -EBADMSG);
	ck_assert_int_eq(readings_attributes(&r, STR(""), &casting, 5), -EBADMSG);
	ck_assert_int_eq(readings_attributes(&r, STR("{ts:1,values:{a:1}}"), &casting, 5), 0);
	ck_assert_uint_eq(r.n, 2);
	readings_done(&r);
	ck_assert_uint_eq(r.n, 0);
}
END_TEST

START_TEST(decoded_payloads_are_flattened)
{
	static struct readings r;
	struct text t = text_fixed(out, sizeof out);
	ck_assert_int_eq(readings_flat(&r, STR("{\"t\":21.5,\"air\":{\"co2\":\"400\",\"p\":{\"x\":1},\"none\":null},\"l\":[1],\"e\":{},\"on\":true,"
					       "\"air_co2\":7}"), &plain, 9), 0);
	readings_json(&t, r.v, r.n);
	ck_assert_str_eq(out, "{\"t\":21.5,\"air_p\":{\"x\":1},\"l\":[1],\"on\":true,\"air_co2\":7}");
	ck_assert(r.n_records == 1 && r.records[0].ts_ms == 9 && r.records[0].n == r.n);
	ck_assert_int_eq(readings_flat(&r, STR("[1]"), &plain, 9), -EBADMSG);
	/* What is no value is passed over. */
	text_reset(&t);
	ck_assert_int_eq(readings_flat(&r, STR("{\"a\":1,\"\":2,\"s\":\"x\\u0000\",\"o\":{\"\":3,\"n\":\"\\u0000\",\"y\":4},\"\":{\"z\":5},\"b\":6}"), &plain, 9), 0);
	readings_json(&t, r.v, r.n);
	ck_assert_str_eq(out, "{\"a\":1,\"s\":\"x\",\"o_n\":\"\",\"o_y\":4,\"b\":6}");
	ck_assert_str_eq(r.problem, "");
	/* Long names before many members. */
	char body[8192];
	struct text b = text_fixed(body, sizeof body);
	text_printf(&b, "{%0250d:{", 1);
	for (int i = 0; i < 999; i++)
		text_printf(&b, "%d:1,", i);
	text_puts(&b, "}}");
	ck_assert_int_eq(readings_flat(&r, text_str(&b), &plain, 9), 0);
	ck_assert_uint_eq(r.n, 999);
	readings_done(&r);
}
END_TEST

START_TEST(many_equal_keys_take_no_time)
{
	enum { N = 16000 };
	static char body[4 * N + 2];
	static struct readings r;
	body[0] = '{';
	for (size_t i = 0; i < N; i++)
		memcpy(body + 1 + 4 * i, "a:1,", 4);
	body[1 + 4 * N] = '}';
	ck_assert_int_eq(readings_telemetry(&r, (struct str){ body, sizeof body }, &casting, 0), 0);
	ck_assert_uint_eq(r.n, 1);
	readings_done(&r);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("readings");
	TCase *lenient = tcase_create("lenient"), *kinds = tcase_create("kinds"), *messages = tcase_create("messages");
	tcase_add_test(lenient, lenient_json_is_rewritten);
	tcase_add_test(lenient, nesting_is_bounded);
	tcase_add_test(kinds, kinds_are_thingsboards);
	tcase_add_test(kinds, doubles_are_written_as_they_are);
	tcase_add_test(messages, telemetry_has_four_forms);
	tcase_add_test(messages, a_key_has_at_most_255_octets);
	tcase_add_test(messages, attributes_are_an_object);
	tcase_add_test(messages, decoded_payloads_are_flattened);
	tcase_add_test(messages, many_equal_keys_take_no_time);
	suite_add_tcase(s, lenient);
	suite_add_tcase(s, kinds);
	suite_add_tcase(s, messages);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
