/** @file MQTT packets against octets taken down from paho-mqtt 1.6.1 and mosquitto 2.0.11, and the client's side of the codec. */
#include "common/core/text.h"
#include "proto/mqtt/mqtt_write.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint8_t octets[2000];

static struct slice octets_of(const char *hex)
{
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), octets, sizeof octets, &n), 0);
	return (struct slice){ octets, n };
}

static struct mqtt_frame frame_of(const char *hex)
{
	struct mqtt_frame f;
	struct slice all = octets_of(hex);
	ck_assert_int_eq(mqtt_frame_read(all, 1 << 20, &f), 0);
	ck_assert_uint_eq(f.size, all.n);
	return f;
}

static void expect_octets(const struct writer *w, const char *hex)
{
	struct slice want = octets_of(hex);
	ck_assert(!w->failed);
	ck_assert_uint_eq(w->len, want.n);
	ck_assert_int_eq(memcmp(w->p, want.p, want.n), 0);
}

START_TEST(remaining_lengths_are_those_of_table_2_4)
{
	static const struct {
		uint32_t v;
		const char *hex;
	} rows[] = { { 0, "00" }, { 127, "7f" }, { 128, "8001" }, { 16383, "ff7f" }, { 16384, "808001" }, { 2097151, "ffff7f" },
		{ 2097152, "80808001" }, { 268435455, "ffffff7f" } };
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t b[8];
		struct writer w = writer_of(b, sizeof b);
		mqtt_varint_write(&w, rows[i].v);
		expect_octets(&w, rows[i].hex);
		ck_assert_uint_eq(mqtt_varint_size(rows[i].v), w.len);
		struct reader r = reader_of(b, w.len);
		ck_assert_uint_eq(mqtt_varint_read(&r), rows[i].v);
		ck_assert(!r.failed);
	}
	struct reader r = reader_of("\x80\x80\x80\x80\x01", 5);
	(void)mqtt_varint_read(&r);
	ck_assert(r.failed);
}
END_TEST

START_TEST(a_frame_says_how_much_it_needs)
{
	struct mqtt_frame f;
	static const uint8_t head[] = { 0x30, 0x80, 0x01 };
	ck_assert_int_eq(mqtt_frame_read((struct slice){ head, 0 }, 1000, &f), MQTT_E_MORE);
	ck_assert_uint_eq(f.size, 2);
	ck_assert_int_eq(mqtt_frame_read((struct slice){ head, 2 }, 1000, &f), MQTT_E_MORE);
	ck_assert_uint_eq(f.size, 3);
	ck_assert_int_eq(mqtt_frame_read((struct slice){ head, 3 }, 1000, &f), MQTT_E_MORE);
	ck_assert_uint_eq(f.size, 131);
	ck_assert_int_eq(mqtt_frame_read((struct slice){ head, 3 }, 130, &f), MQTT_TOO_LARGE);
}
END_TEST

/* paho: Client("godwit"), user and password, will_set("w", "gone", 1, True), keepalive 60. */
#define PAHO_CONNECT "1028 00044d515454 04 ee 003c 0006676f64776974 000177 0004676f6e65 00046170703100054e4e535853"

START_TEST(a_connect_of_paho_is_read_and_written)
{
	struct mqtt_frame f = frame_of(PAHO_CONNECT);
	struct mqtt_connect c;
	ck_assert_int_eq(f.type, MQTT_CONNECT);
	ck_assert_int_eq(mqtt_connect_read(f.body, &c), 0);
	ck_assert_int_eq(c.level, MQTT_311);
	ck_assert(c.is_clean && c.has_will && c.will_retain && c.will_qos == 1);
	ck_assert_int_eq(c.keep_alive_s, 60);
	ck_assert(str_is(c.client_id, "godwit") && str_is(c.will_topic, "w"));
	ck_assert(c.user.is_present && str_is(c.user.s, "app1") && c.password.is_present && str_is(c.password.s, "NNSXS"));
	uint8_t b[100];
	struct writer w = writer_of(b, sizeof b);
	mqtt_connect_write(&w, &c);
	expect_octets(&w, PAHO_CONNECT);
}
END_TEST

START_TEST(absent_is_not_empty)
{
	struct mqtt_connect c;
	ck_assert_int_eq(mqtt_connect_read(frame_of("100d 00044d515454 04 02 003c 000161").body, &c), 0);
	ck_assert(!c.user.is_present && !c.password.is_present);
	ck_assert_int_eq(mqtt_connect_read(frame_of("100f 00044d515454 04 82 003c 000161 0000").body, &c), 0);
	ck_assert(c.user.is_present && c.user.s.n == 0 && !c.password.is_present);
}
END_TEST

START_TEST(a_client_reads_what_mosquitto_answers)
{
	struct mqtt_connack a;
	struct mqtt_frame f = frame_of("20020100");
	ck_assert_int_eq(mqtt_connack_read(f.body, MQTT_311, &a), 0);
	ck_assert(a.has_session && a.code == 0);
	/* mosquitto 2.0.11 with protocol 5: topic alias maximum 10, server keep-alive 65535, receive maximum 20 */
	f = frame_of("200c 00 00 09 22000a 13ffff 210014");
	ck_assert_int_eq(mqtt_connack_read(f.body, MQTT_5, &a), 0);
	ck_assert_uint_eq(mqtt_props_u(&a.props, MQTT_PROP_TOPIC_ALIAS_MAX, 0), 10);
	ck_assert_uint_eq(mqtt_props_u(&a.props, MQTT_PROP_RECEIVE_MAX, 0), 20);
	ck_assert_uint_eq(mqtt_props_u(&a.props, MQTT_PROP_MAX_QOS, 2), 2);
	struct mqtt_filters s;
	f = frame_of("9005000a000180");
	ck_assert_int_eq(mqtt_filters_read(MQTT_SUBACK, f.body, MQTT_311, &s), 0);
	ck_assert(s.id == 10 && s.entries.n == 3 && s.entries.p[2] == 0x80);
	f = frame_of("9002000a");
	ck_assert_int_eq(mqtt_filters_read(MQTT_SUBACK, f.body, MQTT_311, &s), MQTT_PROTOCOL_ERROR);
	f = frame_of("b002000a");
	ck_assert_int_eq(mqtt_filters_read(MQTT_UNSUBACK, f.body, MQTT_311, &s), 0);
	struct mqtt_publish p;
	f = frame_of("3b07 000174 0005 6869");
	ck_assert_int_eq(mqtt_publish_read(f.flags, f.body, MQTT_311, &p), 0);
	ck_assert(p.is_dup && p.retain && p.qos == 1 && p.id == 5 && str_is(p.topic, "t") && p.payload.n == 2);
}
END_TEST

START_TEST(a_client_writes_what_servers_read)
{
	uint8_t b[200];
	struct writer w = writer_of(b, sizeof b);
	const struct mqtt_filter v[] = { { .filter = STR("a/#"), .qos = 1 }, { .filter = STR("b"), .qos = 2, .no_local = true, .retain_handling = 2 } };
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 7, MQTT_311, v, 2);
	expect_octets(&w, "820c 0007 0003612f23 01 000162 02");
	w = writer_of(b, sizeof b);
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 7, MQTT_5, v, 2);
	expect_octets(&w, "820d 0007 00 0003612f23 01 000162 26");
	w = writer_of(b, sizeof b);
	mqtt_filters_write(&w, MQTT_UNSUBSCRIBE, 8, MQTT_311, v, 1);
	expect_octets(&w, "a207 0008 0003612f23");
	w = writer_of(b, sizeof b);
	mqtt_publish_head_write(&w, MQTT_311, &(struct mqtt_publish){ .qos = 2, .id = 9, .topic = STR("t"), .payload = { b, 3 } });
	expect_octets(&w, "3408 000174 0009");
	w = writer_of(b, sizeof b);
	mqtt_disconnect_write(&w, MQTT_311, 0, STR(""));
	expect_octets(&w, "e000");
	w = writer_of(b, sizeof b);
	mqtt_ping_write(&w, MQTT_PINGREQ);
	expect_octets(&w, "c000");
	w = writer_of(b, 3);
	mqtt_filters_write(&w, MQTT_SUBSCRIBE, 7, MQTT_311, v, 2);
	ck_assert(w.failed);
}
END_TEST

START_TEST(a_packet_cut_anywhere_is_not_read)
{
	struct mqtt_frame f = frame_of(PAHO_CONNECT);
	struct mqtt_connect c;
	for (size_t n = 0; n < f.body.n; n++)
		ck_assert_int_ne(mqtt_connect_read((struct slice){ f.body.p, n }, &c), 0);
}
END_TEST

START_TEST(more_user_properties_than_anybody_needs_are_refused)
{
	for (size_t n = MQTT_USER_PROPS_MAX; n <= MQTT_USER_PROPS_MAX + 1; n++) {
		struct writer w = writer_of(octets, sizeof octets);
		mqtt_str_write(&w, STR("t"));
		mqtt_varint_write(&w, (uint32_t)(n * 5));
		for (size_t i = 0; i < n; i++)
			writer_put(&w, "\x26\0\0\0\0", 5);
		struct mqtt_publish p;
		ck_assert_int_eq(mqtt_publish_read(0, (struct slice){ w.p, w.len }, MQTT_5, &p), n > MQTT_USER_PROPS_MAX ? MQTT_QUOTA : 0);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_packet");
	TCase *t = tcase_create("packets");
	tcase_add_test(t, remaining_lengths_are_those_of_table_2_4);
	tcase_add_test(t, a_frame_says_how_much_it_needs);
	tcase_add_test(t, a_connect_of_paho_is_read_and_written);
	tcase_add_test(t, absent_is_not_empty);
	tcase_add_test(t, a_client_reads_what_mosquitto_answers);
	tcase_add_test(t, a_client_writes_what_servers_read);
	tcase_add_test(t, a_packet_cut_anywhere_is_not_read);
	tcase_add_test(t, more_user_properties_than_anybody_needs_are_refused);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
