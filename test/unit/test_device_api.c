/** @file The device API's pure parts: credentials, topics, rates, provisioning, claims, calls; ThingsBoard's own payloads. */
#include "as/core/device_api/claim.h"
#include "as/core/device_api/credentials.h"
#include "as/core/device_api/profile.h"
#include "as/core/device_api/provision.h"
#include "as/core/device_api/rates.h"
#include "as/core/device_api/rpc.h"
#include "as/core/device_api/topics.h"
#include "registry_world.h"

static struct world w;
static struct credential_ring ring;
static struct device_profiles profiles;
static struct problem problem;
static char out[4096];

static void open_world(void)
{
	world_open(&w);
	credentials_init(&ring, &w.r);
	profiles_init(&profiles, &w.r);
}

static void close_world(void)
{
	profiles_done(&profiles);
	credentials_done(&ring);
	world_close(&w);
}

/** The process ends and begins again. */
static void restart(void)
{
	profiles_done(&profiles);
	credentials_done(&ring);
	ck_assert_int_eq(world_restart(&w, &problem), 0);
	credentials_init(&ring, &w.r);
	profiles_init(&profiles, &w.r);
	for (size_t i = 0; i < w.n_kept; i++) {
		struct slice key = { w.kept[i].key, w.kept[i].key_n }, value = { w.kept[i].value, w.kept[i].n };
		if (w.kept[i].table == REGISTRY_CREDENTIALS)
			ck_assert_msg(!credentials_load(&ring, key, value, &problem), "%s", problem.message);
		if (w.kept[i].table == REGISTRY_PROFILES)
			ck_assert_msg(!profiles_load(&profiles, key, value, &problem), "%s", problem.message);
	}
}

static struct json *json_of(const char *text)
{
	static struct json_tok tok[256];
	static struct json j;
	ck_assert_msg(json_parse(str_of(text), tok, COUNT(tok), &j, NULL) == 0, "%s", text);
	return &j;
}

static struct device *ip_device(struct app *a, const char *id)
{
	struct device *d = NULL;
	snprintf(out, sizeof out, "{\"ids\":{\"device_id\":\"%s\"}}", id);
	ck_assert_int_eq(world_device(&w, a, out, &d, &problem), 0);
	return d;
}

static int set(struct device *d, const char *json)
{
	struct credentials_wish wish;
	const struct json *j = json_of(json);
	int e = credentials_read(j, json_root(j), &wish, &problem);
	return e ? e : credentials_set(&ring, d, &wish, &problem);
}

static int judge(const char *client, const char *user, const char *password, uint64_t *ret)
{
	*ret = 0;
	return credentials_judge(&ring, &(struct credentials_shown){ .client_id = str_of(client), .user = str_of(user), .password = str_of(password) }, ret);
}

START_TEST(a_device_that_speaks_ip_is_given_a_token_and_known_by_it)
{
	struct credentials_wish wish;
	uint64_t uid;
	struct device *d = ip_device(world_app(&w, "app1"), "dev1"), *lora;
	ck_assert_int_eq(world_device(&w, d->app, ABP("dev2", "01DA1F15"), &lora, &problem), 0);
	ck_assert_int_eq(credentials_get(&ring, lora->entry.uid, &wish), -ENOENT);
	ck_assert_int_eq(credentials_get(&ring, d->entry.uid, &wish), 0);
	ck_assert_int_eq(wish.kind, CREDENTIALS_TOKEN);
	ck_assert_uint_eq(strlen(wish.token), 20);
	/* Client id and password do not matter. */
	ck_assert_int_eq(judge("whatever", wish.token, "", &uid), 0);
	ck_assert_uint_eq(uid, d->entry.uid);
	ck_assert_int_eq(judge("other", wish.token, "random", &uid), 0);
	restart();
	ck_assert_int_eq(judge("", wish.token, "", &uid), 0);
	ck_assert_int_eq(judge("", "", "", &uid), -EINVAL);
	ck_assert_int_eq(judge("whatever", "", "", &uid), -EINVAL);
	ck_assert_int_eq(judge("", "wrong", "", &uid), -ENOENT);
	char longest[3000];
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	ck_assert_int_eq(judge(longest, longest, longest, &uid), -ENOENT);
}
END_TEST

START_TEST(basic_credentials_are_of_three_kinds)
{
	struct app *a = world_app(&w, "app1");
	struct device *client = ip_device(a, "client"), *user = ip_device(a, "user"), *both = ip_device(a, "both");
	const uint64_t client_uid = client->entry.uid;
	uint64_t uid;
	ck_assert_int_eq(set(client, "{\"mqtt_client_id\":\"c1\"}"), 0);
	ck_assert_int_eq(set(user, "{\"mqtt_username\":\"u1\",\"mqtt_password\":\"p1\"}"), 0);
	ck_assert_int_eq(set(both, "{\"mqtt_client_id\":\"c1\",\"mqtt_username\":\"u2\",\"mqtt_password\":\"p2\"}"), 0);
	restart();
	ck_assert_int_eq(judge("c1", "", "", &uid), 0);
	ck_assert_uint_eq(uid, client_uid);
	ck_assert_int_eq(judge("c9", "", "", &uid), -EINVAL);
	ck_assert_int_eq(judge("anything", "u1", "p1", &uid), 0);
	ck_assert_int_eq(judge("anything", "u1", "p2", &uid), -EINVAL);
	ck_assert_int_eq(judge("anything", "u1", "", &uid), -EINVAL);
	ck_assert_int_eq(judge("c1", "u2", "p2", &uid), 0);
	ck_assert_int_eq(judge("c1", "u2", "p1", &uid), -EINVAL);
	ck_assert_int_eq(judge("c2", "u2", "p2", &uid), -ENOENT);
	/* A client id is no user name. */
	ck_assert_int_eq(judge("", "c1", "", &uid), -ENOENT);
}
END_TEST

START_TEST(what_connect_takes_for_something_else_is_refused)
{
	struct app *a = world_app(&w, "app1");
	struct device *d = ip_device(a, "dev1"), *other = ip_device(a, "dev2");
	ck_assert_int_eq(set(d, "{\"access_token\":\"app1\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"access_token\":\"app1@ttn\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"access_token\":\"provision\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"access_token\":\"\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"mqtt_client_id\":\"provision\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"mqtt_client_id\":\"c\",\"mqtt_password\":\"p\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"access_token\":\"T\",\"mqtt_username\":\"p\"}"), REGISTRY_E_INVALID);
	ck_assert_int_eq(set(d, "{\"access_token\":\"T\"}"), 0);
	ck_assert_int_eq(set(other, "{\"access_token\":\"T\"}"), REGISTRY_E_EXISTS);
	ck_assert_int_eq(set(d, "{\"access_token\":\"T\"}"), 0);
}
END_TEST

START_TEST(a_stolen_store_says_no_secret_and_a_damaged_one_is_refused)
{
	struct device *d = ip_device(world_app(&w, "app1"), "dev1");
	ck_assert_int_eq(set(d, "{\"mqtt_username\":\"uuuuuuuu\",\"mqtt_password\":\"ppppppppp\"}"), 0);
	size_t seen = 0;
	for (size_t i = 0; i < w.n_kept; i++) {
		if (w.kept[i].table != REGISTRY_CREDENTIALS)
			continue;
		seen++;
		struct slice key = { w.kept[i].key, w.kept[i].key_n }, value = { w.kept[i].value, w.kept[i].n };
		ck_assert_ptr_null(memmem(value.p, value.n, "pppp", 4));
		ck_assert_ptr_null(memmem(value.p, value.n, "uuuu", 4));
		for (size_t at = 0; at + 4 < value.n; at++) { /* not what only pads base64; the certificate's place is not looked at in this kind */
			struct credential_ring fresh = { .registry = &w.r };
			w.kept[i].value[at] ^= 1;
			int e = credentials_load(&fresh, key, value, &problem);
			ck_assert_msg(at > 0 && at <= SHA256_LEN ? e == 0 : e == REGISTRY_E_INVALID || at == 0, "octet %zu: %d", at, e);
			w.kept[i].value[at] ^= 1;
			ck_assert_int_eq(credentials_load(&fresh, key, (struct slice){ value.p, at }, &problem), REGISTRY_E_INVALID);
			credentials_done(&fresh);
		}
	}
	ck_assert_uint_eq(seen, 1);
}
END_TEST

static uint64_t told;
static void on_told(void *ctx, uint64_t device)
{
	(void)ctx;
	told = device;
}

START_TEST(credentials_go_with_their_device_and_who_uses_them_is_told)
{
	struct device *d = ip_device(world_app(&w, "app1"), "dev1");
	uint64_t uid = d->entry.uid, found;
	struct credentials_wish wish;
	ring.watch.fn = on_told;
	ck_assert_int_eq(set(d, "{\"access_token\":\"T\"}"), 0);
	ck_assert_uint_eq(told, uid);
	told = 0;
	ck_assert_int_eq(registry_device_delete(&w.r, d), 0);
	ck_assert_uint_eq(told, uid);
	ck_assert_int_eq(judge("", "T", "", &found), -ENOENT);
	ck_assert_int_eq(credentials_get(&ring, uid, &wish), -ENOENT);
	for (size_t i = 0; i < w.n_kept; i++)
		ck_assert_int_ne(w.kept[i].table, REGISTRY_CREDENTIALS);
}
END_TEST

/* SHA-256 of the DER of this certificate, as `openssl x509 -outform DER | sha256sum` says. */
START_TEST(a_certificate_is_known_by_its_fingerprint)
{
	struct device *d = ip_device(world_app(&w, "app1"), "dev1");
	static const char hex[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	uint8_t sha[SHA256_LEN];
	uint64_t uid = 0;
	ck_assert_int_eq(hex_exact(str_of(hex), sha, sizeof sha), 0);
	ck_assert_int_eq(set(d, "{\"x509_certificate\":\"00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"}"), 0);
	ck_assert_int_eq(credentials_judge(&ring, &(struct credentials_shown){ .certificate = sha }, &uid), 0);
	ck_assert_uint_eq(uid, d->entry.uid);
	sha[0] ^= 1;
	ck_assert_int_eq(credentials_judge(&ring, &(struct credentials_shown){ .certificate = sha }, &uid), -EINVAL);
	ck_assert_int_eq(credentials_certificate(STR("-----BEGIN CERTIFICATE-----\nYWJj\r\n-----END CERTIFICATE-----\n"), sha), 0);
	ck_assert_int_eq(hex_exact(STR("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), out, SHA256_LEN), 0); /* FIPS 180: of "abc" */
	ck_assert_mem_eq(out, sha, sizeof sha);
	ck_assert_int_eq(credentials_certificate(STR("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), sha), -EINVAL);
	ck_assert_int_eq(credentials_certificate(STR("no certificate"), sha), -EINVAL);
}
END_TEST

START_TEST(topics_of_the_three_families_are_read)
{
	static const struct {
		const char *topic;
		enum device_topic is;
		unsigned family;
		int id, r;
	} rows[] = {
		{ "v1/devices/me/telemetry", TOPIC_TELEMETRY, 0, 0, 0 },
		{ "v1/devices/me/attributes", TOPIC_ATTRIBUTES, 0, 0, 0 },
		{ "v1/devices/me/attributes/request/1", TOPIC_ATTRIBUTES_REQUEST, 0, 1, 0 },
		{ "v1/devices/me/rpc/response/0", TOPIC_RPC_RESPONSE, 0, 0, 0 },
		{ "v1/devices/me/rpc/request/2147483647", TOPIC_RPC_REQUEST, 0, 2147483647, 0 },
		{ "v1/devices/me/rpc/request/2147483648", TOPIC_OTHER, 0, 0, -EINVAL },
		{ "v1/devices/me/rpc/request/1/x", TOPIC_OTHER, 0, 0, -EINVAL },
		{ "v1/devices/me/rpc/request/", TOPIC_OTHER, 0, 0, -EINVAL },
		{ "v1/devices/me/rpc/request/-1", TOPIC_OTHER, 0, 0, -EINVAL },
		{ "v1/devices/me/claim", TOPIC_CLAIM, 0, 0, 0 },
		{ "/provision/request", TOPIC_PROVISION, 0, 0, 0 },
		{ "/provision", TOPIC_PROVISION, 0, 0, 0 },
		{ "v2/t", TOPIC_TELEMETRY, 1, 0, 0 },
		{ "v2/a/req/j/7", TOPIC_ATTRIBUTES_REQUEST, 2, 7, 0 },
		{ "v2/r/res/9", TOPIC_RPC_RESPONSE, 1, 9, 0 },
		{ "v1/devices/me/telemetry/", TOPIC_OTHER, 0, 0, 0 },
		{ "v1/gateway/telemetry", TOPIC_OTHER, 0, 0, 0 },
		{ "v3/app1/devices/dev1/down/push", TOPIC_OTHER, 0, 0, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct device_said s;
		ck_assert_msg(device_topic_read(str_of(rows[i].topic), &s) == rows[i].r && s.topic == rows[i].is && s.family == rows[i].family &&
				      s.id == rows[i].id, "%s", rows[i].topic);
	}
}
END_TEST

START_TEST(filters_within_the_devices_own_topics_are_granted)
{
	static const char *const own[] = { "#", "v1/devices/me/#", "v1/devices/me/attributes", "v1/devices/me/rpc/request/+", "v1/devices/me/rpc/response/+",
		"v1/devices/me/attributes/response/+", "v1/devices/me/attributes/response/7", "v2/a", "v2/r/req/+", "v2/r/req/j/+", "+/devices/me/attributes" };
	static const char *const foreign[] = { "v1/devices/me/telemetry", "v3/#", "v3/app1/devices/dev1/up", "v1/gateway/attributes", "v2/fw/response/+",
		"$SYS/#", "v1/devices/you/attributes", "/provision/response" };
	for (size_t i = 0; i < COUNT(own); i++)
		ck_assert_msg(device_filter_is_own(str_of(own[i])), "%s", own[i]);
	for (size_t i = 0; i < COUNT(foreign); i++)
		ck_assert_msg(!device_filter_is_own(str_of(foreign[i])), "%s", foreign[i]);
	ck_assert(device_filter_is_provision(STR("/provision/response")));
	ck_assert(device_filter_is_provision(STR("#")));
	ck_assert(!device_filter_is_provision(STR("v1/devices/me/attributes")));
}
END_TEST

START_TEST(rates_hold_in_each_of_their_windows)
{
	struct rate_limits l;
	struct rate_meter m = { .since_us = 0 };
	uint64_t t = 1000000;
	ck_assert_int_eq(rate_limits_parse(STR("10:1, 20:60"), &l), 0);
	for (int i = 0; i < 10; i++)
		ck_assert(rate_take(&l, &m, 1, t));
	ck_assert(!rate_take(&l, &m, 1, t));
	t += SEC_US;
	for (int i = 0; i < 10; i++)
		ck_assert(rate_take(&l, &m, 1, t));
	t += SEC_US;
	ck_assert(!rate_take(&l, &m, 1, t)); /* 20 in the minute */
	t += 60 * SEC_US;
	ck_assert(rate_take(&l, &m, 10, t));
	ck_assert(!rate_take(&l, &m, 11, t + 60 * SEC_US));
	ck_assert_int_eq(rate_limits_parse(STR(""), &l), 0);
	ck_assert(rate_take(&l, &m, 1000000, t));
	static const char *const wrong[] = { "10", "10:0", "0:1", ":", "10:1:1", "a:1", "1:1,1:1,1:1,1:1,1:1", "10:-1" };
	for (size_t i = 0; i < COUNT(wrong); i++)
		ck_assert_msg(rate_limits_parse(str_of(wrong[i]), &l) == -EINVAL, "%s", wrong[i]);
}
END_TEST

static int provision(const char *json, struct provision_request *ret)
{
	return provision_read(json_of(json), &w.rng, ret);
}

START_TEST(provisioning_is_asked_and_answered_as_thingsboard_has_it)
{
	struct provision_request rq;
	struct text t = text_fixed(out, sizeof out);
	ck_assert_int_eq(provision("{\"deviceName\": \"DEVICE_NAME\",\"provisionDeviceKey\": \"u7piawkboq8v32dmcmpp\","
		"\"provisionDeviceSecret\": \"jpmwdn8ptlswmf4m29bw\"}", &rq), 0);
	ck_assert_str_eq(rq.id, "device-name");
	ck_assert_str_eq(rq.name, "DEVICE_NAME");
	ck_assert_str_eq(rq.key, "u7piawkboq8v32dmcmpp");
	ck_assert_uint_eq(strlen(rq.login.token), 20);
	memcpy(rq.login.token, "sLzc0gDAZPkGMzFVTyUY", 21);
	provision_success(&t, &rq.login);
	ck_assert_str_eq(out, "{\"credentialsValue\":\"sLzc0gDAZPkGMzFVTyUY\",\"credentialsType\":\"ACCESS_TOKEN\",\"status\":\"SUCCESS\"}");
	ck_assert_int_eq(provision("{\"provisionDeviceKey\":\"k\",\"provisionDeviceSecret\":\"s\",\"credentialsType\":\"MQTT_BASIC\","
		"\"username\":\"u\",\"password\":\"p\",\"clientId\":\"c\"}", &rq), 0);
	ck_assert_uint_eq(strlen(rq.id), 20);
	text_reset(&t);
	provision_success(&t, &rq.login);
	ck_assert_str_eq(out, "{\"credentialsValue\":{\"clientId\":\"c\",\"userName\":\"u\",\"password\":\"p\"},\"credentialsType\":\"MQTT_BASIC\","
		"\"status\":\"SUCCESS\"}");
	ck_assert_int_eq(provision("{\"provisionDeviceKey\":\"k\",\"provisionDeviceSecret\":\"s\",\"credentialsType\":\"X509_CERTIFICATE\","
		"\"hash\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"}", &rq), 0);
	ck_assert_int_eq(rq.login.kind, CREDENTIALS_X509);
	static const char *const wrong[] = { "{}", "[]", "{\"provisionDeviceKey\":\"k\"}", "{\"provisionDeviceKey\":\"k\",\"provisionDeviceSecret\":\"s\",\"credentialsType\":\"LWM2M_CREDENTIALS\"}",
		"{\"deviceName\":\" \",\"provisionDeviceKey\":\"k\",\"provisionDeviceSecret\":\"s\"}",
		"{\"provisionDeviceKey\":\"k\",\"provisionDeviceSecret\":\"s\",\"credentialsType\":\"X509_CERTIFICATE\",\"hash\":\"x\"}" };
	for (size_t i = 0; i < COUNT(wrong); i++)
		ck_assert_msg(provision(wrong[i], &rq) == -EBADMSG, "%s", wrong[i]);
}
END_TEST

START_TEST(of_a_name_an_id_is_made)
{
	char id[ID_MAX + 1];
	ck_assert_int_eq(provision_id(STR("DHT11 Demo  Device!"), id), 0);
	ck_assert_str_eq(id, "dht11-demo-device");
	ck_assert_int_eq(provision_id(STR("--A__b--"), id), 0);
	ck_assert_str_eq(id, "a-b");
	ck_assert_int_eq(provision_id(STR("..."), id), -EINVAL);
	ck_assert_int_eq(provision_id(STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbb"), id), 0);
	ck_assert_str_eq(id, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
}
END_TEST

START_TEST(a_profile_is_kept_sealed_and_judges_keys)
{
	struct app *a = world_app(&w, "app1"), *b = world_app(&w, "app2");
	struct device_profile p = { .app = "" };
	const struct json *j = json_of("{\"provision_device_key\":\"kkkkkkkk\",\"provision_device_secret\":\"ssssssss\",\"telemetry_topic\":\"sensors/+/data\","
		"\"number_texts_are_numbers\":false}");
	ck_assert_int_eq(profile_read(j, json_root(j), &p, &problem), 0);
	ck_assert_int_eq(profiles_set(&profiles, a, &p, &problem), 0);
	ck_assert_int_eq(profiles_set(&profiles, b, &p, &problem), REGISTRY_E_EXISTS);
	for (size_t i = 0; i < w.n_kept; i++)
		ck_assert_ptr_null(memmem(w.kept[i].value, w.kept[i].n, "ssss", 4));
	restart();
	ck_assert_str_eq(profiles_judge(&profiles, STR("kkkkkkkk"), STR("ssssssss"))->app, "app1");
	ck_assert_ptr_null(profiles_judge(&profiles, STR("kkkkkkkk"), STR("")));
	ck_assert_ptr_null(profiles_judge(&profiles, STR(""), STR("")));
	ck_assert(profiles_of(&profiles, registry_app(&w.r, STR("app1")))->keeps_texts);
	ck_assert_str_eq(profiles_of(&profiles, registry_app(&w.r, STR("app1")))->telemetry, "sensors/+/data");
	j = json_of("{\"provision_device_key\":\"k\"}");
	ck_assert_int_eq(profile_read(j, json_root(j), &(struct device_profile){ .app = "" }, &problem), REGISTRY_E_INVALID);
	j = json_of("{\"telemetry_topic\":\"a/#/b\"}");
	ck_assert_int_eq(profile_read(j, json_root(j), &(struct device_profile){ .app = "" }, &problem), REGISTRY_E_INVALID);
	ck_assert_int_eq(registry_app_delete(&w.r, registry_app(&w.r, STR("app1")), &problem), 0);
	ck_assert_ptr_null(profiles_judge(&profiles, STR("kkkkkkkk"), STR("ssssssss")));
}
END_TEST

START_TEST(a_claim_is_offered_once_and_ends_with_a_wrong_secret)
{
	struct claim c = { .expires_unix_us = 0 }, offer, back;
	uint8_t record[CLAIM_RECORD];
	uint64_t now_us = 1700000000 * SEC_US;
	ck_assert_int_eq(claim_read(json_of("{\"secretKey\":\"value\", \"durationMs\":60000}"), now_us, 86400 * SEC_US, &offer), 0);
	ck_assert_uint_eq(offer.expires_unix_us, now_us + 60 * SEC_US);
	ck_assert(claim_offer(&c, &offer, now_us));
	ck_assert(!claim_offer(&c, &offer, now_us + SEC_US)); /* a live one stays */
	claim_pack(&c, record);
	ck_assert_int_eq(claim_unpack((struct slice){ record, sizeof record }, &back), 0);
	ck_assert_int_eq(claim_unpack((struct slice){ record, sizeof record - 1 }, &back), -EPROTO);
	ck_assert_int_eq(claim_take(&back, STR("wrong"), now_us), CLAIM_FAILURE);
	ck_assert_int_eq(claim_take(&back, STR("value"), now_us), CLAIM_FAILURE); /* it is over */
	ck_assert_int_eq(claim_take(&c, STR("value"), now_us + 59 * SEC_US), CLAIM_SUCCESS);
	ck_assert_int_eq(claim_take(&c, STR("value"), now_us), CLAIM_CLAIMED);
	ck_assert(!claim_offer(&c, &offer, now_us + 100 * SEC_US));
	ck_assert_int_eq(claim_read(NULL, now_us, 86400 * SEC_US, &offer), 0); /* an empty message */
	c = offer;
	ck_assert_uint_eq(c.expires_unix_us, now_us + 86400 * SEC_US);
	ck_assert_int_eq(claim_take(&c, STR(""), now_us), CLAIM_SUCCESS);
	c = offer;
	ck_assert_int_eq(claim_take(&c, STR(""), now_us + 86400 * SEC_US), CLAIM_FAILURE);
	ck_assert_int_eq(claim_read(json_of("[]"), now_us, 1, &offer), -EBADMSG);
}
END_TEST

START_TEST(a_call_is_read_kept_and_shown)
{
	struct text room = text_growing(65536), t = text_fixed(out, sizeof out);
	struct rpc_wish wish;
	const struct json *j = json_of("{\"method\":\"setGpio\",\"params\":{\"pin\":\"23\",\"value\":1,},\"timeout\":500,\"persistent\":true}");
	ck_assert_int_eq(rpc_read(j, json_root(j), w.now.unix_us, &room, &wish, &problem), 0);
	ck_assert_uint_eq(wish.timeout_us, 500 * MS_US);
	struct rpc *r = rpc_new(&wish, 7, w.now.unix_us, &w.rng), *back;
	r->request = 5;
	rpc_body(&t, r);
	ck_assert_str_eq(out, "{\"method\":\"setGpio\",\"params\":{\"pin\":\"23\",\"value\":1}}");
	ck_assert_int_eq(rpc_answer(r, STR("[1,2]")), 0);
	ck_assert_int_eq(rpc_name(r, "a\0b\"c", 6), 0);
	r->state = RPC_SUCCESSFUL;
	text_reset(&t);
	rpc_pack(&t, r);
	ck_assert_int_eq(rpc_unpack(json_of(out), 7, &back), 0);
	ck_assert_str_eq(back->response, "[1,2]");
	ck_assert_int_eq(back->state, RPC_SUCCESSFUL);
	ck_assert_int_eq(back->request, 5);
	ck_assert_uint_eq(back->own_cids_n, 6);
	ck_assert_mem_eq(back->own_cids, "a\0b\"c", 6);
	ck_assert(ulid_eq(&back->id, &r->id));
	ck_assert(back->persistent && !back->oneway);
	ck_assert_uint_eq(back->expires_unix_us, w.now.unix_us + 500 * MS_US);
	rpc_free(back);
	rpc_free(r);
	ck_assert_int_eq(rpc_unpack(json_of("{\"method\":\"a\"}"), 7, &back), -EPROTO);
	static const char *const wrong[] = { "{}", "{\"method\":\"\"}", "{\"method\":\"a\",\"timeout\":0}", "{\"method\":\"a\",\"timeout\":\"soon\"}",
		"{\"method\":\"a\",\"oneway\":3}", "{\"method\":\"a\",\"expirationTime\":1}" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		j = json_of(wrong[i]);
		text_reset(&room);
		ck_assert_msg(rpc_read(j, json_root(j), w.now.unix_us, &room, &wish, &problem) == REGISTRY_E_INVALID, "%s", wrong[i]);
	}
	j = json_of("{\"method\":\"a\",\"timeout\":\"1m30s\"}");
	text_reset(&room);
	ck_assert_int_eq(rpc_read(j, json_root(j), w.now.unix_us, &room, &wish, &problem), 0);
	ck_assert_uint_eq(wish.timeout_us, 90 * SEC_US);
	text_done(&room);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("device_api");
	TCase *c = tcase_create("device_api");
	tcase_add_checked_fixture(c, open_world, close_world);
	suite_add_tcase(s, c);
	tcase_add_test(c, a_device_that_speaks_ip_is_given_a_token_and_known_by_it);
	tcase_add_test(c, basic_credentials_are_of_three_kinds);
	tcase_add_test(c, what_connect_takes_for_something_else_is_refused);
	tcase_add_test(c, a_stolen_store_says_no_secret_and_a_damaged_one_is_refused);
	tcase_add_test(c, credentials_go_with_their_device_and_who_uses_them_is_told);
	tcase_add_test(c, a_certificate_is_known_by_its_fingerprint);
	tcase_add_test(c, topics_of_the_three_families_are_read);
	tcase_add_test(c, filters_within_the_devices_own_topics_are_granted);
	tcase_add_test(c, rates_hold_in_each_of_their_windows);
	tcase_add_test(c, provisioning_is_asked_and_answered_as_thingsboard_has_it);
	tcase_add_test(c, of_a_name_an_id_is_made);
	tcase_add_test(c, a_profile_is_kept_sealed_and_judges_keys);
	tcase_add_test(c, a_claim_is_offered_once_and_ends_with_a_wrong_secret);
	tcase_add_test(c, a_call_is_read_kept_and_shown);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
