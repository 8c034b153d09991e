/** @file The memory of used nonces, against an array of all of them. */
#include "as/core/nonces.h"
#include "common/core/err.h"
#include <check.h>
#include <stdlib.h>

static uint8_t record[NONCES_RECORD_MAX], next[NONCES_RECORD_MAX];
static size_t n;
static bool used[65536];

static void add(uint16_t nonce)
{
	size_t next_n;
	ck_assert_int_eq(nonces_add((struct slice){ record, n }, nonce, next, &next_n), 0);
	ck_assert_uint_le(next_n, sizeof next);
	memcpy(record, next, next_n);
	n = next_n;
	used[nonce] = true;
}

static void known(uint32_t step)
{
	for (uint32_t i = 0; i < 65536; i += step)
		ck_assert_msg(nonces_used((struct slice){ record, n }, (uint16_t)i) == used[i], "nonce %u of %zu octets", i, n);
}

START_TEST(all_65536_nonces_are_remembered)
{
	uint32_t nonce = 7;
	known(1);
	for (uint32_t i = 0; i < 65536; i++) {
		add((uint16_t)nonce);
		if (i == 0 || (i > 4090 && i < 4100) || i == 65535)
			known(i == 65535 || i == 0 ? 1 : 61);
		nonce = nonce * 40961 + 12345; /* each value of 16 bits once */
	}
	for (uint32_t i = 0; i < 65536; i++)
		ck_assert(used[i]);
}
END_TEST

START_TEST(a_few_nonces_take_a_few_octets)
{
	for (uint16_t i = 0; i < 100; i++)
		add((uint16_t)(i * 331));
	ck_assert_uint_eq(n, 201);
}
END_TEST

START_TEST(a_damaged_record_refuses_every_nonce)
{
	static const uint8_t bad[] = { 1, 2 }, worse[] = { 9, 0, 1 }, worst[] = { 2, 0, 0 };
	const struct slice records[] = { { bad, 2 }, { worse, 3 }, { worst, 3 } };
	for (size_t i = 0; i < COUNT(records); i++) {
		ck_assert(nonces_used(records[i], 500));
		ck_assert_int_eq(nonces_add(records[i], 500, next, &n), -EPROTO);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nonces");
	TCase *t = tcase_create("nonces");
	tcase_add_test(t, all_65536_nonces_are_remembered);
	tcase_add_test(t, a_few_nonces_take_a_few_octets);
	tcase_add_test(t, a_damaged_record_refuses_every_nonce);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
