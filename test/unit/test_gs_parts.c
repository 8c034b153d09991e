/** @file The small parts of the gateway server: index, registry, clock, round trips, quota, outbox. */
#include "common/core/clock.h"
#include "common/core/err.h"
#include "common/core/rng.h"
#include "gs/core/conc_clock.h"
#include "gs/core/index.h"
#include "gs/core/quota.h"
#include "gs/core/registry.h"
#include "gs/core/rtt.h"
#include "gs/outbox.h"
#include <check.h>
#include <stdlib.h>

START_TEST(an_index_is_a_map_whatever_is_put_and_removed)
{
	enum { KEYS = 200, STEPS = 20000 };
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 7);
	uint32_t model[KEYS];
	struct index x;
	ck_assert_int_eq(gs_index_init(&x, KEYS, 99), 0);
	for (int k = 0; k < KEYS; k++)
		model[k] = INDEX_NONE;
	for (uint32_t i = 0; i < STEPS; i++) {
		uint64_t k = rng_below(&rng, KEYS);
		if (rng_below(&rng, 2)) {
			gs_index_put(&x, k << 40, i);
			model[k] = i;
		} else {
			gs_index_remove(&x, k << 40);
			model[k] = INDEX_NONE;
		}
		uint64_t other = rng_below(&rng, KEYS);
		ck_assert_uint_eq(gs_index_find(&x, other << 40), model[other]);
	}
	uint32_t n = 0;
	for (uint64_t k = 0; k < KEYS; k++) {
		ck_assert_uint_eq(gs_index_find(&x, k << 40), model[k]);
		n += model[k] != INDEX_NONE;
	}
	ck_assert_uint_eq(x.n, n);
	gs_index_done(&x);
}
END_TEST

static struct sync batch;

static void entry(uint64_t number, uint64_t eui, const char *id, bool deleted)
{
	struct sync_entry *e = &batch.v.v[batch.v.len++];
	*e = (struct sync_entry){.gateway = number,
		.deleted = deleted,
		.has = HAS(sync_entry, gateway) | HAS(sync_entry, deleted)};
	if (id) {
		e->gtw.gateway_eui = eui;
		str_copy(str_of(id), e->gtw.gateway_id, sizeof e->gtw.gateway_id);
		MSG_MARK(e, gtw);
	}
}

static uint32_t take(struct registry *r, bool first, bool last)
{
	batch.first = first;
	batch.last = last;
	batch.has = HAS(sync, first) | HAS(sync, last);
	uint32_t refused = gs_registry_sync(r, &batch);
	batch.v.len = 0;
	return refused;
}

START_TEST(a_registry_follows_changes_tombstones_and_full_sets)
{
	struct registry r;
	ck_assert_int_eq(gs_registry_init(&r, 4, 1), 0);
	ck_assert(!r.complete);
	entry(1, 0xa, "one", false);
	entry(2, 0xb, "two", false);
	take(&r, true, false);
	ck_assert(!r.complete && r.filling);
	entry(3, 0xc, "three", false);
	take(&r, false, true);
	ck_assert(r.complete && !r.filling);
	ck_assert_uint_eq(r.used, 3);
	entry(2, 0, NULL, true);     /* a tombstone has no more than the number */
	entry(1, 0xd, "one", false); /* another EUI for the same gateway */
	take(&r, false, false);
	ck_assert_ptr_null(gs_registry_find(&r, 0xa));
	ck_assert_ptr_null(gs_registry_find(&r, 0xb));
	ck_assert_str_eq(gs_registry_find(&r, 0xd)->gateway_id, "one");
	entry(7, 0xd, "seven", false); /* made anew, and its tombstone comes late */
	entry(1, 0, NULL, true);
	take(&r, false, false);
	ck_assert_str_eq(gs_registry_find(&r, 0xd)->gateway_id, "seven");
	ck_assert_uint_eq(r.used, 2);
	entry(7, 0xd, "seven", false);
	take(&r, true, true);
	ck_assert_ptr_null(gs_registry_find(&r, 0xc));
	ck_assert_uint_eq(r.used, 1);
	for (uint64_t i = 0; i < 6; i++)
		entry(20 + i, 0x20 + i, "more", false);
	ck_assert_uint_eq(take(&r, false, false), 3);
	ck_assert_uint_eq(r.used, 4);
	batch.store_id.b[0] = 1; /* another registry: nothing of the old one holds */
	entry(1, 0x99, "new", false);
	take(&r, true, true);
	ck_assert_uint_eq(r.used, 1);
	ck_assert_ptr_nonnull(gs_registry_find(&r, 0x99));
	gs_registry_done(&r);
}
END_TEST

START_TEST(a_counter_is_unwrapped_and_a_restart_is_told_from_a_wrap)
{
	struct conc_clock c = {0};
	uint64_t at = 5000 * SEC_US, a, b;
	ck_assert_int_eq(gs_conc_clock_take(&c, 4294000000u, at, &a), CONC_FIRST);
	ck_assert_int_eq(gs_conc_clock_take(&c, 1032704u, at + 2 * SEC_US, &b), CONC_ON);
	ck_assert_uint_eq(b - a, 2 * SEC_US);
	ck_assert_uint_eq((uint32_t)gs_conc_clock_at(&c, at + 3 * SEC_US), 2032704u);
	/* earlier than can be, so those before came late; then late, out of order: all of one clock */
	ck_assert_int_eq(gs_conc_clock_take(&c, 2532704u, at + 3 * SEC_US, &b), CONC_JUMP);
	ck_assert_int_eq(gs_conc_clock_take(&c, 2032704u, at + 3 * SEC_US, &a), CONC_ON);
	ck_assert_uint_eq(b - a, 500000);
	/* a silence of three wraps and a bit */
	uint64_t silence = 3 * (UINT64_C(1) << 32) + 7 * SEC_US;
	ck_assert_int_eq(gs_conc_clock_take(&c, 2532704u + 7000000u, at + 3 * SEC_US + silence, &a), CONC_ON);
	ck_assert_uint_eq(a - b, silence);
	ck_assert_int_eq(gs_conc_clock_take(&c, 150000u, at + 100 * SEC_US + silence, &a), CONC_RESTART);
	ck_assert_uint_eq(c.restarts, 1);
	ck_assert_int_eq(gs_conc_clock_take(&c, 1150000u, at + 101 * SEC_US + silence, &b), CONC_ON);
	ck_assert_uint_eq(b - a, SEC_US);
}
END_TEST

START_TEST(round_trips_give_median_and_path)
{
	struct rtt r = {0};
	ck_assert_uint_eq(gs_rtt_path(&r), 50000);
	ck_assert_uint_eq(gs_rtt_median(&r), 0);
	gs_rtt_add(&r, 30000);
	ck_assert_uint_eq(gs_rtt_path(&r), 15000);
	ck_assert_uint_eq(gs_rtt_median(&r), 30000);
	for (uint32_t i = 1; i <= 40; i++)
		gs_rtt_add(&r, (i * 7 % 40 + 1) * 1000);
	ck_assert_uint_eq(r.n, RTT_MAX);
	/* the last twenty: 7 i mod 40 + 1 for i = 21 .. 40 */
	ck_assert_uint_eq(gs_rtt_min(&r), 1000);
	ck_assert_uint_eq(gs_rtt_max(&r), 39000);
	for (uint32_t i = 1; i < RTT_MAX; i++)
		ck_assert_uint_le(r.sorted[i - 1], r.sorted[i]);
	ck_assert_uint_eq(gs_rtt_path(&r), r.sorted[18] / 2);
}
END_TEST

START_TEST(a_quota_refills_with_time_up_to_its_size)
{
	struct quota q = {0};
	uint64_t at = 77 * SEC_US;
	for (int i = 0; i < 20; i++)
		ck_assert(gs_quota_take(&q, 1, 10, 2, at));
	ck_assert(!gs_quota_take(&q, 1, 10, 2, at));
	ck_assert(!gs_quota_take(&q, 1, 10, 2, at + 99999));
	ck_assert(gs_quota_take(&q, 1, 10, 2, at + 100000));
	ck_assert(!gs_quota_take(&q, 21, 10, 2, at + 1000 * SEC_US));
	ck_assert(gs_quota_take(&q, 20, 10, 2, at + 1000 * SEC_US));
	ck_assert(!gs_quota_take(&q, 1, 10, 2, at));
}
END_TEST

START_TEST(an_outbox_keeps_the_order_and_lets_the_oldest_go)
{
	struct outbox o;
	ck_assert_int_eq(gs_outbox_init(&o, 4), 0);
	for (uint64_t i = 1; i <= 6; i++)
		ck_assert_ptr_nonnull(gs_outbox_add(&o, OUTBOX_UPLINK, i));
	ck_assert_uint_eq(o.lost, 2);
	ck_assert_uint_eq(gs_outbox_count(&o), 4);
	uint64_t oldest;
	ck_assert(gs_outbox_oldest(&o, &oldest) && oldest == 3);
	struct outbox_slot *s[4];
	for (uint64_t i = 0; i < 4; i++) {
		s[i] = gs_outbox_next(&o);
		ck_assert_uint_eq(s[i]->received_us, i + 3);
		gs_outbox_call(s[i]);
	}
	ck_assert_ptr_null(gs_outbox_next(&o));
	ck_assert(gs_outbox_oldest(&o, &oldest) && oldest == 3); /* it waits for its answer */
	gs_outbox_end(s[1], true);
	/* a lost connection brings the others back, in any order */
	gs_outbox_end(s[2], false);
	gs_outbox_end(s[0], false);
	gs_outbox_end(s[3], false);
	static const uint64_t back[] = {3, 5, 6};
	for (uint64_t i = 0; i < COUNT(back); i++) {
		struct outbox_slot *n = gs_outbox_next(&o);
		ck_assert_uint_eq(n->received_us, back[i]);
		gs_outbox_end(n, true);
	}
	ck_assert_uint_eq(gs_outbox_count(&o), 0);
	ck_assert(!gs_outbox_oldest(&o, &oldest));
	gs_outbox_done(&o);
}
END_TEST

START_TEST(a_slot_with_an_open_call_is_not_used_again_before_it_ends)
{
	struct outbox o;
	struct outbox_slot *open[8];
	ck_assert_int_eq(gs_outbox_init(&o, 4), 0);
	for (uint64_t i = 0; i < 8; i++) {
		open[i] = gs_outbox_add(&o, OUTBOX_UPLINK, i);
		ck_assert_ptr_nonnull(open[i]);
		gs_outbox_call(open[i]);
		for (uint64_t k = 0; k < i; k++)
			ck_assert_ptr_ne(open[i], open[k]);
	}
	ck_assert_uint_eq(gs_outbox_count(&o), 4);
	ck_assert_uint_eq(o.lost, 4);
	ck_assert_ptr_null(gs_outbox_add(&o, OUTBOX_UPLINK, 9));
	gs_outbox_end(open[0], false); /* forgotten: it does not come back */
	ck_assert_ptr_eq(gs_outbox_add(&o, OUTBOX_UPLINK, 10), open[0]);
	for (int i = 1; i < 8; i++)
		gs_outbox_end(open[i], true);
	gs_outbox_end(open[0], true);
	ck_assert_uint_eq(gs_outbox_count(&o), 0);
	gs_outbox_done(&o);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gs_parts");
	TCase *t = tcase_create("parts");
	tcase_add_test(t, an_index_is_a_map_whatever_is_put_and_removed);
	tcase_add_test(t, a_registry_follows_changes_tombstones_and_full_sets);
	tcase_add_test(t, a_counter_is_unwrapped_and_a_restart_is_told_from_a_wrap);
	tcase_add_test(t, round_trips_give_median_and_path);
	tcase_add_test(t, a_quota_refills_with_time_up_to_its_size);
	tcase_add_test(t, an_outbox_keeps_the_order_and_lets_the_oldest_go);
	tcase_add_test(t, a_slot_with_an_open_call_is_not_used_again_before_it_ends);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
