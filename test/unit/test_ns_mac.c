/** @file MAC commands that the network begins: what is asked, when, how often, and what an answer moves. One test a rule. */
#include "ns/core/state.h"
#include "test/unit/mac_device.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static struct mac_device md;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true },
	with_adr = { .port = 1, .text = "adr", .adr = true };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
	md_init(&md, w, dev);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void say(const struct w_say *what)
{
	md_say(&md, *what);
}

/** The registry says what the test set in dev->mac. */
static void tell(void)
{
	w_sync(w, 0);
	w_settle(w);
}

static void restart_as(uint32_t version)
{
	dev->mac_version = version;
	dev->generation++;
	tell();
}

static uint64_t answer_after_us(void)
{
	return w->tx[w->n_tx - 1].start_us - dev->last_up_us;
}

/* ---- nothing that nobody asked for ---- */

START_TEST(a_device_about_which_nobody_said_anything_is_asked_nothing)
{
	for (int i = 0; i < 30; i++)
		say(&hello);
	ck_assert_uint_eq(w->n_tx, 0);
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	for (int i = 0; i < 30; i++) {
		w_uplink(w, otaa, &hello, 1);
		w_rest(w);
	}
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

START_TEST(a_device_that_is_not_to_be_sent_anything_is_not)
{
	MSG_SET(&dev->mac, schedule_downlinks, false);
	MSG_SET(&dev->mac, desired_rx1_delay, 5);
	tell();
	say(&sure);
	ck_assert_uint_eq(w->n_tx, 0);
}
END_TEST

/* ---- receive windows ---- */

START_TEST(a_changed_rx1_delay_holds_from_the_uplink_that_carried_its_answer)
{
	MSG_SET(&dev->mac, desired_rx1_delay, 3);
	tell();
	say(&hello);
	ck_assert_uint_eq(answer_after_us(), 1 * SEC_US);
	ck_assert_uint_eq(md.n_asked[8], 1);
	ck_assert_uint_eq(md.rx1_delay, 3);
	ck_assert(w_traced(w, "ns.mac.rx_timing_setup.request", ""));
	unsigned heard = dev->n_heard;
	say(&hello); /* with its answer, which it repeats until it hears something */
	ck_assert_uint_eq(answer_after_us(), 3 * SEC_US);
	ck_assert_uint_eq(dev->n_heard, heard + 1);
	ck_assert_uint_eq(md.n_asked[8], 0);
	ck_assert(w_traced(w, "ns.mac.rx_timing_setup.answer", ""));
	say(&hello);
	ck_assert_uint_eq(dev->n_heard, heard + 1);
}
END_TEST

START_TEST(a_device_that_did_not_hear_of_it_is_answered_where_it_listens)
{
	MSG_SET(&dev->mac, desired_rx1_delay, 3);
	tell();
	md.is_deaf = true;
	for (int i = 0; i < 3; i++) {
		say(&sure);
		ck_assert_uint_eq(answer_after_us(), 1 * SEC_US);
		ck_assert(dev->heard.ack);
	}
	md.is_deaf = false;
	for (int i = 0; i < 5; i++)
		say(&sure);
	ck_assert_uint_eq(md.rx1_delay, 3);
	ck_assert_uint_eq(answer_after_us(), 3 * SEC_US);
	ck_assert_uint_eq(dev->n_heard, 8);
}
END_TEST

START_TEST(a_1_0_0_device_whose_only_answer_was_lost_is_found_again)
{
	restart_as(LW_1_0_0);
	md.forgets_sticky = true;
	MSG_SET(&dev->mac, desired_rx1_delay, 4);
	tell();
	say(&hello);
	ck_assert_uint_eq(md.rx1_delay, 4);
	md.n_sticky = 0; /* its answer is lost */
	for (int i = 0; i < 8 && md.n_asked[8] == 0; i++)
		say(&hello);
	ck_assert_uint_ge(md.n_asked[8], 1);
	say(&sure);
	say(&sure);
	ck_assert(dev->heard.ack);
	ck_assert_uint_eq(answer_after_us(), 4 * SEC_US);
}
END_TEST

START_TEST(rx2_moves_when_the_device_has_agreed)
{
	MSG_SET(&dev->mac, desired_rx2_dr, 3);
	MSG_SET(&dev->mac, desired_rx2_freq_hz, 868525000);
	tell();
	say(&hello);
	ck_assert_uint_eq(md.n_asked[5], 1);
	ck_assert_uint_eq(md.rx2_hz, 868525000);
	ck_assert_uint_eq(md.rx2_dr, 3);
	w->gw[0].mood = W_REFUSES; /* RX1 */
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	w->gw[0].moods_left = 1;
	say(&sure);
	ck_assert_uint_eq(w->tx[w->n_tx - 1].m.freq_hz, 868525000);
	ck_assert_uint_eq(w->tx[w->n_tx - 1].m.mod.sf, 9);
	ck_assert(dev->heard.window == 2 && dev->heard.ack);
}
END_TEST

START_TEST(the_data_rate_of_rx1_follows_its_offset)
{
	MSG_SET(&dev->mac, desired_rx1_dr_offset, 2);
	tell();
	say(&hello);
	say(&sure);
	ck_assert_uint_eq(w->tx[w->n_tx - 1].m.mod.sf, 9);
	ck_assert(dev->heard.ack);
}
END_TEST

/* ---- refusals and silence ---- */

START_TEST(what_a_device_refused_is_not_asked_again)
{
	MSG_SET(&dev->mac, desired_rx2_freq_hz, 868525000);
	tell();
	md.rx_status = 6;
	unsigned asked = 0;
	for (int i = 0; i < 20; i++) {
		say(&hello);
		asked += md.n_asked[5];
	}
	ck_assert_uint_eq(asked, 1);
	say(&sure);
	ck_assert(dev->heard.ack);
	/* Another value is another question. */
	dev->mac.desired_rx2_freq_hz = 869525000;
	MSG_SET(&dev->mac, desired_rx2_dr, 2);
	md.rx_status = 7;
	tell();
	say(&hello);
	ck_assert_uint_eq(md.n_asked[5], 1);
}
END_TEST

START_TEST(a_refusal_is_remembered_over_a_crash)
{
	MSG_SET(&dev->mac, desired_rx2_dr, 3);
	tell();
	md.rx_status = 5;
	say(&hello);
	say(&hello);
	w_crash(w);
	unsigned asked = 0;
	for (int i = 0; i < 10; i++) {
		say(&hello);
		asked += md.n_asked[5];
	}
	ck_assert_uint_eq(asked, 0);
}
END_TEST

START_TEST(what_is_not_answered_is_asked_less_and_less_and_then_no_more)
{
	MSG_SET(&dev->mac, desired_duty_cycle, 7);
	tell();
	md.is_deaf = true;
	unsigned at[16], n = 0;
	for (unsigned i = 0; i < 300; i++) {
		unsigned before = dev->n_heard;
		say(&hello);
		if (dev->n_heard != before && n < 16)
			at[n++] = i;
	}
	static const unsigned expected[] = { 0, 1, 2, 6, 14, 30, 62, 126 };
	ck_assert_uint_eq(n, COUNT(expected));
	for (unsigned i = 0; i < n; i++)
		ck_assert_uint_eq(at[i], expected[i]);
}
END_TEST

START_TEST(a_request_that_no_gateway_sent_was_not_made)
{
	MSG_SET(&dev->mac, desired_duty_cycle, 7);
	tell();
	w->gw[0].can_send = false;
	w_hello_gs(w);
	for (int i = 0; i < 40; i++)
		say(&hello);
	w->gw[0].can_send = true;
	w_hello_gs(w);
	say(&hello);
	ck_assert_uint_eq(md.n_asked[4], 1);
	say(&hello);
	ck_assert_uint_eq(md.duty, 7);
	say(&hello);
	ck_assert_uint_eq(md.n_asked[4], 0);
}
END_TEST

START_TEST(an_answer_to_no_request_changes_nothing)
{
	static const uint8_t unasked[] = { 0x04, 0x03, 0x07, 0x07, 0x03 };
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = unasked, .n_opts = sizeof(unasked) });
	ck_assert(w_traced(w, "ns.mac.command.process.fail", "no_request"));
	ck_assert_uint_eq(w->n_tx, 0);
}
END_TEST

START_TEST(a_sticky_answer_said_again_gets_a_downlink_and_no_new_request)
{
	static const uint8_t again[] = { 0x08 };
	MSG_SET(&dev->mac, desired_rx1_delay, 2);
	tell();
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = again, .n_opts = 1 });
	ck_assert(dev->n_heard == 1 && md.n_commands == 0);
	ck_assert(!w_traced(w, "ns.mac.command.process.fail", "no_request"));
	say(&hello);
	ck_assert_uint_eq(md.n_asked[8], 1);
}
END_TEST

START_TEST(a_crash_between_question_and_answer_loses_neither)
{
	MSG_SET(&dev->mac, desired_rx1_delay, 3);
	tell();
	say(&hello);
	w_crash(w);
	say(&sure);
	ck_assert_uint_eq(answer_after_us(), 3 * SEC_US);
	ck_assert(dev->heard.ack);
	w_crash(w);
	tell(); /* the registry says all again, and nothing new */
	say(&sure);
	ck_assert_uint_eq(answer_after_us(), 3 * SEC_US);
}
END_TEST

START_TEST(a_repetition_is_asked_the_same_again)
{
	MSG_SET(&dev->mac, desired_duty_cycle, 7);
	tell();
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	w_uplink(w, dev, &sure, 1);
	w_run(w, 4 * SEC_US);
	uint32_t before = w->n_tx;
	w->gw[0].mood = W_SENDS;
	dev->last_up_us = w->now.mono_us;
	w_heard(w, dev, 0, (struct slice){ dev->last, dev->n_last }, 90, 0);
	w_rest(w);
	ck_assert_uint_gt(w->n_tx, before);
	md_hear(&md);
	ck_assert_uint_eq(md.n_asked[4], 1);
	say(&hello);
	say(&hello);
	ck_assert_uint_eq(md.n_asked[4], 0);
}
END_TEST

/* ---- channels ---- */

static void factory(unsigned n)
{
	static const uint32_t hz[] = { 868100000, 868300000, 868500000, 865100000 };
	dev->mac.factory.len = (uint16_t)n;
	for (unsigned i = 0; i < n; i++)
		dev->mac.factory.v[i] = (struct freq){ .hz = hz[i] };
	MSG_MARK(&dev->mac, factory);
	tell();
}

START_TEST(a_device_that_lacks_channels_of_the_plan_gets_them_on_port_0)
{
	factory(3);
	say(&hello);
	ck_assert_uint_eq(md.n_asked[7], 5);
	ck_assert(md.last_port == 0 && dev->heard.n == 30);
	ck_assert_uint_eq(md.channel[3], 867100000);
	ck_assert_uint_eq(md.channel[7], 867900000);
	dev->up.freq_hz = 867900000;
	say(&sure);
	ck_assert(dev->heard.ack);
	say(&hello);
	say(&hello);
	ck_assert_uint_eq(md.n_asked[7], 0);
}
END_TEST

START_TEST(beside_an_applications_payload_they_come_in_f_opts_bit_by_bit)
{
	factory(3);
	for (int i = 0; i < 4; i++)
		w_push(w, dev, 2, "payload", false);
	unsigned asked = 0;
	for (int i = 0; i < 4; i++) {
		say(&hello);
		ck_assert_uint_eq(dev->heard.port, 2);
		ck_assert_uint_le(dev->heard.n_opts, 15);
		asked += md.n_asked[7];
		if (i < 2)
			ck_assert(dev->heard.pending);
	}
	ck_assert_uint_eq(asked, 5);
	ck_assert_uint_eq(md.channel[7], 867900000);
}
END_TEST

START_TEST(a_channel_that_the_plan_does_not_have_is_replaced)
{
	factory(4);
	md.channel[3] = 865100000;
	say(&hello);
	ck_assert_uint_eq(md.channel[3], 867100000);
}
END_TEST

START_TEST(refused_channels_are_not_asked_again_and_no_mask_names_them)
{
	factory(3);
	md.channel_status = 1;
	unsigned asked = 0;
	for (int i = 0; i < 20; i++) {
		say(&hello);
		asked += md.n_asked[7] + md.n_asked[3];
	}
	ck_assert_uint_eq(asked, 5);
}
END_TEST

START_TEST(rx1_moves_to_the_downlink_frequency_of_a_channel)
{
	dev->mac.desired_down.len = 1;
	dev->mac.desired_down.v[0] = (struct freq){ .hz = 869525000 };
	MSG_MARK(&dev->mac, desired_down);
	tell();
	say(&hello);
	ck_assert_uint_eq(md.n_asked[10], 1);
	say(&sure);
	ck_assert_uint_eq(w->tx[w->n_tx - 1].m.freq_hz, 869525000);
	ck_assert(dev->heard.ack && dev->heard.window == 1);
}
END_TEST

/* ---- ADR ---- */

static void adr_until_asked(unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		say(&with_adr);
		if (md.n_asked[3])
			return;
	}
}

START_TEST(adr_moves_data_rate_and_power_and_believes_the_answer)
{
	md.dr = 0;
	adr_until_asked(25);
	ck_assert_uint_eq(md.n_asked[3], 1);
	ck_assert(md.dr > 0 && md.has_adr);
	unsigned dr = md.dr;
	say(&with_adr);
	ck_assert(w_traced(w, "ns.mac.link_adr.answer.accept", ""));
	struct device_state st;
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &st), 0);
	ck_assert(MSG_HAS(&st, current) && st.current.dr == dr && st.current.nb_trans == md.nb_trans && st.current.power == md.power);
}
END_TEST

START_TEST(without_the_adr_bit_no_data_rate_is_asked)
{
	md.dr = 0;
	for (int i = 0; i < 30; i++)
		say(&hello);
	ck_assert_uint_eq(w->n_tx, 0);
}
END_TEST

START_TEST(disabled_adr_asks_nothing_and_says_so)
{
	MSG_SET(&dev->mac, adr_mode, ADR_DISABLED);
	tell();
	md.dr = 0;
	for (int i = 0; i < 30; i++)
		say(&with_adr);
	ck_assert_uint_eq(w->n_tx, 0);
	say(&sure);
	ck_assert(!md.has_adr);
}
END_TEST

START_TEST(static_adr_asks_for_what_the_operator_said)
{
	MSG_SET(&dev->mac, adr_mode, ADR_STATIC);
	MSG_SET(&dev->mac, static_dr, 3);
	MSG_SET(&dev->mac, static_power, 2);
	MSG_SET(&dev->mac, static_nb_trans, 2);
	tell();
	say(&with_adr);
	ck_assert(md.dr == 3 && md.power == 2 && md.nb_trans == 2);
	for (int i = 0; i < 10; i++) {
		say(&with_adr);
		ck_assert_uint_eq(md.n_asked[3], 0);
	}
}
END_TEST

START_TEST(a_refused_data_rate_is_not_asked_for_again)
{
	MSG_SET(&dev->mac, adr_mode, ADR_STATIC);
	MSG_SET(&dev->mac, static_dr, 3);
	tell();
	md.adr_status = 5;
	unsigned asked = 0;
	for (int i = 0; i < 60; i++) {
		say(&with_adr);
		asked += md.n_asked[3];
	}
	ck_assert_uint_ge(asked, 1);
	ck_assert_uint_le(asked, 6);
	say(&sure);
	ck_assert(dev->heard.ack);
}
END_TEST

START_TEST(a_device_that_refuses_its_own_channels_is_left_alone)
{
	MSG_SET(&dev->mac, adr_mode, ADR_STATIC);
	MSG_SET(&dev->mac, static_dr, 3);
	tell();
	md.adr_status = 6;
	unsigned asked = 0;
	for (int i = 0; i < 60; i++) {
		say(&with_adr);
		asked += md.n_asked[3];
	}
	ck_assert_uint_eq(asked, 1);
}
END_TEST

/* ---- other requests, by version ---- */

START_TEST(each_command_goes_only_to_versions_and_regions_that_have_it)
{
	MSG_SET(&dev->mac, desired_ack_limit, 5);
	MSG_SET(&dev->mac, desired_rejoin_count, 5);
	MSG_SET(&dev->mac, desired_max_eirp, 8);
	MSG_SET(&dev->mac, up_dwell, true);
	tell();
	for (int i = 0; i < 5; i++)
		say(&hello);
	ck_assert_uint_eq(w->n_tx, 0);
}
END_TEST

START_TEST(a_question_that_the_version_does_not_have_is_not_answered)
{
	static const uint8_t device_time[] = { 0x0d };
	restart_as(LW_1_0_2);
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = device_time, .n_opts = 1 });
	ck_assert_uint_eq(w->n_tx, 0);
	restart_as(LW_1_0_4);
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = device_time, .n_opts = 1 });
	ck_assert(w->n_tx == 1 && dev->heard.opts[0] == 0x0d);
}
END_TEST

START_TEST(class_b_is_answered_so_that_nobody_asks_for_ever)
{
	static const uint8_t ping[] = { 0x10, 0x03 };
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = ping, .n_opts = 2 });
	ck_assert(dev->heard.n_opts == 1 && dev->heard.opts[0] == 0x10);
	static const uint8_t beacon[] = { 0x12 };
	unsigned before = w->n_tx;
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = beacon, .n_opts = 1 });
	ck_assert_uint_eq(w->n_tx, before);
	ck_assert(w_traced(w, "ns.mac.command.process.fail", "not_served"));
	ck_assert_uint_eq(devices_find(&w->ns->devices, dev->uid)->current->mac.ping_periodicity, 3);
	restart_as(LW_1_0_2);
	static const uint8_t older[] = { 0x10, 0x53 }; /* every 2^5 s at DR3 */
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = older, .n_opts = 2 });
	ck_assert_uint_eq(devices_find(&w->ns->devices, dev->uid)->current->mac.ping_periodicity, 5);
}
END_TEST

START_TEST(answers_come_before_requests)
{
	static const uint8_t link_check[] = { 0x02 };
	MSG_SET(&dev->mac, desired_duty_cycle, 3);
	MSG_SET(&dev->mac, status_every_n, 1);
	tell();
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = link_check, .n_opts = 1 });
	ck_assert(dev->heard.n_opts == 6 && dev->heard.opts[0] == 2 && dev->heard.opts[3] == 4 && dev->heard.opts[5] == 6);
}
END_TEST

START_TEST(requests_whose_answers_would_not_fit_wait)
{
	/* Nine NewChannelAns are 18 octets: more than FOpts. */
	factory(3);
	MSG_SET(&dev->mac, desired_rx2_dr, 3);
	MSG_SET(&dev->mac, desired_rx1_delay, 2);
	MSG_SET(&dev->mac, desired_duty_cycle, 3);
	MSG_SET(&dev->mac, status_every_n, 1);
	tell();
	for (int i = 0; i < 6; i++) {
		say(&hello);
		ck_assert_uint_le(md.n_ans + md.n_sticky, 15);
	}
	ck_assert(md.rx2_dr == 3 && md.rx1_delay == 2 && md.duty == 3 && md.channel[7] == 867900000);
	ck_assert_uint_ge(w->n_statuses, 1);
}
END_TEST

/* ---- the registry ---- */

START_TEST(a_change_of_something_else_does_not_move_what_is_in_force)
{
	MSG_SET(&dev->mac, desired_rx1_delay, 3);
	tell();
	say(&hello);
	say(&hello);
	MSG_SET(&dev->mac, status_every_n, 1000);
	tell();
	say(&sure);
	ck_assert_uint_eq(answer_after_us(), 3 * SEC_US);
	ck_assert(dev->heard.ack);
}
END_TEST

START_TEST(where_the_operator_says_how_the_device_was_made_that_is_believed)
{
	MSG_SET(&dev->mac, rx1_delay, 4);
	dev->rx1_delay_s = md.rx1_delay = 4;
	tell();
	say(&sure);
	ck_assert_uint_eq(answer_after_us(), 4 * SEC_US);
	ck_assert_uint_eq(md.n_commands, 0);
}
END_TEST

START_TEST(the_state_says_what_is_in_force_wished_and_pending)
{
	MSG_SET(&dev->mac, desired_rx1_delay, 3);
	tell();
	say(&hello);
	struct device_state st;
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &st), 0);
	ck_assert_uint_eq(st.current.rx1_delay, 1);
	ck_assert_uint_eq(st.desired.rx1_delay, 3);
	ck_assert_str_eq(st.pending, "RXTimingSetupReq");
	ck_assert_uint_eq(st.current.channels.len, 8);
	say(&hello);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &st), 0);
	ck_assert_uint_eq(st.current.rx1_delay, 3);
	ck_assert(!MSG_HAS(&st, pending));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_mac");
	TCase *t = tcase_create("mac");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_device_about_which_nobody_said_anything_is_asked_nothing);
	tcase_add_test(t, a_device_that_is_not_to_be_sent_anything_is_not);
	tcase_add_test(t, a_changed_rx1_delay_holds_from_the_uplink_that_carried_its_answer);
	tcase_add_test(t, a_device_that_did_not_hear_of_it_is_answered_where_it_listens);
	tcase_add_test(t, a_1_0_0_device_whose_only_answer_was_lost_is_found_again);
	tcase_add_test(t, rx2_moves_when_the_device_has_agreed);
	tcase_add_test(t, the_data_rate_of_rx1_follows_its_offset);
	tcase_add_test(t, what_a_device_refused_is_not_asked_again);
	tcase_add_test(t, a_refusal_is_remembered_over_a_crash);
	tcase_add_test(t, what_is_not_answered_is_asked_less_and_less_and_then_no_more);
	tcase_add_test(t, a_request_that_no_gateway_sent_was_not_made);
	tcase_add_test(t, an_answer_to_no_request_changes_nothing);
	tcase_add_test(t, a_sticky_answer_said_again_gets_a_downlink_and_no_new_request);
	tcase_add_test(t, a_crash_between_question_and_answer_loses_neither);
	tcase_add_test(t, a_repetition_is_asked_the_same_again);
	tcase_add_test(t, a_device_that_lacks_channels_of_the_plan_gets_them_on_port_0);
	tcase_add_test(t, beside_an_applications_payload_they_come_in_f_opts_bit_by_bit);
	tcase_add_test(t, a_channel_that_the_plan_does_not_have_is_replaced);
	tcase_add_test(t, refused_channels_are_not_asked_again_and_no_mask_names_them);
	tcase_add_test(t, rx1_moves_to_the_downlink_frequency_of_a_channel);
	tcase_add_test(t, adr_moves_data_rate_and_power_and_believes_the_answer);
	tcase_add_test(t, without_the_adr_bit_no_data_rate_is_asked);
	tcase_add_test(t, disabled_adr_asks_nothing_and_says_so);
	tcase_add_test(t, static_adr_asks_for_what_the_operator_said);
	tcase_add_test(t, a_refused_data_rate_is_not_asked_for_again);
	tcase_add_test(t, a_device_that_refuses_its_own_channels_is_left_alone);
	tcase_add_test(t, each_command_goes_only_to_versions_and_regions_that_have_it);
	tcase_add_test(t, a_question_that_the_version_does_not_have_is_not_answered);
	tcase_add_test(t, class_b_is_answered_so_that_nobody_asks_for_ever);
	tcase_add_test(t, answers_come_before_requests);
	tcase_add_test(t, requests_whose_answers_would_not_fit_wait);
	tcase_add_test(t, a_change_of_something_else_does_not_move_what_is_in_force);
	tcase_add_test(t, where_the_operator_says_how_the_device_was_made_that_is_believed);
	tcase_add_test(t, the_state_says_what_is_in_force_wished_and_pending);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
