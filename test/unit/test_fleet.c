/** @file Devices as other networks export them: the application server's half, and the CSV of the command line. */
#include "as/cli/fleet_csv.h"
#include "as/core/join_facts.h"
#include "as/core/registry/mac_state.h"
#include "test/unit/registry_world.h"

static struct world w;
static struct app *app;
static struct problem p;

static void setup(void)
{
	world_open(&w);
	app = world_app(&w, "app1");
}

static void teardown(void)
{
	world_close(&w);
}

#define CURRENT "\"current_parameters\":{\"max_eirp\":16.15,\"adr_data_rate_index\":\"DATA_RATE_5\",\"adr_tx_power_index\":1,\"adr_nb_trans\":1," \
	"\"rx1_delay\":\"RX_DELAY_5\",\"rx2_data_rate_index\":\"DATA_RATE_3\",\"rx2_frequency\":\"869525000\"," \
	"\"adr_ack_limit_exponent\":{\"value\":\"ADR_ACK_LIMIT_128\"},\"channels\":[{\"uplink_frequency\":\"868100000\"," \
	"\"downlink_frequency\":\"868100000\",\"max_data_rate_index\":\"DATA_RATE_5\",\"enable_uplink\":true},{}," \
	"{\"uplink_frequency\":\"867500000\",\"downlink_frequency\":\"869100000\",\"max_data_rate_index\":\"DATA_RATE_5\"}]}"
#define DEVICE(version, more) \
	"{\"ids\":{\"device_id\":\"dev1\",\"dev_eui\":\"70B3D57ED0051234\",\"join_eui\":\"0000000000000001\",\"dev_addr\":\"260B0001\"}," \
	"\"lorawan_version\":\"" version "\",\"frequency_plan_id\":\"EU_863_870_TTN\",\"supports_join\":true,\"net_id\":\"000013\"," \
	"\"root_keys\":{\"app_key\":{\"key\":\"2B7E151628AED2A6ABF7158809CF4F3C\"}},\"unknown\":[1,{\"x\":2}],\"skip_payload_crypto\":true," \
	"\"session\":{\"dev_addr\":\"260B0001\",\"keys\":{\"session_key_id\":\"AaIg4eaSq0ixrhaM/J193A==\"," \
	"\"f_nwk_s_int_key\":{\"key\":\"01020304050607080102030405060708\"},\"s_nwk_s_int_key\":{\"key\":\"0102030405060708010203040506070A\"}," \
	"\"nwk_s_enc_key\":{\"key\":\"0102030405060708010203040506070B\"},\"app_s_key\":{\"key\":\"01020304050607080102030405060709\"}}," \
	"\"last_f_cnt_up\":70000,\"last_n_f_cnt_down\":12,\"started_at\":\"2026-01-02T03:04:05.5Z\"" more "}"
#define MAC(version, more) ",\"mac_state\":{" CURRENT ",\"desired_parameters\":{\"rx1_delay\":\"RX_DELAY_9\"},\"lorawan_version\":\"" version "\"" more "}}"

static struct device *brought(const char *json)
{
	struct device *d = NULL;
	ck_assert_msg(world_device(&w, app, json, &d, &p) == 0, "%s: %s", p.field, p.message);
	return d;
}

static void refused(const char *json, const char *field)
{
	ck_assert_int_eq(world_device(&w, app, json, NULL, &p), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, field);
}

static const struct ns_device *told(const struct device *d)
{
	static struct ns_device m;
	device_to_ns(d, &m);
	return &m;
}

START_TEST(a_session_reaches_the_network_server_with_its_mac)
{
	const struct ns_device *m = told(brought(DEVICE("MAC_V1_0_3", "") MAC("MAC_V1_0_3", "")));
	const struct mac_params *c = &m->session.mac.current;
	ck_assert(MSG_HAS(m, session) && MSG_HAS(&m->session, mac) && m->supports_join);
	ck_assert(m->session.last_f_cnt_up == 70000 && m->session.last_n_f_cnt_down == 12);
	ck_assert_uint_eq(m->session.started_unix_us, UINT64_C(1767323045500000));
	ck_assert(c->rx1_delay == 5 && c->rx2_dr == 3 && c->rx2_freq_hz == 869525000 && c->dr == 5 && c->power == 1 && c->max_eirp == 16);
	ck_assert(c->ack_limit == 7 && !MSG_HAS(c, ack_delay) && !MSG_HAS(c, up_dwell));
	ck_assert(MSG_HAS(c, rx1_dr_offset) && c->rx1_dr_offset == 0); /* a zero that was left out */
	ck_assert(c->channels.len == 2 && c->channels.v[1].index == 2 && c->channels.v[1].down_hz == 869100000);
	ck_assert(c->channels.v[0].enabled && !c->channels.v[1].enabled);
}
END_TEST

START_TEST(a_session_outlives_a_restart_and_ends_when_the_device_joins)
{
	struct device *d = brought(DEVICE("MAC_V1_0_3", "") MAC("MAC_V1_0_3", ""));
	ck_assert_int_eq(world_restart(&w, &p), 0);
	d = registry_device(&w.r, registry_app(&w.r, STR("app1")), STR("dev1"));
	ck_assert(told(d)->session.mac.current.rx1_delay == 5 && d->skip_payload_crypto && d->net_id == 0x13);
	uint32_t generation = d->session.generation;
	ck_assert_int_eq(registry_device_joined(&w.r, d, &w.now), 0);
	ck_assert(!MSG_HAS(told(d), session) && d->session.generation == generation && d->supports_join);
	ck_assert_str_eq(texts_get(&d->texts, TEXT_MAC_STATE), "");
}
END_TEST

START_TEST(a_mac_state_without_parameters_says_nothing)
{
	const struct ns_device *m = told(brought(DEVICE("MAC_V1_0_3", "") ",\"mac_state\":{\"device_class\":\"CLASS_A\"}}"));
	ck_assert(MSG_HAS(m, session) && !MSG_HAS(&m->session, mac));
}
END_TEST

START_TEST(a_reset_ends_the_session_of_a_device_that_joins)
{
	struct device *d = brought(DEVICE("MAC_V1_0_3", "") MAC("MAC_V1_0_3", ""));
	ck_assert_int_eq(registry_device_reset(&w.r, d, &w.now), 0);
	ck_assert(!MSG_HAS(told(d), session) && told(d)->reset == 1);
}
END_TEST

/* Before 1.1 there is one counter: the higher note of it counts. Zeros are left out, and may have been used. */
START_TEST(downlinks_go_on_behind_both_notes_of_the_counter)
{
	struct device *d = brought(DEVICE("MAC_V1_0_3", ",\"last_a_f_cnt_down\":15") MAC("MAC_V1_0_3", ""));
	ck_assert_uint_eq(told(d)->session.last_n_f_cnt_down, 15);
	ck_assert_int_eq(registry_device_delete(&w.r, d), 0);
	d = brought(DEVICE("MAC_V1_1", ",\"last_a_f_cnt_down\":15,\"last_conf_f_cnt_down\":3") ",\"last_rj_count_0\":4" MAC("MAC_V1_1", ""));
	ck_assert(told(d)->session.last_n_f_cnt_down == 12 && told(d)->session.last_a_f_cnt_down == 15);
	ck_assert(told(d)->session.last_conf_f_cnt_down == 3 && told(d)->session.last_rj_count_0 == 4);
	ck_assert_uint_eq(told(d)->session.s_nwk_s_int_key.b[15], 0x0a);
	ck_assert_int_eq(registry_device_delete(&w.r, d), 0);
	d = brought(DEVICE("MAC_V1_1", "") MAC("MAC_V1_1", ""));
	ck_assert(MSG_HAS(&told(d)->session, last_a_f_cnt_down) && told(d)->session.last_a_f_cnt_down == 0);
}
END_TEST

START_TEST(what_is_known_and_wrong_is_refused_by_name)
{
	static const char start[] = ",\"mac_state\":{\"current_parameters\":";
	static const struct {
		const char *mac, *field;
	} rows[] = {
		{ "{\"rx1_delay\":\"RX_DELAY_16\"}", "mac_state.current_parameters.rx1_delay" },
		{ "{\"rx2_data_rate_index\":\"RX_DELAY_1\"}", "mac_state.current_parameters.rx2_data_rate_index" },
		{ "{\"rx2_frequency\":\"912300000\"}", "mac_state.current_parameters.rx2_frequency" },
		{ "{\"rx1_data_rate_offset\":6}", "mac_state.current_parameters.rx1_data_rate_offset" },
		{ "{\"max_eirp\":\"much\"}", "mac_state.current_parameters.max_eirp" },
		{ "{\"uplink_dwell_time\":7}", "mac_state.current_parameters.uplink_dwell_time" },
		{ "{\"adr_data_rate_index\":14}", "mac_state.current_parameters.adr_data_rate_index" },
		{ "{\"channels\":{}}", "mac_state.current_parameters.channels" },
		{ "{\"channels\":[{\"uplink_frequency\":\"902300000\",\"max_data_rate_index\":5}]}", "mac_state.current_parameters.channels.uplink_frequency" },
		{ "{\"channels\":[{\"uplink_frequency\":868100000,\"min_data_rate_index\":5}]}", "mac_state.current_parameters.channels.min_data_rate_index" },
		{ "[]", "mac_state.current_parameters" },
		{ "{},\"device_class\":\"CLASS_D\"", "mac_state.device_class" },
		{ "{},\"lorawan_version\":\"MAC_V1_1\"", "mac_state.lorawan_version" },
		{ "{},\"rejected_adr_data_rate_indexes\":[16]", "mac_state.rejected_adr_data_rate_indexes" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char json[4096];
		snprintf(json, sizeof json, "%s%s%s}}", DEVICE("MAC_V1_0_3", ""), start, rows[i].mac);
		refused(json, rows[i].field);
	}
	refused(DEVICE("MAC_V1_0_3", ",\"last_conf_f_cnt_down\":-1") "}", "session.last_conf_f_cnt_down");
	refused("{\"ids\":{\"device_id\":\"dev1\"},\"net_id\":\"13\"}", "net_id");
}
END_TEST

START_TEST(what_was_read_is_written_alike)
{
	AUTO(text_done) struct text t = text_growing(16384), again = text_growing(16384);
	struct device *d = brought(DEVICE("MAC_V1_0_3", "") MAC("MAC_V1_0_3", ""));
	struct mac_import m, back;
	static struct json_tok tok[512];
	struct json j;
	ck_assert_int_eq(mac_state_unpack(str_of(texts_get(&d->texts, TEXT_MAC_STATE)), &m), 0);
	json_open(&t, '{');
	mac_params_write(&t, "current_parameters", &m.current);
	json_close(&t, '}');
	ck_assert_int_eq(json_parse(text_str(&t), tok, COUNT(tok), &j, NULL), 0);
	ck_assert_int_eq(mac_state_read(&j, json_root(&j), d->mac_version, &back, &p), 0);
	ck_assert_int_eq(mac_state_pack(&again, &back), 0);
	ck_assert_str_eq(again.p, texts_get(&d->texts, TEXT_MAC_STATE));
}
END_TEST

/* ---- joins ---- */

static int facts(const char *json, struct join_facts *ret)
{
	static struct json_tok tok[256];
	struct json j;
	ck_assert_int_eq(json_parse(str_of(json), tok, COUNT(tok), &j, NULL), 0);
	return join_facts_read(&j, json_root(&j), ret, &p);
}

START_TEST(nonces_that_another_join_server_saw_are_not_taken_again)
{
	static struct join_facts f;
	struct join_state s = { .join_nonce = 3 };
	uint8_t record[NONCES_RECORD_MAX], more[NONCES_RECORD_MAX];
	size_t n;
	ck_assert_int_eq(facts("{\"last_join_nonce\":7,\"used_dev_nonces\":[1,60000,1],\"last_rj_count_1\":5}", &f), 0);
	ck_assert(join_facts_any(&f) && join_facts_merge(&f, false, &s));
	ck_assert(s.join_nonce == 7 && !s.has_dev_nonce && s.has_rj_count1 && s.rj_count1 == 5);
	ck_assert(join_facts_merge_nonces(&f, (struct slice){ NULL, 0 }, record, &n));
	struct slice r = { record, n };
	ck_assert(nonces_used(r, 1) && nonces_used(r, 60000) && !nonces_used(r, 2) && !nonces_used(r, 0));
	ck_assert(!join_facts_merge(&f, false, &s) && !join_facts_merge_nonces(&f, r, more, &n));
	AUTO(text_done) struct text t = text_growing(4096);
	json_open(&t, '{');
	join_facts_write(&t, &s, false, r);
	json_close(&t, '}');
	ck_assert_str_eq(t.p, "{\"last_join_nonce\":7,\"last_rj_count_1\":5,\"used_dev_nonces\":[1,60000]}");
}
END_TEST

START_TEST(a_nonce_that_rises_goes_on_and_zero_is_one)
{
	static struct join_facts f;
	struct join_state s = { 0 };
	ck_assert_int_eq(facts("{\"last_join_nonce\":1}", &f), 0);
	ck_assert(join_facts_merge(&f, true, &s) && s.has_dev_nonce && s.nonce_rose && s.dev_nonce == 0);
	ck_assert_int_eq(facts("{\"last_join_nonce\":9,\"last_dev_nonce\":8}", &f), 0);
	ck_assert(join_facts_merge(&f, true, &s) && s.dev_nonce == 8 && s.join_nonce == 9);
	ck_assert_int_eq(facts("{\"last_join_nonce\":2,\"last_dev_nonce\":3}", &f), 0);
	ck_assert(!join_facts_merge(&f, true, &s) && s.dev_nonce == 8 && s.join_nonce == 9);
	ck_assert_int_eq(facts("{\"used_dev_nonces\":[65536]}", &f), REGISTRY_E_INVALID);
	ck_assert_str_eq(p.field, "used_dev_nonces");
	ck_assert_int_eq(facts("{\"last_join_nonce\":16777216}", &f), REGISTRY_E_INVALID);
}
END_TEST

/* ---- CSV ---- */

/** The n-th row below the header as JSON, or what is wrong with it. */
static const char *row(const char *file, unsigned n)
{
	static char out[4096], why[256];
	struct text json = text_fixed(out, sizeof out), err = text_fixed(why, sizeof why);
	struct csv c;
	bool is_good = false;
	csv_init(&c);
	for (unsigned k = 0;; file++) {
		bool is_row = csv_take(&c, *file ? (unsigned char)*file : EOF);
		text_reset(&json);
		text_reset(&err);
		if (is_row)
			is_good = (c.has_header ? csv_device(&c, &json, &err) : csv_header(&c, &err)) == 0;
		if ((is_row && (k++ == n || !c.has_header)) || !*file)
			break;
	}
	csv_done(&c);
	return is_good ? out : why;
}

START_TEST(a_row_is_a_device)
{
	ck_assert_str_eq(row("dev_eui;app_eui;novel;app_key;name;supports_class_c\n"
			     "70B3D57ED0051234;0000000000000001;x;2B7E151628AED2A6ABF7158809CF4F3C;\"a;\n\"\"b\"\"\";TRUE\r\n", 1),
		"{\"ids\":{\"dev_eui\":\"70B3D57ED0051234\",\"device_id\":\"eui-70b3d57ed0051234\",\"join_eui\":\"0000000000000001\"},"
		"\"name\":\"a;\\n\\\"b\\\"\",\"root_keys\":{\"app_key\":{\"key\":\"2B7E151628AED2A6ABF7158809CF4F3C\"}},"
		"\"supports_class_c\":true,\"supports_join\":\"true\"}");
	ck_assert_str_eq(row("id,rx1_delay,last_f_cnt_up\n\n\nx1,RX_DELAY_5,\nx2, 3,\"7\"", 2),
		"{\"ids\":{\"device_id\":\"x2\"},\"mac_settings\":{\"rx1_delay\":\"3\"},\"session\":{\"last_f_cnt_up\":\"7\"}}");
}
END_TEST

START_TEST(a_row_that_is_none_says_why_and_the_next_one_counts)
{
	static const char file[] = "id;supports_class_c\na1;maybe\na2\na\"3;\na4;1";
	ck_assert_str_eq(row(file, 1), "supports_class_c: must be true or false");
	ck_assert_str_eq(row(file, 2), "it has 1 fields, the header has 2");
	ck_assert_str_eq(row(file, 3), "it is no row of CSV: a quote in the wrong place, or too much of it");
	ck_assert_str_eq(row(file, 4), "{\"ids\":{\"device_id\":\"a4\"},\"supports_class_c\":true}");
	ck_assert_ptr_nonnull(strstr(row("nothing;known\n1;2", 0), "names no column"));
}
END_TEST

START_TEST(a_device_is_a_row_that_reads_as_the_device)
{
	static const char json[] = "{\"ids\":{\"device_id\":\"x1\"},\"name\":\"a;\\\"b\\\"\",\"used_dev_nonces\":[1,2],"
				   "\"mac_settings\":{\"rx1_delay\":\"RX_DELAY_1\"},\"supports_join\":true,"
				   "\"mac_state\":{\"current_parameters\":{\"rx1_delay\":\"RX_DELAY_5\"}}}";
	AUTO(text_done) struct text t = text_growing(1 << 20);
	static struct json_tok tok[64];
	struct json j;
	ck_assert_int_eq(json_parse(str_of(json), tok, COUNT(tok), &j, NULL), 0);
	csv_write_header(&t);
	csv_write_device(&t, &j, json_root(&j));
	ck_assert_str_eq(row(t.p, 1), "{\"ids\":{\"device_id\":\"x1\"},\"mac_settings\":{\"rx1_delay\":\"RX_DELAY_5\"},\"name\":\"a;\\\"b\\\"\","
		"\"supports_join\":true,\"used_dev_nonces\":[\"1\",\"2\"]}");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fleet");
	TCase *t = tcase_create("fleet");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_session_reaches_the_network_server_with_its_mac);
	tcase_add_test(t, a_session_outlives_a_restart_and_ends_when_the_device_joins);
	tcase_add_test(t, a_mac_state_without_parameters_says_nothing);
	tcase_add_test(t, a_reset_ends_the_session_of_a_device_that_joins);
	tcase_add_test(t, downlinks_go_on_behind_both_notes_of_the_counter);
	tcase_add_test(t, what_is_known_and_wrong_is_refused_by_name);
	tcase_add_test(t, what_was_read_is_written_alike);
	tcase_add_test(t, nonces_that_another_join_server_saw_are_not_taken_again);
	tcase_add_test(t, a_nonce_that_rises_goes_on_and_zero_is_one);
	tcase_add_test(t, a_row_is_a_device);
	tcase_add_test(t, a_row_that_is_none_says_why_and_the_next_one_counts);
	tcase_add_test(t, a_device_is_a_row_that_reads_as_the_device);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
