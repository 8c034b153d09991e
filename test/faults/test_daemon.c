/** @file A daemon's life in real processes: start, refusals, readiness, addresses, signals, end. */
#include "common/daemon.h"
#include "test/scratch.h"
#include <check.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

struct own {
	char *listen;
	uint32_t n;
};

struct state {
	struct daemon *d;
	bool hangs;
};

static const struct setting rows[] = {
	{ .name = "gs.listen", .dflt = "127.0.0.1:1", .doc = "Where", .off = offsetof(struct own, listen), .kind = SETTING_TEXT },
	{ .name = "gs.n", .dflt = "1", .doc = "How many", .off = offsetof(struct own, n), .min = 1, .max = 9, .kind = SETTING_U32 },
};
static const char *const sections[] = { "gs", NULL };

static int check(const struct daemon *d, const void *settings, struct text *err)
{
	const struct own *own = settings;
	if (strcmp(own->listen, "bad"))
		return 0;
	daemon_where(d, err, "gs.listen");
	text_puts(err, ": \"bad\" is no address");
	return -EINVAL;
}

static int start(struct daemon *d, const void *settings, void **ret_state, struct text *err)
{
	static struct state state;
	const struct own *own = settings;
	if (own->n == 9) {
		daemon_where(d, err, "gs.n");
		text_puts(err, ": nine is taken");
		return -EADDRINUSE;
	}
	state = (struct state){ d, own->n == 8 };
	if (own->n == 7)
		daemon_fatal(d, "broken", "it is seven");
	daemon_address(d, "gs.udp", own->listen);
	daemon_ready(d);
	*ret_state = &state;
	return 0;
}

static void reload(void *ctx)
{
	struct state *s = ctx;
	daemon_address(s->d, "gs.reloaded", "yes");
}

static void stop(void *ctx, void (*done)(void *ctx), void *done_ctx)
{
	struct state *s = ctx;
	if (!s->hangs)
		done(done_ctx);
}

static const struct daemon_program program = {
	.name = "gs", .program = "godwit-gs", .about = "a test", .settings = { rows, COUNT(rows), sections },
	.settings_size = sizeof(struct own), .check = check, .start = start, .reload = reload, .stop = stop,
};

static struct scratch dir;
static char state_flag[128];

static void setup(void)
{
	dir = scratch_new();
	snprintf(state_flag, sizeof state_flag, "--state-dir=%s", scratch_file(&dir, "deep/state"));
}

static void teardown(void)
{
	scratch_free(&dir);
}

/** Start it with up to four arguments; its outputs go to the files out and err. */
static pid_t begin(const char *a, const char *b, const char *c, const char *d)
{
	const char *const args[] = { "godwit-gs", a, b, c, d, NULL };
	char *argv[6];
	pid_t pid = fork();
	if (pid)
		return pid;
	for (int i = 0; i < 6; i++)
		argv[i] = args[i] ? strdup(args[i]) : NULL;
	int out = open(scratch_file(&dir, "out"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int err = open(scratch_file(&dir, "err"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int argc = 0;
	while (argv[argc])
		argc++;
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	int status = daemon_main(&program, argc, argv);
	fflush(stdout);
	_exit(status);
}

static int end(pid_t pid)
{
	int status;
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *a, const char *b, const char *c, const char *d)
{
	return end(begin(a, b, c, d));
}

static bool wait_for(const char *leaf, const char *text)
{
	for (int i = 0; i < 1000; i++) {
		if (strstr(scratch_read(&dir, leaf), text))
			return true;
		usleep(10000);
	}
	return false;
}

static bool says(const char *leaf, const char *text)
{
	return strstr(scratch_read(&dir, leaf), text) != NULL;
}

START_TEST(it_serves_until_sigterm_and_leaves_nothing_behind)
{
	pid_t pid = begin(state_flag, "--gs.listen", "127.0.0.1:7", NULL);
	char line[32];
	struct stat st;
	ck_assert(wait_for("err", "msg=ready"));
	snprintf(line, sizeof line, "%ld\n", (long)pid);
	ck_assert_str_eq(scratch_read(&dir, "deep/state/gs.pid"), line);
	ck_assert_str_eq(scratch_read(&dir, "deep/state/addresses.json"), "{\"gs.udp\":\"127.0.0.1:7\"}\n");
	ck_assert_int_eq(stat(scratch_file(&dir, "deep/state"), &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0700);
	kill(pid, SIGHUP);
	ck_assert(wait_for("deep/state/addresses.json", "gs.reloaded"));
	kill(pid, SIGTERM);
	ck_assert_int_eq(end(pid), 0);
	ck_assert_str_eq(scratch_read(&dir, "deep/state/addresses.json"), "{}\n");
	ck_assert_int_ne(access(scratch_file(&dir, "deep/state/gs.pid"), F_OK), 0);
}
END_TEST

START_TEST(addresses_of_other_processes_are_kept)
{
	mkdir(scratch_file(&dir, "deep"), 0700);
	mkdir(scratch_file(&dir, "deep/state"), 0700);
	scratch_write(&dir, "deep/state/addresses.json", "{\"gs.old\":\"x\", \"ns.bus\":\"unix:/a b\"}");
	pid_t pid = begin(state_flag, NULL, NULL, NULL);
	ck_assert(wait_for("err", "msg=ready"));
	ck_assert_str_eq(scratch_read(&dir, "deep/state/addresses.json"), "{\"ns.bus\":\"unix:/a b\",\"gs.udp\":\"127.0.0.1:1\"}\n");
	kill(pid, SIGINT);
	ck_assert_int_eq(end(pid), 0);
	ck_assert_str_eq(scratch_read(&dir, "deep/state/addresses.json"), "{\"ns.bus\":\"unix:/a b\"}\n");
}
END_TEST

START_TEST(two_of_a_kind_do_not_share_a_state_directory)
{
	pid_t pid = begin(state_flag, NULL, NULL, NULL);
	ck_assert(wait_for("err", "msg=ready"));
	ck_assert_int_eq(run(state_flag, NULL, NULL, NULL), 1);
	char line[80];
	snprintf(line, sizeof line, "godwit-gs (pid %ld) runs with this state directory already\n", (long)pid);
	ck_assert(says("err", line));
	kill(pid, SIGKILL);
	ck_assert_int_eq(end(pid), -1);
	/* A pid file that kill -9 left is no obstacle. */
	pid = begin(state_flag, NULL, NULL, NULL);
	ck_assert(wait_for("err", "msg=ready"));
	kill(pid, SIGTERM);
	ck_assert_int_eq(end(pid), 0);
}
END_TEST

/* Arguments, status, and what stderr then is. */
static const struct {
	const char *a, *b;
	int status;
	const char *err;
} refusals[] = {
	{ "--foo", NULL, 2, "godwit-gs: unknown option --foo; see godwit-gs --help\n" },
	{ "--foo.bar=1", NULL, 2, "godwit-gs: unknown option --foo.bar=1; see godwit-gs --help\n" },
	{ "bar", NULL, 2, "godwit-gs: unknown argument bar; see godwit-gs --help\n" },
	{ "--gs.n", NULL, 2, "godwit-gs: a value is needed after --gs.n; see godwit-gs --help\n" },
	{ "--gs.n", "--help", 2, "godwit-gs: a value is needed after --gs.n; see godwit-gs --help\n" },
	{ "--gs.m=1", NULL, 1, "godwit-gs: --gs.m: there is no such setting\n" },
	{ "--gs.n=0", NULL, 1, "godwit-gs: --gs.n: \"0\" is not a whole number from 1 to 9\n" },
	{ "--log.level=loud", NULL, 1, "godwit-gs: --log.level: \"loud\" is not error, warn, info or debug\n" },
	{ "--gs.listen=bad", NULL, 1, "godwit-gs: --gs.listen: \"bad\" is no address\n" },
	{ "--gs.n=9", NULL, 1, "godwit-gs: --gs.n: nine is taken\n" },
	{ "--config", "/nonexistent", 1, "godwit-gs: /nonexistent: No such file or directory\n" },
	{ "--state-dir", "/proc/nowhere", 1, "godwit-gs: state-dir: /proc/nowhere: No such file or directory; choose another with --state-dir\n" },
};

START_TEST(a_refusal_is_one_line_and_a_status)
{
	ck_assert_int_eq(run(state_flag, refusals[_i].a, refusals[_i].b, NULL), refusals[_i].status);
	ck_assert_str_eq(scratch_read(&dir, "err"), refusals[_i].err);
	ck_assert_int_ne(access(scratch_file(&dir, "deep/state/gs.pid"), F_OK), 0);
}
END_TEST

START_TEST(a_configuration_can_be_checked_without_starting)
{
	scratch_write(&dir, "a.conf", "[gs]\nn = 0\n");
	char expected[200];
	const char *file = scratch_file(&dir, "a.conf");
	ck_assert_int_eq(run("--check-config", "--config", file, NULL), 1);
	snprintf(expected, sizeof expected, "godwit-gs: %s:2: gs.n: \"0\" is not a whole number from 1 to 9\n", file);
	ck_assert_str_eq(scratch_read(&dir, "err"), expected);
	ck_assert_int_eq(run("--check-config", "--config", file, "--gs.n=3"), 1);
	scratch_write(&dir, "a.conf", "[gs]\nn = 2\n[as]\nmqtt-listen = x\n");
	ck_assert_int_eq(run("--check-config", "--config", file, state_flag), 0);
	ck_assert_str_eq(scratch_read(&dir, "out"), "configuration is good\n");
	ck_assert_int_ne(access(scratch_file(&dir, "deep"), F_OK), 0);
}
END_TEST

START_TEST(help_and_version_end_with_status_zero)
{
	ck_assert_int_eq(run("--help", NULL, NULL, NULL), 0);
	ck_assert(says("out", "godwit-gs: a test\n") && says("out", "--gs.listen=127.0.0.1:1\n") && says("out", "--state-dir="));
	ck_assert_int_eq(run("--version", NULL, NULL, NULL), 0);
	ck_assert_str_eq(scratch_read(&dir, "out"), "godwit-gs " VERSION "\n");
}
END_TEST

START_TEST(flags_of_other_processes_are_left_alone)
{
	pid_t pid = begin(state_flag, "--as.mqtt-listen=x", "--ns.listen", "y");
	ck_assert(wait_for("err", "msg=ready"));
	kill(pid, SIGTERM);
	ck_assert_int_eq(end(pid), 0);
}
END_TEST

START_TEST(a_failure_ends_it_with_status_one)
{
	ck_assert_int_eq(run(state_flag, "--gs.n=7", NULL, NULL), 1);
	ck_assert(says("err", "msg=broken why=\"it is seven\""));
}
END_TEST

START_TEST(an_end_that_hangs_is_cut_off_within_five_seconds)
{
	pid_t pid = begin(state_flag, "--gs.n=8", NULL, NULL);
	ck_assert(wait_for("err", "msg=ready"));
	time_t before = time(NULL);
	kill(pid, SIGTERM);
	ck_assert_int_eq(end(pid), 1);
	ck_assert_int_le(time(NULL) - before, 6);
	ck_assert(says("err", "msg=stop_timeout"));
}
END_TEST

START_TEST(the_service_manager_is_told)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char text[64], name[100];
	bool is_abstract = _i;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	snprintf(name, sizeof name, "%s", scratch_file(&dir, "notify"));
	if (is_abstract)
		name[0] = '@';
	memcpy(at.sun_path, name, strlen(name));
	if (is_abstract)
		at.sun_path[0] = '\0';
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))), 0);
	setenv("NOTIFY_SOCKET", name, 1);
	pid_t pid = begin(state_flag, NULL, NULL, NULL);
	ssize_t n = recv(fd, text, sizeof text, 0);
	ck_assert(n == 7 && !memcmp(text, "READY=1", 7));
	kill(pid, SIGTERM);
	n = recv(fd, text, sizeof text, 0);
	ck_assert(n == 10 && !memcmp(text, "STOPPING=1", 10));
	ck_assert_int_eq(end(pid), 0);
	close(fd);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("daemon");
	TCase *c = tcase_create("life");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, it_serves_until_sigterm_and_leaves_nothing_behind);
	tcase_add_test(c, addresses_of_other_processes_are_kept);
	tcase_add_test(c, two_of_a_kind_do_not_share_a_state_directory);
	tcase_add_loop_test(c, a_refusal_is_one_line_and_a_status, 0, COUNT(refusals));
	tcase_add_test(c, a_configuration_can_be_checked_without_starting);
	tcase_add_test(c, help_and_version_end_with_status_zero);
	tcase_add_test(c, flags_of_other_processes_are_left_alone);
	tcase_add_test(c, a_failure_ends_it_with_status_one);
	tcase_add_test(c, an_end_that_hangs_is_cut_off_within_five_seconds);
	tcase_add_loop_test(c, the_service_manager_is_told, 0, 2);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
