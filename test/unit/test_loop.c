/** @file The loop: one time per wake, timers in order, hooks and what is deferred. */
#include "common/loop.h"
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define Z(literal) ((char[]){ literal })

static struct loop *loop;
static char trail[64];

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
	trail[0] = '\0';
}

static void teardown(void)
{
	loop_free(loop);
}

static void mark(void *ctx)
{
	strncat(trail, ctx, sizeof trail - strlen(trail) - 1);
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

START_TEST(timers_fire_in_the_order_of_their_deadlines)
{
	uint64_t now = loop_now(loop)->mono_us;
	struct loop_timer *t[] = {
		loop_timer_new(loop, mark, Z("c")), loop_timer_new(loop, mark, Z("a")),
		loop_timer_new(loop, mark, Z("b")), loop_timer_new(loop, stop, NULL), loop_timer_new(loop, mark, Z("never")),
	};
	loop_timer_at(t[0], now + 6000);
	loop_timer_at(t[1], now - 1);
	loop_timer_at(t[2], now + 3000);
	loop_timer_at(t[3], now + 9000);
	loop_timer_at(t[4], now + 1000);
	loop_timer_at(t[4], UINT64_MAX);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_str_eq(trail, "abc");
	loop_refresh(loop);
	ck_assert_uint_ge(loop_now(loop)->mono_us, now + 9000);
	for (size_t i = 0; i < COUNT(t); i++)
		loop_timer_free(t[i]);
}
END_TEST

START_TEST(a_moved_timer_fires_once_at_its_new_time)
{
	uint64_t now = loop_now(loop)->mono_us;
	struct loop_timer *t = loop_timer_new(loop, mark, Z("x")), *end = loop_timer_new(loop, stop, NULL);
	loop_timer_at(t, now + 1000);
	loop_timer_at(t, now + 4000);
	loop_timer_at(t, now + 2000);
	loop_timer_at(end, now + 10000);
	loop_run(loop);
	ck_assert_str_eq(trail, "x");
	loop_timer_free(t);
	loop_timer_free(end);
}
END_TEST

static struct loop_timer *again;
static int times;

static void set_again(void *ctx)
{
	(void)ctx;
	times++;
	loop_timer_in(again, 0);
}

START_TEST(a_timer_that_sets_itself_to_now_does_not_hold_up_the_loop)
{
	struct loop_timer *end = loop_timer_new(loop, stop, NULL);
	again = loop_timer_new(loop, set_again, NULL);
	loop_timer_in(again, 0);
	loop_timer_in(end, 100000);
	loop_run(loop);
	ck_assert_int_gt(times, 1);
	loop_timer_free(again);
	loop_timer_free(end);
}
END_TEST

static uint64_t seen[4];
static size_t seen_n;
static int pipe_fd[2][2];

static void on_readable(int fd, void *ctx)
{
	char c;
	(void)ctx;
	ck_assert_int_eq(read(fd, &c, 1), 1);
	if (seen_n == 0)
		usleep(3000);
	seen[seen_n++] = loop_now(loop)->mono_us;
}

START_TEST(all_callbacks_of_a_wake_see_the_same_time)
{
	struct loop_watch *w[2];
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pipe(pipe_fd[i]), 0);
		ck_assert_int_eq(write(pipe_fd[i][1], "x", 1), 1);
		w[i] = loop_watch_read(loop, pipe_fd[i][0], on_readable, NULL);
	}
	uint64_t before = loop_now(loop)->mono_us;
	usleep(2000);
	loop_after_wake(loop, stop, NULL);
	loop_run(loop);
	ck_assert_uint_eq(seen_n, 2);
	ck_assert_uint_eq(seen[0], seen[1]);
	ck_assert_uint_ge(seen[0], before + 2000);
	for (int i = 0; i < 2; i++) {
		loop_watch_free(w[i]);
		close(pipe_fd[i][0]);
		close(pipe_fd[i][1]);
	}
}
END_TEST

static struct loop_timer *last_timer;

static void defer_more(void *ctx)
{
	mark(Z("d"));
	ck_assert_int_eq(loop_defer(loop, mark, ctx), 0);
	loop_timer_in(last_timer, 2000);
}

static void hook(void *ctx)
{
	(void)ctx;
	mark(Z("h"));
	if (strlen(trail) > 5)
		loop_stop(loop);
}

START_TEST(hooks_run_before_what_was_deferred_and_what_that_defers_starts_the_next_wake)
{
	struct loop_timer *t = loop_timer_new(loop, defer_more, Z("e"));
	loop_defer(loop, mark, Z("s"));
	loop_after_wake(loop, hook, NULL);
	loop_timer_in(t, 1000);
	last_timer = loop_timer_new(loop, mark, Z("t"));
	loop_run(loop);
	ck_assert_str_eq(trail, "sdheth");
	loop_timer_free(t);
	loop_timer_free(last_timer);
}
END_TEST

START_TEST(what_is_forgotten_does_not_run)
{
	loop_defer(loop, mark, Z("a"));
	loop_defer(loop, mark, Z("b"));
	loop_after_wake(loop, mark, Z("c"));
	loop_forget(loop, mark, trail + sizeof trail - 1);
	loop_defer(loop, stop, NULL);
	static char a[] = "A";
	loop_defer(loop, mark, a);
	loop_after_wake(loop, mark, a);
	loop_forget(loop, mark, a);
	loop_run(loop);
	ck_assert_str_eq(trail, "ab");
}
END_TEST

static void on_signal(int signo, void *ctx)
{
	ck_assert_int_eq(signo, SIGUSR1);
	stop(ctx);
}

START_TEST(a_signal_reaches_the_loop)
{
	ck_assert_int_eq(loop_on_signal(loop, SIGUSR1, on_signal, NULL), 0);
	kill(getpid(), SIGUSR1);
	ck_assert_int_eq(loop_run(loop), 0);
}
END_TEST

START_TEST(the_kernels_randomness_differs_each_time)
{
	struct rng rng = loop_rng();
	uint8_t a[32], b[32];
	rng.fill(rng.ctx, a, sizeof a);
	rng.fill(rng.ctx, b, sizeof b);
	ck_assert_mem_ne(a, b, sizeof a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("loop");
	TCase *c = tcase_create("wakes");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, timers_fire_in_the_order_of_their_deadlines);
	tcase_add_test(c, a_moved_timer_fires_once_at_its_new_time);
	tcase_add_test(c, a_timer_that_sets_itself_to_now_does_not_hold_up_the_loop);
	tcase_add_test(c, all_callbacks_of_a_wake_see_the_same_time);
	tcase_add_test(c, hooks_run_before_what_was_deferred_and_what_that_defers_starts_the_next_wake);
	tcase_add_test(c, what_is_forgotten_does_not_run);
	tcase_add_test(c, a_signal_reaches_the_loop);
	tcase_add_test(c, the_kernels_randomness_differs_each_time);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
