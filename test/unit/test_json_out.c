/** @file Writing JSON: commas, escapes, and that what is written can be read. */
#include "common/core/json.h"
#include "common/core/json_out.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static char buf[2048];

START_TEST(commas_come_by_themselves)
{
	struct text t = text_fixed(buf, sizeof buf);
	json_open(&t, '{');
	json_name(&t, "a");
	json_open(&t, '[');
	json_close(&t, ']');
	json_name(&t, "b");
	json_open(&t, '[');
	json_num(&t, -1);
	json_unum(&t, UINT64_MAX);
	json_dec(&t, 925, 2);
	json_truth(&t, true);
	json_truth(&t, false);
	json_null(&t);
	json_puts(&t, "");
	json_puts(&t, "[");
	json_open(&t, '{');
	json_close(&t, '}');
	json_b64(&t, "foob", 4);
	json_hex(&t, "\xab\x0c", 2);
	json_eui(&t, 0x70B3D57ED0051234);
	json_time(&t, UINT64_C(1700000000250000000));
	json_raw_out(&t, STR(" {\"x\": 1} \n"));
	json_close(&t, ']');
	json_name(&t, "c");
	json_str(&t, STR("z"));
	json_close(&t, '}');
	ck_assert(!t.failed);
	ck_assert_str_eq(buf, "{\"a\":[],\"b\":[-1,18446744073709551615,9.25,true,false,null,\"\",\"[\",{},\"Zm9vYg==\",\"AB0C\","
			      "\"70B3D57ED0051234\",\"2023-11-14T22:13:20.250Z\",{\"x\": 1}],\"c\":\"z\"}");
}
END_TEST

START_TEST(documents_on_lines_are_not_joined_by_commas)
{
	struct text t = text_fixed(buf, sizeof buf);
	for (int i = 0; i < 2; i++) {
		json_open(&t, '{');
		json_close(&t, '}');
		text_putc(&t, '\n');
	}
	ck_assert_str_eq(buf, "{}\n{}\n");
}
END_TEST

START_TEST(text_is_escaped)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{ STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"" }, { STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"" },
		{ STR("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\"" }, { STR("\xc3\xa9\xf0\x9f\x98\x80"), "\"\xc3\xa9\xf0\x9f\x98\x80\"" },
		{ STR("\x80" "a"), "\"\xef\xbf\xbd" "a\"" }, { STR("a\xc3"), "\"a\xef\xbf\xbd\"" },
		{ STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" }, { STR(""), "\"\"" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct text t = text_fixed(buf, sizeof buf);
		json_str(&t, rows[i].in);
		ck_assert_str_eq(buf, rows[i].want);
	}
	struct text t = text_fixed(buf, sizeof buf);
	json_name(&t, "a\"b");
	ck_assert_str_eq(buf, "\"a\\\"b\":");
}
END_TEST

START_TEST(every_octet_comes_back_through_the_reader)
{
	for (int c = 1; c < 256; c++) {
		char in[3] = { 'x', (char)c, '\0' }, out[16];
		struct json_tok tok[1];
		struct json j;
		struct text t = text_fixed(buf, sizeof buf);
		json_puts(&t, in);
		ck_assert_int_eq(json_parse(text_str(&t), tok, 1, &j, NULL), 0);
		ck_assert_int_eq(json_string(&j, 0, out, sizeof out), 0);
		ck_assert_str_eq(out, c < 0x80 ? in : "x\xef\xbf\xbd");
	}
}
END_TEST

START_TEST(a_text_too_short_is_marked_and_not_overrun)
{
	for (size_t cap = 1; cap < 20; cap++) {
		struct text t = text_fixed(buf, cap);
		buf[cap] = '#';
		json_open(&t, '{');
		json_name(&t, "name");
		json_puts(&t, "a\nb\xff");
		json_close(&t, '}');
		ck_assert_int_eq(t.failed, cap < 19);
		ck_assert_int_eq(buf[cap], '#');
		ck_assert_uint_lt(strlen(buf), cap);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("json_out");
	TCase *c = tcase_create("json_out");
	tcase_add_test(c, commas_come_by_themselves);
	tcase_add_test(c, documents_on_lines_are_not_joined_by_commas);
	tcase_add_test(c, text_is_escaped);
	tcase_add_test(c, every_octet_comes_back_through_the_reader);
	tcase_add_test(c, a_text_too_short_is_marked_and_not_overrun);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
