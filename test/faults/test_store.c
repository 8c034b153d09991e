/** @file The store against a model, against full and slow disks, and against kill -9. */
#include "common/store.h"
#include "common/store_copy.h"
#include "test/scratch.h"
#include <check.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define Z(literal) ((char[]){ literal })

static struct loop *loop;
static struct store *store;
static struct scratch dir;
static char error_text[256];

static struct slice z(const char *s)
{
	return (struct slice){ (const uint8_t *)s, strlen(s) };
}

static int open_as(struct store_options o)
{
	struct text error = text_fixed(error_text, sizeof error_text);
	if (!o.dir)
		o.dir = scratch_file(&dir, "db");
	return store_open(loop, &o, &store, &error);
}

static void setup(void)
{
	dir = scratch_new();
	loop = loop_new();
	ck_assert_int_eq(open_as((struct store_options){ 0 }), 0);
}

static void reopen(struct store_options o)
{
	store_close(store);
	store = NULL;
	ck_assert_msg(open_as(o) == 0, "%s", error_text);
}

static void teardown(void)
{
	store_close(store);
	loop_free(loop);
	scratch_free(&dir);
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

/** Run the loop until all writes so far are on disk. */
static void settle(void)
{
	ck_assert_int_eq(store_after(store, stop, NULL), 0);
	ck_assert_int_eq(loop_run(loop), 0);
}

static void run_for(uint64_t us)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);
	loop_refresh(loop);
	loop_timer_in(t, us);
	loop_run(loop);
	loop_timer_free(t);
}

static void put(const char *key, const char *value)
{
	ck_assert_int_eq(store_put(store, z(key), z(value)), 0);
}

static const char *get(const char *key)
{
	static char buf[64];
	struct slice v;
	int rc = store_get(store, z(key), &v);
	ck_assert(rc == 0 || rc == STORE_E_NONE);
	if (rc)
		return NULL;
	snprintf(buf, sizeof buf, "%.*s", (int)v.n, (const char *)v.p);
	return buf;
}

static char listing[256];

static int list(void *ctx, struct slice key, struct slice value)
{
	size_t n = strlen(listing);
	snprintf(listing + n, sizeof listing - n, "%.*s=%.*s ", (int)key.n, (const char *)key.p, (int)value.n, (const char *)value.p);
	return ctx ? --*(int *)ctx == 0 ? 77 : 0 : 0;
}

static const char *scan(const char *prefix, const char *from)
{
	listing[0] = '\0';
	ck_assert_int_eq(store_scan(store, z(prefix), z(from), list, NULL), 0);
	return listing;
}

START_TEST(a_write_is_seen_at_once_and_after_reopening)
{
	put("k", "v1");
	ck_assert_str_eq(get("k"), "v1");
	put("k", "v2");
	put("empty", "");
	ck_assert_str_eq(get("k"), "v2");
	settle();
	ck_assert_str_eq(get("k"), "v2");
	store_del(store, z("k"));
	ck_assert_ptr_null(get("k"));
	put("j", "v3");
	reopen((struct store_options){ 0 });
	ck_assert_ptr_null(get("k"));
	ck_assert_str_eq(get("j"), "v3");
	ck_assert_str_eq(get("empty"), "");
	ck_assert_str_eq(scan("", ""), "empty= j=v3 ");
}
END_TEST

START_TEST(a_scan_merges_what_is_on_disk_with_what_is_not)
{
	put("a1", "d");
	put("a3", "d");
	put("a5", "d");
	put("b1", "d");
	settle();
	put("a2", "m");
	put("a3", "m");
	store_del(store, z("a5"));
	put("a9", "m");
	put("b0", "m");
	ck_assert_str_eq(scan("a", ""), "a1=d a2=m a3=m a9=m ");
	ck_assert_str_eq(scan("a", "a2"), "a2=m a3=m a9=m ");
	ck_assert_str_eq(scan("a", "a4"), "a9=m ");
	ck_assert_str_eq(scan("a", "b"), "");
	ck_assert_str_eq(scan("", "a9"), "a9=m b0=m b1=d ");
	ck_assert_str_eq(scan("c", ""), "");
	int three = 3;
	listing[0] = '\0';
	ck_assert_int_eq(store_scan(store, z(""), z(""), list, &three), 77);
	ck_assert_str_eq(listing, "a1=d a2=m a3=m ");
}
END_TEST

START_TEST(keys_have_bounds_and_one_is_reserved)
{
	static const uint8_t zero[2] = { 0, 0 }, big[600] = { 1 };
	struct slice v;
	ck_assert_int_eq(store_put(store, (struct slice){ zero, 1 }, z("x")), -EINVAL);
	ck_assert_int_eq(store_put(store, (struct slice){ zero, 0 }, z("x")), -EINVAL);
	ck_assert_int_eq(store_put(store, (struct slice){ big, 512 }, z("x")), -EINVAL);
	ck_assert_int_eq(store_put(store, (struct slice){ big, 511 }, z("x")), 0);
	ck_assert_int_eq(store_put(store, (struct slice){ zero, 2 }, z("y")), 0);
	settle();
	ck_assert_int_eq(store_get(store, (struct slice){ big, 511 }, &v), 0);
	ck_assert_int_eq(store_get(store, (struct slice){ big, 512 }, &v), STORE_E_NONE);
	ck_assert_int_eq(store_get(store, (struct slice){ zero, 2 }, &v), 0);
	store_del(store, (struct slice){ zero, 2 });
	store_del(store, (struct slice){ big, 511 });
	settle();
	ck_assert_str_eq(scan("", ""), "");
}
END_TEST

START_TEST(a_value_read_may_be_written_back)
{
	struct slice v;
	put("k", "abcdef");
	ck_assert_int_eq(store_get(store, z("k"), &v), 0);
	ck_assert_int_eq(store_put(store, z("k"), (struct slice){ v.p + 2, v.n - 2 }), 0);
	ck_assert_str_eq(get("k"), "cdef");
	settle();
	ck_assert_int_eq(store_get(store, z("k"), &v), 0);
	ck_assert_int_eq(store_put(store, z("k2"), v), 0);
	ck_assert_str_eq(get("k2"), "cdef");
}
END_TEST

static char order[64];

static void note(void *ctx)
{
	strncat(order, ctx, sizeof order - strlen(order) - 1);
}

static void note_and_ask(void *ctx)
{
	static char later[] = "!";
	note(ctx);
	ck_assert_int_eq(store_after(store, note, later), 0);
}

START_TEST(what_waits_runs_in_the_order_asked_and_at_once_if_nothing_is_pending)
{
	ck_assert_int_eq(store_after(store, note, Z("0")), 0);
	ck_assert_str_eq(order, "0");
	put("a", "1");
	store_after(store, note_and_ask, Z("1"));
	store_after(store, note, Z("2"));
	put("b", "1");
	store_after(store, note, Z("3"));
	ck_assert_str_eq(order, "0");
	settle();
	ck_assert_str_eq(order, "0123!");
}
END_TEST

START_TEST(closing_commits_and_runs_what_waits_and_what_that_writes)
{
	put("a", "1");
	store_after(store, note, Z("1"));
	reopen((struct store_options){ 0 });
	ck_assert_str_eq(order, "1");
	ck_assert_str_eq(get("a"), "1");
}
END_TEST

START_TEST(the_loop_never_waits_for_a_slow_disk)
{
	struct store_stats st;
	reopen((struct store_options){ .commit_delay_us = 500 * MS_US });
	loop_refresh(loop);
	uint64_t begin = loop_now(loop)->mono_us;
	for (int i = 0; i < 20; i++) {
		put("k", "v");
		ck_assert_str_eq(get("k"), "v");
		run_for(1000);
	}
	loop_refresh(loop);
	ck_assert_uint_lt(loop_now(loop)->mono_us - begin, 490 * MS_US);
	store_stats(store, &st);
	ck_assert_uint_eq(st.commits, 0);
	settle();
	store_stats(store, &st);
	ck_assert_uint_le(st.commits, 2); /* what came while the first was on its way went together */
	ck_assert_uint_eq(st.pending_ops, 0);
	ck_assert_uint_ge(st.last_commit_us, 500 * MS_US);
	uint64_t timed = 0;
	for (size_t i = 0; i <= HISTOGRAM_BOUNDS; i++)
		timed += st.commit.n[i];
	ck_assert_uint_eq(timed, st.commits);
	ck_assert_uint_ge(st.commit.sum_us, st.commits * 500 * MS_US);
}
END_TEST

START_TEST(a_second_opener_is_told)
{
	struct store *other = NULL;
	char buf[256];
	struct text error = text_fixed(buf, sizeof buf);
	struct store_options o = { .dir = scratch_file(&dir, "db") };
	ck_assert_int_eq(store_open(loop, &o, &other, &error), -EBUSY);
	ck_assert_ptr_nonnull(strstr(buf, "another process"));
}
END_TEST

START_TEST(another_schema_is_refused)
{
	reopen((struct store_options){ 0 });
	store_close(store);
	ck_assert_int_eq(open_as((struct store_options){ .schema = 2 }), -EPROTO);
	ck_assert_ptr_nonnull(strstr(error_text, "older release (schema 0, this program has 2)"));
	struct store_options o = { .dir = scratch_file(&dir, "new"), .schema = 3 };
	ck_assert_int_eq(open_as(o), 0);
	store_close(store);
	o.schema = 2;
	o.dir = scratch_file(&dir, "new");
	ck_assert_int_eq(open_as(o), -EPROTO);
	ck_assert_ptr_nonnull(strstr(error_text, "newer release (schema 3, this program has 2)"));
	store = NULL;
}
END_TEST

START_TEST(a_file_that_is_no_store_of_this_machine_is_refused)
{
	store_close(store);
	store = NULL;
	char zeros[16384] = "no store";
	FILE *f = fopen(scratch_file(&dir, "db/data.mdb"), "w");
	ck_assert_uint_eq(fwrite(zeros, 1, sizeof zeros, f), sizeof zeros);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(open_as((struct store_options){ 0 }), -EMEDIUMTYPE);
	ck_assert_ptr_nonnull(strstr(error_text, "damaged, or was written on another kind of processor"));
	store = NULL;
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_said_in_one_line)
{
	store_close(store);
	ck_assert_int_eq(open_as((struct store_options){ .dir = "/proc/nowhere" }), -ENOENT);
	ck_assert_ptr_nonnull(strstr(error_text, "/proc/nowhere"));
	ck_assert_ptr_null(strchr(error_text, '\n'));
	scratch_write(&dir, "file", "");
	ck_assert_int_eq(open_as((struct store_options){ .dir = scratch_file(&dir, "file") }), -ENOTDIR);
	store = NULL;
}
END_TEST

static bool acked;

static void on_ack(void *ctx)
{
	(void)ctx;
	acked = true;
}

/** Write until nothing more fits; what was acknowledged is counted. */
static int fill_until_failing(void)
{
	static char big[4000];
	int n = 0;
	memset(big, 'x', sizeof big);
	for (; n < 2000 && !store_failing(store); n++) {
		char key[16];
		snprintf(key, sizeof key, "f%04d", n);
		acked = false;
		ck_assert_int_eq(store_put(store, z(key), (struct slice){ (const uint8_t *)big, sizeof big }), 0);
		store_after(store, on_ack, NULL);
		while (!acked && !store_failing(store))
			run_for(1000);
	}
	ck_assert(store_failing(store));
	return n;
}

START_TEST(a_full_map_still_takes_what_makes_room_and_recovers)
{
	reopen((struct store_options){ .map_size = 512 << 10 });
	int n = fill_until_failing();
	ck_assert(acked);
	for (int i = 0; i < n / 2; i++) {
		char key[16];
		snprintf(key, sizeof key, "f%04d", i);
		ck_assert_int_eq(store_del(store, z(key)), 0);
		settle();
	}
	ck_assert(!store_failing(store));
	ck_assert_int_gt(fill_until_failing(), n / 4);
}
END_TEST

START_TEST(a_map_that_is_full_to_the_brim_keeps_the_group_and_serves_reads)
{
	static char huge[2 << 20];
	reopen((struct store_options){ .map_size = 512 << 10 });
	int n = fill_until_failing();
	ck_assert_int_eq(store_put(store, z("huge"), (struct slice){ (const uint8_t *)huge, sizeof huge }), 0);
	acked = false;
	store_after(store, on_ack, NULL);
	run_for(50000);
	ck_assert(!acked);
	struct slice v;
	ck_assert_int_eq(store_get(store, z("f0000"), &v), 0);
	char last[16];
	snprintf(last, sizeof last, "f%04d", n - 1);
	ck_assert_int_eq(store_get(store, z(last), &v), 0);
	/* A larger map takes more; what was not acknowledged is gone. */
	reopen((struct store_options){ .map_size = 4 << 20 });
	ck_assert_int_eq(store_get(store, z(last), &v), 0);
	ck_assert_int_eq(store_get(store, z("huge"), &v), STORE_E_NONE);
	put("huge", "again");
	settle();
	ck_assert(!store_failing(store));
}
END_TEST

START_TEST(a_group_that_has_no_room_gets_it_from_what_is_deleted_after_it)
{
	static char huge[1700 << 10];
	reopen((struct store_options){ .map_size = 2 << 20 });
	put("keep", "old");
	put("gone", "1");
	ck_assert_int_eq(store_put(store, z("big"), (struct slice){ (const uint8_t *)huge, sizeof huge }), 0);
	settle();
	ck_assert(!store_failing(store));
	ck_assert_int_eq(store_put(store, z("more"), (struct slice){ (const uint8_t *)huge, sizeof huge }), 0);
	put("keep", "new");
	acked = false;
	store_after(store, on_ack, NULL);
	run_for(300000);
	ck_assert(store_failing(store) && !acked);
	/* In wakes of their own, behind what fails. */
	ck_assert_int_eq(store_del(store, z("gone")), 0);
	run_for(1000);
	put("keep", "newest");
	run_for(1000);
	ck_assert_int_eq(store_del(store, z("more")), 0);
	settle();
	ck_assert(acked);
	ck_assert(!store_failing(store));
	reopen((struct store_options){ .map_size = 2 << 20 });
	struct slice v;
	ck_assert_str_eq(get("keep"), "newest");
	ck_assert_int_eq(store_get(store, z("more"), &v), STORE_E_NONE);
	ck_assert_int_eq(store_get(store, z("gone"), &v), STORE_E_NONE);
	ck_assert_int_eq(store_get(store, z("big"), &v), 0);
	ck_assert_uint_eq(v.n, sizeof huge);
}
END_TEST

START_TEST(a_disk_that_has_room_again_takes_what_waited)
{
	struct rlimit before, limit;
	struct store_stats st;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	limit = before;
	limit.rlim_cur = 256 << 10;
	setrlimit(RLIMIT_FSIZE, &limit);
	int n = fill_until_failing();
	put("later", "1");
	store_after(store, note, Z("l"));
	ck_assert(!acked);
	setrlimit(RLIMIT_FSIZE, &before);
	settle();
	ck_assert(acked);
	ck_assert_str_eq(order, "l");
	ck_assert(!store_failing(store));
	store_stats(store, &st);
	ck_assert_uint_ge(st.failures, 1);
	reopen((struct store_options){ 0 });
	char last[16];
	struct slice v;
	snprintf(last, sizeof last, "f%04d", n - 1);
	ck_assert_int_eq(store_get(store, z(last), &v), 0);
	ck_assert_str_eq(get("later"), "1");
}
END_TEST

/** LMDB forbids a process to open twice what it has open (from 0.9.26 on, the one that is closed takes the other's locks with it):
 * as in the program, another process copies.
 * @return what store_copy returned: 0 or the errno; all that was copied, in c */
static int copy_elsewhere(struct store_copy *c)
{
	int fd[2], status;
	ck_assert_int_eq(pipe(fd), 0);
	pid_t child = fork();
	if (child == 0) {
		struct text err = text_fixed((char[256]){ 0 }, 256);
		int rc = -store_copy(c, 1, &err);
		_exit(write(fd[1], c, sizeof *c) == sizeof *c ? rc : 255);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(read(fd[0], c, sizeof *c), sizeof *c);
	close(fd[0]);
	close(fd[1]);
	return WEXITSTATUS(status);
}

START_TEST(a_copy_is_a_store_as_it_stood_at_one_moment)
{
	char line[256];
	struct text err = text_fixed(line, sizeof line);
	put("a", "1");
	settle();
	put("b", "not yet");
	const char *own = scratch_file(&dir, "db"), *to = scratch_file(&dir, "copy"), *third = scratch_file(&dir, "third");
	struct store_copy copy = { .from = own, .to = to, .is_live = true }, again = { .from = to, .to = third };
	struct store_copy none = { .from = scratch_file(&dir, "none"), .to = scratch_file(&dir, "other") };
	ck_assert(store_is_there(own) && !store_is_there(none.from));
	ck_assert_int_eq(copy_elsewhere(&copy), 0);
	ck_assert_uint_eq(copy.ret_records, 2); /* and the schema */
	ck_assert_int_eq(copy_elsewhere(&copy), EEXIST);
	ck_assert_int_eq(store_copy(&none, 1, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(line, "none"));
	ck_assert(!store_is_there(none.to));
	/* A copy that nobody runs on is only read: it may lie where nothing can be written. */
	ck_assert_int_eq(store_copy(&again, 1, &err), 0);
	ck_assert_int_ne(access(scratch_file(&dir, "copy/lock.mdb"), F_OK), 0);
	/* Whoever writes goes on. */
	put("c", "3");
	settle();
	store_close(store);
	ck_assert_int_eq(open_as((struct store_options){ .dir = third }), 0);
	ck_assert_str_eq(get("a"), "1");
	ck_assert_ptr_null(get("b"));
	ck_assert_ptr_null(get("c"));
}
END_TEST

enum { MODEL_KEYS = 200 };
static uint64_t model[MODEL_KEYS]; /**< value + 1; 0: absent */

static void model_key(unsigned i, uint8_t key[3])
{
	/* Two-octet and three-octet keys, of which some begin with others. */
	key[0] = (uint8_t)(1 + i % 3);
	key[1] = (uint8_t)(i / 6);
	key[2] = (uint8_t)(i % 2 ? i : 0);
}

static struct slice model_slice(unsigned i, uint8_t key[3])
{
	model_key(i, key);
	return (struct slice){ key, i % 2 ? 3 : 2 };
}

static int count_matching(void *ctx, struct slice key, struct slice value)
{
	unsigned *n = ctx;
	uint64_t v;
	ck_assert_uint_eq(value.n, sizeof v);
	memcpy(&v, value.p, sizeof v);
	for (unsigned i = 0; i < MODEL_KEYS; i++) {
		uint8_t k[3];
		struct slice mine = model_slice(i, k);
		if (mine.n == key.n && !memcmp(mine.p, key.p, key.n) && model[i] == v + 1)
			++*n;
	}
	return 0;
}

static void check_scan(uint8_t first)
{
	unsigned seen = 0, expected = 0;
	for (unsigned i = 0; i < MODEL_KEYS; i++)
		expected += model[i] && 1 + i % 3 == first;
	ck_assert_int_eq(store_scan(store, (struct slice){ &first, 1 }, z(""), count_matching, &seen), 0);
	ck_assert_uint_eq(seen, expected);
}

static void check_get(unsigned i)
{
	uint8_t key[3];
	struct slice v;
	int rc = store_get(store, model_slice(i, key), &v);
	ck_assert_int_eq(rc, model[i] ? 0 : STORE_E_NONE);
	uint64_t want = model[i] - 1;
	if (!rc)
		ck_assert_mem_eq(v.p, &want, sizeof want);
}

START_TEST(random_writes_reads_and_commits_agree_with_a_model)
{
	struct rng_seeded seeded;
	struct rng rng = rng_seeded(&seeded, 20261123 + (uint64_t)_i);
	for (unsigned round = 0; round < 6000; round++) {
		unsigned i = (unsigned)rng_below(&rng, MODEL_KEYS);
		uint64_t value = rng_u64(&rng) >> 1, what = rng_below(&rng, 100);
		uint8_t key[3];
		struct slice k = model_slice(i, key);
		if (what < 45) {
			ck_assert_int_eq(store_put(store, k, (struct slice){ (const uint8_t *)&value, sizeof value }), 0);
			model[i] = value + 1;
		} else if (what < 65) {
			ck_assert_int_eq(store_del(store, k), 0);
			model[i] = 0;
		} else if (what < 85) {
			check_get(i);
		} else if (what < 90) {
			check_scan((uint8_t)(1 + i % 3));
		} else if (what < 98) {
			run_for(rng_below(&rng, 300)); /* commits are anywhere on their way */
		} else if (what == 98) {
			settle();
		} else if (rng_below(&rng, 10) == 0) {
			reopen((struct store_options){ 0 });
		}
	}
}
END_TEST

START_TEST(a_hundred_thousand_writes_pass_in_a_moment)
{
	loop_refresh(loop);
	uint64_t begin = loop_now(loop)->mono_us;
	uint64_t value[8] = { 0 };
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t key[2] = { 1, i * 2654435761u };
		ck_assert_int_eq(store_put(store, (struct slice){ (const uint8_t *)key, sizeof key }, (struct slice){ (const uint8_t *)value, sizeof value }), 0);
		if (i % 1000 == 0)
			run_for(0);
	}
	settle();
	loop_refresh(loop);
	ck_assert_uint_lt(loop_now(loop)->mono_us - begin, 8 * SEC_US);
}
END_TEST

static int ack_fd;
static uint32_t acked_n;

static void tell(void *ctx)
{
	(void)ctx;
	acked_n++;
	if (write(ack_fd, &acked_n, sizeof acked_n) != sizeof acked_n)
		_exit(3);
}

/** In the child: group n writes n under two keys; the parent hears of each that is on disk. */
static void write_until_killed(void)
{
	loop = loop_new();
	if (open_as((struct store_options){ 0 }))
		_exit(2);
	for (uint32_t n = 1;; n++) {
		char key[16];
		snprintf(key, sizeof key, "g%08u", n);
		struct slice v = { (const uint8_t *)&n, sizeof n };
		if (store_put(store, z(key), v) || store_put(store, z("last"), v) || store_after(store, tell, NULL))
			_exit(4);
		run_for(n % 7 * 50);
	}
}

static int count_groups(void *ctx, struct slice key, struct slice value)
{
	uint32_t n, *seen = ctx;
	(void)key;
	memcpy(&n, value.p, sizeof n);
	ck_assert_uint_eq(n, ++*seen); /* no gap: a later group is never there without an earlier one */
	return 0;
}

START_TEST(after_kill_nine_a_prefix_of_the_groups_is_there_with_all_that_were_acknowledged)
{
	int fd[2];
	store_close(store);
	ck_assert_int_eq(pipe(fd), 0);
	pid_t child = fork();
	if (child == 0) {
		ack_fd = fd[1];
		write_until_killed();
	}
	close(fd[1]);
	usleep(30000 + (unsigned)_i * 17000);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	uint32_t told = 0, n, seen = 0, last = 0;
	while (read(fd[0], &n, sizeof n) == sizeof n)
		told = n;
	close(fd[0]);
	ck_assert_int_eq(open_as((struct store_options){ 0 }), 0);
	ck_assert_int_eq(store_scan(store, z("g"), z(""), count_groups, &seen), 0);
	ck_assert_uint_ge(seen, told);
	struct slice v;
	if (store_get(store, z("last"), &v) == 0)
		memcpy(&last, v.p, sizeof last);
	ck_assert_uint_eq(last, seen);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("store");
	TCase *c = tcase_create("store");
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, a_write_is_seen_at_once_and_after_reopening);
	tcase_add_test(c, a_scan_merges_what_is_on_disk_with_what_is_not);
	tcase_add_test(c, keys_have_bounds_and_one_is_reserved);
	tcase_add_test(c, a_value_read_may_be_written_back);
	tcase_add_test(c, what_waits_runs_in_the_order_asked_and_at_once_if_nothing_is_pending);
	tcase_add_test(c, closing_commits_and_runs_what_waits_and_what_that_writes);
	tcase_add_test(c, the_loop_never_waits_for_a_slow_disk);
	tcase_add_test(c, a_second_opener_is_told);
	tcase_add_test(c, another_schema_is_refused);
	tcase_add_test(c, a_file_that_is_no_store_of_this_machine_is_refused);
	tcase_add_test(c, a_folder_that_cannot_be_is_said_in_one_line);
	tcase_add_test(c, a_full_map_still_takes_what_makes_room_and_recovers);
	tcase_add_test(c, a_map_that_is_full_to_the_brim_keeps_the_group_and_serves_reads);
	tcase_add_test(c, a_group_that_has_no_room_gets_it_from_what_is_deleted_after_it);
	tcase_add_test(c, a_disk_that_has_room_again_takes_what_waited);
	tcase_add_test(c, a_copy_is_a_store_as_it_stood_at_one_moment);
	tcase_add_loop_test(c, random_writes_reads_and_commits_agree_with_a_model, 0, 3);
	tcase_add_test(c, a_hundred_thousand_writes_pass_in_a_moment);
	tcase_add_loop_test(c, after_kill_nine_a_prefix_of_the_groups_is_there_with_all_that_were_acknowledged, 0, 5);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
