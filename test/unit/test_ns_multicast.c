/** @file Class C multicast: groups of gateways, covers of members, one word for all. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *mc;
static const struct w_say hello = { .port = 1, .text = "hello" };

static void setup(void)
{
	w = w_new(1);
	for (int i = 0; i < 4; i++) {
		char id[8];
		snprintf(id, sizeof(id), "gw%d", i);
		w_add_gateway(w, id);
	}
	mc = w_add_device(w, "mc", false);
	mc->class_c = mc->multicast = true;
	mc->generation++;
	w_sync(w, 0);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static struct w_item *push(const char *text)
{
	return w_push(w, mc, 1, text, false);
}

static struct w_item *push_via(const char *text, unsigned n, const unsigned *gateways, const unsigned *groups)
{
	struct w_item *it = &w->item[w->n_item];
	w_push(w, mc, 1, text, false);
	for (unsigned i = 0; i < n; i++) {
		it->via[i].eui = w->gw[gateways[i]].eui;
		it->via[i].group = groups ? groups[i] : 0;
	}
	it->n_via = n;
	w_tell_waiting(w, mc->uid);
	return it;
}

/* A member that these gateways hear. */
static struct w_device *member(const char *name, const unsigned *gateways, unsigned n)
{
	struct w_device *d = w_add_device(w, name, false);
	d->groups[0] = mc->uid;
	w_sync(w, 0);
	uint8_t phy[PHY_MAX];
	size_t len = w_frame(w, d, d->f_cnt_up++, &hello, phy);
	d->last_up_us = w->now.mono_us;
	for (unsigned i = 0; i < n; i++)
		w_heard(w, d, gateways[i], (struct slice){ phy, len }, 90, i * MS_US);
	w_rest(w);
	return d;
}

static bool overlap(const struct w_tx *a, const struct w_tx *b)
{
	return a->start_us < b->start_us + b->m.airtime_us && b->start_us < a->start_us + a->m.airtime_us;
}

static bool sent_by(unsigned gateway, uint32_t from)
{
	for (uint32_t i = from; i < w->n_tx; i++)
		if (w->tx[i].gateway == gateway && w->tx[i].is_emitted)
			return true;
	return false;
}

START_TEST(the_first_gateway_that_is_free_sends)
{
	struct w_item *it = push_via("abc", 3, (unsigned[]){ 2, 0, 1 }, NULL);
	w_rest(w);
	ck_assert(it->state == W_SENT && it->n_sent == 1 && w->n_tx == 1 && w->tx[0].gateway == 2);
	ck_assert(!MSG_HAS(&w->tx[0].m, tmst_us)); /* nobody knows its counter */
	ck_assert(w->tx[0].m.phy.p[0] >> 5 == MTYPE_DATA_DOWN && w->tx[0].m.phy.p[5] == 0);
}
END_TEST

START_TEST(one_that_is_busy_leaves_it_to_the_next_at_once)
{
	struct w_device *d = w_add_device(w, "busy", false);
	d->class_c = true;
	w_sync(w, 0);
	w_uplink(w, d, &hello, 1);
	w_rest(w);
	w_push(w, d, 1, "a payload of fifty octets, as long as SF12 carries", false);
	w_run(w, 400 * MS_US);
	ck_assert_uint_eq(w->tx[0].gateway, 0);
	struct w_item *it = push_via("abc", 2, (unsigned[]){ 0, 1 }, NULL);
	w_run(w, SEC_US);
	ck_assert(it->state == W_SENT && w->n_tx == 2 && w->tx[1].gateway == 1);
}
END_TEST

START_TEST(one_without_airtime_leaves_it_to_the_next)
{
	unsigned n = 0;
	while (!sent_by(1, 0) && n++ < 200) {
		push_via("a payload of fifty octets, as long as SF12 carries", 2, (unsigned[]){ 0, 1 }, NULL);
		w_run(w, 5 * SEC_US);
	}
	uint64_t used_us = 0;
	for (uint32_t i = 0; i < w->n_tx; i++)
		used_us += w->tx[i].gateway == 0 ? w->tx[i].m.airtime_us : 0;
	ck_assert(used_us <= 144 * SEC_US && used_us > 140 * SEC_US);
	for (uint32_t i = 0; i < w->n_item; i++)
		ck_assert_int_eq(w->item[i].state, W_SENT);
}
END_TEST

START_TEST(each_group_sends_once_the_same_octets_and_one_word_is_said)
{
	struct w_item *it = push_via("abc", 4, (unsigned[]){ 0, 1, 2, 3 }, (unsigned[]){ 1, 1, 2, 3 });
	w_run(w, 30 * SEC_US);
	ck_assert(it->state == W_SENT && it->n_sent == 1 && w->n_tx == 3);
	ck_assert(sent_by(0, 0) && !sent_by(1, 0) && sent_by(2, 0) && sent_by(3, 0));
	for (uint32_t i = 1; i < w->n_tx; i++) {
		ck_assert_uint_eq(w->tx[i].m.phy.len, w->tx[0].m.phy.len);
		ck_assert_mem_eq(w->tx[i].m.phy.p, w->tx[0].m.phy.p, w->tx[0].m.phy.len);
		for (uint32_t k = 0; k < i; k++) /* nobody said who hears whom */
			ck_assert(!overlap(&w->tx[i], &w->tx[k]));
	}
}
END_TEST

START_TEST(it_is_sent_if_any_group_sent)
{
	w->gw[0].mood = w->gw[1].mood = W_REFUSES;
	w->gw[0].result = w->gw[1].result = TX_RESULT_TX_FREQ;
	struct w_item *it = push_via("abc", 3, (unsigned[]){ 0, 1, 2 }, (unsigned[]){ 1, 2, 3 });
	w_run(w, 30 * SEC_US);
	ck_assert(it->state == W_SENT && it->n_failed == 0);
	it = push_via("abc", 2, (unsigned[]){ 0, 1 }, (unsigned[]){ 1, 2 });
	w_run(w, 200 * SEC_US);
	ck_assert(it->state == W_FAILED && it->n_failed == 1);
	ck_assert_str_eq(it->error, "transmission");
}
END_TEST

START_TEST(the_next_item_begins_when_the_last_is_over_everywhere)
{
	struct w_item *a = push_via("first", 2, (unsigned[]){ 0, 1 }, (unsigned[]){ 1, 2 });
	struct w_item *b = push_via("second", 2, (unsigned[]){ 1, 0 }, (unsigned[]){ 1, 2 });
	w_run(w, 60 * SEC_US);
	ck_assert(a->state == W_SENT && b->state == W_SENT && w->n_tx == 4);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 2; k < 4; k++)
			ck_assert_uint_ge(w->tx[k].start_us, w->tx[i].start_us + w->tx[i].m.airtime_us);
	ck_assert_uint_eq(mc->n_heard, 2);
}
END_TEST

START_TEST(without_gateways_and_members_there_is_no_path)
{
	struct w_item *it = push("abc");
	w_run(w, 5 * SEC_US);
	ck_assert_int_eq(it->state, W_FAILED);
	ck_assert_str_eq(it->error, "no_downlink_path");
}
END_TEST

START_TEST(without_gateways_those_that_reach_all_members_send)
{
	member("m1", (unsigned[]){ 0, 1 }, 2);
	member("m2", (unsigned[]){ 1 }, 1);
	member("m3", (unsigned[]){ 1, 2 }, 2);
	member("m4", (unsigned[]){ 3 }, 1);
	uint32_t before = w->n_tx;
	struct w_item *it = push("abc");
	w_run(w, 30 * SEC_US);
	ck_assert(it->state == W_SENT && w->n_tx == before + 2);
	ck_assert(sent_by(1, before) && sent_by(3, before));
	/* They have no common member, so they need not wait for each other. */
	ck_assert(overlap(&w->tx[before], &w->tx[before + 1]));
	/* Nobody else is asked while that one is there, and another one when it has gone. */
	w->gw[1].can_send = false;
	w_hello_gs(w);
	before = w->n_tx;
	it = push("def");
	w_run(w, 60 * SEC_US);
	ck_assert(it->state == W_SENT && sent_by(0, before) && sent_by(2, before) && sent_by(3, before) && !sent_by(1, before));
}
END_TEST

START_TEST(a_gateway_that_reaches_the_same_members_takes_its_place)
{
	member("m1", (unsigned[]){ 0, 1, 2 }, 3);
	member("m2", (unsigned[]){ 0, 1 }, 2);
	member("m3", (unsigned[]){ 3 }, 1);
	for (uint32_t result = TX_RESULT_UNKNOWN_ERROR; result <= TX_RESULT_GPS_UNLOCKED; result++) {
		uint32_t before = w->n_tx;
		w->gw[0].mood = W_REFUSES;
		w->gw[0].result = result;
		w->gw[0].moods_left = 1;
		struct w_item *it = push("abc");
		w_run(w, 30 * SEC_US);
		ck_assert(it->state == W_SENT && it->n_sent == 1 && sent_by(3, before));
		ck_assert_msg(sent_by(0, before) != sent_by(1, before), "result %u: one of the two, once", result);
		ck_assert(!sent_by(2, before)); /* it does not reach all of them */
	}
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_TX_FREQ; /* for good */
	uint32_t before = w->n_tx;
	push("def");
	w_run(w, 30 * SEC_US);
	ck_assert(sent_by(1, before) && sent_by(3, before) && !sent_by(0, before));
}
END_TEST

START_TEST(gateways_with_a_common_member_never_send_at_once)
{
	member("m1", (unsigned[]){ 0, 1 }, 2);
	member("m2", (unsigned[]){ 0 }, 1);
	member("m3", (unsigned[]){ 1 }, 1);
	uint32_t before = w->n_tx;
	for (int i = 0; i < 5; i++)
		push("a payload");
	w_run(w, 60 * SEC_US);
	ck_assert_uint_eq(w->n_tx, before + 10);
	for (uint32_t i = before; i < w->n_tx; i++)
		for (uint32_t k = before; k < i; k++)
			ck_assert(!overlap(&w->tx[i], &w->tx[k]));
}
END_TEST

START_TEST(members_survive_a_restart)
{
	member("m1", (unsigned[]){ 2 }, 1);
	w_crash(w);
	w_run(w, SEC_US);
	struct w_item *it = push("abc");
	w_run(w, 30 * SEC_US);
	ck_assert(it->state == W_SENT && sent_by(2, 0));
}
END_TEST

START_TEST(a_member_that_left_is_not_reached_for)
{
	struct w_device *m1 = member("m1", (unsigned[]){ 2 }, 1);
	member("m2", (unsigned[]){ 0 }, 1);
	m1->groups[0] = 0;
	w_sync(w, 0);
	push("abc");
	w_run(w, 30 * SEC_US);
	ck_assert(sent_by(0, 0) && !sent_by(2, 0));
}
END_TEST

START_TEST(a_given_time_is_kept_in_every_group_that_may)
{
	member("m1", (unsigned[]){ 0 }, 1);
	member("m2", (unsigned[]){ 1 }, 1);
	struct w_item *it = &w->item[w->n_item];
	w_push(w, mc, 1, "abc", false);
	it->at_unix_us = w->now.unix_us + 10 * SEC_US;
	uint64_t at_us = w->now.mono_us + 10 * SEC_US;
	w_tell_waiting(w, mc->uid);
	w_run(w, 20 * SEC_US);
	ck_assert(it->state == W_SENT && w->n_tx == 2);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert(w->tx[i].start_us < at_us + 10 * MS_US && w->tx[i].start_us + 10 * MS_US > at_us);
}
END_TEST

START_TEST(nobody_speaks_for_a_group)
{
	w_uplink(w, mc, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 0);
	ck_assert(w_traced(w, "ns.up.data.drop", "multicast"));
}
END_TEST

START_TEST(a_gateway_that_is_away_is_waited_for_a_minute)
{
	w->gw[3].can_send = false;
	w_hello_gs(w);
	struct w_item *it = push_via("abc", 1, (unsigned[]){ 3 }, NULL);
	w_run(w, 55 * SEC_US);
	ck_assert_int_eq(it->state, W_FLIGHT);
	w_run(w, 10 * SEC_US);
	ck_assert_str_eq(it->error, "no_downlink_path");
	it = push_via("def", 1, (unsigned[]){ 3 }, NULL);
	w_run(w, 30 * SEC_US);
	w->gw[3].can_send = true;
	w_hello_gs(w);
	w_run(w, 5 * SEC_US);
	ck_assert_int_eq(it->state, W_SENT);
}
END_TEST

START_TEST(at_random)
{
	for (unsigned i = 0; i < 6; i++) {
		char name[8];
		snprintf(name, sizeof(name), "m%u", i);
		unsigned g[2] = { (unsigned)rng_below(&w->rng, 4), (unsigned)rng_below(&w->rng, 4) };
		member(name, g, g[0] == g[1] ? 1 : 2)->class_c = i % 2;
	}
	w_sync(w, 0);
	for (int i = 0; i < 150 && !w->broken[0]; i++) {
		unsigned what = (unsigned)rng_below(&w->rng, 8);
		if (what < 3)
			push("something for all")->priority = (uint32_t)rng_below(&w->rng, 7);
		else if (what == 3)
			push_via("for some", 3, (unsigned[]){ 0, 1, 2 }, (unsigned[]){ 1, 2, (unsigned)rng_below(&w->rng, 3) });
		else if (what == 4)
			w_push(w, &w->dev[1 + rng_below(&w->rng, w->n_dev - 1)], 1, "for one", false);
		else if (what == 5)
			w_uplink(w, &w->dev[1 + rng_below(&w->rng, w->n_dev - 1)], &hello, 2);
		else if (what == 6 && rng_below(&w->rng, 8) == 0)
			w_crash(w);
		w_run(w, rng_below(&w->rng, 6000) * MS_US);
	}
	w_run(w, 1200 * SEC_US);
	ck_assert_str_eq(w->broken, "");
	for (uint32_t i = 0; i < w->n_item; i++)
		if (w->item[i].device == mc->uid)
			ck_assert_msg(w->item[i].n_sent + w->item[i].n_failed == 1, "item %u: %u sent, %u failed, state %d", i, w->item[i].n_sent,
				w->item[i].n_failed, (int)w->item[i].state);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_multicast");
	TCase *t = tcase_create("ns_multicast");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, the_first_gateway_that_is_free_sends);
	tcase_add_test(t, one_that_is_busy_leaves_it_to_the_next_at_once);
	tcase_add_test(t, one_without_airtime_leaves_it_to_the_next);
	tcase_add_test(t, each_group_sends_once_the_same_octets_and_one_word_is_said);
	tcase_add_test(t, it_is_sent_if_any_group_sent);
	tcase_add_test(t, the_next_item_begins_when_the_last_is_over_everywhere);
	tcase_add_test(t, without_gateways_and_members_there_is_no_path);
	tcase_add_test(t, without_gateways_those_that_reach_all_members_send);
	tcase_add_test(t, a_gateway_that_reaches_the_same_members_takes_its_place);
	tcase_add_test(t, gateways_with_a_common_member_never_send_at_once);
	tcase_add_test(t, members_survive_a_restart);
	tcase_add_test(t, a_member_that_left_is_not_reached_for);
	tcase_add_test(t, a_given_time_is_kept_in_every_group_that_may);
	tcase_add_test(t, nobody_speaks_for_a_group);
	tcase_add_test(t, a_gateway_that_is_away_is_waited_for_a_minute);
	tcase_add_loop_test(t, at_random, 0, 6);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
