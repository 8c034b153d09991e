/** @file Chance: reproducible, spread evenly, without bias. */
#include "common/core/rng.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_seed_gives_the_same_sequence)
{
	struct rng_seeded a_state, b_state;
	struct rng a = rng_seeded(&a_state, 42), b = rng_seeded(&b_state, 42);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(rng_u64(&a), rng_u64(&b));
	b = rng_seeded(&b_state, 43);
	ck_assert_uint_ne(rng_u64(&a), rng_u64(&b));
}
END_TEST

START_TEST(no_seed_is_stuck)
{
	static const uint64_t seeds[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1 };
	for (size_t i = 0; i < sizeof seeds / sizeof *seeds; i++) {
		struct rng_seeded s;
		struct rng rng = rng_seeded(&s, seeds[i]);
		uint64_t ones = 0, zeros = 0;
		for (int k = 0; k < 64; k++) {
			uint64_t v = rng_u64(&rng);
			ones |= v;
			zeros |= ~v;
		}
		ck_assert_uint_eq(ones, UINT64_MAX);
		ck_assert_uint_eq(zeros, UINT64_MAX);
	}
}
END_TEST

START_TEST(any_number_of_octets_is_filled)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 7);
	for (size_t n = 0; n <= 40; n++) {
		uint8_t sum[42] = { 0 };
		for (int round = 0; round < 20; round++) {
			uint8_t b[42] = { 0 };
			rng_fill(&rng, b, n);
			for (size_t i = 0; i < sizeof b; i++)
				sum[i] |= b[i];
		}
		for (size_t i = 0; i < sizeof sum; i++)
			ck_assert_int_eq(sum[i] != 0, i < n);
	}
}
END_TEST

START_TEST(below_is_uniform)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 1);
	unsigned count[7] = { 0 };
	for (int i = 0; i < 70000; i++)
		count[rng_below(&rng, 7)]++;
	for (int i = 0; i < 7; i++) {
		ck_assert_uint_gt(count[i], 9600);
		ck_assert_uint_lt(count[i], 10400);
	}
	ck_assert_uint_eq(rng_below(&rng, 1), 0);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_lt(rng_below(&rng, UINT64_MAX), UINT64_MAX);
}
END_TEST

/** Gives the numbers it was told to. */
static void fill_told(void *ctx, void *buf, size_t n)
{
	const uint8_t **from = ctx;
	memcpy(buf, *from, n);
	*from += n;
}

START_TEST(below_rejects_what_would_be_unfair)
{
	/* 2^64 mod 3 is 1: the number 0 is unfair, 1 is not. */
	static const uint8_t told[16] = { [15] = 1 };
	const uint8_t *p = told;
	struct rng rng = { fill_told, &p };
	ck_assert_uint_eq(rng_below(&rng, 3), 1);
	ck_assert_ptr_eq(p, told + sizeof told);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("rng");
	TCase *c = tcase_create("rng");
	tcase_add_test(c, a_seed_gives_the_same_sequence);
	tcase_add_test(c, no_seed_is_stuck);
	tcase_add_test(c, any_number_of_octets_is_filled);
	tcase_add_test(c, below_is_uniform);
	tcase_add_test(c, below_rejects_what_would_be_unfair);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
