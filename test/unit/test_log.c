/** @file Log lines: what stands in them, and that nothing in a value can forge another. */
#include "common/log.h"
#include "common/core/json.h"
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char line[16384];

/** Write one line and return it as it arrived at stderr. */
static const char *logged(const char *word, const struct kv *kv)
{
	int fd[2], saved = dup(STDERR_FILENO);
	ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
	dup2(fd[1], STDERR_FILENO);
	log_write(LOG_INFO, word, kv);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd[1]);
	ssize_t n = read(fd[0], line, sizeof line - 1);
	close(fd[0]);
	ck_assert_int_gt(n, 0);
	line[n] = '\0';
	return line;
}

static const struct kv none[] = { { .kind = KV_END } };

START_TEST(a_line_has_time_level_process_and_word)
{
	log_setup(LOG_LOGFMT, LOG_INFO, "ns");
	const char *l = logged("uplink", (const struct kv[]){ KV_Z("cid", "gs:uplink:01H"), KV_EUI("dev", 0x70b3d57ed0001234),
		KV_HEX32("addr", 0x1da1f15), KV_U("fcnt", 65536), KV_I("rssi", -107), { .kind = KV_END } });
	ck_assert_uint_eq(strspn(l, "time=0123456789-T:.Z"), strlen("time=2026-11-23T21:00:00.123Z"));
	ck_assert_str_eq(strchr(l, ' '),
		" level=info process=ns msg=uplink cid=gs:uplink:01H dev=70b3d57ed0001234 addr=01da1f15 fcnt=65536 rssi=-107\n");
}
END_TEST

START_TEST(a_value_that_could_be_misread_is_quoted)
{
	static const char *const values[][2] = {
		{ "", " v=\"\"\n" }, { "two words", " v=\"two words\"\n" }, { "a=b", " v=\"a=b\"\n" },
		{ "\x01\xff\t", " v=\"\\u0001\xef\xbf\xbd\\u0009\"\n" }, { "say \"x\"", " v=\"say \\\"x\\\"\"\n" }, { "a\nlevel=info", " v=\"a\\nlevel=info\"\n" }, { "plain", " v=plain\n" },
	};
	log_setup(LOG_LOGFMT, LOG_INFO, "ns");
	for (size_t i = 0; i < COUNT(values); i++) {
		const char *l = logged("w", (const struct kv[]){ KV_Z("v", values[i][0]), { .kind = KV_END } });
		ck_assert_str_eq(strstr(l, " v="), values[i][1]);
	}
}
END_TEST

START_TEST(a_json_line_is_json)
{
	struct json_tok tok[64];
	struct json j;
	char text[64];
	log_setup(LOG_JSON, LOG_INFO, "gs");
	const char *l = logged("drop", (const struct kv[]){ KV_Z("reason", "a \"b\"\n\xff"), KV_U("n", UINT64_MAX),
		KV_I("i", INT64_MIN), KV_EUI("gw", 1), { .kind = KV_END } });
	ck_assert_int_eq(json_parse((struct str){ l, strlen(l) - 1 }, tok, COUNT(tok), &j, NULL), 0);
	json_val root = json_root(&j);
	ck_assert_uint_eq(json_count(&j, root), 8);
	ck_assert_int_eq(json_string(&j, json_get(&j, root, "msg"), text, sizeof text), 0);
	ck_assert_str_eq(text, "drop");
	ck_assert(str_is(json_raw(&j, json_get(&j, root, "n")), "18446744073709551615"));
	ck_assert(str_is(json_raw(&j, json_get(&j, root, "i")), "-9223372036854775808"));
	ck_assert_int_eq(json_string(&j, json_get(&j, root, "gw"), text, sizeof text), 0);
	ck_assert_str_eq(text, "0000000000000001");
}
END_TEST

START_TEST(a_value_too_long_for_a_line_is_left_out_and_said)
{
	static char huge[20000];
	struct json_tok tok[64];
	struct json j;
	memset(huge, 'x', sizeof huge - 1);
	const struct kv kv[] = { KV_Z("a", "1"), KV_Z("huge", huge), KV_Z("b", "2"), { .kind = KV_END } };
	log_setup(LOG_LOGFMT, LOG_INFO, "gs");
	ck_assert_str_eq(strstr(logged("w", kv), " a="), " a=1 truncated=1\n");
	log_setup(LOG_JSON, LOG_INFO, "gs");
	const char *l = logged("w", kv);
	ck_assert_int_eq(l[strlen(l) - 1], '\n');
	ck_assert_int_eq(json_parse((struct str){ l, strlen(l) - 1 }, tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_ge(json_get(&j, json_root(&j), "truncated"), 0);
}
END_TEST

START_TEST(levels_below_the_chosen_one_are_off)
{
	log_setup(LOG_LOGFMT, LOG_WARN, "gs");
	ck_assert(log_on(LOG_ERROR) && log_on(LOG_WARN));
	ck_assert(!log_on(LOG_INFO) && !log_on(LOG_DEBUG));
	LOG(LOG_INFO, "unseen");
}
END_TEST

START_TEST(errno_survives_a_line)
{
	log_setup(LOG_LOGFMT, LOG_INFO, "gs");
	errno = ENOSPC;
	logged("w", none);
	ck_assert_int_eq(errno, ENOSPC);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log");
	TCase *c = tcase_create("lines");
	tcase_add_test(c, a_line_has_time_level_process_and_word);
	tcase_add_test(c, a_value_that_could_be_misread_is_quoted);
	tcase_add_test(c, a_json_line_is_json);
	tcase_add_test(c, a_value_too_long_for_a_line_is_left_out_and_said);
	tcase_add_test(c, levels_below_the_chosen_one_are_off);
	tcase_add_test(c, errno_survives_a_line);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
