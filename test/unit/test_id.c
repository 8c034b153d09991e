/** @file ULIDs against the specification's example, and the grammar of ids. */
#include "common/core/id.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const struct ulid *u)
{
	static char buf[ULID_TEXT + 1];
	struct text t = text_fixed(buf, sizeof buf);
	ulid_text(&t, u);
	ck_assert(!t.failed);
	ck_assert_uint_eq(t.len, ULID_TEXT);
	return buf;
}

START_TEST(the_time_leads)
{
	/* ulid/javascript: encodeTime(1469918176385) is 01ARYZ6S41, its maximum 2^48-1 is 7ZZZZZZZZZ. */
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 1);
	struct ulid a = ulid_make(UINT64_C(1469918176385999), &rng), b = ulid_make(UINT64_C(1469918176385000), &rng);
	struct ulid last = ulid_make(UINT64_C(281474976710655999), &rng);
	ck_assert(str_starts(str_of(text_of(&a)), "01ARYZ6S41"));
	ck_assert(str_starts(str_of(text_of(&b)), "01ARYZ6S41"));
	ck_assert(str_starts(str_of(text_of(&last)), "7ZZZZZZZZZ"));
	ck_assert_uint_eq(ulid_unix_us(&a), UINT64_C(1469918176385000));
	ck_assert_uint_eq(ulid_unix_us(&last), UINT64_C(281474976710655000));
	ck_assert(!ulid_eq(&a, &b));
	ck_assert(ulid_eq(&a, &a));
	ck_assert(!ulid_is_none(&a));
	ck_assert(ulid_is_none(&(struct ulid){ { 0 } }));
}
END_TEST

START_TEST(a_ulid_is_its_128_bits)
{
	static const struct {
		const char *text;
		uint8_t b[16];
	} rows[] = {
		{ "00000000000000000000000000", { 0 } }, { "00000000000000000000000001", { [15] = 1 } },
		{ "0000000000000000000000000Z", { [15] = 31 } }, { "00000000000000000000000010", { [15] = 32 } },
		{ "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 } },
		{ "40000000000000000000000000", { 128 } }, { "01000000000000000000000000", { 1 } },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ulid u;
		ck_assert_int_eq(ulid_parse(str_of(rows[i].text), &u), 0);
		ck_assert_mem_eq(u.b, rows[i].b, sizeof u.b);
		ck_assert_str_eq(text_of(&u), rows[i].text);
	}
}
END_TEST

START_TEST(a_ulid_survives_its_text)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, 3);
	for (int i = 0; i < 10000; i++) {
		struct ulid u, back;
		rng_fill(&rng, &u, sizeof u);
		ck_assert_int_eq(ulid_parse(str_of(text_of(&u)), &back), 0);
		ck_assert(ulid_eq(&u, &back));
	}
}
END_TEST

START_TEST(people_may_misspell_a_ulid)
{
	struct ulid a, b;
	ck_assert_int_eq(ulid_parse(STR("01HC8XVSJH8N6F3W0TQ5ZPA1BC"), &a), 0);
	ck_assert_int_eq(ulid_parse(STR("oIhc8xvsjh8n6f3wOtq5zpaLbc"), &b), 0);
	ck_assert(ulid_eq(&a, &b));
	static const char *const bad[] = {
		"", "01HC8XVSJH8N6F3W0TQ5ZPA1B", "01HC8XVSJH8N6F3W0TQ5ZPA1BCD", "81HC8XVSJH8N6F3W0TQ5ZPA1BC",
		"01HC8XVSJH8N6F3W0TQ5ZPA1BU", "01HC8XVSJH8N6F3W0TQ5ZPA1B-", "U1HC8XVSJH8N6F3W0TQ5ZPA1BC",
		"01HC8XVSJH8N6F3W0TQ5ZPA1B\xff",
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(ulid_parse(str_of(bad[i]), &b) == -EINVAL, "%s", bad[i]);
	ck_assert_int_eq(ulid_parse(STR("01HC8XVSJH8N6F3W0TQ5ZPA1B\0"), &b), -EINVAL);
}
END_TEST

START_TEST(ids_follow_the_grammar_of_the_things_stack)
{
	static const char *const good[] = {
		"ab", "a1", "app-1", "eui-70b3d57ed0051234", "a-b", "1-2-3", "00", "abcdefghijklmnopqrstuvwxyz0123456789",
	};
	static const char *const bad[] = {
		"", "a", "-a", "a-", "a--b", "App", "a_b", "a.b", "a b", "a/b", "a+", "#", "\xc3\xa9t\xc3\xa9", "--",
		"abcdefghijklmnopqrstuvwxyz01234567890", "ab\n",
	};
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(id_valid(str_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!id_valid(str_of(bad[i])), "%s", bad[i]);
	ck_assert(!id_valid(STR("ab\0")));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("id");
	TCase *c = tcase_create("id");
	tcase_add_test(c, the_time_leads);
	tcase_add_test(c, a_ulid_is_its_128_bits);
	tcase_add_test(c, a_ulid_survives_its_text);
	tcase_add_test(c, people_may_misspell_a_ulid);
	tcase_add_test(c, ids_follow_the_grammar_of_the_things_stack);
	tcase_set_timeout(c, 30);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
