/** @file Pushes that wait for a script: taken once and in order, however often pool, queue or store say not now. The pool, the line and
 * the queue are stood in for here (--wrap, see the Makefile). */
#include "as/core/formatters/formatter.h"
#include "as/formatters/encode.h"
#include "as/formatters/lines.h"
#include "as/scripts/pool.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RECORDS = 128, ITEMS = 2048 };
static struct as as;
static struct app app;
static struct device device;
static const struct line_handler *handler;
static struct registry_watch watch;

/* ---- the line ---- */

static struct {
	uint8_t *record[RECORDS];
	size_t n[RECORDS], first, next, room;
	int done_fails; /* so many times */
	bool is_again;
	void *work;
} line;

void __wrap_lines_handle(struct as *a, enum line_way way, const struct line_handler *h);
void __wrap_lines_handle(struct as *a, enum line_way way, const struct line_handler *h)
{
	(void)a;
	ck_assert_int_eq(way, LINE_DOWN);
	handler = h;
}

bool __wrap_lines_waits(const struct as *a, enum line_way way, uint64_t uid);
bool __wrap_lines_waits(const struct as *a, enum line_way way, uint64_t uid)
{
	(void)a, (void)way, (void)uid;
	return line.first < line.next;
}

int __wrap_lines_add(struct as *a, enum line_way way, const struct device *d, struct slice record, uint64_t *ret_number);
int __wrap_lines_add(struct as *a, enum line_way way, const struct device *d, struct slice record, uint64_t *ret_number)
{
	(void)a, (void)way, (void)d;
	if (line.next - line.first >= line.room)
		return LINES_E_FULL;
	ck_assert_uint_lt(line.next, RECORDS);
	line.record[line.next] = malloc(record.n);
	memcpy(line.record[line.next], record.p, record.n);
	line.n[line.next] = record.n;
	*ret_number = line.next++;
	return 0;
}

int __wrap_lines_done(struct as *a, enum line_way way, uint64_t uid);
int __wrap_lines_done(struct as *a, enum line_way way, uint64_t uid)
{
	(void)a, (void)way, (void)uid;
	if (line.done_fails-- > 0)
		return -EIO;
	line.done_fails = 0;
	line.work = NULL;
	free(line.record[line.first]);
	line.record[line.first++] = NULL;
	return 0;
}

void __wrap_lines_again(struct as *a, enum line_way way, uint64_t uid);
void __wrap_lines_again(struct as *a, enum line_way way, uint64_t uid)
{
	(void)a, (void)way, (void)uid;
	line.is_again = true;
	line.work = NULL;
}

/** The turn of the first record. @return as line_handler.begin */
static int turn(void)
{
	struct line_turn t = { .uid = 1, .number = line.first, .record = { line.record[line.first], line.n[line.first] } };
	line.is_again = false;
	void *work = NULL;
	int r = handler->begin(&as, &t, &work);
	if (!r)
		line.work = work;
	return r;
}

/* ---- the pool ---- */

static struct {
	struct script_job job;
	char data[SCRIPT_JSON_MAX + 1];
	uint64_t tickets, cancelled;
	bool is_busy, is_off;
	int asked;
} pool;

bool __wrap_scripts_available(const struct as *a);
bool __wrap_scripts_available(const struct as *a)
{
	(void)a;
	return !pool.is_off;
}

uint64_t __wrap_scripts_start(struct as *a, const struct script_job *job);
uint64_t __wrap_scripts_start(struct as *a, const struct script_job *job)
{
	(void)a;
	if (pool.is_busy)
		return 0;
	pool.job = *job;
	pool.asked++;
	ck_assert_int_eq(str_copy(job->data, pool.data, sizeof pool.data), 0);
	return ++pool.tickets;
}

void __wrap_scripts_cancel(struct as *a, uint64_t ticket);
void __wrap_scripts_cancel(struct as *a, uint64_t ticket)
{
	(void)a;
	pool.cancelled = ticket;
}

static void answer(uint8_t octet)
{
	pool.job.done(pool.job.ctx, &(struct script_result){ .bytes = { &octet, 1 } });
}

/* ---- the queue ---- */

static struct {
	size_t n, cleared, ends;
	int octets[ITEMS]; /* -1: refused, -2: no formatter had to do with it */
	size_t fails_at;   /* once, before this item; SIZE_MAX: never */
} queue;

int __wrap_downlinks_take(struct as *a, struct device *d, struct downlinks_part *p, struct downlinks_result *result);
int __wrap_downlinks_take(struct as *a, struct device *d, struct downlinks_part *p, struct downlinks_result *result)
{
	size_t n = json_count(p->j, p->items);
	(void)a;
	ck_assert_ptr_eq(d, &device);
	queue.cleared += p->is_replace;
	p->is_replace = false;
	for (; p->taken < n; p->taken++) {
		const struct made *m = p->made[p->taken];
		if (queue.n == queue.fails_at) {
			queue.fails_at = SIZE_MAX;
			return -EAGAIN;
		}
		ck_assert_uint_lt(queue.n, ITEMS);
		queue.octets[queue.n++] = !m ? -2 : m->encoded.refusal ? -1 : m->encoded.bytes.p[0];
		result->queued++;
	}
	queue.ends += p->is_last;
	p->is_last = false;
	return 0;
}

/* ---- the registry ---- */

void __wrap_registry_watch(struct registry *r, const struct registry_watch *w);
void __wrap_registry_watch(struct registry *r, const struct registry_watch *w)
{
	(void)r;
	watch = *w;
}

struct device *__wrap_registry_device_by_uid(const struct registry *r, uint64_t uid);
struct device *__wrap_registry_device_by_uid(const struct registry *r, uint64_t uid)
{
	(void)r;
	return uid == 1 ? &device : NULL;
}

/* ---- who waits ---- */

static struct {
	int calls, e;
	size_t queued;
} told;

static void tell(void *ctx, int e, const struct downlinks_result *result)
{
	(void)ctx;
	told.calls++;
	told.e = e;
	told.queued = result->queued;
}

static const struct downlinks_waiter waiter = { tell, NULL };

static int later(const char *body, bool is_replace)
{
	static struct json_tok tok[65536];
	struct json j;
	const char *reason;
	ck_assert_int_eq(json_parse(str_of(body), tok, COUNT(tok), &j, NULL), 0);
	json_val items = tts_request_items(&j, &reason);
	ck_assert(encode_must_wait(&as, &device, &j, items));
	return encode_later(&as, &device, &j, items, is_replace, &waiter);
}

static bool must_wait(const char *item)
{
	static struct json_tok tok[64];
	char body[256];
	struct json j;
	const char *reason;
	snprintf(body, sizeof body, "{\"downlinks\":[%s]}", item);
	ck_assert_int_eq(json_parse(str_of(body), tok, COUNT(tok), &j, NULL), 0);
	return encode_must_wait(&as, &device, &j, tts_request_items(&j, &reason));
}

static void use_script(const char *text)
{
	formatters_done(&device.formatters);
	device.formatters = (struct formatters){ .are_set = true, .down = { FORMATTER_JAVASCRIPT, true, script_new(str_of(text)) } };
}

static void setup(void)
{
	memset(&line, 0, sizeof line);
	memset(&pool, 0, sizeof pool);
	memset(&queue, 0, sizeof queue);
	memset(&told, 0, sizeof told);
	line.room = RECORDS;
	queue.fails_at = SIZE_MAX;
	as = (struct as){ .loop = loop_new() };
	app = (struct app){ .key = "app1" };
	device = (struct device){ .entry.uid = 1, .app = &app, .id = "dev1" };
	use_script("function encodeDownlink(i) {}");
	ck_assert_int_eq(encode_start(&as, NULL), 0);
}

static void teardown(void)
{
	encode_stop(&as);
	if (line.work) /* as lines_stop, which comes after */
		handler->cancel(&as, line.work);
	while (line.first < line.next)
		free(line.record[line.first++]);
	formatters_done(&device.formatters);
	loop_free(as.loop);
}

#define VALUES "{\"f_port\":1,\"decoded_payload\":{\"a\":[1,],}}"
#define OCTETS "{\"f_port\":1,\"frm_payload\":\"AQ==\"}"

START_TEST(only_what_a_script_is_asked_for_waits)
{
	ck_assert(must_wait(VALUES));
	ck_assert(must_wait(OCTETS "," VALUES));
	ck_assert(!must_wait(OCTETS));
	ck_assert(!must_wait("{\"f_port\":1,\"frm_payload\":\"AQ==\",\"decoded_payload\":{}}"));
	ck_assert(!must_wait("{\"f_port\":1,\"decoded_payload\":7}"));
	ck_assert(!must_wait("7,null,[],{}"));
	use_script("exports.decodeDownlink = function (i) {}");
	ck_assert(must_wait(OCTETS));
	ck_assert(!must_wait("{\"f_port\":1,\"frm_payload\":\"AQ==\",\"decoded_payload\":{}}"));
	pool.is_off = true;
	ck_assert(!must_wait(VALUES));
	pool.is_off = false;
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), 0);
	ck_assert(must_wait("7")); /* behind it */
}
END_TEST

START_TEST(items_are_asked_for_one_after_another_and_queued_together)
{
	ck_assert_int_eq(later("{\"downlinks\":[" OCTETS "," VALUES ",7," VALUES "]}", true), 0);
	ck_assert_int_eq(turn(), 0);
	ck_assert_str_eq(pool.data, "{\"a\":[1]}"); /* strict */
	ck_assert_uint_eq(pool.job.f_port, 1);
	ck_assert_uint_eq(queue.n + queue.cleared, 0);
	answer(11);
	ck_assert_int_eq(told.calls, 0);
	answer(12);
	ck_assert_uint_eq(queue.n, 4);
	ck_assert_int_eq(queue.octets[0], -2);
	ck_assert_int_eq(queue.octets[1], 11);
	ck_assert_int_eq(queue.octets[2], -2);
	ck_assert_int_eq(queue.octets[3], 12);
	ck_assert_uint_eq(queue.cleared, 1);
	ck_assert_uint_eq(queue.ends, 1);
	ck_assert(line.first == line.next && told.calls == 1 && !told.e);
	ck_assert_uint_eq(told.queued, 4);
}
END_TEST

START_TEST(what_the_pool_refuses_goes_on_where_it_was)
{
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "," VALUES "]}", false), 0);
	pool.is_busy = true;
	ck_assert_int_eq(turn(), -EAGAIN);
	pool.is_busy = false;
	ck_assert_int_eq(turn(), 0);
	pool.is_busy = true;
	answer(1);
	ck_assert(line.is_again);
	ck_assert_int_eq(turn(), -EAGAIN);
	pool.is_busy = false;
	ck_assert_int_eq(turn(), 0);
	answer(2);
	ck_assert_int_eq(pool.asked, 2); /* none twice */
	ck_assert_uint_eq(queue.n, 2);
	ck_assert_int_eq(queue.octets[0], 1);
	ck_assert_int_eq(queue.octets[1], 2);
}
END_TEST

START_TEST(what_the_store_refuses_is_queued_once_all_the_same)
{
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "," OCTETS "," OCTETS "]}", true), 0);
	ck_assert_int_eq(turn(), 0);
	queue.fails_at = 2;
	answer(1);
	ck_assert(line.is_again && told.calls == 0 && queue.n == 2);
	line.done_fails = 2;
	ck_assert_int_eq(turn(), -EIO);
	ck_assert_uint_eq(queue.n, 3);
	ck_assert_int_eq(turn(), -EIO);
	ck_assert_int_eq(turn(), 0);
	ck_assert_uint_eq(queue.n, 3);
	ck_assert_uint_eq(queue.cleared, 1);
	ck_assert_uint_eq(queue.ends, 1);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_int_eq(pool.asked, 1);
}
END_TEST

START_TEST(a_long_request_is_cut_and_told_of_once)
{
	static char body[1 << 16];
	struct text t = text_fixed(body, sizeof body);
	text_puts(&t, "{\"downlinks\":[");
	for (int i = 0; i < 1000; i++)
		text_puts(&t, i ? "," OCTETS : VALUES);
	text_puts(&t, "]}");
	ck_assert_int_eq(later(body, true), 0);
	ck_assert_uint_ge(line.next, 2);
	for (size_t i = 0; i < line.next; i++)
		ck_assert_uint_le(line.n[i], 17000);
	ck_assert_int_eq(turn(), 0);
	answer(1);
	while (line.first < line.next) {
		ck_assert_int_eq(told.calls, 0);
		ck_assert_int_eq(turn(), 0);
	}
	ck_assert_uint_eq(queue.n, 1000);
	ck_assert_uint_eq(queue.cleared, 1);
	ck_assert_uint_eq(queue.ends, 1);
	ck_assert_int_eq(told.calls, 1);
	ck_assert_uint_eq(told.queued, 1000);
}
END_TEST

START_TEST(who_waits_is_told_when_the_device_goes_or_the_process_ends)
{
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), 0);
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), 0);
	ck_assert_int_eq(turn(), 0);
	handler->cancel(&as, line.work); /* as lines do, before others hear of it */
	line.work = NULL;
	ck_assert_uint_eq(pool.cancelled, pool.tickets);
	watch.device(watch.ctx, &device, CHANGE_DELETED);
	ck_assert_int_eq(told.calls, 2);
	ck_assert_int_eq(told.e, -ENODEV);
	while (line.first < line.next)
		free(line.record[line.first++]);
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), 0);
	ck_assert_int_eq(turn(), 0);
	encode_stop(&as);
	ck_assert_int_eq(told.calls, 3);
	ck_assert_int_eq(told.e, -ESHUTDOWN);
	ck_assert_uint_eq(pool.cancelled, pool.tickets);
}
END_TEST

START_TEST(a_full_line_refuses_and_nobody_is_told_later)
{
	line.room = 0;
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), LINES_E_FULL);
	encode_stop(&as);
	ck_assert_int_eq(told.calls, 0);
}
END_TEST

START_TEST(a_damaged_record_is_dropped)
{
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "]}", false), 0);
	for (size_t n = 0; n < line.n[0]; n++) {
		struct line_turn t = { .uid = 1, .number = 0, .record = { line.record[0], n } };
		void *work = NULL;
		line.next = 1;
		uint8_t *kept = line.record[0];
		line.record[0] = NULL;
		ck_assert_int_eq(handler->begin(&as, &t, &work), 0);
		ck_assert_ptr_null(work);
		line.first = 0;
		line.record[0] = kept;
	}
	ck_assert_uint_eq(queue.n, 0);
	ck_assert_int_eq(pool.asked, 0);
}
END_TEST

START_TEST(a_formatter_that_was_changed_meanwhile_is_the_one_that_counts)
{
	ck_assert_int_eq(later("{\"downlinks\":[" VALUES "," VALUES "," VALUES "]}", false), 0);
	ck_assert_int_eq(turn(), 0);
	formatters_done(&device.formatters);
	device.formatters = (struct formatters){ .are_set = true, .down = { FORMATTER_NONE, true, NULL } };
	answer(1);
	ck_assert_uint_eq(queue.n, 3);
	ck_assert_int_eq(queue.octets[0], 1);
	ck_assert_int_eq(queue.octets[1], -2); /* refused as by a device without one */
	ck_assert_int_eq(pool.asked, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("encode");
	TCase *t = tcase_create("pushes that wait");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, only_what_a_script_is_asked_for_waits);
	tcase_add_test(t, items_are_asked_for_one_after_another_and_queued_together);
	tcase_add_test(t, what_the_pool_refuses_goes_on_where_it_was);
	tcase_add_test(t, what_the_store_refuses_is_queued_once_all_the_same);
	tcase_add_test(t, a_long_request_is_cut_and_told_of_once);
	tcase_add_test(t, who_waits_is_told_when_the_device_goes_or_the_process_ends);
	tcase_add_test(t, a_full_line_refuses_and_nobody_is_told_later);
	tcase_add_test(t, a_damaged_record_is_dropped);
	tcase_add_test(t, a_formatter_that_was_changed_meanwhile_is_the_one_that_counts);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
