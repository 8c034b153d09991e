/** @file Answers that go wrong: late, lost and refused TX_ACKs, two gateways, sessions that end with something on its way. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };
static const char long_text[] = "a payload of fifty octets, as long as SF12 carries";

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

static void refuse_next(unsigned gateway, enum tx_result result, unsigned n)
{
	w->gw[gateway].mood = W_REFUSES;
	w->gw[gateway].result = result;
	w->gw[gateway].moods_left = n;
}

/* ---- TX_ACK ---- */

START_TEST(a_tx_ack_that_comes_when_a_long_emission_is_over_still_says_sent)
{
	modu_parse(STR("SF12BW125"), &dev->up.modu);
	w->ack_us = 3200 * MS_US; /* a client that answers after the emission, or version 1: RX1 of 2.8 s, asked for 140 ms before */
	struct w_item *it = w_push(w, dev, 1, long_text, false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 1);
	ck_assert_int_eq(it->state, W_SENT);
	ck_assert_uint_eq(it->n_failed, 0);
}
END_TEST

START_TEST(the_same_in_rx2)
{
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 1);
	struct w_item *it = w_push(w, dev, 1, long_text, false);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 1500 * MS_US);
	w->ack_us = 3200 * MS_US;
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_uint_eq(dev->heard.window, 2);
	ck_assert_int_eq(it->state, W_SENT);
	ck_assert_uint_eq(it->n_failed, 0);
}
END_TEST

START_TEST(a_late_tx_ack_of_rx1_counts_though_rx2_went_out)
{
	w->ack_us = 1300 * MS_US;
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 1500 * MS_US);
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 0);
	w->ack_us = 3 * MS_US;
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_int_eq(it->state, W_SENT);
	ck_assert_uint_eq(it->n_failed + it->n_returned, 0);
}
END_TEST

START_TEST(an_unknown_rx1_and_a_refused_rx2_wait_for_the_last_word_and_fail)
{
	w->gw[0].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 1200 * MS_US);
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 0);
	w_run(w, 800 * MS_US);
	ck_assert_uint_eq(w->n_tx, 2);
	w_rest(w);
	ck_assert(it->state == W_FAILED && it->n_failed == 1 && it->n_returned == 0);
	w->gw[0].mood = W_SENDS;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
}
END_TEST

START_TEST(every_refusal_in_rx1_leads_to_rx2_and_in_both_back_to_the_queue)
{
	for (uint32_t result = TX_RESULT_UNKNOWN_ERROR; result <= TX_RESULT_GPS_UNLOCKED; result++) {
		uint32_t before = w->n_tx;
		struct w_item *it = w_push(w, dev, 1, "abc", false);
		refuse_next(0, result, 1);
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
		ck_assert_uint_ge(w->n_tx, before + 2);
		ck_assert(it->state == W_SENT && it->n_returned + it->n_failed == 0);
		it = w_push(w, dev, 1, "def", false);
		refuse_next(0, result, 0);
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
		ck_assert(it->state == W_QUEUED && it->n_returned == 1 && it->n_failed == 0);
		w->gw[0].mood = W_SENDS;
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
		ck_assert(it->state == W_SENT);
	}
}
END_TEST

START_TEST(the_next_gateway_is_tried_in_rx1_while_there_is_time)
{
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 1);
	w_uplink(w, dev, &sure, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_uint_eq(w->tx[1].gateway, 1);
	ck_assert_mem_eq(w->tx[0].m.phy.p, w->tx[1].m.phy.p, w->tx[0].m.phy.len);
	ck_assert_uint_eq(dev->heard.window, 1);
}
END_TEST

START_TEST(every_refusal_leaves_rx1_to_the_next_gateway_with_the_same_octets)
{
	for (uint32_t result = TX_RESULT_UNKNOWN_ERROR; result <= TX_RESULT_GPS_UNLOCKED; result++) {
		uint32_t n = w->n_tx;
		struct w_item *it = w_push(w, dev, 1, "abc", result % 2);
		refuse_next(0, result, 1);
		w_uplink(w, dev, &sure, 2);
		w_rest(w);
		ck_assert_uint_eq(w->n_tx, n + 2);
		/* Of too much power alone a forwarder says that less would do. */
		ck_assert_uint_eq(w->tx[n + 1].gateway, result == TX_RESULT_TX_POWER ? 0 : 1);
		ck_assert_uint_eq(w->tx[n].m.phy.len, w->tx[n + 1].m.phy.len);
		ck_assert_mem_eq(w->tx[n].m.phy.p, w->tx[n + 1].m.phy.p, w->tx[n].m.phy.len);
		ck_assert(it->state == W_SENT && it->n_heard == 1 && it->n_failed + it->n_returned + it->n_nacks == 0);
		ck_assert(dev->heard.window == 1 && dev->heard.ack);
		if (dev->owes_ack)
			w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 1);
		w_rest(w);
	}
}
END_TEST

START_TEST(what_all_gateways_refuse_in_both_windows_is_no_fault_of_the_device)
{
	for (uint32_t result = TX_RESULT_UNKNOWN_ERROR; result <= TX_RESULT_GPS_UNLOCKED; result++) {
		struct w_item *it = w_push(w, dev, 1, "abc", true);
		for (unsigned i = 1; i <= 10; i++) { /* more often than an item has attempts */
			refuse_next(0, result, 0);
			refuse_next(1, result, 0);
			w_uplink(w, dev, &hello, 2);
			w_rest(w);
			ck_assert(it->state == W_QUEUED && it->n_returned == i && it->n_nacks + it->n_failed == 0);
		}
		uint32_t last = dev->heard.f_cnt, heard = dev->n_heard;
		w->gw[0].mood = w->gw[1].mood = W_SENDS;
		w_uplink(w, dev, &hello, 2);
		w_rest(w);
		ck_assert(it->state == W_SENT && it->n_heard == 1 && dev->n_heard == heard + 1);
		ck_assert(!heard || dev->heard.f_cnt > last);
		w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 2);
		w_rest(w);
		ck_assert(it->state == W_ACKED && it->n_nacks == 0);
	}
}
END_TEST

START_TEST(without_any_answer_rx2_follows_with_the_same_octets_and_nothing_else)
{
	w->gw[0].mood = w->gw[1].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_uplink(w, dev, &hello, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_mem_eq(w->tx[0].m.phy.p, w->tx[1].m.phy.p, w->tx[0].m.phy.len);
	ck_assert(it->state == W_FAILED && it->n_failed == 1 && it->n_heard == 1);
	ck_assert_str_eq(it->error, "transmission");
	w_uplink(w, dev, &hello, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
}
END_TEST

START_TEST(a_refusal_that_comes_late_leaves_rx2)
{
	refuse_next(0, TX_RESULT_TOO_EARLY, 1);
	w->ack_us = 120 * MS_US;
	w_uplink(w, dev, &sure, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_uint_eq(dev->heard.window, 2);
}
END_TEST

START_TEST(a_confirmed_item_that_no_gateway_spoke_of_is_known_by_its_ack)
{
	w->gw[0].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 1, "abc", true);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && it->n_failed == 0);
	w->gw[0].mood = W_SENDS;
	w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

START_TEST(a_repeated_uplink_gets_no_other_item_while_an_ack_is_awaited)
{
	struct w_item *first = w_push(w, dev, 1, "first", true);
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, dev->f_cnt_up++, &sure, phy);
	for (int i = 0; i < 2; i++) {
		dev->last_up_us = w->now.mono_us;
		w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
		w_run(w, 3 * SEC_US);
		if (i == 0)
			w_push(w, dev, 1, "second", true)->priority = 6;
	}
	ck_assert(dev->n_heard == 2 && dev->heard.ack && dev->heard.n == 0);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(first->state, W_ACKED);
	ck_assert_uint_eq(w->item[1].n_sent, 1);
}
END_TEST

/* ---- sessions that end ---- */

START_TEST(a_confirmed_item_of_a_session_that_ended_is_sent_in_the_new_one)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	struct w_item *it = w_push(w, otaa, 7, "certain", true);
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_SENT);
	w_join_request(w, otaa, 2, 1);
	w_rest(w);
	unsigned before = otaa->n_heard;
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(it->n_nacks, 1);
	ck_assert_uint_eq(otaa->n_heard, before + 1);
	ck_assert(otaa->heard.confirmed && otaa->heard.port == 7 && otaa->heard.f_cnt == 0);
	w_uplink(w, otaa, &(struct w_say){ .port = 1, .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

START_TEST(a_confirmed_item_of_a_session_that_the_operator_replaced_is_sent_again)
{
	struct w_item *it = w_push(w, dev, 7, "certain", true);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_SENT);
	dev->generation++;
	dev->session = ulid_make(w->now.unix_us, &w->rng);
	rng_fill(&w->rng, dev->nwk.b, sizeof(dev->nwk.b));
	dev->f_cnt_up = dev->n_heard = 0;
	w_sync(w, 0);
	w_rest(w);
	ck_assert_int_eq(it->state, W_QUEUED);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.confirmed && dev->heard.f_cnt == 0);
}
END_TEST

START_TEST(a_forged_join_request_disturbs_nobody)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	unsigned before = otaa->n_heard;
	struct w_item *it = w_push(w, otaa, 7, "item", false);
	w_uplink(w, otaa, &sure, 1);
	w_run(w, SEC_US);
	w_forge_join(w, otaa);
	w_rest(w);
	ck_assert_uint_eq(otaa->n_heard, before + 1);
	ck_assert(otaa->heard.ack && otaa->heard.window == 1 && it->state == W_SENT);
}
END_TEST

/* ---- what the as is told before a pull ---- */

START_TEST(the_as_is_told_shortly_before_a_pull_and_not_sooner)
{
	w_push(w, dev, 1, "item", false);
	w_uplink(w, dev, &hello, 1);
	uint64_t began_us = w->now.mono_us;
	w_run(w, 450 * MS_US);
	ck_assert_uint_eq(dev->n_prepared, 0);
	w_rest(w);
	ck_assert_uint_eq(dev->n_prepared, 1);
	ck_assert(dev->prepared_us > began_us + 450 * MS_US && dev->prepared_us < began_us + 700 * MS_US);
	ck_assert_uint_eq(dev->heard.window, 1);
}
END_TEST

START_TEST(a_quick_reply_is_prepared_at_once_and_makes_the_window)
{
	w_uplink(w, dev, &hello, 1);
	w_run(w, 750 * MS_US);
	ck_assert_uint_eq(dev->n_prepared, 0);
	w_push(w, dev, 1, "reply", false);
	ck_assert_uint_eq(dev->n_prepared, 1);
	w_rest(w);
	ck_assert_uint_eq(dev->heard.window, 1);
	ck_assert_uint_eq(dev->heard.n, 5);
}
END_TEST

START_TEST(what_comes_when_the_answer_has_left_is_not_prepared)
{
	w_uplink(w, dev, &sure, 1);
	w_run(w, 1200 * MS_US);
	ck_assert(dev->heard.ack);
	w_push(w, dev, 1, "late", false);
	w_rest(w);
	ck_assert_uint_eq(dev->n_prepared, 0);
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

/* ---- what is said ---- */

START_TEST(an_ack_without_the_item_tells_that_more_waits)
{
	modu_parse(STR("SF12BW125"), &dev->up.modu);
	struct w_item *it = w_push(w, dev, 1, "a payload that is longer than the fifty-one octets of data rate 0", false);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.ack && !dev->heard.n && dev->heard.window == 1);
	ck_assert(dev->heard.pending);
	ck_assert_int_eq(it->state, W_QUEUED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_answers");
	TCase *t = tcase_create("ns_answers");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, a_tx_ack_that_comes_when_a_long_emission_is_over_still_says_sent);
	tcase_add_test(t, the_same_in_rx2);
	tcase_add_test(t, a_late_tx_ack_of_rx1_counts_though_rx2_went_out);
	tcase_add_test(t, an_unknown_rx1_and_a_refused_rx2_wait_for_the_last_word_and_fail);
	tcase_add_test(t, every_refusal_in_rx1_leads_to_rx2_and_in_both_back_to_the_queue);
	tcase_add_test(t, the_next_gateway_is_tried_in_rx1_while_there_is_time);
	tcase_add_test(t, every_refusal_leaves_rx1_to_the_next_gateway_with_the_same_octets);
	tcase_add_test(t, what_all_gateways_refuse_in_both_windows_is_no_fault_of_the_device);
	tcase_add_test(t, without_any_answer_rx2_follows_with_the_same_octets_and_nothing_else);
	tcase_add_test(t, a_refusal_that_comes_late_leaves_rx2);
	tcase_add_test(t, a_confirmed_item_that_no_gateway_spoke_of_is_known_by_its_ack);
	tcase_add_test(t, a_repeated_uplink_gets_no_other_item_while_an_ack_is_awaited);
	tcase_add_test(t, a_confirmed_item_of_a_session_that_ended_is_sent_in_the_new_one);
	tcase_add_test(t, a_confirmed_item_of_a_session_that_the_operator_replaced_is_sent_again);
	tcase_add_test(t, a_forged_join_request_disturbs_nobody);
	tcase_add_test(t, the_as_is_told_shortly_before_a_pull_and_not_sooner);
	tcase_add_test(t, a_quick_reply_is_prepared_at_once_and_makes_the_window);
	tcase_add_test(t, what_comes_when_the_answer_has_left_is_not_prepared);
	tcase_add_test(t, an_ack_without_the_item_tells_that_more_waits);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
