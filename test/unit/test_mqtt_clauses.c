/** @file Which case of test/vectors/mqtt shows which clause of the standards: every clause that concerns a server has one, and
 * CLAUSES.md there says so. GODWIT_UPDATE=1 writes that page anew. */
#include "common/core/text.h"
#include "test/unit/page.h"
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAUSES_MAX = 600, CASES_MAX = 2000, LINE_BYTES = 200000, CASES_LEAST = 260 };

static const char folder[] = "test/vectors/mqtt";
static const char *const levels[] = { "3.1.1", "5.0" };

struct clause {
	unsigned level;            /* 0: 3.1.1, 1: 5.0 */
	char number[16], kind[16]; /* "3.1.2-24"; server, client, elsewhere, unused */
	char rule[400];
	unsigned cases;
};

struct shown {
	unsigned level;
	char file[40], name[200], title[200];
};

static struct clause clauses[CLAUSES_MAX];
static struct shown shown[CASES_MAX];
static size_t clauses_n, shown_n;

static void clauses_read(void)
{
	char line[1000];
	unsigned level = 0;
	FILE *f = page_open("test/vectors/mqtt/clauses.txt", "r");
	while (fgets(line, sizeof line, f)) {
		struct clause *c = &clauses[clauses_n];
		if (line[0] == '=')
			level = strstr(line, "5.0") != NULL;
		if (line[0] == '#' || line[0] == '=' || line[0] == '\n')
			continue;
		ck_assert_uint_lt(clauses_n, CLAUSES_MAX);
		c->level = level;
		ck_assert_msg(sscanf(line, "%15s %15s %399[^\n]", c->number, c->kind, c->rule) == 3, "%s", line);
		clauses_n++;
	}
	fclose(f);
}

static void vectors_read(const char *leaf)
{
	char *line = malloc(LINE_BYTES);
	char path[512];
	snprintf(path, sizeof path, "%s/%s", folder, leaf);
	FILE *f = page_open(path, "r");
	while (fgets(line, LINE_BYTES, f)) {
		char *end = strchr(line, ']');
		if (line[0] != '[')
			continue;
		ck_assert_msg(end, "%s: %s", leaf, line);
		ck_assert_uint_lt(shown_n, CASES_MAX);
		struct shown *s = &shown[shown_n++];
		*end = 0;
		end[1 + strcspn(end + 1, "\n")] = 0;
		s->level = strstr(line, "5:") != NULL;
		snprintf(s->file, sizeof s->file, "%.30s", leaf);
		snprintf(s->name, sizeof s->name, "%.190s", line + 1);
		snprintf(s->title, sizeof s->title, "%.190s", end + 1 + strspn(end + 1, " "));
	}
	fclose(f);
	free(line);
}

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void folder_read(void)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[4096], *leaves[40];
	size_t n = 0;
	snprintf(path, sizeof path, "%s/%s", source ? source : ".", folder);
	DIR *d = opendir(path);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) && n < COUNT(leaves);)
		if (strstr(e->d_name, ".txt") && strcmp(e->d_name, "clauses.txt") != 0)
			leaves[n++] = strdup(e->d_name);
	closedir(d);
	qsort(leaves, n, sizeof leaves[0], name_compare);
	for (size_t i = 0; i < n; i++) {
		vectors_read(leaves[i]);
		free(leaves[i]);
	}
}

/* The next clause that a case's name has, or NULL: "MQTT-3.1.2-1" and "5:3.1.2-1"; sections have no dash and are no clauses. */
static const char *clause_next(const char **name, char *ret, size_t cap)
{
	while (**name) {
		size_t n = strcspn(*name, " ");
		const char *word = *name, *number = strncmp(word, "MQTT-", 5) == 0 ? word + 5 : strncmp(word, "5:", 2) == 0 ? word + 2 : NULL;
		*name += n + (word[n] == ' ');
		if (!number || !memchr(number, '-', n - (size_t)(number - word)) || !isdigit((unsigned char)number[0]))
			continue;
		snprintf(ret, cap, "%.*s", (int)(n - (size_t)(number - word)), number);
		return ret;
	}
	return NULL;
}

static bool shows(const struct shown *s, const struct clause *c)
{
	char number[16];
	const char *at = s->name;
	while (s->level == c->level && clause_next(&at, number, sizeof number))
		if (strcmp(number, c->number) == 0)
			return true;
	return false;
}

/* What of a case's name is not clauses; if nothing is, its sentence. */
static const char *words_of(const struct shown *s)
{
	const char *at = s->name;
	while (strncmp(at, "MQTT-", 5) == 0 || strncmp(at, "5:", 2) == 0)
		at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' ');
	return *at ? at : s->title;
}

static void begin(void)
{
	clauses_n = shown_n = 0;
	memset(clauses, 0, sizeof clauses);
	clauses_read();
	folder_read();
	for (size_t i = 0; i < clauses_n; i++)
		for (size_t k = 0; k < shown_n; k++)
			clauses[i].cases += shows(&shown[k], &clauses[i]);
}

START_TEST(every_clause_that_concerns_a_server_has_a_case)
{
	AUTO(text_done) struct text missing = text_growing(1 << 16);
	for (size_t i = 0; i < clauses_n; i++)
		if (strcmp(clauses[i].kind, "server") == 0 && clauses[i].cases == 0)
			text_printf(&missing, " %s:%s", levels[clauses[i].level], clauses[i].number);
	ck_assert_msg(missing.len == 0, "no case shows%.*s", (int)(missing.len < 3000 ? missing.len : 3000), missing.p);
	ck_assert_uint_gt(clauses_n, 370);
}
END_TEST

START_TEST(every_case_names_clauses_that_exist)
{
	char number[16];
	for (size_t k = 0; k < shown_n; k++) {
		const char *at = shown[k].name;
		while (clause_next(&at, number, sizeof number)) {
			bool is_there = false;
			for (size_t i = 0; i < clauses_n; i++)
				is_there |= clauses[i].level == shown[k].level && strcmp(clauses[i].number, number) == 0;
			ck_assert_msg(is_there, "%s: %s: there is no %s", shown[k].file, shown[k].name, number);
		}
	}
}
END_TEST

START_TEST(there_are_enough_cases_of_each_level)
{
	size_t n[2] = { 0, 0 };
	for (size_t k = 0; k < shown_n; k++)
		n[shown[k].level]++;
	ck_assert_msg(n[0] >= CASES_LEAST && n[1] >= CASES_LEAST, "%zu of 3.1.1, %zu of 5.0", n[0], n[1]);
}
END_TEST

static void row_write(struct text *t, const struct clause *c)
{
	text_printf(t, "| %s | %s | ", c->number, c->rule);
	bool is_first = true;
	for (size_t k = 0; k < shown_n; k++) {
		if (!shows(&shown[k], c))
			continue;
		text_printf(t, "%s%.*s: %s", is_first ? "" : "; ", (int)strcspn(shown[k].file, "."), shown[k].file, words_of(&shown[k]));
		is_first = false;
	}
	if (is_first)
		text_printf(t, "%s", strcmp(c->kind, "client") == 0 ? "*about clients*" : strcmp(c->kind, "unused") == 0 ? "*of a server that does so; ours does not*" :
			"*not the engine's: see the rule*");
	text_puts(t, " |\n");
}

START_TEST(the_page_says_it)
{
	AUTO(text_done) struct text want = text_growing(PAGE_MAX);
	text_puts(&want, "# Which case shows which clause\n\nWritten by `GODWIT_UPDATE=1 build/test/unit/test_mqtt_clauses` from `clauses.txt` (the "
		"normative statements of the two standards, in our words) and the\nnames of the cases beside it; do not edit. A clause that "
		"concerns a server and has no case fails that test.\n");
	for (unsigned level = 0; level < 2; level++) {
		text_printf(&want, "\n## MQTT %s\n\n| clause | rule | shown by |\n| --- | --- | --- |\n", levels[level]);
		for (size_t i = 0; i < clauses_n; i++)
			if (clauses[i].level == level)
				row_write(&want, &clauses[i]);
	}
	page_is("test/vectors/mqtt/CLAUSES.md", &want, "test_mqtt_clauses");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_clauses");
	TCase *t = tcase_create("clauses");
	tcase_add_checked_fixture(t, begin, NULL);
	tcase_add_test(t, every_clause_that_concerns_a_server_has_a_case);
	tcase_add_test(t, every_case_names_clauses_that_exist);
	tcase_add_test(t, there_are_enough_cases_of_each_level);
	tcase_add_test(t, the_page_says_it);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
