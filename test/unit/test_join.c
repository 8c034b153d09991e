/** @file The join server, against a device side made of the other half of the same published blocks. */
#include "as/core/envelope.h"
#include "as/core/join.h"
#include "as/core/session.h"
#include "common/core/text.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/keys.h"
#include "proto/lorawan/version.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct crypto *c;
static struct rng_seeded seeded;
static struct rng rng;
static bool used[65536];
static struct key app_key = { { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 } }, nwk_key = { { 2, 3 } };
static struct now now = { .unix_us = UINT64_C(1700000000000000) };

static bool is_used(void *ctx, uint16_t nonce)
{
	(void)ctx;
	return used[nonce];
}

static struct join_device device = { .mac_version = LW_1_0_3, .dev_eui = 0x0203040502030405, .join_eui = 0x0102030401020304,
	.app_key = &app_key, .is_used = is_used };
static struct join_state state;
static struct session session;

static void setup(void)
{
	c = crypto_new();
	rng = rng_seeded(&seeded, 3);
	memset(used, 0, sizeof used);
	state = (struct join_state){ 0 };
	device.mac_version = LW_1_0_3;
	device.app_key = &app_key;
	device.nwk_key = NULL;
	device.resets_nonces = false;
}

static void teardown(void)
{
	crypto_free(c);
}

/** A join-request that brocaar/lorawan and lora-rs publish: AppKey 01 sixteen times, DevNonce 4141. */
static struct join_request published(void)
{
	struct join_request rq = { .dev_addr = 0x01020304, .net_id = 0x000013, .dl_settings = 0, .rx_delay = 5 };
	size_t n;
	ck_assert_int_eq(hex_decode(STR("00040302010403020105040302050403022d106a990e12"), rq.phy.p, sizeof rq.phy.p, &n), 0);
	rq.phy.len = (uint16_t)n;
	return rq;
}

static struct join_request made_with(uint16_t nonce, const struct key *k)
{
	struct join_request rq = published();
	struct writer w = writer_of(rq.phy.p + 17, 2);
	writer_le16(&w, nonce);
	ck_assert_int_eq(mic_join(c, k, (struct slice){ rq.phy.p, 19 }, rq.phy.p + 19), 0);
	return rq;
}

static struct join_request made(uint16_t nonce)
{
	return made_with(nonce, &app_key);
}

static struct join_request rejoin(uint8_t type, uint16_t count, const struct key *k)
{
	struct join_request rq = published();
	struct frame f = { .mtype = MTYPE_REJOIN, .join = { .rejoin_type = type, .dev_nonce = count, .net_id = 0x13, .join_eui = device.join_eui,
		.dev_eui = device.dev_eui } };
	struct writer w = writer_of(rq.phy.p, sizeof rq.phy.p);
	ck_assert_int_eq(frame_write(&f, &w), 0);
	rq.phy.len = (uint16_t)w.len;
	ck_assert_int_eq(mic_join(c, k, (struct slice){ rq.phy.p, w.len - MIC_LEN }, rq.phy.p + w.len - MIC_LEN), 0);
	return rq;
}

static int handle(const struct join_request *rq, bool *ret_is_new)
{
	int r = join_handle(c, &device, rq, &now, &rng, &state, &session, ret_is_new);
	if (!r && state.request_type == JOIN_REQ_TYPE)
		used[state.request_nonce] = true;
	return r;
}

START_TEST(a_published_join_request_is_accepted_and_the_device_understands_the_answer)
{
	struct join_request rq = published();
	struct join_accept a;
	bool is_new;
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert(is_new);
	ck_assert_uint_eq(state.join_nonce, 1);
	ck_assert_uint_eq(state.dev_nonce, 4141);
	struct join_seal seal = { .enc = &app_key, .mic = &app_key, .req_type = JOIN_REQ_TYPE, .join_eui = device.join_eui, .dev_nonce = 4141 };
	ck_assert_int_eq(join_accept_open(c, &seal, (struct slice){ state.answer.phy.p, state.answer.phy.len }, &a), 0);
	ck_assert_uint_eq(a.join_nonce, 1);
	ck_assert_uint_eq(a.dev_addr, 0x01020304);
	ck_assert_uint_eq(a.rx_delay, 5);
	struct session_keys k;
	ck_assert_int_eq(keys_session_1_0(c, &app_key, &(struct join_values){ 1, 0x13, device.join_eui, 4141 }, &k), 0);
	ck_assert_mem_eq(k.app_s.b, session.app_s_key.b, AES_KEY);
	ck_assert_mem_eq(k.f_nwk_s_int.b, state.answer.f_nwk_s_int_key.b, AES_KEY);
	ck_assert(ulid_eq(&session.id, &state.answer.session_key_id));
}
END_TEST

START_TEST(a_repeated_join_request_gets_the_same_answer_for_ten_seconds)
{
	struct join_request rq = made(7);
	bool is_new;
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	struct join_answer first = state.answer;
	now.unix_us += JOIN_REPEAT_US - 1;
	rq.dev_addr = 0x0A0B0C0D;
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert(!is_new);
	ck_assert_mem_eq(first.phy.p, state.answer.phy.p, first.phy.len);
	ck_assert_uint_eq(state.answer.dev_addr, 0x01020304);
	now.unix_us += 1;
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NONCE_USED);
}
END_TEST

START_TEST(every_used_nonce_is_remembered_before_1_0_4)
{
	bool is_new;
	for (uint32_t n = 0; n < 300; n++) {
		struct join_request rq = made((uint16_t)(n * 211));
		ck_assert_int_eq(handle(&rq, &is_new), 0);
		ck_assert_uint_eq(state.join_nonce, n + 1);
		now.unix_us += JOIN_REPEAT_US;
	}
	for (uint32_t n = 0; n < 300; n++) {
		struct join_request rq = made((uint16_t)(n * 211));
		ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NONCE_USED);
	}
}
END_TEST

START_TEST(nonces_rise_from_1_0_4_and_zero_is_a_good_first_one)
{
	bool is_new;
	struct join_request zero = made(0), one = made(1), five = made(5);
	device.mac_version = LW_1_0_4;
	ck_assert_int_eq(handle(&zero, &is_new), 0);
	now.unix_us += JOIN_REPEAT_US;
	ck_assert_int_eq(handle(&zero, &is_new), JOIN_E_NONCE_LOW);
	ck_assert_int_eq(handle(&five, &is_new), 0);
	ck_assert_int_eq(handle(&one, &is_new), JOIN_E_NONCE_LOW);
}
END_TEST

START_TEST(what_is_wrong_is_said_and_spends_no_nonce)
{
	bool is_new;
	struct join_request rq = made(9), bad = rq, cut = rq;
	bad.phy.p[22] ^= 1;
	cut.phy.len = 22;
	ck_assert_int_eq(handle(&bad, &is_new), JOIN_E_MIC);
	ck_assert_int_eq(handle(&cut, &is_new), JOIN_E_MALFORMED);
	device.app_key = NULL;
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NO_KEY);
	device.app_key = &app_key;
	device.mac_version = LW_1_1_0;
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NO_KEY);
	rq = rejoin(1, 0, &app_key);
	device.mac_version = LW_1_0_4;
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_VERSION);
	ck_assert_uint_eq(state.join_nonce, 0);
	ck_assert(!state.has_dev_nonce);
	for (int e = 1; e < JOIN_E_N; e++)
		ck_assert(*join_refusal_word(e) && *join_refusal_sentence(e));
}
END_TEST

START_TEST(after_a_restore_join_nonces_are_far_ahead_and_no_old_answer_is_given)
{
	bool is_new;
	struct join_request rq = published();
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert_uint_eq(state.join_nonce, 1);
	join_raise(&state, 1024);
	ck_assert_uint_eq(state.join_nonce, 1025);
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NONCE_USED);
	rq = made(0x4242);
	state.has_rj_count1 = true;
	state.rj_count1 = 7;
	join_raise(&state, 0); /* what devices count is not ours to raise */
	ck_assert_uint_eq(state.rj_count1, 7);
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert_uint_eq(state.join_nonce, 1026);
	state.join_nonce = 0xffffff - 10;
	join_raise(&state, 1024);
	rq = made(0x4243);
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_EXHAUSTED);
}
END_TEST

static void as_1_1(void)
{
	device.mac_version = LW_1_1_0;
	device.nwk_key = &nwk_key;
}

/** The device's side of 1.1: the answer must open with these keys, and lead to the same session keys. */
static void device_takes(uint8_t type, uint16_t nonce, uint32_t join_nonce)
{
	struct key js_int, js_enc;
	struct join_accept a;
	struct session_keys k;
	ck_assert_int_eq(keys_js(c, &nwk_key, device.dev_eui, &js_int, &js_enc), 0);
	struct join_seal seal = { .enc = type == JOIN_REQ_TYPE ? &nwk_key : &js_enc, .mic = &js_int, .req_type = type, .join_eui = device.join_eui,
		.dev_nonce = nonce };
	ck_assert_int_eq(join_accept_open(c, &seal, (struct slice){ state.answer.phy.p, state.answer.phy.len }, &a), 0);
	ck_assert_uint_eq(a.join_nonce, join_nonce);
	ck_assert(a.dl_settings & DL_OPT_NEG);
	ck_assert_int_eq(keys_session_1_1(c, &nwk_key, &app_key, &(struct join_values){ join_nonce, 0x13, device.join_eui, nonce }, &k), 0);
	ck_assert_mem_eq(k.app_s.b, session.app_s_key.b, AES_KEY);
	ck_assert_mem_eq(k.f_nwk_s_int.b, state.answer.f_nwk_s_int_key.b, AES_KEY);
	ck_assert_mem_eq(k.s_nwk_s_int.b, state.answer.s_nwk_s_int_key.b, AES_KEY);
	ck_assert_mem_eq(k.nwk_s_enc.b, state.answer.nwk_s_enc_key.b, AES_KEY);
	ck_assert(MSG_HAS(&state.answer, v11) && state.answer.v11);
}

START_TEST(a_1_1_device_joins_with_two_root_keys)
{
	bool is_new;
	as_1_1();
	struct join_request rq = made_with(0, &nwk_key), wrong = made_with(1, &app_key);
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	device_takes(JOIN_REQ_TYPE, 0, 1);
	ck_assert_int_eq(handle(&wrong, &is_new), JOIN_E_MIC);
	device.app_key = NULL;
	ck_assert_int_eq(handle(&rq, &is_new), JOIN_E_NO_KEY);
}
END_TEST

START_TEST(a_1_1_device_registered_as_1_0_joins_with_its_nwk_key_and_without_opt_neg)
{
	bool is_new;
	struct join_accept a;
	struct session_keys k;
	for (int has_app_key = 0; has_app_key < 2; has_app_key++) {
		uint16_t nonce = (uint16_t)(100 + has_app_key);
		device.nwk_key = &nwk_key;
		device.app_key = has_app_key ? &app_key : NULL;
		struct join_request rq = made_with(nonce, &nwk_key);
		rq.dl_settings = 0xA3;
		ck_assert_int_eq(handle(&rq, &is_new), 0);
		ck_assert(!MSG_HAS(&state.answer, v11));
		struct join_seal seal = { .enc = &nwk_key, .mic = &nwk_key, .req_type = JOIN_REQ_TYPE, .join_eui = device.join_eui, .dev_nonce = nonce };
		ck_assert_int_eq(join_accept_open(c, &seal, (struct slice){ state.answer.phy.p, state.answer.phy.len }, &a), 0);
		ck_assert_uint_eq(a.dl_settings, 0x23);
		ck_assert_int_eq(keys_session_1_0(c, &nwk_key, &(struct join_values){ a.join_nonce, 0x13, device.join_eui, nonce }, &k), 0);
		ck_assert_mem_eq(k.app_s.b, session.app_s_key.b, AES_KEY);
		ck_assert_mem_eq(k.f_nwk_s_int.b, state.answer.s_nwk_s_int_key.b, AES_KEY);
	}
}
END_TEST

START_TEST(every_type_of_rejoin_is_answered_under_the_js_enc_key)
{
	bool is_new;
	struct key js_int, js_enc;
	as_1_1();
	ck_assert_int_eq(keys_js(c, &nwk_key, device.dev_eui, &js_int, &js_enc), 0);
	for (uint8_t type = 0; type < 3; type++) {
		struct join_request rq = rejoin(type, (uint16_t)(3 + type), &js_int);
		ck_assert_int_eq(handle(&rq, &is_new), 0);
		ck_assert(is_new);
		device_takes(type, (uint16_t)(3 + type), type + 1U);
		struct join_answer first = state.answer;
		ck_assert_int_eq(handle(&rq, &is_new), 0);
		ck_assert(!is_new);
		ck_assert_mem_eq(first.phy.p, state.answer.phy.p, first.phy.len);
	}
	ck_assert(!state.has_dev_nonce);
}
END_TEST

START_TEST(rj_count1_rises_and_its_mic_is_the_join_servers_to_check)
{
	bool is_new;
	struct key js_int, js_enc;
	as_1_1();
	ck_assert_int_eq(keys_js(c, &nwk_key, device.dev_eui, &js_int, &js_enc), 0);
	struct join_request zero = rejoin(1, 0, &js_int), nine = rejoin(1, 9, &js_int), eight = rejoin(1, 8, &js_int), forged = rejoin(1, 20, &nwk_key);
	ck_assert_int_eq(handle(&zero, &is_new), 0);
	ck_assert_int_eq(handle(&nine, &is_new), 0);
	ck_assert_int_eq(handle(&eight, &is_new), JOIN_E_REJOIN_LOW);
	now.unix_us += JOIN_REPEAT_US;
	ck_assert_int_eq(handle(&nine, &is_new), JOIN_E_REJOIN_LOW);
	ck_assert_int_eq(handle(&forged, &is_new), JOIN_E_MIC);
	struct join_request rq = made_with(0, &nwk_key);
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert_int_eq(handle(&nine, &is_new), JOIN_E_REJOIN_LOW);
	ck_assert_uint_eq(state.join_nonce, 3);
}
END_TEST

START_TEST(nonces_of_chance_do_not_bind_a_device_that_was_brought_to_1_0_4)
{
	bool is_new;
	struct join_request high = made(60000), zero = made(0);
	ck_assert_int_eq(handle(&high, &is_new), 0);
	now.unix_us += JOIN_REPEAT_US;
	device.mac_version = LW_1_0_4;
	ck_assert_int_eq(handle(&high, &is_new), JOIN_E_NONCE_USED);
	ck_assert_int_eq(handle(&zero, &is_new), 0);
	now.unix_us += JOIN_REPEAT_US;
	ck_assert_int_eq(handle(&zero, &is_new), JOIN_E_NONCE_LOW);
}
END_TEST

START_TEST(a_device_that_forgets_its_nonces_joins_if_the_operator_says_so)
{
	static const uint32_t versions[] = { LW_1_0_0, LW_1_0_3, LW_1_0_4, LW_1_1_0 };
	bool is_new;
	as_1_1();
	for (size_t i = 0; i < COUNT(versions); i++) {
		device.mac_version = versions[i];
		const struct key *k = versions[i] == LW_1_1_0 ? &nwk_key : &app_key;
		struct join_request nine = made_with(9, k), five = made_with(5, k), forged = made_with(6, &(struct key){ { 6 } });
		uint32_t join_nonce = state.join_nonce;
		device.resets_nonces = true;
		ck_assert_int_eq(handle(&nine, &is_new), 0);
		now.unix_us += JOIN_REPEAT_US;
		ck_assert_int_eq(handle(&nine, &is_new), 0);
		ck_assert(is_new);
		now.unix_us += JOIN_REPEAT_US;
		ck_assert_int_eq(handle(&five, &is_new), 0);
		/* What the device may not repeat, the server still does not: and who has no key stays outside. */
		ck_assert_uint_eq(state.join_nonce, join_nonce + 3);
		ck_assert_int_eq(handle(&forged, &is_new), JOIN_E_MIC);
		device.resets_nonces = false;
		now.unix_us += JOIN_REPEAT_US;
		ck_assert_int_eq(handle(&nine, &is_new), JOIN_E_NONCE_USED);
		ck_assert_int_eq(handle(&five, &is_new), versions[i] >= LW_1_0_4 ? JOIN_E_NONCE_LOW : JOIN_E_NONCE_USED);
	}
}
END_TEST

START_TEST(the_join_nonce_ends_at_24_bits)
{
	bool is_new;
	struct join_request a = made(1), b = made(2);
	state.join_nonce = 0xFFFFFE;
	ck_assert_int_eq(handle(&a, &is_new), 0);
	ck_assert_uint_eq(state.join_nonce, 0xFFFFFF);
	ck_assert_int_eq(handle(&b, &is_new), JOIN_E_EXHAUSTED);
}
END_TEST

START_TEST(a_rejoin_is_remembered_in_the_store)
{
	struct envelope e = { .crypto = c, .kek = { { 42 } } };
	struct join_state back;
	uint8_t record[JOIN_RECORD_MAX];
	struct key js_int, js_enc;
	bool is_new;
	size_t n;
	as_1_1();
	ck_assert_int_eq(keys_js(c, &nwk_key, device.dev_eui, &js_int, &js_enc), 0);
	struct join_request rq = made_with(4, &nwk_key), again = rejoin(1, 7, &js_int);
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert_int_eq(handle(&again, &is_new), 0);
	ck_assert_int_eq(join_pack(&state, &e, record, &n), 0);
	ck_assert_int_eq(join_unpack((struct slice){ record, n }, &e, &back), 0);
	ck_assert(back.has_dev_nonce && back.nonce_rose && back.dev_nonce == 4 && back.has_rj_count1 && back.rj_count1 == 7);
	ck_assert(back.request_type == 1 && back.request_nonce == 7 && back.answer.v11);
	ck_assert_mem_eq(back.answer.s_nwk_s_int_key.b, state.answer.s_nwk_s_int_key.b, AES_KEY);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(join_unpack((struct slice){ record, cut }, &e, &back), -EPROTO);
	state = back;
	ck_assert_int_eq(handle(&again, &is_new), 0);
	ck_assert(!is_new);
}
END_TEST

START_TEST(the_state_survives_the_store_and_no_key_is_in_clear_there)
{
	struct envelope e = { .crypto = c, .kek = { { 42 } } }, other = { .crypto = c, .kek = { { 43 } } };
	struct join_request rq = made(9);
	struct join_state back;
	uint8_t record[JOIN_RECORD_MAX], packed[SESSIONS_RECORD_MAX];
	struct sessions s = { 0 }, got;
	bool is_new;
	size_t n;
	ck_assert_int_eq(handle(&rq, &is_new), 0);
	ck_assert_int_eq(join_pack(&state, &e, record, &n), 0);
	for (size_t i = 0; i + AES_KEY <= n; i++)
		ck_assert_mem_ne(record + i, state.answer.f_nwk_s_int_key.b, AES_KEY);
	ck_assert_int_eq(join_unpack((struct slice){ record, n }, &e, &back), 0);
	ck_assert_uint_eq(back.join_nonce, 1);
	ck_assert_mem_eq(back.answer.phy.p, state.answer.phy.p, state.answer.phy.len);
	ck_assert_mem_eq(back.answer.nwk_s_enc_key.b, state.answer.nwk_s_enc_key.b, AES_KEY);
	ck_assert_int_eq(join_unpack((struct slice){ record, n }, &other, &back), -EBADMSG);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(join_unpack((struct slice){ record, cut }, &e, &back), -EPROTO);
	for (uint8_t i = 1; i <= SESSIONS_KEPT + 2; i++)
		sessions_add(&s, &(struct session){ .id = { { i } }, .dev_addr = i, .app_s_key = { { i } } });
	ck_assert_uint_eq(s.n, SESSIONS_KEPT);
	ck_assert_uint_eq(s.v[0].dev_addr, SESSIONS_KEPT + 2);
	ck_assert_ptr_null(sessions_find(&s, &(struct ulid){ { 2 } }));
	ck_assert_int_eq(sessions_pack(&s, &e, packed, &n), 0);
	ck_assert_int_eq(sessions_unpack((struct slice){ packed, n }, &e, &got), 0);
	ck_assert_mem_eq(got.v[SESSIONS_KEPT - 1].app_s_key.b, s.v[SESSIONS_KEPT - 1].app_s_key.b, AES_KEY);
	for (size_t cut = 0; cut < n; cut++)
		ck_assert_int_eq(sessions_unpack((struct slice){ packed, cut }, &e, &got), -EPROTO);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("join");
	TCase *t = tcase_create("join server");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_published_join_request_is_accepted_and_the_device_understands_the_answer);
	tcase_add_test(t, a_repeated_join_request_gets_the_same_answer_for_ten_seconds);
	tcase_add_test(t, every_used_nonce_is_remembered_before_1_0_4);
	tcase_add_test(t, nonces_rise_from_1_0_4_and_zero_is_a_good_first_one);
	tcase_add_test(t, what_is_wrong_is_said_and_spends_no_nonce);
	tcase_add_test(t, after_a_restore_join_nonces_are_far_ahead_and_no_old_answer_is_given);
	tcase_add_test(t, a_1_1_device_joins_with_two_root_keys);
	tcase_add_test(t, a_1_1_device_registered_as_1_0_joins_with_its_nwk_key_and_without_opt_neg);
	tcase_add_test(t, every_type_of_rejoin_is_answered_under_the_js_enc_key);
	tcase_add_test(t, rj_count1_rises_and_its_mic_is_the_join_servers_to_check);
	tcase_add_test(t, nonces_of_chance_do_not_bind_a_device_that_was_brought_to_1_0_4);
	tcase_add_test(t, a_device_that_forgets_its_nonces_joins_if_the_operator_says_so);
	tcase_add_test(t, the_join_nonce_ends_at_24_bits);
	tcase_add_test(t, a_rejoin_is_remembered_in_the_store);
	tcase_add_test(t, the_state_survives_the_store_and_no_key_is_in_clear_there);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
