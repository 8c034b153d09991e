/** @file Items that a crash or a lost answer leaves in doubt: each comes to one end, and none is sent again unreported. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, acknowledges = { .port = 1, .text = "yes", .ack = true };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

/** Until the answer was handed to the gateway server, and no commit since the pull has ended. */
static void send_item_undurably(bool confirmed, struct w_item **ret)
{
	*ret = w_push(w, dev, 9, "item", confirmed);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 500 * MS_US);
	w->commit_us = 3 * SEC_US;
	uint32_t before = w->n_tx;
	while (w->n_tx == before)
		w_run(w, MS_US);
	ck_assert_int_eq((*ret)->state, W_FLIGHT);
}

START_TEST(what_a_dead_process_sent_without_a_note_of_it_is_told_as_unknown)
{
	struct w_item *it;
	send_item_undurably(false, &it);
	w_crash(w);
	w->commit_us = 5 * MS_US;
	w_rest(w);
	ck_assert(it->state == W_FAILED && it->n_failed == 1 && it->n_sent == 0);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

START_TEST(a_confirmed_one_is_told_as_missed_and_sent_again)
{
	struct w_item *it;
	send_item_undurably(true, &it);
	w_crash(w);
	w->commit_us = 5 * MS_US;
	w_rest(w);
	ck_assert(it->state == W_QUEUED && it->n_nacks == 1);
	w_tell_waiting(w, dev->uid);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 2);
	ck_assert_int_eq(it->state, W_SENT);
}
END_TEST

START_TEST(a_confirmed_one_with_a_note_waits_for_the_next_uplink)
{
	struct w_item *it = w_push(w, dev, 9, "item", true);
	w_uplink(w, dev, &hello, 1);
	while (!w->n_tx)
		w_run(w, MS_US);
	w_run(w, 20 * MS_US); /* its record is on disk, the TX_ACK is not yet there */
	w->gw[0].mood = W_SILENT;
	w_crash(w);
	w_rest(w);
	ck_assert(it->state == W_SENT && it->n_nacks == 0 && it->n_failed == 0);
	w_uplink(w, dev, &acknowledges, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

START_TEST(a_confirmed_one_without_a_tx_ack_waits_for_the_next_uplink)
{
	w->gw[0].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 9, "item", true);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->state == W_SENT && it->n_sent == 0 && it->n_failed == 0);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 500 * MS_US);
	ck_assert_uint_eq(it->n_nacks, 1);
	w_rest(w);
}
END_TEST

START_TEST(an_answer_that_stays_on_the_way_gives_its_item_back)
{
	struct w_item *it = w_push(w, dev, 9, "item", false);
	w->as_loses_answers = true;
	w_uplink(w, dev, &hello, 1);
	w_run(w, 2500 * MS_US);
	w->as_loses_answers = false;
	w_rest(w);
	ck_assert_int_eq(it->state, W_QUEUED);
	w_tell_waiting(w, dev->uid);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_SENT);
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

START_TEST(nothing_is_asked_for_before_the_fate_of_the_last_item_is_told)
{
	struct w_item *first = w_push(w, dev, 9, "one", false), *second = w_push(w, dev, 9, "two", false);
	w->ack_us = 500 * MS_US;
	w_uplink(w, dev, &hello, 1);
	w_run(w, 950 * MS_US);
	w->as_is_full = true;
	w_run(w, 3 * SEC_US);
	ck_assert_int_eq(first->state, W_FLIGHT);
	ck_assert_uint_eq(w->n_tx, 1);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 3 * SEC_US);
	ck_assert_int_eq(second->state, W_QUEUED);
	w->as_is_full = false;
	w_rest(w);
	ck_assert_int_eq(first->state, W_SENT);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_int_eq(second->state, W_SENT);
}
END_TEST

/** Seconds on the air within the last hour, in the sub-band of a frequency. */
static double airtime_s(uint32_t freq_hz)
{
	const struct region_band *band = region_band(w->plan->region, freq_hz);
	uint64_t used = 0;
	for (uint32_t i = 0; i < w->n_tx; i++)
		if (w->tx[i].is_emitted && region_band(w->plan->region, w->tx[i].m.freq_hz) == band &&
			w->tx[i].start_us + 3600 * SEC_US > w->now.mono_us)
			used += w->tx[i].m.airtime_us;
	return (double)used / 1e6;
}

/** Ask for far more airtime than the hour has, in answers of 2.8 s, and crash between them. */
static void ask_too_much(unsigned crash_every, double *ret_s)
{
	enum { UPLINKS = 50, PAUSE_S = 40 };
	modu_parse(STR("SF12BW125"), &dev->up.modu);
	for (unsigned i = 0; i < UPLINKS; i++) {
		w_push(w, dev, 1, "a payload of fifty octets, as long as SF12 carries", false)->priority = 6;
		w_uplink(w, dev, &hello, 1);
		w_run(w, 5 * SEC_US);
		if (crash_every && i % crash_every == 0)
			w_crash(w);
		w_run(w, (PAUSE_S - 5) * SEC_US);
	}
	*ret_s = airtime_s(868100000);
}

START_TEST(the_airtime_of_an_hour_is_remembered_over_crashes)
{
	double without, with;
	ask_too_much(0, &without);
	ck_assert_double_gt(without, 30);
	ck_assert_double_le(without, 36);
	teardown();
	setup();
	/* The rules of the air are checked at each emission; here, that a crash costs the slice in hand and no more. */
	ask_too_much(16, &with);
	ck_assert_double_gt(with, 20);
	ck_assert_double_le(with, without);
	teardown();
	setup();
	ask_too_much(1, &with);
	ck_assert_double_le(with, without);
	/* All that was sent is in the ledger of the process that came last: it sends nothing more in this hour. */
	uint32_t before = w->n_tx;
	w_crash(w);
	w_uplink(w, dev, &hello, 1);
	w_run(w, 5 * SEC_US);
	for (uint32_t i = before; i < w->n_tx; i++)
		ck_assert_uint_ne(w->tx[i].m.freq_hz, 868100000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_crash");
	TCase *t = tcase_create("items in doubt");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, what_a_dead_process_sent_without_a_note_of_it_is_told_as_unknown);
	tcase_add_test(t, a_confirmed_one_is_told_as_missed_and_sent_again);
	tcase_add_test(t, a_confirmed_one_with_a_note_waits_for_the_next_uplink);
	tcase_add_test(t, a_confirmed_one_without_a_tx_ack_waits_for_the_next_uplink);
	tcase_add_test(t, an_answer_that_stays_on_the_way_gives_its_item_back);
	tcase_add_test(t, nothing_is_asked_for_before_the_fate_of_the_last_item_is_told);
	suite_add_tcase(s, t);
	t = tcase_create("airtime");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_airtime_of_an_hour_is_remembered_over_crashes);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
