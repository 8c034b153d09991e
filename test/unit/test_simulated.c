/** @file Uplinks that somebody makes up: what is said comes out as of a device, what is not said does not. */
#include "as/core/simulated.h"
#include "proto/tts/message.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct simulated s;
static struct problem p;
static char out[65536];

static int read_text(const char *text)
{
	static struct json_tok tok[1024];
	struct json j;
	ck_assert_int_eq(json_parse(str_of(text), tok, COUNT(tok), &j, NULL), 0);
	memset(&p, 0, sizeof p);
	return simulated_read(&j, json_root(&j), UINT64_C(1548766954981000), &s, &p);
}

/** It comes out so; check's own messages are too short to say the difference. */
static void shows(const char *text, const char *want)
{
	ck_assert_msg(!read_text(text), "%s %s", p.field, p.message);
	struct text t = text_fixed(out, sizeof out);
	struct tts_up u = { .device = { .device_id = "dev1", .application_id = "app1" }, .received_unix_ns = UINT64_C(1548766954981000000),
		.is_simulated = true, .own_cids = s.item.own_cids, .own_cids_n = s.item.own_cids_n };
	tts_uplink(&t, &u, &s.data, (struct slice){ s.item.payload, s.item.payload_n }, &(struct tts_extras){ .decoded_payload = s.decoded });
	if (strcmp(out, want))
		fprintf(stderr, "is   %s\nmust %s\n", out, want);
	ck_assert_int_eq(strcmp(out, want), 0);
}

#define HEAD "{\"end_device_ids\":{\"device_id\":\"dev1\",\"application_ids\":{\"application_id\":\"app1\"}},"
#define AT   "\"received_at\":\"2019-01-29T13:02:34.981Z\""

START_TEST(what_is_not_said_is_left_out)
{
	shows("{\"uplink_message\":{}}",
		HEAD AT ",\"uplink_message\":{\"rx_metadata\":[],\"settings\":{}," AT "},\"simulated\":true}");
}
END_TEST

START_TEST(what_is_said_comes_out)
{
	shows("{\"end_device_ids\":{\"device_id\":\"other\"},\"correlation_ids\":[\"my-id\"],\"uplink_message\":{"
		"\"session_key_id\":\"AWiZpAyXrAfEkUNkBljRoA\",\"f_port\":15,\"fCnt\":\"7\",\"frm_payload\":\"VGVtcA\","
		"\"decoded_payload\":{\"t\": [1, 2.5,],},\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"gtw1\"},\"rssi\":-35.5,\"snr\":5,"
		"\"timestamp\":9,\"channel_index\":2}],\"settings\":{\"data_rate\":{\"lora\":{\"bandwidth\":125000,\"spreading_factor\":7,"
		"\"coding_rate\":\"4/5\"}},\"frequency\":\"868500000\"},\"received_at\":\"2019-01-29T14:00:00+01:00\",\"confirmed\":true}}",
		HEAD "\"correlation_ids\":[\"my-id\"]," AT ",\"uplink_message\":{\"session_key_id\":\"AWiZpAyXrAfEkUNkBljRoA==\","
		"\"f_port\":15,\"f_cnt\":7,\"frm_payload\":\"VGVtcA==\",\"decoded_payload\":{\"t\":[1,2.5]},"
		"\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"gtw1\"},\"timestamp\":9,\"rssi\":-35.5,\"channel_rssi\":-35.5,\"snr\":5,"
		"\"channel_index\":2,\"received_at\":\"2019-01-29T13:00:00Z\"}],"
		"\"settings\":{\"data_rate\":{\"lora\":{\"bandwidth\":125000,\"spreading_factor\":7,\"coding_rate\":\"4/5\"}},"
		"\"coding_rate\":\"4/5\",\"frequency\":\"868500000\",\"gateway_channel_index\":2,\"timestamp\":9},"
		"\"received_at\":\"2019-01-29T13:00:00Z\",\"confirmed\":true},\"simulated\":true}");
}
END_TEST

START_TEST(what_is_wrong_is_named)
{
	static const struct { const char *text, *field; } cases[] = {
		{ "{}", "uplink_message" },
		{ "{\"uplink_message\":[]}", "uplink_message" },
		{ "{\"join_accept\":{}}", "uplink_message" },
		{ "{\"uplink_message\":{},\"correlation_ids\":[1,{}]}", "correlation_ids" },
		{ "{\"uplink_message\":{\"f_port\":256}}", "uplink_message.f_port" },
		{ "{\"uplink_message\":{\"f_cnt\":4294967296}}", "uplink_message.f_cnt" },
		{ "{\"uplink_message\":{\"f_cnt\":-1}}", "uplink_message.f_cnt" },
		{ "{\"uplink_message\":{\"confirmed\":3}}", "uplink_message.confirmed" },
		{ "{\"uplink_message\":{\"frm_payload\":\"?\"}}", "uplink_message.frm_payload" },
		{ "{\"uplink_message\":{\"decoded_payload\":\"x\"}}", "uplink_message.decoded_payload" },
		{ "{\"uplink_message\":{\"session_key_id\":\"AQ==\"}}", "uplink_message.session_key_id" },
		{ "{\"uplink_message\":{\"received_at\":\"yesterday\"}}", "uplink_message.received_at" },
		{ "{\"uplink_message\":{\"rx_metadata\":{}}}", "uplink_message.rx_metadata" },
		{ "{\"uplink_message\":{\"rx_metadata\":[{}]}}", "uplink_message.rx_metadata.gateway_ids.gateway_id" },
		{ "{\"uplink_message\":{\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"g\",\"eui\":\"1\"}}]}}",
			"uplink_message.rx_metadata.gateway_ids.eui" },
		{ "{\"uplink_message\":{\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"g\"},\"rssi\":\"x\"}]}}",
			"uplink_message.rx_metadata.rssi" },
		{ "{\"uplink_message\":{\"rx_metadata\":[{\"gateway_ids\":{\"gateway_id\":\"g\"},\"snr\":1001}]}}",
			"uplink_message.rx_metadata.snr" },
		{ "{\"uplink_message\":{\"settings\":{\"frequency\":\"x\"}}}", "uplink_message.settings.frequency" },
		{ "{\"uplink_message\":{\"settings\":{\"data_rate\":{\"lora\":{\"bandwidth\":125000}}}}}",
			"uplink_message.settings.data_rate.lora" },
		{ "{\"uplink_message\":{\"settings\":{\"data_rate\":{\"fsk\":{}}}}}", "uplink_message.settings.data_rate.fsk" },
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		ck_assert_msg(read_text(cases[i].text) == REGISTRY_E_INVALID, "%s", cases[i].text);
		ck_assert_str_eq(p.field, cases[i].field);
	}
}
END_TEST

START_TEST(what_is_too_long_is_refused)
{
	static char text[SIMULATED_DECODED_MAX + 100];
	snprintf(text, sizeof text, "{\"uplink_message\":{\"frm_payload\":\"%0324d\"}}", 0); /* 243 octets */
	ck_assert_int_eq(read_text(text), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "uplink_message.frm_payload");
	snprintf(text, sizeof text, "{\"uplink_message\":{\"decoded_payload\":{\"a\":\"%0*d\"}}}", SIMULATED_DECODED_MAX, 0);
	ck_assert_int_eq(read_text(text), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "uplink_message.decoded_payload");
	snprintf(text, sizeof text, "{\"uplink_message\":{\"decoded_payload\":{\"a\":\"%0*d\"}}}", SIMULATED_DECODED_MAX - 8, 0);
	ck_assert_int_eq(read_text(text), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("simulated");
	TCase *c = tcase_create("simulated");
	tcase_add_test(c, what_is_not_said_is_left_out);
	tcase_add_test(c, what_is_said_comes_out);
	tcase_add_test(c, what_is_wrong_is_named);
	tcase_add_test(c, what_is_too_long_is_refused);
	suite_add_tcase(suite, c);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
