/** @file Whose lines are logged at another level. */
#include "proto/log_watch.h"
#include <check.h>
#include <stdlib.h>

static struct log_rule of_device(uint64_t uid, uint32_t level)
{
	struct log_rule r = { .level = level };
	MSG_SET(&r, device, uid);
	return r;
}

static struct log_rule of_gateway(const char *id, uint32_t level)
{
	struct log_rule r = { .level = level };
	str_copy(str_of(id), r.gateway_id, sizeof r.gateway_id);
	MSG_MARK(&r, gateway_id);
	return r;
}

static struct log_rule of_process(uint32_t process, uint32_t level)
{
	struct log_rule r = { .level = level };
	MSG_SET(&r, process, process);
	return r;
}

static void set(struct log_watch *w, struct log_rule r, uint64_t until_us)
{
	ck_assert_int_eq(log_watch_set(w, &r, until_us), 0);
}

START_TEST(a_rule_is_about_its_device_and_nobody_else)
{
	struct log_watch w = { .n = 0 };
	struct trace_event e = { .dev_addr = 0x01020304, .dev_eui = 5 };
	set(&w, of_device(7, 3), 100);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .device = 7 }), 3);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .device = 8 }), -1);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .gateway_id = "" }), -1);
	ck_assert(log_watch_has_devices(&w));
	/* Who knows it as it is heard. */
	struct log_subject heard = { .event = &e };
	MSG_MARK(&e, dev_addr);
	MSG_MARK(&e, dev_eui);
	ck_assert_int_eq(log_watch_level(&w, &heard), -1);
	MSG_SET(&w.v[0].rule, dev_eui, 5);
	ck_assert_int_eq(log_watch_level(&w, &heard), 3);
	MSG_SET(&w.v[0].rule, dev_eui, 6);
	ck_assert_int_eq(log_watch_level(&w, &heard), -1);
	w.v[0].rule.dev_addrs.len = 2;
	w.v[0].rule.dev_addrs.v[1].dev_addr = 0x01020304;
	ck_assert_int_eq(log_watch_level(&w, &heard), 3);
}
END_TEST

START_TEST(gateways_and_processes_have_their_own)
{
	struct log_watch w = { .n = 0 };
	set(&w, of_gateway("gtw1", 3), 100);
	set(&w, of_process(1, 1), 100);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .gateway_id = "gtw1" }), 3);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .gateway_id = "gtw2" }), -1);
	ck_assert_int_eq(log_watch_process(&w, 1), 1);
	ck_assert_int_eq(log_watch_process(&w, 0), -1);
	ck_assert(!log_watch_has_devices(&w));
}
END_TEST

START_TEST(the_last_rule_about_the_same_counts_and_there_is_an_end_to_all)
{
	struct log_watch w = { .n = 0 };
	set(&w, of_device(7, 3), 100);
	set(&w, of_device(7, 1), 200);
	set(&w, of_gateway("gtw1", 3), 150);
	ck_assert_uint_eq(w.n, 2);
	ck_assert_int_eq(log_watch_level(&w, &(struct log_subject){ .device = 7 }), 1);
	ck_assert_uint_eq(log_watch_next(&w), 150);
	ck_assert(!log_watch_expire(&w, 149));
	ck_assert(log_watch_expire(&w, 150));
	ck_assert_uint_eq(w.n, 1);
	ck_assert(log_watch_expire(&w, 200));
	ck_assert_uint_eq(w.n, 0);
	ck_assert(log_watch_next(&w) == UINT64_MAX);
}
END_TEST

START_TEST(they_are_bounded_and_travel_with_the_time_that_is_left)
{
	struct log_watch w = { .n = 0 }, other = { .n = 0 };
	static struct log_rules m;
	for (uint64_t i = 0; i < COUNT(w.v); i++)
		set(&w, of_device(i + 1, 3), 1000 + i);
	struct log_rule one_more = of_device(999, 3), again = of_device(1, 0);
	ck_assert_int_eq(log_watch_set(&w, &one_more, 5), -ENOSPC);
	ck_assert_int_eq(log_watch_set(&w, &again, 2000), 0);
	log_watch_give(&w, 900, &m);
	ck_assert_uint_eq(m.v.len, COUNT(w.v));
	ck_assert_uint_eq(m.v.v[1].left_us, 101);
	log_watch_take(&other, &m, 50000);
	ck_assert_uint_eq(other.n, w.n);
	ck_assert_uint_eq(other.v[1].until_us, 50101);
	m.v.len = 0;
	log_watch_take(&other, &m, 50000);
	ck_assert_uint_eq(other.n, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("log_watch");
	TCase *t = tcase_create("rules");
	tcase_add_test(t, a_rule_is_about_its_device_and_nobody_else);
	tcase_add_test(t, gateways_and_processes_have_their_own);
	tcase_add_test(t, the_last_rule_about_the_same_counts_and_there_is_an_end_to_all);
	tcase_add_test(t, they_are_bounded_and_travel_with_the_time_that_is_left);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
