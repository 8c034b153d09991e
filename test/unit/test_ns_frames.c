/** @file Frames that are out of the ordinary: counters of all kinds, shared addresses, copies beside the channel, odd MAC commands. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, other = { .port = 1, .text = "other" },
	sure = { .port = 1, .text = "sure", .confirmed = true };

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

/** The device's registry record changes. */
static void change(struct w_device *d)
{
	d->generation++;
	w_sync(w, 0);
	w_rest(w);
}

static void say(struct w_device *d, uint32_t f_cnt, const struct w_say *what)
{
	d->f_cnt_up = f_cnt;
	w_uplink(w, d, what, 1);
	w_rest(w);
}

/* ---- counters ---- */

START_TEST(the_first_counter_may_be_0_or_1)
{
	struct w_device *second = w_add_device(w, "second", false);
	say(dev, 0, &hello);
	say(second, 1, &hello);
	ck_assert_uint_eq(w->n_up, 2);
	ck_assert_uint_eq(w->up[1].f_cnt, 1);
}
END_TEST

START_TEST(counter_0_twice_with_other_content_is_refused)
{
	say(dev, 0, &hello);
	say(dev, 0, &other);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt_reused"));
}
END_TEST

START_TEST(a_device_that_may_begin_again_may_do_so_after_one_frame)
{
	MSG_SET(&dev->mac, resets_f_cnt, true);
	change(dev);
	say(dev, 0, &hello);
	w->n_up = 0; /* a new life of the device may use the number again */
	say(dev, 0, &other);
	ck_assert_uint_eq(w->n_up, 1);
	say(dev, 1, &hello);
	ck_assert_uint_eq(w->n_up, 2);
}
END_TEST

START_TEST(a_device_that_began_again_is_refused_and_named_unless_it_may)
{
	say(dev, 70, &hello);
	say(dev, 0, &hello);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt"));
	MSG_SET(&dev->mac, resets_f_cnt, true);
	w_sync(w, 0);
	say(dev, 0, &hello);
	say(dev, 1, &hello);
	ck_assert_uint_eq(w->n_up, 3);
}
END_TEST

START_TEST(that_is_known_beyond_16_bits_too)
{
	dev->last_f_cnt_up = 70000;
	change(dev);
	say(dev, 70001, &hello);
	ck_assert_uint_eq(w->n_up, 1);
	say(dev, 3, &hello);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt"));
}
END_TEST

START_TEST(a_16_bit_device_wraps_and_may_lose_frames_there)
{
	MSG_SET(&dev->mac, f_cnt_32, false);
	dev->last_f_cnt_up = 65530;
	change(dev);
	say(dev, 65533, &hello);
	say(dev, 2, &hello);
	say(dev, 3, &hello);
	ck_assert_uint_eq(w->n_up, 3);
	ck_assert_uint_eq(w->up[2].f_cnt, 3);
	say(dev, 65533, &hello);
	ck_assert_uint_eq(w->n_up, 3);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt_gap"));
}
END_TEST

START_TEST(a_large_step_is_refused_in_1_0_3_and_taken_in_1_0_4)
{
	struct w_device *new = w_add_device(w, "new", false);
	new->mac_version = LW_1_0_4;
	change(new);
	say(dev, 16383, &hello);
	ck_assert_uint_eq(w->n_up, 1);
	say(dev, 16384 + 16384, &hello);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(w_traced(w, "ns.up.data.drop", "f_cnt_gap"));
	say(new, 40000, &hello);
	ck_assert_uint_eq(w->n_up, 2);
}
END_TEST

START_TEST(devices_may_share_an_address)
{
	struct w_device *twin = w_add_device(w, "twin", false), *third = w_add_device(w, "third", false);
	twin->dev_addr = third->dev_addr = dev->dev_addr;
	change(twin);
	change(third);
	for (uint32_t i = 0; i < 3; i++) {
		say(dev, i, &sure);
		say(twin, i, &sure);
		say(third, i, &sure);
	}
	ck_assert_uint_eq(w->n_up, 9);
	ck_assert(dev->n_heard == 3 && twin->n_heard == 3 && third->n_heard == 3);
}
END_TEST

/* ---- copies ---- */

static void heard_at(struct slice phy, uint32_t gateway, uint32_t freq_hz, int snr_ddb, uint64_t late_us)
{
	uint32_t own = dev->up.freq_hz;
	dev->up.freq_hz = freq_hz;
	w_heard(w, dev, gateway, phy, snr_ddb, late_us);
	dev->up.freq_hz = own;
}

START_TEST(a_weak_copy_beside_the_channel_does_not_decide)
{
	uint8_t phy[PHY_MAX];
	for (int is_first = 0; is_first < 2; is_first++) {
		size_t n = w_frame(w, dev, dev->f_cnt_up++, &sure, phy);
		unsigned before = dev->n_heard, ups = w->n_up;
		dev->last_up_us = w->now.mono_us;
		heard_at((struct slice){ phy, n }, 0, 868300000, -120, is_first ? 0 : 5 * MS_US);
		heard_at((struct slice){ phy, n }, 0, 868100000, 80, is_first ? 5 * MS_US : 0);
		heard_at((struct slice){ phy, n }, 1, 868100000, 20, 10 * MS_US);
		w_rest(w);
		ck_assert_uint_eq(dev->n_heard, before + 1);
		ck_assert_uint_eq(dev->heard.window, 1);
		ck_assert_uint_eq(w->n_up, ups + 1);
		ck_assert_uint_eq(w->up[ups].n_rx, 2);
	}
	ck_assert_uint_eq(w->tx[1].m.freq_hz, 868100000);
}
END_TEST

START_TEST(the_same_of_a_join_request)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	otaa->up.freq_hz = 868300000;
	w_join_request(w, otaa, 1, 1);
	otaa->up.freq_hz = 868100000;
	w->ev[w->n_ev - 1]->up.rx.snr_ddb = -120;
	w_join_request(w, otaa, 1, 2);
	w_rest(w);
	ck_assert_uint_eq(otaa->n_joins_heard, 1);
	ck_assert_uint_eq(w->n_tx, 1);
	ck_assert_uint_eq(w->tx[0].m.freq_hz, 868100000);
}
END_TEST

START_TEST(two_antennas_of_a_gateway_are_two_receptions_and_one_gateway)
{
	static const uint8_t ask[] = { 0x02 };
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, dev->f_cnt_up++, &(struct w_say){ .port = -1, .opts = ask, .n_opts = 1 }, phy);
	dev->last_up_us = w->now.mono_us;
	heard_at((struct slice){ phy, n }, 0, 868100000, 50, 0);
	heard_at((struct slice){ phy, n }, 0, 868100000, 80, 0);
	w_rest(w);
	ck_assert(w->n_up == 1 && w->up[0].n_rx == 2);
	ck_assert(dev->n_heard == 1 && dev->heard.n_opts == 3 && dev->heard.opts[2] == 1);
}
END_TEST

/* ---- MAC commands ---- */

START_TEST(a_far_gateway_answers_in_rx2_at_first_and_in_rx1_then)
{
	w->gw[0].path_us = 150 * MS_US;
	w->gw[0].told_path_us = 50 * MS_US; /* what its gs believes before the first round trip */
	w->ack_us = 300 * MS_US;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.window == 2);
	w->gw[0].told_path_us = 150 * MS_US;
	struct w_item *it = NULL;
	w_uplink(w, dev, &sure, 1);
	w_run(w, 500 * MS_US);
	it = w_push(w, dev, 9, "quick", false);
	w_rest(w);
	ck_assert(dev->n_heard == 2 && dev->heard.window == 1 && dev->heard.ack && it->state == W_SENT);
}
END_TEST

START_TEST(a_line_is_as_long_as_its_copy_was_late)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, dev->f_cnt_up++, &sure, phy);
	dev->last_up_us = w->now.mono_us;
	w->gw[0].path_us = 150 * MS_US;
	w->gw[0].told_path_us = 50 * MS_US;
	w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
	w_heard(w, dev, 1, (struct slice){ phy, n }, 0, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 1);
	ck_assert(w->tx[0].gateway == 0 && w->tx[0].is_emitted && dev->heard.window == 1);
}
END_TEST

START_TEST(a_copy_after_the_window_serves_path_choice)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	uint8_t phy[PHY_MAX];
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	uint32_t before = w->n_tx;
	size_t n = w_frame(w, otaa, otaa->f_cnt_up++, &sure, phy);
	otaa->last_up_us = w->now.mono_us;
	w_heard(w, otaa, 0, (struct slice){ phy, n }, 0, 0);
	w->gw[1].path_us = 600 * MS_US;
	w->gw[1].told_path_us = 2 * MS_US;
	w_heard(w, otaa, 1, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, before + 1);
	ck_assert(w->tx[before].gateway == 1 && w->tx[before].is_emitted && otaa->heard.ack);
	ck_assert_uint_ge(w->tx[before].start_us - w->tx[before].at_us, 600 * MS_US);
	ck_assert(w->n_up == 1 && w->up[0].n_rx == 1);
}
END_TEST

START_TEST(device_time_is_by_the_gateways_own_time_where_it_has_one)
{
	static const uint8_t ask[] = { 0x0d };
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, dev->f_cnt_up++, &(struct w_say){ .port = -1, .opts = ask, .n_opts = 1 }, phy);
	dev->last_up_us = w->now.mono_us;
	w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
	w_heard(w, dev, 1, (struct slice){ phy, n }, 60, 5 * MS_US);
	MSG_SET(&w->ev[w->n_ev - 1]->up.rx, time_unix_ns, UINT64_C(1600000000500000000));
	w_rest(w);
	uint64_t gps_s = (uint64_t)dev->heard.opts[1] | (uint64_t)dev->heard.opts[2] << 8 | (uint64_t)dev->heard.opts[3] << 16 |
		(uint64_t)dev->heard.opts[4] << 24;
	ck_assert_uint_eq(gps_s, 1600000000 - 315964800 + 18);
	ck_assert_uint_eq(dev->heard.opts[5], 128);
}
END_TEST

START_TEST(an_unknown_command_ends_the_list_and_unasked_answers_are_ignored)
{
	static const uint8_t opts[] = { 0x06, 0xfe, 0x05, 0x03, 0x07, 0x02, 0x7f, 0x0d };
	w_uplink(w, dev, &(struct w_say){ .port = -1, .opts = opts, .n_opts = sizeof(opts) }, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && dev->n_heard == 1);
	ck_assert(dev->heard.n_opts == 3 && dev->heard.opts[0] == 0x02);
	ck_assert_uint_eq(w->n_statuses, 0);
}
END_TEST

START_TEST(questions_on_port_0_are_answered_too)
{
	w_uplink(w, dev, &(struct w_say){ .port = 0, .text = "\x02\x0d" }, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.n_opts == 9 && dev->heard.opts[0] == 0x02 && dev->heard.opts[3] == 0x0d);
	ck_assert(w->n_up == 1 && w->up[0].port == 0);
}
END_TEST

START_TEST(frames_without_payload_or_port_are_frames)
{
	say(dev, 0, &(struct w_say){ .port = -1 });
	say(dev, 1, &(struct w_say){ .port = 5 });
	say(dev, 2, &(struct w_say){ .port = 0 });
	say(dev, 3, &(struct w_say){ .port = -1, .confirmed = true });
	ck_assert_uint_eq(w->n_up, 4);
	ck_assert(dev->n_heard == 1 && dev->heard.ack);
}
END_TEST

START_TEST(strangers_do_not_fill_the_table_of_gateways_for_ever)
{
	static struct gateway_status m;
	for (uint64_t i = 0; i < NS_GATEWAYS_MAX + 100; i++) {
		m = (struct gateway_status){ .gateway_eui = 0xbad0000000 + i, .connected = true };
		snprintf(m.gateway_id, sizeof(m.gateway_id), "eui-%" PRIx64, m.gateway_eui);
		ns_gs_status(w->ns, &w->now, 1, &m);
		m.connected = false;
		ns_gs_status(w->ns, &w->now, 1, &m);
	}
	w_run(w, 120 * SEC_US);
	struct w_gateway *g = w_add_gateway(w, "new");
	ck_assert_uint_eq(g->eui, w->gw[2].eui);
	w->gw[0].can_send = w->gw[1].can_send = false;
	w_hello_gs(w);
	w_uplink(w, dev, &sure, 3);
	w_rest(w);
	ck_assert_uint_eq(w->up[0].n_rx, 3);
	ck_assert_uint_eq(w->n_tx, 1);
	ck_assert(dev->n_heard == 1 && w->tx[0].gateway == 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_frames");
	TCase *t = tcase_create("ns_frames");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_first_counter_may_be_0_or_1);
	tcase_add_test(t, counter_0_twice_with_other_content_is_refused);
	tcase_add_test(t, a_device_that_may_begin_again_may_do_so_after_one_frame);
	tcase_add_test(t, a_device_that_began_again_is_refused_and_named_unless_it_may);
	tcase_add_test(t, that_is_known_beyond_16_bits_too);
	tcase_add_test(t, a_16_bit_device_wraps_and_may_lose_frames_there);
	tcase_add_test(t, a_large_step_is_refused_in_1_0_3_and_taken_in_1_0_4);
	tcase_add_test(t, devices_may_share_an_address);
	tcase_add_test(t, a_weak_copy_beside_the_channel_does_not_decide);
	tcase_add_test(t, the_same_of_a_join_request);
	tcase_add_test(t, two_antennas_of_a_gateway_are_two_receptions_and_one_gateway);
	tcase_add_test(t, a_far_gateway_answers_in_rx2_at_first_and_in_rx1_then);
	tcase_add_test(t, a_line_is_as_long_as_its_copy_was_late);
	tcase_add_test(t, a_copy_after_the_window_serves_path_choice);
	tcase_add_test(t, device_time_is_by_the_gateways_own_time_where_it_has_one);
	tcase_add_test(t, an_unknown_command_ends_the_list_and_unasked_answers_are_ignored);
	tcase_add_test(t, questions_on_port_0_are_answered_too);
	tcase_add_test(t, frames_without_payload_or_port_are_frames);
	tcase_add_test(t, strangers_do_not_fill_the_table_of_gateways_for_ever);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
