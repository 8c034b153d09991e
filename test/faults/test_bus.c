/** @file The bus under fault: peers that vanish, lie, stall, speak another version; and at speed. */
#include "common/log.h"
#include "proto/bus/bus.h"
#include "proto/bus/rpc.h"
#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_US = 20 * 1000000, CALL_US = 5 * 1000000 };

/** Both ends of a bus in one loop. */
struct world {
	struct loop *loop;
	struct bus *server, *client;
	struct bus_peer *at_server, *at_client; /**< NULL: not up */
	unsigned ups, downs;                    /**< of the client */
	char folder[64], address[100];
	/* What the server's handler does, and saw. */
	enum { ANSWER, KEEP, REFUSE, DIE } way;
	struct bus_request *kept;
	unsigned served, notified;
	/* How the last call ended. */
	unsigned ended;
	int status;
	struct failure failure;
	struct pulled reply;
	bool (*until)(struct world *w);
	bool is_late;
};

static void on_pull(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct world *w = ctx;
	const struct pull *pull = msg;
	(void)peer;
	w->served++;
	if (w->way == DIE)
		raise(SIGKILL);
	if (w->way == KEEP) {
		w->kept = r;
	} else if (w->way == REFUSE) {
		bus_refuse(r, "queue_full", "not today");
	} else {
		struct pulled answer = { 0 };
		MSG_SET(&answer, f_port, pull->f_cnt);
		bus_reply(r, &answer);
	}
}

static void on_event(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct world *w = ctx;
	const struct trace_events *events = msg;
	(void)peer;
	ck_assert_ptr_null(r);
	w->notified += 1 + events->v.len;
}

static void server_up(void *ctx, struct bus_peer *p)
{
	((struct world *)ctx)->at_server = p;
}

static void server_down(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	if (w->at_server == p)
		w->at_server = NULL;
}

static void client_up(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	w->at_client = p;
	w->ups++;
}

static void client_down(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	ck_assert_ptr_eq(w->at_client, p);
	w->at_client = NULL;
	w->downs++;
}

static const struct bus_handler handlers[] = {
	{ NSAS_PULL, on_pull },
	{ NSAS_EVENT, on_event },
};

static void on_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct world *w = ctx;
	w->ended++;
	w->status = status;
	ck_assert_int_eq(status == 0, reply != NULL);
	ck_assert_int_eq(status == BUS_E_REFUSED, failure != NULL);
	if (failure)
		w->failure = *failure;
	if (reply)
		w->reply = *(const struct pulled *)reply;
}

static void look(void *ctx)
{
	struct world *w = ctx;
	if (w->until && w->until(w))
		loop_stop(w->loop);
}

static void too_late(void *ctx)
{
	struct world *w = ctx;
	w->is_late = true;
	loop_stop(w->loop);
}

/** Serve until the condition holds; fails the test if it takes too long. */
static void run(struct world *w, bool (*until)(struct world *w))
{
	struct loop_timer *t = loop_timer_new(w->loop, too_late, w);
	ck_assert_ptr_nonnull(t);
	loop_timer_in(t, PATIENCE_US);
	w->until = until;
	w->is_late = false;
	if (!until(w))
		ck_assert_int_eq(loop_run(w->loop), 0);
	w->until = NULL;
	loop_timer_free(t);
	ck_assert_msg(!w->is_late, "waited in vain");
}

static struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	ck_assert_ptr_nonnull(w);
	log_setup(LOG_LOGFMT, LOG_WARN, "test");
	snprintf(w->folder, sizeof w->folder, "/tmp/godwit-test-bus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->folder));
	snprintf(w->address, sizeof w->address, "unix:%s/bus.sock", w->folder);
	w->loop = loop_new();
	ck_assert_ptr_nonnull(w->loop);
	ck_assert_int_eq(loop_after_wake(w->loop, look, w), 0);
	return w;
}

static struct bus_options options(struct world *w, bool is_server, const char *address)
{
	return (struct bus_options){
		.loop = w->loop, .address = address, .role = is_server ? "ns" : "as",
		.handlers = handlers, .n_handlers = COUNT(handlers),
		.up = is_server ? server_up : client_up, .down = is_server ? server_down : client_down, .ctx = w,
	};
}

static void serve(struct world *w)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, true, w->address);
	ck_assert_msg(bus_listen(&o, &w->server, &t) == 0, "%s", why);
}

static void connect_to(struct world *w, const char *address)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, false, address);
	ck_assert_msg(bus_connect(&o, &w->client, &t) == 0, "%s", why);
}

static bool both_up(struct world *w)
{
	return w->at_client && w->at_server;
}

static bool client_is_up(struct world *w)
{
	return w->at_client != NULL;
}

static bool client_is_down(struct world *w)
{
	return !w->at_client;
}

static bool one_ended(struct world *w)
{
	return w->ended > 0;
}

static bool one_served(struct world *w)
{
	return w->served > 0;
}

static struct world *connected(void)
{
	struct world *w = world_new();
	serve(w);
	connect_to(w, w->address);
	run(w, both_up);
	return w;
}

static void world_free(struct world *w)
{
	char path[120];
	bus_free(w->client);
	bus_free(w->server);
	loop_free(w->loop);
	snprintf(path, sizeof path, "%s/bus.sock", w->folder);
	unlink(path);
	ck_assert_int_eq(rmdir(w->folder), 0);
	free(w);
}

static int pull(struct world *w, uint32_t f_cnt, uint64_t timeout_us)
{
	struct pull m = { .device = 7, .f_cnt = f_cnt, .room = 51, .room_max = 222 };
	w->ended = 0;
	return bus_call(w->at_client, NSAS_PULL, &m, timeout_us, on_done, w);
}

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
	struct trace_events *m = calloc(1, sizeof *m);
	ck_assert_ptr_nonnull(m);
	m->v.len = 2;
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
	struct trace_events *m = calloc(1, sizeof *m);
	ck_assert_ptr_nonnull(m);
	m->v.len = 32;
	for (unsigned i = 0; i < 32; i++) {
		memset(m->v.v[i].data, 'x', 400);
		MSG_MARK(&m->v.v[i], data);
	}
	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(bus_notify(w->at_client, NSAS_EVENT, m), 0);
	free(m);
	run(w, hundred_notified);
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
static pid_t server_process(struct world *w, int way)
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

static void again(void *ctx)
{
	loop_timer_in(*(struct loop_timer **)ctx, 10000);
}

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

/* ---- peers that are not ours ---- */

static int raw_connect(const struct world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", w->address + strlen("unix:"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&un, sizeof un), 0);
	return fd;
}

static int watched;

static bool watched_has_something(struct world *w)
{
	struct pollfd p = { .fd = watched, .events = POLLIN };
	(void)w;
	return poll(&p, 1, 0) > 0;
}

static void tick(int fd, void *ctx)
{
	(void)fd; /* a wake is all that is wanted */
	(void)ctx;
}

/** Say something over a raw connection and read what comes until the other side closes it. */
static size_t say(struct world *w, const void *p, size_t n, uint8_t *ret, size_t cap)
{
	size_t got = 0;
	int fd = watched = raw_connect(w);
	struct loop_watch *watch = loop_watch_read(w->loop, fd, tick, NULL);
	ck_assert_int_eq(write(fd, p, n), (ssize_t)n);
	for (;;) {
		run(w, watched_has_something);
		ssize_t k = read(fd, ret + got, cap - got);
		if (k <= 0)
			break;
		got += (size_t)k;
	}
	loop_watch_free(watch);
	close(fd);
	return got;
}

static size_t make_hello(uint8_t *buf, uint32_t protocol, const char *method)
{
	struct hello h = { .protocol = protocol, .role = "gs", .version = "9.9.9" };
	size_t n = rpc_put_request(buf, 1, method), k;
	ck_assert_int_eq(msg_encode(hello_schema(), &h, buf + n, 100, &k), 0);
	return n + k;
}

START_TEST(garbage_is_dropped_and_the_others_stay)
{
	struct world *w = connected();
	uint8_t got[300], hello[300];
	size_t n = make_hello(hello, BUS_PROTOCOL, "Bus/Hello");
	ck_assert_uint_eq(say(w, "GET / HTTP/1.1\r\n\r\n", 18, got, sizeof got), 0);
	ck_assert_uint_eq(say(w, "\x94\xdd\xff\xff\xff\xff", 6, got, sizeof got), 0);
	ck_assert_uint_eq(say(w, "\x94\x01\x01\xc0\x80", 5, got, sizeof got), 0); /* an answer to nothing */
	size_t other = make_hello(hello, BUS_PROTOCOL, "Bus/Hullo");
	ck_assert_uint_eq(say(w, hello, other, got, sizeof got), 0);
	/* A good greeting and then garbage. */
	n = make_hello(hello, BUS_PROTOCOL, "Bus/Hello");
	hello[n++] = 0xc1;
	say(w, hello, n, got, sizeof got);
	ck_assert_int_eq(pull(w, 3, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	ck_assert_uint_eq(w->downs, 0);
	world_free(w);
}
END_TEST

START_TEST(another_protocol_version_is_refused_with_a_reason)
{
	struct world *w = connected();
	uint8_t got[500], hello[300];
	struct rpc_frame f;
	struct failure failure;
	size_t n = make_hello(hello, BUS_PROTOCOL + 1, "Bus/Hello");
	n = say(w, hello, n, got, sizeof got);
	ck_assert_int_eq(rpc_parse((struct slice){ got, n }, &f), 0);
	ck_assert(f.type == RPC_RESPONSE && f.is_error && f.id == 1);
	ck_assert_int_eq(msg_decode(failure_schema(), f.message.p, f.message.n, &failure), 0);
	ck_assert_str_eq(failure.name, "protocol_version");
	ck_assert_ptr_nonnull(strstr(failure.message, "gs 9.9.9 speaks 2"));
	world_free(w);
}
END_TEST

static pid_t child;
static int child_status;

static bool child_is_done(struct world *w)
{
	(void)w;
	return waitpid(child, &child_status, WNOHANG) == child;
}

/** Python's msgpack, which knows nothing of us: greets, calls, asks for what nobody serves, answers a call. */
START_TEST(a_foreign_implementation_is_a_peer)
{
	char script[4096];
	const char *source = getenv("GODWIT_SOURCE");
	struct world *w = world_new();
	serve(w);
	snprintf(script, sizeof script, "%s/test/faults/bus_peer.py", source ? source : ".");
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		execl("/usr/bin/python3", "python3", script, w->address + strlen("unix:"), (char *)NULL);
		_exit(127);
	}
	struct loop_timer *t = NULL;
	t = loop_timer_new(w->loop, again, &t);
	loop_timer_in(t, 0);
	run(w, child_is_done);
	loop_timer_free(t);
	ck_assert(WIFEXITED(child_status));
	ck_assert_msg(WEXITSTATUS(child_status) == 0 || WEXITSTATUS(child_status) == 77, "status %d", WEXITSTATUS(child_status));
	if (!WEXITSTATUS(child_status)) {
		ck_assert_uint_eq(w->served, 1000);
		ck_assert_uint_eq(w->notified, 1);
	}
	world_free(w);
}
END_TEST

static bool no_more_come(struct world *w)
{
	return watched_has_something(w);
}

START_TEST(connections_beyond_the_bound_are_closed)
{
	struct world *w = connected();
	enum { CROWD = 300 };
	int fd[CROWD];
	for (unsigned i = 0; i < CROWD; i++)
		fd[i] = raw_connect(w);
	watched = fd[CROWD - 1];
	struct loop_watch *watch = loop_watch_read(w->loop, watched, tick, NULL);
	run(w, no_more_come);
	uint8_t octet;
	ck_assert_int_eq(read(watched, &octet, 1), 0);
	ck_assert_int_eq(pull(w, 3, CALL_US), 0);
	run(w, one_ended);
	ck_assert_int_eq(w->status, 0);
	loop_watch_free(watch);
	for (unsigned i = 0; i < CROWD; i++)
		close(fd[i]);
	world_free(w);
}
END_TEST

static void drain(int fd, void *ctx)
{
	static uint8_t buf[1 << 16];
	(void)ctx;
	if (read(fd, buf, sizeof buf) < 0)
		(void)errno;
}

static int raw_listener(struct world *w)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	snprintf(un.sun_path, sizeof un.sun_path, "%s", w->address + strlen("unix:"));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&un, sizeof un), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	return fd;
}

static void answer_hello(int fd, uint32_t protocol)
{
	struct hello h = { .protocol = protocol, .role = "ns", .version = "9.9.9" };
	uint8_t buf[300];
	size_t n, k;
	ck_assert_int_gt(read(fd, buf, sizeof buf), 0);
	n = rpc_put_result(buf, 1);
	ck_assert_int_eq(msg_encode(hello_schema(), &h, buf + n, 100, &k), 0);
	ck_assert_int_eq(write(fd, buf, n + k), (ssize_t)(n + k));
}

START_TEST(the_side_that_connects_insists_on_its_version_too)
{
	struct world *w = world_new();
	int fd = watched = raw_listener(w);
	struct loop_watch *watch = loop_watch_read(w->loop, fd, tick, NULL);
	connect_to(w, w->address);
	run(w, watched_has_something);
	int c = accept(fd, NULL, NULL);
	loop_watch_free(watch);
	watch = loop_watch_read(w->loop, c, tick, NULL);
	watched = c;
	run(w, watched_has_something);
	answer_hello(c, 2);
	run(w, watched_has_something);
	uint8_t buf[10];
	ck_assert_int_eq(read(c, buf, sizeof buf), 0); /* closed */
	ck_assert_uint_eq(w->ups, 0);
	loop_watch_free(watch);
	close(c);
	close(fd);
	world_free(w);
}
END_TEST

static bool half_is_gone(struct world *w)
{
	return bus_peer_backlog(w->at_client) < BUS_BACKLOG_MAX / 2;
}

START_TEST(a_peer_that_does_not_read_makes_nothing_grow)
{
	struct world *w = world_new();
	int fd = watched = raw_listener(w), r = 0;
	struct loop_watch *watch = loop_watch_read(w->loop, fd, tick, NULL);
	connect_to(w, w->address);
	run(w, watched_has_something);
	int c = accept(fd, NULL, NULL);
	loop_watch_free(watch);
	watch = loop_watch_read(w->loop, c, tick, NULL);
	watched = c;
	run(w, watched_has_something);
	answer_hello(c, BUS_PROTOCOL);
	loop_watch_free(watch);
	run(w, client_is_up);
	struct trace_events *m = calloc(1, sizeof *m);
	ck_assert_ptr_nonnull(m);
	m->v.len = 32;
	for (unsigned i = 0; i < 32; i++) {
		memset(m->v.v[i].data, 'x', 400);
		MSG_MARK(&m->v.v[i], data);
	}
	for (unsigned i = 0; i < 10000 && !r; i++)
		r = bus_notify(w->at_client, NSAS_EVENT, m);
	ck_assert_int_eq(r, -ENOBUFS);
	ck_assert_uint_lt(bus_peer_backlog(w->at_client), BUS_BACKLOG_MAX + (64 << 10));
	ck_assert_int_eq(pull(w, 1, 50000), -ENOBUFS);
	/* Once it reads again, there is room again. */
	watch = loop_watch_read(w->loop, c, drain, NULL);
	run(w, half_is_gone);
	ck_assert_int_eq(bus_notify(w->at_client, NSAS_EVENT, m), 0);
	loop_watch_free(watch);
	free(m);
	close(c);
	close(fd);
	world_free(w);
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

/* ---- TLS ---- */

/** A CA, a certificate of it for localhost, and a stranger's. */
static bool make_certificates(const struct world *w)
{
	char command[2000];
	snprintf(command, sizeof command,
		"cd %s && exec 2>/dev/null >&2; for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
		"-subj /CN=$ca -keyout $ca.key -out $ca.pem || exit 1; done; for who in good:ca bad:other; do n=${who%%:*}; c=${who#*:}; "
		"openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$n -keyout $n.key -out $n.csr || exit 1; "
		"printf 'subjectAltName=DNS:localhost,IP:127.0.0.1' >ext; "
		"openssl x509 -req -in $n.csr -CA $c.pem -CAkey $c.key -CAcreateserial -days 2 -extfile ext -out $n.pem || exit 1; done",
		w->folder);
	return system(command) == 0;
}

static void remove_certificates(const struct world *w)
{
	char command[200];
	snprintf(command, sizeof command, "cd %s && rm -f ext ca.* other.* good.* bad.*", w->folder);
	ck_assert_int_eq(system(command), 0);
}

struct tls_paths {
	char ca[120], certificate[120], key[120];
};

static struct bus_tls tls_of(const struct world *w, const char *who, struct tls_paths *p)
{
	snprintf(p->ca, sizeof p->ca, "%s/ca.pem", w->folder);
	snprintf(p->certificate, sizeof p->certificate, "%s/%s.pem", w->folder, who);
	snprintf(p->key, sizeof p->key, "%s/%s.key", w->folder, who);
	return (struct bus_tls){ p->ca, p->certificate, p->key };
}

static void serve_tls(struct world *w, struct tls_paths *p)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, true, "tcp:127.0.0.1:0");
	o.tls = tls_of(w, "good", p);
	ck_assert_msg(bus_listen(&o, &w->server, &t) == 0, "%s", why);
}

static void connect_tls(struct world *w, const char *who, struct tls_paths *p)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, false, bus_address(w->server));
	o.tls = tls_of(w, who, p);
	ck_assert_msg(bus_connect(&o, &w->client, &t) == 0, "%s", why);
}

START_TEST(tls_both_ways)
{
	struct world *w = world_new();
	struct tls_paths server, client;
	char why[300];
	struct text t = text_fixed(why, sizeof why);
	ck_assert(make_certificates(w));
	serve_tls(w, &server);
	connect_tls(w, "good", &client);
	run(w, both_up);
	ck_assert_int_eq(pull(w, 6, CALL_US), 0);
	run(w, one_ended);
	ck_assert_uint_eq(w->reply.f_port, 6);
	ck_assert_int_eq(bus_reload(w->server, &t), 0);
	ck_assert_int_eq(pull(w, 7, CALL_US), 0);
	run(w, one_ended);
	ck_assert_uint_eq(w->reply.f_port, 7);
	remove_certificates(w);
	ck_assert_int_eq(bus_reload(w->server, &t), -EINVAL);
	world_free(w);
}
END_TEST

static void half_a_second(void *ctx)
{
	loop_stop(((struct world *)ctx)->loop);
}

START_TEST(tls_with_a_strangers_certificate_or_none_is_refused)
{
	struct world *w = world_new();
	struct tls_paths server, client;
	ck_assert(make_certificates(w));
	serve_tls(w, &server);
	connect_tls(w, "bad", &client);
	struct loop_timer *t = loop_timer_new(w->loop, half_a_second, w);
	loop_timer_in(t, 500000);
	loop_run(w->loop);
	ck_assert_ptr_null(w->at_server);
	ck_assert_ptr_null(w->at_client);
	bus_free(TAKE(w->client));
	connect_to(w, bus_address(w->server)); /* loopback, so this side may try without TLS */
	loop_timer_in(t, 500000);
	loop_run(w->loop);
	ck_assert_ptr_null(w->at_server);
	ck_assert_ptr_null(w->at_client);
	loop_timer_free(t);
	remove_certificates(w);
	world_free(w);
}
END_TEST

static void add_ordinary(TCase *t)
{
	tcase_add_test(t, a_call_is_answered);
	tcase_add_test(t, either_side_calls);
	tcase_add_test(t, an_encoded_message_is_sent_as_it_is);
	tcase_add_test(t, a_notification_arrives_and_nothing_comes_back);
	tcase_add_test(t, large_messages_arrive_whole);
	tcase_add_test(t, a_refusal_says_why);
	tcase_add_test(t, a_method_that_nobody_serves_is_refused);
	tcase_add_test(t, the_socket_file_is_the_owners_alone_and_goes_with_the_bus);
	tcase_add_test(t, a_hundred_thousand_calls);
}

static void add_faults(TCase *t)
{
	tcase_add_test(t, a_call_that_nobody_answers_times_out_once);
	tcase_add_test(t, calls_fail_when_the_other_side_goes_and_the_connection_comes_back);
	tcase_add_test(t, an_answer_to_a_peer_that_has_gone_is_harmless);
	tcase_add_test(t, kill_9_in_the_middle_of_a_call);
	tcase_add_test(t, a_failed_allocation_costs_a_connection_at_most);
	tcase_add_test(t, garbage_is_dropped_and_the_others_stay);
	tcase_add_test(t, another_protocol_version_is_refused_with_a_reason);
	tcase_add_test(t, the_side_that_connects_insists_on_its_version_too);
	tcase_add_test(t, a_peer_that_does_not_read_makes_nothing_grow);
	tcase_add_test(t, a_foreign_implementation_is_a_peer);
	tcase_add_test(t, connections_beyond_the_bound_are_closed);
	tcase_add_test(t, tcp_without_tls_stays_on_this_host);
	tcase_add_test(t, an_address_in_use_is_an_error_that_names_it);
	tcase_add_test(t, tls_both_ways);
	tcase_add_test(t, tls_with_a_strangers_certificate_or_none_is_refused);
}

int main(void)
{
	Suite *s = suite_create("bus");
	TCase *ordinary = tcase_create("ordinary"), *faults = tcase_create("faults");
	add_ordinary(ordinary);
	add_faults(faults);
	tcase_set_timeout(ordinary, 60);
	tcase_set_timeout(faults, 60);
	suite_add_tcase(s, ordinary);
	suite_add_tcase(s, faults);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
