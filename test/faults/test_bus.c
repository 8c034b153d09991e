/** @file The bus between two of ours: calls, time, loss, kill -9, scarce memory, speed. */
#include "test/faults/bus_world.h"
#include <event2/event.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* ---- the ordinary ---- */

START_TEST(a_call_is_answered)
{
	struct world *w = connected();
	ck_assert_str_eq(bus_peer_role(w->at_client), "ns");
	ck_assert_str_eq(bus_peer_role(w->at_server), "as");
	ck_assert_int_eq(pull(w, 42, CALL_US), 0);
	ck_assert_uint_gt(bus_peer_backlog(w->at_client), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	ck_assert_uint_eq(w->reply.f_port, 42);
	world_free(w);
}
END_TEST

START_TEST(either_side_calls)
{
	struct world *w = connected();
	struct pull m = { .f_cnt = 9 };
	ck_assert_int_eq(bus_call(w->at_server, NSAS_PULL, &m, CALL_US, on_done, w), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	ck_assert_uint_eq(w->reply.f_port, 9);
	world_free(w);
}
END_TEST

START_TEST(an_encoded_message_is_sent_as_it_is)
{
	struct world *w = connected();
	struct pull m = { .f_cnt = 9 };
	uint8_t buf[200];
	size_t n;
	ck_assert_int_eq(msg_encode(pull_schema(), &m, buf, sizeof buf, &n), 0);
	ck_assert_int_eq(bus_call_encoded(w->at_client, NSAS_PULL, (struct slice){ buf, n }, CALL_US, on_done, w), 0);
	run(w, one_ended);
	ck_assert_uint_eq(w->reply.f_port, 9);
	world_free(w);
}
END_TEST

static bool three_notified(struct world *w)
{
	return w->notified == 3;
}

START_TEST(a_notification_arrives_and_nothing_comes_back)
{
	struct world *w = connected();
	struct trace_events *m = batch_of(2, 0);
	ck_assert_int_eq(bus_notify(w->at_client, NSAS_EVENT, m), 0);
	free(m);
	run(w, three_notified);
	world_free(w);
}
END_TEST

static bool hundred_notified(struct world *w)
{
	return w->notified == 100 * 33;
}

START_TEST(large_messages_arrive_whole)
{
	struct world *w = connected();
	struct trace_events *m = batch_of(32, 400);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(bus_notify(w->at_client, NSAS_EVENT, m), 0);
	free(m);
	run(w, hundred_notified);
	world_free(w);
}
END_TEST

static bool one_notified(struct world *w)
{
	return w->notified == 1;
}

START_TEST(what_was_said_last_still_leaves)
{
	struct world *w = connected();
	struct trace_events *m = batch_of(0, 0);
	ck_assert_int_eq(bus_notify(w->at_client, NSAS_EVENT, m), 0);
	free(m);
	bus_free(TAKE(w->client));
	run(w, one_notified);
	world_free(w);
}
END_TEST

START_TEST(a_refusal_says_why)
{
	struct world *w = connected();
	w->way = REFUSE;
	ck_assert_int_eq(pull(w, 1, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, BUS_E_REFUSED);
	ck_assert_str_eq(w->failure.name, "queue_full");
	ck_assert_str_eq(w->failure.message, "not today");
	world_free(w);
}
END_TEST

START_TEST(a_method_that_nobody_serves_is_refused)
{
	struct world *w = connected();
	struct device_query m = { .device = 1 };
	ck_assert_int_eq(bus_call(w->at_client, ASNS_DEVICE, &m, CALL_US, on_done, w), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, BUS_E_REFUSED);
	ck_assert_str_eq(w->failure.name, "unknown_method");
	ck_assert(both_up(w));
	world_free(w);
}
END_TEST

START_TEST(the_socket_file_is_the_owners_alone_and_goes_with_the_bus)
{
	struct world *w = connected();
	struct stat st;
	ck_assert_int_eq(stat(w->address + strlen("unix:"), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	bus_free(TAKE(w->server));
	ck_assert_int_eq(stat(w->address + strlen("unix:"), &st), -1);
	world_free(w);
}
END_TEST

/* ---- time ---- */

START_TEST(a_call_that_nobody_answers_times_out_once)
{
	struct world *w = connected();
	w->way = KEEP;
	ck_assert_int_eq(pull(w, 1, 50000), 0);
	uint64_t before_us = loop_now(w->loop)->mono_us;
	run(w, one_ended);
	loop_refresh(w->loop);
	ck_assert_int_eq(w->status, -ETIMEDOUT);
	ck_assert_uint_ge(loop_now(w->loop)->mono_us - before_us, 50000);
	/* The answer comes too late and finds nobody; the next call is not mistaken for it. */
	struct pulled late = { 0 };
	bus_reply(w->kept, &late);
	w->way = ANSWER;
	ck_assert_int_eq(pull(w, 77, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	ck_assert_uint_eq(w->reply.f_port, 77);
	ck_assert_uint_eq(w->ended, 1);
	world_free(w);
}
END_TEST

/* ---- loss ---- */

START_TEST(calls_fail_when_the_other_side_goes_and_the_connection_comes_back)
{
	struct world *w = connected();
	w->way = KEEP;
	ck_assert_int_eq(pull(w, 1, CALL_US), 0);
	run(w, one_served);
	bus_free(TAKE(w->server));
	run(w, client_is_down);
	ck_assert_uint_eq(w->ended, 1);
	ck_assert_int_eq(w->status, -ECONNRESET);
	serve(w);
	w->way = ANSWER;
	run(w, both_up);
	ck_assert_uint_eq(w->ups, 2);
	ck_assert_uint_eq(w->downs, 1);
	ck_assert_int_eq(pull(w, 5, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	world_free(w);
}
END_TEST

START_TEST(an_answer_to_a_peer_that_has_gone_is_harmless)
{
	struct world *w = connected();
	w->way = KEEP;
	ck_assert_int_eq(pull(w, 1, CALL_US), 0);
	run(w, one_served);
	bus_free(TAKE(w->client));
	connect_to(w, w->address);
	run(w, client_is_up);
	struct pulled m = { 0 };
	bus_reply(w->kept, &m);
	w->way = ANSWER;
	ck_assert_int_eq(pull(w, 5, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	world_free(w);
}
END_TEST

/** A server in a process of its own, which kills itself in the middle of a call. */
static pid_t server_process(struct world *w, enum way way)
{
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	struct world *mine = calloc(1, sizeof *mine);
	struct bus_options o = options(mine, true, w->address);
	char why[200];
	struct text t = text_fixed(why, sizeof why);
	mine->way = way;
	mine->loop = o.loop = loop_new();
	if (bus_listen(&o, &mine->server, &t))
		_exit(1);
	loop_run(mine->loop);
	_exit(0);
}

START_TEST(kill_9_in_the_middle_of_a_call)
{
	struct world *w = world_new();
	int status;
	pid_t pid = server_process(w, DIE);
	connect_to(w, w->address);
	run(w, client_is_up);
	ck_assert_int_eq(pull(w, 1, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, -ECONNRESET);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status));
	run(w, client_is_down);
	pid = server_process(w, ANSWER); /* over the socket file that the first one left */
	run(w, client_is_up);
	ck_assert_int_eq(pull(w, 8, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	world_free(w);
}
END_TEST

static unsigned allocations_left;

static void *scarce_malloc(size_t n)
{
	return allocations_left && !--allocations_left ? NULL : malloc(n);
}

static void *scarce_realloc(void *p, size_t n)
{
	return allocations_left && !--allocations_left ? NULL : realloc(p, n);
}

static bool answered(struct world *w)
{
	struct pull m = { .f_cnt = 9 };
	if (w->ended && !w->status)
		return true;
	if (w->at_client && (w->ended || !w->served)) {
		w->ended = 0;
		w->served = 1;
		if (bus_call(w->at_client, NSAS_PULL, &m, CALL_US, on_done, w))
			w->served = 0;
	}
	return false;
}

/** @return the n-th allocation of libevent came, and failed */
static bool live_through_failure(unsigned n)
{
	struct world *w = world_new();
	log_setup(LOG_LOGFMT, LOG_ERROR, "test");
	event_set_mem_functions(scarce_malloc, scarce_realloc, free);
	serve(w);
	connect_to(w, w->address);
	allocations_left = n;
	struct loop_timer *t = NULL;
	t = loop_timer_new(w->loop, again, &t);
	loop_timer_in(t, 0);
	run(w, answered);
	bool failed = !allocations_left;
	allocations_left = 0;
	loop_timer_free(t);
	world_free(w);
	return failed;
}

/** Whichever allocation of libevent fails, once: the connection may be lost, but comes back, and a call is answered. Where libevent
 * keeps quiet about it, that takes as long as a greeting may take; so all cases run at once. */
START_TEST(a_failed_allocation_costs_a_connection_at_most)
{
	enum { CASES = 40, FAILED = 10, NONE_FAILED = 11 };
	pid_t pid[CASES];
	unsigned failed = 0;
	for (unsigned i = 0; i < CASES; i++) {
		pid[i] = fork();
		ck_assert_int_ge(pid[i], 0);
		if (!pid[i])
			_exit(live_through_failure(i + 1) ? FAILED : NONE_FAILED);
	}
	for (unsigned i = 0; i < CASES; i++) {
		int status;
		ck_assert_int_eq(waitpid(pid[i], &status, 0), pid[i]);
		ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) >= FAILED, "allocation %u: status %x", i + 1, status);
		failed += WEXITSTATUS(status) == FAILED;
	}
	ck_assert_uint_gt(failed, 5);
	ck_assert_uint_lt(failed, CASES); /* the cases reach as far as the story does */
}
END_TEST

START_TEST(tcp_without_tls_stays_on_this_host)
{
	struct world *w = world_new();
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, true, "tcp:0.0.0.0:0");
	ck_assert_int_eq(bus_listen(&o, &w->server, &t), -EINVAL);
	ck_assert_ptr_nonnull(strstr(why, "bus.tls-ca"));
	ck_assert_ptr_null(w->server);
	o.address = "tcp:nonsense:nonsense";
	ck_assert_int_eq(bus_connect(&o, &w->client, &t), -EINVAL);
	ck_assert_ptr_null(w->client);
	snprintf(w->address, sizeof w->address, "tcp:127.0.0.1:0");
	serve(w);
	connect_to(w, bus_address(w->server));
	run(w, both_up);
	world_free(w);
}
END_TEST

START_TEST(an_address_in_use_is_an_error_that_names_it)
{
	struct world *w = connected();
	struct bus *second = NULL;
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, true, w->address);
	ck_assert_int_eq(bus_listen(&o, &second, &t), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(why, w->address));
	ck_assert_int_eq(pull(w, 3, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	world_free(w);
}
END_TEST

/* ---- speed ---- */

enum { MANY = 100000, AT_ONCE = 2000 };

struct crowd {
	struct world *w;
	unsigned sent, answered;
};

static struct crowd crowd;

static void one_of_many(void *ctx, int status, const struct failure *failure, const void *reply)
{
	(void)ctx;
	(void)failure;
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_nonnull(reply);
	crowd.answered++;
	if (crowd.sent < MANY) {
		struct pull m = { .device = 7, .f_cnt = crowd.sent++, .room = 51, .room_max = 222 };
		ck_assert_int_eq(bus_call(crowd.w->at_client, NSAS_PULL, &m, CALL_US, one_of_many, NULL), 0);
	}
}

static bool all_answered(struct world *w)
{
	(void)w;
	return crowd.answered == MANY;
}

START_TEST(a_hundred_thousand_calls)
{
	struct world *w = connected();
	crowd = (struct crowd){ .w = w };
	loop_refresh(w->loop);
	uint64_t from_us = loop_now(w->loop)->mono_us;
	for (crowd.sent = 0; crowd.sent < AT_ONCE;) {
		struct pull m = { .device = 7, .f_cnt = crowd.sent++, .room = 51, .room_max = 222 };
		ck_assert_int_eq(bus_call(w->at_client, NSAS_PULL, &m, CALL_US, one_of_many, NULL), 0);
	}
	run(w, all_answered);
	loop_refresh(w->loop);
	uint64_t took_us = loop_now(w->loop)->mono_us - from_us;
	ck_assert_uint_eq(w->served, MANY);
	fprintf(stderr, "%u calls in %u ms: %u a second, both ends on one core\n", MANY, (unsigned)(took_us / 1000),
		(unsigned)((uint64_t)MANY * 1000000 / (took_us ? took_us : 1)));
	world_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("bus");
	TCase *calls = tcase_create("calls");
	tcase_set_timeout(calls, 60);
	tcase_add_test(calls, a_call_is_answered);
	tcase_add_test(calls, either_side_calls);
	tcase_add_test(calls, an_encoded_message_is_sent_as_it_is);
	tcase_add_test(calls, a_notification_arrives_and_nothing_comes_back);
	tcase_add_test(calls, large_messages_arrive_whole);
	tcase_add_test(calls, what_was_said_last_still_leaves);
	tcase_add_test(calls, a_refusal_says_why);
	tcase_add_test(calls, a_method_that_nobody_serves_is_refused);
	tcase_add_test(calls, the_socket_file_is_the_owners_alone_and_goes_with_the_bus);
	suite_add_tcase(s, calls);
	TCase *faults = tcase_create("faults");
	tcase_set_timeout(faults, 60);
	tcase_add_test(faults, a_call_that_nobody_answers_times_out_once);
	tcase_add_test(faults, calls_fail_when_the_other_side_goes_and_the_connection_comes_back);
	tcase_add_test(faults, an_answer_to_a_peer_that_has_gone_is_harmless);
	tcase_add_test(faults, kill_9_in_the_middle_of_a_call);
	tcase_add_test(faults, a_failed_allocation_costs_a_connection_at_most);
	tcase_add_test(faults, tcp_without_tls_stays_on_this_host);
	tcase_add_test(faults, an_address_in_use_is_an_error_that_names_it);
	suite_add_tcase(s, faults);
	TCase *speed = tcase_create("speed");
	tcase_set_timeout(speed, 60);
	tcase_add_test(speed, a_hundred_thousand_calls);
	suite_add_tcase(s, speed);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
