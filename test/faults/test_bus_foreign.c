/** @file The bus and peers that are not ours: garbage, other versions, Python, silence, crowds, strangers with certificates. */
#include "proto/bus/rpc.h"
#include "test/faults/bus_world.h"
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

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
	struct trace_events *m = batch_of(32, 400);
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

int main(void)
{
	Suite *s = suite_create("bus_foreign");
	TCase *peers = tcase_create("peers");
	tcase_set_timeout(peers, 60);
	tcase_add_test(peers, garbage_is_dropped_and_the_others_stay);
	tcase_add_test(peers, another_protocol_version_is_refused_with_a_reason);
	tcase_add_test(peers, a_foreign_implementation_is_a_peer);
	tcase_add_test(peers, connections_beyond_the_bound_are_closed);
	tcase_add_test(peers, the_side_that_connects_insists_on_its_version_too);
	tcase_add_test(peers, a_peer_that_does_not_read_makes_nothing_grow);
	suite_add_tcase(s, peers);
	TCase *tls = tcase_create("tls");
	tcase_set_timeout(tls, 60);
	tcase_add_test(tls, tls_both_ways);
	tcase_add_test(tls, tls_with_a_strangers_certificate_or_none_is_refused);
	suite_add_tcase(s, tls);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
