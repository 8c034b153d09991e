/** @file What the command line shows people: widths of text, text that is safe on a terminal, cells, fields. */
#include "as/cli/show/select.h"
#include "as/cli/show/table.h"
#include "as/cli/show/width.h"
#include <check.h>
#include <locale.h>
#include <stdlib.h>

static void parse(const char *text, struct json_tok *tok, size_t max, struct json *ret)
{
	ck_assert_int_eq(json_parse(str_of(text), tok, max, ret, NULL), 0);
}

START_TEST(text_is_as_wide_as_it_stands)
{
	static const struct {
		const char *text;
		size_t width;
	} rows[] = { { "", 0 }, { "abc", 3 }, { "\xC3\x84", 1 }, { "\xE6\x97\xA5\xE6\x9C\xAC", 4 }, /* two wide characters */
		{ "e\xCC\x81", 1 },                                                              /* a combining accent */
		{ "\xF0\x9F\x98\x80", 2 } };
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(width_of(str_of(rows[i].text)), rows[i].width);
	ck_assert_uint_eq(width_cut(str_of("\xE6\x97\xA5\xE6\x9C\xAC"), 3).n, 3);
	ck_assert_uint_eq(width_cut(str_of("abc"), 2).n, 2);
	ck_assert_uint_eq(width_cut(str_of("abc"), 9).n, 3);
}
END_TEST

START_TEST(nothing_reaches_the_terminal_that_moves_it)
{
	static const struct {
		const char *text, *shown;
	} rows[] = { { "a\x1B[2Jb", "a\\x1B[2Jb" }, { "x\ty\nz\r", "x\\ty\\nz\\r" }, { "\x7F", "\\x7F" }, { "\xC2\x9B" "1m", "\\u{9B}1m" },
		{ "\xE2\x80\xAE" "cba", "\\u{202E}cba" }, { "a\xFF", "a\\xFF" }, { "\xC3\x84 \xE6\x97\xA5", "\xC3\x84 \xE6\x97\xA5" } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[64];
		struct text t = text_fixed(buf, sizeof buf);
		width_safe(&t, str_of(rows[i].text));
		ck_assert_str_eq(buf, rows[i].shown);
	}
}
END_TEST

START_TEST(cells_are_for_people)
{
	static const struct {
		enum cell_kind kind;
		const char *json, *shown;
	} rows[] = {
		{ CELL_TIME, "\"2026-11-28T09:39:06.717652Z\"", "2026-11-28 09:39:06" },
		{ CELL_TIME, "\"2026-11-28T10:39:06+01:00\"", "2026-11-28 09:39:06" },
		{ CELL_TIME_MS, "\"2026-11-28T09:39:06.717652Z\"", "2026-11-28 09:39:06.717" },
		{ CELL_TIME, "\"soon\"", "soon" },
		{ CELL_EXPIRY, "null", "never" },
		{ CELL_RIGHTS, "[\"RIGHT_APPLICATION_TRAFFIC_READ\",\"RIGHT_GATEWAY_ALL\",\"RIGHT_ALL\"]", "traffic-read,all,all" },
		{ CELL_VERSION, "\"MAC_V1_0_3\"", "1.0.3" },
		{ CELL_PERCENT, "0.001", "0.10 %" },
		{ CELL_MHZ, "\"868100000\"", "868.100" },
		{ CELL_YES, "true", "yes" },
		{ CELL_YES, "false", "" },
		{ CELL_LIST, "[\"a\",\"b\"]", "a, b" },
		{ CELL_DATA, "{\"reason\":\"too late\",\"rx\":2,\"of\":[\"g\\u001b\"]}", "reason=\"too late\" rx=2 of=g\\x1B" },
		{ CELL_OCTETS, "{\"frm_payload\":\"vu8=\"}", "BEEF" },
		{ CELL_OCTETS, "{\"decoded_payload\":{\"a\":1}}", "{\"a\":1}" },
		{ CELL_CLASS, "{\"ids\":{\"device_id\":\"ip1\"}}", "IP" },
		{ CELL_CLASS, "{\"lorawan_version\":\"MAC_V1_1\"}", "A" },
		{ CELL_CLASS, "{\"lorawan_version\":\"MAC_V1_1\",\"supports_class_c\":true,\"multicast\":true}", "C multicast" },
		{ CELL_APP_ID, "{\"application_id\":\"a\",\"tenant_id\":\"t\"}", "a@t" },
		{ CELL_WHO, "{\"application_id\":\"a\",\"device_id\":\"d\",\"gateway_id\":\"g\"}", "a/d g" },
		{ CELL_WHO, "{\"dev_addr\":\"01D502FE\",\"dev_eui\":\"0000000000000001\"}", "01D502FE" },
		{ CELL_CONNECTED, "{\"connected_at\":\"2026-11-28T09:39:06Z\",\"can_send\":true}", "yes" },
		{ CELL_CONNECTED, "{\"connected_at\":\"2026-11-28T09:39:06Z\",\"disconnected_at\":\"2026-11-28T09:39:07Z\"}", "no" },
		{ CELL_BAND, "{\"min_frequency\":\"863000000\",\"max_frequency\":\"865000000\"}", "863.000 to 865.000" },
		{ CELL_ANY, "\"2026-11-28T09:39:06Z\"", "2026-11-28 09:39:06" },
		{ CELL_ANY, "{\"a\":[1,2]}", "{\"a\":[1,2]}" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct json_tok tok[32];
		struct json j;
		char buf[256];
		struct text t = text_fixed(buf, sizeof buf);
		parse(rows[i].json, tok, COUNT(tok), &j);
		cell_write(&t, rows[i].kind, &j, json_root(&j));
		ck_assert_str_eq(buf, rows[i].shown);
		t = text_fixed(buf, sizeof buf);
		cell_write(&t, rows[i].kind, &j, -1); /* absent: no harm */
	}
}
END_TEST

START_TEST(fields_are_taken_out_of_objects)
{
	static const char doc[] = "{\"ids\":{\"device_id\":\"d\",\"dev_eui\":\"E\"},\"name\":\"N\",\"session\":{\"keys\":{\"a\":1},\"dev_addr\":\"F\"}}";
	static const struct {
		const char *fields, *left;
	} rows[] = { { "name", "{\"name\":\"N\"}" }, { "ids", "{\"ids\":{\"device_id\":\"d\",\"dev_eui\":\"E\"}}" },
		{ "ids.dev_eui, session.keys.a", "{\"ids\":{\"dev_eui\":\"E\"},\"session\":{\"keys\":{\"a\":1}}}" }, { "nothing", "{}" }, { "", "{}" },
		{ "ids,ids.dev_eui", "{\"ids\":{\"device_id\":\"d\",\"dev_eui\":\"E\"}}" } };
	struct json_tok tok[32];
	struct json j;
	parse(doc, tok, COUNT(tok), &j);
	for (size_t i = 0; i < COUNT(rows); i++) {
		char buf[256];
		struct text t = text_fixed(buf, sizeof buf);
		select_write(&t, &j, json_root(&j), rows[i].fields);
		ck_assert_str_eq(buf, rows[i].left);
	}
	ck_assert(select_touches("a,session.keys", "session"));
	ck_assert(select_touches("session", "session.keys"));
	ck_assert(!select_touches("sessions,a", "session"));
}
END_TEST

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	Suite *s = suite_create("show");
	TCase *c = tcase_create("show");
	tcase_add_test(c, text_is_as_wide_as_it_stands);
	tcase_add_test(c, nothing_reaches_the_terminal_that_moves_it);
	tcase_add_test(c, cells_are_for_people);
	tcase_add_test(c, fields_are_taken_out_of_objects);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
