/** @file No memory at the n-th allocation, for every n: each of these either works or says -ENOMEM, and leaks nothing.
 *
 * The sanitizers bring a malloc of their own, so with them the same runs happen without failures. HTTP is not
 * here, because libevent's bufferevents do not survive it (setting a watermark, for one).
 */
#include "common/settings.h"
#include "common/store.h"
#include "test/scratch.h"
#include <check.h>

static long left = -1; /**< allocations that succeed before one fails; negative: all do */
static bool has_failed;

#ifdef __SANITIZE_ADDRESS__
enum { INJECTS = 0 };
#else
enum { INJECTS = 1 };
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static bool is_refused(void)
{
	if (left < 0 || left-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *malloc(size_t n)
{
	return is_refused() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	return is_refused() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	return is_refused() ? NULL : __libc_realloc(p, n);
}
#endif

/** As ck_assert, which allocates itself. */
#define REQUIRE(what)                        \
	do {                                 \
		bool holds_ = (what);        \
		long left_ = left;           \
		left = -1;                   \
		ck_assert_msg(holds_, #what); \
		left = left_;                \
	} while (0)

/** Call fn with the first, then the second, … allocation failing, until it gets through untouched. */
static void torture(void (*fn)(bool must_work))
{
	for (long n = 0;; n++) {
		ck_assert_int_lt(n, 2000);
		has_failed = false;
		left = INJECTS ? n : -1;
		fn(false);
		left = -1;
		if (!has_failed)
			break;
	}
	fn(true);
}

struct sample {
	char *state_dir, *path;
};
static const struct setting rows[] = {
	{ .name = "state-dir", .dflt = "/x", .doc = "", .off = offsetof(struct sample, state_dir), .kind = SETTING_TEXT },
	{ .name = "gs.path", .dflt = "${state-dir}/p", .doc = "", .off = offsetof(struct sample, path), .kind = SETTING_TEXT },
};
static const char *const sections[] = { "", "gs", NULL };
static const struct settings_table table = { rows, COUNT(rows), sections };

static void load(bool must_work)
{
	struct sample v;
	char buf[128];
	struct text error = text_fixed(buf, sizeof buf);
	static const char *const env[] = { "GODWIT_STATE_DIR=/y", NULL };
	struct settings_source src = { .file = "f", .text = STR("state-dir=/z\n"), .env = env };
	int rc = settings_load(&table, &src, &v, &error);
	REQUIRE(rc == 0 || (rc == -ENOMEM && !must_work));
	if (!rc)
		REQUIRE(!strcmp(v.path, "/y/p"));
	settings_done(&table, &v);
}

START_TEST(settings_load_or_say_so)
{
	torture(load);
}
END_TEST

static struct loop *loop;
static struct scratch dir;

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void make_loop(bool must_work)
{
	struct loop *l = loop_new();
	struct loop_timer *t = l ? loop_timer_new(l, stop, NULL) : NULL;
	int rc = l ? loop_defer(l, stop, NULL) : -ENOMEM;
	REQUIRE((l && t && rc == 0) || !must_work);
	loop_timer_free(t);
	loop_free(l);
}

START_TEST(a_loop_is_made_or_not)
{
	torture(make_loop);
}
END_TEST

static void use_store(bool must_work)
{
	struct store *s = NULL;
	char buf[256];
	struct text error = text_fixed(buf, sizeof buf);
	struct store_options o = { .dir = scratch_file(&dir, "db") };
	const struct slice k = { (const uint8_t *)"k", 1 }, v = { (const uint8_t *)"v", 1 };
	struct slice got;
	if (store_open(loop, &o, &s, &error)) {
		REQUIRE(!must_work);
		return;
	}
	int put = store_put(s, k, v);
	REQUIRE(put == 0 || (put == -ENOMEM && !must_work));
	int get = store_get(s, k, &got);
	REQUIRE(!must_work || get == 0);
	REQUIRE(put != 0 || get == 0);
	if (store_after(s, stop, NULL) == 0)
		left = -1, loop_run(loop);
	left = -1;
	REQUIRE(store_del(s, k) == 0);
	store_close(s);
}

START_TEST(a_store_opens_and_writes_or_says_so)
{
	loop = loop_new();
	dir = scratch_new();
	torture(use_store);
	scratch_free(&dir);
	loop_free(loop);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("memory");
	TCase *c = tcase_create("torture");
	tcase_set_timeout(c, 60);
	tcase_add_test(c, settings_load_or_say_so);
	tcase_add_test(c, a_loop_is_made_or_not);
	tcase_add_test(c, a_store_opens_and_writes_or_says_so);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
