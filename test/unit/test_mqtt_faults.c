/** @file The faults that other MQTT servers have had, one class after another: as/core/mqtt/README.md lists them with these tests. */
#include "test/unit/mqtt_talk.h"
#include <stdio.h>

/* Octets in a piece of memory of exactly their size, so that a sanitizer sees who reads on. */
static size_t give_exactly(struct open_client *c, const uint8_t *p, size_t n, size_t *ret_need)
{
	uint8_t *exact = malloc(n ? n : 1);
	memcpy(exact, p, n);
	if (!c->conn)
		(void)mqtt_engine_open(net.engine, c, NULL, &net.now, &c->conn);
	size_t used = mqtt_engine_receive(c->conn, (struct slice){ exact, n }, &net.now, ret_need);
	open_step(&net);
	free(exact);
	return used;
}

static size_t connect_make(uint8_t *buf, size_t cap, uint8_t level, const char *id, uint32_t expiry_s, uint32_t delay_s)
{
	struct mqtt_connect p = { .level = level, .client_id = str_of(id), .is_clean = expiry_s == 0, .has_will = true, .will_topic = STR("w"),
		.will_payload = { (const uint8_t *)"m", 1 } };
	mqtt_props_set_u(&p.props, MQTT_PROP_SESSION_EXPIRY, expiry_s);
	mqtt_props_set_u(&p.will_props, MQTT_PROP_WILL_DELAY, delay_s);
	mqtt_props_set_s(&p.will_props, MQTT_PROP_CONTENT_TYPE, STR("text"));
	struct writer w = writer_of(buf, cap);
	mqtt_connect_write(&w, &p);
	ck_assert(!w.failed);
	return w.len;
}

static void come(struct open_client *c, uint8_t level, const char *id, uint32_t expiry_s, uint32_t delay_s)
{
	uint8_t b[200];
	size_t n = connect_make(b, sizeof b, level, id, expiry_s, delay_s);
	open_forget(c);
	open_receive(&net, c, b, n);
}

/* 1. CVE-2017-7651, CVE-2023-0809, CVE-2024-48077 */
START_TEST(announced_lengths_are_not_allocated)
{
	struct open_client *c = &net.clients[0];
	size_t need = 0;
	for (unsigned first = 0; first < 256; first++) {
		const uint8_t huge[] = { (uint8_t)first, 0xff, 0xff, 0xff, 0x7f };
		open_forget(c);
		(void)give_exactly(c, huge, sizeof huge, &need);
		ck_assert(c->was_closed); /* by its first octet, or as larger than a CONNECT may be */
	}
	const uint8_t most[] = { 0x10, 0xfd, 0x7f };
	open_forget(c);
	(void)give_exactly(c, most, sizeof most, &need);
	ck_assert(!c->was_closed);
	ck_assert_uint_eq(need, 16 << 10); /* what the listener waits for; the engine itself holds nothing */
	open_lose(&net, c);
	hello(c, "a", true, NULL, NULL);
	const uint8_t large[] = { 0x30, 0xfc, 0xff, 0x3f };
	(void)give_exactly(c, large, sizeof large, &need);
	ck_assert_uint_eq(need, 1 << 20);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->message_bytes, 0);
}
END_TEST

/* One good packet of each type, below 5.0 and of 5.0. */
static const struct {
	uint8_t level, n, octets[40];
} good[] = {
	{ MQTT_311, 12, { 0x32, 10, 0, 3, 'a', '/', 'b', 0, 1, 'x', 'y', 'z' } },
	{ MQTT_311, 4, { 0x40, 2, 0, 1 } },
	{ MQTT_311, 4, { 0x62, 2, 0, 1 } },
	{ MQTT_311, 15, { 0x82, 13, 0, 1, 0, 3, 'a', '/', 'b', 0, 0, 2, 'c', 'd', 1 } },
	{ MQTT_311, 12, { 0xa2, 10, 0, 1, 0, 3, 'a', '/', 'b', 0, 1, 'c' } },
	{ MQTT_311, 2, { 0xc0, 0 } },
	{ MQTT_5, 34, { 0x34, 32, 0, 1, 'a', 0, 1, 26, 1, 1, 3, 0, 1, 't', 8, 0, 1, 'r', 9, 0, 1, 'c', 0x26, 0, 1, 'k', 0, 1, 'v', 0x23, 0, 1, 'x', 'y' } },
	{ MQTT_5, 10, { 0x40, 8, 0, 1, 0x10, 4, 0x1f, 0, 1, 'w' } },
	{ MQTT_5, 10, { 0x50, 8, 0, 1, 0x80, 4, 0x1f, 0, 1, 'w' } },
	{ MQTT_5, 17, { 0x82, 15, 0, 1, 2, 0x0b, 1, 0, 1, 'a', 0x2d, 0, 3, '$', 's', '/', 2 } },
	{ MQTT_5, 15, { 0x82, 13, 0, 1, 0, 0, 9, '$', 's', 'h', 'a', 'r', 'e', '/', 'g' } },
	{ MQTT_5, 9, { 0xa2, 7, 0, 1, 0, 0, 2, 'a', 'b' } },
	{ MQTT_5, 9, { 0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0 } },
	{ MQTT_5, 2, { 0xf0, 0 } },
};

/* 2. CVE-2026-21888, CVE-2026-25627, CVE-2019-19307, CVE-2024-35492, CVE-2019-17210, CVE-2024-10525, and `>` for `>=` */
START_TEST(no_packet_is_read_beyond_its_end)
{
	struct open_client *c = &net.clients[0];
	size_t need;
	for (size_t i = 0; i < COUNT(good); i++)
		for (size_t n = 0; n <= good[i].n; n++)
			for (unsigned say = 0; say < 2; say++) { /* cut as it is, and with a length that says so */
				uint8_t b[40];
				memcpy(b, good[i].octets, n);
				if (say && n > 1)
					b[1] = (uint8_t)(n - 2);
				come(c, good[i].level, "a", 0, 0);
				ck_assert(c->conn);
				(void)give_exactly(c, b, n, &need);
				open_lose(&net, c);
			}
	uint8_t b[200];
	for (uint8_t level = MQTT_311; level <= MQTT_5; level++) {
		size_t all = connect_make(b, sizeof b, level, "a", 10, 10);
		for (size_t n = 0; n <= all; n++) {
			open_forget(c);
			(void)give_exactly(c, b, n, &need);
			open_lose(&net, c);
			b[1] = (uint8_t)(n > 2 ? n - 2 : 0);
			open_forget(c);
			(void)give_exactly(c, b, n, &need);
			open_lose(&net, c);
			b[1] = (uint8_t)(all - 2);
		}
	}
}
END_TEST

/* 3. CVE-2021-28166 */
START_TEST(packets_of_the_wrong_state_or_direction_close)
{
	static const bool serves[16] = { [3] = true, [4] = true, [5] = true, [6] = true, [7] = true, [8] = true, [10] = true, [12] = true, [14] = true };
	static const uint8_t flags[16] = { [6] = 2, [8] = 2, [10] = 2 };
	struct open_client *c = &net.clients[0];
	size_t need;
	for (unsigned first = 0; first < 256; first++) {
		const uint8_t b[] = { (uint8_t)first };
		open_forget(c);
		(void)give_exactly(c, b, 1, &need);
		ck_assert_int_eq(c->was_closed, first != 0x10);
		ck_assert_uint_eq(c->out_n, 0);
		open_lose(&net, c);
		for (uint8_t level = MQTT_311; level <= MQTT_5; level++) {
			come(c, level, "a", 0, 0);
			(void)give_exactly(c, b, 1, &need);
			bool may_be = (serves[first >> 4] && (first >> 4 == 3 || (first & 15) == flags[first >> 4])) || first == 0x10;
			ck_assert_int_eq(c->was_closed, !may_be);
			open_lose(&net, c);
		}
	}
}
END_TEST

/* 4. CVE-2021-34432, CVE-2018-12543 */
START_TEST(nothing_empty_and_no_dollar_stops_the_server)
{
	static const uint8_t empty[][12] = { { 0x30, 2, 0, 0 }, { 0x30, 5, 0, 3, '$', '/', '#' }, { 0x30, 3, 0, 1, '$' }, { 0x82, 5, 0, 1, 0, 0, 0 },
		{ 0xa2, 4, 0, 1, 0, 0 }, { 0x82, 6, 0, 1, 0, 1, '$', 0 }, { 0x82, 6, 0, 1, 0, 1, '/', 0 }, { 0x30, 3, 0, 1, '/' }, { 0x31, 3, 0, 1, '$' } };
	size_t need;
	for (size_t i = 0; i < COUNT(empty); i++) {
		come(&net.clients[0], MQTT_311, "a", 0, 0);
		(void)give_exactly(&net.clients[0], empty[i], empty[i][1] + 2U, &need);
		open_lose(&net, &net.clients[0]);
	}
	hello(&net.clients[0], "a", true, "", "$");
	open_lose(&net, &net.clients[0]);
	ck_assert_uint_eq(publish("", "$", "", 2), 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->retained, 0);
}
END_TEST

/* 5. CVE-2019-11779 */
START_TEST(depth_costs_neither_stack_nor_time)
{
	static char slashes[65401];
	memset(slashes, '/', sizeof slashes - 1);
	net.limits = mqtt_limits_default();
	net.limits.topic_bytes = UINT16_MAX;
	net.limits.topic_levels = UINT32_MAX; /* the engine has its own, which nobody raises */
	hello(&net.clients[0], "a", true, NULL, NULL);
	uint8_t *b = malloc(70000);
	struct writer w = writer_of(b, 70000);
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 1, MQTT_311, &(struct mqtt_filter){ .filter = str_of(slashes) }, 1);
	open_receive(&net, &net.clients[0], b, w.len);
	ck_assert_uint_eq(net.clients[0].out_n, 5);
	ck_assert_uint_eq(net.clients[0].out[4], 0x80);
	w.len = 0;
	mqtt_publish_head_write(&w, MQTT_311, &(struct mqtt_publish){ .topic = str_of(slashes) });
	open_receive(&net, &net.clients[0], b, w.len);
	ck_assert(net.clients[0].was_closed);
	free(b);
	char deep[2 * 64];
	for (size_t i = 0; i + 1 < sizeof deep; i += 2)
		deep[i] = '+', deep[i + 1] = '/';
	deep[sizeof deep - 1] = 0;
	hello(&net.clients[0], "a", true, NULL, NULL);
	subscribe(&net.clients[0], deep, 0);
	slashes[63] = 0;
	ck_assert_uint_eq(publish("open", slashes, "x", 0), 1);
}
END_TEST

static bool is_anybody(const void *arg, uint64_t login)
{
	(void)arg;
	return login != 0;
}

static void part(struct open_client *c, unsigned how)
{
	static const uint8_t goodbye[] = { 0xe0, 0 }, with_will[] = { 0xe0, 1, 4 }, nonsense[] = { 0 };
	switch (how) {
	case 0: open_lose(&net, c); break;
	case 1: open_receive(&net, c, goodbye, sizeof goodbye); break;
	case 2: open_receive(&net, c, with_will, sizeof with_will); break;
	case 3: open_receive(&net, c, nonsense, sizeof nonsense); break;
	case 4: (void)mqtt_engine_kick(net.engine, is_anybody, NULL, MQTT_ADMINISTRATIVE, &net.now); break;
	case 5: mqtt_engine_forget(net.engine, STR("open"), &net.now); break;
	default: break; /* it is still there when the next one comes */
	}
	open_step(&net);
}

/* 6. CVE-2019-11778, CVE-2024-8376, CVE-2024-3935, CVE-2025-59946, CVE-2026-22040 */
START_TEST(every_end_meets_every_beginning)
{
	static const uint32_t expiries[] = { 0, 5, 100 }, delays[] = { 0, 3, 50 }, waits_s[] = { 0, 4, 10, 200 };
	for (unsigned turn = 0; turn < 7 * 3 * 3 * 4 * 2; turn++) {
		unsigned how = turn % 7, expiry = turn / 7 % 3, delay = turn / 21 % 3, wait = turn / 63 % 4;
		struct open_client *old = &net.clients[0], *young = &net.clients[1];
		uint8_t b[40], level = turn & 1 ? MQTT_5 : MQTT_311;
		struct writer w = writer_of(b, sizeof b);
		mqtt_filters_write(&w, MQTT_SUBSCRIBE, 1, level, &(struct mqtt_filter){ .filter = STR("#"), .qos = turn / 252 ? 2 : 0 }, 1);
		come(old, level, "same", expiries[expiry], delays[delay]);
		open_receive(&net, old, b, w.len);
		ck_assert_uint_eq(publish("open", "t", "x", 2), 1);
		part(old, how);
		(void)publish("open", "t", "y", 2);
		open_wait(&net, waits_s[wait] * SEC_US);
		come(young, MQTT_5, "same", turn / 252 ? 10 : 0, 0);
		open_wait(&net, SEC_US);
		part(young, (how + turn / 7) % 6);
		open_lose(&net, old);
		open_lose(&net, young);
		open_wait(&net, 100000 * SEC_US);
		const struct mqtt_stats *s = mqtt_engine_stats(net.engine);
		ck_assert(s->connections == 0 && s->sessions == 0 && s->subscriptions == 0 && s->message_bytes == 0);
		ck_assert_uint_eq(net.records_n, 0);
		ck_assert_uint_eq(net.released_n, net.disconnected_n);
	}
}
END_TEST

/* 7. CVE-2017-7654, CVE-2023-28366, CVE-2023-3592: what is lost here a leak checker says at the end */
START_TEST(repetition_leaves_nothing_behind)
{
	static const uint8_t twice[] = { 0x34, 10, 0, 5, 't', 'a', 'k', 'e', 'n', 0, 5, 0 };
	uint8_t b[200];
	struct open_client *c = &net.clients[0];
	for (int i = 0; i < 20000; i++) { /* wills with properties, cut somewhere */
		size_t n = connect_make(b, sizeof b, MQTT_5, "a", 10, 10), cut = 2 + (size_t)i % (n - 2);
		b[1] = (uint8_t)(cut - 2);
		open_forget(c);
		open_receive(&net, c, b, cut);
		open_lose(&net, c);
	}
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 0);
	come(c, MQTT_5, "a", 100, 0);
	for (int i = 0; i < 20000; i++)
		open_receive(&net, c, twice, sizeof twice);
	for (int i = 1; i <= 1100 && !c->was_closed; i++) { /* the ids of QoS 2 are bounded */
		uint8_t one[sizeof twice];
		memcpy(one, twice, sizeof twice);
		one[9] = (uint8_t)(i >> 8), one[10] = (uint8_t)i;
		open_receive(&net, c, one, sizeof one);
		c->out_n = 0;
	}
	ck_assert(c->was_closed);
	ck_assert_uint_le(net.records_n, 1002);
	mqtt_engine_forget(net.engine, STR("open"), &net.now);
	ck_assert_uint_eq(net.records_n, 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->message_bytes, 0);
}
END_TEST

/* 8. CVE-2017-7650, CVE-2018-12550, CVE-2018-12546, CVE-2021-34434 and their kind */
START_TEST(rights_are_asked_for_again_and_names_are_no_patterns)
{
	hello(&net.clients[0], "#", true, "#", NULL);
	hello(&net.clients[1], "+", true, "+", NULL);
	subscribe(&net.clients[0], "#", 0);
	subscribe(&net.clients[1], "#", 0);
	ck_assert_uint_eq(publish("app1", "t", "x", 0), 0); /* a wildcard for a user name reads nobody else's messages */
	ck_assert_uint_eq(publish("#", "t", "x", 0), 1);
	static const uint8_t retained[] = { 0x31, 4, 0, 1, 't', 'x' };
	hello(&net.clients[2], "c", false, "o", "drop/w");
	open_receive(&net, &net.clients[2], retained, sizeof retained);
	subscribe(&net.clients[2], "t", 2);
	ck_assert_uint_eq(publish("o", "t", "waits", 2), 1);
	open_lose(&net, &net.clients[2]); /* its will is judged like a message: dropped */
	ck_assert_uint_eq(net.wills_n, 1);
	net.may_not_read = true; /* the right is revoked: no retained message, no backlog, no flight */
	hello(&net.clients[2], "c", false, "o", NULL);
	ck_assert_uint_eq(net.clients[2].out_n, 0);
	subscribe(&net.clients[2], "t", 2);
	ck_assert_uint_eq(net.clients[2].out_n, 0);
	ck_assert_uint_eq(publish("o", "t", "x", 2), 0);
	net.may_not_read = false; /* given again: what was missed stays missed */
	ck_assert_uint_eq(publish("o", "t", "y", 0), 1);
	expect_publish(&net.clients[2], "y", 0, false, NULL);
}
END_TEST

/* 9. CVE-2017-7653 */
START_TEST(bad_text_reaches_nobody)
{
	static const uint8_t bad[][24] = { { 0x30, 5, 0, 2, 0xc3, 0x28, 'x' }, { 0x30, 4, 0, 2, 0xed, 0xa0 }, { 0x30, 5, 0, 2, 'a', 0, 'x' } };
	static const uint8_t bad5[][24] = { { 0x30, 8, 0, 1, 't', 4, 3, 0, 1, 0xff }, { 0x30, 8, 0, 1, 't', 4, 8, 0, 1, 0xff },
		{ 0x30, 11, 0, 1, 't', 7, 0x26, 0, 1, 0xff, 0, 1, 'v' }, { 0x30, 7, 0, 1, 't', 2, 1, 1, 0xff } };
	hello(&net.clients[1], "b", true, NULL, NULL);
	subscribe(&net.clients[1], "#", 0);
	for (size_t i = 0; i < COUNT(bad) + COUNT(bad5); i++) {
		const uint8_t *p = i < COUNT(bad) ? bad[i] : bad5[i - COUNT(bad)];
		if (i < COUNT(bad))
			hello(&net.clients[0], "a", true, NULL, NULL);
		else
			come(&net.clients[0], MQTT_5, "a", 100, 50);
		open_receive(&net, &net.clients[0], p, p[1] + 2U);
		ck_assert_int_eq(net.clients[0].was_closed, i + 1 < COUNT(bad) + COUNT(bad5)); /* a bad payload is only dropped */
		ck_assert_uint_eq(net.clients[1].out_n, 0);
	}
}
END_TEST

/* 10. CVE-2021-41039 */
START_TEST(work_per_packet_is_bounded)
{
	uint8_t *b = calloc(1, 1 << 20);
	for (unsigned what = 0; what < 3; what++) {
		struct writer w = writer_of(b, 1 << 20);
		size_t n = 400000;
		come(&net.clients[0], MQTT_5, "a", 0, 0);
		mqtt_head_write(&w, what == 0 ? 0x30 : what == 1 ? 0x82 : 0xa2, n);
		size_t start = w.len;
		if (what == 0) { /* 79,000 user properties */
			mqtt_str_write(&w, STR("t"));
			mqtt_varint_write(&w, (uint32_t)(n - 6));
			while (w.len < start + n)
				writer_put(&w, (const uint8_t[]){ 0x26, 0, 0, 0, 0 }, w.len + 5 <= start + n ? 5 : start + n - w.len);
		} else { /* 100,000 filters */
			writer_be16(&w, 1);
			writer_u8(&w, 0);
			while (w.len < start + n)
				writer_put(&w, (const uint8_t[]){ 0, 1, 'a', 0 }, what == 1 ? 4 : 3);
		}
		open_receive(&net, &net.clients[0], b, w.len);
		ck_assert(net.clients[0].was_closed);
		ck_assert_uint_eq(mqtt_engine_stats(net.engine)->subscriptions, 0);
	}
	free(b);
}
END_TEST

/* 11. CVE-2020-13849; addresses and connections in all are the listener's */
START_TEST(silence_holds_no_place)
{
	uint8_t b[200];
	(void)mqtt_engine_open(net.engine, &net.clients[0], NULL, &net.now, &net.clients[0].conn);
	open_wait(&net, 10100 * MS_US);
	ck_assert(net.clients[0].was_closed);
	net.keep_alive_max_s = 60;
	struct writer w = writer_of(b, sizeof b);
	mqtt_connect_write(&w, &(struct mqtt_connect){ .level = MQTT_5, .is_clean = true, .client_id = STR("a"), .keep_alive_s = 65535 });
	open_forget(&net.clients[0]);
	open_receive(&net, &net.clients[0], b, w.len);
	ck_assert(!net.clients[0].was_closed);
	open_wait(&net, 90100 * MS_US);
	ck_assert(net.clients[0].was_closed);
}
END_TEST

static struct mqtt_optional seen_user, seen_password;

static enum mqtt_connack_code look(void *ctx, const struct mqtt_login_request *rq, struct mqtt_login *ret, struct text *why)
{
	seen_user = rq->user;
	seen_password = rq->password;
	return open_connect(ctx, rq, ret, why);
}

/* 13. CVE-2026-32696 */
START_TEST(what_is_absent_is_not_empty)
{
	mqtt_engine_free(net.engine);
	struct mqtt_engine_options o = { .policy = { &net, look, open_filter, open_publish, open_may_read, open_disconnected, NULL, NULL, NULL, NULL },
		.sink = { &net, open_send, open_close, open_resume, open_hold }, .seed = 1 };
	net.engine = mqtt_engine_new(&o);
	hello(&net.clients[0], "a", true, NULL, NULL);
	ck_assert(!seen_user.is_present && !seen_password.is_present && seen_user.s.n == 0);
	hello(&net.clients[1], "b", true, "", NULL);
	ck_assert(seen_user.is_present && seen_user.s.n == 0 && !seen_password.is_present);
	uint8_t b[200];
	struct writer w = writer_of(b, sizeof b);
	mqtt_connect_write(&w, &(struct mqtt_connect){ .level = MQTT_5, .is_clean = true, .client_id = STR("c"), .password = { true, STR("") } });
	open_receive(&net, &net.clients[2], b, w.len);
	ck_assert(!seen_user.is_present && seen_password.is_present && seen_password.s.n == 0);
}
END_TEST

/* 14. */
START_TEST(the_same_client_id_of_two_tenants_is_two_clients)
{
	hello(&net.clients[0], "same", false, "app1", NULL);
	subscribe(&net.clients[0], "t", 1);
	hello(&net.clients[1], "same", true, "app2", NULL);
	ck_assert(net.clients[0].conn && net.clients[1].conn);
	subscribe(&net.clients[1], "#", 1);
	ck_assert_uint_eq(publish("app1", "t", "x", 1), 1);
	expect_publish(&net.clients[0], "x", 1, false, NULL);
	ck_assert_uint_eq(net.clients[1].out_n, 0);
	open_lose(&net, &net.clients[1]);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_faults");
	TCase *t = tcase_create("faults of others");
	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, announced_lengths_are_not_allocated);
	tcase_add_test(t, no_packet_is_read_beyond_its_end);
	tcase_add_test(t, packets_of_the_wrong_state_or_direction_close);
	tcase_add_test(t, nothing_empty_and_no_dollar_stops_the_server);
	tcase_add_test(t, depth_costs_neither_stack_nor_time);
	tcase_add_test(t, every_end_meets_every_beginning);
	tcase_add_test(t, repetition_leaves_nothing_behind);
	tcase_add_test(t, rights_are_asked_for_again_and_names_are_no_patterns);
	tcase_add_test(t, bad_text_reaches_nobody);
	tcase_add_test(t, work_per_packet_is_bounded);
	tcase_add_test(t, silence_holds_no_place);
	tcase_add_test(t, what_is_absent_is_not_empty);
	tcase_add_test(t, the_same_client_id_of_two_tenants_is_two_clients);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
