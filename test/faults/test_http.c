/** @file The HTTP server over loopback: routes, bounds, pipelines, streams, and peers that leave. */
#include "common/http.h"
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct loop *loop;
static struct http_server *server;
static struct loop_timer *timer;
static struct http_request *held;
static int closed, calls;
static char answer[1 << 18];

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void run_for(uint64_t us)
{
	loop_refresh(loop);
	loop_timer_in(timer, us);
	loop_run(loop);
}

static void on_echo(void *ctx, struct http_request *r)
{
	AUTO(text_done) struct text t = text_growing(4 << 20);
	(void)ctx;
	calls++;
	const char *q = http_query(r, "q"), *h = http_header(r, "X-Test");
	text_printf(&t, "a=%s b=%s q=%s h=%s body=", http_param(r, "a"), http_param(r, "b"), q ? q : "-", h ? h : "-");
	text_put(&t, http_body(r));
	http_reply_text(r, 200, "text/plain", text_str(&t));
}

static void on_count(void *ctx, struct http_request *r)
{
	char buf[32];
	(void)ctx;
	snprintf(buf, sizeof buf, "%zu", http_body(r).n);
	http_reply_json(r, 201, str_of(buf));
}

static void on_hold(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
}

static void on_gone(void *ctx)
{
	(void)ctx;
	closed++;
	held = NULL;
}

static void on_watch(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
	http_on_close(r, on_gone, NULL);
}

static void on_stream(void *ctx, struct http_request *r)
{
	(void)ctx;
	held = r;
	http_stream_begin(r, "text/event-stream", on_gone, NULL);
}

static void on_deny(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_error(r, 401, "no \"key\"");
}

static void on_nothing(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_json(r, 204, STR(""));
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/v/{a}/w/{b}", on_echo }, { HTTP_POST, "/v/{a}", on_echo }, { HTTP_PUT, "/v/{a}", on_count },
	{ HTTP_GET, "/hold", on_hold }, { HTTP_GET, "/watch", on_watch }, { HTTP_GET, "/stream", on_stream },
	{ HTTP_GET, "/deny", on_deny }, { HTTP_DELETE, "/v/{a}", on_nothing }, { HTTP_GET, "/", on_echo }, { 0 },
};

static void setup(void)
{
	char buf[128];
	struct text error = text_fixed(buf, sizeof buf);
	loop = loop_new();
	timer = loop_timer_new(loop, stop, NULL);
	ck_assert_int_eq(http_listen(loop, "127.0.0.1:0", routes, NULL, &server, &error), 0);
}

static void teardown(void)
{
	http_free(server);
	loop_timer_free(timer);
	loop_free(loop);
}

static int dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	to.sin_port = htons((uint16_t)atoi(strchr(http_address(server), ':') + 1));
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/** Let the server work and take what it says, until it says nothing more for 20 ms (nothing at all for 300 ms, as a busy machine is
 * slow with the first word) or closes. @return is it open still */
static bool hear(int fd)
{
	size_t n = 0;
	answer[0] = '\0';
	for (int quiet = 0; quiet < (n ? 4 : 60) && n + 1 < sizeof answer;) {
		run_for(5000);
		ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		quiet = got > 0 ? 0 : quiet + 1;
		n += got > 0 ? (size_t)got : 0;
		answer[n] = '\0';
	}
	return true;
}

static const char *body(void)
{
	const char *b = strstr(answer, "\r\n\r\n");
	return b ? b + 4 : "";
}

static bool has(const char *text)
{
	return strstr(answer, text) != NULL;
}

/** One request on a connection of its own. */
static void ask(const char *text)
{
	int fd = dial();
	say(fd, text);
	hear(fd);
	close(fd);
}

START_TEST(a_route_gets_its_parameters_decoded)
{
	ask("GET /v/x%2Fy%20z/w/%C3%A9?q=1%262 HTTP/1.1\r\nX-Test: t\r\n\r\n");
	ck_assert(has("HTTP/1.1 200 OK\r\n") && has("\r\nContent-Type: text/plain\r\n") && has("\r\nDate: "));
	ck_assert_str_eq(body(), "a=x/y z b=\xc3\xa9 q=1&2 h=t body=");
	ask("POST /v/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
	ck_assert_str_eq(body(), "a=x b= q=- h=- body=hello");
	ask("GET / HTTP/1.1\r\n\r\n");
	ck_assert_str_eq(body(), "a= b= q=- h=- body=");
}
END_TEST

START_TEST(what_has_no_route_is_told_so_in_json)
{
	ask("GET /nowhere HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 404 Not Found\r\n") && has("Content-Type: application/json\r\n"));
	ck_assert_str_eq(body(), "{\"code\":5,\"message\":\"no such path\",\"details\":[]}");
	ask("GET /v/x/w/ HTTP/1.1\r\n\r\n");
	ck_assert(has(" 404 "));
	ask("GET /v/x HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 405 Method Not Allowed\r\n") && has("\r\nAllow: POST, PUT, DELETE\r\n"));
	ask("GET /v/%zz/w/x HTTP/1.1\r\n\r\n");
	ck_assert(has(" 400 "));
	ask("GET /deny HTTP/1.1\r\n\r\n");
	ck_assert(has(" 401 ") && has("\r\nWWW-Authenticate: Bearer\r\n"));
	ck_assert_str_eq(body(), "{\"code\":16,\"message\":\"no \\\"key\\\"\",\"details\":[]}");
}
END_TEST

START_TEST(head_has_the_length_and_not_the_body_and_204_has_neither)
{
	ask("HEAD / HTTP/1.1\r\n\r\n");
	ck_assert(has(" 200 ") && has("\r\nContent-Length: 19\r\n"));
	ck_assert_str_eq(body(), "");
	ask("DELETE /v/x HTTP/1.1\r\n\r\n");
	ck_assert(has(" 204 ") && !has("Content-Length"));
}
END_TEST

START_TEST(requests_in_one_packet_are_answered_in_order)
{
	int fd = dial();
	say(fd, "\r\nPOST /v/1 HTTP/1.1\r\nContent-Length: 1\r\n\r\nXPOST /v/2 HTTP/1.1\r\nContent-Length: 1\r\n\r\nYGET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(fd));
	ck_assert_int_eq(calls, 3);
	const char *one = strstr(answer, "a=1 b= q=- h=- body=XHTTP/1.1"), *two = strstr(answer, "a=2 b= q=- h=- body=YHTTP/1.1");
	ck_assert(one && two && one < two);
	say(fd, "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
	ck_assert(!hear(fd));
	ck_assert(has("\r\nConnection: close\r\n"));
	close(fd);
}
END_TEST

START_TEST(a_request_may_come_octet_by_octet)
{
	static const char text[] = "POST /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
	int fd = dial();
	for (size_t i = 0; i + 1 < sizeof text; i++) {
		ck_assert_int_eq(send(fd, text + i, 1, 0), 1);
		run_for(0);
	}
	hear(fd);
	ck_assert_str_eq(body(), "a=1 b= q=- h=- body=abc0123456789");
	close(fd);
}
END_TEST

START_TEST(expect_is_answered_before_the_body_comes)
{
	int fd = dial();
	say(fd, "POST /v/1 HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	hear(fd);
	ck_assert_str_eq(answer, "HTTP/1.1 100 Continue\r\n\r\n");
	say(fd, "ab");
	hear(fd);
	ck_assert_str_eq(body(), "a=1 b= q=- h=- body=ab");
	close(fd);
}
END_TEST

START_TEST(a_body_has_a_bound)
{
	static char big[HTTP_BODY_MAX];
	char head[128];
	memset(big, 'x', sizeof big);
	int fd = dial();
	snprintf(head, sizeof head, "PUT /v/1 HTTP/1.1\r\nContent-Length: %d\r\n\r\n", HTTP_BODY_MAX);
	say(fd, head);
	for (size_t sent = 0; sent < sizeof big;) {
		ssize_t n = send(fd, big + sent, sizeof big - sent, MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		run_for(0);
	}
	hear(fd);
	ck_assert(has(" 201 "));
	ck_assert_str_eq(body(), "1048576");
	close(fd);
	ask("PUT /v/1 HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n");
	ck_assert(has("HTTP/1.1 413 Content Too Large\r\n"));
	ck_assert_str_eq(body(), "{\"code\":3,\"message\":\"the body is larger than 1 MiB\",\"details\":[]}");
	ask("PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n");
	ck_assert(has(" 413 "));
}
END_TEST

START_TEST(an_answer_outruns_a_body_that_nobody_reads)
{
	static char big[1 << 16];
	int fd = dial();
	say(fd, "PUT /v/1 HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n");
	for (int i = 0; i < 100; i++) {
		ck_assert_int_ge(send(fd, big, sizeof big, MSG_DONTWAIT | MSG_NOSIGNAL), -1);
		run_for(100);
	}
	hear(fd);
	ck_assert(has("HTTP/1.1 413 Content Too Large\r\n"));
	close(fd);
}
END_TEST

START_TEST(a_head_has_a_bound)
{
	static char big[20000];
	int fd = dial();
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "GET /", 5);
	say(fd, big);
	ck_assert(!hear(fd) || has(" 431 "));
	ck_assert(has("HTTP/1.1 431 "));
	close(fd);
	ask("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx");
	ck_assert(has(" 400 ") && has("\r\nConnection: close\r\n"));
	ask("PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
	ck_assert(has(" 400 "));
	ask("PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n");
	ck_assert(has(" 400 "));
}
END_TEST

START_TEST(an_answer_may_come_later)
{
	int fd = dial();
	say(fd, "GET /hold HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
	hear(fd);
	ck_assert_str_eq(answer, "");
	ck_assert_int_eq(calls, 0);
	http_reply_json(held, 200, STR("{}"));
	hear(fd);
	ck_assert_int_eq(calls, 1);
	ck_assert(has("{}HTTP/1.1 200 OK"));
	close(fd);
}
END_TEST

START_TEST(a_peer_that_closed_its_side_still_gets_its_answer)
{
	int fd = dial();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	shutdown(fd, SHUT_WR);
	hear(fd);
	http_reply_json(held, 200, STR("{}"));
	ck_assert(!hear(fd));
	ck_assert_str_eq(body(), "{}");
	close(fd);
}
END_TEST

START_TEST(an_answer_to_a_peer_that_left_goes_nowhere)
{
	int fd = dial();
	struct linger reset = { 1, 0 };
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	hear(fd);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
	run_for(10000);
	http_reply_json(held, 200, STR("{}"));
	run_for(10000);
}
END_TEST

START_TEST(a_handler_that_asked_is_told_once_that_the_peer_left)
{
	int fd = dial();
	say(fd, "GET /watch HTTP/1.1\r\n\r\n");
	hear(fd);
	ck_assert_ptr_nonnull(held);
	close(fd);
	run_for(10000);
	ck_assert_int_eq(closed, 1);
	fd = dial();
	say(fd, "GET /watch HTTP/1.1\r\n\r\n");
	hear(fd);
	http_reply_json(held, 200, STR("{}"));
	hear(fd);
	close(fd);
	run_for(10000);
	ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(a_stream_sends_chunks_until_its_end)
{
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	hear(fd);
	ck_assert(has("\r\nTransfer-Encoding: chunked\r\n") && has("\r\nContent-Type: text/event-stream\r\n"));
	ck_assert_int_eq(http_stream_send(held, STR("data: 1\n\n")), 0);
	ck_assert_int_eq(http_stream_send(held, STR("")), 0);
	hear(fd);
	ck_assert_str_eq(answer, "9\r\ndata: 1\n\n\r\n");
	http_stream_end(held);
	ck_assert(hear(fd));
	ck_assert_str_eq(answer, "0\r\n\r\n");
	say(fd, "GET / HTTP/1.1\r\n\r\n");
	hear(fd);
	ck_assert(has(" 200 "));
	close(fd);
	run_for(10000);
	ck_assert_int_eq(closed, 0);
	fd = dial();
	say(fd, "GET /stream HTTP/1.0\r\n\r\n");
	hear(fd);
	ck_assert(!has("chunked"));
	http_stream_send(held, STR("x"));
	http_stream_end(held);
	ck_assert(!hear(fd));
	ck_assert_str_eq(answer, "x");
	close(fd);
}
END_TEST

START_TEST(a_stream_that_nobody_reads_is_bounded_and_ends_with_its_peer)
{
	static char big[100000];
	int fd = dial(), rc = 0;
	memset(big, 'x', sizeof big);
	held = NULL;
	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	for (int i = 0; i < 1000 && !held; i++)
		run_for(10000);
	for (int i = 0; i < 1000 && rc == 0; i++) {
		rc = http_stream_send(held, (struct str){ big, sizeof big });
		run_for(0);
	}
	ck_assert_int_eq(rc, -ENOBUFS);
	close(fd);
	run_for(10000);
	ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(connections_are_bounded_and_idle_ones_make_room)
{
	enum { MANY = 300 };
	int fd[MANY];
	for (int i = 0; i < MANY; i++) {
		fd[i] = dial();
		if (i % 16 == 0)
			run_for(0);
	}
	run_for(10000);
	say(fd[MANY - 1], "GET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(fd[MANY - 1]));
	ck_assert(has(" 200 "));
	int open_ones = 0;
	for (int i = 0; i < MANY; i++) {
		char c;
		open_ones += recv(fd[i], &c, 1, MSG_DONTWAIT) < 0;
		close(fd[i]);
	}
	ck_assert_int_eq(open_ones, 256);
}
END_TEST

START_TEST(an_address_in_use_is_named)
{
	struct http_server *other;
	char buf[128];
	struct text error = text_fixed(buf, sizeof buf);
	ck_assert_int_eq(http_listen(loop, http_address(server), routes, NULL, &other, &error), -EADDRINUSE);
	ck_assert(strstr(buf, http_address(server)) && strstr(buf, "in use"));
	text_reset(&error);
	ck_assert_int_eq(http_listen(loop, "nonsense:x", routes, NULL, &other, &error), -EINVAL);
	ck_assert(strstr(buf, "nonsense:x"));
}
END_TEST

START_TEST(the_server_may_end_before_its_requests)
{
	int a = dial(), b = dial();
	say(a, "GET /watch HTTP/1.1\r\n\r\n");
	run_for(10000);
	say(b, "GET /hold HTTP/1.1\r\n\r\n");
	run_for(10000);
	struct http_request *mine = held;
	http_free(server);
	server = NULL;
	ck_assert_int_eq(closed, 1);
	http_reply_error(mine, 503, "too late");
	close(a);
	close(b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http");
	TCase *c = tcase_create("loopback");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_test(c, a_route_gets_its_parameters_decoded);
	tcase_add_test(c, what_has_no_route_is_told_so_in_json);
	tcase_add_test(c, head_has_the_length_and_not_the_body_and_204_has_neither);
	tcase_add_test(c, requests_in_one_packet_are_answered_in_order);
	tcase_add_test(c, a_request_may_come_octet_by_octet);
	tcase_add_test(c, expect_is_answered_before_the_body_comes);
	tcase_add_test(c, a_body_has_a_bound);
	tcase_add_test(c, an_answer_outruns_a_body_that_nobody_reads);
	tcase_add_test(c, a_head_has_a_bound);
	tcase_add_test(c, an_answer_may_come_later);
	tcase_add_test(c, a_peer_that_closed_its_side_still_gets_its_answer);
	tcase_add_test(c, an_answer_to_a_peer_that_left_goes_nowhere);
	tcase_add_test(c, a_handler_that_asked_is_told_once_that_the_peer_left);
	tcase_add_test(c, a_stream_sends_chunks_until_its_end);
	tcase_add_test(c, a_stream_that_nobody_reads_is_bounded_and_ends_with_its_peer);
	tcase_add_test(c, connections_are_bounded_and_idle_ones_make_room);
	tcase_add_test(c, an_address_in_use_is_named);
	tcase_add_test(c, the_server_may_end_before_its_requests);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
