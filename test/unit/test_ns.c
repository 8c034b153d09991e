/** @file The network server's core in a world of its own: uplinks, joins, answers, crashes. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

START_TEST(a_data_uplink_reaches_the_as_with_all_its_copies)
{
	w_uplink(w, dev, &hello, 2);
	w_run(w, 199 * MS_US);
	ck_assert_uint_eq(w->n_up, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert_uint_eq(w->up[0].n_rx, 2);
	ck_assert_uint_eq(w->up[0].f_cnt, 0);
	ck_assert_uint_eq(w->n_held, 0);
	ck_assert_uint_eq(w->n_tx, 0);
}
END_TEST

START_TEST(a_confirmed_uplink_is_acknowledged_in_rx1_by_the_best_gateway)
{
	w_uplink(w, dev, &sure, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 1);
	ck_assert_uint_eq(w->tx[0].gateway, 0);
	ck_assert_uint_eq(dev->n_heard, 1);
	ck_assert(dev->heard.ack && dev->heard.window == 1 && dev->heard.f_cnt == 0);
	uint64_t lead = w->tx[0].start_us - w->tx[0].at_us;
	ck_assert(lead > 60 * MS_US && lead < 250 * MS_US);
}
END_TEST

START_TEST(rx1_at_one_second_holds_with_commits_of_100_ms)
{
	w->commit_us = 100 * MS_US;
	struct w_item *it = w_push(w, dev, 4, "item", false);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.ack && dev->heard.window == 1 && dev->heard.port == 4);
	ck_assert_int_eq(it->state, W_SENT);
}
END_TEST

START_TEST(an_ack_is_withheld_while_its_uplink_is_not_on_disk)
{
	w->commit_us = 3 * SEC_US;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 0);
	ck_assert(w_traced(w, "ns.down.data.schedule.fail", "not_stored"));
}
END_TEST

START_TEST(an_item_is_pulled_at_the_last_moment_and_reported_sent)
{
	w_uplink(w, dev, &hello, 1);
	w_run(w, 700 * MS_US);
	struct w_item *it = w_push(w, dev, 15, "quick", true);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.confirmed && dev->heard.n == 5 && memcmp(dev->heard.frm, "quick", 5) == 0);
	ck_assert(it->state == W_SENT && it->n_sent == 1);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

START_TEST(an_unacknowledged_item_is_nacked_and_sent_again)
{
	struct w_item *it = w_push(w, dev, 15, "sure?", true);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	uint32_t first = dev->heard.f_cnt;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->n_nacks == 1 && it->n_sent == 2 && dev->n_heard == 2 && dev->heard.f_cnt > first);
}
END_TEST

START_TEST(a_refused_rx1_goes_out_in_rx2_with_the_same_octets)
{
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_TOO_EARLY;
	w->gw[0].moods_left = 1;
	struct w_item *it = w_push(w, dev, 3, "abc", false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_uint_eq(w->tx[0].m.phy.len, w->tx[1].m.phy.len);
	ck_assert_mem_eq(w->tx[0].m.phy.p, w->tx[1].m.phy.p, w->tx[0].m.phy.len);
	ck_assert(dev->heard.window == 2 && it->state == W_SENT && it->n_failed == 0);
	ck_assert_uint_eq(w->tx[1].start_us - dev->last_up_us, 2 * SEC_US);
}
END_TEST

START_TEST(a_gateway_that_lost_its_path_gives_way_to_the_next_in_rx1)
{
	w->gw[0].mood = W_BUS_REFUSES;
	w_uplink(w, dev, &sure, 2);
	w_rest(w);
	ck_assert(w->n_tx == 2 && w->tx[1].gateway == 1 && dev->heard.window == 1);
}
END_TEST

START_TEST(an_item_that_nobody_took_comes_back)
{
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	struct w_item *it = w_push(w, dev, 3, "abc", false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->state == W_QUEUED && it->n_returned == 1);
	w->gw[0].mood = W_SENDS;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->state == W_SENT && dev->n_heard == 1);
}
END_TEST

START_TEST(an_item_of_unknown_fate_fails_once)
{
	w->gw[0].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 3, "abc", false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->state == W_FAILED && it->n_failed == 1 && w->n_tx == 2);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
}
END_TEST

START_TEST(an_as_that_does_not_answer_a_pull_costs_no_ack)
{
	struct w_item *it = w_push(w, dev, 3, "abc", false);
	w->as_delay_us = 70 * MS_US;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.ack && !dev->heard.n && dev->heard.f_cnt == 1);
	ck_assert(it->n_returned == 1 && it->state == W_QUEUED);
}
END_TEST

START_TEST(a_repetition_is_acknowledged_again_and_not_delivered_twice)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, 0, &sure, phy);
	for (unsigned i = 0; i < 18; i++) {
		dev->last_up_us = w->now.mono_us;
		w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
		w_run(w, 4 * SEC_US);
	}
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert_uint_eq(dev->n_heard, 16);
	ck_assert(w_traced(w, "ns.up.data.drop", "repeats"));
}
END_TEST

START_TEST(a_replay_is_refused)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, dev->f_cnt_up, &sure, phy);
	w_uplink(w, dev, &hello, 1);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 2);
	ck_assert_uint_eq(w->n_tx, 0);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt"));
	phy[n - 1] ^= 1;
	w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert(w_traced(w, "ns.up.data.drop", "mic"));
}
END_TEST

START_TEST(a_counter_too_far_ahead_is_refused_before_1_0_4)
{
	dev->f_cnt_up = 20000;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 0);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt_gap"));
}
END_TEST

START_TEST(counters_have_32_bits)
{
	dev->last_f_cnt_up = 65534;
	dev->generation++;
	w_sync(w, 0);
	dev->f_cnt_up = 65535;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 2);
	ck_assert_uint_eq(w->up[1].f_cnt, 65536);
}
END_TEST

START_TEST(a_sync_does_not_move_live_counters)
{
	dev->f_cnt_up = 7;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	w_sync(w, 0);
	struct device_state s;
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s), 0);
	ck_assert_uint_eq(s.last_f_cnt_up, 7);
}
END_TEST

START_TEST(link_check_and_device_time_are_answered_with_all_copies)
{
	static const uint8_t ask[] = { 0x02, 0x0d };
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "x", .opts = ask, .n_opts = 2 }, 2);
	uint64_t sent_unix = w->now.unix_us;
	w_rest(w);
	ck_assert_uint_eq(dev->heard.n_opts, 9);
	ck_assert(dev->heard.opts[0] == 2 && dev->heard.opts[1] == 16 && dev->heard.opts[2] == 2 && dev->heard.opts[3] == 0x0d);
	uint64_t gps_us = ((uint64_t)dev->heard.opts[4] | (uint64_t)dev->heard.opts[5] << 8 | (uint64_t)dev->heard.opts[6] << 16 |
		(uint64_t)dev->heard.opts[7] << 24) * SEC_US + (uint64_t)dev->heard.opts[8] * SEC_US / 256;
	int64_t error = (int64_t)(gps_us - clock_gps_us(sent_unix));
	ck_assert(error > -10000 && error < 10000);
}
END_TEST

START_TEST(a_device_is_asked_for_its_status_and_that_goes_to_the_as)
{
	static const uint8_t status[] = { 0x06, 0xfe, 0x3f };
	MSG_SET(&dev->mac, status_every_n, 3);
	w_sync(w, 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(dev->n_heard, 0);
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
	}
	ck_assert(dev->n_heard == 1 && dev->heard.n_opts == 1 && dev->heard.opts[0] == 0x06);
	w_uplink(w, dev, &(struct w_say){ .port = -1, .opts = status, .n_opts = 3 }, 1);
	w_rest(w);
	ck_assert(w->n_statuses == 1 && w->last_status.battery == 254 && w->last_status.margin_db == -1);
	ck_assert(w->n_up == 4 && dev->n_heard == 1);
}
END_TEST

START_TEST(a_device_that_does_not_say_its_status_is_asked_three_times)
{
	MSG_SET(&dev->mac, status_every_s, 86400);
	w_sync(w, 0);
	for (int i = 0; i < 6; i++) {
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
	}
	ck_assert_uint_eq(dev->n_heard, 3);
}
END_TEST

START_TEST(a_device_joins_and_the_join_is_told_once)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 2);
	w_rest(w);
	ck_assert(otaa->n_joins_heard == 1 && w->n_tx == 1 && w->n_joins == 1);
	ck_assert_uint_eq(w->tx[0].start_us - otaa->last_up_us, 5 * SEC_US);
	w_uplink(w, otaa, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && w->n_joins == 1 && otaa->n_heard == 1 && otaa->heard.window == 1);
	ck_assert_uint_eq(w->tx[1].start_us - otaa->last_up_us, 5 * SEC_US);
}
END_TEST

START_TEST(a_join_whose_tx_ack_is_lost_is_told_with_the_first_uplink)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w->gw[0].mood = W_SILENT;
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	ck_assert(otaa->n_joins_heard >= 1 && w->n_joins == 0);
	w->gw[0].mood = W_SENDS;
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert(w->n_joins == 1 && w->n_up == 1);
}
END_TEST

START_TEST(the_old_session_works_until_the_new_one_is_used)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	struct w_device old = *otaa;
	w_join_request(w, otaa, 2, 1);
	w_rest(w);
	struct w_device new = *otaa;
	*otaa = old;
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 2);
	*otaa = new;
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 3);
	*otaa = old;
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 3);
	ck_assert(w_traced(w, "ns.up.data.drop", "dev_addr"));
}
END_TEST

START_TEST(a_copy_of_a_join_request_over_a_slow_line_spoils_nothing)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w->gw[1].path_us = 3 * SEC_US;
	w_join_request(w, otaa, 1, 2);
	w_rest(w);
	ck_assert(otaa->n_joins_heard == 1 && w->n_tx == 1 && w->n_joins == 1 && w->tx[0].gateway == 0);
}
END_TEST

START_TEST(a_copy_of_a_frame_over_a_slow_line_spoils_nothing)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	w->gw[1].path_us = 3 * SEC_US;
	w_uplink(w, otaa, &sure, 2);
	w_rest(w);
	ck_assert(w->n_up == 1 && otaa->n_heard == 1 && otaa->heard.ack && w->n_tx == 2);
}
END_TEST

START_TEST(a_power_that_a_forwarder_refused_is_not_asked_again)
{
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_TX_POWER;
	w->gw[0].moods_left = 1;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(dev->heard.window, 1);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 3);
	ck_assert_int_eq(w->tx[0].m.eirp_dbm, 16);
	ck_assert_int_eq(w->tx[1].m.eirp_dbm, 15);
	ck_assert_int_eq(w->tx[2].m.eirp_dbm, 15);
	w->gw[0].mood = W_REFUSES;
	w->gw[0].moods_left = 3;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(dev->heard.window, 2);
	ck_assert_int_eq(w->tx[5].m.eirp_dbm, 13);
	ck_assert_int_eq(w->tx[6].m.eirp_dbm, 29); /* RX2 is another sub-band */
}
END_TEST

START_TEST(a_join_of_an_unknown_device_is_dropped)
{
	dev->dev_eui = 99;
	w_join_request(w, dev, 1, 1);
	w_rest(w);
	ck_assert(w->n_tx == 0 && w_traced(w, "ns.up.join.drop", "device_not_found"));
}
END_TEST

START_TEST(a_crash_skips_downlink_counters_and_repeats_none)
{
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	uint32_t before = dev->heard.f_cnt;
	w_crash(w);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 2 && dev->heard.f_cnt > before);
	struct device_state s;
	ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s);
	ck_assert_uint_eq(s.last_f_cnt_up, 1);
}
END_TEST

START_TEST(a_crash_at_any_moment_loses_no_uplink_and_doubles_none)
{
	for (uint64_t at = 0; at < 400; at += 20) {
		unsigned ups = w->n_up;
		w->commit_us = 50 * MS_US;
		w_uplink(w, dev, &sure, 2);
		w_run(w, at * MS_US);
		w_crash(w);
		w_rest(w);
		ck_assert_uint_eq(w->n_up, ups + 1);
	}
}
END_TEST

START_TEST(what_the_as_missed_it_gets_when_it_is_back)
{
	ns_as_down(w->ns, &w->now);
	w->as_is_up = false;
	for (int i = 0; i < 5; i++) {
		w_uplink(w, dev, &hello, 1);
		w_run(w, 3 * SEC_US);
	}
	ck_assert(w->n_up == 0 && w->n_held == 0);
	w_crash(w);
	w_hello_as(w);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 5);
}
END_TEST

START_TEST(a_full_outbox_refuses_new_uplinks)
{
	w_free(w);
	w = w_new(2);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "dev", false);
	w->config.outbox_max = 4; /* one of them for the word of the crash */
	w_run(w, SEC_US);
	w_crash(w);
	ns_as_down(w->ns, &w->now);
	w->as_is_up = false;
	for (int i = 0; i < 5; i++) {
		w_uplink(w, dev, &hello, 1);
		w_run(w, 3 * SEC_US);
	}
	ck_assert_uint_eq(w->n_refused, 2);
}
END_TEST

START_TEST(how_old_the_oldest_message_for_the_as_is_can_be_told)
{
	const struct ns_counters *c = ns_counters(w->ns);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ns_measure(w->ns, &w->now);
	ck_assert(c->outbox == 0 && c->outbox_oldest == 0 && c->as_connected == 1);
	ck_assert_uint_eq(c->publish.n[HISTOGRAM_BOUNDS], 0);
	uint64_t taken = 0;
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		taken += c->publish.n[i];
	ck_assert_uint_ge(taken, 1);
	ns_as_down(w->ns, &w->now);
	w->as_is_up = false;
	w_uplink(w, dev, &hello, 1);
	w_run(w, 3 * SEC_US);
	uint64_t first_us = c->outbox_oldest;
	for (int i = 0; i < 2; i++) {
		w_uplink(w, dev, &hello, 1);
		w_run(w, 3 * SEC_US);
	}
	ns_measure(w->ns, &w->now);
	ck_assert_uint_eq(first_us, 0);
	ck_assert(c->outbox == 3 && c->as_connected == 0);
	/* The first was put when its window closed, 0.2 s after it came. */
	ck_assert(c->outbox_oldest > 8700 * MS_US && c->outbox_oldest < 9 * SEC_US);
	w_crash(w);
	c = ns_counters(w->ns);
	ns_measure(w->ns, &w->now);
	ck_assert_uint_eq(c->outbox, 4); /* with the word of the start */
	ck_assert(c->outbox_oldest > 8700 * MS_US && c->outbox_oldest < 10 * SEC_US);
	w_hello_as(w);
	w_rest(w);
	ns_measure(w->ns, &w->now);
	ck_assert(c->outbox == 0 && c->outbox_oldest == 0);
}
END_TEST

START_TEST(what_becomes_of_emissions_is_counted_by_result)
{
	const struct ns_counters *c = ns_counters(w->ns);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "sure", .confirmed = true }, 1);
	w_rest(w);
	ns_measure(w->ns, &w->now);
	ck_assert_uint_eq(c->transmissions[TX_RESULT_SUCCESS], 1);
	ck_assert_uint_eq(c->downlinks_sent, 1);
	ck_assert(c->gateway_servers == 1 && c->gateways_connected == w->n_gw && c->answers_open == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns");
	TCase *t = tcase_create("ns");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_data_uplink_reaches_the_as_with_all_its_copies);
	tcase_add_test(t, a_confirmed_uplink_is_acknowledged_in_rx1_by_the_best_gateway);
	tcase_add_test(t, rx1_at_one_second_holds_with_commits_of_100_ms);
	tcase_add_test(t, an_ack_is_withheld_while_its_uplink_is_not_on_disk);
	tcase_add_test(t, an_item_is_pulled_at_the_last_moment_and_reported_sent);
	tcase_add_test(t, an_unacknowledged_item_is_nacked_and_sent_again);
	tcase_add_test(t, a_refused_rx1_goes_out_in_rx2_with_the_same_octets);
	tcase_add_test(t, a_gateway_that_lost_its_path_gives_way_to_the_next_in_rx1);
	tcase_add_test(t, an_item_that_nobody_took_comes_back);
	tcase_add_test(t, an_item_of_unknown_fate_fails_once);
	tcase_add_test(t, an_as_that_does_not_answer_a_pull_costs_no_ack);
	tcase_add_test(t, a_repetition_is_acknowledged_again_and_not_delivered_twice);
	tcase_add_test(t, a_replay_is_refused);
	tcase_add_test(t, a_counter_too_far_ahead_is_refused_before_1_0_4);
	tcase_add_test(t, counters_have_32_bits);
	tcase_add_test(t, a_sync_does_not_move_live_counters);
	tcase_add_test(t, link_check_and_device_time_are_answered_with_all_copies);
	tcase_add_test(t, a_device_is_asked_for_its_status_and_that_goes_to_the_as);
	tcase_add_test(t, a_device_that_does_not_say_its_status_is_asked_three_times);
	tcase_add_test(t, a_device_joins_and_the_join_is_told_once);
	tcase_add_test(t, a_join_whose_tx_ack_is_lost_is_told_with_the_first_uplink);
	tcase_add_test(t, the_old_session_works_until_the_new_one_is_used);
	tcase_add_test(t, a_copy_of_a_join_request_over_a_slow_line_spoils_nothing);
	tcase_add_test(t, a_copy_of_a_frame_over_a_slow_line_spoils_nothing);
	tcase_add_test(t, a_power_that_a_forwarder_refused_is_not_asked_again);
	tcase_add_test(t, a_join_of_an_unknown_device_is_dropped);
	tcase_add_test(t, a_crash_skips_downlink_counters_and_repeats_none);
	tcase_add_test(t, a_crash_at_any_moment_loses_no_uplink_and_doubles_none);
	tcase_add_test(t, what_the_as_missed_it_gets_when_it_is_back);
	tcase_add_test(t, a_full_outbox_refuses_new_uplinks);
	tcase_add_test(t, how_old_the_oldest_message_for_the_as_is_can_be_told);
	tcase_add_test(t, what_becomes_of_emissions_is_counted_by_result);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
