/** @file MICs, ciphers, join-accepts and derived keys against published values. */
#include "common/core/err.h"
#include "proto/lorawan/keys.h"
#include "proto/lorawan/security.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static struct crypto *crypto;

static void setup(void)
{
	crypto = crypto_new();
	ck_assert_ptr_nonnull(crypto);
}

static void teardown(void)
{
	crypto_free(crypto);
}

/** The vector's value of whichever of these names it has. */
static struct key key_of(const struct vectors *v, const char *a, const char *b)
{
	return vec_key(v, vec_has(v, a) ? a : b);
}

static void plaintext_matches(
	const struct vectors *v, const struct frame *f, const struct frame_id *id, bool v11)
{
	uint8_t buf[PHY_MAX], plain[PHY_MAX];
	if (vec_has(v, "frm_plain")) {
		struct key k = f->data.f_port ? vec_key(v, "AppSKey") : key_of(v, "NwkSEncKey", "NwkSKey");
		memcpy(buf, f->data.frm.p, f->data.frm.n);
		ck_assert_int_eq(cipher_frm(crypto, &k, id, buf, f->data.frm.n), 0);
		ck_assert_uint_eq(vec_bytes(v, "frm_plain", plain, sizeof plain), f->data.frm.n);
		ck_assert_msg(memcmp(buf, plain, f->data.frm.n) == 0, "%s", v->line);
	}
	if (v11 && vec_has(v, "fopts_plain") && f->data.f_opts.n) {
		struct key k = vec_key(v, "NwkSEncKey");
		bool is_a = !f->is_up && f->data.has_port && f->data.f_port > 0;
		size_t n = f->data.f_opts.n;
		memcpy(buf, f->data.f_opts.p, n);
		ck_assert_int_eq(cipher_f_opts(crypto, &k, id, is_a, buf, n), 0);
		ck_assert_uint_eq(vec_bytes(v, "fopts_plain", plain, sizeof plain), n);
		ck_assert_msg(
			memcmp(buf, plain, n) == 0 || memcmp(f->data.f_opts.p, plain, n) == 0, "%s", v->line);
	}
}

static void data_is_right(const struct vectors *v, const struct frame *f)
{
	bool v11 = vec_is(v, "lorawan", "1.1");
	struct frame_id id = {
		.dev_addr = f->data.dev_addr,
		.f_cnt = (uint32_t)vec_num(v, "fcnt32"),
		.is_up = f->is_up,
		.conf_f_cnt = (uint16_t)vec_num(v, "conf_fcnt"),
		.tx_dr = (uint8_t)vec_num(v, "tx_dr"),
		.tx_ch = (uint8_t)vec_num(v, "tx_ch"),
	};
	uint8_t mic[MIC_LEN];
	if (v11 && f->is_up) {
		struct key s = vec_key(v, "SNwkSIntKey"), fk = vec_key(v, "FNwkSIntKey");
		ck_assert_int_eq(mic_data_up_1_1(crypto, &s, &fk, &id, f->msg, mic), 0);
	} else {
		struct key k = key_of(v, "SNwkSIntKey", vec_has(v, "NwkSKey") ? "NwkSKey" : "McNwkSKey");
		ck_assert_int_eq(mic_data(crypto, &k, &id, f->msg, mic), 0);
	}
	ck_assert_msg(mic_eq(mic, f->mic), "%s", v->line);
	if (!vec_has(v, "McAppSKey"))
		plaintext_matches(v, f, &id, v11);
	mic[3] ^= 1;
	ck_assert(!mic_eq(mic, f->mic));
}

static void join_is_right(const struct vectors *v, const struct frame *f)
{
	struct key k = f->mtype == MTYPE_REJOIN ? key_of(v, "SNwkSIntKey", "JSIntKey")
						: key_of(v, "AppKey", "NwkKey");
	uint8_t mic[MIC_LEN];
	ck_assert_int_eq(mic_join(crypto, &k, f->msg, mic), 0);
	ck_assert_msg(mic_eq(mic, f->mic), "%s", v->line);
}

static void accept_is_right(const struct vectors *v, struct slice phy)
{
	bool v11 = vec_is(v, "lorawan", "1.1");
	struct key enc = v11 ? key_of(v, "JSEncKey", "NwkKey") : key_of(v, "AppKey", "NwkKey");
	struct key mic = v11 ? vec_key(v, "JSIntKey") : enc;
	struct join_seal seal = {
		.enc = &enc,
		.mic = &mic,
		.req_type = (uint8_t)vec_hexnum(v, "join_req_type"),
		.join_eui = vec_hexnum(v, "req_join_eui"),
		.dev_nonce = (uint16_t)vec_num(v, "req_dev_nonce"),
	};
	struct join_accept a;
	ck_assert_msg(join_accept_open(crypto, &seal, phy, &a) == 0, "%s", v->line);
	ck_assert_uint_eq(a.join_nonce, vec_num(v, "join_nonce"));
	ck_assert_uint_eq(a.net_id, vec_hexnum(v, "net_id"));
	ck_assert_uint_eq(a.dev_addr, vec_hexnum(v, "devaddr"));
	ck_assert_uint_eq(a.dl_settings, vec_hexnum(v, "dl_settings_hex"));
	ck_assert_uint_eq(a.rx_delay, vec_num(v, "rx_delay"));
	uint8_t cf_list[CF_LIST_LEN] = { 0 };
	ck_assert(a.has_cf_list == (vec_bytes(v, "cflist", cf_list, sizeof cf_list) > 0));
	ck_assert(!a.has_cf_list || memcmp(a.cf_list, cf_list, sizeof cf_list) == 0);

	uint8_t again[JOIN_ACCEPT_MAX];
	size_t n;
	ck_assert_int_eq(join_accept_seal(crypto, &seal, &a, again, &n), 0);
	ck_assert_msg(n == phy.n && memcmp(again, phy.p, n) == 0, "%s", v->line);
	again[n - 1] ^= 1;
	ck_assert_int_eq(join_accept_open(crypto, &seal, (struct slice){ again, n }, &a), -EBADMSG);
	ck_assert_int_eq(join_accept_open(crypto, &seal, (struct slice){ again, n - 1 }, &a), -EINVAL);
}

START_TEST(every_published_frame_is_verified_and_decrypted)
{
	struct vectors v = vectors_open("phy/frames.txt");
	int n = 0;
	while (vectors_next(&v)) {
		uint8_t phy[PHY_MAX];
		struct frame f;
		struct slice s = { phy, vec_bytes(&v, "phy", phy, sizeof phy) };
		ck_assert_int_eq(frame_parse(s, &f), 0);
		if (mtype_is_data(f.mtype))
			data_is_right(&v, &f);
		else if (f.mtype == MTYPE_JOIN_ACCEPT)
			accept_is_right(&v, s);
		else if (f.mtype != MTYPE_PROPRIETARY)
			join_is_right(&v, &f);
		n++;
	}
	ck_assert_int_eq(n, 73);
}
END_TEST

/** Derive what a line of keys.txt asks for. */
static struct key key_derived(const struct vectors *v)
{
	struct key root = vec_key(v, "root"), a, b;
	struct session_keys s;
	struct join_values j = {
		.join_nonce = (uint32_t)vec_hexnum(v, "JoinNonce"),
		.net_id = (uint32_t)vec_hexnum(v, "NetID"),
		.join_eui = vec_hexnum(v, "JoinEUI"),
		.dev_nonce = (uint16_t)vec_hexnum(v, "DevNonce"),
	};
	if (vec_has(v, "DevNonce")) {
		ck_assert_int_eq(vec_is(v, "form", "1.1") ? keys_session_1_1(crypto, &root, &root, &j, &s) :
							    keys_session_1_0(crypto, &root, &j, &s), 0);
		return vec_is(v, "key", "AppSKey")	  ? s.app_s :
			vec_is(v, "key", "SNwkSIntKey") ? s.s_nwk_s_int :
			vec_is(v, "key", "NwkSEncKey")  ? s.nwk_s_enc :
							    s.f_nwk_s_int;
	}
	if (vec_has(v, "DevEUI")) {
		ck_assert_int_eq(keys_js(crypto, &root, vec_hexnum(v, "DevEUI"), &a, &b), 0);
		return vec_is(v, "key", "JSIntKey") ? a : b;
	}
	if (vec_has(v, "McAddr")) {
		ck_assert_int_eq(
			keys_mc_session(crypto, &root, (uint32_t)vec_hexnum(v, "McAddr"), &a, &b), 0);
		return vec_is(v, "key", "McNwkSKey") ? a : b;
	}
	if (vec_has(v, "DevAddr")) {
		ck_assert_int_eq(
			keys_wor_session(crypto, &root, (uint32_t)vec_hexnum(v, "DevAddr"), &a, &b), 0);
		return a;
	}
	if (vec_has(v, "McKey")) {
		b = vec_key(v, "McKey");
		ck_assert_int_eq(keys_mc_sealed(crypto, &root, &b, &a), 0);
	} else if (vec_is(v, "key", "McRootKey")) {
		ck_assert_int_eq(keys_mc_root(crypto, &root, vec_num(v, "v11"), &a), 0);
	} else if (vec_is(v, "key", "RootWorSKey")) {
		ck_assert_int_eq(keys_wor_root(crypto, &root, &a), 0);
	} else {
		ck_assert(vec_is(v, "key", "DataBlockIntKey"));
		ck_assert_int_eq(keys_data_block(crypto, &root, &a), 0);
	}
	return a;
}

START_TEST(every_published_key_is_derived)
{
	struct vectors v = vectors_open("phy/keys.txt");
	int n = 0;
	while (vectors_next(&v)) {
		n++;
		if (vec_is(&v, "key", "SNwkSIntKey_of_lora_packet"))
			continue;
		struct key k = key_derived(&v), expected = vec_key(&v, "result");
		ck_assert_msg(memcmp(k.b, expected.b, sizeof k.b) == 0, "%s", v.line);
	}
	ck_assert_int_eq(n, 34);
}
END_TEST

START_TEST(the_network_keys_of_1_0_are_one_key)
{
	struct key root = { { 1, 2, 3 } };
	struct join_values j = { .join_nonce = 1, .net_id = 0x13, .dev_nonce = 7 };
	struct session_keys s;
	ck_assert_int_eq(keys_session_1_0(crypto, &root, &j, &s), 0);
	ck_assert(memcmp(&s.f_nwk_s_int, &s.s_nwk_s_int, sizeof(struct key)) == 0);
	ck_assert(memcmp(&s.f_nwk_s_int, &s.nwk_s_enc, sizeof(struct key)) == 0);
	ck_assert(memcmp(&s.f_nwk_s_int, &s.app_s, sizeof(struct key)) != 0);
}
END_TEST

START_TEST(too_long_a_payload_is_not_ciphered)
{
	uint8_t buf[PHY_MAX + 1] = { 0 };
	struct key k = { { 1 } };
	struct frame_id id = { .is_up = true };
	ck_assert_int_eq(cipher_frm(crypto, &k, &id, buf, PHY_MAX), 0);
	ck_assert_int_eq(cipher_frm(crypto, &k, &id, buf, PHY_MAX), 0);
	for (size_t i = 0; i < PHY_MAX; i++)
		ck_assert_uint_eq(buf[i], 0);
	ck_assert_int_eq(cipher_frm(crypto, &k, &id, buf, sizeof buf), -EINVAL);
	ck_assert_int_eq(cipher_frm(crypto, &k, &id, NULL, 0), 0);
	ck_assert_int_eq(cipher_f_opts(crypto, &k, &id, false, buf, 16), -EINVAL);
	ck_assert_int_eq(cipher_f_opts(crypto, &k, &id, false, NULL, 0), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("security");
	TCase *c = tcase_create("security");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, every_published_frame_is_verified_and_decrypted);
	tcase_add_test(c, every_published_key_is_derived);
	tcase_add_test(c, the_network_keys_of_1_0_are_one_key);
	tcase_add_test(c, too_long_a_payload_is_not_ciphered);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
