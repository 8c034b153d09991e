/** @file MAC settings of a device: every field is read in all its spellings, written as The Things Stack does, and refused by name. */
#include "as/core/registry/mac_settings.h"
#include "proto/lorawan/version.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct mac_settings m;
static struct problem p;

static int read_text(const char *text)
{
	static struct json_tok tok[256];
	struct json j;
	p = (struct problem){ .field = "" };
	ck_assert_int_eq(json_parse(str_of(text), tok, 256, &j, NULL), 0);
	return mac_settings_read(&j, json_root(&j), true, &m, &p);
}

static const char *written(void)
{
	static char buf[4096];
	struct text t = text_fixed(buf, sizeof buf);
	mac_settings_write(&t, &m);
	ck_assert(!t.failed);
	return buf;
}

static void setup(void)
{
	m = (struct mac_settings){ .has = 0 };
}

START_TEST(every_field_has_a_rule)
{
	const struct schema *s = mac_settings_schema();
	const struct mac_rule *r;
	const struct field *f;
	unsigned bit;
	uint64_t seen = 0;
	for (size_t i = 0; (f = NULL, r = mac_rule_at(i, &f, &bit)); i++) {
		ck_assert_msg(f != NULL, "%s is no field of the message", r->json);
		seen |= UINT64_C(1) << bit;
	}
	for (unsigned i = 0; i < s->n; i++)
		ck_assert_msg(seen >> i & 1, "%s has no rule", s->f[i].json);
}
END_TEST

/** A text, and how it is written; NULL: as it came. */
static const struct {
	const char *in, *out;
} spellings[] = {
	{ "{\"rx1_delay\":5}", "{\"rx1_delay\":\"RX_DELAY_5\"}" },
	{ "{\"desired_rx1_delay\":{\"value\":\"RX_DELAY_1\"}}", "{\"desired_rx1_delay\":\"RX_DELAY_1\"}" },
	{ "{\"rx1_data_rate_offset\":{}}", "{\"rx1_data_rate_offset\":\"DATA_RATE_OFFSET_0\"}" },
	{ "{\"desired_rx1_data_rate_offset\":\"DATA_RATE_OFFSET_2\"}", NULL },
	{ "{\"rx2_data_rate_index\":\"3\"}", "{\"rx2_data_rate_index\":\"DATA_RATE_3\"}" },
	{ "{\"desired_rx2_data_rate_index\":\"DATA_RATE_3\"}", NULL },
	{ "{\"rx2_frequency\":869525000}", "{\"rx2_frequency\":\"869525000\"}" },
	{ "{\"desired_rx2_frequency\":\"869525000\"}", NULL },
	{ "{\"factory_preset_frequencies\":[868100000,\"868300000\"]}", "{\"factory_preset_frequencies\":[\"868100000\",\"868300000\"]}" },
	{ "{\"factory_preset_frequencies\":\"868100000,868300000\"}", "{\"factory_preset_frequencies\":[\"868100000\",\"868300000\"]}" },
	{ "{\"desired_downlink_frequencies\":[869525000]}", "{\"desired_downlink_frequencies\":[\"869525000\"]}" },
	{ "{\"max_duty_cycle\":\"DUTY_CYCLE_1024\"}", NULL },
	{ "{\"desired_max_duty_cycle\":3}", "{\"desired_max_duty_cycle\":\"DUTY_CYCLE_8\"}" },
	{ "{\"supports_32_bit_f_cnt\":{\"value\":true}}", "{\"supports_32_bit_f_cnt\":true}" },
	{ "{\"resets_f_cnt\":false}", NULL },
	{ "{\"status_time_periodicity\":\"24h\"}", "{\"status_time_periodicity\":\"86400s\"}" },
	{ "{\"status_time_periodicity\":\"86400s\"}", NULL },
	{ "{\"status_count_periodicity\":200}", NULL },
	{ "{\"desired_adr_ack_limit_exponent\":\"ADR_ACK_LIMIT_64\"}", NULL },
	{ "{\"desired_adr_ack_delay_exponent\":5}", "{\"desired_adr_ack_delay_exponent\":\"ADR_ACK_DELAY_32\"}" },
	{ "{\"desired_max_eirp\":\"DEVICE_EIRP_16\"}", NULL },
	{ "{\"desired_max_eirp\":16}", "{\"desired_max_eirp\":\"DEVICE_EIRP_16\"}" },
	{ "{\"uplink_dwell_time\":true}", NULL },
	{ "{\"downlink_dwell_time\":{\"value\":false}}", "{\"downlink_dwell_time\":false}" },
	{ "{\"schedule_downlinks\":false}", NULL },
	{ "{\"class_b_timeout\":\"600s\"}", NULL },
	{ "{\"class_c_timeout\":\"5m\"}", "{\"class_c_timeout\":\"300s\"}" },
	{ "{\"class_b_c_downlink_interval\":\"1500ms\"}", "{\"class_b_c_downlink_interval\":\"1.500s\"}" },
	{ "{\"class_b_c_downlink_interval\":2}", "{\"class_b_c_downlink_interval\":\"2s\"}" },
	{ "{\"ping_slot_periodicity\":\"PING_EVERY_8S\"}", NULL },
	{ "{\"ping_slot_data_rate_index\":\"DATA_RATE_3\"}", NULL },
	{ "{\"ping_slot_frequency\":\"869525000\"}", NULL },
	{ "{\"beacon_frequency\":\"869525000\"}", NULL },
	{ "{\"desired_ping_slot_data_rate_index\":\"DATA_RATE_3\"}", NULL },
	{ "{\"desired_ping_slot_frequency\":\"869525000\"}", NULL },
	{ "{\"desired_beacon_frequency\":\"869525000\"}", NULL },
	{ "{\"desired_rejoin_time_periodicity\":\"REJOIN_TIME_3\"}", NULL },
	{ "{\"desired_rejoin_count_periodicity\":\"REJOIN_COUNT_64\"}", NULL },
	{ "{\"use_adr\":true}", NULL },
	{ "{\"adr_margin\":12.5}", NULL },
	{ "{\"adr\":{\"dynamic\":{\"margin\":{\"value\":10},\"min_data_rate_index\":\"DATA_RATE_1\",\"max_data_rate_index\":\"DATA_RATE_5\","
	  "\"min_tx_power_index\":0,\"max_tx_power_index\":3,\"min_nb_trans\":1,\"max_nb_trans\":2,"
	  "\"channel_steering\":{\"lora_narrow\":{}},\"overrides\":{\"data_rate_5\":{\"max_nb_trans\":3}}}}}",
	  "{\"adr\":{\"dynamic\":{\"margin\":10,\"min_data_rate_index\":\"DATA_RATE_1\",\"max_data_rate_index\":\"DATA_RATE_5\","
	  "\"min_tx_power_index\":0,\"max_tx_power_index\":3,\"min_nb_trans\":1,\"max_nb_trans\":2,"
	  "\"channel_steering\":{\"lora_narrow\":true},\"overrides\":{\"data_rate_5\":{\"max_nb_trans\":3}}}}}" },
	{ "{\"adr\":{\"static\":{\"data_rate_index\":\"DATA_RATE_5\",\"tx_power_index\":1,\"nb_trans\":2}}}", NULL },
	{ "{\"adr\":{\"disabled\":true}}", "{\"adr\":{\"disabled\":{}}}" },
	{ "{\"adr\":{\"disabled\":{}}}", NULL },
	{ "{\"rx1_delay\":null}", "{}" },
};

START_TEST(every_spelling_is_understood_and_written_as_one)
{
	ck_assert_msg(read_text(spellings[_i].in) == 0, "%s: %s %s", spellings[_i].in, p.field, p.message);
	const char *expected = spellings[_i].out ? spellings[_i].out : spellings[_i].in;
	ck_assert_str_eq(written(), expected);
	/* What is written is read again as the same. */
	setup();
	ck_assert_int_eq(read_text(expected), 0);
	ck_assert_str_eq(written(), expected);
}
END_TEST

static const struct {
	const char *in, *field;
} wrongs[] = {
	{ "{\"rx1_delay\":16}", "mac_settings.rx1_delay" },
	{ "{\"rx1_delay\":\"DATA_RATE_1\"}", "mac_settings.rx1_delay" },
	{ "{\"rx2_data_rate_index\":\"DATA_RATE_16\"}", "mac_settings.rx2_data_rate_index" },
	{ "{\"max_duty_cycle\":\"DUTY_CYCLE_3\"}", "mac_settings.max_duty_cycle" },
	{ "{\"desired_max_eirp\":15}", "mac_settings.desired_max_eirp" },
	{ "{\"use_adr\":\"perhaps\"}", "mac_settings.use_adr" },
	{ "{\"status_time_periodicity\":\"soon\"}", "mac_settings.status_time_periodicity" },
	{ "{\"factory_preset_frequencies\":{\"a\":1}}", "mac_settings.factory_preset_frequencies" },
	{ "{\"factory_preset_frequencies\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "mac_settings.factory_preset_frequencies" },
	{ "{\"adr\":{\"dynamic\":{},\"static\":{}}}", "mac_settings.adr" },
	{ "{\"adr\":{}}", "mac_settings.adr" },
	{ "{\"adr\":3}", "mac_settings.adr" },
	{ "{\"adr\":{\"dynamic\":{\"margin\":\"much\"}}}", "mac_settings.adr.dynamic.margin" },
	{ "{\"adr\":{\"dynamic\":{\"min_nb_trans\":0}}}", "mac_settings.adr.dynamic.min_nb_trans" },
	{ "{\"adr\":{\"dynamic\":{\"overrides\":{\"data_rate_16\":{}}}}}", "mac_settings.adr.dynamic.overrides" },
	{ "{\"adr\":{\"static\":{\"nb_trans\":16}}}", "mac_settings.adr.static.nb_trans" },
	{ "{\"adr\":{\"static\":{\"margin\":3}}}", "mac_settings.adr.static.margin" },
	{ "{\"relay\":{\"serving\":{}}}", "mac_settings.relay" },
	{ "{\"whim\":1}", "mac_settings.whim" },
};

START_TEST(what_is_wrong_is_named)
{
	ck_assert_int_eq(read_text(wrongs[_i].in), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, wrongs[_i].field);
	ck_assert(p.message[0]);
}
END_TEST

START_TEST(one_mode_of_adr_takes_the_place_of_another_and_the_rest_stays)
{
	ck_assert_int_eq(read_text("{\"rx1_delay\":2,\"adr\":{\"dynamic\":{\"margin\":10,\"max_nb_trans\":2}}}"), 0);
	ck_assert_int_eq(read_text("{\"adr\":{\"dynamic\":{\"margin\":12}}}"), 0);
	ck_assert_str_eq(written(), "{\"rx1_delay\":\"RX_DELAY_2\",\"adr\":{\"dynamic\":{\"margin\":12,\"max_nb_trans\":2}}}");
	ck_assert_int_eq(read_text("{\"adr\":{\"static\":{\"data_rate_index\":3}}}"), 0);
	ck_assert_str_eq(written(), "{\"rx1_delay\":\"RX_DELAY_2\",\"adr\":{\"static\":{\"data_rate_index\":\"DATA_RATE_3\"}}}");
	ck_assert_int_eq(read_text("{\"adr\":null}"), 0);
	ck_assert_str_eq(written(), "{\"rx1_delay\":\"RX_DELAY_2\"}");
}
END_TEST

static const struct {
	const char *in;
	uint32_t version;
	const char *field; /**< "": possible */
} bands[] = {
	{ "{\"desired_rx2_frequency\":869525000}", LW_1_0_3, "" },
	{ "{\"desired_rx2_frequency\":869300000}", LW_1_0_3, "mac_settings.desired_rx2_frequency" },
	{ "{\"adr\":{\"static\":{\"data_rate_index\":12}}}", LW_1_0_3, "mac_settings.adr.static.data_rate_index" },
	{ "{\"adr\":{\"dynamic\":{\"max_tx_power_index\":8}}}", LW_1_0_3, "mac_settings.adr.dynamic.max_tx_power_index" },
	{ "{\"adr\":{\"dynamic\":{\"min_data_rate_index\":4,\"max_data_rate_index\":3}}}", LW_1_0_3, "mac_settings.adr.dynamic.min_data_rate_index" },
	{ "{\"desired_max_eirp\":14}", LW_1_0_3, "mac_settings.desired_max_eirp" },
	{ "{\"uplink_dwell_time\":true}", LW_1_0_3, "mac_settings.uplink_dwell_time" },
	{ "{\"uplink_dwell_time\":false}", LW_1_0_3, "" },
	{ "{\"desired_adr_ack_limit_exponent\":5}", LW_1_0_4, "mac_settings.desired_adr_ack_limit_exponent" },
	{ "{\"desired_adr_ack_limit_exponent\":5}", LW_1_1_0, "" },
	{ "{\"desired_rejoin_count_periodicity\":5}", LW_1_0_4, "mac_settings.desired_rejoin_count_periodicity" },
	{ "{\"factory_preset_frequencies\":[915000000]}", LW_1_0_3, "mac_settings.factory_preset_frequencies" },
	{ "{\"desired_downlink_frequencies\":[862000000]}", LW_1_0_3, "mac_settings.desired_downlink_frequencies" },
};

START_TEST(what_the_band_or_the_version_does_not_have_is_refused)
{
	ck_assert_int_eq(read_text(bands[_i].in), 0);
	p = (struct problem){ .field = "" };
	int e = mac_settings_check(&m, "EU_863_870", bands[_i].version, RP_1_0_3_A, &p);
	ck_assert_msg((e == 0) == !bands[_i].field[0], "%s", bands[_i].in);
	ck_assert_str_eq(p.field, bands[_i].field);
}
END_TEST

START_TEST(what_has_no_effect_can_be_dropped)
{
	m = (struct mac_settings){ .has = 0 };
	MSG_SET(&m, desired_max_eirp, 16);
	MSG_SET(&m, desired_ack_limit, 6);
	MSG_SET(&m, rx1_delay, 5);
	m.factory.len = 1;
	m.factory.v[0].hz = 903900000;
	MSG_MARK(&m, factory);
	mac_settings_drop_idle(&m, "US_902_928_FSB_2", LW_1_0_3);
	ck_assert_uint_eq(m.has, HAS(mac_settings, rx1_delay));
	MSG_SET(&m, desired_max_eirp, 16);
	mac_settings_drop_idle(&m, "AS_923", LW_1_0_3);
	ck_assert(MSG_HAS(&m, desired_max_eirp));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mac_settings");
	TCase *t = tcase_create("settings");
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, every_field_has_a_rule);
	tcase_add_loop_test(t, every_spelling_is_understood_and_written_as_one, 0, (int)COUNT(spellings));
	tcase_add_loop_test(t, what_is_wrong_is_named, 0, (int)COUNT(wrongs));
	tcase_add_test(t, one_mode_of_adr_takes_the_place_of_another_and_the_rest_stays);
	tcase_add_test(t, what_has_no_effect_can_be_dropped);
	tcase_add_loop_test(t, what_the_band_or_the_version_does_not_have_is_refused, 0, (int)COUNT(bands));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
