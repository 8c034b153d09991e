/** @file Stories of a network, read from files and made by chance; see test/scenario/README.md. */
#include "test/scenario/story.h"
#include <check.h>
#include <dirent.h>
#include <limits.h>

enum { FILES_MAX = 256, RANDOM_SEEDS = 40 };

static void play(const char *path)
{
	char line[LINE_MAX_CHARS];
	FILE *f = fopen(path, "r");
	struct story s = { .w = w_new(1) };
	unsigned n = 0;
	ck_assert_msg(f != NULL, "%s cannot be read", path);
	while (!s.why[0] && fgets(line, sizeof(line), f)) {
		n++;
		split(&s, line);
		statement(&s);
		if (!s.why[0] && s.w->broken[0])
			snprintf(s.why, sizeof(s.why), "a rule is broken: %s", s.w->broken);
		if (!s.why[0] && s.at < s.n)
			snprintf(s.why, sizeof(s.why), "\"%.*s\" says nothing here", STR_ARG(s.word[s.at]));
	}
	fclose(f);
	w_free(s.w);
	ck_assert_msg(!s.why[0], "%s:%u: %s", path, n, s.why);
}

static char files[FILES_MAX][LINE_MAX_CHARS + NAME_MAX + 2];
static int n_files;

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void files_find(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	while (d && (e = readdir(d)) && n_files < FILES_MAX) {
		size_t n = strlen(e->d_name);
		if (n > 4 && strcmp(e->d_name + n - 4, ".scn") == 0)
			snprintf(files[n_files++], sizeof(files[0]), "%s/%s", dir, e->d_name);
	}
	if (d)
		closedir(d);
	qsort(files, (size_t)n_files, sizeof(files[0]), by_name);
}

START_TEST(the_story_of_a_file)
{
	play(files[_i]);
}
END_TEST

START_TEST(a_story_of_chance)
{
	char why[W_TEXT];
	uint64_t seed = (uint64_t)_i + 1;
	chance_story(seed, why);
	ck_assert_msg(!why[0], "seed %" PRIu64 ": %s", seed, why);
}
END_TEST

/* Without arguments all that is there; else the files that are named. */
int main(int argc, char **argv)
{
	const char *source = getenv("GODWIT_SOURCE");
	char dir[LINE_MAX_CHARS];
	snprintf(dir, sizeof(dir), "%s/test/scenario", source ? source : ".");
	for (int i = 1; i < argc && n_files < FILES_MAX; i++)
		snprintf(files[n_files++], sizeof(files[0]), "%s", argv[i]);
	if (argc <= 1) {
		files_find(dir);
		snprintf(dir, sizeof(dir), "%s/test/scenario/rules", source ? source : ".");
		files_find(dir);
	}
	Suite *s = suite_create("scenarios");
	TCase *t = tcase_create("scenarios");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, the_story_of_a_file, 0, n_files);
	tcase_add_loop_test(t, a_story_of_chance, 0, argc > 1 ? 0 : RANDOM_SEEDS);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r) + (n_files == 0);
	if (n_files == 0)
		fprintf(stderr, "no stories in %s\n", dir);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
