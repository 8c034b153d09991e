/** @file Connections and wrong logins of an address: at each limit, and one over. */
#include "as/core/guard.h"
#include "common/core/clock.h"
#include <check.h>
#include <string.h>

static struct guard *g;

static struct guard_ip ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct guard_ip){ { [10] = 0xff, 0xff, a, b, c, d } };
}

static struct guard_ip ipv6(uint8_t network, uint8_t host)
{
	return (struct guard_ip){ { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, network, [15] = host } };
}

static void begin(uint32_t connections, uint32_t failures)
{
	g = guard_new(&(struct guard_options){ connections, failures, .window_us = 60 * SEC_US, .lockout_us = 30 * SEC_US });
	ck_assert_ptr_nonnull(g);
}

START_TEST(an_address_has_so_many_connections_and_no_more)
{
	const struct guard_ip a = ipv4(192, 0, 2, 1), b = ipv4(192, 0, 2, 2);
	begin(3, 10);
	for (int i = 0; i < 3; i++)
		ck_assert(guard_enter(g, &a));
	ck_assert(!guard_enter(g, &a));
	ck_assert(guard_enter(g, &b));
	guard_leave(g, &a);
	ck_assert(guard_enter(g, &a));
	ck_assert(!guard_enter(g, &a));
	guard_free(g);
	begin(0, 10);
	for (int i = 0; i < 10000; i++)
		ck_assert(guard_enter(g, &a));
	guard_free(g);
}
END_TEST

START_TEST(the_addresses_of_one_ipv6_network_are_one)
{
	const struct guard_ip a = ipv6(1, 1), same = ipv6(1, 2), other = ipv6(2, 1);
	begin(1, 10);
	ck_assert(guard_enter(g, &a));
	ck_assert(!guard_enter(g, &same));
	ck_assert(guard_enter(g, &other));
	guard_leave(g, &a);
	ck_assert(guard_enter(g, &same));
	guard_free(g);
}
END_TEST

START_TEST(trusted_networks_and_unknown_addresses_have_no_bounds)
{
	const struct guard_ip in = ipv4(10, 255, 0, 1), out = ipv4(11, 0, 0, 1), unknown = { { 0 } }, net = ipv4(10, 0, 0, 0);
	begin(1, 1);
	ck_assert_int_eq(guard_trust(g, &net, 96 + 8), 0);
	for (int i = 0; i < 5; i++) {
		ck_assert(guard_enter(g, &in));
		ck_assert(guard_enter(g, &unknown));
		ck_assert(!guard_failed(g, &in, (uint64_t)i, 0));
		ck_assert(!guard_failed(g, &unknown, (uint64_t)i, 0));
	}
	ck_assert_uint_eq(guard_locked_us(g, &in, 1, 0), 0);
	ck_assert(guard_enter(g, &out));
	ck_assert(!guard_enter(g, &out));
	ck_assert(guard_trusts(g, &in) && guard_trusts(g, &unknown) && !guard_trusts(g, &out));
	for (int i = 1; i < GUARD_TRUSTED_MAX; i++)
		ck_assert_int_eq(guard_trust(g, &net, 128), 0);
	ck_assert_int_eq(guard_trust(g, &net, 128), -ENOSPC);
	guard_free(g);
}
END_TEST

START_TEST(different_wrong_logins_lock_at_the_limit_and_the_time_unlocks)
{
	const struct guard_ip a = ipv4(192, 0, 2, 1), b = ipv4(192, 0, 2, 2);
	uint64_t now = 1000 * SEC_US;
	begin(0, 10);
	for (uint64_t i = 0; i < 9; i++)
		ck_assert(!guard_failed(g, &a, i, now + i));
	ck_assert_uint_eq(guard_locked_us(g, &a, 99, now + 9), 0);
	ck_assert(guard_failed(g, &a, 9, now + 9));
	ck_assert_uint_eq(guard_locked_us(g, &a, 99, now + 9), 30 * SEC_US);
	ck_assert_uint_eq(guard_locked_us(g, &b, 99, now + 9), 0);
	/* What is tried meanwhile prolongs nothing. */
	ck_assert(!guard_failed(g, &a, 10, now + 20));
	ck_assert_uint_eq(guard_locked_us(g, &a, 99, now + 8 + 30 * SEC_US), 1);
	ck_assert_uint_eq(guard_locked_us(g, &a, 99, now + 9 + 30 * SEC_US), 0);
	ck_assert(!guard_failed(g, &a, 9, now + 31 * SEC_US));
	guard_free(g);
}
END_TEST

START_TEST(a_wrong_password_in_a_loop_locks_nobody_out)
{
	const struct guard_ip a = ipv4(192, 0, 2, 1);
	begin(0, 2);
	for (uint64_t i = 0; i < 1000; i++)
		ck_assert(!guard_failed(g, &a, 7, i * SEC_US / 100));
	guard_free(g);
}
END_TEST

START_TEST(wrong_logins_are_forgotten_after_the_window)
{
	const struct guard_ip a = ipv4(192, 0, 2, 1);
	begin(0, 3);
	for (uint64_t i = 0; i < 100; i++)
		ck_assert(!guard_failed(g, &a, i, i * 30 * SEC_US));
	guard_free(g);
}
END_TEST

START_TEST(what_was_right_before_is_let_in_while_locked)
{
	const struct guard_ip a = ipv4(192, 0, 2, 1);
	begin(0, 1);
	guard_passed(g, &a, 1);
	ck_assert(guard_failed(g, &a, 2, 5));
	ck_assert_uint_eq(guard_locked_us(g, &a, 1, 6), 0);
	ck_assert_uint_gt(guard_locked_us(g, &a, 3, 6), 0);
	/* The last few are remembered. */
	for (uint64_t i = 10; i < 10 + GUARD_KNOWN; i++)
		guard_passed(g, &a, i);
	ck_assert_uint_gt(guard_locked_us(g, &a, 1, 6), 0);
	ck_assert_uint_eq(guard_locked_us(g, &a, 10, 6), 0);
	guard_free(g);
}
END_TEST

START_TEST(however_many_addresses_guess_the_records_are_bounded)
{
	const struct guard_ip first = ipv4(1, 0, 0, 1);
	begin(0, 1);
	ck_assert(guard_enter(g, &first));
	ck_assert(guard_failed(g, &first, 1, 0));
	for (unsigned i = 0; i < 2 * GUARD_RECORDS_MAX; i++) {
		const struct guard_ip ip = ipv4(2, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i);
		ck_assert(guard_failed(g, &ip, i, 1));
	}
	/* The oldest gave way; its connection is still counted. */
	ck_assert_uint_eq(guard_locked_us(g, &first, 2, 2), 0);
	guard_leave(g, &first);
	guard_leave(g, &first);
	guard_free(g);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *t = tcase_create("guard");
	suite_add_tcase(s, t);
	tcase_add_test(t, an_address_has_so_many_connections_and_no_more);
	tcase_add_test(t, the_addresses_of_one_ipv6_network_are_one);
	tcase_add_test(t, trusted_networks_and_unknown_addresses_have_no_bounds);
	tcase_add_test(t, different_wrong_logins_lock_at_the_limit_and_the_time_unlocks);
	tcase_add_test(t, a_wrong_password_in_a_loop_locks_nobody_out);
	tcase_add_test(t, wrong_logins_are_forgotten_after_the_window);
	tcase_add_test(t, what_was_right_before_is_let_in_while_locked);
	tcase_add_test(t, however_many_addresses_guess_the_records_are_bounded);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
