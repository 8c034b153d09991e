/** @file The MQTT engine when memory runs out: the stories of the fuzz corpus, with each allocation failing in turn. The linker leads
 * all allocations of the engine through here (see the Makefile); those of the test itself go straight to the C library. */
#include <check.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t a, size_t b);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t a, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t a, size_t b);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t a, size_t n);

static bool is_armed;
static long allocations, fails_at = -1;

static bool fails(void)
{
	return is_armed && allocations++ == fails_at;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t a, size_t b)
{
	return fails() ? NULL : __real_calloc(a, b);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t a, size_t n)
{
	return fails() ? NULL : __real_reallocarray(p, a, n);
}

struct mqtt_engine;
struct mqtt_engine_options;
struct mqtt_engine *engine_new_unharmed(const struct mqtt_engine_options *o);
#define OPEN_ENGINE_NEW engine_new_unharmed
#define OPEN_LOADS false
#define OPEN_OUT_MAX ((size_t)1 << 13)
#define malloc __real_malloc
#define calloc __real_calloc
#include "test/fuzz/fuzz_mqtt_engine.c"

struct mqtt_engine *engine_new_unharmed(const struct mqtt_engine_options *o)
{
	is_armed = false;
	struct mqtt_engine *e = mqtt_engine_new(o);
	is_armed = true;
	return e;
}

static void story_tell(const char *path)
{
	static uint8_t story[1 << 16];
	FILE *f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	size_t n = fread(story, 1, sizeof story, f);
	fclose(f);
	allocations = 0;
	fails_at = -1;
	(void)LLVMFuzzerTestOneInput(story, n);
	long all = allocations;
	for (fails_at = 0; fails_at < all; fails_at++) {
		allocations = 0;
		(void)LLVMFuzzerTestOneInput(story, n);
	}
	is_armed = false;
}

START_TEST(no_allocation_is_missed_by_surprise)
{
	const char *source = getenv("GODWIT_SOURCE");
	char path[1000];
	size_t stories = 0;
	snprintf(path, sizeof path, "%s/test/fuzz/corpus/mqtt_engine", source ? source : ".");
	DIR *d = opendir(path);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof path, "%s/test/fuzz/corpus/mqtt_engine/%s", source ? source : ".", e->d_name);
		if (e->d_name[0] == '.')
			continue;
		story_tell(path);
		stories++;
	}
	closedir(d);
	ck_assert_uint_gt(stories, 100);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mqtt_memory");
	TCase *t = tcase_create("out of memory");
	tcase_set_timeout(t, 120);
	tcase_add_test(t, no_allocation_is_missed_by_surprise);
	suite_add_tcase(s, t);
	SRunner *sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	int failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
