/** @file The collection of codecs, test/vectors/formatters, in our engine: what each makes of which octets. Node says the same
 * (test/net/test_codecs.py). */
#include "as/scripts/once.h"
#include "as/scripts/shown.h"
#include "common/core/clock.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include "test/unit/vec_lines.h"
#include <check.h>

enum { RESULT_MAX = 65536 };

/** One case of the table: what is asked, and all that came of it as the table would say it. */
struct codec_case {
	char codec[64], what[128];
	struct text script, told, expected;
	uint8_t bytes[SCRIPT_BYTES_MAX];
	char data[4096];
	struct script_question q;
	bool is_open;
};

static void read_codec(struct codec_case *c, const char *line)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[1024], buf[4096];
	ck_assert_int_eq(sscanf(line, "= %63s", c->codec), 1);
	snprintf(path, sizeof path, "%s/test/vectors/formatters/%s", source ? source : ".", c->codec);
	FILE *f = fopen(path, "re");
	ck_assert_msg(f != NULL, "%s", path);
	text_reset(&c->script);
	for (size_t n; (n = fread(buf, 1, sizeof buf, f)) > 0;)
		text_put(&c->script, (struct str){ buf, n });
	fclose(f);
}

/** The strings of a JSON array of strings without escapes, each on a line of its own. */
static void tell_list(struct text *t, const char *word, struct str list)
{
	struct json_tok tok[64];
	struct json j;
	if (!list.n)
		return;
	ck_assert_int_eq(json_parse(list, tok, COUNT(tok), &j, NULL), 0);
	for (json_val v = json_first(&j, json_root(&j)); v >= 0; v = json_next(&j, v))
		text_printf(t, "%s %.*s\n", word, STR_ARG(json_raw(&j, v)));
}

static void tell_bytes(struct text *t, const struct script_question *q, const struct script_result *r)
{
	text_puts(t, "bytes ");
	text_hex(t, r->bytes.p, r->bytes.n, false);
	text_putc(t, '\n');
	if (r->has_f_port && r->f_port != q->f_port)
		text_printf(t, "port %u\n", r->f_port);
}

/** All that came of it, in the words and in the order of the table. */
static void tell(struct text *t, const struct script_question *q, const struct script_result *r)
{
	if (r->outcome == SCRIPT_ERRORS)
		text_printf(t, "errors %.*s\n", STR_ARG(r->message));
	else if (r->outcome != SCRIPT_OK)
		text_printf(t, "%s %.*s\n", script_outcome_word(r->outcome), STR_ARG(r->message));
	else if (q->call == SCRIPT_ENCODE_DOWNLINK)
		tell_bytes(t, q, r);
	else
		text_printf(t, "data %.*s\n", STR_ARG(r->data));
	tell_list(t, "warning", r->warnings);
	if (r->outcome == SCRIPT_OK && r->has_normalizer)
		tell_list(t, "normalized", r->normalized);
}

/** Does what came of it end as the table has it? Of what a script says only the end is in the table: before it stands where. */
static bool ends_with(struct str s, struct str end)
{
	return s.n >= end.n && !memcmp(s.p + s.n - end.n, end.p, end.n);
}

static void check_told(struct codec_case *c, const struct script_result *r)
{
	struct str expected = text_str(&c->expected), told, word;
	if (r->outcome == SCRIPT_UNAVAILABLE)
		return;
	tell(&c->told, &c->q, r);
	told = text_str(&c->told);
	if (str_starts(expected, "error") || str_starts(expected, "throws")) {
		bool throws = expected.p[0] == 't';
		ck_assert_msg(r->outcome == (throws ? SCRIPT_THREW : SCRIPT_ERRORS), "%s, %s: %.*s", c->codec, c->what, STR_ARG(told));
		ck_assert_msg(!throws || r->line, "%s, %s: where? %.*s", c->codec, c->what, STR_ARG(told));
		expected = str_cut(expected, ' ', &word);
		ck_assert_msg(ends_with(told, expected), "%s, %s: %.*s, not %.*s", c->codec, c->what, STR_ARG(told), STR_ARG(expected));
	} else {
		ck_assert_msg(str_eq(told, expected), "%s, %s:\n%.*s, not\n%.*s", c->codec, c->what, STR_ARG(told), STR_ARG(expected));
	}
}

/** All lines of the case are known: ask. */
static void ask(struct codec_case *c)
{
	struct script_once_result r;
	const struct script_once_job job = { .text = text_str(&c->script), .question = c->q };
	if (!c->is_open)
		return;
	ck_assert_int_eq(script_once(&job, &r), 0);
	check_told(c, &r.result);
	script_once_done(&r);
	c->is_open = false;
}

static void read_question(struct codec_case *c, enum script_call call, const char *line)
{
	unsigned port;
	int at = 0;
	uint64_t ns;
	ck_assert_int_ge(sscanf(line, "%*s %u %n", &port, &at), 1);
	ck_assert_int_eq(clock_parse_rfc3339(STR("2026-03-02T10:20:00.534Z"), &ns), 0);
	c->q = (struct script_question){ .call = call, .f_port = (uint8_t)port, .received_unix_us = ns / 1000, .bytes = { c->bytes, 0 } };
	snprintf(c->data, sizeof c->data, "%s", line + at);
	snprintf(c->what, sizeof c->what, "%.120s", line);
	if (call == SCRIPT_ENCODE_DOWNLINK)
		c->q.data = str_of(c->data);
	else
		ck_assert_int_eq(hex_decode(str_of(c->data), c->bytes, sizeof c->bytes, &c->q.bytes.n), 0);
	text_reset(&c->told);
	text_reset(&c->expected);
	c->is_open = true;
}

/** Errors stand on lines of their own there, and are joined in the engine's words. */
static void read_expected(struct codec_case *c, const char *line)
{
	bool is_next_error = str_starts(str_of(line), "error ") && c->expected.len;
	if (is_next_error) {
		c->expected.p[--c->expected.len] = '\0';
		text_printf(&c->expected, ", %s\n", line + strlen("error "));
	} else {
		text_printf(&c->expected, "%s\n", line);
	}
}

START_TEST(codecs_make_what_the_table_says)
{
	struct codec_case c = { .script = text_growing(RESULT_MAX), .told = text_growing(RESULT_MAX), .expected = text_growing(RESULT_MAX) };
	struct vectors v = vectors_open("formatters/cases.txt");
	unsigned n = 0;
	while (vectors_next(&v)) {
		struct str line = str_of(v.line);
		enum script_call call = str_starts(line, "up ") ? SCRIPT_DECODE_UPLINK : str_starts(line, "down ") ? SCRIPT_ENCODE_DOWNLINK : SCRIPT_DECODE_DOWNLINK;
		if (str_starts(line, "= ")) {
			ask(&c);
			read_codec(&c, v.line);
		} else if (call != SCRIPT_DECODE_DOWNLINK || str_starts(line, "back ")) {
			ask(&c);
			read_question(&c, call, v.line);
			n++;
		} else {
			read_expected(&c, v.line);
		}
	}
	ask(&c);
	ck_assert_uint_gt(n, 50);
	text_done(&c.script);
	text_done(&c.told);
	text_done(&c.expected);
}
END_TEST

/* ---- what came of it, for people ---- */

static void is_failure(unsigned line, const char *message, const char *said)
{
	char buf[256];
	struct text t = text_fixed(buf, sizeof buf);
	const struct script_result r = { .outcome = SCRIPT_THREW, .line = line, .message = str_of(message) };
	shown_failure(&t, &r, "f.js");
	ck_assert_str_eq(buf, said);
}

START_TEST(an_error_is_said_as_compilers_say_it)
{
	is_failure(3, "decodeUplink: line 3: TypeError: x is undefined", "f.js:3: decodeUplink: TypeError: x is undefined");
	is_failure(3, "line 3: SyntaxError: parse error", "f.js:3: SyntaxError: parse error");
	is_failure(0, "the script has no function decodeUplink", "f.js: the script has no function decodeUplink");
	is_failure(4, "it is on line 3: look there", "f.js:4: it is on line 3: look there");
}
END_TEST

START_TEST(members_that_nothing_came_of_are_left_out)
{
	char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	struct script_result r = { .data = STR("{\"a\":1}"), .normalized = STR("[{\"a\":1}]") };
	json_open(&t, '{');
	shown_decoded(&t, &r);
	json_close(&t, '}');
	ck_assert_str_eq(buf, "{\"decoded_payload\":{\"a\":1}}");
	r = (struct script_result){ .bytes = { (const uint8_t *)"\1\2", 2 }, .warnings = STR("[\"w\"]") };
	text_reset(&t);
	json_open(&t, '{');
	shown_encoded(&t, &r, 5, STR("{\"b\":2}"));
	json_close(&t, '}');
	ck_assert_str_eq(buf, "{\"f_port\":5,\"frm_payload\":\"AQI=\",\"decoded_payload\":{\"b\":2},\"decoded_payload_warnings\":[\"w\"]}");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("codecs");
	TCase *t = tcase_create("codecs");
	tcase_set_timeout(t, 300);
	tcase_add_test(t, codecs_make_what_the_table_says);
	tcase_add_test(t, an_error_is_said_as_compilers_say_it);
	tcase_add_test(t, members_that_nothing_came_of_are_left_out);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
