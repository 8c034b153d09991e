/** @file The client's end of a WebSocket: the opening handshake as RFC 6455 has it, masked frames, and frames that a server may not send. */
#include "as/core/integration/websocket_answer.h"
#include "as/websocket.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* The example of RFC 6455 1.3, with MQTT's subprotocol. */
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n"

static char words[300];

static int answer(const char *octets, size_t *ret_used)
{
	struct text why = text_fixed(words, sizeof words);
	return websocket_answer_read((struct slice){ (const uint8_t *)octets, strlen(octets) }, STR(ACCEPT), ret_used, &why);
}

START_TEST(the_question_names_host_path_and_protocol)
{
	char buf[600];
	struct text t = text_fixed(buf, sizeof buf);
	websocket_question_write(&t, "broker.example.com", 8083, false, "/mqtt", STR("dGhlIHNhbXBsZSBub25jZQ=="));
	ck_assert_ptr_nonnull(strstr(buf, "GET /mqtt HTTP/1.1\r\nHost: broker.example.com:8083\r\n"));
	ck_assert_ptr_nonnull(strstr(buf, "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
	ck_assert_ptr_nonnull(strstr(buf, "\r\nSec-WebSocket-Protocol: mqtt\r\n"));
	ck_assert_str_eq(buf + t.len - 4, "\r\n\r\n");
	text_reset(&t);
	websocket_question_write(&t, "2001:db8::1", 443, true, "/", STR("x"));
	ck_assert_ptr_nonnull(strstr(buf, "Host: [2001:db8::1]\r\n"));
}
END_TEST

START_TEST(an_answer_is_taken_when_it_is_whole)
{
	static const char whole[] = UPGRADE "sec-websocket-protocol: mqtt\r\n\r\n";
	char part[sizeof whole];
	size_t used = 0;
	ck_assert_int_eq(answer(UPGRADE "sec-websocket-protocol: mqtt\r\n\r\n\x82\x02..", &used), 0);
	ck_assert_uint_eq(used, sizeof whole - 1);
	for (size_t n = 0; n < sizeof whole - 1; n++) {
		memcpy(part, whole, n);
		part[n] = 0;
		ck_assert_int_eq(answer(part, &used), WEBSOCKET_ANSWER_E_MORE);
	}
}
END_TEST

START_TEST(what_is_no_upgrade_is_named)
{
	static const struct { const char *octets, *words; } rows[] = {
		{ "HTTP/1.1 404 Not Found\r\n\r\n", "refused the WebSocket: 404 Not Found; is the path right?" },
		{ "HTTP/1.1 301 Moved Permanently\r\nLocation: /x\r\n\r\n", "refused the WebSocket: 301" },
		{ "HTTP/2\r\n\r\n", "no web server" }, { "HTTP/1.1 \x01\x02\x03\r\n\r\n", "no web server" }, { "SSH-2.0", "no web server" }, { "\x20\x02", "no web server" },
		{ UPGRADE "\r\n", "does not speak MQTT over its WebSocket" }, { UPGRADE "Sec-WebSocket-Protocol: chat\r\n\r\n", "does not speak MQTT" },
		{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: other\r\n\r\n", "opens no WebSocket" },
		{ "HTTP/1.1 101 x\r\n\r\n", "opens no WebSocket" },
	};
	size_t used;
	for (size_t i = 0; i < COUNT(rows); i++) {
		ck_assert_int_eq(answer(rows[i].octets, &used), -EINVAL);
		ck_assert_msg(strstr(words, rows[i].words) != NULL, "%s: %s", rows[i].octets, words);
	}
	static char endless[WEBSOCKET_ANSWER_MAX + 10];
	memset(endless, 'H', sizeof endless - 1);
	ck_assert_int_eq(answer(endless, &used), -EINVAL);
}
END_TEST

/* Frames. */

static struct side {
	uint8_t data[1000], out[1000];
	size_t data_n, out_n;
} side;

static int on_data(void *ctx, struct slice octets)
{
	(void)ctx;
	memcpy(side.data + side.data_n, octets.p, octets.n);
	side.data_n += octets.n;
	return 0;
}

static int on_write(void *ctx, struct slice octets)
{
	(void)ctx;
	memcpy(side.out + side.out_n, octets.p, octets.n);
	side.out_n += octets.n;
	return 0;
}

static void fill(void *ctx, void *buf, size_t n)
{
	static const uint8_t mask[] = { 0x37, 0xfa, 0x21, 0x3d }; /* of RFC 6455 5.7 */
	(void)ctx;
	ck_assert_uint_eq(n, sizeof mask);
	memcpy(buf, mask, n);
}

static const struct rng rng = { fill, NULL };

static struct websocket *begin(void)
{
	const struct websocket_io io = { NULL, on_data, on_write };
	side.data_n = side.out_n = 0;
	struct websocket *w = websocket_new_client(&io, &rng);
	ck_assert_ptr_nonnull(w);
	return w;
}

static int take(struct websocket *w, const char *hex)
{
	uint8_t octets[200];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), octets, sizeof octets, &n), 0);
	return websocket_receive(w, (struct slice){ octets, n });
}

static void wrote(const char *hex)
{
	uint8_t octets[200];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), octets, sizeof octets, &n), 0);
	ck_assert_uint_eq(side.out_n, n);
	ck_assert_mem_eq(side.out, octets, n);
	side.out_n = 0;
}

START_TEST(what_a_client_sends_is_masked)
{
	struct websocket *w = begin();
	ck_assert_int_eq(websocket_send(w, (struct slice[]){ { (const uint8_t *)"Hel", 3 }, { NULL, 0 }, { (const uint8_t *)"lo", 2 } }, 3), 0);
	wrote("82 85 37fa213d 7f9f4d5158");
	ck_assert_int_eq(take(w, "89 05 48656c6c6f"), 0); /* Ping, Pong */
	wrote("8a 85 37fa213d 7f9f4d5158");
	websocket_close(w, WEBSOCKET_NORMAL);
	wrote("88 82 37fa213d 3412");
	websocket_free(w);
}
END_TEST

START_TEST(what_a_server_sends_is_not)
{
	struct websocket *w = begin();
	ck_assert_int_eq(take(w, "82 05 48656c6c6f 02 01 21 80 01 21"), 0);
	ck_assert_uint_eq(side.data_n, 7);
	ck_assert_mem_eq(side.data, "Hello!!", 7);
	ck_assert_int_eq(take(w, "82 85 37fa213d 7f9f4d5158"), WEBSOCKET_E_CLOSED);
	wrote("88 82 37fa213d 3410"); /* 1002 */
	websocket_free(w);
	w = begin();
	ck_assert_int_eq(take(w, "88 02 03e8"), WEBSOCKET_E_CLOSED);
	wrote("88 82 37fa213d 3412");
	websocket_free(w);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("websocket_client");
	TCase *c = tcase_create("client");
	tcase_add_test(c, the_question_names_host_path_and_protocol);
	tcase_add_test(c, an_answer_is_taken_when_it_is_whole);
	tcase_add_test(c, what_is_no_upgrade_is_named);
	tcase_add_test(c, what_a_client_sends_is_masked);
	tcase_add_test(c, what_a_server_sends_is_not);
	suite_add_tcase(s, c);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
