/** @file The wire of an MQTT client against peers of every kind of manners: what is said of each, and that a link may be closed,
 * opened again and freed when its owner wishes.
 */
#include "as/integrations/mqtt_link.h"
#include "as/websocket.h"
#include "common/net.h"
#include <check.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum manners { SILENT, CLOSES, ACCEPTS, ACCEPTS_AND_CLOSES, NOT_FOUND, WEBSOCKET, WEBSOCKET_CLOSES };

static struct {
	struct loop *loop;
	struct resolver *resolver;
	struct mqtt_link *link;
	struct evconnlistener *listener;
	struct bufferevent *peer;
	struct websocket *frames;
	enum manners manners;
	uint16_t port;
	struct loop_timer *limit;
	bool has_accepted; /* the peer, with CONNACK */
	/* What was told. */
	unsigned connected, ended, done;
	enum mqtt_fault fault;
	char words[700];
	/* What its owner does then. */
	bool frees, opens_again, closes_when_connected, sends;
} t;

/* The peer. */

static void peer_say(const void *p, size_t n)
{
	if (t.frames)
		(void)websocket_send(t.frames, &(struct slice){ p, n }, 1);
	else
		(void)bufferevent_write(t.peer, p, n);
}

/** Whatever comes, CONNACK to CONNECT, PUBACK to PUBLISH of QoS 1 on topic "t", PINGRESP to PINGREQ. */
static int peer_take(void *ctx, struct slice in)
{
	struct mqtt_frame f;
	struct mqtt_publish p;
	(void)ctx;
	while (in.n && mqtt_frame_read(in, 4096, &f) == 0) {
		t.has_accepted |= f.type == MQTT_CONNECT;
		if (f.type == MQTT_CONNECT)
			peer_say("\x20\x02\x00\x00", 4);
		if (f.type == MQTT_PUBLISH && mqtt_publish_read(f.flags, f.body, MQTT_311, &p) == 0)
			peer_say((uint8_t[]){ 0x40, 2, (uint8_t)(p.id >> 8), (uint8_t)p.id }, 4);
		in = (struct slice){ in.p + f.size, in.n - f.size };
	}
	return 0;
}

static int peer_write(void *ctx, struct slice octets)
{
	(void)ctx;
	return bufferevent_write(t.peer, octets.p, octets.n);
}

static void upgrade(const char *head)
{
	char accept[WEBSOCKET_KEY_TEXT + 1], answer[300];
	const char *key = strstr(head, "Sec-WebSocket-Key: ");
	struct text a = text_fixed(answer, sizeof answer);
	const struct websocket_io io = { NULL, peer_take, peer_write };
	ck_assert_ptr_nonnull(key);
	ck_assert_ptr_nonnull(strstr(head, "GET /mqtt HTTP/1.1\r\n"));
	ck_assert_int_eq(websocket_accept((struct str){ key + 19, 24 }, accept), 0);
	text_printf(&a, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n"
		"Sec-WebSocket-Accept: %s\r\n\r\n", accept);
	(void)bufferevent_write(t.peer, answer, a.len);
	t.frames = websocket_new(&io);
	if (t.manners == WEBSOCKET_CLOSES)
		websocket_close(t.frames, WEBSOCKET_NORMAL);
}

static void peer_hang_up(void)
{
	websocket_free(t.frames);
	t.frames = NULL;
	if (t.peer)
		bufferevent_free(t.peer);
	t.peer = NULL;
}

static void peer_read(struct bufferevent *bev, void *ctx)
{
	char b[4096];
	size_t n = bufferevent_read(bev, b, sizeof b - 1);
	(void)ctx;
	b[n] = 0;
	if (t.manners == NOT_FOUND)
		(void)bufferevent_write(bev, "HTTP/1.1 404 Not Found\r\n\r\n", 26);
	else if (t.manners >= WEBSOCKET && !t.frames)
		upgrade(b);
	else if (t.frames)
		(void)websocket_receive(t.frames, (struct slice){ (uint8_t *)b, n });
	else if (t.manners == ACCEPTS || t.manners == ACCEPTS_AND_CLOSES)
		(void)peer_take(NULL, (struct slice){ (uint8_t *)b, n });
}

static void peer_written(struct bufferevent *bev, void *ctx)
{
	(void)bev, (void)ctx;
	if (t.manners == ACCEPTS_AND_CLOSES && t.has_accepted)
		peer_hang_up();
}

static void peer_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev, (void)what, (void)ctx;
	peer_hang_up();
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *ctx)
{
	(void)l, (void)sa, (void)len, (void)ctx;
	peer_hang_up();
	if (t.manners == CLOSES) {
		close(fd);
		return;
	}
	t.peer = bufferevent_socket_new(loop_base(t.loop), fd, BEV_OPT_CLOSE_ON_FREE);
	bufferevent_setcb(t.peer, peer_read, peer_written, peer_event, NULL);
	(void)bufferevent_enable(t.peer, EV_READ | EV_WRITE);
}

/* The link's owner. */

static void on_connected(void *ctx, bool has_session)
{
	(void)ctx, (void)has_session;
	t.connected++;
	if (t.closes_when_connected) {
		mqtt_link_close(t.link, true);
		loop_stop(t.loop);
		return;
	}
	char words[100];
	struct text why = text_fixed(words, sizeof words);
	for (uint64_t n = 1; t.sends && n <= 3; n++)
		ck_assert_int_eq(mqtt_client_send(mqtt_link_client(t.link), &(struct mqtt_item){ n, MQTT_ITEM_WAITING, 1, STR("t"), { NULL, 0 } },
					 loop_now(t.loop)->mono_us, &why), 0);
}

static void on_outcome(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words)
{
	(void)ctx, (void)number, (void)words;
	ck_assert_int_eq(what, MQTT_OUTCOME_DONE);
	if (++t.done == 3)
		loop_stop(t.loop);
}

static void on_ended(void *ctx, enum mqtt_fault fault, struct str words)
{
	(void)ctx;
	t.ended++;
	t.fault = fault;
	ck_assert_int_eq(str_copy(words, t.words, sizeof t.words), 0);
	ck_assert(mqtt_link_is_closed(t.link));
	if (t.opens_again && t.ended == 1) {
		mqtt_link_open(t.link);
		return;
	}
	if (t.frees) {
		mqtt_link_free(t.link);
		t.link = NULL;
	}
	loop_stop(t.loop);
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void on_limit(void *ctx)
{
	(void)ctx;
	ck_abort_msg("nothing happened");
}

static void begin_within(const char *url, enum manners manners, bool is_public_only)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct net_address bound;
	char full[100], words[200];
	struct text u = text_fixed(full, sizeof full), why = text_fixed(words, sizeof words);
	memset(&t, 0, sizeof t);
	t.manners = manners;
	t.loop = loop_new();
	t.resolver = resolver_new(t.loop);
	t.listener = evconnlistener_new_bind(loop_base(t.loop), on_accept, NULL, LEV_OPT_CLOSE_ON_FREE, 5, (struct sockaddr *)&any, sizeof any);
	ck_assert_ptr_nonnull(t.listener);
	ck_assert_int_eq(net_local(evconnlistener_get_fd(t.listener), &bound), 0);
	text_printf(&u, "%s:%u", url, net_port(&bound));
	/* What is waited for in vain is not waited for long. */
	uint64_t limit_us = manners == SILENT ? 300 * MS_US : 50 * SEC_US;
	struct mqtt_link_options o = { .connect_us = limit_us, .is_public_only = is_public_only,
		.client = { .level = MQTT_311, .client_id = STR("c"), .keep_alive_s = 60, .answer_us = limit_us } };
	ck_assert_int_eq(broker_url_parse(str_of(full), false, &o.url, &why), 0);
	const struct mqtt_link_user user = { { NULL, on_connected, ignore, on_outcome, NULL, NULL, NULL }, on_ended };
	ck_assert_int_eq(mqtt_link_new(t.loop, t.resolver, &o, &user, &t.link, &why), 0);
	t.limit = loop_timer_new(t.loop, on_limit, NULL);
	loop_timer_in(t.limit, 60 * SEC_US);
}

static void begin(const char *url, enum manners manners)
{
	begin_within(url, manners, false);
}

static void run(void)
{
	mqtt_link_open(t.link);
	ck_assert_uint_eq(t.ended, 0);
	ck_assert_int_eq(loop_run(t.loop), 0);
}

static void end(void)
{
	mqtt_link_free(t.link);
	peer_hang_up();
	if (t.listener)
		evconnlistener_free(t.listener);
	loop_timer_free(t.limit);
	resolver_free(t.resolver);
	loop_free(t.loop);
}

static void ends(enum mqtt_fault fault, const char *words)
{
	run();
	ck_assert_uint_eq(t.ended, 1 + t.opens_again);
	ck_assert_msg(strstr(t.words, words) != NULL, "\"%s\" is not \"%s\"", t.words, words);
	ck_assert_int_eq(t.fault, fault);
	end();
}

START_TEST(who_is_away_is_told_with_every_address)
{
	begin("mqtt://localhost", SILENT);
	evconnlistener_free(t.listener);
	t.listener = NULL;
	run();
	ck_assert_ptr_nonnull(strstr(t.words, "no connection to localhost:"));
	ck_assert_ptr_nonnull(strstr(t.words, "127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(t.words, "Connection refused"));
	ck_assert_int_eq(t.fault, MQTT_FAULT_AWAY);
	end();
}
END_TEST

START_TEST(who_is_silent_is_told_apart_by_step)
{
	begin("mqtt://127.0.0.1", SILENT);
	ends(MQTT_FAULT_SILENT, "did not answer CONNECT");
	begin("mqtts://127.0.0.1", SILENT);
	ends(MQTT_FAULT_SILENT, "no TLS handshake came");
	begin("ws://127.0.0.1", SILENT);
	ends(MQTT_FAULT_SILENT, "opened no WebSocket");
}
END_TEST

START_TEST(who_closes_is_told_apart_by_step)
{
	begin("mqtt://127.0.0.1", CLOSES);
	ends(MQTT_FAULT_AWAY, "instead of answering CONNECT");
	begin("mqtts://127.0.0.1", CLOSES);
	ends(MQTT_FAULT_AWAY, "instead of a TLS handshake");
	begin("ws://127.0.0.1", CLOSES);
	ends(MQTT_FAULT_AWAY, "instead of opening a WebSocket");
	begin("mqtt://127.0.0.1", ACCEPTS_AND_CLOSES);
	ends(MQTT_FAULT_AWAY, "as soon as it had accepted it");
	begin("ws://127.0.0.1", NOT_FOUND);
	ends(MQTT_FAULT_PROTOCOL, "404 Not Found");
	begin("mqtts://127.0.0.1", NOT_FOUND);
	ends(MQTT_FAULT_TRUST, "there is no TLS on this port");
	begin("mqtt://127.0.0.1", NOT_FOUND);
	ends(MQTT_FAULT_PROTOCOL, "a web server answers on this port");
	begin("ws://127.0.0.1", WEBSOCKET_CLOSES);
	ends(MQTT_FAULT_AWAY, "instead of answering CONNECT");
}
END_TEST

START_TEST(nobody_is_there_who_must_not_be_reached)
{
	static const char *const urls[] = { "mqtt://127.0.0.1", "mqtt://localhost", "ws://[::ffff:127.0.0.1]" };
	for (size_t i = 0; i < COUNT(urls); i++) {
		begin_within(urls[i], ACCEPTS, true);
		ends(MQTT_FAULT_AWAY, "it is no public address (as.private-addresses)");
	}
}
END_TEST

START_TEST(messages_go_through_plainly_and_in_frames)
{
	static const struct { const char *url; enum manners manners; } rows[] = { { "mqtt://localhost", ACCEPTS }, { "ws://127.0.0.1", WEBSOCKET } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(rows[i].url, rows[i].manners);
		t.sends = true;
		run();
		ck_assert_uint_eq(t.connected, 1);
		ck_assert_uint_eq(t.done, 3);
		ck_assert_uint_eq(t.ended, 0);
		end();
	}
}
END_TEST

START_TEST(its_owner_may_open_close_and_free_it)
{
	begin("mqtt://127.0.0.1", CLOSES);
	t.frees = true;
	ends(MQTT_FAULT_AWAY, "instead of answering CONNECT");
	begin("mqtt://127.0.0.1", CLOSES);
	t.opens_again = true;
	ends(MQTT_FAULT_AWAY, "instead of answering CONNECT");
	begin("ws://127.0.0.1", WEBSOCKET);
	t.closes_when_connected = true;
	run();
	ck_assert(mqtt_link_is_closed(t.link));
	ck_assert_uint_eq(t.ended, 0);
	end();
	begin("mqtt://broker.invalid", SILENT); /* closed while the name is looked up */
	mqtt_link_open(t.link);
	mqtt_link_open(t.link);
	mqtt_link_close(t.link, false);
	ck_assert(mqtt_link_is_closed(t.link));
	end();
}
END_TEST

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* as a daemon does */
	Suite *s = suite_create("mqtt_link");
	TCase *c = tcase_create("link");
	tcase_set_timeout(c, 120);
	tcase_add_test(c, who_is_away_is_told_with_every_address);
	tcase_add_test(c, who_is_silent_is_told_apart_by_step);
	tcase_add_test(c, who_closes_is_told_apart_by_step);
	tcase_add_test(c, nobody_is_there_who_must_not_be_reached);
	tcase_add_test(c, messages_go_through_plainly_and_in_frames);
	tcase_add_test(c, its_owner_may_open_close_and_free_it);
	suite_add_tcase(s, c);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
