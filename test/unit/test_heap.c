/** @file The deadline heap against a plain array that is searched. */
#include "common/core/heap.h"
#include "common/core/rng.h"
#include <check.h>
#include <errno.h>
#include <stdlib.h>

enum { N = 200 };

static uint64_t earliest(const struct heap_node *nodes)
{
	uint64_t min = UINT64_MAX;
	for (int i = 0; i < N; i++)
		if (nodes[i].at && nodes[i].due_us < min)
			min = nodes[i].due_us;
	return min;
}

START_TEST(the_first_is_always_the_earliest)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 11);
	struct heap h = { 0 };
	struct heap_node nodes[N] = { 0 };
	for (int step = 0; step < 20000; step++) {
		struct heap_node *n = &nodes[rng_below(&rng, N)];
		if (rng_below(&rng, 3))
			ck_assert_int_eq(heap_set(&h, n, rng_below(&rng, 1000)), 0);
		else
			heap_remove(&h, n);
		size_t in = 0, misplaced = 0;
		for (int i = 0; i < N; i++) {
			in += nodes[i].at != 0;
			misplaced += nodes[i].at && h.v[nodes[i].at - 1] != &nodes[i];
		}
		ck_assert_uint_eq(misplaced, 0);
		ck_assert_uint_eq(h.n, in);
		ck_assert_uint_eq(heap_deadline(&h), earliest(nodes));
		ck_assert(!heap_first(&h) || heap_first(&h)->due_us == earliest(nodes));
	}
	heap_done(&h);
	for (int i = 0; i < N; i++)
		ck_assert_uint_eq(nodes[i].at, 0);
}
END_TEST

START_TEST(what_is_due_comes_out_in_order)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 12);
	struct heap h = { 0 };
	struct heap_node nodes[N] = { 0 }, *n;
	for (int i = 0; i < N; i++)
		heap_set(&h, &nodes[i], rng_below(&rng, 500));
	uint64_t last = 0;
	size_t out = 0;
	while ((n = heap_pop_due(&h, 250))) {
		ck_assert_uint_ge(n->due_us, last);
		ck_assert_uint_eq(n->at, 0);
		last = n->due_us;
		out++;
	}
	ck_assert_uint_le(last, 250);
	ck_assert_uint_gt(heap_deadline(&h), 250);
	while (heap_pop_due(&h, UINT64_MAX))
		out++;
	ck_assert_uint_eq(out, N);
	ck_assert_ptr_null(heap_first(&h));
	ck_assert_uint_eq(heap_deadline(&h), UINT64_MAX);
	heap_done(&h);
}
END_TEST

START_TEST(an_empty_heap_is_harmless)
{
	struct heap h = { 0 };
	struct heap_node n = { 0 };
	ck_assert_ptr_null(heap_first(&h));
	ck_assert_ptr_null(heap_pop_due(&h, UINT64_MAX));
	heap_remove(&h, &n);
	heap_done(&h);
	ck_assert_int_eq(heap_set(&h, &n, 5), 0);
	heap_remove(&h, &n);
	heap_remove(&h, &n);
	ck_assert_uint_eq(heap_deadline(&h), UINT64_MAX);
	heap_done(&h);
}
END_TEST

START_TEST(a_reserved_heap_does_not_move)
{
	struct heap h = { 0 };
	struct heap_node nodes[N] = { 0 };
	ck_assert_int_eq(heap_reserve(&h, N), 0);
	struct heap_node **before = h.v;
	for (unsigned i = 0; i < N; i++)
		ck_assert_int_eq(heap_set(&h, &nodes[i], N - i), 0);
	ck_assert_ptr_eq(h.v, before);
	ck_assert_int_eq(heap_reserve(&h, 1), 0);
	ck_assert_int_eq(heap_reserve(&h, SIZE_MAX), -ENOMEM);
	ck_assert_uint_eq(heap_deadline(&h), 1);
	heap_done(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("heap");
	TCase *c = tcase_create("heap");
	tcase_add_test(c, the_first_is_always_the_earliest);
	tcase_add_test(c, what_is_due_comes_out_in_order);
	tcase_add_test(c, an_empty_heap_is_harmless);
	tcase_add_test(c, a_reserved_heap_does_not_move);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
