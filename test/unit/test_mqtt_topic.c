/** @file Topic filters against topics: the examples of the standard, and the tree against the plain comparison. */
#include "as/core/mqtt/mqtt_tree.h"
#include "common/core/rng.h"
#include "proto/mqtt/mqtt_topic.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static bool matches(const char *filter, const char *topic)
{
	return mqtt_topic_match(str_of(filter), str_of(topic));
}

START_TEST(the_examples_of_4_7_hold)
{
	static const struct {
		const char *filter, *topic;
		bool matches;
	} rows[] = {
		{ "sport/tennis/player1/#", "sport/tennis/player1", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/ranking", true },
		{ "sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true },
		{ "sport/#", "sport", true },
		{ "sport/#", "sports", false },
		{ "#", "a", true },
		{ "#", "/", true },
		{ "sport/tennis/+", "sport/tennis/player1", true },
		{ "sport/tennis/+", "sport/tennis/player1/ranking", false },
		{ "sport/+", "sport", false },
		{ "sport/+", "sport/", true },
		{ "+", "sport", true },
		{ "+/tennis/#", "sport/tennis", true },
		{ "+/+", "/finance", true },
		{ "/+", "/finance", true },
		{ "+", "/finance", false },
		{ "#", "$SYS/monitor", false },
		{ "+/monitor/Clients", "$SYS/monitor/Clients", false },
		{ "$SYS/#", "$SYS/", true },
		{ "$SYS/#", "$SYS", true },
		{ "$SYS/monitor/+", "$SYS/monitor/Clients", true },
		{ "ACCOUNTS", "Accounts", false },
		{ "Accounts payable", "Accounts payable", true },
		{ "/A", "A", false },
		{ "A/", "A", false },
		{ "a//b", "a//b", true },
		{ "a/+/b", "a//b", true },
		{ "a/+/b", "a/b", false },
		{ "a/#", "a//", true },
		{ "+/+/+", "//", true },
		{ "a/b", "a/b/c", false },
		{ "a/b/c", "a/b", false },
		{ "v3/app1/#", "v3/app1@tenant1/devices/d/up", false },
		{ "a/b/#", "a/b", true },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(matches(rows[i].filter, rows[i].topic) == rows[i].matches, "%s against %s", rows[i].filter, rows[i].topic);
}
END_TEST

START_TEST(filters_are_judged_as_4_7_1_says)
{
	static const char *const good[] = { "#", "+", "/", "a", "a/#", "a/+", "+/a", "+/+/#", "/#", "/+", "a/+/b", "$share/g/a/#", "a b", "a//" };
	static const char *const bad[] = { "", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+", "a/+b/c", "##", "++", "#+", "a/#b" };
	for (size_t i = 0; i < COUNT(good); i++)
		ck_assert_msg(mqtt_filter_valid(str_of(good[i])), "%s", good[i]);
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!mqtt_filter_valid(str_of(bad[i])), "%s", bad[i]);
	ck_assert(mqtt_topic_valid(STR("a/b")));
	ck_assert(!mqtt_topic_valid(STR("")));
	ck_assert(!mqtt_topic_valid(STR("a/+")));
}
END_TEST

START_TEST(shared_filters_come_apart)
{
	struct str group, filter;
	ck_assert_int_eq(mqtt_topic_share(STR("$share/g/a/#"), &group, &filter), 0);
	ck_assert(str_is(group, "g") && str_is(filter, "a/#"));
	ck_assert_int_eq(mqtt_topic_share(STR("$share/g//a"), &group, &filter), 0);
	ck_assert(str_is(filter, "/a"));
	ck_assert_int_eq(mqtt_topic_share(STR("$shared/g/a"), &group, &filter), 1);
	ck_assert(str_is(filter, "$shared/g/a"));
	static const char *const bad[] = { "$share", "$share/", "$share/g", "$share/g/", "$share//a", "$share/+/a", "$share/g#/a" };
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(mqtt_topic_share(str_of(bad[i]), &group, &filter) == -EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(strings_are_judged_as_1_5_3_says)
{
	ck_assert(mqtt_string_valid(STR("")));
	ck_assert(mqtt_string_valid(STR("A\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6\xef\xbb\xbf")));
	ck_assert(mqtt_string_valid(STR("\xed\x9f\xbf\xee\x80\x80\xf4\x8f\xbf\xbd")));
	static const struct str bad[] = { { "a\0b", 3 }, { "\x1f", 1 }, { "\x7f", 1 }, { "\xc2\x80", 2 }, { "\xc2\x9f", 2 }, { "\xc0\x80", 2 },
		{ "\xc1\xbf", 2 }, { "\xe0\x80\x80", 3 }, { "\xed\xa0\x80", 3 }, { "\xed\xbf\xbf", 3 }, { "\xf0\x80\x80\x80", 4 },
		{ "\xf4\x90\x80\x80", 4 }, { "\xf8\x88\x80\x80\x80", 5 }, { "\x80", 1 }, { "\xe2\x82", 2 }, { "\xc3", 1 }, { "\xc3(", 2 },
		{ "\xef\xbf\xbe", 3 }, { "\xef\xbf\xbf", 3 }, { "\xf0\x9f\xbf\xbf", 4 }, { "\xef\xb7\xaf", 3 } };
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(!mqtt_string_valid(bad[i]), "%zu", i);
}
END_TEST

enum { FILTERS = 300, TOPICS = 3000 };

static char *levels_make(struct rng *rng, char *buf, const char *const *words, size_t n)
{
	struct text t = text_fixed(buf, 64);
	size_t levels = 1 + (size_t)rng_below(rng, 5);
	for (size_t i = 0; i < levels; i++) {
		if (i)
			text_putc(&t, '/');
		text_puts(&t, words[rng_below(rng, n)]);
	}
	return buf;
}

struct found {
	struct mqtt_tree_entry *entries;
	uint8_t seen[FILTERS];
};

static void found_add(void *ctx, struct mqtt_tree_entry *entry)
{
	struct found *f = ctx;
	f->seen[entry - f->entries]++;
}

START_TEST(the_tree_finds_what_plain_comparison_finds)
{
	static const char *const words[] = { "", "a", "b", "cc", "$x", "+", "+" };
	static struct mqtt_tree_entry entries[FILTERS];
	static char filters[FILTERS][64];
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 7);
	struct mqtt_map levels = { .seed = 42 };
	struct mqtt_tree tree = { .levels = &levels };
	for (size_t i = 0; i < FILTERS; i++) {
		levels_make(&rng, filters[i], words, COUNT(words));
		if (rng_below(&rng, 3) == 0)
			strcat(filters[i], "/#");
		if (rng_below(&rng, 50) == 0 || !filters[i][0])
			strcpy(filters[i], "#");
		ck_assert_int_eq(mqtt_tree_add(&tree, str_of(filters[i]), &entries[i]), 0);
	}
	for (size_t i = 0; i < TOPICS; i++) {
		char topic[64];
		levels_make(&rng, topic, words, COUNT(words) - 2);
		if (!topic[0])
			strcpy(topic, "/");
		struct found f = { entries, { 0 } };
		mqtt_tree_match(&tree, str_of(topic), found_add, &f);
		for (size_t k = 0; k < FILTERS; k++)
			if (f.seen[k] != (entries[k].node && matches(filters[k], topic)))
				ck_abort_msg("%s in %s: %d", filters[k], topic, f.seen[k]);
		if (i % 10 == 0) /* and it does so while it shrinks */
			mqtt_tree_remove(&tree, &entries[i / 10]);
	}
	ck_assert_ptr_null(tree.root);
	ck_assert_uint_eq(levels.n, 0);
	mqtt_map_done(&levels);
}
END_TEST

START_TEST(a_filter_too_deep_leaves_nothing_behind)
{
	char deep[MQTT_LEVELS_MAX + 1];
	memset(deep, '/', sizeof deep);
	struct mqtt_map levels = { .seed = 42 };
	struct mqtt_tree tree = { .levels = &levels };
	struct mqtt_tree_entry entry = { .node = NULL };
	ck_assert_int_eq(mqtt_tree_add(&tree, (struct str){ deep, MQTT_LEVELS_MAX }, &entry), -EINVAL);
	ck_assert_ptr_null(tree.root);
	ck_assert_int_eq(mqtt_tree_add(&tree, (struct str){ deep, MQTT_LEVELS_MAX - 1 }, &entry), 0);
	mqtt_tree_remove(&tree, &entry);
	ck_assert_uint_eq(levels.n, 0);
	mqtt_map_done(&levels);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_topic");
	TCase *t = tcase_create("topics");
	tcase_add_test(t, the_examples_of_4_7_hold);
	tcase_add_test(t, filters_are_judged_as_4_7_1_says);
	tcase_add_test(t, shared_filters_come_apart);
	tcase_add_test(t, strings_are_judged_as_1_5_3_says);
	tcase_add_test(t, the_tree_finds_what_plain_comparison_finds);
	tcase_add_test(t, a_filter_too_deep_leaves_nothing_behind);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
