/** @file The MQTT engine from the application's side: publishing, bounds, backpressure, kicking, tickets, and what outlives a restart. */
#include "test/unit/mqtt_talk.h"
#include <check.h>
#include <stdio.h>

START_TEST(a_message_reaches_its_owners_subscribers_and_nobody_else)
{
	hello(&net.clients[0], "a", true, "app1", NULL);
	hello(&net.clients[1], "a", true, "app2", NULL);
	subscribe(&net.clients[0], "#", 2);
	subscribe(&net.clients[1], "#", 2);
	ck_assert_uint_eq(publish("app1", "v3/app1/devices/dev1/up", "x", 2), 1);
	expect_publish(&net.clients[0], "x", 2, false, NULL);
	ck_assert_uint_eq(net.clients[1].out_n, 0);
	ck_assert_uint_eq(publish("nobody", "t", "x", 2), 0);
	ck_assert_uint_eq(publish("app1", "wild/#", "x", 2), 0);
}
END_TEST

START_TEST(it_says_whom_a_message_reached)
{
	hello(&net.clients[0], "a", true, "app1", NULL);
	hello(&net.clients[1], "b", false, "app1", NULL);
	hello(&net.clients[2], "c", true, "app1", NULL);
	subscribe(&net.clients[0], "#", 0);
	subscribe(&net.clients[1], "#", 2);
	subscribe(&net.clients[2], "other/#", 1);
	open_lose(&net, &net.clients[1]);
	(void)mqtt_engine_reach(net.engine);
	ck_assert_uint_eq(publish("app1", "t", "x", 1), 2);
	struct mqtt_reach r = mqtt_engine_reach(net.engine);
	ck_assert(r.qos[0] == 1 && r.qos[1] == 1 && r.qos[2] == 0);
	ck_assert(r.stored == 1 && r.dropped == 0);
	ck_assert_uint_eq(publish("app1", "t", "x", 0), 1);
	r = mqtt_engine_reach(net.engine);
	ck_assert_msg(r.qos[0] == 1 && r.stored == 0 && r.dropped == 1, "at QoS 0 nothing is kept for who is away");
	r = mqtt_engine_reach(net.engine);
	ck_assert(!r.qos[0] && !r.dropped);
}
END_TEST

START_TEST(an_id_in_use_is_not_given_again)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	uint16_t held, id;
	ck_assert_uint_eq(publish("o", "t", "held", 1), 1);
	expect_publish(&net.clients[0], "held", 1, false, &held);
	for (size_t i = 0; i < 70000; i++) {
		ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
		expect_publish(&net.clients[0], "x", 1, false, &id);
		ck_assert_uint_ne(id, 0);
		ck_assert_uint_ne(id, held);
		acknowledge(&net.clients[0], MQTT_PUBACK, id);
	}
}
END_TEST

START_TEST(no_more_than_the_limit_is_in_flight_and_the_rest_follows)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	char body[8];
	for (int i = 0; i < 50; i++) {
		snprintf(body, sizeof body, "%d", i);
		ck_assert_uint_eq(publish("o", "t", body, 1), 1);
	}
	uint16_t ids[50];
	for (int i = 0; i < 20; i++) {
		snprintf(body, sizeof body, "%d", i);
		expect_publish(&net.clients[0], body, 1, false, &ids[i]);
	}
	ck_assert_uint_eq(net.clients[0].out_n, 0);
	for (int i = 0; i < 50; i++) {
		acknowledge(&net.clients[0], MQTT_PUBACK, ids[i]);
		snprintf(body, sizeof body, "%d", i + 20);
		if (i < 30)
			expect_publish(&net.clients[0], body, 1, false, &ids[i + 20]);
	}
	ck_assert_uint_eq(net.clients[0].out_n, 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->message_bytes, 0);
}
END_TEST

START_TEST(a_full_queue_drops_qos_0_first_and_then_the_oldest)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	subscribe(&net.clients[0], "#", 1);
	net.clients[0].is_stuck = true;
	ck_assert_uint_eq(publish("o", "t", "first", 0), 1); /* it goes out, and says that the socket is full */
	char body[8];
	for (int i = 0; i < 999; i++) {
		snprintf(body, sizeof body, "%d", i);
		ck_assert_uint_eq(publish("o", "t", body, 1), 1);
	}
	ck_assert_uint_eq(publish("o", "t", "zero", 0), 1);
	ck_assert_uint_eq(publish("o", "t", "999", 1), 1); /* the QoS 0 gives way */
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->dropped_qos0, 1);
	ck_assert_uint_eq(publish("o", "t", "none", 0), 0); /* QoS 0 displaces nothing better */
	ck_assert_uint_eq(publish("o", "t", "1000", 1), 1); /* the oldest gives way */
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->dropped_queue, 1);
	net.clients[0].is_stuck = false;
	mqtt_engine_drained(net.clients[0].conn, &net.now);
	expect_publish(&net.clients[0], "first", 0, false, NULL);
	uint16_t id;
	for (int i = 1; i <= 1000; i++) {
		snprintf(body, sizeof body, "%d", i);
		expect_publish(&net.clients[0], body, 1, false, &id);
		acknowledge(&net.clients[0], MQTT_PUBACK, id);
	}
}
END_TEST

START_TEST(the_octets_of_a_queue_are_bounded_too)
{
	static char big[100001];
	memset(big, 'x', sizeof big - 1);
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	open_lose(&net, &net.clients[0]);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(publish("o", "t", big, 1), 1);
	ck_assert_uint_le(mqtt_engine_stats(net.engine)->message_bytes, 4 << 20);
	ck_assert_uint_gt(mqtt_engine_stats(net.engine)->dropped_queue, 50);
}
END_TEST

START_TEST(who_does_not_read_is_not_read)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	net.clients[0].is_stuck = true;
	uint8_t pings[200];
	for (size_t i = 0; i < sizeof pings; i += 2)
		pings[i] = 0xc0, pings[i + 1] = 0;
	open_receive(&net, &net.clients[0], pings, sizeof pings);
	ck_assert_uint_eq(net.clients[0].out_n, 2);
	ck_assert_uint_eq(net.clients[0].in_n, sizeof pings - 2);
	net.clients[0].is_stuck = false;
	mqtt_engine_drained(net.clients[0].conn, &net.now);
	open_step(&net);
	ck_assert_uint_eq(net.clients[0].out_n, sizeof pings);
}
END_TEST

START_TEST(who_has_too_much_unacknowledged_waits)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	uint8_t b[32];
	size_t held = 0;
	for (uint16_t id = 1; id <= 1100 && net.tickets_n < OPEN_TICKETS; id++) {
		struct writer w = writer_of(b, sizeof b);
		mqtt_publish_head_write(&w, MQTT_311, &(struct mqtt_publish){ .qos = 1, .id = id, .topic = STR("later/x") });
		open_receive(&net, &net.clients[0], b, w.len);
		held++;
	}
	ck_assert_uint_eq(net.clients[0].out_n, 0);
	for (size_t i = net.tickets_n; i-- > 0;)
		mqtt_engine_taken(net.engine, net.tickets[i], 0, &net.now);
	ck_assert_uint_eq(net.clients[0].out_n, held * 4);
	for (size_t i = 0; i < held; i++)
		ck_assert_int_eq(net.clients[0].out[i * 4 + 2] << 8 | net.clients[0].out[i * 4 + 3], (int)i + 1);
}
END_TEST

START_TEST(a_message_that_could_not_be_taken_comes_again)
{
	static const uint8_t later[] = { 0x34, 11, 0, 7, 'l', 'a', 't', 'e', 'r', '/', 'x', 0, 5 };
	hello(&net.clients[0], "a", false, "o", NULL);
	open_receive(&net, &net.clients[0], later, sizeof later);
	mqtt_engine_taken(net.engine, net.tickets[0], MQTT_UNAVAILABLE, &net.now);
	ck_assert(net.clients[0].was_closed);
	ck_assert_uint_eq(net.clients[0].out_n, 0);
	hello(&net.clients[0], "a", false, "o", NULL);
	open_receive(&net, &net.clients[0], later, sizeof later);
	ck_assert_uint_eq(net.tickets_n, 2);
	mqtt_engine_taken(net.engine, net.tickets[1], 0, &net.now);
	ck_assert_uint_eq(net.clients[0].out_n, 4);
	ck_assert_int_eq(net.clients[0].out[0], 0x50);
	mqtt_engine_taken(net.engine, net.tickets[1], 0, &net.now); /* twice is once */
	mqtt_engine_taken(net.engine, 12345, 0, &net.now);
	ck_assert_uint_eq(net.clients[0].out_n, 4);
}
END_TEST

static bool is_everybody(const void *arg, uint64_t login)
{
	(void)arg;
	return login != 0;
}

START_TEST(kicking_closes_at_once_and_discards_wills)
{
	hello(&net.clients[0], "a", true, "o", "w");
	hello(&net.clients[1], "b", false, "o", "w");
	ck_assert_uint_eq(mqtt_engine_kick(net.engine, is_everybody, NULL, MQTT_NOT_AUTHORIZED, &net.now), 2);
	ck_assert(net.clients[0].was_closed && net.clients[1].was_closed);
	ck_assert_uint_eq(net.wills_n, 0);
	ck_assert_uint_eq(net.disconnected_n, 2);
	ck_assert_uint_eq(net.released_n, 2);
	ck_assert_uint_eq(net.last_reason, MQTT_NOT_AUTHORIZED);
}
END_TEST

START_TEST(a_lost_right_stops_what_is_live_and_what_waits)
{
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	net.may_not_read = true;
	ck_assert_uint_eq(publish("o", "t", "x", 1), 0);
	open_lose(&net, &net.clients[0]);
	ck_assert_uint_eq(publish("o", "t", "waits", 1), 1);
	hello(&net.clients[0], "a", false, "o", NULL);
	ck_assert_uint_eq(net.clients[0].out_n, 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->dropped_rights, 2);
	net.may_not_read = false;
	ck_assert_uint_eq(publish("o", "t", "again", 1), 1);
	expect_publish(&net.clients[0], "again", 1, false, NULL);
}
END_TEST

START_TEST(an_answer_needs_no_subscription)
{
	struct mqtt_message m = { .topic = STR("v1/devices/me/rpc/response/1"), .payload = { (const uint8_t *)"{}", 2 }, .qos = 1, .cookie = 77 };
	hello(&net.clients[0], "a", true, "o", NULL);
	uint64_t login = net.next_login << 8;
	uint16_t id;
	ck_assert(!mqtt_engine_listens(net.engine, login, m.topic));
	ck_assert(mqtt_engine_answer(net.engine, login, &m, &net.now));
	expect_publish(&net.clients[0], "{}", 1, false, &id);
	open_step(&net);
	ck_assert_uint_eq(net.cookies, 0);
	acknowledge(&net.clients[0], MQTT_PUBACK, id);
	ck_assert_uint_eq(net.cookies, 1);
	ck_assert_uint_eq(net.last_cookie, 77);
	subscribe(&net.clients[0], "v1/devices/me/rpc/response/+", 0);
	ck_assert(mqtt_engine_listens(net.engine, login, m.topic));
	ck_assert(mqtt_engine_answer(net.engine, login, &m, &net.now));
	expect_publish(&net.clients[0], "{}", 0, false, NULL);
	open_step(&net);
	ck_assert_uint_eq(net.cookies, 2);
	ck_assert(!mqtt_engine_answer(net.engine, login + 1, &m, &net.now));
}
END_TEST

START_TEST(subscriptions_flights_and_queue_outlive_the_process)
{
	uint16_t one, two, three;
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t/#", 2);
	ck_assert_uint_eq(publish("o", "t/1", "one", 1), 1);
	ck_assert_uint_eq(publish("o", "t/2", "two", 2), 1);
	expect_publish(&net.clients[0], "one", 1, false, &one);
	expect_publish(&net.clients[0], "two", 2, false, &two);
	acknowledge(&net.clients[0], MQTT_PUBREC, two);
	open_lose(&net, &net.clients[0]);
	ck_assert_uint_eq(publish("o", "t/3", "three", 2), 1);
	ck_assert_int_eq(open_restart(&net), 0);
	hello(&net.clients[0], "a", false, "o", NULL);
	expect_publish(&net.clients[0], "one", 1, true, &three);
	ck_assert_uint_eq(three, one);
	struct mqtt_frame f;
	struct mqtt_publish p;
	ck_assert(packet_take(&net.clients[0], &f, &p));
	ck_assert_int_eq(f.type, MQTT_PUBREL);
	ck_assert_int_eq(f.body.p[0] << 8 | f.body.p[1], two);
	expect_publish(&net.clients[0], "three", 2, false, &three);
	acknowledge(&net.clients[0], MQTT_PUBACK, one);
	acknowledge(&net.clients[0], MQTT_PUBCOMP, two);
	acknowledge(&net.clients[0], MQTT_PUBREC, three);
	acknowledge(&net.clients[0], MQTT_PUBCOMP, three);
	net.clients[0].out_n = 0;
	ck_assert_uint_eq(publish("o", "t/4", "four", 1), 1);
	expect_publish(&net.clients[0], "four", 1, false, NULL);
}
END_TEST

START_TEST(qos_2_ids_outlive_the_process)
{
	static const uint8_t taken[] = { 0x34, 11, 0, 7, 't', 'a', 'k', 'e', 'n', '/', 'x', 0, 5 };
	hello(&net.clients[0], "a", false, "o", NULL);
	open_receive(&net, &net.clients[0], taken, sizeof taken);
	ck_assert_uint_eq(net.taken_n, 1);
	ck_assert_int_eq(open_restart(&net), 0);
	hello(&net.clients[0], "a", false, "o", NULL);
	open_receive(&net, &net.clients[0], taken, sizeof taken);
	ck_assert_uint_eq(net.taken_n, 1);
	ck_assert_uint_eq(net.clients[0].out_n, 4);
	acknowledge(&net.clients[0], MQTT_PUBREL, 5);
	open_receive(&net, &net.clients[0], taken, sizeof taken);
	ck_assert_uint_eq(net.taken_n, 2);
}
END_TEST

START_TEST(what_says_that_something_is_kept_waits_for_the_disk)
{
	static const uint8_t taken[] = { 0x34, 11, 0, 7, 't', 'a', 'k', 'e', 'n', '/', 'x', 0, 5 };
	struct open_client *c = &net.clients[0];
	uint16_t id;
	unsigned n = 0;
	hello(c, "a", false, "o", NULL);
	ck_assert_uint_eq(c->holds, ++n); /* CONNACK of a new session */
	subscribe(c, "t", 2);
	ck_assert_uint_eq(c->holds, ++n); /* SUBACK */
	open_receive(&net, c, taken, sizeof taken);
	ck_assert_uint_eq(c->holds, ++n); /* PUBREC: the id has been seen */
	acknowledge(c, MQTT_PUBREL, 5);
	ck_assert_uint_eq(c->holds, ++n); /* PUBCOMP: from now on the id may stand for another message */
	ck_assert_uint_eq(publish("o", "t", "x", 2), 1);
	c->out_n = 0;
	ck_assert_uint_eq(c->holds, ++n); /* PUBLISH of QoS 2: this id stands for this message */
	open_lose(&net, c);
	hello(c, "a", false, "o", NULL);
	ck_assert_uint_eq(c->holds, ++n); /* the session was there, but what is in flight may not be on disk yet */
	expect_publish(c, "x", 2, true, &id);
	acknowledge(c, MQTT_PUBREC, id);
	ck_assert_uint_eq(c->holds, ++n); /* PUBREL: the client forgets the message */
	hello(&net.clients[1], "b", true, "o", NULL);
	subscribe(&net.clients[1], "t", 2);
	ck_assert_uint_eq(net.clients[1].holds, 0);
}
END_TEST

START_TEST(retained_messages_outlive_the_process)
{
	static const uint8_t retained[] = { 0x31, 4, 0, 1, 't', 'x' };
	hello(&net.clients[0], "a", true, "o", NULL);
	open_receive(&net, &net.clients[0], retained, sizeof retained);
	ck_assert_int_eq(open_restart(&net), 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->retained, 1);
	mqtt_engine_forget(net.engine, STR("o"), &net.now);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->retained, 0);
	ck_assert_uint_eq(net.records_n, 0);
}
END_TEST

START_TEST(a_session_that_ends_leaves_no_record)
{
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
	open_lose(&net, &net.clients[0]);
	ck_assert_uint_eq(publish("o", "t", "y", 1), 1);
	ck_assert_uint_gt(net.records_n, 3);
	open_wait(&net, 40000 * SEC_US);
	ck_assert_int_eq(open_restart(&net), 0); /* the time away counts across a restart */
	open_wait(&net, 46399 * SEC_US);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 1);
	open_wait(&net, 2 * SEC_US);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 0);
	ck_assert_uint_eq(net.records_n, 0);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->message_bytes, 0);
}
END_TEST

START_TEST(a_clean_session_leaves_no_record)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	subscribe(&net.clients[0], "t", 2);
	ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
	ck_assert_uint_eq(net.records_n, 0);
}
END_TEST

START_TEST(damaged_records_are_refused)
{
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
	open_lose(&net, &net.clients[0]);
	for (size_t i = 0; i < net.records_n; i++)
		for (size_t n = 0; n < net.records[i].value_n; n++) {
			struct open_record r = net.records[i];
			uint8_t *cut = malloc(n + 1);
			memcpy(cut, r.value, n);
			struct mqtt_engine_options o = { .policy = { &net, open_connect, open_filter, open_publish, open_may_read,
				open_disconnected, NULL, NULL, NULL }, .sink = { &net, open_send, open_close, open_resume, open_hold }, .seed = 1, .keep = &net.keep };
			struct mqtt_engine *e = mqtt_engine_new(&o);
			ck_assert_int_eq(mqtt_engine_load(e, (struct slice){ r.key, r.key_n }, (struct slice){ cut, n }, &net.now), -EPROTO);
			mqtt_engine_free(e);
			free(cut);
		}
}
END_TEST

START_TEST(the_total_of_what_waits_is_bounded)
{
	static char big[10001];
	memset(big, 'x', sizeof big - 1);
	struct mqtt_engine_options o = { .policy = { &net, open_connect, open_filter, open_publish, open_may_read, open_disconnected, NULL, NULL, NULL },
		.sink = { &net, open_send, open_close, open_resume, open_hold }, .seed = 1, .total_bytes = 50000 };
	mqtt_engine_free(net.engine);
	net.engine = mqtt_engine_new(&o);
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	open_lose(&net, &net.clients[0]);
	for (int i = 0; i < 100; i++)
		(void)publish("o", "t", big, 1);
	ck_assert_uint_le(mqtt_engine_stats(net.engine)->message_bytes, 70000);
	ck_assert_uint_gt(mqtt_engine_stats(net.engine)->dropped_queue, 90);
	hello(&net.clients[1], "b", true, "o", NULL); /* who keeps up is served all the same */
	subscribe(&net.clients[1], "u", 1);
	ck_assert_uint_eq(publish("o", "u", big, 1), 1);
	expect_publish(&net.clients[1], big, 1, false, NULL);
}
END_TEST

START_TEST(sessions_of_an_owner_are_bounded_and_the_oldest_absent_one_goes)
{
	char id[8];
	struct mqtt_limits limits = mqtt_limits_default();
	limits.sessions = 50;
	mqtt_engine_free(net.engine);
	open_engine_start(&net, &limits);
	for (int i = 0; i < 60; i++) {
		snprintf(id, sizeof id, "c%d", i);
		hello(&net.clients[0], id, false, "o", NULL);
		open_lose(&net, &net.clients[0]);
		open_wait(&net, SEC_US);
	}
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 50);
	hello(&net.clients[0], "c59", false, "o", NULL);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->sessions, 50);
}
END_TEST

START_TEST(shutting_down_publishes_wills_and_keeps_sessions)
{
	hello(&net.clients[0], "a", false, "o", "w");
	subscribe(&net.clients[0], "t", 1);
	mqtt_engine_shutdown(net.engine, &net.now);
	ck_assert(net.clients[0].was_closed);
	ck_assert_uint_eq(net.wills_n, 1);
	ck_assert_int_eq(open_restart(&net), 0);
	ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
}
END_TEST

START_TEST(a_loss_is_told_but_not_too_often)
{
	struct mqtt_limits limits = mqtt_limits_default();
	limits.queue_messages = 2;
	net.limits = limits;
	hello(&net.clients[0], "a", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	open_lose(&net, &net.clients[0]);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(publish("o", "t", "fits", 1), 1);
	open_step(&net);
	ck_assert_uint_eq(net.losses_told, 0);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
	ck_assert_uint_le(mqtt_engine_deadline(net.engine), net.now.mono_us);
	open_step(&net);
	ck_assert_uint_eq(net.losses_told, 1);
	ck_assert_uint_eq(net.lost, 5);
	for (int i = 0; i < 7; i++)
		ck_assert_uint_eq(publish("o", "t", "x", 1), 1);
	open_wait(&net, 9900 * MS_US);
	ck_assert_uint_eq(net.losses_told, 1);
	ck_assert_uint_eq(mqtt_engine_deadline(net.engine), net.now.mono_us + 100 * MS_US);
	open_wait(&net, 100 * MS_US);
	ck_assert_uint_eq(net.losses_told, 2);
	ck_assert_uint_eq(net.lost, 12);
	ck_assert_uint_eq(net.lost_total, 12);
	ck_assert_uint_eq(mqtt_engine_stats(net.engine)->dropped_queue, 12);
}
END_TEST

START_TEST(a_client_that_is_held_up_for_us_is_not_taken_for_dead)
{
	struct mqtt_limits limits = mqtt_limits_default();
	limits.receive_max = 1;
	net.limits = limits;
	static const uint8_t two[] = { 0x32, 11, 0, 7, 'l', 'a', 't', 'e', 'r', '/', 'x', 0, 5, 0x32, 11, 0, 7, 'l', 'a', 't', 'e', 'r', '/', 'x', 0, 6 };
	uint8_t b[40];
	struct writer w = writer_of(b, sizeof b);
	mqtt_connect_write(&w, &(struct mqtt_connect){ .level = MQTT_311, .is_clean = true, .client_id = STR("a"), .keep_alive_s = 10 });
	open_receive(&net, &net.clients[0], b, w.len);
	open_receive(&net, &net.clients[0], two, sizeof two);
	ck_assert_uint_eq(net.clients[0].in_n, sizeof two / 2); /* the second waits */
	open_wait(&net, 60 * SEC_US);
	ck_assert(!net.clients[0].was_closed);
	mqtt_engine_taken(net.engine, net.tickets[0], 0, &net.now);
	open_step(&net);
	ck_assert_uint_eq(net.clients[0].in_n, 0);
	open_wait(&net, 16 * SEC_US);
	ck_assert(net.clients[0].was_closed);
}
END_TEST

START_TEST(limits_are_those_that_are_written_down)
{
	struct mqtt_limits a = mqtt_limits_default(), d = mqtt_limits_of_device();
	ck_assert_uint_eq(a.packet_bytes, 1 << 20);
	ck_assert_uint_eq(d.packet_bytes, 64 << 10);
	ck_assert_uint_eq(a.inflight, 20);
	ck_assert_uint_eq(d.inflight, 20);
	ck_assert_uint_eq(a.queue_messages, 1000);
	ck_assert_uint_eq(a.queue_bytes, 4 << 20);
	ck_assert_uint_eq(d.queue_messages, 100);
	ck_assert_uint_eq(d.queue_bytes, 256 << 10);
	ck_assert_uint_eq(a.subscriptions, 64);
	ck_assert_uint_eq(d.subscriptions, 32);
	ck_assert_uint_eq(d.filters, 16);
	ck_assert(a.topic_bytes == 1024 && d.topic_bytes == 1024 && a.topic_levels == 32 && d.topic_levels == 32);
	ck_assert(a.client_id_bytes == 256 && d.client_id_bytes == 256);
	ck_assert(a.session_expiry_s == 86400 && d.session_expiry_s == 7 * 86400 && d.sessions == 1 && d.evicts);
}
END_TEST

START_TEST(what_waits_and_how_long_clients_take_is_counted)
{
	hello(&net.clients[0], "a", true, "o", NULL);
	hello(&net.clients[1], "b", false, "o", NULL);
	subscribe(&net.clients[0], "t", 1);
	subscribe(&net.clients[1], "t", 2);
	open_lose(&net, &net.clients[1]);
	const struct mqtt_stats *s = mqtt_engine_stats(net.engine);
	ck_assert_uint_eq(s->sessions, 2);
	ck_assert_uint_eq(s->connected, 1);
	ck_assert_uint_eq(s->queued, 0);
	ck_assert_uint_eq(publish("o", "t", "x", 2), 2);
	mqtt_engine_stats(net.engine);
	ck_assert_uint_eq(s->queued, 2); /* one in flight, one for who is away */
	uint16_t id;
	expect_publish(&net.clients[0], "x", 1, false, &id);
	net.now.mono_us += 30 * MS_US;
	acknowledge(&net.clients[0], MQTT_PUBACK, id);
	mqtt_engine_stats(net.engine);
	ck_assert_uint_eq(s->queued, 1);
	ck_assert_uint_eq(s->ack.sum_us, 30 * MS_US);
	ck_assert_uint_eq(s->ack.n[8], 1); /* up to 50 ms */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_engine");
	TCase *t = tcase_create("application");
	tcase_add_checked_fixture(t, begin, end);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_message_reaches_its_owners_subscribers_and_nobody_else);
	tcase_add_test(t, it_says_whom_a_message_reached);
	tcase_add_test(t, an_id_in_use_is_not_given_again);
	tcase_add_test(t, no_more_than_the_limit_is_in_flight_and_the_rest_follows);
	tcase_add_test(t, a_full_queue_drops_qos_0_first_and_then_the_oldest);
	tcase_add_test(t, the_octets_of_a_queue_are_bounded_too);
	tcase_add_test(t, who_does_not_read_is_not_read);
	tcase_add_test(t, who_has_too_much_unacknowledged_waits);
	tcase_add_test(t, a_message_that_could_not_be_taken_comes_again);
	tcase_add_test(t, kicking_closes_at_once_and_discards_wills);
	tcase_add_test(t, a_lost_right_stops_what_is_live_and_what_waits);
	tcase_add_test(t, an_answer_needs_no_subscription);
	tcase_add_test(t, subscriptions_flights_and_queue_outlive_the_process);
	tcase_add_test(t, qos_2_ids_outlive_the_process);
	tcase_add_test(t, what_says_that_something_is_kept_waits_for_the_disk);
	tcase_add_test(t, retained_messages_outlive_the_process);
	tcase_add_test(t, a_session_that_ends_leaves_no_record);
	tcase_add_test(t, a_clean_session_leaves_no_record);
	tcase_add_test(t, damaged_records_are_refused);
	tcase_add_test(t, the_total_of_what_waits_is_bounded);
	tcase_add_test(t, sessions_of_an_owner_are_bounded_and_the_oldest_absent_one_goes);
	tcase_add_test(t, shutting_down_publishes_wills_and_keeps_sessions);
	tcase_add_test(t, a_loss_is_told_but_not_too_often);
	tcase_add_test(t, a_client_that_is_held_up_for_us_is_not_taken_for_dead);
	tcase_add_test(t, limits_are_those_that_are_written_down);
	tcase_add_test(t, what_waits_and_how_long_clients_take_is_counted);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
