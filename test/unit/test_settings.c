/** @file Settings: precedence, bounds, and errors that say where. */
#include "common/settings.h"
#include "test/scratch.h"
#include <check.h>

struct sample {
	char *state_dir, *listen, *path;
	uint32_t count, net_id, any;
	bool flag;
	uint64_t window, room;
};

#define ROW(m, n, k, d, lo, hi) { .name = n, .dflt = d, .doc = "About " n, .off = offsetof(struct sample, m), .min = lo, .max = hi, .kind = k }
static const struct setting rows[] = {
	ROW(state_dir, "state-dir", SETTING_TEXT, "/var/lib/godwit", 0, 0),
	ROW(listen, "gs.udp-listen", SETTING_TEXT, "0.0.0.0:1700", 0, 0),
	ROW(path, "ns.address", SETTING_TEXT, "unix:${state-dir}/ns.sock", 0, 0),
	ROW(count, "gs.count", SETTING_U32, "5", 1, 16),
	ROW(any, "gs.any", SETTING_U32, "0", 0, 0),
	ROW(net_id, "gs.net-id", SETTING_HEX24, "000000", 0, 0),
	ROW(flag, "gs.flag", SETTING_BOOL, "false", 0, 0),
	ROW(window, "gs.window", SETTING_DURATION, "200ms", 50000, 10000000),
	ROW(room, "gs.room", SETTING_SIZE, "64KiB", 1024, UINT64_C(1) << 30),
};
static const char *const sections[] = { "", "gs", NULL };
static const struct settings_table table = { rows, COUNT(rows), sections };

static struct sample v;
static struct settings_origin origins[COUNT(rows)];
static char error_text[512];
static struct settings_source src;

static int load(const char *ini, const char *env, const char *flag)
{
	const char *const envs[] = { "PATH=/bin", env, NULL }, *const flags[] = { flag, NULL };
	struct text error = text_fixed(error_text, sizeof error_text);
	src = (struct settings_source){
		.file = "a.conf", .text = str_of(ini ? ini : ""), .env = envs, .flags = flags, .ret_origins = origins,
	};
	return settings_load(&table, &src, &v, &error);
}

static void teardown(void)
{
	settings_done(&table, &v);
}

START_TEST(defaults_hold_where_nothing_is_said)
{
	ck_assert_int_eq(load(NULL, NULL, NULL), 0);
	ck_assert_str_eq(v.listen, "0.0.0.0:1700");
	ck_assert_str_eq(v.path, "unix:/var/lib/godwit/ns.sock");
	ck_assert_uint_eq(v.count, 5);
	ck_assert(!v.flag);
	ck_assert_uint_eq(v.window, 200000);
	ck_assert_uint_eq(v.room, 65536);
}
END_TEST

START_TEST(the_environment_overrides_the_file_and_a_flag_both)
{
	static const char ini[] = "state-dir = /file\n[gs]\nudp-listen = file\n";
	ck_assert_int_eq(load(ini, NULL, NULL), 0);
	ck_assert_str_eq(v.listen, "file");
	ck_assert_str_eq(v.path, "unix:/file/ns.sock");
	teardown();
	ck_assert_int_eq(load(ini, "GODWIT_GS_UDP_LISTEN=env", NULL), 0);
	ck_assert_str_eq(v.listen, "env");
	teardown();
	ck_assert_int_eq(load(ini, "GODWIT_GS_UDP_LISTEN=env", "gs.udp-listen=flag"), 0);
	ck_assert_str_eq(v.listen, "flag");
	teardown();
	ck_assert_int_eq(load(ini, "GODWIT_STATE_DIR=/env", NULL), 0);
	ck_assert_str_eq(v.path, "unix:/env/ns.sock");
}
END_TEST

START_TEST(comments_blanks_and_quotes_are_understood)
{
	ck_assert_int_eq(load("\xef\xbb\xbf# c\r\n; c\r\n\r\n [gs] \r\n\tudp-listen\t=\t\" a = b # c \"\r\n count=7", NULL, NULL), 0);
	ck_assert_str_eq(v.listen, " a = b # c ");
	ck_assert_uint_eq(v.count, 7);
}
END_TEST

START_TEST(values_are_read_by_their_kind)
{
	static const char ini[] = "[gs]\ncount=16\nany=4294967295\nnet-id=00013F\nflag=on\nwindow=1s\nwindow=5s\nroom=1MB\n";
	ck_assert_int_eq(load(ini, NULL, NULL), 0);
	ck_assert_uint_eq(v.count, 16);
	ck_assert_uint_eq(v.any, UINT32_MAX);
	ck_assert_uint_eq(v.net_id, 0x13f);
	ck_assert(v.flag);
	ck_assert_uint_eq(v.window, 5000000);
	ck_assert_uint_eq(v.room, 1000000);
}
END_TEST

/* What each wrong line, variable or flag is answered with. */
static const struct {
	const char *ini, *env, *flag, *error;
} wrong[] = {
	{ "[gs]\n\ncount = 17\n", NULL, NULL, "a.conf:3: gs.count: \"17\" is not a whole number from 1 to 16" },
	{ "[gs]\ncount = -1\n", NULL, NULL, "a.conf:2: gs.count: \"-1\" is not a whole number from 1 to 16" },
	{ "[gs]\nany = 4294967296\n", NULL, NULL, "a.conf:2: gs.any: \"4294967296\" is not a whole number" },
	{ "[gs]\nwindow = 20ms\n", NULL, NULL, "a.conf:2: gs.window: \"20ms\" is not a duration from 50ms to 10s, such as 200ms" },
	{ "[gs]\nroom = 1XB\n", NULL, NULL, "a.conf:2: gs.room: \"1XB\" is not a size from 1KiB to 1GiB, such as 64KiB" },
	{ "[gs]\nroom = 99999999999999999TiB\n", NULL, NULL, "a.conf:2: gs.room: \"99999999999999999TiB\" is not a size from 1KiB to 1GiB, such as 64KiB" },
	{ "[gs]\nflag = maybe\n", NULL, NULL, "a.conf:2: gs.flag: \"maybe\" is not true or false" },
	{ "[gs]\nnet-id = 13\n", NULL, NULL, "a.conf:2: gs.net-id: \"13\" is not six hex digits" },
	{ "[gs]\nudp-listn = x\n", NULL, NULL, "a.conf:2: gs.udp-listn: there is no such setting" },
	{ "statedir = x\n", NULL, NULL, "a.conf:1: statedir: there is no such setting" },
	{ "[foo]\nx = y\n", NULL, NULL, "a.conf:2: foo.x: there is no such section; known are gs, ns, as, bus and log" },
	{ "[gs]\nnonsense\n", NULL, NULL, "a.conf:2: this is neither [section] nor key = value" },
	{ "= 3\n", NULL, NULL, "a.conf:1: this is neither [section] nor key = value" },
	{ NULL, "GODWIT_GS_COUNT=0", NULL, "GODWIT_GS_COUNT: \"0\" is not a whole number from 1 to 16" },
	{ NULL, "GODWIT_GS_COUNTS=0", NULL, "GODWIT_GS_COUNTS: there is no such setting" },
	{ NULL, NULL, "gs.count=x", "--gs.count: \"x\" is not a whole number from 1 to 16" },
	{ NULL, NULL, "gs.counts=1", "--gs.counts: there is no such setting" },
	{ NULL, NULL, "gs.count", "--gs.count: needs a value, as in --gs.count=VALUE" },
};

START_TEST(an_error_names_its_place_and_what_would_be_right)
{
	ck_assert_int_eq(load(wrong[_i].ini, wrong[_i].env, wrong[_i].flag), -EINVAL);
	ck_assert_str_eq(error_text, wrong[_i].error);
}
END_TEST

START_TEST(what_other_processes_own_is_left_to_them)
{
	ck_assert_int_eq(load("[ns]\nunheard-of = 1\naddress = tcp:h\n[as]\nx=y\n", "GODWIT_AS_X=1", "as.x=1"), 0);
	ck_assert_str_eq(v.path, "tcp:h");
	teardown();
	ck_assert_int_eq(load(NULL, "GODWIT_ADDRESS=http://x", NULL), 0);
}
END_TEST

START_TEST(a_file_that_is_named_must_be_there)
{
	struct text error = text_fixed(error_text, sizeof error_text);
	struct settings_source none = { .file = "/nonexistent/a.conf" }, dflt = { 0 };
	ck_assert_int_eq(settings_load(&table, &none, &v, &error), -EINVAL);
	ck_assert_str_eq(error_text, "/nonexistent/a.conf: No such file or directory");
	ck_assert_int_eq(settings_load(&table, &dflt, &v, &error), 0);
}
END_TEST

START_TEST(a_file_is_read_from_disk)
{
	struct scratch dir = scratch_new();
	struct text error = text_fixed(error_text, sizeof error_text);
	struct settings_source file = { .file = scratch_file(&dir, "x.conf") };
	scratch_write(&dir, "x.conf", "[gs]\ncount = 9\n");
	ck_assert_int_eq(settings_load(&table, &file, &v, &error), 0);
	ck_assert_uint_eq(v.count, 9);
	scratch_free(&dir);
}
END_TEST

static const char *where(const char *name)
{
	static char buf[128];
	struct text t = text_fixed(buf, sizeof buf);
	settings_where(&t, &table, &src, name);
	return buf;
}

START_TEST(a_value_can_be_traced_to_where_it_was_set)
{
	ck_assert_int_eq(load("\n[gs]\nwindow=1s\n", "GODWIT_GS_COUNT=3", "gs.flag=yes"), 0);
	ck_assert_str_eq(where("gs.window"), "a.conf:3: gs.window");
	ck_assert_str_eq(where("gs.count"), "GODWIT_GS_COUNT");
	ck_assert_str_eq(where("gs.flag"), "--gs.flag");
	ck_assert_str_eq(where("gs.room"), "gs.room");
}
END_TEST

START_TEST(the_example_with_every_comment_removed_says_the_defaults)
{
	AUTO(text_done) struct text example = text_growing(65536);
	settings_example(&table, &example);
	ck_assert_ptr_nonnull(strstr(example.p, "# About gs.count (a whole number from 1 to 16)\n#count = 5\n"));
	ck_assert_ptr_nonnull(strstr(example.p, "[ns]\n# About ns.address\n#address = unix:${state-dir}/ns.sock\n"));
	for (char *p = example.p; (p = strchr(p, '#')); p++)
		if (p[1] != ' ')
			*p = ' ';
	ck_assert_int_eq(load(example.p, NULL, NULL), 0);
	ck_assert_str_eq(v.path, "unix:/var/lib/godwit/ns.sock");
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_int_eq(origins[i].from, SETTINGS_FILE);
}
END_TEST

START_TEST(help_lists_every_setting)
{
	AUTO(text_done) struct text help = text_growing(65536);
	settings_help(&table, &help);
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_ptr_nonnull(strstr(help.p, rows[i].doc));
	ck_assert_ptr_nonnull(strstr(help.p, "--gs.window=200ms"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("settings");
	TCase *c = tcase_create("sources");
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_add_test(c, defaults_hold_where_nothing_is_said);
	tcase_add_test(c, the_environment_overrides_the_file_and_a_flag_both);
	tcase_add_test(c, comments_blanks_and_quotes_are_understood);
	tcase_add_test(c, values_are_read_by_their_kind);
	tcase_add_loop_test(c, an_error_names_its_place_and_what_would_be_right, 0, COUNT(wrong));
	tcase_add_test(c, what_other_processes_own_is_left_to_them);
	tcase_add_test(c, a_file_that_is_named_must_be_there);
	tcase_add_test(c, a_file_is_read_from_disk);
	tcase_add_test(c, a_value_can_be_traced_to_where_it_was_set);
	tcase_add_test(c, the_example_with_every_comment_removed_says_the_defaults);
	tcase_add_test(c, help_lists_every_setting);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
