/** @file The bounds of the HTTP server: each at its limit and one over, and what is said then. */
#include "common/http_conn.h"
#include "http_world.h"

enum { HEAD = 1024, BODY = 4096, SOON_US = 200 * 1000, PATIENCE = 3000 };

/** Let the server work until the connection is closed by it. What it said is in `answer`. */
static void until_closed(int fd)
{
	size_t n = 0;
	for (int i = 0; i < PATIENCE; i++) {
		run_for(5000);
		ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			break;
		n += got > 0 ? (size_t)got : 0;
		ck_assert_int_lt(i, PATIENCE - 1);
	}
	answer[n] = '\0';
}

/** Let the server work until so many connections are there. */
static void until_connections(uint32_t n)
{
	for (int i = 0; i < PATIENCE && server->stats.connections != n; i++)
		run_for(5000);
	ck_assert_uint_eq(server->stats.connections, n);
}

static void ends_with_error(int status, int code, const char *message)
{
	char expected[256];
	snprintf(expected, sizeof expected, "HTTP/1.1 %d ", status);
	ck_assert_msg(!strncmp(answer, expected, strlen(expected)), "%s", answer);
	snprintf(expected, sizeof expected, "{\"code\":%d,\"message\":\"%s\",\"details\":[]}", code, message);
	ck_assert_str_eq(body(), expected);
	ck_assert(has("\r\nConnection: close\r\n"));
}

static void is_told(int fd, int status, int code, const char *message)
{
	until_closed(fd);
	ends_with_error(status, code, message);
	close(fd);
}

/** A request whose head has n octets: its path is short, and a field makes up the rest. */
static void say_head_of(int fd, size_t n)
{
	char text[4 * HEAD];
	const char begin[] = "GET / HTTP/1.1\r\nX-Test: ", end[] = "\r\n\r\n";
	memset(text, 'x', n);
	memcpy(text, begin, sizeof begin - 1);
	memcpy(text + n - (sizeof end - 1), end, sizeof end);
	say(fd, text);
}

START_TEST(a_head_has_so_many_octets)
{
	setup_with(&(struct http_options){ .limits = { .head_bytes = HEAD } });
	int fd = dial();
	say_head_of(fd, HEAD);
	ck_assert(hear(fd) && has(" 200 "));
	say_head_of(fd, HEAD + 1);
	is_told(fd, 431, 3, "the head of the request is larger than 1 KiB");
	char line[HEAD + 2] = "GET /";
	memset(line + 5, 'x', sizeof line - 6);
	fd = dial();
	say(fd, line);
	is_told(fd, 414, 3, "the first line of the request is larger than 1 KiB");
}
END_TEST

static void say_fields(int fd, int n)
{
	say(fd, "GET / HTTP/1.1\r\n");
	for (int i = 0; i < n; i++)
		say(fd, "X-Test: t\r\n");
	say(fd, "\r\n");
}

START_TEST(a_head_has_so_many_fields)
{
	setup();
	int fd = dial();
	say_fields(fd, HTTP_HEADERS_MAX);
	ck_assert(hear(fd) && has(" 200 "));
	say_fields(fd, HTTP_HEADERS_MAX + 1);
	is_told(fd, 431, 3, "the head of the request has more than 64 fields");
}
END_TEST

/** A body of n octets, in one piece or in chunks of half the bound. */
static void say_body(int fd, size_t n, bool is_chunked)
{
	static char octets[2 * BODY];
	char line[128];
	memset(octets, 'x', n);
	octets[n] = '\0';
	if (!is_chunked) {
		snprintf(line, sizeof line, "PUT /v/1 HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", n);
		say(fd, line);
		say(fd, octets);
		return;
	}
	say(fd, "PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (size_t left = n; left;) {
		size_t piece = left < BODY / 2 ? left : BODY / 2;
		snprintf(line, sizeof line, "%zx\r\n", piece);
		say(fd, line);
		say(fd, octets + n - piece);
		say(fd, "\r\n");
		left -= piece;
	}
	say(fd, "0\r\n\r\n");
}

START_TEST(a_body_has_so_many_octets)
{
	setup_with(&(struct http_options){ .limits = { .body_bytes = BODY } });
	for (int is_chunked = 0; is_chunked < 2; is_chunked++) {
		int fd = dial();
		say_body(fd, BODY, is_chunked);
		ck_assert(hear(fd) && has(" 201 "));
		ck_assert_str_eq(body(), "4096");
		say_body(fd, BODY + 1, is_chunked);
		is_told(fd, 413, 3, "the body is larger than 4 KiB");
	}
	int fd = dial();
	say(fd, "PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n");
	is_told(fd, 400, 3, "malformed HTTP request");
}
END_TEST

static const struct http_options hurried = { .limits = { .request_us = SOON_US } };

START_TEST(a_request_has_so_long_to_arrive)
{
	static const char *const beginnings[] = { "G", "GET / HTTP/1.1\r\nX-Test:", "PUT /v/1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nx",
		"PUT /v/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx" };
	setup_with(&hurried);
	for (size_t i = 0; i < COUNT(beginnings); i++) {
		int fd = dial();
		say(fd, beginnings[i]);
		is_told(fd, 408, 4, "the request took longer than 0.2 s to arrive");
	}
}
END_TEST

START_TEST(an_octet_now_and_then_does_not_make_it_longer)
{
	setup_with(&hurried);
	int fd = dial();
	say(fd, "PUT /v/1 HTTP/1.1\r\nContent-Length: 4000\r\n\r\n");
	for (int i = 0; i < 3000 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++) {
		run_for(5000);
		if (recv(fd, answer, 12, MSG_DONTWAIT | MSG_PEEK) == 12)
			break;
		ck_assert_int_lt(i, 2999);
	}
	is_told(fd, 408, 4, "the request took longer than 0.2 s to arrive");
}
END_TEST

START_TEST(a_handler_may_take_longer)
{
	setup_with(&(struct http_options){ .limits = { .request_us = SOON_US, .idle_us = SOON_US } });
	int fd = dial();
	say(fd, "GET /hold HTTP/1.1\r\n\r\n");
	run_for(2 * SOON_US);
	http_reply_json(held, 200, STR("{}"));
	ck_assert(hear(fd) && has(" 200 "));
	close(fd);
}
END_TEST

START_TEST(a_connection_without_requests_ends)
{
	setup_with(&(struct http_options){ .limits = { .idle_us = SOON_US } });
	int fd = dial();
	until_closed(fd);
	ck_assert_str_eq(answer, "");
	close(fd);
	fd = dial();
	say(fd, "GET / HTTP/1.1\r\n\r\n");
	until_closed(fd);
	ck_assert(has(" 200 ") && has("\r\nConnection: keep-alive\r\nKeep-Alive: timeout=0\r\n") && !has(" 408 "));
	close(fd);
	until_connections(0);
}
END_TEST

static const char no_room[] = "there are as many connections as there may be";
static const char no_room_for_one[] = "this address has as many connections as one address may have";

/** A connection with a request that is not answered yet. */
static int dial_held(uint8_t host)
{
	int fd = dial_from(host);
	held = NULL;
	say(fd, "GET /watch HTTP/1.1\r\n\r\n");
	for (int i = 0; i < PATIENCE && !held; i++)
		run_for(5000);
	ck_assert_ptr_nonnull(held);
	return fd;
}

START_TEST(there_are_so_many_connections)
{
	enum { MOST = 3 };
	int fd[MOST];
	setup_with(&(struct http_options){ .limits = { .connections = MOST } });
	for (int i = 0; i < MOST; i++)
		fd[i] = dial_held(1);
	int more = dial();
	say(more, "GET / HTTP/1.1\r\n\r\n");
	until_closed(more);
	ends_with_error(503, 14, no_room);
	ck_assert(has("\r\nRetry-After: 5\r\n"));
	close(more);
	ck_assert_uint_eq(server->stats.turned_away, 1);
	/* One that is answered has nothing to do, and gives way. */
	http_reply_json(held, 200, STR("{}"));
	ck_assert(hear(fd[MOST - 1]));
	more = dial();
	say(more, "GET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(more) && has(" 200 "));
	ck_assert_int_eq(recv(fd[MOST - 1], answer, 1, MSG_DONTWAIT), 0);
	close(more);
	for (int i = 0; i < MOST; i++)
		close(fd[i]);
	until_connections(0);
}
END_TEST

START_TEST(the_connection_that_gives_way_was_not_used_for_the_longest)
{
	setup_with(&(struct http_options){ .limits = { .connections = 2 } });
	int first = dial(), second = dial();
	until_connections(2);
	say(first, "GET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(first) && has(" 200 "));
	int third = dial();
	until_closed(second);
	say(first, "GET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(first) && has(" 200 "));
	close(first);
	close(second);
	close(third);
}
END_TEST

static bool is_second(void *ctx, const struct net_address *from)
{
	(void)ctx;
	return ntohl(((const struct sockaddr_in *)(const void *)&from->sa)->sin_addr.s_addr) == INADDR_LOOPBACK + 1;
}

START_TEST(one_address_has_so_many_connections)
{
	enum { MOST = 2 };
	int fd[MOST], trusted[MOST + 1];
	setup_with(&(struct http_options){ .limits = { .connections_per_address = MOST }, .is_trusted = is_second });
	for (int i = 0; i < MOST; i++)
		fd[i] = dial_held(1);
	int more = dial();
	say(more, "GET / HTTP/1.1\r\n\r\n");
	until_closed(more);
	ends_with_error(429, 8, no_room_for_one);
	ck_assert(has("\r\nRetry-After: 5\r\n"));
	close(more);
	more = dial_from(3);
	say(more, "GET / HTTP/1.1\r\n\r\n");
	ck_assert(hear(more) && has(" 200 "));
	close(more);
	for (int i = 0; i < MOST + 1; i++)
		trusted[i] = dial_held(2);
	for (int i = 0; i < MOST + 1; i++)
		close(trusted[i]);
	for (int i = 0; i < MOST; i++)
		close(fd[i]);
	until_connections(0);
}
END_TEST

START_TEST(so_many_are_told_that_there_is_no_room_and_the_rest_is_not)
{
	enum { TOLD = 32, MANY = TOLD + 3 };
	int fd[MANY], open_ones = 0;
	setup_with(&(struct http_options){ .limits = { .connections = 1 } });
	int one = dial_held(1);
	for (int i = 0; i < MANY; i++)
		fd[i] = dial();
	for (int i = 0; i < PATIENCE && server->stats.turned_away < MANY; i++)
		run_for(1000);
	for (int i = 0; i < MANY; i++)
		open_ones += recv(fd[i], answer, 1, MSG_DONTWAIT) < 0;
	ck_assert_int_eq(open_ones, TOLD);
	/* Who does not ask is let go of. */
	for (int i = 0; i < MANY; i++) {
		until_closed(fd[i]);
		ck_assert_str_eq(answer, "");
		close(fd[i]);
	}
	close(one);
}
END_TEST

START_TEST(a_peer_that_takes_nothing_is_lost)
{
	static char big[1 << 20];
	setup_with(&(struct http_options){ .limits = { .write_us = SOON_US, .output_bytes = 16 << 20 } });
	memset(big, 'x', sizeof big);
	held = NULL;
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	for (int i = 0; i < PATIENCE && !held; i++)
		run_for(5000);
	for (int i = 0; i < 15; i++)
		ck_assert_int_eq(http_stream_send(held, (struct str){ big, sizeof big }), 0);
	until_connections(0);
	ck_assert_int_eq(closed, 1);
	close(fd);
}
END_TEST

START_TEST(what_is_not_taken_has_so_many_octets)
{
	static char big[1000];
	int rc = 0, sent = 0;
	setup_with(&(struct http_options){ .limits = { .output_bytes = 10 * sizeof big + 500 } });
	memset(big, 'x', sizeof big);
	held = NULL;
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\n\r\n");
	for (int i = 0; i < PATIENCE && !held; i++)
		run_for(5000);
	hear(fd);
	/* Nothing is written before the loop runs again. */
	for (; sent < 100 && !(rc = http_stream_send(held, (struct str){ big, sizeof big })); sent++)
		;
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_int_eq(sent, 10);
	close(fd);
}
END_TEST

START_TEST(what_is_no_http_is_told_so_at_once)
{
	setup();
	int fd = dial();
	ck_assert_int_eq(send(fd, "\x16\x03\x01\x02\x00\x01", 6, 0), 6); /* TLS */
	is_told(fd, 400, 3, "malformed HTTP request");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http_bounds");
	TCase *c = tcase_create("loopback");
	tcase_add_checked_fixture(c, NULL, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_head_has_so_many_octets);
	tcase_add_test(c, a_head_has_so_many_fields);
	tcase_add_test(c, a_body_has_so_many_octets);
	tcase_add_test(c, a_request_has_so_long_to_arrive);
	tcase_add_test(c, an_octet_now_and_then_does_not_make_it_longer);
	tcase_add_test(c, a_handler_may_take_longer);
	tcase_add_test(c, a_connection_without_requests_ends);
	tcase_add_test(c, there_are_so_many_connections);
	tcase_add_test(c, the_connection_that_gives_way_was_not_used_for_the_longest);
	tcase_add_test(c, one_address_has_so_many_connections);
	tcase_add_test(c, so_many_are_told_that_there_is_no_room_and_the_rest_is_not);
	tcase_add_test(c, a_peer_that_takes_nothing_is_lost);
	tcase_add_test(c, what_is_not_taken_has_so_many_octets);
	tcase_add_test(c, what_is_no_http_is_told_so_at_once);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
