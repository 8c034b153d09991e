/** @file The HTTP server over loopback: routes, pipelines, streams, browsers, and peers that leave. */
#include "http_world.h"

enum { BODY_MAX = 1 << 20 };

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
	ck_assert(has("HTTP/1.1 405 Method Not Allowed\r\n") && has("\r\nAllow: POST, PUT, DELETE, OPTIONS\r\n"));
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
	static char big[BODY_MAX];
	char head[128];
	memset(big, 'x', sizeof big);
	int fd = dial();
	snprintf(head, sizeof head, "PUT /v/1 HTTP/1.1\r\nContent-Length: %d\r\n\r\n", BODY_MAX);
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

START_TEST(what_two_readers_could_understand_differently_is_refused)
{
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

START_TEST(a_path_says_what_it_has)
{
	ask("OPTIONS / HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 204 ") && has("\r\nAllow: GET, HEAD, OPTIONS\r\n") && !has("Access-Control") && !has("Content-Length"));
	ask("OPTIONS /v/x HTTP/1.1\r\n\r\n");
	ck_assert(has("\r\nAllow: POST, PUT, DELETE, OPTIONS\r\n"));
	ask("OPTIONS * HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 204 ") && has("\r\nAllow: GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS\r\n"));
	ask("OPTIONS /nowhere HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 404 "));
	ask("GET * HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 400 "));
	ask("HEAD /v/x HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 405 "));
	ask("BREW / HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 501 Not Implemented\r\n") && has("\"code\":12"));
	ask("get / HTTP/1.1\r\n\r\n");
	ck_assert(has("HTTP/1.1 501 "));
}
END_TEST

#define PAGE  "Origin: https://a.example\r\n"
#define OTHER "Origin: https://b.example\r\n"
#define WANTS "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n"

START_TEST(pages_may_ask_whose_origins_are_named)
{
	teardown();
	setup_with(&(struct http_options){ .allow_origins = "http://localhost:3000, https://a.example" });
	ask("OPTIONS /v/x HTTP/1.1\r\n" PAGE WANTS "\r\n");
	ck_assert(has(" 204 ") && has("\r\nAccess-Control-Allow-Origin: https://a.example\r\n") && has("\r\nVary: Origin\r\n"));
	ck_assert(has("\r\nAccess-Control-Allow-Methods: POST, PUT, DELETE\r\n"));
	ck_assert(has("\r\nAccess-Control-Allow-Headers: Authorization, Content-Type\r\n"));
	ask("OPTIONS /v/x HTTP/1.1\r\n" OTHER WANTS "\r\n");
	ck_assert(has(" 204 ") && !has("Access-Control") && has("\r\nVary: Origin\r\n"));
	ask("GET / HTTP/1.1\r\n" PAGE "\r\n");
	ck_assert(has(" 200 ") && has("\r\nAccess-Control-Allow-Origin: https://a.example\r\n") && has("\r\nVary: Origin\r\n"));
	ask("GET / HTTP/1.1\r\n" OTHER "\r\n");
	ck_assert(has(" 200 ") && !has("Access-Control") && has("\r\nVary: Origin\r\n"));
	/* What is refused may be read too, or a page could not say why. */
	ask("GET /deny HTTP/1.1\r\n" PAGE "\r\n");
	ck_assert(has(" 401 ") && has("\r\nAccess-Control-Allow-Origin: https://a.example\r\n"));
	ask("GET / HTTP/1.1\r\n\r\n");
	ck_assert(has(" 200 ") && !has("Access-Control") && has("\r\nVary: Origin\r\n"));
	int fd = dial();
	say(fd, "GET /stream HTTP/1.1\r\n" PAGE "\r\n");
	hear(fd);
	ck_assert(has(" 200 ") && has("\r\nAccess-Control-Allow-Origin: https://a.example\r\n"));
	close(fd);
}
END_TEST

START_TEST(any_page_may_ask_where_that_is_wanted_and_none_where_nothing_is_said)
{
	ask("OPTIONS / HTTP/1.1\r\n" PAGE WANTS "\r\n");
	ck_assert(has(" 204 ") && !has("Access-Control") && !has("Vary"));
	teardown();
	setup_with(&(struct http_options){ .allow_origins = "*" });
	ask("OPTIONS / HTTP/1.1\r\n" PAGE WANTS "\r\n");
	ck_assert(has("\r\nAccess-Control-Allow-Origin: *\r\n") && has("\r\nAccess-Control-Allow-Methods: GET, HEAD\r\n"));
	ask("GET / HTTP/1.1\r\nOrigin: null\r\n\r\n");
	ck_assert(has("\r\nAccess-Control-Allow-Origin: *\r\n"));
}
END_TEST

START_TEST(an_address_in_use_is_named)
{
	struct http_server *other;
	char buf[128];
	struct text error = text_fixed(buf, sizeof buf);
	ck_assert_int_eq(http_listen(loop, http_address(server, false), routes, NULL, &other, &error), -EADDRINUSE);
	ck_assert(strstr(buf, http_address(server, false)) && strstr(buf, "in use"));
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
	tcase_add_test(c, what_two_readers_could_understand_differently_is_refused);
	tcase_add_test(c, an_answer_may_come_later);
	tcase_add_test(c, a_peer_that_closed_its_side_still_gets_its_answer);
	tcase_add_test(c, an_answer_to_a_peer_that_left_goes_nowhere);
	tcase_add_test(c, a_handler_that_asked_is_told_once_that_the_peer_left);
	tcase_add_test(c, a_stream_sends_chunks_until_its_end);
	tcase_add_test(c, a_stream_that_nobody_reads_is_bounded_and_ends_with_its_peer);
	tcase_add_test(c, connections_are_bounded_and_idle_ones_make_room);
	tcase_add_test(c, a_path_says_what_it_has);
	tcase_add_test(c, pages_may_ask_whose_origins_are_named);
	tcase_add_test(c, any_page_may_ask_where_that_is_wanted_and_none_where_nothing_is_said);
	tcase_add_test(c, an_address_in_use_is_named);
	tcase_add_test(c, the_server_may_end_before_its_requests);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
