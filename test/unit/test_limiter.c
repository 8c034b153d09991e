/** @file How often the same may be said. */
#include "common/core/limiter.h"
#include <check.h>
#include <stdlib.h>

enum { MOST = 3, PERIOD_US = 1000 };

START_TEST(after_so_many_the_same_is_held_back_and_counted)
{
	struct limiter l = { .slot[0] = { .key = 0 } };
	uint32_t held = 99;
	for (int i = 0; i < MOST; i++) {
		ck_assert(limiter_may(&l, 7, MOST, PERIOD_US, 5000, &held));
		ck_assert_uint_eq(held, 0);
	}
	for (int i = 0; i < 10; i++)
		ck_assert(!limiter_may(&l, 7, MOST, PERIOD_US, 5999, &held));
	ck_assert_msg(limiter_may(&l, 8, MOST, PERIOD_US, 5999, &held), "something else may be said");
	ck_assert_uint_eq(held, 0);
	ck_assert(limiter_may(&l, 7, MOST, PERIOD_US, 6000, &held));
	ck_assert_uint_eq(held, 10);
	ck_assert(limiter_may(&l, 7, MOST, PERIOD_US, 6001, &held));
	ck_assert_uint_eq(held, 0);
}
END_TEST

START_TEST(more_things_than_slots_are_bounded_together)
{
	struct limiter l = { .slot[0] = { .key = 0 } };
	uint32_t held;
	unsigned said = 0;
	for (uint64_t key = 1; key <= 100000; key++)
		said += limiter_may(&l, key * UINT64_C(0x9e3779b97f4a7c15), MOST, PERIOD_US, 5000, &held);
	ck_assert_uint_le(said, MOST * LIMITER_SLOTS);
	ck_assert_uint_ge(said, LIMITER_SLOTS);
}
END_TEST

START_TEST(slots_of_the_past_are_given_to_others)
{
	struct limiter l = { .slot[0] = { .key = 0 } };
	uint32_t held;
	for (uint64_t t = 0; t < 50; t++)
		for (uint64_t key = 1; key <= LIMITER_SLOTS / 4; key++)
			ck_assert(limiter_may(&l, (t << 32 | key) * UINT64_C(0x9e3779b97f4a7c15), MOST, PERIOD_US, 5000 + t * PERIOD_US, &held));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("limiter");
	TCase *t = tcase_create("limiter");
	tcase_add_test(t, after_so_many_the_same_is_held_back_and_counted);
	tcase_add_test(t, more_things_than_slots_are_bounded_together);
	tcase_add_test(t, slots_of_the_past_are_given_to_others);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
