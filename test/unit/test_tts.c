/** @file The Things Stack's JSON, against the examples that they and the captures of their clients give. */
#include "common/core/clock.h"
#include "proto/tts/message.h"
#include "proto/tts/request.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static char out[65536];

static struct cid cid_of(const char *text)
{
	struct cid c;
	ck_assert_int_eq(cid_parse(str_of(text), &c), 0);
	return c;
}

static struct tts_up dev1(const struct cid *cids, size_t n)
{
	return (struct tts_up){
		.device = { .device_id = "dev1", .application_id = "app1", .has_dev_eui = true, .has_join_eui = true, .has_dev_addr = true,
			.dev_eui = 0x4200000000000000, .join_eui = 0x4200000000000000, .dev_addr = 0x01DA1F15 },
		.cids = cids, .n_cids = n, .received_unix_ns = UINT64_C(1548766954981000000),
	};
}

static struct ulid session_of(const char *b64)
{
	struct ulid u;
	size_t n;
	ck_assert_int_eq(base64_decode(str_of(b64), u.b, sizeof u.b, &n), 0);
	ck_assert_uint_eq(n, sizeof u.b);
	return u;
}

START_TEST(the_uplink_of_their_tutorial_comes_out_member_by_member)
{
	static struct up_data d;
	struct cid cids[] = {
		cid_of("gs:conn:01D2CSNX7FJVKQPCVG612QF1TX"), cid_of("gs:uplink:01D2CV8HF62ME0D7MZWE38HHH8"),
		cid_of("ns:uplink:01D2CV8HF6FYJHKZ45YY1DB3MR"), cid_of("rpc:/ttn.lorawan.v3.GsNs/HandleUplink:01D2CV8HF6XR7ZFVK768PDG3J4"),
		cid_of("as:up:01D2CV8HNGJ57G25BW0FCZNY07"),
	};
	struct tts_up u = dev1(cids, COUNT(cids));
	struct text t = text_fixed(out, sizeof out);
	d = (struct up_data){ .session_key_id = session_of("AWiZpAyXrAfEkUNkBljRoA=="), .dev_addr = 0x01DA1F15, .f_cnt = 0, .freq_hz = 868500000,
		.mod = { .kind = 0, .sf = 7, .bw_hz = 125000, .coding_rate = "4/6" }, .dr = 5, .received_unix_us = 1548766954981000,
		.airtime_us = 61696 };
	MSG_SET(&d, f_port, 15);
	MSG_SET(&d, device_channel, 2);
	d.rx.len = 1;
	d.rx.v[0] = (struct rx_meta){ .gateway_id = "eui-0242020000247803", .gateway_eui = 0x0242020000247803, .tmst_us = 1283325000,
		.rssi_ddbm = -350, .received_unix_us = 1548766954981000 };
	MSG_SET(&d.rx.v[0], time_unix_ns, UINT64_C(1548766954981000000));
	MSG_SET(&d.rx.v[0], snr_ddb, 50);
	MSG_SET(&d.rx.v[0], channel, 2);
	tts_uplink(&t, &u, &d, (struct slice){ (const uint8_t *)"Temperature = 0.0", 17 }, &(struct tts_extras){ 0 });
	ck_assert_str_eq(out,
		"{\"end_device_ids\":{\"device_id\":\"dev1\",\"application_ids\":{\"application_id\":\"app1\"},\"dev_eui\":\"4200000000000000\","
		"\"join_eui\":\"4200000000000000\",\"dev_addr\":\"01DA1F15\"},"
		"\"correlation_ids\":[\"gs:conn:01D2CSNX7FJVKQPCVG612QF1TX\",\"gs:uplink:01D2CV8HF62ME0D7MZWE38HHH8\","
		"\"ns:uplink:01D2CV8HF6FYJHKZ45YY1DB3MR\",\"rpc:/ttn.lorawan.v3.GsNs/HandleUplink:01D2CV8HF6XR7ZFVK768PDG3J4\","
		"\"as:up:01D2CV8HNGJ57G25BW0FCZNY07\"],\"received_at\":\"2019-01-29T13:02:34.981Z\","
		"\"uplink_message\":{\"session_key_id\":\"AWiZpAyXrAfEkUNkBljRoA==\",\"f_port\":15,\"frm_payload\":\"VGVtcGVyYXR1cmUgPSAwLjA=\","
		"\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"eui-0242020000247803\",\"eui\":\"0242020000247803\"},"
		"\"time\":\"2019-01-29T13:02:34.981Z\",\"timestamp\":1283325000,\"rssi\":-35,\"channel_rssi\":-35,\"snr\":5,"
		"\"uplink_token\":\"CiIKIAoUZXVpLTAyNDIwMjAwMDAyNDc4MDMSCAJCAgAAJHgDEMj49+ME\",\"channel_index\":2,"
		"\"received_at\":\"2019-01-29T13:02:34.981Z\"}],"
		"\"settings\":{\"data_rate\":{\"lora\":{\"bandwidth\":125000,\"spreading_factor\":7,\"coding_rate\":\"4/6\"}},\"data_rate_index\":5,"
		"\"coding_rate\":\"4/6\",\"frequency\":\"868500000\",\"gateway_channel_index\":2,\"device_channel_index\":2,"
		"\"timestamp\":1283325000,\"time\":\"2019-01-29T13:02:34.981Z\"},"
		"\"received_at\":\"2019-01-29T13:02:34.981Z\",\"consumed_airtime\":\"0.061696s\"}}");
}
END_TEST

START_TEST(a_measurement_and_a_location_are_messages_of_their_own)
{
	struct cid c = cid_of("gs:conn:01D2CSNX7FJVKQPCVG612QF1TX");
	struct tts_up u = dev1(&c, 1);
	struct up_data d = { .session_key_id = session_of("AWiZpAyXrAfEkUNkBljRoA=="), .f_cnt = 1041, .freq_hz = 867100000, .received_unix_us = 1548766954000000,
		.airtime_us = 61696 };
	struct tts_extras x = { .decoded_payload = "{\"t\":21.5}", .decoded_warnings = "[\"old\"]", .normalized_payload = "[{\"air\":{\"temperature\":21.5}}]",
		.normalized_warnings = "[\"w\"]" };
	struct tts_location l = { .latitude_e9 = 52100000000, .longitude_e9 = 4300000000, .altitude_m = 3, .accuracy_m = 12 };
	struct text t = text_fixed(out, sizeof out);
	MSG_SET(&d, f_port, 2);
	u.locations = "{\"user\":{\"latitude\":5}}";
	tts_uplink(&t, &u, &d, (struct slice){ (const uint8_t *)"\1", 1 }, &x);
	ck_assert_ptr_nonnull(strstr(out, "\"frm_payload\":\"AQ==\",\"decoded_payload\":{\"t\":21.5},\"decoded_payload_warnings\":[\"old\"],"
		"\"normalized_payload\":[{\"air\":{\"temperature\":21.5}}],\"normalized_payload_warnings\":[\"w\"],\"rx_metadata\":"));
	text_reset(&t);
	tts_normalized(&t, &u, &d, STR("{\"air\":{\"temperature\":21.5}}"), "");
	ck_assert_ptr_nonnull(strstr(out, "\"uplink_normalized\":{\"session_key_id\":\"AWiZpAyXrAfEkUNkBljRoA==\",\"f_port\":2,\"f_cnt\":1041,"
		"\"normalized_payload\":{\"air\":{\"temperature\":21.5}},\"rx_metadata\":[],\"settings\":{\"frequency\":\"867100000\"},"
		"\"received_at\":\"2019-01-29T13:02:34Z\",\"consumed_airtime\":\"0.061696s\",\"locations\":{\"user\":{\"latitude\":5}}}}"));
	text_reset(&t);
	tts_location_solved(&t, &u, "frm-payload", &l);
	ck_assert_ptr_nonnull(strstr(out, "\"location_solved\":{\"service\":\"frm-payload\",\"location\":{\"latitude\":52.1,\"longitude\":4.3,\"altitude\":3,"
		"\"accuracy\":12,\"source\":\"SOURCE_GPS\"}}}"));
}
END_TEST

START_TEST(the_join_of_their_tutorial_comes_out)
{
	struct cid c = cid_of("gs:conn:01D2CSNX7FJVKQPCVG612QF1TX");
	struct tts_up u = dev1(&c, 1);
	struct up_join j = { .session_key_id = session_of("AWiZpAyXrAfEkUNkBljRoA=="), .received_unix_us = 1548766954000000 };
	struct text t = text_fixed(out, sizeof out);
	tts_join(&t, &u, &j);
	ck_assert_ptr_nonnull(strstr(out, ",\"join_accept\":{\"session_key_id\":\"AWiZpAyXrAfEkUNkBljRoA==\",\"received_at\":\"2019-01-29T13:02:34Z\"}}"));
}
END_TEST

START_TEST(the_ack_of_their_tutorial_comes_out)
{
	static const char own[] = "my-correlation-id";
	struct tts_up u = dev1(NULL, 0);
	struct tts_downlink d = { .has_session = true, .has_f_cnt = true, .session_key_id = session_of("AWnj0318qrtJ7kbudd8Vmw=="), .f_cnt = 11,
		.f_port = 15, .priority = 3, .payload = { (const uint8_t *)"\xbe\xef", 2 }, .confirmed = true, .own_cids = own, .own_cids_n = sizeof own };
	struct text t = text_fixed(out, sizeof out);
	u.own_cids = own;
	u.own_cids_n = sizeof own;
	tts_down(&t, &u, TTS_ACK, &d, NULL);
	ck_assert_ptr_nonnull(strstr(out, ",\"correlation_ids\":[\"my-correlation-id\"],"));
	ck_assert_ptr_nonnull(strstr(out, "\"downlink_ack\":{\"session_key_id\":\"AWnj0318qrtJ7kbudd8Vmw==\",\"f_port\":15,\"f_cnt\":11,"
		"\"frm_payload\":\"vu8=\",\"confirmed\":true,\"priority\":\"NORMAL\",\"correlation_ids\":[\"my-correlation-id\"]}}"));
}
END_TEST

START_TEST(a_failure_names_its_error_and_attributes)
{
	struct tts_up u = dev1(NULL, 0);
	struct tts_error e = { .row = down_error_find(STR("application_downlink_too_long")), .num_attribute = { "length", "max" },
		.num_value = { 230, 51 } };
	struct text t = text_fixed(out, sizeof out);
	tts_down(&t, &u, TTS_FAILED, NULL, &e);
	ck_assert_ptr_nonnull(strstr(out, "\"downlink_failed\":{\"error\":{\"namespace\":\"pkg/networkserver\",\"name\":\"application_downlink_too_long\","
		"\"message_format\":\"application downlink payload length {length} exceeds maximum {max}\",\"attributes\":{\"length\":230,\"max\":51},"
		"\"correlation_id\":\"00000000000000000000000000000000\",\"code\":3}}}"));
}
END_TEST

START_TEST(a_device_status_says_percent_and_external_power)
{
	struct tts_up u = dev1(NULL, 0);
	struct text t = text_fixed(out, sizeof out);
	tts_status(&t, &u, &(struct up_status){ .battery = 254, .margin_db = -3, .f_cnt = 7 });
	ck_assert_ptr_nonnull(strstr(out, "\"data\":{\"battery_level\":254,\"battery_percentage\":100,\"external_power\":false,\"margin\":-3,\"f_cnt\":7}"));
	text_reset(&t);
	tts_status(&t, &u, &(struct up_status){ .battery = 0, .margin_db = 5 });
	ck_assert_ptr_nonnull(strstr(out, "\"data\":{\"battery_level\":0,\"external_power\":true,\"margin\":5,\"f_cnt\":0}"));
}
END_TEST

/** Read the first item of a request. @param encoded  what a formatter made of its values; NULL: there is none */
static int read_encoded(const char *body, const struct tts_encoded *encoded, struct tts_item *ret, struct tts_error *err)
{
	static struct json_tok tok[256];
	struct json j;
	const char *reason;
	ck_assert_int_eq(json_parse(str_of(body), tok, COUNT(tok), &j, NULL), 0);
	json_val items = tts_request_items(&j, &reason);
	ck_assert_int_ge(items, 0);
	return tts_request_item(&j, json_first(&j, items), encoded, ret, err);
}

static int read_item(const char *body, struct tts_item *ret, struct tts_error *err)
{
	return read_encoded(body, NULL, ret, err);
}

START_TEST(their_examples_of_a_push_are_taken)
{
	struct tts_item i;
	struct tts_error e;
	/* The first one has a comma too many, as printed. */
	ck_assert_int_eq(read_item("{\n  \"downlinks\": [{\n    \"f_port\": 15,\n    \"frm_payload\": \"vu8=\",\n    \"priority\": \"NORMAL\",\n  }]\n}", &i, &e), 0);
	ck_assert_uint_eq(i.f_port, 15);
	ck_assert_mem_eq(i.payload, "\xbe\xef", 2);
	ck_assert_uint_eq(i.priority, 3);
	ck_assert(!i.confirmed);
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":15,\"frm_payload\":\"vu8=\",\"priority\":\"HIGH\",\"confirmed\":true,"
		"\"correlation_ids\":[\"my-correlation-id\"]}]}", &i, &e), 0);
	ck_assert_uint_eq(i.priority, 5);
	ck_assert(i.confirmed);
	ck_assert_str_eq(i.own_cids, "my-correlation-id");
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":15,\"frm_payload\":\"vu8=\",\"class_b_c\":{\"gateways\":[{\"gateway_ids\":"
		"{\"gateway_id\":\"gtw1\"}}]}}]}", &i, &e), 0);
	ck_assert_str_eq(i.class_b_c, "{\"gateways\":[{\"gateway_ids\":{\"gateway_id\":\"gtw1\"}}]}");
}
END_TEST

START_TEST(input_is_read_as_tolerantly_as_theirs)
{
	struct tts_item i;
	struct tts_error e;
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"fPort\":\"7\",\"frmPayload\":\"_-8\",\"priority\":6,\"unknown\":{\"a\":[1]},"
		"\"confirmedRetry\":{\"maxAttempts\":3},\"decoded_payload\":{\"x\":1}}]}", &i, &e), 0);
	ck_assert_uint_eq(i.f_port, 7);
	ck_assert_mem_eq(i.payload, "\xff\xef", 2);
	ck_assert_uint_eq(i.priority, 6);
	ck_assert_uint_eq(i.max_attempts, 3);
}
END_TEST

START_TEST(what_cannot_be_queued_is_refused_by_name)
{
	static const struct { const char *body, *name; } rows[] = {
		{ "{\"downlinks\":[{\"frm_payload\":\"AQ==\"}]}", "no_f_port" },
		{ "{\"downlinks\":[{\"f_port\":0,\"frm_payload\":\"AQ==\"}]}", "invalid_f_port" },
		{ "{\"downlinks\":[{\"f_port\":234,\"frm_payload\":\"AQ==\"}]}", "invalid_f_port" },
		{ "{\"downlinks\":[{\"f_port\":1}]}", "no_payload" },
		{ "{\"downlinks\":[{\"f_port\":1,\"decoded_payload\":{}}]}", "no_encoder" },
		{ "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"%\"}]}", "invalid_payload" },
		{ "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"priority\":\"SOON\"}]}", "invalid_priority" },
		{ "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"correlation_ids\":\"x\"}]}", "invalid_correlation_ids" },
		{ "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"confirmed_retry\":{\"max_attempts\":33}}]}", "invalid_confirmed_retry" },
		{ "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"class_b_c\":{\"absolute_time\":\"soon\"}}]}", "invalid_class_b_c" },
		{ "{\"downlinks\":[7]}", "invalid_json" },
	};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct tts_item i;
		struct tts_error e;
		ck_assert_int_eq(read_item(rows[k].body, &i, &e), TTS_E_REFUSED);
		ck_assert_ptr_nonnull(e.row);
		ck_assert_str_eq(e.row->name, rows[k].name);
	}
}
END_TEST

START_TEST(a_refused_item_goes_back_as_it_was_asked_for)
{
	struct tts_item i;
	struct tts_error e;
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":240,\"frm_payload\":\"vu8=\",\"priority\":"
				   "\"HIGH\",\"confirmed\":true,"
				   "\"correlation_ids\":[\"a\",\"b\"]}]}",
				 &i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "invalid_f_port");
	ck_assert_uint_eq(e.num_value[0], 240);
	ck_assert_uint_eq(i.f_port, 240);
	ck_assert_mem_eq(i.payload, "\xbe\xef", 2);
	ck_assert_uint_eq(i.priority, 5);
	ck_assert(i.confirmed);
	ck_assert_uint_eq(i.own_cids_n, 4);
	ck_assert_int_eq(
		read_item(
			"{\"downlinks\":[{\"f_port\":\"x\",\"frm_payload\":\"vu8=\",\"priority\":\"SOON\"}]}",
			&i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "invalid_f_port");
	ck_assert_str_eq(e.text_value, "x");
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":-1,\"frm_payload\":\"vu8=\"}]}", &i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.text_value, "-1");
}
END_TEST

START_TEST(what_is_empty_is_left_out_of_a_downlink)
{
	struct ulid id = {{1}};
	struct tts_downlink d = {.item = &id};
	struct text t = text_fixed(out, sizeof out);
	tts_downlink_object(&t, &d);
	ck_assert_str_eq(out, "{\"correlation_ids\":[\"as:downlink:01000000000000000000000000\"]}");
}
END_TEST

START_TEST(an_empty_payload_is_one_and_not_what_a_formatter_would_make)
{
	struct tts_item i;
	struct tts_error e;
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"\"}]}", &i, &e), 0);
	ck_assert_uint_eq(i.payload_n, 0);
	ck_assert_int_eq(
		read_item(
			"{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"\",\"decoded_payload\":{\"a\":1}}]}",
			&i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "no_encoder");
	ck_assert_int_eq(
		read_item("{\"downlinks\":[{\"f_port\":1,\"frm_payload\":null,\"decoded_payload\":null}]}",
			&i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "no_payload");
}
END_TEST

START_TEST(what_an_encoder_made_takes_the_place_of_the_values)
{
	static const struct {
		const char *body;
		struct tts_encoded encoded;
		int port;         /* of the item; negative: it is refused */
		const char *name; /* of the error */
	} rows[] = {
		{ "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{\"a\":1}}]}", { .bytes = { (const uint8_t *)"\1\2", 2 } }, 5, NULL },
		{ "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 9 }, 9, NULL },
		{ "{\"downlinks\":[{\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 9, .f_port_else = 1 }, 9, NULL },
		{ "{\"downlinks\":[{\"f_port\":0,\"decoded_payload\":{}}]}", { .f_port_else = 1 }, 1, NULL },
		{ "{\"downlinks\":[{\"f_port\":null,\"decoded_payload\":{}}]}", { .f_port_else = 0 }, -1, "no_f_port" },
		{ "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 0 }, -1, "invalid_f_port" },
		{ "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 234 }, -1, "invalid_f_port" },
		{ "{\"downlinks\":[{\"f_port\":240,\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 9 }, -1, "invalid_f_port" },
		{ "{\"downlinks\":[{\"f_port\":\"x\",\"decoded_payload\":{}}]}", { .has_f_port = true, .f_port = 9 }, -1, "invalid_f_port" },
		{ "{\"downlinks\":[{\"decoded_payload\":{}}]}", { .refusal = "encoder_failed", .reason = "line 3: no", .line = 3 }, -1, "encoder_failed" },
		{ "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{},\"priority\":\"SOON\"}]}", { .bytes = { (const uint8_t *)"", 0 } }, -1, "invalid_priority" },
	};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct tts_item i;
		struct tts_error e;
		int r = read_encoded(rows[k].body, &rows[k].encoded, &i, &e);
		ck_assert_msg(r == (rows[k].port < 0 ? TTS_E_REFUSED : 0), "row %zu", k);
		if (r)
			ck_assert_str_eq(e.row->name, rows[k].name);
		else
			ck_assert_int_eq(i.f_port, rows[k].port);
		ck_assert_uint_eq(i.payload_n, rows[k].encoded.bytes.n);
	}
}
END_TEST

START_TEST(an_encoder_is_told_its_error_and_its_length)
{
	struct tts_item i;
	struct tts_error e;
	static const uint8_t zeros[255];
	struct tts_encoded failed = { .refusal = "encoder_failed", .reason = "line 3: no", .line = 3 }, longest = { .bytes = { zeros, 242 } },
		too_long = { .bytes = { zeros, 243 } };
	static const char body[] = "{\"downlinks\":[{\"f_port\":5,\"decoded_payload\":{}}]}";
	ck_assert_int_eq(read_encoded(body, &failed, &i, &e), TTS_E_REFUSED);
	ck_assert_str_eq(e.text_value, "line 3: no");
	ck_assert_str_eq(e.num_attribute[0], "line");
	ck_assert_uint_eq(e.num_value[0], 3);
	ck_assert_uint_eq(i.f_port, 5);
	ck_assert_int_eq(read_encoded(body, &longest, &i, &e), 0);
	ck_assert_uint_eq(i.payload_n, 242);
	ck_assert_int_eq(read_encoded(body, &too_long, &i, &e), TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "payload_too_long");
	ck_assert_uint_eq(e.num_value[0], 243);
	/* frm_payload wins. */
	ck_assert_int_eq(read_encoded("{\"downlinks\":[{\"f_port\":5,\"frm_payload\":\"vu8=\",\"decoded_payload\":{}}]}", NULL, &i, &e), 0);
	ck_assert_mem_eq(i.payload, "\xbe\xef", 2);
}
END_TEST

START_TEST(values_are_shown_behind_the_octets_that_they_became)
{
	struct tts_downlink d = { .f_port = 5, .payload = { (const uint8_t *)"\xbe\xef", 2 }, .decoded_payload = "{\"led\":\"on\"}",
		.decoded_warnings = "[\"dim\"]", .confirmed = true };
	struct text t = text_fixed(out, sizeof out);
	tts_downlink_object(&t, &d);
	/* The order of members is The Things Stack's. */
	ck_assert_str_eq(out, "{\"f_port\":5,\"frm_payload\":\"vu8=\",\"decoded_payload\":{\"led\":\"on\"},"
		"\"decoded_payload_warnings\":[\"dim\"],\"confirmed\":true}");
}
END_TEST

START_TEST(class_b_c_leaves_as_strict_json_however_it_came)
{
	struct tts_item i;
	struct tts_error e;
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"class_b_c\": { "
				   "\"gateways\" : [ {\"gatewayIds\":"
				   "{\"gateway_id\":\"gtw1\",},\"antenna_index\":\"2\",\"group_index\":0,},{"
				   "\"gateway_ids\":{\"eui\":\"aa555a0000000101\"}}, ],"
				   "\"x\":[1,],\"absolute_time\":\"2026-03-02T13:00:00+01:00\",}}]}",
				 &i, &e),
		0);
	ck_assert_str_eq(i.class_b_c,
		"{\"gateways\":[{\"gateway_ids\":{\"gateway_id\":\"gtw1\"},\"antenna_index\":2},"
		"{\"gateway_ids\":{\"eui\":\"AA555A0000000101\"}}],\"absolute_time\":\"2026-03-02T12:00:"
		"00Z\"}");
	ck_assert_int_eq(read_item("{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"class_b_c\":{"
				   "\"gateways\":[{}]}}]}",
				 &i, &e),
		TTS_E_REFUSED);
	ck_assert_str_eq(e.row->name, "invalid_class_b_c");
}
END_TEST

START_TEST(own_ids_have_a_hundred_characters_of_any_script)
{
	char body[2048];
	struct tts_item i;
	struct tts_error e;
	for (unsigned n = 100; n <= 101; n++) {
		struct text t = text_fixed(body, sizeof body);
		text_puts(
			&t, "{\"downlinks\":[{\"f_port\":1,\"frm_payload\":\"AQ==\",\"correlation_ids\":[\"");
		for (unsigned k = 0; k < n; k++)
			text_puts(&t, "\xe2\x82\xac");
		text_puts(&t, "\"]}]}");
		ck_assert_int_eq(read_item(body, &i, &e), n == 100 ? 0 : TTS_E_REFUSED);
	}
	ck_assert_str_eq(e.row->name, "invalid_correlation_ids");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("tts");
	TCase *t = tcase_create("messages");
	tcase_add_test(t, the_uplink_of_their_tutorial_comes_out_member_by_member);
	tcase_add_test(t, a_measurement_and_a_location_are_messages_of_their_own);
	tcase_add_test(t, the_join_of_their_tutorial_comes_out);
	tcase_add_test(t, the_ack_of_their_tutorial_comes_out);
	tcase_add_test(t, a_failure_names_its_error_and_attributes);
	tcase_add_test(t, a_device_status_says_percent_and_external_power);
	tcase_add_test(t, their_examples_of_a_push_are_taken);
	tcase_add_test(t, input_is_read_as_tolerantly_as_theirs);
	tcase_add_test(t, what_cannot_be_queued_is_refused_by_name);
	tcase_add_test(t, a_refused_item_goes_back_as_it_was_asked_for);
	tcase_add_test(t, what_is_empty_is_left_out_of_a_downlink);
	tcase_add_test(t, an_empty_payload_is_one_and_not_what_a_formatter_would_make);
	tcase_add_test(t, what_an_encoder_made_takes_the_place_of_the_values);
	tcase_add_test(t, an_encoder_is_told_its_error_and_its_length);
	tcase_add_test(t, values_are_shown_behind_the_octets_that_they_became);
	tcase_add_test(t, class_b_c_leaves_as_strict_json_however_it_came);
	tcase_add_test(t, own_ids_have_a_hundred_characters_of_any_script);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
