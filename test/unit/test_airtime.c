/** @file Time on air and modulations against what four transceiver drivers and two network servers
 * compute. */
#include "common/core/err.h"
#include "proto/lorawan/airtime.h"
#include "test/unit/vec_lines.h"
#include <check.h>

START_TEST(every_published_time_on_air_is_met)
{
	struct vectors v = vectors_open("toa/toa.txt");
	int n = 0;
	while (vectors_next(&v)) {
		struct modu m = { .kind = MODU_FSK, .bit_rate = (uint32_t)vec_num(&v, "rate") };
		size_t len = (size_t)vec_num(&v, "n");
		uint32_t us = 0;
		if (vec_is(&v, "mod", "lora")) {
			m = (struct modu){ .kind = MODU_LORA, .sf = (uint8_t)vec_num(&v, "sf"),
				.bw_hz = (uint32_t)vec_num(&v, "bw_khz") * 1000 };
			ck_assert_int_eq(modu_parse_codr(vec_get(&v, "cr"), &m), 0);
			struct airtime_form form = { .preamble = (unsigned)vec_num(&v, "preamble"),
				.is_implicit = !vec_num(&v, "header"), .has_crc = vec_num(&v, "crc") };
			us = airtime_lora_us(&m, len, &form);
			ck_assert_uint_eq(airtime_symbol_us(&m), vec_num(&v, "symbol_us"));
			if (form.preamble == 8 && !form.is_implicit)
				ck_assert_uint_eq(airtime_us(&m, len, form.has_crc), us);
		} else if (vec_is(&v, "mod", "lora_li")) {
			m = (struct modu){ .kind = MODU_LORA, .sf = (uint8_t)vec_num(&v, "sf"),
				.bw_hz = (uint32_t)vec_num(&v, "bw_khz") * 1000 };
			ck_assert_int_eq(modu_parse_codr(vec_get(&v, "cr"), &m), 0);
			us = airtime_us(&m, len, vec_num(&v, "crc"));
			/* Published to a tenth of a microsecond; ours is the next whole one. */
			ck_assert_msg(us == (vec_num(&v, "us10") + 9) / 10, "%s: %u", v.line, us);
		} else {
			if (vec_is(&v, "mod", "lr_fhss")) {
				m = (struct modu){ .kind = MODU_LR_FHSS };
				ck_assert_int_eq(modu_parse_codr(vec_get(&v, "cr"), &m), 0);
			}
			us = airtime_us(&m, len, true);
		}
		if (vec_has(&v, "us"))
			ck_assert_msg(us == vec_num(&v, "us"), "%s: %u", v.line, us);
		if (vec_has(&v, "bound"))
			ck_assert_uint_le(us, vec_num(&v, "bound"));
		n++;
	}
	ck_assert_int_eq(n, 136);
}
END_TEST

START_TEST(what_is_no_modulation_takes_no_time)
{
	static const struct modu rows[] = {
		{ .kind = MODU_NONE },
		{ .kind = MODU_LORA, .sf = 4, .cr = CR_4_5, .bw_hz = 125000 },
		{ .kind = MODU_LORA, .sf = 13, .cr = CR_4_5, .bw_hz = 125000 },
		{ .kind = MODU_LORA, .sf = 7, .cr = CR_4_5 },
		{ .kind = MODU_LORA, .sf = 7, .cr = 4, .bw_hz = 125000 },
		{ .kind = MODU_FSK },
		{ .kind = MODU_LR_FHSS },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_uint_eq(airtime_us(&rows[i], 20, true), 0);
}
END_TEST

START_TEST(a_modulation_reads_and_writes_as_forwarders_do)
{
	static const char *const words[] = { "SF7BW125", "SF12BW500", "SF5BW125", "SF7BW250", "SF9BW812.5",
		"50000", "M0CW137", "M0CW336" };
	for (size_t i = 0; i < COUNT(words); i++) {
		char buf[32];
		struct text t = text_fixed(buf, sizeof buf);
		struct modu m;
		ck_assert_msg(modu_parse(str_of(words[i]), &m) == 0, "%s", words[i]);
		modu_datr(&t, &m);
		ck_assert_str_eq(buf, words[i]);
		ck_assert(modu_eq(&m, &m));
	}
	static const char *const wrong[] = { "", "SF", "SF7", "SF4BW125", "SF13BW125", "SF7BW", "SF7BW125x",
		"sf7bw125", "SF-7BW125", "-50000", "50000.5", "12", "M0CW", "M1CW137", "SF7BW0",
		"SF7BW99999999", "SF007000000000000000007BW125" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		struct modu m;
		ck_assert_msg(modu_parse(str_of(wrong[i]), &m) == -EINVAL, "%s", wrong[i]);
	}
}
END_TEST

START_TEST(coding_rates_have_their_old_names_too)
{
	struct modu lora = { .kind = MODU_LORA }, fhss = { .kind = MODU_LR_FHSS }, fsk = { .kind = MODU_FSK };
	ck_assert_int_eq(modu_parse_codr(STR("2/3"), &lora), 0);
	ck_assert_str_eq(modu_codr(&lora), "4/6");
	ck_assert_int_eq(modu_parse_codr(STR("1/2"), &lora), 0);
	ck_assert_str_eq(modu_codr(&lora), "4/8");
	ck_assert_int_eq(modu_parse_codr(STR("4/6"), &fhss), 0);
	ck_assert_str_eq(modu_codr(&fhss), "2/3");
	ck_assert_int_eq(modu_parse_codr(STR("4/7LI"), &lora), 0);
	ck_assert_str_eq(modu_codr(&lora), "4/8LI");
	ck_assert_int_eq(modu_parse_codr(STR("4/8LI"), &fhss), -EINVAL);
	ck_assert_int_eq(modu_parse_codr(STR("OFF"), &lora), -EINVAL);
	ck_assert_int_eq(modu_parse_codr(STR("1/3"), &lora), -EINVAL);
	ck_assert_int_eq(modu_parse_codr(STR("4/5"), &fsk), -EINVAL);
	ck_assert_str_eq(modu_codr(&fsk), "");
}
END_TEST

START_TEST(the_demodulation_floor_falls_by_2_5_db_per_spreading_factor)
{
	struct modu m = { .kind = MODU_LORA, .sf = 7 };
	ck_assert_int_eq(modu_floor_ddb(&m), -75);
	m.sf = 12;
	ck_assert_int_eq(modu_floor_ddb(&m), -200);
	m.kind = MODU_FSK;
	ck_assert_int_eq(modu_floor_ddb(&m), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("airtime");
	TCase *c = tcase_create("airtime");
	tcase_add_test(c, every_published_time_on_air_is_met);
	tcase_add_test(c, what_is_no_modulation_takes_no_time);
	tcase_add_test(c, a_modulation_reads_and_writes_as_forwarders_do);
	tcase_add_test(c, coding_rates_have_their_old_names_too);
	tcase_add_test(c, the_demodulation_floor_falls_by_2_5_db_per_spreading_factor);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
