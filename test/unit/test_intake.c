/** @file What the application server takes of an ns's outbox, in the orders that refusals and resendings make. */
#include "as/core/intake.h"
#include <check.h>
#include <stdlib.h>

/* The shell's part: take what may be taken while there is room. */
static enum intake_verdict offer(struct intake *i, uint64_t seq, bool has_room)
{
	enum intake_verdict v = intake_judge(i, seq);
	if (v == INTAKE_KNOWN)
		return v;
	if (v == INTAKE_NEW && has_room)
		intake_took(i, seq);
	else
		intake_refused(i, seq);
	return v;
}

START_TEST(messages_are_taken_once)
{
	struct intake i = { .seq = 0 };
	ck_assert_int_eq(offer(&i, 1, true), INTAKE_NEW);
	ck_assert_int_eq(offer(&i, 2, true), INTAKE_NEW);
	ck_assert_int_eq(offer(&i, 2, true), INTAKE_KNOWN);
	ck_assert_int_eq(offer(&i, 1, true), INTAKE_KNOWN);
	ck_assert_uint_eq(i.seq, 2);
}
END_TEST

START_TEST(none_overtakes_a_refused_one)
{
	struct intake i = { .seq = 4 };
	ck_assert_int_eq(offer(&i, 5, false), INTAKE_NEW);
	/* There is room again, but 5 comes first. */
	ck_assert_int_eq(offer(&i, 6, true), INTAKE_EARLY);
	ck_assert_int_eq(offer(&i, 7, true), INTAKE_EARLY);
	ck_assert_int_eq(offer(&i, 5, true), INTAKE_NEW);
	ck_assert_int_eq(offer(&i, 6, true), INTAKE_NEW);
	ck_assert_int_eq(offer(&i, 7, true), INTAKE_NEW);
	ck_assert_uint_eq(i.seq, 7);
}
END_TEST

START_TEST(the_first_of_several_refused_ones_counts)
{
	struct intake i = { .seq = 4 };
	offer(&i, 5, false);
	offer(&i, 6, false);
	offer(&i, 5, false);
	ck_assert_uint_eq(i.refused, 5);
	ck_assert_int_eq(offer(&i, 6, true), INTAKE_EARLY);
	ck_assert_int_eq(offer(&i, 5, true), INTAKE_NEW);
	ck_assert_uint_eq(i.refused, 0);
}
END_TEST

START_TEST(an_outbox_may_begin_anywhere)
{
	struct intake i = { .seq = 0 };
	ck_assert_int_eq(offer(&i, 5000, true), INTAKE_NEW);
	ck_assert_int_eq(offer(&i, 5002, true), INTAKE_NEW);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("intake");
	TCase *t = tcase_create("orders");
	tcase_add_test(t, messages_are_taken_once);
	tcase_add_test(t, none_overtakes_a_refused_one);
	tcase_add_test(t, the_first_of_several_refused_ones_counts);
	tcase_add_test(t, an_outbox_may_begin_anywhere);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
