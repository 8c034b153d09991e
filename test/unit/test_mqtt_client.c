/** @file The MQTT client against a broker made of octets: every step of every QoS, what survives what, every breach, in words. */
#include "proto/mqtt/mqtt_write.h"
#include "test/unit/mqtt_rig.h"

#define FRESH "2002 0000" /* CONNACK, no session */
#define AGAIN "2002 0100" /* CONNACK, the session is there */

static void begin(bool subscribes)
{
	struct mqtt_client_options o = rig_options(MQTT_311, subscribes);
	rig_begin(&o);
}

START_TEST(connect_is_what_the_standard_says)
{
	struct mqtt_client_options o = rig_options(MQTT_311, false);
	o.user = (struct mqtt_optional){ true, STR("u") };
	o.password = (struct mqtt_optional){ true, STR("p") };
	rig_begin(&o);
	mqtt_client_begin(rig.client, rig.now_us);
	sent("1013 0004 4d515454 04 c0 003c 0001 63 0001 75 0001 70");
	ck_assert(!mqtt_client_is_connected(rig.client));
	ck_assert_int_eq(offer(1, 1), MQTT_CLIENT_E_WAIT);
	says(FRESH);
	told("connected(0) ");
	ck_assert(mqtt_client_is_connected(rig.client));
	sent("");
	rig_end();
}
END_TEST

START_TEST(what_mqtt_cannot_carry_is_no_client)
{
	struct mqtt_client *c = NULL;
	struct mqtt_client_options good = rig_options(MQTT_311, true), o = good;
	static const struct mqtt_filter bad = { .filter = { "a/#/b", 5 } };
	o.client_id = STR("");
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.client_id = STR("a\0b");
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.filters = &bad;
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.filters_n = MQTT_CLIENT_FILTERS_MAX + 1;
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.level = 6;
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.in_flight_max = MQTT_CLIENT_IN_FLIGHT_MAX + 1;
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o = good, o.password = (struct mqtt_optional){ true, STR("p") }; /* [MQTT311 3.1.2-22] */
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), -EINVAL);
	o.level = MQTT_5;
	ck_assert_int_eq(mqtt_client_new(&o, &rig_wire, &rig_user, &c), 0);
	mqtt_client_free(c);
	mqtt_client_free(NULL);
}
END_TEST

START_TEST(refusals_are_told_in_words)
{
	static const struct { const char *connack; enum mqtt_fault fault; const char *words; } rows[] = {
		{ "2002 0001", MQTT_FAULT_REFUSED, "the broker does not speak this version of MQTT" },
		{ "2002 0002", MQTT_FAULT_REFUSED, "the broker refused the client id \"c\"" },
		{ "2002 0003", MQTT_FAULT_BUSY, "the broker cannot serve us now" },
		{ "2002 0004", MQTT_FAULT_REFUSED, "the broker refused user name or password" },
		{ "2002 0005", MQTT_FAULT_REFUSED, "not authorized" },
		{ "2002 0006", MQTT_FAULT_PROTOCOL, "a code that does not exist" },
		{ "2002 0200", MQTT_FAULT_PROTOCOL, "CONNACK is malformed" },
		{ "2003 000000", MQTT_FAULT_PROTOCOL, "CONNACK is malformed" },
		{ "1503 0300020228", MQTT_FAULT_PROTOCOL, "speaks TLS on this port" },
		{ "4854 5450", MQTT_FAULT_PROTOCOL, "a web server answers" },
		{ "5353 48", MQTT_FAULT_PROTOCOL, "does not speak MQTT" },
		{ "d000", MQTT_FAULT_PROTOCOL, "does not speak MQTT" },
		{ "20ffffffff01", MQTT_FAULT_PROTOCOL, "a length that cannot be" },
		{ "20ffffff7f", MQTT_FAULT_PROTOCOL, "a packet of more than 4096 octets" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(false);
		mqtt_client_begin(rig.client, rig.now_us);
		says(rows[i].connack);
		closed(rows[i].fault, rows[i].words);
		told("");
		ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), UINT64_MAX);
		rig_end();
	}
}
END_TEST

START_TEST(qos_0_is_done_when_it_has_left)
{
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(1, 0), 0);
	ck_assert_int_eq(offer(2, 0), 0);
	sent("3005 0001 74 6869 3005 0001 74 6869");
	told("");
	drain();
	told("done(1) done(2) ");
	drain();
	told("");
	rig_end();
}
END_TEST

START_TEST(qos_1_is_done_with_its_acknowledgement)
{
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(1, 1), 0);
	ck_assert_int_eq(offer(2, 1), 0);
	sent("3207 0001 74 0002 6869 3207 0001 74 0003 6869");
	drain();
	told("");
	says("4002 0003 4002 0002");
	told("done(2) done(1) ");
	says("4002 0002"); /* once more: nobody's */
	told("");
	ck_assert(!rig.is_closed);
	rig_end();
}
END_TEST

START_TEST(qos_2_is_released_once_it_is_stored_that_it_was_received)
{
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(7, 2), 0);
	sent("3407 0001 74 0008 6869");
	says("5002 0008");
	told("received(7) ");
	sent("");
	says("5002 0008");
	told("");
	sent("");
	mqtt_client_stored(rig.client, 7, rig.now_us);
	sent("6202 0008");
	mqtt_client_stored(rig.client, 7, rig.now_us);
	sent("");
	says("5002 0008"); /* a repeated PUBREC is answered again */
	sent("6202 0008");
	says("7002 0008");
	told("done(7) ");
	says("7002 0008");
	told("");
	says("5002 0008"); /* the broker may forget what we have forgotten */
	sent("6202 0008");
	ck_assert(!rig.is_closed);
	rig_end();
}
END_TEST

START_TEST(after_a_reconnect_what_was_received_is_only_released)
{
	begin(false);
	up(FRESH);
	for (uint64_t n = 1; n <= 3; n++)
		ck_assert_int_eq(offer(n, 2), 0);
	says("5002 0002");
	told("received(1) ");
	rig.out_n = 0;
	mqtt_client_lost(rig.client);
	mqtt_client_stored(rig.client, 1, rig.now_us); /* durable only now */
	sent("");
	ck_assert_uint_eq(mqtt_client_in_flight(rig.client), 0);
	up(AGAIN);
	ck_assert_int_eq(offer_as(1, 2, MQTT_ITEM_RECEIVED), 0);
	sent("6202 0002");
	ck_assert_int_eq(offer(2, 2), 0);
	ck_assert_int_eq(offer(3, 2), 0);
	sent("3c07 0001 74 0003 6869 3c07 0001 74 0004 6869"); /* DUP */
	ck_assert_int_eq(offer(4, 2), 0);
	sent("3407 0001 74 0005 6869"); /* never sent before */
	says("7002 0002");
	told("done(1) ");
	rig_end();
}
END_TEST

START_TEST(a_session_that_is_gone_starts_afresh)
{
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(1, 2), 0);
	ck_assert_int_eq(offer(2, 1), 0);
	rig.out_n = 0;
	mqtt_client_lost(rig.client);
	up(FRESH);
	ck_assert_int_eq(offer_as(1, 2, MQTT_ITEM_RECEIVED), 0);
	sent("");
	told("done(1) "); /* it was the broker's from PUBREC on */
	ck_assert_int_eq(offer(2, 1), 0);
	ck_assert_int_eq(offer(3, 2), 0);
	sent("3207 0001 74 0003 6869 3407 0001 74 0004 6869");
	rig_end();
}
END_TEST

START_TEST(what_an_earlier_process_may_have_sent_is_sent_again)
{
	struct mqtt_client_options o = rig_options(MQTT_311, false);
	o.maybe_sent = 5;
	rig_begin(&o);
	up(AGAIN);
	ck_assert_int_eq(offer(5, 1), 0);
	ck_assert_int_eq(offer(6, 1), 0);
	sent("3a07 0001 74 0006 6869 3207 0001 74 0007 6869");
	rig_end();
}
END_TEST

START_TEST(the_window_is_bounded_and_room_is_told_once)
{
	begin(false);
	up(FRESH);
	for (uint64_t n = 1; n <= 4; n++)
		ck_assert_int_eq(offer(n, 1), 0);
	says("4002 0002");
	told("done(1) ");
	ck_assert_int_eq(offer(5, 1), 0);
	ck_assert_int_eq(offer(6, 1), MQTT_CLIENT_E_WAIT);
	says("4002 0003 4002 0004");
	told("done(2) room done(3) ");
	ck_assert_int_eq(offer(6, 1), 0);
	ck_assert_int_eq(offer(6, 1), -EINVAL);
	ck_assert_int_eq(offer(3, 1), -EINVAL);
	ck_assert_int_eq(offer(7, 3), -EINVAL);
	rig_end();
}
END_TEST

START_TEST(a_full_wire_is_waited_for)
{
	begin(false);
	up(FRESH);
	rig.is_full = true;
	ck_assert_int_eq(offer(1, 0), 0);
	ck_assert_int_eq(offer(2, 0), MQTT_CLIENT_E_WAIT);
	drain();
	told("done(1) room ");
	ck_assert_int_eq(offer(2, 0), 0);
	rig_end();
}
END_TEST

START_TEST(packet_ids_follow_from_numbers)
{
	ck_assert_uint_eq(mqtt_client_packet_id(1), 2);
	ck_assert_uint_eq(mqtt_client_packet_id(65533), 65534);
	ck_assert_uint_eq(mqtt_client_packet_id(65534), 1);
	ck_assert_uint_eq(mqtt_client_packet_id(UINT64_MAX), UINT64_MAX % 65534 + 1);
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(1, 1), 0);
	ck_assert_int_eq(offer(65535, 1), MQTT_CLIENT_E_WAIT); /* the same id */
	says("4002 0002");
	told("done(1) room ");
	ck_assert_int_eq(offer(65535, 1), 0);
	rig_end();
}
END_TEST

START_TEST(what_no_broker_could_take_is_never_sent)
{
	char words[200];
	struct text why = text_fixed(words, sizeof words);
	static char long_topic[MQTT_CLIENT_TOPIC_MAX + 1];
	memset(long_topic, 'a', sizeof long_topic);
	const struct str topics[] = { STR(""), STR("a/#"), STR("a\0b"), { long_topic, sizeof long_topic } };
	begin(false);
	up(FRESH);
	for (size_t i = 0; i < COUNT(topics); i++) {
		const struct mqtt_item item = { i + 1, MQTT_ITEM_WAITING, 1, topics[i], { NULL, 0 } };
		text_reset(&why);
		ck_assert_int_eq(mqtt_client_send(rig.client, &item, rig.now_us, &why), MQTT_CLIENT_E_NEVER);
		ck_assert_str_eq(words, "its topic is not one that MQTT can carry");
	}
	sent("");
	ck_assert_uint_eq(mqtt_client_in_flight(rig.client), 0);
	ck_assert_int_eq(offer(10, 1), 0);
	rig_end();
}
END_TEST

/* Subscribing, and the broker's messages. */

START_TEST(a_refused_subscription_is_told_and_the_link_stays)
{
	begin(true);
	mqtt_client_begin(rig.client, rig.now_us);
	rig.out_n = 0;
	says(FRESH);
	sent("820b ffff 0006 707573682f2b 02");
	says("9003 ffff 80");
	told("connected(0) warning(the broker refused to subscribe us to \"push/+\") ");
	ck_assert(mqtt_client_is_connected(rig.client));
	rig_end();
}
END_TEST

START_TEST(messages_are_acknowledged_in_order_once_they_are_durable)
{
	begin(true);
	up(FRESH);
	says("9003 ffff 02");
	says("320c 0006 707573682f61 0001 31"); /* cut short: one octet is missing */
	told("");
	ck_assert_uint_eq(says("320c 0006 707573682f61 0001 31 32"), 14);
	uint64_t first = rig.token;
	says("340c 0006 707573682f62 0002 33 34");
	uint64_t second = rig.token;
	says("300a 0006 707573682f63 35 36");
	told("message(push/a=12 of 0 qos 1) message(push/b=34 of 0 qos 2) message(push/c=56 of 0 qos 0) ");
	mqtt_client_accept(rig.client, second, rig.now_us);
	sent("");
	mqtt_client_accept(rig.client, first, rig.now_us);
	sent("4002 0001 5002 0002");
	mqtt_client_accept(rig.client, first, rig.now_us);
	mqtt_client_accept(rig.client, 99, rig.now_us);
	sent("");
	rig_end();
}
END_TEST

static const char again_2[] = "340c 0006 707573682f62 0002 33 34", dup_2[] = "3c0c 0006 707573682f62 0002 33 34";

START_TEST(a_message_of_qos_2_is_taken_once)
{
	begin(true);
	rig.accepts = true;
	up(FRESH);
	says(again_2);
	told("message(push/b=34 of 0 qos 2) ");
	sent("5002 0002");
	says(dup_2);
	told("");
	sent("5002 0002");
	mqtt_client_lost(rig.client);
	up(AGAIN);
	says(dup_2);
	told("");
	sent("5002 0002");
	says("6202 0002");
	told("released(2) ");
	sent("7002 0002");
	says("6202 0002");
	told("");
	sent("7002 0002");
	says(again_2); /* the id is free for another one */
	told("message(push/b=34 of 0 qos 2) ");
	rig_end();
}
END_TEST

START_TEST(an_acceptance_that_comes_after_a_reconnect_counts)
{
	begin(true);
	up(FRESH);
	says(again_2);
	uint64_t token = rig.token;
	mqtt_client_lost(rig.client);
	up(AGAIN);
	says(dup_2);
	told("");
	sent("");
	mqtt_client_accept(rig.client, token, rig.now_us);
	sent("5002 0002");
	says("6202 0002");
	told("released(2) ");
	token = rig.token;
	mqtt_client_lost(rig.client);
	mqtt_client_accept(rig.client, token, rig.now_us);
	up(AGAIN);
	says("6202 0002");
	sent("7002 0002");
	rig_end();
}
END_TEST

START_TEST(ids_that_were_stored_are_known_to_the_next_process)
{
	begin(true);
	rig.accepts = true;
	ck_assert_int_eq(mqtt_client_remember(rig.client, 2), 0);
	ck_assert_int_eq(mqtt_client_remember(rig.client, 2), 0);
	up(AGAIN);
	says(dup_2);
	told("");
	sent("5002 0002");
	mqtt_client_lost(rig.client);
	up(FRESH); /* and void once the broker knows nothing of them */
	says(again_2);
	told("message(push/b=34 of 0 qos 2) ");
	rig_end();
}
END_TEST

START_TEST(who_takes_nothing_is_sent_no_more)
{
	begin(true);
	up(FRESH);
	uint8_t b[64 * 13];
	struct writer w = writer_of(b, sizeof b);
	for (uint16_t id = 1; id <= 30; id++) {
		struct mqtt_publish p = { .qos = 1, .id = id, .topic = STR("push/a"), .payload = { (const uint8_t *)"x", 1 } };
		mqtt_publish_head_write(&w, MQTT_311, &p);
		writer_u8(&w, 'x');
	}
	size_t one = w.len / 30, used = mqtt_client_receive(rig.client, (struct slice){ b, w.len }, rig.now_us, &rig.need);
	ck_assert_uint_eq(used, one * MQTT_CLIENT_TAKING_MAX);
	ck_assert_uint_eq(rig.need, 0);
	ck_assert(!rig.was_resumed);
	after(1000 * SEC_US); /* nobody is blamed for silence that we do not hear */
	ck_assert(!rig.is_closed);
	mqtt_client_accept(rig.client, 1, rig.now_us);
	ck_assert(rig.was_resumed);
	used += mqtt_client_receive(rig.client, (struct slice){ b + used, w.len - used }, rig.now_us, &rig.need);
	ck_assert_uint_eq(used, one * (MQTT_CLIENT_TAKING_MAX + 1));
	rig_end();
}
END_TEST

START_TEST(acknowledgements_are_not_piled_up)
{
	begin(true);
	up(FRESH);
	uint8_t b[8 * 2000];
	struct writer w = writer_of(b, sizeof b);
	for (uint16_t id = 1; id <= 2000; id++)
		mqtt_ack_write(&w, MQTT_PUBREL, id, MQTT_311, 0, STR(""));
	size_t used = mqtt_client_receive(rig.client, (struct slice){ b, w.len }, rig.now_us, &rig.need);
	ck_assert_uint_lt(used, w.len);
	ck_assert_uint_eq(rig.need, 0);
	drain();
	ck_assert(rig.was_resumed);
	used += mqtt_client_receive(rig.client, (struct slice){ b + used, w.len - used }, rig.now_us, &rig.need);
	ck_assert_uint_eq(used, w.len);
	rig_end();
}
END_TEST

START_TEST(messages_that_are_held_are_counted)
{
	begin(true);
	rig.accepts = true;
	up(FRESH);
	for (uint16_t id = 1; id <= MQTT_CLIENT_HELD_MAX + 1; id++) {
		uint8_t b[32];
		struct writer w = writer_of(b, sizeof b);
		struct mqtt_publish p = { .qos = 2, .id = id, .topic = STR("push/a") };
		ck_assert(!rig.is_closed);
		mqtt_publish_head_write(&w, MQTT_311, &p);
		(void)mqtt_client_receive(rig.client, (struct slice){ b, w.len }, rig.now_us, &rig.need);
		drain();
	}
	closed(MQTT_FAULT_PROTOCOL, "2048 messages of QoS 2 and released none");
	for (uint16_t id = 1000; id < 1000 + MQTT_CLIENT_HELD_MAX; id++)
		(void)mqtt_client_remember(rig.client, id);
	ck_assert_int_eq(mqtt_client_remember(rig.client, 5000), -ENOSPC);
	rig_end();
}
END_TEST

START_TEST(what_was_not_subscribed_is_acknowledged_and_dropped)
{
	begin(true);
	up(FRESH);
	says("3208 0003 612f62 0001 31 3408 0003 612f62 0002 31 3006 0003 612f62 31");
	told("");
	sent("4002 0001 5002 0002");
	rig_end();
}
END_TEST

START_TEST(a_retained_message_is_marked)
{
	begin(true);
	rig.accepts = true;
	up(FRESH);
	says("330c 0006 707573682f61 0001 31 32");
	told("message(push/a=12 of 0 qos 1 retained) ");
	rig_end();
}
END_TEST

/* Time. */

START_TEST(an_idle_broker_that_stops_answering_is_noticed)
{
	begin(false);
	up(FRESH);
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), rig.now_us + 60 * SEC_US);
	after(59 * SEC_US);
	sent("");
	after(SEC_US);
	sent("c000");
	drain();
	says("d000");
	after(60 * SEC_US);
	sent("c000");
	drain();
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), rig.now_us + 10 * SEC_US);
	after(10 * SEC_US);
	closed(MQTT_FAULT_SILENT, "fallen silent: no answer to a ping within 10 s");
	rig_end();
}
END_TEST

START_TEST(who_only_sends_still_asks_whether_anybody_is_there)
{
	begin(false);
	up(FRESH);
	for (uint64_t n = 1; n <= 6; n++) {
		ck_assert_int_eq(offer(n, 0), 0);
		drain();
		rig.out_n = 0;
		after(10 * SEC_US);
	}
	sent("c000");
	rig_end();
}
END_TEST

START_TEST(a_ping_that_has_not_left_is_not_missed)
{
	begin(false);
	up(FRESH);
	after(60 * SEC_US);
	after(600 * SEC_US);
	ck_assert(!rig.is_closed);
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), UINT64_MAX);
	drain();
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), rig.now_us + 10 * SEC_US);
	rig_end();
}
END_TEST

START_TEST(a_broker_that_never_accepts_is_given_up)
{
	begin(false);
	mqtt_client_begin(rig.client, rig.now_us);
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), rig.now_us + 10 * SEC_US);
	after(10 * SEC_US - 1);
	ck_assert(!rig.is_closed);
	after(1);
	closed(MQTT_FAULT_SILENT, "did not answer CONNECT within 10 s");
	rig_end();
}
END_TEST

START_TEST(a_broker_that_acknowledges_nothing_is_given_up)
{
	begin(false);
	up(FRESH);
	ck_assert_int_eq(offer(1, 1), 0);
	ck_assert_int_eq(offer(2, 2), 0);
	drain();
	after(29 * SEC_US);
	says("4002 0002");
	after(29 * SEC_US);
	says("5002 0003");
	after(100 * SEC_US); /* now it is our turn */
	says("d000");
	ck_assert(!rig.is_closed);
	mqtt_client_stored(rig.client, 2, rig.now_us);
	drain();
	after(30 * SEC_US);
	closed(MQTT_FAULT_SILENT, "acknowledged nothing of 1 messages for 30 s");
	rig_end();
}
END_TEST

START_TEST(the_end_of_the_wire_is_explained)
{
	char words[400];
	struct text t = text_fixed(words, sizeof words);
	begin(false);
	mqtt_client_begin(rig.client, rig.now_us);
	ck_assert_int_eq(mqtt_client_why_closed(rig.client, rig.now_us, &t), MQTT_FAULT_AWAY);
	ck_assert_ptr_nonnull(strstr(words, "instead of answering CONNECT"));
	says(FRESH);
	text_reset(&t);
	(void)mqtt_client_why_closed(rig.client, rig.now_us + SEC_US, &t);
	ck_assert_ptr_nonnull(strstr(words, "does another client have the client id \"c\""));
	text_reset(&t);
	(void)mqtt_client_why_closed(rig.client, rig.now_us + 6 * SEC_US, &t);
	ck_assert_str_eq(words, "the broker closed the connection");
	rig_end();
}
END_TEST

START_TEST(leave_is_taken_in_good_order)
{
	begin(true);
	ck_assert(!mqtt_client_leave(rig.client, true));
	up(FRESH);
	ck_assert(mqtt_client_leave(rig.client, false));
	sent("e000");
	ck_assert(!mqtt_client_is_connected(rig.client));
	up(FRESH);
	ck_assert(mqtt_client_leave(rig.client, true));
	sent("a20a ffff 0006 707573682f2b e000");
	rig_end();
}
END_TEST

START_TEST(breaches_close_and_are_named)
{
	static const struct { const char *octets, *words; } rows[] = {
		{ FRESH, "CONNACK comes once only" }, { "1000", "CONNECT comes from clients only" }, { "8200", "SUBSCRIBE comes from clients only" },
		{ "a200", "UNSUBSCRIBE comes from clients only" }, { "c000", "PINGREQ comes from clients only" }, { "0000", "a packet of type 0" },
		{ "e000", "DISCONNECT comes from clients only" }, { "f000", "AUTH was not asked for" }, { "d100", "PINGRESP has flags" },
		{ "d00100", "PINGRESP is malformed" }, { "4000", "PUBACK is malformed" }, { "4002 0000", "PUBACK is malformed" },
		{ "4003 000200", "PUBACK is malformed" }, { "4102 0002", "PUBACK has flags" }, { "6002 0002", "PUBREL has flags" },
		{ "6202 0000", "PUBREL is malformed" }, { "5002 0002", "PUBREC answers a message of QoS 1" }, { "4002 0003", "PUBACK answers a message of QoS 2" },
		{ "7002 0003", "PUBCOMP answers a message that was not released" }, { "9003 ffff 02 9003 ffff 02", "SUBACK answers nothing" },
		{ "9003 fffe 02", "SUBACK answers nothing" }, { "9004 ffff 0202", "SUBACK answers nothing" }, { "9003 ffff 03", "a code that does not exist" },
		{ "9000", "SUBACK is malformed" }, { "b002 ffff", "UNSUBACK answers nothing" }, { "3600", "PUBLISH is malformed" },
		{ "3803 0001 61", "PUBLISH is malformed" }, { "3002 0000", "PUBLISH is malformed" }, { "3205 0001 61 0000", "PUBLISH is malformed" },
		{ "3003 0001 23", "PUBLISH is malformed" }, { "3003 0001 00", "PUBLISH is malformed" }, { "3003 0001 ff", "PUBLISH is malformed" },
		{ "340c 0006 707573682f62 0009 33 34 6202 0009", "PUBREL comes before its message was taken" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(true);
		up(FRESH);
		ck_assert_int_eq(offer(1, 1), 0);
		ck_assert_int_eq(offer(2, 2), 0);
		says(rows[i].octets);
		closed(MQTT_FAULT_PROTOCOL, rows[i].words);
		ck_assert_uint_eq(mqtt_client_in_flight(rig.client), 0);
		says("d000"); /* deaf now */
		ck_assert(!rig.is_closed);
		rig_end();
	}
}
END_TEST

/* 5.0. */

static void begin_5(void)
{
	struct mqtt_client_options o = rig_options(MQTT_5, true);
	rig_begin(&o);
}

START_TEST(five_says_how_long_the_session_lasts)
{
	begin_5();
	mqtt_client_begin(rig.client, rig.now_us);
	/* session expiry 7 d, receive maximum 20, maximum packet size 4096 */
	sent("101b 0004 4d515454 05 00 003c 0d 11 00093a80 21 0014 27 00001000 0001 63");
	says("2003 000000");
	sent("820c ffff 00 0006 707573682f2b 12"); /* retained ones at the first subscribing only */
	rig_end();
}
END_TEST

START_TEST(five_has_the_limits_that_the_broker_names)
{
	begin_5();
	/* receive maximum 1, keep-alive 5, maximum QoS 1, maximum packet size 20 */
	up("2010 0000 0d 21 0001 13 0005 24 01 27 00000014");
	ck_assert_uint_eq(mqtt_client_deadline_us(rig.client), rig.now_us + 5 * SEC_US);
	ck_assert_int_eq(offer(1, 2), 0);
	sent("3208 0001 74 0002 00 6869");
	told("warning(the broker takes QoS 1 at most; messages of QoS 2 are sent with that) ");
	ck_assert_int_eq(offer(2, 2), MQTT_CLIENT_E_WAIT);
	says("4002 0002");
	told("done(1) room ");
	char words[200];
	struct text why = text_fixed(words, sizeof words);
	const struct mqtt_item large = { 2, MQTT_ITEM_WAITING, 1, STR("t"), { (const uint8_t *)"0123456789abcdef", 16 } };
	ck_assert_int_eq(mqtt_client_send(rig.client, &large, rig.now_us, &why), MQTT_CLIENT_E_NEVER);
	ck_assert_str_eq(words, "16 octets are more than the broker takes");
	rig_end();
}
END_TEST

START_TEST(five_gives_reasons)
{
	begin_5();
	up("2003 000000");
	ck_assert_int_eq(offer(1, 1), 0);
	ck_assert_int_eq(offer(2, 2), 0);
	rig.out_n = 0;
	says("400a 0002 87 06 1f 0003 6e6f21");
	says("5003 0003 99");
	says("9004 ffff 00 87");
	told("refused(1: the broker refused a message: not authorized (no!)) refused(2: the broker refused a message: the payload is not what this topic takes) "
	     "warning(the broker refused to subscribe us to \"push/+\": not authorized) ");
	says("4003 0002 10"); /* nobody subscribes: that is not our business */
	says("5003 0009 00");
	sent("6203 0009 92"); /* not known */
	says("e008 8e 06 1f 0003 627965");
	closed(MQTT_FAULT_AWAY, "the broker ended the connection: another connection has taken over this client id (bye)");
	rig_end();
}
END_TEST

START_TEST(a_quota_is_no_refusal_for_good)
{
	begin_5();
	up("2003 000000");
	ck_assert_int_eq(offer(1, 1), 0);
	says("4003 0002 97");
	told("");
	closed(MQTT_FAULT_BUSY, "the broker refused a message: a limit has been reached");
	rig_end();
}
END_TEST

START_TEST(five_is_refused_in_the_words_of_either)
{
	static const struct { const char *connack; enum mqtt_fault fault; const char *words; } rows[] = {
		{ "2002 0001", MQTT_FAULT_REFUSED, "does not speak this version" },
		{ "2003 008600", MQTT_FAULT_REFUSED, "refused user name or password" },
		{ "2009 0087 06 1f 0003 6e6f21", MQTT_FAULT_REFUSED, "refused the connection: not authorized (no!)" },
		{ "2003 008900", MQTT_FAULT_BUSY, "cannot take this now" },
		{ "2003 007f00", MQTT_FAULT_PROTOCOL, "a code that does not exist" },
		{ "2083 00 000000", MQTT_FAULT_PROTOCOL, "a length that cannot be" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin_5();
		mqtt_client_begin(rig.client, rig.now_us);
		says(rows[i].connack);
		closed(rows[i].fault, rows[i].words);
		rig_end();
	}
}
END_TEST

START_TEST(five_has_no_aliases_here)
{
	begin_5();
	up("2003 000000");
	says("300c 0006 707573682f61 03 23 0001");
	closed(MQTT_FAULT_PROTOCOL, "PUBLISH has a topic alias, and none was allowed");
	rig_end();
}
END_TEST

static TCase *group(Suite *s, const char *name)
{
	TCase *c = tcase_create(name);
	suite_add_tcase(s, c);
	return c;
}

int main(void)
{
	Suite *s = suite_create("mqtt_client");
	TCase *c = group(s, "outgoing");
	tcase_add_test(c, connect_is_what_the_standard_says);
	tcase_add_test(c, what_mqtt_cannot_carry_is_no_client);
	tcase_add_test(c, refusals_are_told_in_words);
	tcase_add_test(c, qos_0_is_done_when_it_has_left);
	tcase_add_test(c, qos_1_is_done_with_its_acknowledgement);
	tcase_add_test(c, qos_2_is_released_once_it_is_stored_that_it_was_received);
	tcase_add_test(c, after_a_reconnect_what_was_received_is_only_released);
	tcase_add_test(c, a_session_that_is_gone_starts_afresh);
	tcase_add_test(c, what_an_earlier_process_may_have_sent_is_sent_again);
	tcase_add_test(c, the_window_is_bounded_and_room_is_told_once);
	tcase_add_test(c, a_full_wire_is_waited_for);
	tcase_add_test(c, packet_ids_follow_from_numbers);
	tcase_add_test(c, what_no_broker_could_take_is_never_sent);
	c = group(s, "incoming");
	tcase_add_test(c, a_refused_subscription_is_told_and_the_link_stays);
	tcase_add_test(c, messages_are_acknowledged_in_order_once_they_are_durable);
	tcase_add_test(c, a_message_of_qos_2_is_taken_once);
	tcase_add_test(c, an_acceptance_that_comes_after_a_reconnect_counts);
	tcase_add_test(c, ids_that_were_stored_are_known_to_the_next_process);
	tcase_add_test(c, who_takes_nothing_is_sent_no_more);
	tcase_add_test(c, acknowledgements_are_not_piled_up);
	tcase_add_test(c, messages_that_are_held_are_counted);
	tcase_add_test(c, what_was_not_subscribed_is_acknowledged_and_dropped);
	tcase_add_test(c, a_retained_message_is_marked);
	c = group(s, "time and ends");
	tcase_add_test(c, an_idle_broker_that_stops_answering_is_noticed);
	tcase_add_test(c, who_only_sends_still_asks_whether_anybody_is_there);
	tcase_add_test(c, a_ping_that_has_not_left_is_not_missed);
	tcase_add_test(c, a_broker_that_never_accepts_is_given_up);
	tcase_add_test(c, a_broker_that_acknowledges_nothing_is_given_up);
	tcase_add_test(c, the_end_of_the_wire_is_explained);
	tcase_add_test(c, leave_is_taken_in_good_order);
	tcase_add_test(c, breaches_close_and_are_named);
	c = group(s, "5.0");
	tcase_add_test(c, five_says_how_long_the_session_lasts);
	tcase_add_test(c, five_has_the_limits_that_the_broker_names);
	tcase_add_test(c, five_gives_reasons);
	tcase_add_test(c, a_quota_is_no_refusal_for_good);
	tcase_add_test(c, five_is_refused_in_the_words_of_either);
	tcase_add_test(c, five_has_no_aliases_here);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
