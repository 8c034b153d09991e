/** @file The trace on disk: it is there after a restart, stays within its bounds, and whatever has become of its files costs the
 * trace alone. */
#include "as/trace_store.h"
#include "common/core/rng.h"
#include "proto/cids.h"
#include "test/scratch.h"
#include <check.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { PAGE = 4096, WAIT_MAX_MS = 60000 };

static struct loop *loop;
static struct trace_store *store;
static struct scratch dir;
static struct trace_store_options options;
static struct trace_event scratch;
static uint64_t found, newest;

static void setup(void)
{
	dir = scratch_new();
	loop = loop_new();
	options = (struct trace_store_options){ .size = TRACE_SIZE_MIN, .age_us = 86400 * SEC_US };
}

static void open_it(void)
{
	options.dir = scratch_file(&dir, "traces");
	store = trace_store_new(loop, &options);
	ck_assert_ptr_nonnull(store);
}

static void close_it(void)
{
	trace_store_free(store);
	store = NULL;
}

static void teardown(void)
{
	close_it();
	loop_free(loop);
	scratch_free(&dir);
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void run_for(uint64_t us)
{
	struct loop_timer *t = loop_timer_new(loop, stop, NULL);
	loop_refresh(loop);
	loop_timer_in(t, us);
	loop_run(loop);
	loop_timer_free(t);
}

/** Letters in no order, so that the store cannot make them small. */
static void write_noise(char *p, size_t n, uint64_t seed)
{
	struct rng_seeded s;
	struct rng rng = rng_seeded(&s, seed);
	rng_fill(&rng, p, n);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('0' + (uint8_t)p[i] % 64);
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\\')
			p[i] = 'z';
	p[n] = '\0';
}

/** Event number n, `old_us` old. */
static void put(uint64_t n, uint64_t old_us)
{
	struct trace_event e = { .time_unix_us = loop_now(loop)->unix_us - old_us, .process = 1 };
	struct ulid id = { { 0 } };
	char noise[301];
	memcpy(id.b, &n, sizeof n);
	strcpy(e.name, "ns.up.data.process");
	CIDS_ADD(&e.cids, CID_GS_UPLINK, id);
	MSG_MARK(&e, cids);
	write_noise(noise, n * 7 % 300, n);
	snprintf(e.data, sizeof e.data, "{\"n\":%llu,\"more\":\"%s\"}", (unsigned long long)n, noise);
	MSG_MARK(&e, data);
	trace_store_add(store, &e, "app1", (struct slice){ 0 });
}

static bool yes(void *ctx, const struct trace_event *e)
{
	(void)ctx;
	(void)e;
	return true;
}

static bool yes_index(void *ctx, const struct chunk_index *i)
{
	(void)ctx;
	(void)i;
	return true;
}

/** The event must be one of ours; they come in order. */
static void tell(void *ctx, const struct trace_event *e)
{
	unsigned long long n;
	(void)ctx;
	ck_assert_int_eq(sscanf(e->data, "{\"n\":%llu,", &n), 1);
	ck_assert(!found || n > newest);
	newest = n;
	found++;
}

static void find_all(void)
{
	struct search_ask ask = { .may_be_in = yes_index, .sees = yes, .sees_of_message = yes, .tell = tell, .max = 1000000 };
	struct search *s = search_new(trace_store_shelf(store), &ask);
	found = 0;
	while (search_step(s, &scratch))
		;
	trace_store_damaged(store, search_damaged(s));
	search_free(s);
}

static struct trace_store_stats stats(void)
{
	struct trace_store_stats s;
	trace_store_stats(store, &s);
	return s;
}

/** Run the loop until no more than so much waits for the disk, however slow that is. The open chunk waits too. */
static void settle(uint64_t bytes)
{
	for (int ms = 0; ms < WAIT_MAX_MS && stats().waiting_bytes > bytes; ms++)
		run_for(1 * MS_US);
	ck_assert_uint_le(stats().waiting_bytes, bytes);
}

static off_t file_size(void)
{
	struct stat st;
	return stat(scratch_file(&dir, "traces/data.mdb"), &st) ? 0 : st.st_size;
}

START_TEST(events_are_there_after_a_restart)
{
	options.size = 16 * TRACE_SIZE_MIN;
	open_it();
	for (uint64_t n = 1; n <= 2000; n++)
		put(n, 0);
	for (int i = 0; i < 3; i++) {
		find_all();
		ck_assert_uint_eq(found, 2000);
		ck_assert_uint_eq(stats().events, 2000);
		ck_assert_uint_eq(stats().damaged, 0);
		ck_assert(stats().is_on_disk);
		close_it();
		open_it();
	}
	put(2001, 0);
	find_all();
	ck_assert_uint_eq(found, 2001);
	ck_assert_uint_eq(newest, 2001);
}
END_TEST

/** A process that is killed takes at most the last second with it. */
START_TEST(after_a_second_a_kill_takes_nothing)
{
	int status;
	pid_t pid = fork();
	if (!pid) {
		loop_free(loop);
		loop = loop_new();
		open_it();
		put(1, 0);
		run_for(600 * MS_US);
		put(2, 0);
		settle(0);
		put(3, 0);
		kill(getpid(), SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	open_it();
	find_all();
	ck_assert_uint_eq(found, 2);
	ck_assert_uint_eq(newest, 2);
}
END_TEST

/** Ten times as much as there is room for, in chunks of all sizes. */
START_TEST(the_file_stays_within_its_size_and_has_the_newest)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 3);
	uint64_t n = 0, octets = 0;
	open_it();
	while (octets < 10 * TRACE_SIZE_MIN) {
		uint8_t more[2];
		rng_fill(&rng, more, sizeof more);
		for (int i = more[0] % 128; i >= 0; i--) {
			put(++n, 0);
			octets += 60 + n * 7 % 300;
		}
		if (more[1] < 64)
			settle(3 * CHUNK_MAX);
		ck_assert_int_le(file_size(), TRACE_SIZE_MIN);
	}
	settle(CHUNK_MAX);
	close_it();
	ck_assert_int_le(file_size(), TRACE_SIZE_MIN);
	open_it();
	find_all();
	ck_assert_uint_eq(newest, n);
	ck_assert_uint_eq(found, stats().events);
	ck_assert_uint_gt(found * 220, TRACE_SIZE_MIN / 4);
}
END_TEST

START_TEST(what_is_too_old_is_deleted)
{
	options.age_us = 3600 * SEC_US;
	open_it();
	for (uint64_t n = 1; n <= 1000; n++)
		put(n, 7200 * SEC_US);
	for (uint64_t n = 1001; n <= 2000; n++)
		put(n, 0);
	close_it();
	open_it();
	put(2001, 0);
	run_for(1100 * MS_US);
	find_all();
	ck_assert_uint_eq(newest, 2001);
	ck_assert_uint_ge(found, 1001);
	ck_assert_uint_lt(found, 1500); /* one chunk may have both */
	ck_assert_uint_lt(stats().oldest_us, 7300 * SEC_US);
}
END_TEST

START_TEST(without_a_disk_the_newest_are_kept_in_memory)
{
	options.size = 0;
	open_it();
	for (uint64_t n = 1; n <= 100000; n++)
		put(n, 0);
	find_all();
	ck_assert_uint_eq(newest, 100000);
	ck_assert_uint_gt(found, 10000);
	ck_assert_uint_lt(found, 60000);
	ck_assert(!stats().is_on_disk);
	ck_assert_int_eq(file_size(), 0);
	close_it();
	/* A file where the folder would be. */
	options.size = TRACE_SIZE_MIN;
	scratch_write(&dir, "traces", "");
	open_it();
	put(1, 0);
	find_all();
	ck_assert_uint_eq(found, 1);
	ck_assert(!stats().is_on_disk);
}
END_TEST

START_TEST(a_smaller_size_begins_afresh)
{
	options.size = 4 * TRACE_SIZE_MIN;
	open_it();
	for (uint64_t n = 1; n <= 60000; n++) {
		put(n, 0);
		if (n % 500 == 0)
			settle(CHUNK_MAX);
	}
	close_it();
	ck_assert_int_gt(file_size(), 2 * TRACE_SIZE_MIN);
	options.size = TRACE_SIZE_MIN;
	open_it();
	find_all();
	ck_assert_uint_eq(found, 0);
	put(1, 0);
	run_for(1100 * MS_US);
	ck_assert(stats().is_on_disk);
	ck_assert_int_le(file_size(), TRACE_SIZE_MIN);
}
END_TEST

/** Overwrite some octets, or cut the file off. */
static void damage(unsigned how, const struct rng *rng)
{
	uint8_t garbage[PAGE];
	uint32_t place;
	off_t size = file_size();
	int fd = open(scratch_file(&dir, "traces/data.mdb"), O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	rng_fill(rng, &place, sizeof place);
	rng_fill(rng, garbage, sizeof garbage);
	off_t at = (off_t)(place % (uint32_t)size);
	if (how % 8 == 0)
		ck_assert_int_eq(ftruncate(fd, at), 0);
	else if (how % 8 == 1)
		ck_assert_int_eq(pwrite(fd, garbage, 64, at % (2 * PAGE)), 64); /* what LMDB reads first */
	else if (how % 8 < 5)
		ck_assert_int_eq(pwrite(fd, garbage, sizeof garbage, at / PAGE * PAGE), PAGE);
	else
		ck_assert_int_eq(pwrite(fd, garbage, 4, at), 4);
	close(fd);
}

/** In a process of its own: open what was damaged, use it, and open it again. */
static void use_damaged(void)
{
	loop_free(loop);
	loop = loop_new();
	open_it();
	ck_assert(stats().is_on_disk);
	find_all();
	for (uint64_t n = 100001; n <= 100500; n++)
		put(n, 0);
	run_for(20 * MS_US);
	find_all();
	ck_assert_uint_ge(found, 500);
	close_it();
	open_it();
	find_all();
	ck_assert_uint_eq(newest, 100500);
	close_it();
	loop_free(loop);
	_exit(0);
}

START_TEST(whatever_is_damaged_costs_the_trace_alone)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, (uint64_t)_i);
	int status;
	open_it();
	for (uint64_t n = 1; n <= 5000; n++) {
		put(n, 0);
		if (n % 100 == 0)
			settle(CHUNK_MAX);
	}
	close_it();
	for (int i = 0; i <= _i % 3; i++)
		damage((unsigned)(_i + i), &rng);
	pid_t pid = fork();
	if (!pid)
		use_damaged();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "ended with %x", (unsigned)status);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace_store");
	TCase *t = tcase_create("the trace on disk");
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, events_are_there_after_a_restart);
	tcase_add_test(t, after_a_second_a_kill_takes_nothing);
	tcase_add_test(t, the_file_stays_within_its_size_and_has_the_newest);
	tcase_add_test(t, what_is_too_old_is_deleted);
	tcase_add_test(t, without_a_disk_the_newest_are_kept_in_memory);
	tcase_add_test(t, a_smaller_size_begins_afresh);
	tcase_add_loop_test(t, whatever_is_damaged_costs_the_trace_alone, 0, 16);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
