/** @file Patterns of event names: what they find is what the C library's regular expressions find, and they end. */
#include "as/core/event_names.h"
#include "common/core/rng.h"
#include <check.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>

static bool matches(const char *pattern, const char *name)
{
	struct event_names names = { .n_steps = 0 };
	const char *why = "";
	int e = event_names_add(&names, str_of(pattern), &why);
	ck_assert_msg(e == 0, "%s %s", pattern, why);
	return event_names_find(&names, str_of(name));
}

START_TEST(a_name_is_found_exactly_or_by_an_expression)
{
	static const struct {
		const char *pattern, *name;
		bool found;
	} rows[] = {
		{ "ns.up.data.process", "ns.up.data.process", true },
		{ "ns.up.data.process", "ns.up.data.processed", false },
		{ "ns.up.data.proces.", "ns.up.data.process", false },
		{ "/^ns\\..+/", "ns.up.data.process", true },
		{ "/^ns\\..+/", "nsx", false },
		{ "/up/", "ns.up.data.process", true },
		{ "/\\.fail$/", "ns.down.data.schedule.fail", true },
		{ "/\\.fail$/", "ns.down.data.schedule.failed", false },
		{ "/^(gs|as)\\.(up|down)\\./", "as.down.data.receive", true },
		{ "/^(gs|as)\\.(up|down)\\./", "ns.down.data.receive", false },
		{ "/^[a-f]s\\.[^.]+$/", "as.join", true },
		{ "/^[a-f]s\\.[^.]+$/", "as.join.x", false },
		{ "/^\\w+\\.rx\\d$/", "ns.rx2", true },
		{ "/^(?:ns|gs).*?drop$/", "gs.up.drop", true },
		{ "/^gs|drop$/", "ns.up.drop", true },
		{ "/a||b/", "", true },
		{ "/[\\]\\-a]/", "-", true },
		{ "/[a-]/", "-", true },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(matches(rows[i].pattern, rows[i].name) == rows[i].found, "%s %s", rows[i].pattern, rows[i].name);
}
END_TEST

START_TEST(what_is_not_known_is_refused_with_a_reason)
{
	static const char *const rows[] = { "", "/", "//", "/abc", "/(/", "/)/", "/a)(/", "/*/", "/a**/", "/^*/", "/a{2}/", "/(?=a)/", "/(?P<x>a)/",
		"/(a)\\1/", "/\\s/", "/\\/", "/[/", "/[]/", "/[z-a]/", "/((((((((((a))))))))))/",
		"/[a][b][c][d][e][f][g][h][i][a][b][c][d][e][f][g][h][i]/",
		"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/" };
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct event_names names = { .n_steps = 0 };
		const char *why = NULL;
		ck_assert_msg(event_names_add(&names, str_of(rows[i]), &why) == -EINVAL, "%s", rows[i]);
		ck_assert_msg(why && *why, "%s", rows[i]);
	}
}
END_TEST

START_TEST(one_of_many_is_enough_and_they_are_bounded)
{
	struct event_names names = { .n_steps = 0 };
	const char *why;
	ck_assert(!event_names_find(&names, STR("")));
	ck_assert(!event_names_add(&names, STR("as.join"), &why) && !event_names_add(&names, STR("/^gs/"), &why) &&
		!event_names_add(&names, STR("/drop$|fail$/"), &why));
	ck_assert(event_names_find(&names, STR("as.join")) && event_names_find(&names, STR("gs.x")) &&
		event_names_find(&names, STR("ns.fail")) && !event_names_find(&names, STR("ns.join")));
	int i = 0;
	while (i < 100 && !event_names_add(&names, STR("as.join"), &why))
		i++;
	ck_assert_int_eq(i, EVENT_NAMES_MAX - 1);
	while (i < 200 && !event_names_add(&names, STR("/a*/"), &why))
		i++;
	ck_assert_int_lt(i, 100);
}
END_TEST

/** Exponential for a matcher that goes back. */
START_TEST(what_takes_others_for_ever_ends)
{
	char name[48];
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		ck_assert(!matches("/^(((a*)*)*|(a|aa)+)*b$/", name));
}
END_TEST

/* ---- against the C library ---- */

struct maker {
	struct rng rng;
	struct rng_seeded seed;
	char text[64];
	size_t n;
};

static unsigned chance(struct maker *m, unsigned n)
{
	return (unsigned)rng_below(&m->rng, n);
}

static void make(struct maker *m, unsigned depth)
{
	unsigned parts = 1 + chance(m, 3);
	for (unsigned i = 0; i < parts && m->n < 40; i++) {
		unsigned kind = chance(m, depth ? 8 : 6);
		if (kind >= 6) {
			m->text[m->n++] = '(';
			make(m, depth - 1);
			m->text[m->n++] = ')';
		} else {
			m->n += (size_t)sprintf(m->text + m->n, "%s", ((const char *[]){ "a", "b", "a", ".", "[ab]", "[^a]" })[kind]);
		}
		unsigned often = chance(m, 6);
		if (often < 3)
			m->text[m->n++] = "*+?"[often];
		if (i + 1 < parts && chance(m, 4) == 0)
			m->text[m->n++] = '|';
	}
}

static void compare(struct maker *m, const regex_t *theirs)
{
	char pattern[80], name[8];
	snprintf(pattern, sizeof pattern, "/%s/", m->text);
	for (unsigned length = 0; length <= 5; length++)
		for (unsigned bits = 0; bits < 1U << length; bits++) {
			for (unsigned i = 0; i < length; i++)
				name[i] = bits >> i & 1 ? 'b' : 'a';
			name[length] = '\0';
			ck_assert_msg(matches(pattern, name) == (regexec(theirs, name, 0, NULL, 0) == 0), "%s %s", pattern, name);
		}
}

START_TEST(it_finds_what_the_c_library_finds)
{
	struct maker m = { .n = 0 };
	m.rng = rng_seeded(&m.seed, 1);
	unsigned tried = 0;
	for (int i = 0; i < 3000; i++) {
		regex_t theirs;
		m.n = 0;
		bool is_whole = chance(&m, 2);
		if (is_whole)
			m.text[m.n++] = '^', m.text[m.n++] = '(';
		make(&m, 2);
		if (is_whole)
			m.text[m.n++] = ')', m.text[m.n++] = '$';
		m.text[m.n] = '\0';
		if (regcomp(&theirs, m.text, REG_EXTENDED | REG_NOSUB))
			continue;
		compare(&m, &theirs);
		regfree(&theirs);
		tried++;
	}
	ck_assert_uint_gt(tried, 2900);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event_names");
	TCase *t = tcase_create("pattern");
	tcase_add_test(t, a_name_is_found_exactly_or_by_an_expression);
	tcase_add_test(t, what_is_not_known_is_refused_with_a_reason);
	tcase_add_test(t, one_of_many_is_enough_and_they_are_bounded);
	tcase_add_test(t, what_takes_others_for_ever_ends);
	tcase_add_test(t, it_finds_what_the_c_library_finds);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
