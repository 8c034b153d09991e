/** @file Answers where airtime is short: who sends, in which window, and what is left out. */
#include "ns/core/state.h"
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say sure = { .port = 1, .text = "sure", .confirmed = true };

static void setup(void)
{
	w = w_new(1);
	for (int i = 0; i < 6; i++) {
		char id[8];
		snprintf(id, sizeof(id), "gw%d", i);
		w_add_gateway(w, id);
	}
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

/** A gateway has used so much of its hour in the sub-band of a frequency, in the minute that is now. */
static void uses(unsigned gateway, uint32_t freq_hz, unsigned percent)
{
	struct gateway *g = gateways_find(&w->ns->gateways, w->gw[gateway].eui);
	const struct region *r = w->plan->region;
	const struct region_band *b = region_band(r, freq_hz);
	struct ledger_band *l = &g->ledger.band[b - r->bands];
	uint64_t minute = ns_ledger_us(w->ns, w->now.mono_us) / (60 * SEC_US);
	if (!g->ledger.region)
		ledger_init(&g->ledger, r);
	memset(l->used_us, 0, sizeof(l->used_us));
	l->minute = minute;
	l->used_us[minute % LEDGER_MINUTES] = (uint32_t)(36 * b->duty_ppm * (uint64_t)percent);
}

static const uint32_t rx1_hz = 868100000, rx2_hz = 869525000;

START_TEST(an_item_of_low_priority_moves_to_rx2_with_the_ack)
{
	struct w_item *it = w_push(w, dev, 4, "item", false);
	uses(0, rx1_hz, 50); /* more than the lowest priority may fill */
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.window == 2 && dev->heard.ack);
	ck_assert(it->state == W_SENT && dev->heard.n == 4 && w->n_tx == 1);
}
END_TEST

START_TEST(an_ack_is_not_lost_over_an_item_that_rx2_cannot_carry_either)
{
	struct w_item *it = w_push(w, dev, 4, "item", false);
	uses(0, rx1_hz, 50);
	uses(0, rx2_hz, 50);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.window == 1 && dev->heard.ack && !dev->heard.n);
	ck_assert(it->state == W_QUEUED && it->n_returned == 1 && it->n_sent + it->n_failed == 0);
}
END_TEST

START_TEST(an_ack_is_not_lost_over_an_item_that_moved_to_rx2_and_found_its_air_taken)
{
	struct w_item *it = w_push(w, dev, 4, "item", false);
	uses(0, rx1_hz, 50);
	w_uplink(w, dev, &sure, 1);
	w_run(w, 1200 * MS_US);
	ck_assert(w->n_tx == 0 && it->state == W_FLIGHT); /* it waits for RX2 */
	uses(0, rx2_hz, 50);
	w_rest(w);
	ck_assert(dev->n_heard == 1 && dev->heard.window == 2 && dev->heard.ack && !dev->heard.n);
	ck_assert(it->state == W_QUEUED && it->n_returned == 1 && it->n_sent + it->n_failed == 0);
	uint32_t f_cnt = dev->heard.f_cnt;
	uses(0, rx1_hz, 0);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(it->state == W_SENT && dev->heard.ack && dev->heard.n == 4 && dev->heard.f_cnt > f_cnt);
}
END_TEST

START_TEST(an_item_of_high_priority_fills_what_the_low_one_may_not)
{
	struct w_item *it = w_push(w, dev, 4, "item", false);
	it->priority = 6;
	w_tell_waiting(w, dev->uid);
	uses(0, rx1_hz, 50);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(it->state == W_SENT && dev->heard.window == 1 && dev->heard.ack);
}
END_TEST

START_TEST(a_gateway_behind_three_without_air_has_air_reserved)
{
	for (unsigned i = 0; i < 5; i++) {
		uses(i, rx1_hz, 100);
		uses(i, rx2_hz, 100);
	}
	w_uplink(w, dev, &sure, 6);
	w_rest(w);
	ck_assert(w->n_tx == 1 && w->tx[0].gateway == 5);
	ck_assert(dev->n_heard == 1 && dev->heard.window == 1 && dev->heard.ack);
}
END_TEST

START_TEST(without_any_air_nothing_is_sent_and_it_is_told)
{
	for (unsigned i = 0; i < 2; i++) {
		uses(i, rx1_hz, 100);
		uses(i, rx2_hz, 100);
	}
	w_uplink(w, dev, &sure, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, 0);
	ck_assert(w_traced(w, "ns.down.data.schedule.fail", "duty_cycle"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_air");
	TCase *t = tcase_create("ns_air");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_item_of_low_priority_moves_to_rx2_with_the_ack);
	tcase_add_test(t, an_ack_is_not_lost_over_an_item_that_rx2_cannot_carry_either);
	tcase_add_test(t, an_ack_is_not_lost_over_an_item_that_moved_to_rx2_and_found_its_air_taken);
	tcase_add_test(t, an_item_of_high_priority_fills_what_the_low_one_may_not);
	tcase_add_test(t, a_gateway_behind_three_without_air_has_air_reserved);
	tcase_add_test(t, without_any_air_nothing_is_sent_and_it_is_told);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
