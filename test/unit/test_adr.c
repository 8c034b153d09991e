/** @file ADR, decision by decision; how it does on air is test_adr_channel.c. */
#include "ns/core/mac/adr.h"
#include <check.h>
#include <stdlib.h>

struct bench {
	struct adr adr;
	struct adr_settings set;
	struct adr_limits lim;
	struct adr_choice c;
	uint32_t f_cnt;
};

static struct bench bench_of(const char *plan, unsigned dr, unsigned power)
{
	struct bench b = { .set = adr_settings_default() };
	adr_limits_of(plan_find(str_of(plan))->region, RP_1_0_3_A, &b.lim);
	adr_start(&b.adr, &(struct adr_link){ .now = { (uint8_t)dr, (uint8_t)power, 1 } });
	return b;
}

static bool hear(struct bench *b, unsigned n, int snr_ddb)
{
	bool moved = false;
	while (n--)
		moved |= adr_heard(&b->adr, &(struct adr_sample){ .f_cnt = b->f_cnt++, .snr_ddb = (int16_t)snr_ddb, .dr = b->adr.link.now.dr });
	return moved;
}

static bool hear_at(struct bench *b, unsigned dr, int snr_ddb)
{
	return adr_heard(&b->adr, &(struct adr_sample){ .f_cnt = b->f_cnt++, .snr_ddb = (int16_t)snr_ddb, .dr = (uint8_t)dr });
}

static bool wants(struct bench *b)
{
	return adr_want(&b->adr, &b->set, &b->lim, &b->c);
}

static void ck_choice(const struct bench *b, unsigned dr, unsigned power, unsigned nb_trans)
{
	ck_assert_uint_eq(b->c.dr, dr);
	ck_assert_uint_eq(b->c.power, power);
	ck_assert_uint_eq(b->c.nb_trans, nb_trans);
}

#define EU "EU_863_870"

START_TEST(limits_are_those_of_the_region)
{
	struct bench b = bench_of(EU, 0, 0);
	ck_assert_uint_eq(b.lim.drs, 0x3f);
	ck_assert_uint_eq(b.lim.narrow, 0x3f);
	ck_assert_uint_eq(b.lim.max_power, 7);
	ck_assert_int_eq(b.lim.floor_ddb[0], -200);
	ck_assert_int_eq(b.lim.floor_ddb[5], -75);
}
END_TEST

START_TEST(what_was_lost_is_told_of_the_frames_since_the_last_change)
{
	struct bench b = bench_of(EU, 5, 0);
	ck_assert_uint_eq(adr_loss_e4(&b.adr), 0);
	b.f_cnt = 70; /* what was lost before the first frame is not known */
	hear(&b, 2, 0);
	ck_assert_uint_eq(adr_loss_e4(&b.adr), 0);
	b.f_cnt += 2;
	hear(&b, 1, 0);
	ck_assert_uint_eq(adr_loss_e4(&b.adr), 4000);
	hear(&b, 5, 0);
	ck_assert_uint_eq(adr_loss_e4(&b.adr), 2000);
	adr_applied(&b.adr, &(struct adr_choice){ 4, 0, 1 });
	hear(&b, 1, 0);
	ck_assert_uint_eq(adr_loss_e4(&b.adr), 0);
}
END_TEST

START_TEST(a_strong_device_leaps_after_six_uplinks)
{
	struct bench b = bench_of(EU, 0, 0);
	hear(&b, 5, 110);
	ck_assert(!wants(&b));
	hear(&b, 1, 110);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 1);
}
END_TEST

START_TEST(one_step_needs_twenty_uplinks)
{
	/* Floor -20, margin 15, a step 2.5, and 1 in reserve: -1.5 is just enough. */
	struct bench b = bench_of(EU, 0, 0);
	hear(&b, 19, -15);
	ck_assert(!wants(&b));
	hear(&b, 1, -15);
	ck_assert(wants(&b));
	ck_choice(&b, 1, 0, 1);
	b = bench_of(EU, 0, 0);
	hear(&b, 20, -16);
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(power_is_lowered_at_the_highest_data_rate_only)
{
	/* Floor -7.5, margin 15: 12 leaves 4.5, that is one step of 2 and 2.5 left. */
	struct bench b = bench_of(EU, 5, 0);
	hear(&b, 20, 120);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 1, 1);
	b = bench_of(EU, 4, 0);
	hear(&b, 20, 75); /* 2.5 above the margin: neither a step up, nor less power */
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(one_lucky_frame_moves_nothing)
{
	struct bench b = bench_of(EU, 0, 0);
	hear(&b, 19, -20);
	hear(&b, 1, 0);
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(power_comes_back_when_it_is_short)
{
	struct bench b = bench_of(EU, 5, 4);
	hear(&b, 20, 60); /* 1.5 below the margin */
	ck_assert(!wants(&b));
	hear(&b, 20, 54);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 2, 1);
}
END_TEST

START_TEST(a_fading_signal_lowers_the_data_rate_before_frames_are_lost)
{
	struct bench b = bench_of(EU, 5, 0);
	b.adr.kept = 1000;
	hear(&b, 20, 5);
	ck_assert(!wants(&b));
	hear(&b, 20, -1);
	ck_assert(wants(&b)); /* 7.6 of 15 are gone: back to 2.5 */
	ck_choice(&b, 2, 0, 1);
}
END_TEST

static void lossy(struct bench *b, unsigned rounds, unsigned every, int snr_ddb)
{
	while (rounds--) {
		hear(b, every, snr_ddb);
		b->f_cnt++;
	}
	hear(b, 1, snr_ddb);
}

START_TEST(losses_of_a_strong_device_are_mended_with_transmissions)
{
	struct bench b = bench_of(EU, 5, 0);
	lossy(&b, 3, 9, 80); /* one of ten: twice is enough */
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 2);
	b = bench_of(EU, 5, 0);
	lossy(&b, 8, 2, 80); /* one of three */
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 3);
	b.adr.link.now.nb_trans = 3; /* at the most, and the signal is not the reason */
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(losses_of_a_weak_device_lower_the_data_rate_once_transmissions_do_not_help)
{
	struct bench b = bench_of(EU, 3, 0);
	b.adr.kept = 1000;
	b.adr.link.now.nb_trans = 3;
	lossy(&b, 6, 3, -28); /* floor -12.5, margin 15: 5.3 short */
	ck_assert(wants(&b));
	ck_choice(&b, 1, 0, 3);
}
END_TEST

START_TEST(frames_missing_in_one_place_are_a_gateway_that_was_away)
{
	struct bench b = bench_of(EU, 5, 0);
	hear(&b, 20, 80);
	b.f_cnt += 15;
	hear(&b, 20, 80);
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(transmissions_are_taken_back_when_all_of_them_are_heard)
{
	struct bench b = bench_of(EU, 5, 0);
	b.adr.link.now.nb_trans = 2;
	for (int i = 0; i < 29; i++) {
		hear(&b, 1, 80);
		adr_heard_again(&b.adr);
	}
	ck_assert(!wants(&b));
	hear(&b, 1, 80);
	adr_heard_again(&b.adr);
	adr_heard_again(&b.adr); /* more than were sent count nothing */
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 1);
}
END_TEST

START_TEST(transmissions_stay_while_they_are_needed)
{
	struct bench b = bench_of(EU, 5, 0);
	b.adr.link.now.nb_trans = 2;
	for (int i = 0; i < 60; i++) {
		hear(&b, 1, 80);
		if (i % 5)
			adr_heard_again(&b.adr); /* one of ten transmissions is lost, no frame */
	}
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(an_answered_frame_is_not_repeated)
{
	struct bench b = bench_of(EU, 5, 0);
	adr_answered(&b.adr); /* nothing was heard: nothing happens */
	b.adr.link.now.nb_trans = 2;
	for (int i = 0; i < 30; i++) {
		hear(&b, 1, 80);
		adr_answered(&b.adr);
	}
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 1);
}
END_TEST

START_TEST(a_device_that_backs_off_is_believed)
{
	struct bench b = bench_of(EU, 5, 3);
	hear(&b, 20, 60);
	b.f_cnt += 100;
	ck_assert(hear_at(&b, 4, -80));
	ck_assert_uint_eq(b.adr.link.now.dr, 4);
	ck_assert_uint_eq(b.adr.link.now.power, 0);
	ck_assert(wants(&b)); /* one uplink says enough: 13 below the margin */
	ck_choice(&b, 0, 0, 1);
}
END_TEST

START_TEST(after_a_long_silence_full_power_is_assumed)
{
	struct bench b = bench_of(EU, 5, 6);
	hear(&b, 20, 60);
	b.f_cnt += 100;
	adr_heard(&b.adr, &(struct adr_sample){ .f_cnt = b.f_cnt++, .snr_ddb = -60, .dr = 5, .ack_req = true });
	ck_assert_uint_eq(b.adr.link.now.power, 0);
	ck_assert(wants(&b));
	ck_choice(&b, 0, 0, 1);
}
END_TEST

START_TEST(an_answer_that_was_lost_is_seen_by_the_data_rate)
{
	struct bench b = bench_of(EU, 0, 0);
	hear(&b, 20, 120);
	ck_assert(wants(&b));
	adr_asked(&b.adr, &b.c);
	struct adr_choice asked = b.c;
	ck_assert(hear_at(&b, asked.dr, 100));
	ck_assert_uint_eq(b.adr.link.now.dr, asked.dr);
	ck_assert_uint_eq(b.adr.link.now.power, asked.power);
	ck_assert(!b.adr.is_asked);
}
END_TEST

START_TEST(what_is_refused_is_not_asked_again)
{
	struct bench b = bench_of(EU, 0, 0);
	for (unsigned refused = 5; refused > 2; refused--) {
		hear(&b, 20, 140);
		ck_assert(wants(&b));
		ck_assert_uint_eq(b.c.dr, refused);
		adr_asked(&b.adr, &b.c);
		adr_refused(&b.adr, false, true);
	}
	hear(&b, 20, 140);
	ck_assert(wants(&b));
	ck_assert_uint_eq(b.c.dr, 2);
	adr_applied(&b.adr, &b.c);
	hear(&b, 20, 140);
	ck_assert(wants(&b) && b.c.power > 0);
	while (wants(&b) && b.c.power) { /* it takes no other power either: there is an end of asking */
		adr_asked(&b.adr, &b.c);
		adr_refused(&b.adr, true, false);
	}
	ck_assert(!wants(&b));
	adr_refused(&b.adr, false, false); /* an answer to nothing */
	ck_assert(!wants(&b));
	hear_at(&b, 5, 140); /* it can, after all */
	ck_assert(!(b.adr.link.refused_drs & 1 << 5));
}
END_TEST

START_TEST(a_data_rate_that_was_a_mistake_is_tried_later_and_later)
{
	struct bench b = bench_of(EU, 4, 0);
	unsigned waited[3] = { 0 };
	for (int round = 0; round < 3; round++) {
		for (; !wants(&b) || b.c.dr <= 4; waited[round]++)
			hear(&b, 1, 100);
		adr_applied(&b.adr, &b.c);
		hear(&b, 60, -10);
		ck_assert(wants(&b) && b.c.dr < 4);
		b.c.dr = 4;
		adr_applied(&b.adr, &b.c);
	}
	ck_assert_uint_eq(waited[0], 20);
	ck_assert_uint_eq(waited[1], 100);
	ck_assert_uint_eq(waited[2], 200);
}
END_TEST

START_TEST(the_operators_limits_hold_at_once)
{
	struct bench b = bench_of(EU, 5, 3);
	b.set.max_dr = 3;
	hear(&b, 1, 100);
	ck_assert(wants(&b));
	ck_choice(&b, 3, 0, 1);
	b = bench_of(EU, 0, 0);
	b.set.min_dr = 2;
	hear(&b, 1, -100);
	ck_assert(wants(&b));
	ck_choice(&b, 2, 0, 1);
	b = bench_of(EU, 5, 6);
	b.set.max_power = 4;
	hear(&b, 1, 100);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 4, 1);
	b = bench_of(EU, 5, 0);
	b.set.min_power = 2;
	hear(&b, 1, 20);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 2, 1);
	b = bench_of(EU, 5, 0);
	b.set.nb_trans = (struct adr_trans){ 2, 4 };
	hear(&b, 1, 80);
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 2);
	b.set.at_dr[5] = (struct adr_trans){ 5, 99 };
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 5);
	b.set.at_dr[5] = (struct adr_trans){ 9, 3 }; /* contradictory: the most counts */
	ck_assert(wants(&b));
	ck_choice(&b, 5, 0, 3);
}
END_TEST

START_TEST(nothing_is_wanted_where_nothing_can_be_chosen)
{
	struct bench b = bench_of(EU, 0, 0);
	hear(&b, 20, 120);
	b.set.min_dr = 4;
	b.set.max_dr = 3;
	ck_assert(!wants(&b));
	b.set = adr_settings_default();
	b.lim.drs = 0;
	ck_assert(!wants(&b));
	b = bench_of(EU, 0, 0);
	ck_assert(!wants(&b)); /* nothing was heard */
	adr_start(&b.adr, NULL);
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(a_device_is_steered_to_narrow_channels)
{
	struct bench b = bench_of(EU, 5, 0);
	b.lim.narrow = 0x0f; /* as if DR4 and DR5 were wide */
	b.lim.wide_ddb[5] = 60;
	b.set.steers_narrow = true;
	hear(&b, 1, 0);
	ck_assert(wants(&b));
	ck_choice(&b, 3, 0, 1);
	b.set.steers_narrow = false;
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(static_is_what_the_operator_says)
{
	struct bench b = bench_of(EU, 0, 0);
	b.set.mode = ADR_STATIC;
	b.set.fixed = (struct adr_choice){ 3, 2, 2 };
	hear(&b, 1, -150);
	ck_assert(wants(&b));
	ck_choice(&b, 3, 2, 2);
	adr_asked(&b.adr, &b.c);
	adr_refused(&b.adr, false, true);
	ck_assert(wants(&b)); /* the rest of it */
	ck_choice(&b, 0, 2, 2);
	adr_asked(&b.adr, &b.c);
	adr_refused(&b.adr, true, false);
	ck_assert(wants(&b));
	ck_choice(&b, 0, 0, 2);
	adr_applied(&b.adr, &b.c);
	ck_assert(!wants(&b));
	b.set.fixed = (struct adr_choice){ 12, 15, 0 }; /* there are no such things here */
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(disabled_is_disabled)
{
	struct bench b = bench_of(EU, 0, 0);
	b.set.mode = ADR_DISABLED;
	hear(&b, 20, 120);
	ck_assert(!wants(&b));
}
END_TEST

START_TEST(counters_that_begin_anew_forget_what_was_heard)
{
	struct bench b = bench_of(EU, 0, 0);
	b.f_cnt = 1000;
	hear(&b, 19, 120);
	b.f_cnt = 0;
	hear(&b, 1, 120);
	ck_assert_uint_eq(b.adr.n, 1);
	ck_assert_uint_eq(b.adr.frames, 1);
}
END_TEST

START_TEST(a_link_goes_on_after_a_restart)
{
	struct bench b = bench_of(EU, 5, 4);
	b.adr.link.refused_powers = 1 << 7;
	struct adr_link kept = b.adr.link;
	adr_start(&b.adr, &kept);
	hear(&b, 20, 60);
	ck_assert_uint_eq(b.adr.link.now.power, 4);
	ck_assert(!wants(&b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("adr");
	TCase *t = tcase_create("decisions");
	tcase_add_test(t, limits_are_those_of_the_region);
	tcase_add_test(t, what_was_lost_is_told_of_the_frames_since_the_last_change);
	tcase_add_test(t, a_strong_device_leaps_after_six_uplinks);
	tcase_add_test(t, one_step_needs_twenty_uplinks);
	tcase_add_test(t, power_is_lowered_at_the_highest_data_rate_only);
	tcase_add_test(t, one_lucky_frame_moves_nothing);
	tcase_add_test(t, power_comes_back_when_it_is_short);
	tcase_add_test(t, a_fading_signal_lowers_the_data_rate_before_frames_are_lost);
	tcase_add_test(t, losses_of_a_strong_device_are_mended_with_transmissions);
	tcase_add_test(t, losses_of_a_weak_device_lower_the_data_rate_once_transmissions_do_not_help);
	tcase_add_test(t, frames_missing_in_one_place_are_a_gateway_that_was_away);
	tcase_add_test(t, transmissions_are_taken_back_when_all_of_them_are_heard);
	tcase_add_test(t, transmissions_stay_while_they_are_needed);
	tcase_add_test(t, an_answered_frame_is_not_repeated);
	tcase_add_test(t, a_device_that_backs_off_is_believed);
	tcase_add_test(t, after_a_long_silence_full_power_is_assumed);
	tcase_add_test(t, an_answer_that_was_lost_is_seen_by_the_data_rate);
	tcase_add_test(t, what_is_refused_is_not_asked_again);
	tcase_add_test(t, a_data_rate_that_was_a_mistake_is_tried_later_and_later);
	tcase_add_test(t, the_operators_limits_hold_at_once);
	tcase_add_test(t, nothing_is_wanted_where_nothing_can_be_chosen);
	tcase_add_test(t, a_device_is_steered_to_narrow_channels);
	tcase_add_test(t, static_is_what_the_operator_says);
	tcase_add_test(t, disabled_is_disabled);
	tcase_add_test(t, counters_that_begin_anew_forget_what_was_heard);
	tcase_add_test(t, a_link_goes_on_after_a_restart);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
