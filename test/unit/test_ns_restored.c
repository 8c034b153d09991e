/** @file After the store was put back from a copy: no downlink counter is used again, and devices go on as they are. */
#include "ns/core/restored.h"
#include "ns/core/state.h"
#include "test/unit/ns_life.h"
#include <check.h>

enum { RAISE = 1024 };

static struct world *w;
static struct w_device *abp, *otaa, *v11;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };
static struct ns_raised told[8];
static unsigned n_told;

static void say(struct w_device *d, const struct w_say *what)
{
	w_uplink(w, d, what, 1);
	w_rest(w);
}

static void setup(void)
{
	w = w_new(1);
	n_told = 0;
	w_add_gateway(w, "near");
	abp = w_add_device(w, "abp", false);
	otaa = w_add_device(w, "otaa", true);
	v11 = w_add_device_1_1(w, "v11", true);
	w_run(w, SEC_US);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	w_join_request(w, v11, 1, 1);
	w_rest(w);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void note(void *ctx, const struct ns_raised *r)
{
	ck_assert_ptr_eq(ctx, w);
	ck_assert_uint_lt(n_told, COUNT(told));
	told[n_told++] = *r;
}

/** The tool does it between two processes: one that read the copy, changed it and ended, and the next. */
static void restore(void)
{
	n_told = 0;
	w_crash(w);
	ns_restored(w->ns, &w->now, RAISE, note, w);
	w_settle(w);
	w_run(w, SEC_US);
	w_crash(w);
	w_run(w, SEC_US);
}

static const struct ns_raised *told_of(const struct w_device *d)
{
	const struct ns_raised *found = NULL;
	for (unsigned i = 0; i < n_told; i++)
		if (told[i].dev_addr == d->dev_addr) {
			ck_assert_ptr_null(found);
			found = &told[i];
		}
	return found;
}

START_TEST(each_downlink_counter_is_far_above_all_that_was_used)
{
	for (int i = 0; i < 3; i++)
		say(abp, &sure);
	ck_assert_uint_eq(abp->heard.f_cnt, 2);
	restore();
	ck_assert_uint_ge(told_of(abp)->next_f_cnt_down, 3 + RAISE);
	ck_assert(told_of(abp)->has_dev_eui && told_of(abp)->dev_eui == abp->dev_eui);
	say(abp, &sure);
	ck_assert_uint_eq(abp->n_heard, 4);
	ck_assert_uint_ge(abp->heard.f_cnt, 3 + RAISE);
	ck_assert_uint_lt(abp->heard.f_cnt, 3 + 2 * RAISE);
}
END_TEST

START_TEST(both_counters_of_1_1_are_raised)
{
	say(v11, &sure);
	w_push(w, v11, 4, "item", false);
	say(v11, &hello);
	ck_assert(v11->last_down[0].f_cnt == 0 && v11->last_down[1].f_cnt == 0);
	restore();
	say(v11, &sure);
	ck_assert_uint_ge(v11->last_down[0].f_cnt, RAISE);
	w_push(w, v11, 4, "item", false);
	say(v11, &hello);
	ck_assert_uint_ge(v11->last_down[1].f_cnt, RAISE);
}
END_TEST

START_TEST(a_session_that_waits_for_its_first_uplink_is_raised_and_told_too)
{
	say(otaa, &hello);
	struct w_device before = *otaa;
	w_join_request(w, otaa, 2, 1);
	w_rest(w);
	ck_assert(otaa->dev_addr != before.dev_addr);
	restore();
	ck_assert_uint_eq(n_told, 4); /* that of abp, that of v11, both of otaa */
	ck_assert_uint_ge(told_of(&before)->next_f_cnt_down, RAISE);
	ck_assert_uint_ge(told_of(otaa)->next_f_cnt_down, RAISE);
	say(otaa, &sure);
	ck_assert_uint_ge(otaa->heard.f_cnt, RAISE);
}
END_TEST

START_TEST(what_devices_count_goes_on_from_where_they_are)
{
	say(v11, &hello);
	w_rejoin(w, v11, 0, 3, 1);
	v11->last_up_us = 0; /* it does not hear the answer */
	w_rest(w);
	uint32_t n_up = w->n_up;
	restore();
	say(v11, &hello);
	ck_assert_uint_eq(w->n_up, n_up + 1);
	unsigned n_joins = v11->n_joins_heard;
	w_rejoin(w, v11, 0, 4, 1);
	w_rest(w);
	ck_assert_uint_eq(v11->n_joins_heard, n_joins + 1);
}
END_TEST

START_TEST(the_store_has_another_name_and_keeps_it)
{
	struct ulid was = w->ns->store_id;
	restore();
	struct ulid is = w->ns->store_id;
	ck_assert(!ulid_eq(&was, &is));
	w_crash(w);
	ck_assert(ulid_eq(&w->ns->store_id, &is));
}
END_TEST

START_TEST(a_session_whose_counter_ends_is_told_and_sends_no_more)
{
	struct session *s = devices_find(&w->ns->devices, abp->uid)->current;
	say(abp, &sure);
	counter_start(&s->down, UINT32_MAX - 100);
	ck_assert_uint_eq(abp->n_heard, 1);
	ns_restored(w->ns, &w->now, RAISE, note, w);
	w_settle(w);
	w_run(w, SEC_US);
	ck_assert_uint_gt(told_of(abp)->next_f_cnt_down, UINT32_MAX);
	uint32_t n_tx = w->n_tx;
	say(abp, &sure);
	ck_assert_uint_eq(w->n_tx, n_tx);
	w_crash(w);
	say(abp, &sure);
	ck_assert_uint_eq(w->n_tx, n_tx);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_restored");
	TCase *t = tcase_create("ns_restored");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, each_downlink_counter_is_far_above_all_that_was_used);
	tcase_add_test(t, both_counters_of_1_1_are_raised);
	tcase_add_test(t, a_session_that_waits_for_its_first_uplink_is_raised_and_told_too);
	tcase_add_test(t, what_devices_count_goes_on_from_where_they_are);
	tcase_add_test(t, the_store_has_another_name_and_keeps_it);
	tcase_add_test(t, a_session_whose_counter_ends_is_told_and_sends_no_more);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
