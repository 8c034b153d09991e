/** @file Downlinks of both versions against frames that others published or accepted. */
#include "ns/core/down/seal.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static struct crypto *crypto;

static void setup(void)
{
	crypto = crypto_new();
}

static void teardown(void)
{
	crypto_free(crypto);
}

static struct key key_of(const struct vectors *v, const char *a, const char *b)
{
	return vec_key(v, vec_has(v, a) ? a : b);
}

/** What a published frame says, as the core would ask for it. */
static struct seal seal_of(const struct vectors *v, const struct frame *f, uint8_t commands[PHY_MAX])
{
	struct seal m = { .f_cnt = (uint32_t)vec_num(v, "fcnt32"), .is_confirmed = f->mtype == MTYPE_CONFIRMED_DOWN, .adr = f->data.adr,
		.f_pending = f->data.f_pending, .ack = f->data.ack, .ack_f_cnt = (uint32_t)vec_num(v, "conf_fcnt") | 0x50000, .has_port = f->data.has_port,
		.f_port = f->data.f_port, .frm = f->data.frm };
	m.commands.p = commands;
	m.commands.n = vec_bytes(v, "fopts_plain", commands, PHY_MAX);
	if (f->data.has_port && f->data.f_port == PORT_MAC) {
		m.commands.n = vec_bytes(v, "frm_plain", commands, PHY_MAX);
		m.frm = (struct slice){ NULL, 0 };
	}
	return m;
}

START_TEST(every_published_downlink_is_made_again)
{
	struct vectors v = vectors_open("phy/frames.txt");
	int n = 0;
	while (vectors_next(&v)) {
		uint8_t phy[PHY_MAX], made[PHY_MAX], commands[PHY_MAX];
		struct frame f;
		size_t len = vec_bytes(&v, "phy", phy, sizeof phy), made_n;
		ck_assert_int_eq(frame_parse((struct slice){ phy, len }, &f), 0);
		/* d11-4 was published before the erratum on FOpts: its commands are in the clear. */
		if ((f.mtype != MTYPE_DATA_DOWN && f.mtype != MTYPE_CONFIRMED_DOWN) || vec_has(&v, "McNwkSKey") || vec_is(&v, "id", "d11-4"))
			continue;
		struct session s = { .dev_addr = f.data.dev_addr, .is_v11 = vec_is(&v, "lorawan", "1.1") };
		s.s_nwk_s_int = key_of(&v, "SNwkSIntKey", "NwkSKey");
		if (vec_has(&v, "NwkSEncKey") || vec_has(&v, "NwkSKey"))
			s.nwk_s_enc = key_of(&v, "NwkSEncKey", "NwkSKey");
		struct seal m = seal_of(&v, &f, commands);
		ck_assert_msg(seal_data(crypto, &s, &m, made, &made_n) == 0, "%s", v.line);
		ck_assert_msg(made_n == len && memcmp(made, phy, len) == 0, "%s", v.line);
		n++;
	}
	ck_assert_int_gt(n, 15);
}
END_TEST

START_TEST(more_commands_than_f_opts_holds_are_the_payload_of_port_0)
{
	static const uint8_t many[20] = { 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6 };
	uint8_t phy[PHY_MAX];
	size_t n;
	struct frame f;
	struct session s = { .dev_addr = 1, .is_v11 = true };
	struct seal m = { .commands = { many, FOPTS_MAX } };
	ck_assert_int_eq(seal_data(crypto, &s, &m, phy, &n), 0);
	ck_assert_int_eq(frame_parse((struct slice){ phy, n }, &f), 0);
	ck_assert(!f.data.has_port && f.data.f_opts.n == FOPTS_MAX);
	m.commands.n = FOPTS_MAX + 1;
	ck_assert_int_eq(seal_data(crypto, &s, &m, phy, &n), 0);
	ck_assert_int_eq(frame_parse((struct slice){ phy, n }, &f), 0);
	ck_assert(f.data.has_port && f.data.f_port == PORT_MAC && f.data.frm.n == FOPTS_MAX + 1 && f.data.f_opts.n == 0);
	m.has_port = true;
	m.f_port = 1;
	ck_assert_int_eq(seal_data(crypto, &s, &m, phy, &n), -EINVAL);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("seal");
	TCase *t = tcase_create("seal");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_published_downlink_is_made_again);
	tcase_add_test(t, more_commands_than_f_opts_holds_are_the_payload_of_port_0);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
