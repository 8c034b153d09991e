/** @file Downlink counters: reserved ahead, skipped in a crash, never repeated. */
#include "ns/core/down/counter.h"
#include <check.h>
#include <stdlib.h>

START_TEST(nothing_is_used_before_its_reservation_is_on_disk)
{
	struct counter c;
	counter_start(&c, 0);
	ck_assert(!counter_ready(&c, 0));
	ck_assert_uint_eq(counter_reserve(&c, 1), COUNTER_BLOCK);
	ck_assert(!counter_ready(&c, 0));
	ck_assert(counter_ready(&c, 1));
	ck_assert_uint_eq(counter_spend(&c), 0);
}
END_TEST

START_TEST(a_reservation_is_renewed_when_half_is_used)
{
	struct counter c;
	counter_start(&c, 100);
	counter_reserve(&c, 1);
	for (unsigned i = 0; i < COUNTER_BLOCK / 2; i++) {
		ck_assert(counter_ready(&c, 1));
		counter_spend(&c);
		ck_assert_uint_eq(counter_reserve(&c, 2), i < COUNTER_BLOCK / 2 - 1 ? 100 + COUNTER_BLOCK : c.next + COUNTER_BLOCK);
	}
}
END_TEST

START_TEST(a_session_ends_with_its_counter)
{
	struct counter c;
	counter_start(&c, UINT32_MAX);
	counter_reserve(&c, 1);
	ck_assert(counter_ready(&c, 1));
	ck_assert_uint_eq(counter_spend(&c), UINT32_MAX);
	counter_reserve(&c, 2);
	ck_assert(!counter_ready(&c, 2));
}
END_TEST

/* Batches reach the disk late and in order; the process dies at any moment and goes on from what is there. */
START_TEST(no_value_is_ever_used_twice_over_crashes)
{
	struct counter c;
	uint64_t disk = 0, batch = 0, durable = 0, pending[64] = { 0 };
	int64_t last = -1;
	srandom(7);
	counter_start(&c, 0);
	for (unsigned i = 0; i < 200000; i++) {
		switch (random() % 8) {
		case 0:
			if (batch - durable < 64) {
				batch++;
				pending[batch % 64] = counter_reserve(&c, batch);
			}
			break;
		case 1:
			if (durable < batch)
				disk = pending[++durable % 64];
			break;
		case 2:
			if (random() % 50)
				break;
			batch = durable;
			counter_start(&c, disk);
			break;
		default:
			if (!counter_ready(&c, durable))
				break;
			int64_t v = counter_spend(&c);
			ck_assert_int_gt(v, last);
			last = v;
		}
	}
	ck_assert_int_gt(last, 10000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("counter");
	TCase *t = tcase_create("counter");
	tcase_add_test(t, nothing_is_used_before_its_reservation_is_on_disk);
	tcase_add_test(t, a_reservation_is_renewed_when_half_is_used);
	tcase_add_test(t, a_session_ends_with_its_counter);
	tcase_add_test(t, no_value_is_ever_used_twice_over_crashes);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
