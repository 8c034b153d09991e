/** @file Pub/Sub integrations: topics, settings in The Things Stack's shape, secrets at rest. */
#include "as/core/integration/body.h"
#include "as/core/integration/pubsub.h"
#include "common/core/json_out.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct pubsub *p;
static struct envelope envelope;
static struct problem problem;

static void setup(void)
{
	p = pubsub_new();
	envelope = (struct envelope){ .crypto = crypto_new(), .kek = { { 5, 6, 7 } } };
}

static void teardown(void)
{
	pubsub_free(p);
	crypto_free(envelope.crypto);
}

/* ---- topics ---- */

static const struct pubsub_names names = { .application_id = "app1", .device_id = { "dev1", 4 }, .has_dev_eui = true, .dev_eui = 0x70B3D57ED0051234 };

static const char *topic(const char *base, const char *sub)
{
	static char buf[512];
	struct text t = text_fixed(buf, sizeof buf);
	pubsub_topic(&t, base, sub, &names);
	ck_assert(!t.failed);
	return buf;
}

START_TEST(base_and_sub_topic_are_joined_by_exactly_one_slash)
{
	static const struct { const char *base, *sub, *want; } rows[] = {
		{ "base-topic", "uplink", "base-topic/uplink" },
		{ "base-topic/", "uplink", "base-topic/uplink" },
		{ "base-topic", "/uplink", "base-topic/uplink" },
		{ "base-topic/", "/uplink", "base-topic/uplink" },
		{ "base-topic//", "//uplink", "base-topic/uplink" },
		{ "/a/b", "c/d", "/a/b/c/d" },
		{ "", "uplink", "uplink" },
		{ "", "/uplink", "/uplink" },
		{ "/", "uplink", "/uplink" },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_str_eq(topic(rows[i].base, rows[i].sub), rows[i].want);
}
END_TEST

START_TEST(places_are_filled_in)
{
	ck_assert_str_eq(topic("v/{application_id}", "{device_id}/{dev_eui}/up"), "v/app1/dev1/70B3D57ED0051234/up");
	ck_assert_str_eq(topic("", "a-{device_id}.{device_id}"), "a-dev1.dev1");
	struct pubsub_names abp = { .application_id = "app1", .device_id = STR("dev1") }, odd = { .application_id = "app1", .device_id = STR("x/+#$ y") };
	char buf[64];
	struct text t = text_fixed(buf, sizeof buf);
	pubsub_topic(&t, "b", "{dev_eui}", &abp);
	ck_assert_str_eq(buf, "b/dev1");
	text_reset(&t);
	pubsub_topic(&t, "b", "{device_id}", &odd);
	ck_assert_str_eq(buf, "b/x_____y");
}
END_TEST

START_TEST(a_place_of_a_device_is_subscribed_as_plus)
{
	char buf[128];
	struct text t = text_fixed(buf, sizeof buf);
	pubsub_filter(&t, "in/{application_id}/", "/{device_id}/{dev_eui}/push", "app1");
	ck_assert_str_eq(buf, "in/app1/+/+/push");
}
END_TEST

START_TEST(the_topic_of_a_push_says_which_device)
{
	struct pubsub_place at;
	ck_assert(pubsub_topic_place("in/{application_id}", "{device_id}/push", "app1", STR("in/app1/dev7/push"), &at));
	ck_assert(str_is(at.device_id, "dev7") && !at.dev_eui.n);
	ck_assert(pubsub_topic_place("", "{dev_eui}/{device_id}", "app1", STR("70B3D57ED0051234/dev7"), &at));
	ck_assert(str_is(at.device_id, "dev7") && str_is(at.dev_eui, "70B3D57ED0051234"));
	ck_assert(pubsub_topic_place("base-topic", "push-subtopic", "app1", STR("base-topic/push-subtopic"), &at));
	ck_assert(!at.device_id.n && !at.dev_eui.n);
	ck_assert(!pubsub_topic_place("in/{application_id}", "{device_id}/push", "app1", STR("in/app2/dev7/push"), &at));
	ck_assert(!pubsub_topic_place("in", "{device_id}/push", "app1", STR("in/dev7/push/more"), &at));
	ck_assert(!pubsub_topic_place("in", "push", "app1", STR(""), &at));
}
END_TEST

START_TEST(what_is_no_topic_is_refused_with_the_reason)
{
	static const struct { const char *base, *sub; bool is_filter; const char *part; } rows[] = {
		{ "a", "{device}", false, "{application_id}, {device_id} and {dev_eui}" },
		{ "a", "x{", false, "in braces" },
		{ "a", "x}", false, "in braces" },
		{ "a", "b/+", false, "no MQTT topic" },
		{ "a/#", "b", true, "no MQTT topic" },
		{ "", "", false, "no MQTT topic" },
		{ "a", "b\x01", false, "no MQTT topic" },
		{ "a", "dev-{device_id}/push", true, "alone between two slashes" },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		char why[300];
		struct text t = text_fixed(why, sizeof why);
		ck_assert_int_eq(pubsub_topic_check(rows[i].base, rows[i].sub, rows[i].is_filter, &t), -EINVAL);
		ck_assert_ptr_nonnull(strstr(why, rows[i].part));
	}
	struct text none = text_fixed((char[4]){ "" }, 4);
	ck_assert_int_eq(pubsub_topic_check("a", "dev-{device_id}/up", false, &none), 0);
	ck_assert_int_eq(pubsub_topic_check("a", "{device_id}/push", true, &none), 0);
}
END_TEST

START_TEST(correlation_ids_of_a_message_are_read_back)
{
	struct body_cids c;
	body_cids(STR("{\"end_device_ids\":{\"device_id\":\"\\\"correlation_ids\\\":[\"},\"correlation_ids\":[\"as:up:01HC8Y0A2B3C4D5E6F7G8H9J0K\",\"mine\",\"a\\\"b\",\"gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K\"],"
		"\"downlink_queued\":{\"correlation_ids\":[\"other\"]}}"), &c);
	ck_assert_uint_eq(c.len, 2);
	ck_assert_int_eq(c.v[0].kind, CID_GS_UPLINK); /* in the order of travel */
	ck_assert_int_eq(c.v[1].kind, CID_AS_UP);
	ck_assert_uint_eq(c.own_n, 5);
	ck_assert_str_eq(c.own, "mine");
	static const char *const none[] = { "", "{}", "{\"correlation_ids\":[", "{\"correlation_ids\":[]}", "{\"correlation_ids\":[\"" };
	for (size_t i = 0; i < COUNT(none); i++) {
		body_cids(str_of(none[i]), &c);
		ck_assert_uint_eq(c.len + c.own_n, 0);
	}
}
END_TEST

/* ---- settings ---- */

static int read_masked(const char *json, const char *paths)
{
	struct json_tok tok[256];
	struct json j;
	struct field_mask m;
	ck_assert_int_eq(field_mask_parse(paths, &m, &problem), 0);
	ck_assert_int_eq(json_parse(str_of(json), tok, COUNT(tok), &j, NULL), 0);
	return pubsub_json_read(p, &m, &(struct record_source){ .j = &j, .root = json_root(&j), .problem = &problem });
}

static int read(const char *json)
{
	return read_masked(json, NULL);
}

static const char *shown(void)
{
	static char buf[4096];
	struct text t = text_fixed(buf, sizeof buf);
	json_open(&t, '{');
	pubsub_json_write(&t, p);
	json_close(&t, '}');
	return buf;
}

/* The shape that The Things Stack's CLI sends. */
static const char full[] =
	"{\"format\":\"json\",\"base_topic\":\"base-topic\",\"mqtt\":{\"server_url\":\"mqtts://broker.example.net:8883\",\"client_id\":\"c1\","
	"\"username\":\"u\",\"password\":\"hunter2\",\"subscribe_qos\":\"AT_LEAST_ONCE\",\"publish_qos\":2,\"use_tls\":true,"
	"\"tls_ca\":\"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmNhCg==\",\"tls_client_cert\":\"-----BEGIN CERTIFICATE-----\\nus\\n\","
	"\"tls_client_key\":\"-----BEGIN PRIVATE KEY-----\\nkey\\n\"},\"uplink_message\":{\"topic\":\"uplink\"},\"downlink_ack\":{},"
	"\"join_accept\":{\"topic\":\"\"},\"downlink_push\":{\"topic\":\"push-subtopic\"},\"service_data\":{\"topic\":\"{device_id}/data\"}}";

START_TEST(settings_are_read_as_the_things_stack_writes_them)
{
	ck_assert_int_eq(read(full), 0);
	ck_assert_int_eq(pubsub_check(p, &problem), 0);
	ck_assert_str_eq(pubsub_get(p, PUBSUB_URL), "mqtts://broker.example.net:8883");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_PASSWORD), "hunter2");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_CA), "-----BEGIN CERTIFICATE-----\nca\n");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_CERTIFICATE), "-----BEGIN CERTIFICATE-----\nus\n");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_KEY), "-----BEGIN PRIVATE KEY-----\nkey\n");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_DOWN + PUBSUB_PUSH), "push-subtopic");
	ck_assert(p->use_tls && p->subscribe_qos == 1 && p->publish_qos == 2);
	/* A kind without a topic is not sent. */
	ck_assert_uint_eq(pubsub_kinds(p), KIND_BIT(KIND_UPLINK_MESSAGE) | KIND_BIT(KIND_SERVICE_DATA));
}
END_TEST

START_TEST(what_is_shown_has_no_secret_and_can_be_given_back)
{
	char before[4096];
	ck_assert_int_eq(read(full), 0);
	strcpy(before, shown());
	ck_assert_ptr_null(strstr(before, "hunter2"));
	ck_assert_ptr_null(strstr(before, "password"));
	ck_assert_ptr_null(strstr(before, "tls_client_key"));
	ck_assert_int_eq(read(before), 0);
	ck_assert_str_eq(shown(), before);
	ck_assert_str_eq(pubsub_get(p, PUBSUB_PASSWORD), "hunter2");
}
END_TEST

START_TEST(a_mask_changes_what_it_names_and_nothing_else)
{
	ck_assert_int_eq(read(full), 0);
	ck_assert_int_eq(read_masked("{\"base_topic\":\"b\",\"mqtt\":{\"username\":\"v\"}}", "mqtt.username,uplink_message"), 0);
	ck_assert_str_eq(pubsub_get(p, PUBSUB_USERNAME), "v");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_PASSWORD), "hunter2");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_BASE), "base-topic");
	ck_assert_uint_eq(pubsub_kinds(p), KIND_BIT(KIND_SERVICE_DATA));
}
END_TEST

START_TEST(what_cannot_be_is_refused_by_name)
{
	static const struct { const char *json, *field; } wrong[] = {
		{ "{\"mqtt\":{\"publish_qos\":3}}", "mqtt.publish_qos" },
		{ "{\"mqtt\":{\"subscribe_qos\":\"SOMETIMES\"}}", "mqtt.subscribe_qos" },
		{ "{\"mqtt\":{\"tls_ca\":\"not base64!\"}}", "mqtt.tls_ca" },
		{ "{\"mqtt\":{\"server_url\":{}}}", "mqtt.server_url" },
		{ "{\"format\":\"protobuf\"}", "format" },
		{ "{\"nats\":{\"server_url\":\"nats://x\"}}", "nats" },
		{ "{\"uplink_message\":{\"topic\":7.5e},\"base_topic\":1}", "" },
	};
	for (size_t i = 0; i + 1 < COUNT(wrong); i++) {
		ck_assert_int_eq(read(wrong[i].json), REGISTRY_E_INVALID);
		ck_assert_str_eq(problem.field, wrong[i].field);
	}
	static const struct { const char *json, *field; } loose[] = {
		{ "{}", "mqtt.server_url" },
		{ "{\"mqtt\":{\"server_url\":\"mqtt://b\",\"password\":\"x\"}}", "mqtt.username" },
		{ "{\"mqtt\":{\"server_url\":\"mqtt://b\",\"password\":\"\",\"tls_client_cert\":\"-----BEGIN\"}}", "mqtt.tls_client_key" },
		{ "{\"mqtt\":{\"tls_client_cert\":\"\"},\"join_accept\":{\"topic\":\"a/#\"}}", "join_accept.topic" },
		{ "{\"join_accept\":null,\"downlink_replace\":{\"topic\":\"x{device_id}\"}}", "join_accept.topic" },
	};
	for (size_t i = 0; i < COUNT(loose); i++) {
		ck_assert_int_eq(read(loose[i].json), 0);
		ck_assert_int_eq(pubsub_check(p, &problem), REGISTRY_E_INVALID);
		ck_assert_str_eq(problem.field, loose[i].field);
	}
}
END_TEST

START_TEST(secrets_are_kept_sealed)
{
	char kept[8192], before[4096];
	struct text t = text_fixed(kept, sizeof kept);
	ck_assert_int_eq(read(full), 0);
	p->created_unix_us = UINT64_C(1800000000000000);
	strcpy(before, shown());
	ck_assert_int_eq(pubsub_json_store(&t, p, &envelope), 0);
	ck_assert_ptr_null(strstr(kept, "hunter2"));
	ck_assert_ptr_null(strstr(kept, "PRIVATE"));
	ck_assert_ptr_null(strstr(kept, "LS0tLS1CRUdJTiBQUklWQVRF")); /* that in base64 */
	pubsub_free(p);
	p = pubsub_new();
	struct envelope other = { .crypto = envelope.crypto, .kek = { { 9 } } };
	ck_assert_int_eq(pubsub_load(p, text_str(&t), &other), -EBADMSG);
	pubsub_free(p);
	p = pubsub_new();
	ck_assert_int_eq(pubsub_load(p, text_str(&t), &envelope), 0);
	ck_assert_str_eq(shown(), before);
	ck_assert_str_eq(pubsub_get(p, PUBSUB_PASSWORD), "hunter2");
	ck_assert_str_eq(pubsub_get(p, PUBSUB_KEY), "-----BEGIN PRIVATE KEY-----\nkey\n");
	ck_assert_int_eq(pubsub_load(p, STR("{\"mqtt\":"), &envelope), -EPROTO);
	ck_assert_int_eq(pubsub_load(p, STR("[]"), &envelope), -EPROTO);
	ck_assert_int_eq(pubsub_load(p, STR("{\"mqtt\":{\"password\":\"hunter2\"}}"), &envelope), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pubsub");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, base_and_sub_topic_are_joined_by_exactly_one_slash);
	tcase_add_test(all, places_are_filled_in);
	tcase_add_test(all, a_place_of_a_device_is_subscribed_as_plus);
	tcase_add_test(all, the_topic_of_a_push_says_which_device);
	tcase_add_test(all, what_is_no_topic_is_refused_with_the_reason);
	tcase_add_test(all, correlation_ids_of_a_message_are_read_back);
	tcase_add_test(all, settings_are_read_as_the_things_stack_writes_them);
	tcase_add_test(all, what_is_shown_has_no_secret_and_can_be_given_back);
	tcase_add_test(all, a_mask_changes_what_it_names_and_nothing_else);
	tcase_add_test(all, what_cannot_be_is_refused_by_name);
	tcase_add_test(all, secrets_are_kept_sealed);
	suite_add_tcase(s, all);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
