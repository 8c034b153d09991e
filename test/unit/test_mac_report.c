/** @file The state of a device's MAC as operators see it: what is in force, wished and pending, in regions of both kinds. */
#include "ns/core/mac/mac_report.h"
#include "ns/core/device.h"
#include "proto/region/plan.h"
#include <check.h>
#include <stdlib.h>

static struct dev d;
static struct session s;
static struct device_state st;

static void begin(const char *plan)
{
	const struct mac_rules *rules = mac_rules(LW_1_0_3);
	d = (struct dev){ .mac_version = LW_1_0_3, .phy_version = rules->usual_phy, .rules = rules, .plan = plan_find(str_of(plan)) };
	s = (struct session){ .dev = &d, .is_by_hand = true };
	mac_begin(&s, mac_rx_of_maker(&d), true);
	st = (struct device_state){ .has = 0 };
}

static const struct channel_params *channel(const struct mac_params *p, unsigned index)
{
	for (size_t i = 0; i < p->channels.len; i++)
		if (p->channels.v[i].index == index)
			return &p->channels.v[i];
	return NULL;
}

START_TEST(dwell_times_and_power_are_there_where_the_region_has_them)
{
	begin("AS_923");
	MSG_SET(&d.mac, up_dwell, false);
	MSG_SET(&d.mac, down_dwell, true);
	MSG_SET(&d.mac, desired_max_eirp, 13);
	mac_report(&s, &st);
	ck_assert(MSG_HAS(&st.current, up_dwell) && st.current.up_dwell && st.current.max_eirp == 16);
	ck_assert(MSG_HAS(&st.desired, up_dwell) && !st.desired.up_dwell && st.desired.down_dwell && st.desired.max_eirp == 13);
	begin("EU_863_870");
	mac_report(&s, &st);
	ck_assert(!MSG_HAS(&st.current, up_dwell) && !MSG_HAS(&st.current, down_dwell) && st.current.max_eirp == 16);
}
END_TEST

START_TEST(channels_that_are_defined_one_by_one_have_their_frequencies)
{
	begin("EU_863_870");
	s.mac.channel[1].down_hz = 869525000;
	s.mac.channel[7].freq_hz = 0;
	s.mac.enabled.bank[0] = 0x7D; /* all that are there but channel 1 */
	d.mac.desired_down.len = 1;
	d.mac.desired_down.v[0].hz = 869525000;
	MSG_MARK(&d.mac, desired_down);
	mac_report(&s, &st);
	ck_assert_uint_eq(st.current.channels.len, 7);
	const struct channel_params *c = channel(&st.current, 1);
	ck_assert(c && c->up_hz == 868300000 && MSG_HAS(c, down_hz) && c->down_hz == 869525000 && !c->enabled && c->max_dr == 5);
	c = channel(&st.current, 0);
	ck_assert(c && c->up_hz == 868100000 && !MSG_HAS(c, down_hz) && c->enabled);
	ck_assert_ptr_null(channel(&st.current, 7));
	/* What is wished: the plan's channel, and a frequency of RX1. */
	c = channel(&st.desired, 7);
	ck_assert(c && c->up_hz == 867900000 && c->enabled);
	c = channel(&st.desired, 0);
	ck_assert(c && MSG_HAS(c, down_hz) && c->down_hz == 869525000);
}
END_TEST

START_TEST(of_a_fixed_region_all_channels_are_there_and_some_enabled)
{
	begin("US_902_928_FSB_2");
	mac_report(&s, &st);
	ck_assert_uint_eq(st.current.channels.len, 72);
	const struct channel_params *c = channel(&st.current, 0);
	ck_assert(c && c->up_hz == 902300000 && c->enabled && !channel(&st.desired, 0)->enabled);
	c = channel(&st.desired, 8);
	ck_assert(c && c->up_hz == 903900000 && c->enabled && c->max_dr == 3);
	c = channel(&st.desired, 65);
	ck_assert(c && c->up_hz == 904600000 && c->enabled && c->min_dr == 4);
}
END_TEST

START_TEST(what_adr_would_ask_for_is_wished)
{
	begin("EU_863_870");
	MSG_SET(&d.mac, adr_mode, ADR_STATIC);
	MSG_SET(&d.mac, static_dr, 3);
	MSG_SET(&d.mac, static_power, 2);
	MSG_SET(&d.mac, static_nb_trans, 2);
	adr_heard(&s.mac.adr, &(struct adr_sample){ .f_cnt = 1, .snr_ddb = 50, .dr = 0 });
	mac_report(&s, &st);
	ck_assert(st.current.dr == 0 && st.current.power == 0 && st.current.nb_trans == 1);
	ck_assert(st.desired.dr == 3 && st.desired.power == 2 && st.desired.nb_trans == 2);
}
END_TEST

START_TEST(without_a_plan_only_the_class_is_known)
{
	begin("EU_863_870");
	d.plan = NULL;
	d.class_c = true;
	mac_report(&s, &st);
	ck_assert(st.device_class == DEVICE_CLASS_C && !MSG_HAS(&st, current) && !MSG_HAS(&st, desired));
}
END_TEST

START_TEST(a_list_of_pending_requests_is_cut_at_a_whole_word)
{
	begin("EU_863_870");
	s.mac.is_out = true;
	s.mac.n_asked = MAC_ASKED_MAX;
	for (unsigned i = 0; i < MAC_ASKED_MAX; i++)
		s.mac.asked[i].item = (uint8_t)(i % 2 ? ITEM_RX_PARAM : ITEM_NEW_CHANNEL);
	mac_report(&s, &st);
	ck_assert(MSG_HAS(&st, pending));
	size_t n = strlen(st.pending);
	ck_assert(n < sizeof(st.pending) && strcmp(st.pending + n - 3, "Req") == 0);
	ck_assert(strncmp(st.pending, "NewChannelReq RXParamSetupReq NewChannelReq", 43) == 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mac_report");
	TCase *t = tcase_create("mac_report");
	tcase_add_test(t, dwell_times_and_power_are_there_where_the_region_has_them);
	tcase_add_test(t, channels_that_are_defined_one_by_one_have_their_frequencies);
	tcase_add_test(t, of_a_fixed_region_all_channels_are_there_and_some_enabled);
	tcase_add_test(t, what_adr_would_ask_for_is_wished);
	tcase_add_test(t, without_a_plan_only_the_class_is_known);
	tcase_add_test(t, a_list_of_pending_requests_is_cut_at_a_whole_word);
	suite_add_tcase(suite, t);
	SRunner *r = srunner_create(suite);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
