/** @file What a device's MAC should be: each setting moves its own item and no other, as far as version, region and kind of session have it. */
#include "ns/core/device.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/region/plan.h"
#include <check.h>
#include <stdlib.h>

static struct dev d;
static struct session s;

/** A session of a device of which nothing is set yet. */
static void begin(const char *plan, enum mac_version v, bool is_by_hand)
{
	const struct mac_rules *rules = mac_rules(v);
	d = (struct dev){ .mac_version = v, .phy_version = rules->usual_phy, .rules = rules, .plan = plan_for(str_of(plan), rules->usual_phy) };
	s = (struct session){ .dev = &d, .is_by_hand = is_by_hand, .is_v11 = rules->is_v11 };
	ck_assert_ptr_nonnull(d.plan);
	mac_begin(&s, mac_rx_of_maker(&d), true);
}

/** All items of which something else is wished than is so; *ret is the last of them. */
static unsigned wishes(enum mac_item *ret)
{
	unsigned n = 0;
	for (int i = 0; i < ITEM_N; i++)
		if (mac_wish(&s, (enum mac_item)i) != mac_now(&s, (enum mac_item)i)) {
			*ret = (enum mac_item)i;
			n++;
		}
	return n;
}

static void wishes_only(enum mac_item item, uint32_t value)
{
	enum mac_item last = ITEM_N;
	ck_assert_uint_eq(wishes(&last), 1);
	ck_assert_int_eq(last, item);
	ck_assert_uint_eq(mac_wish(&s, item), value);
	/* An answer later nothing is left. */
	mac_set(&s, item, value);
	ck_assert_uint_eq(wishes(&last), 0);
}

START_TEST(of_a_device_made_by_hand_only_the_plan_wishes_something)
{
	const struct plan *p;
	enum mac_item last = ITEM_N;
	for (size_t i = 0; (p = plan_at(i)); i++)
		for (enum mac_version v = LW_1_0_0; v <= LW_1_1_0; v++) {
			if (!plan_for(str_of(p->id), mac_rules(v)->usual_phy))
				continue;
			begin(p->id, v, true);
			unsigned n = wishes(&last);
			bool is_tx = n == 1 && last == ITEM_TX_PARAM && d.plan->region->has_tx_param_setup && v >= LW_1_0_2;
			ck_assert_msg(n == 0 || is_tx, "%s, version %d: item %d of %u", p->id, v, last, n);
		}
}
END_TEST

START_TEST(without_a_plan_nothing_is_wished)
{
	begin("EU_863_870", LW_1_0_3, true);
	d.plan = NULL;
	MSG_SET(&d.mac, desired_rx1_delay, 5);
	ck_assert_uint_eq(mac_wish(&s, ITEM_RX_TIMING), mac_now(&s, ITEM_RX_TIMING));
	struct channels c = mac_wish_channels(&s);
	ck_assert_uint_eq(channels_count(&c), 8); /* what it has */
}
END_TEST

START_TEST(a_wish_of_duty_cycle_or_delay_is_the_commands_field)
{
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_duty_cycle, 7);
	wishes_only(ITEM_DUTY_CYCLE, 7);
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_rx1_delay, 15);
	wishes_only(ITEM_RX_TIMING, 15);
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_rx1_delay, 0); /* means 1, and that is so */
	ck_assert_uint_eq(mac_wish(&s, ITEM_RX_TIMING), 1);
}
END_TEST

START_TEST(each_part_of_rx_param_is_wished_by_itself)
{
	/* 869.525 MHz is 8695250 hundreds of Hz, 0x84ADD2; 868.1 MHz 0x847628. */
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_rx1_dr_offset, 3);
	wishes_only(ITEM_RX_PARAM, 0x3084ADD2);
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_rx2_dr, 5);
	wishes_only(ITEM_RX_PARAM, 0x0584ADD2);
	begin("EU_863_870", LW_1_0_0, true);
	MSG_SET(&d.mac, desired_rx2_freq_hz, 868100000);
	wishes_only(ITEM_RX_PARAM, 0x00847628);
}
END_TEST

START_TEST(a_plans_own_rx2_is_wished_of_those_who_joined)
{
	begin("EU_863_870", LW_1_0_3, false);
	struct plan own = *d.plan;
	own.rx2_hz = 868100000;
	d.plan = &own;
	ck_assert_uint_eq(mac_wish(&s, ITEM_RX_PARAM), 0x00847628);
	MSG_SET(&d.mac, desired_rx2_freq_hz, 869525000); /* the operator's word comes first */
	ck_assert_uint_eq(mac_wish(&s, ITEM_RX_PARAM), 0x0084ADD2);
	s.is_by_hand = true; /* who made it has set its RX2 */
	d.mac.has = 0;
	ck_assert_uint_eq(mac_wish(&s, ITEM_RX_PARAM), mac_now(&s, ITEM_RX_PARAM));
}
END_TEST

START_TEST(tx_param_needs_a_region_and_a_version)
{
	begin("EU_863_870", LW_1_1_0, true);
	MSG_SET(&d.mac, desired_max_eirp, 8);
	MSG_SET(&d.mac, up_dwell, true);
	ck_assert_uint_eq(mac_wish(&s, ITEM_TX_PARAM), mac_now(&s, ITEM_TX_PARAM));
	begin("AS_923", LW_1_0_1, true);
	MSG_SET(&d.mac, up_dwell, true);
	ck_assert_uint_eq(mac_wish(&s, ITEM_TX_PARAM), mac_now(&s, ITEM_TX_PARAM));
	begin("AS_923", LW_1_0_3, true);
	MSG_SET(&d.mac, up_dwell, false);
	MSG_SET(&d.mac, down_dwell, false);
	MSG_SET(&d.mac, desired_max_eirp, 13);
	wishes_only(ITEM_TX_PARAM, 3 | TX_KNOWN);
	MSG_SET(&d.mac, down_dwell, true);
	wishes_only(ITEM_TX_PARAM, 3 | TX_DOWN_DWELL | TX_KNOWN);
}
END_TEST

START_TEST(a_dwell_time_is_known_from_the_version_the_answer_or_the_operator)
{
	begin("AS_923", LW_1_0_3, true);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_UNKNOWN);
	ck_assert(mac_has_up_dwell(&s));
	MSG_SET(&d.mac, down_dwell, false);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_UNKNOWN); /* it was not told yet */
	mac_set(&s, ITEM_TX_PARAM, 5);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_OFF);
	ck_assert(!mac_has_up_dwell(&s));
	mac_set(&s, ITEM_TX_PARAM, 5 | TX_DOWN_DWELL);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_ON);
	begin("AS_923", LW_1_0_1, true); /* who cannot be told */
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_UNKNOWN);
	MSG_SET(&d.mac, down_dwell, false);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_OFF);
	MSG_SET(&d.mac, down_dwell, true);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_ON);
	begin("EU_863_870", LW_1_0_3, true);
	ck_assert_int_eq(mac_down_dwell(&s), DWELL_OFF);
}
END_TEST

START_TEST(channels_of_the_plan_are_wished_and_others_are_not)
{
	/* 867.9 MHz, DR0 to DR5: 8679000 is 0x846E58. */
	begin("EU_863_870", LW_1_0_0, true);
	s.mac.channel[7].freq_hz = 0;
	wishes_only((enum mac_item)(ITEM_NEW_CHANNEL + 7), 0x846E5850);
	begin("EU_863_870", LW_1_0_0, true);
	s.mac.channel[8] = (struct mac_channel){ .freq_hz = 868800000, .max_dr = 5 };
	wishes_only((enum mac_item)(ITEM_NEW_CHANNEL + 8), 0);
	begin("EU_863_870", LW_1_0_0, true);
	s.mac.channel[1].freq_hz = 864000000; /* a default channel is not to be changed */
	ck_assert_uint_eq(mac_wish(&s, (enum mac_item)(ITEM_NEW_CHANNEL + 1)), mac_now(&s, (enum mac_item)(ITEM_NEW_CHANNEL + 1)));
	begin("US_902_928_FSB_2", LW_1_0_3, true);
	for (int i = 0; i < MAC_CHANNELS; i++)
		ck_assert_uint_eq(mac_wish(&s, (enum mac_item)(ITEM_NEW_CHANNEL + i)), mac_now(&s, (enum mac_item)(ITEM_NEW_CHANNEL + i)));
}
END_TEST

START_TEST(a_downlink_frequency_is_wished_of_a_channel_that_is_there)
{
	begin("EU_863_870", LW_1_0_2, true);
	d.mac.desired_down.len = 16;
	d.mac.desired_down.v[2].hz = 869525000;
	d.mac.desired_down.v[12].hz = 869525000; /* no such channel */
	MSG_MARK(&d.mac, desired_down);
	wishes_only((enum mac_item)(ITEM_DL_CHANNEL + 2), 0x84ADD2);
	d.mac.desired_down.v[2].hz = 0; /* again where the uplink is: 868.5 MHz */
	wishes_only((enum mac_item)(ITEM_DL_CHANNEL + 2), 0x8485C8);
	begin("EU_863_870", LW_1_0_1, true); /* has no DlChannelReq */
	d.mac.desired_down.len = 1;
	d.mac.desired_down.v[0].hz = 869525000;
	MSG_MARK(&d.mac, desired_down);
	ck_assert_uint_eq(mac_wish(&s, ITEM_DL_CHANNEL), mac_now(&s, ITEM_DL_CHANNEL));
}
END_TEST

START_TEST(what_only_1_1_has_is_wished_of_nobody_else)
{
	begin("EU_863_870", LW_1_0_4, false);
	MSG_SET(&d.mac, desired_ack_limit, 7);
	MSG_SET(&d.mac, desired_rejoin_time, 3);
	d.rejoin = 1;
	enum mac_item last = ITEM_N;
	ck_assert_uint_eq(wishes(&last), 0);
	/* 64 and 32 are what a device begins with: each half changes alone. */
	begin("EU_863_870", LW_1_1_0, false);
	MSG_SET(&d.mac, desired_ack_limit, 7);
	wishes_only(ITEM_ADR_PARAM, 0x75);
	begin("EU_863_870", LW_1_1_0, true);
	MSG_SET(&d.mac, desired_ack_delay, 3);
	wishes_only(ITEM_ADR_PARAM, 0x63);
}
END_TEST

START_TEST(rejoins_are_wished_of_those_who_can_join)
{
	begin("EU_863_870", LW_1_1_0, false);
	MSG_SET(&d.mac, desired_rejoin_count, 4);
	wishes_only(ITEM_REJOIN_PARAM, 0xF4);
	begin("EU_863_870", LW_1_1_0, false);
	MSG_SET(&d.mac, desired_rejoin_time, 2);
	wishes_only(ITEM_REJOIN_PARAM, 0x20);
	begin("EU_863_870", LW_1_1_0, false);
	d.rejoin = 3;
	enum mac_item last = ITEM_N;
	ck_assert(wishes(&last) == 1 && last == ITEM_FORCE_REJOIN && mac_wish(&s, last) == 3);
	begin("EU_863_870", LW_1_1_0, true);
	d.rejoin = 3;
	MSG_SET(&d.mac, desired_rejoin_count, 4);
	ck_assert_uint_eq(wishes(&last), 0);
}
END_TEST

START_TEST(the_channels_wished_are_the_devices_or_the_sub_band)
{
	begin("EU_863_870", LW_1_0_3, true);
	struct channels c = mac_wish_channels(&s);
	ck_assert_uint_eq(c.bank[0], 0x00FF);
	begin("US_902_928_FSB_2", LW_1_0_3, true);
	c = mac_wish_channels(&s);
	ck_assert(channels_count(&c) == 9 && c.bank[0] == 0xFF00 && c.bank[4] == 2);
}
END_TEST

START_TEST(adr_may_choose_what_an_enabled_channel_has)
{
	begin("EU_863_870", LW_1_0_3, true);
	struct channels c = mac_channels(&s), one = { { 1 << 9 } };
	ck_assert_uint_eq(mac_adr_limits(&s, &c).drs, 0x3F);
	s.mac.channel[9] = (struct mac_channel){ .freq_hz = 868800000, .min_dr = 2, .max_dr = 4 };
	ck_assert_uint_eq(mac_adr_limits(&s, &one).drs, 0x1C);
	begin("US_902_928_FSB_2", LW_1_0_3, true);
	struct channels narrow = { { 0xFF00 } }, wide = { { 0, 0, 0, 0, 2 } };
	ck_assert_uint_eq(mac_adr_limits(&s, &narrow).drs, 0x0F);
	ck_assert_uint_eq(mac_adr_limits(&s, &wide).drs, 0); /* ADR steers nobody there */
}
END_TEST

START_TEST(the_operators_way_of_adr)
{
	begin("EU_863_870", LW_1_0_3, true);
	struct adr_settings a = mac_adr_settings(&d);
	ck_assert(a.mode == ADR_DYNAMIC && a.margin_ddb == 150 && a.nb_trans.min == 1 && a.nb_trans.max == 3);
	MSG_SET(&d.mac, use_adr, false);
	ck_assert_int_eq(mac_adr_settings(&d).mode, ADR_DISABLED);
	MSG_SET(&d.mac, adr_mode, ADR_DYNAMIC); /* the newer way comes first */
	MSG_SET(&d.mac, adr_margin_ddb, 100);
	a = mac_adr_settings(&d);
	ck_assert(a.mode == ADR_DYNAMIC && a.margin_ddb == 100);
	MSG_SET(&d.mac, margin_ddb, 50);
	MSG_SET(&d.mac, min_dr, 1);
	MSG_SET(&d.mac, max_dr, 4);
	MSG_SET(&d.mac, min_power, 2);
	MSG_SET(&d.mac, max_power, 6);
	MSG_SET(&d.mac, min_nb_trans, 5);
	MSG_SET(&d.mac, steers_narrow, true);
	a = mac_adr_settings(&d);
	ck_assert(a.margin_ddb == 50 && a.min_dr == 1 && a.max_dr == 4 && a.min_power == 2 && a.max_power == 6 && a.steers_narrow);
	ck_assert(a.nb_trans.min == 5 && a.nb_trans.max == 5); /* the least is above the most that is usual */
	MSG_SET(&d.mac, max_nb_trans, 8);
	ck_assert_uint_eq(mac_adr_settings(&d).nb_trans.max, 8);
}
END_TEST

START_TEST(overrides_count_at_their_data_rate_and_lack_what_the_rest_says)
{
	begin("EU_863_870", LW_1_0_3, true);
	MSG_SET(&d.mac, min_nb_trans, 2);
	MSG_SET(&d.mac, max_nb_trans, 6);
	d.mac.overrides.len = 3;
	d.mac.overrides.v[0].dr = 0;
	MSG_SET(&d.mac.overrides.v[0], min, 4);
	d.mac.overrides.v[1].dr = 3;
	MSG_SET(&d.mac.overrides.v[1], max, 3);
	d.mac.overrides.v[2].dr = ADR_DRS; /* no such data rate */
	MSG_MARK(&d.mac, overrides);
	struct adr_settings a = mac_adr_settings(&d);
	ck_assert(a.at_dr[0].min == 4 && a.at_dr[0].max == 6);
	ck_assert(a.at_dr[3].min == 2 && a.at_dr[3].max == 3);
	ck_assert_uint_eq(a.at_dr[1].max, 0);
}
END_TEST

START_TEST(static_adr_is_what_was_said_and_one_transmission_if_nothing)
{
	begin("EU_863_870", LW_1_0_3, true);
	MSG_SET(&d.mac, adr_mode, ADR_STATIC);
	MSG_SET(&d.mac, static_dr, 4);
	MSG_SET(&d.mac, static_power, 2);
	struct adr_settings a = mac_adr_settings(&d);
	ck_assert(a.mode == ADR_STATIC && a.fixed.dr == 4 && a.fixed.power == 2 && a.fixed.nb_trans == 1);
	MSG_SET(&d.mac, static_nb_trans, 3);
	ck_assert_uint_eq(mac_adr_settings(&d).fixed.nb_trans, 3);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mac_wish");
	TCase *t = tcase_create("mac_wish");
	tcase_add_test(t, of_a_device_made_by_hand_only_the_plan_wishes_something);
	tcase_add_test(t, without_a_plan_nothing_is_wished);
	tcase_add_test(t, a_wish_of_duty_cycle_or_delay_is_the_commands_field);
	tcase_add_test(t, each_part_of_rx_param_is_wished_by_itself);
	tcase_add_test(t, a_plans_own_rx2_is_wished_of_those_who_joined);
	tcase_add_test(t, tx_param_needs_a_region_and_a_version);
	tcase_add_test(t, a_dwell_time_is_known_from_the_version_the_answer_or_the_operator);
	tcase_add_test(t, channels_of_the_plan_are_wished_and_others_are_not);
	tcase_add_test(t, a_downlink_frequency_is_wished_of_a_channel_that_is_there);
	tcase_add_test(t, what_only_1_1_has_is_wished_of_nobody_else);
	tcase_add_test(t, rejoins_are_wished_of_those_who_can_join);
	tcase_add_test(t, the_channels_wished_are_the_devices_or_the_sub_band);
	tcase_add_test(t, adr_may_choose_what_an_enabled_channel_has);
	tcase_add_test(t, the_operators_way_of_adr);
	tcase_add_test(t, overrides_count_at_their_data_rate_and_lack_what_the_rest_says);
	tcase_add_test(t, static_adr_is_what_was_said_and_one_transmission_if_nothing);
	suite_add_tcase(suite, t);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
