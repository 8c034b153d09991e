/** @file Lines of what waits for payload formatters: order, bounds, what a crash leaves, and the records in them. */
#include "as/as.h"
#include "as/formatters/kept.h"
#include "as/formatters/lines.h"
#include "test/scratch.h"
#include "test/unit/registry_world.h"

enum { DEVICES = 3, SEEN = 64 };

static struct world w;
static struct as as;
static struct as_settings settings;
static struct scratch scratch;
static struct device *dev[DEVICES];
static struct loop_timer *stop_timer;

/** What the handler was given, in order. */
static struct {
	uint64_t uid;
	char record[16];
} begun[SEEN], out[SEEN];
static size_t n_begun, n_out, n_cancelled;
static int refuse;          /**< so many times it cannot begin */
static bool finishes_at_once;

static void note(void *list, size_t *n, const struct line_turn *t)
{
	struct { uint64_t uid; char record[16]; } *v = list;
	ck_assert_uint_lt(*n, SEEN);
	size_t shown = t->record.n < sizeof v->record ? t->record.n : sizeof v->record - 1;
	v[*n].uid = t->uid;
	memcpy(v[*n].record, t->record.p, shown);
	v[(*n)++].record[shown] = '\0';
}

static int begin(struct as *a, const struct line_turn *t, void **ret_work)
{
	if (refuse && refuse--)
		return -EAGAIN;
	note(begun, &n_begun, t);
	if (finishes_at_once)
		return lines_done(a, LINE_UP, t->uid);
	*ret_work = &begun[n_begun - 1];
	return 0;
}

static void cancel(struct as *a, void *work)
{
	(void)a;
	ck_assert_ptr_nonnull(work);
	n_cancelled++;
}

static int let_out(struct as *a, const struct line_turn *t)
{
	(void)a;
	note(out, &n_out, t);
	return 0;
}

static const struct line_handler up = { begin, cancel, let_out };
static const struct line_handler down = { begin, cancel, NULL };

static void stop(void *ctx)
{
	loop_stop(ctx);
}

/** Let the loop run for so long. */
static void run(uint64_t us)
{
	loop_timer_in(stop_timer, us);
	ck_assert_int_eq(loop_run(as.loop), 0);
}

/** ... until so many have begun. */
static void run_until(size_t n)
{
	for (int i = 0; i < 2000 && n_begun < n; i++)
		run(MS_US);
	ck_assert_uint_eq(n_begun, n);
}

static void start_rooms(void)
{
	char buf[200];
	struct text err = text_fixed(buf, sizeof buf);
	ck_assert_int_eq(store_open(as.loop, &(struct store_options){ .dir = scratch.path, .schema = 1 }, &as.store, &err), 0);
	ck_assert_int_eq(lines_start(&as, &err), 0);
	lines_handle(&as, LINE_UP, &up);
	lines_handle(&as, LINE_DOWN, &down);
}

static void stop_rooms(void)
{
	lines_stop(&as);
	store_close(as.store);
}

static void setup(void)
{
	struct problem p = { .message = "" };
	char json[400];
	world_open(&w);
	memset(&as, 0, sizeof as);
	n_begun = n_out = n_cancelled = 0;
	refuse = 0;
	finishes_at_once = false;
	settings = (struct as_settings){ .formatter_messages = 5, .formatter_size = 1 << 20 };
	for (int i = 0; i < DEVICES; i++) {
		struct app *a = i < 2 ? registry_app(&w.r, STR("app1")) : NULL;
		a = a ? a : world_app(&w, i < 2 ? "app1" : "app2");
		snprintf(json, sizeof json, "{\"ids\":{\"device_id\":\"dev%d\",\"dev_eui\":\"70B3D57ED005000%d\",\"join_eui\":\"0000000000000001\"},"
			"\"supports_join\":true,\"root_keys\":{\"app_key\":{\"key\":\"2B7E151628AED2A6ABF7158809CF4F3C\"}},"
			"\"frequency_plan_id\":\"EU_863_870\",\"lorawan_version\":\"MAC_V1_0_3\"}", i, i);
		ck_assert_msg(world_device(&w, a, json, &dev[i], &p) == 0, "%s %s", p.field, p.message);
	}
	as.registry = w.r;
	as.settings = &settings;
	as.loop = loop_new();
	stop_timer = loop_timer_new(as.loop, stop, as.loop);
	scratch = scratch_new();
	start_rooms();
}

static void teardown(void)
{
	stop_rooms();
	loop_timer_free(stop_timer);
	loop_free(as.loop);
	scratch_free(&scratch);
	w.r = as.registry;
	w.r.n_watch = 0;
	world_close(&w);
}

static int add(int i, const char *record)
{
	return lines_add(&as, LINE_UP, dev[i], (struct slice){ (const uint8_t *)record, strlen(record) }, NULL);
}

START_TEST(one_of_a_device_is_at_work_and_the_others_keep_their_order)
{
	uint64_t uid = dev[0]->entry.uid;
	ck_assert(!lines_waits(&as, LINE_UP, uid));
	ck_assert_int_eq(add(0, "a"), 0);
	ck_assert_int_eq(add(0, "b"), 0);
	ck_assert_int_eq(add(1, "x"), 0);
	ck_assert(lines_waits(&as, LINE_UP, uid));
	ck_assert(!lines_waits(&as, LINE_DOWN, uid));
	ck_assert_uint_eq(n_begun, 0); /* not within the call */
	run_until(2);
	run(30 * MS_US);
	ck_assert_uint_eq(n_begun, 2);
	ck_assert_str_eq(begun[0].record, "a");
	ck_assert_str_eq(begun[1].record, "x");
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 3);
	struct line_turn again;
	ck_assert_int_eq(lines_first(&as, LINE_UP, uid, &again), 0);
	ck_assert_uint_eq(again.record.p[0], 'a');
	ck_assert_int_eq(lines_done(&as, LINE_UP, uid), 0);
	run_until(3);
	ck_assert_str_eq(begun[2].record, "b");
	ck_assert_int_eq(lines_done(&as, LINE_UP, uid), 0);
	ck_assert_int_eq(lines_done(&as, LINE_UP, dev[1]->entry.uid), 0);
	run(5 * MS_US);
	ck_assert(!lines_waits(&as, LINE_UP, uid));
	ck_assert_int_eq(lines_first(&as, LINE_UP, uid, &again), -ENOENT);
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 0);
	ck_assert_uint_eq(n_out + n_cancelled, 0);
}
END_TEST

START_TEST(what_cannot_begin_or_came_to_nothing_is_tried_again)
{
	refuse = 3;
	ck_assert_int_eq(add(0, "a"), 0);
	run_until(1);
	lines_again(&as, LINE_UP, dev[0]->entry.uid);
	run_until(2);
	ck_assert_str_eq(begun[1].record, "a");
	ck_assert_uint_eq(n_cancelled, 0);
}
END_TEST

START_TEST(many_that_need_no_time_go_one_after_another)
{
	finishes_at_once = true;
	settings.formatter_messages = 100;
	char record[8];
	for (int i = 0; i < 30; i++) {
		snprintf(record, sizeof record, "%d", i);
		ck_assert_int_eq(add(0, record), 0);
	}
	run_until(30);
	for (int i = 0; i < 30; i++)
		ck_assert_int_eq(atoi(begun[i].record), i);
	run(5 * MS_US);
	ck_assert(!lines_waits(&as, LINE_UP, dev[0]->entry.uid));
	/* The numbers of a device rise, also where its line was empty in between. */
	uint64_t number;
	ck_assert_int_eq(lines_add(&as, LINE_UP, dev[0], (struct slice){ (const uint8_t *)"z", 1 }, &number), 0);
	ck_assert_uint_ge(number, 30);
}
END_TEST

START_TEST(too_many_let_the_oldest_out)
{
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(add(0, (const char *[]){ "a", "b", "c", "d", "e" }[i]), 0);
	run_until(1);
	ck_assert_uint_eq(n_out, 0);
	ck_assert_int_eq(add(0, "f"), 0);
	ck_assert_uint_eq(n_out, 1);
	ck_assert_str_eq(out[0].record, "a");
	ck_assert_uint_eq(n_cancelled, 1); /* it was at work */
	run_until(2);
	ck_assert_str_eq(begun[1].record, "b");
	ck_assert_uint_eq(as.metrics.formatters_let_out, 1);
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 5);
}
END_TEST

START_TEST(too_much_of_an_application_lets_its_own_out)
{
	static uint8_t large[100 * 1024];
	memset(large, 'L', sizeof large);
	ck_assert_int_eq(add(2, "y"), 0);
	ck_assert_int_eq(add(0, "a"), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(n_out, 0);
		ck_assert_int_eq(lines_add(&as, LINE_UP, dev[1], (struct slice){ large, sizeof large }, NULL), 0);
	}
	/* An application has a quarter of 1 MiB. Its devices let one out in turn, until it is enough. */
	ck_assert_uint_eq(n_out, 2);
	ck_assert_str_eq(out[0].record, "a");
	ck_assert_uint_eq(out[1].uid, dev[1]->entry.uid);
	ck_assert(lines_waits(&as, LINE_UP, dev[2]->entry.uid));
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 3);
}
END_TEST

START_TEST(too_much_of_all_is_the_greediest_ones_loss)
{
	static uint8_t large[200 * 1024];
	memset(large, 'L', sizeof large);
	settings.formatter_size = 1100 * 1024; /* room for five of them, and each application for one */
	for (size_t i = 0; i < 4; i++) {
		char name[8];
		snprintf(name, sizeof name, "big%zu", i);
		w.r = as.registry;
		struct app *a = world_app(&w, name);
		as.registry = w.r;
		struct device *d = device_clone(dev[0]);
		snprintf(d->id, sizeof d->id, "d%zu", i);
		d->dev_eui += 16 + i;
		ck_assert_int_eq(registry_device_create(&as.registry, a, d, &w.now, NULL), 0);
		ck_assert_int_eq(lines_add(&as, LINE_UP, d, (struct slice){ large, sizeof large }, NULL), 0);
	}
	ck_assert_uint_eq(n_out, 0);
	ck_assert_int_eq(add(0, "a"), 0);
	settings.formatter_size = 804 * 1024; /* a bound that was lowered */
	ck_assert_int_eq(lines_add(&as, LINE_UP, dev[2], (struct slice){ large, 5 * 1024 }, NULL), 0);
	ck_assert_uint_eq(n_out, 1);
	ck_assert_str_eq(out[0].record, "LLLLLLLLLLLLLLL");
	ck_assert(lines_waits(&as, LINE_UP, dev[0]->entry.uid) && lines_waits(&as, LINE_UP, dev[2]->entry.uid));
}
END_TEST

START_TEST(a_direction_that_lets_nothing_out_refuses)
{
	const struct slice record = { (const uint8_t *)"d", 1 };
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(lines_add(&as, LINE_DOWN, dev[0], record, NULL), 0);
	ck_assert_int_eq(lines_add(&as, LINE_DOWN, dev[0], record, NULL), LINES_E_FULL);
	ck_assert_int_eq(lines_add(&as, LINE_DOWN, dev[1], record, NULL), 0);
	static uint8_t large[300 * 1024];
	ck_assert_int_eq(lines_add(&as, LINE_DOWN, dev[2], (struct slice){ large, sizeof large }, NULL), LINES_E_FULL);
	run(5 * MS_US); /* the line that stayed empty is forgotten */
	ck_assert(!lines_waits(&as, LINE_DOWN, dev[2]->entry.uid));
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_DOWN], 6);
	ck_assert_uint_eq(n_out, 0);
}
END_TEST

static int count_record(void *ctx, struct slice key, struct slice value)
{
	(void)key, (void)value;
	++*(size_t *)ctx;
	return 0;
}

static size_t stored(void)
{
	size_t n = 0;
	for (uint8_t table = 0x2a; table <= 0x2b; table++)
		ck_assert_int_eq(store_scan(as.store, (struct slice){ &table, 1 }, (struct slice){ 0 }, count_record, &n), 0);
	return n;
}

START_TEST(a_device_that_is_deleted_takes_its_lines_along)
{
	ck_assert_int_eq(add(0, "a"), 0);
	ck_assert_int_eq(add(0, "b"), 0);
	ck_assert_int_eq(add(1, "x"), 0);
	ck_assert_int_eq(lines_add(&as, LINE_DOWN, dev[0], (struct slice){ (const uint8_t *)"d", 1 }, NULL), 0);
	run_until(3);
	uint64_t uid = dev[0]->entry.uid;
	ck_assert_uint_eq(stored(), 4);
	ck_assert_int_eq(registry_device_delete(&as.registry, dev[0]), 0);
	ck_assert_uint_eq(n_cancelled, 2);
	ck_assert_uint_eq(stored(), 1);
	ck_assert(!lines_waits(&as, LINE_UP, uid));
	ck_assert_int_eq(lines_done(&as, LINE_UP, uid), 0); /* harmless */
	lines_again(&as, LINE_UP, uid);
	run(5 * MS_US);
	ck_assert_uint_eq(n_begun, 3);
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 1);
}
END_TEST

START_TEST(a_new_process_goes_on_where_the_old_one_was)
{
	ck_assert_int_eq(add(0, "a"), 0);
	ck_assert_int_eq(add(0, "b"), 0);
	ck_assert_int_eq(add(0, "c"), 0);
	ck_assert_int_eq(add(1, "x"), 0);
	run_until(2);
	ck_assert_int_eq(lines_done(&as, LINE_UP, dev[0]->entry.uid), 0);
	uint64_t gone = dev[1]->entry.uid;
	stop_rooms();
	ck_assert_uint_ge(n_cancelled, 1);
	as.metrics.formatters_waiting[LINE_UP] = 0;
	as.registry.n_watch = 0;
	/* A crash can cut the deletion of a device in two. */
	ck_assert_int_eq(registry_device_delete(&as.registry, dev[1]), 0);
	n_begun = 0;
	start_rooms();
	ck_assert_uint_eq(as.metrics.formatters_waiting[LINE_UP], 2);
	ck_assert(!lines_waits(&as, LINE_UP, gone));
	ck_assert_uint_eq(stored(), 2);
	run_until(1);
	ck_assert_str_eq(begun[0].record, "b");
	ck_assert_int_eq(add(0, "d"), 0);
	for (size_t i = 1; i < 3; i++) {
		ck_assert_int_eq(lines_done(&as, LINE_UP, dev[0]->entry.uid), 0);
		run_until(i + 1);
	}
	ck_assert_str_eq(begun[1].record, "c");
	ck_assert_str_eq(begun[2].record, "d");
}
END_TEST

/* ---- records ---- */

static struct ns_up message, read_back;

START_TEST(a_record_has_all_of_a_message)
{
	static uint8_t record[KEPT_MAX];
	size_t n;
	struct kept k = { .m = &message, .taken_unix_us = 1700000000000000, .is_simulated = true, .own_cids = "my-id\0other", .own_cids_n = 12,
		.decoded = "{\"t\":1}" }, got;
	message = (struct ns_up){ .device = 7 };
	memset(k.id.b, 9, sizeof k.id.b);
	message.data.f_cnt = 70000;
	message.data.rx.len = 50;
	for (size_t i = 0; i < 50; i++)
		strcpy(message.data.rx.v[i].gateway_id, "a-gateway-whose-name-is-long-as-can");
	message.data.frm.len = 242;
	MSG_MARK(&message.data, frm);
	MSG_SET(&message.data, f_port, 3);
	MSG_MARK(&message, data);
	ck_assert_int_eq(kept_pack(&k, record, &n), 0);
	ck_assert_int_eq(kept_unpack((struct slice){ record, n }, &read_back, &got), 0);
	ck_assert(got.is_simulated && ulid_eq(&got.id, &k.id) && got.taken_unix_us == k.taken_unix_us && got.own_cids_n == 12);
	ck_assert_mem_eq(got.own_cids, k.own_cids, 12);
	ck_assert_str_eq(got.decoded, k.decoded);
	ck_assert_uint_eq(got.m->device, 7);
	ck_assert(MSG_HAS(got.m, data) && !MSG_HAS(got.m, join) && got.m->data.f_cnt == 70000 && got.m->data.rx.len == 50 && got.m->data.frm.len == 242);
	/* Cut short or longer, of another version: refused, never read beyond. */
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *part = malloc(cut + 1);
		memcpy(part, record, cut);
		ck_assert_int_eq(kept_unpack((struct slice){ part, cut }, &read_back, &got), -EPROTO);
		free(part);
	}
	ck_assert_int_eq(kept_unpack((struct slice){ record, n + 1 }, &read_back, &got), -EPROTO);
	record[0]++;
	ck_assert_int_eq(kept_unpack((struct slice){ record, n }, &read_back, &got), -EPROTO);
}
END_TEST

START_TEST(a_message_of_the_network_server_needs_little_more_than_itself)
{
	static uint8_t record[KEPT_MAX], plain[KEPT_MAX];
	size_t n, plain_n;
	struct kept k = { .m = &message, .decoded = "" }, got;
	message = (struct ns_up){ .device = 7, .join = { .dev_addr = 5 } };
	MSG_MARK(&message, join);
	ck_assert_int_eq(kept_pack(&k, record, &n), 0);
	ck_assert_int_eq(msg_encode(ns_up_schema(), &message, plain, sizeof plain, &plain_n), 0);
	ck_assert_uint_le(n, plain_n + 32);
	ck_assert_int_eq(kept_unpack((struct slice){ record, n }, &read_back, &got), 0);
	ck_assert(MSG_HAS(got.m, join) && got.m->join.dev_addr == 5 && !got.is_simulated && !*got.decoded && !got.own_cids_n);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("lines");
	TCase *c = tcase_create("lines"), *records = tcase_create("records");
	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, one_of_a_device_is_at_work_and_the_others_keep_their_order);
	tcase_add_test(c, what_cannot_begin_or_came_to_nothing_is_tried_again);
	tcase_add_test(c, many_that_need_no_time_go_one_after_another);
	tcase_add_test(c, too_many_let_the_oldest_out);
	tcase_add_test(c, too_much_of_an_application_lets_its_own_out);
	tcase_add_test(c, too_much_of_all_is_the_greediest_ones_loss);
	tcase_add_test(c, a_direction_that_lets_nothing_out_refuses);
	tcase_add_test(c, a_device_that_is_deleted_takes_its_lines_along);
	tcase_add_test(c, a_new_process_goes_on_where_the_old_one_was);
	tcase_add_test(records, a_record_has_all_of_a_message);
	tcase_add_test(records, a_message_of_the_network_server_needs_little_more_than_itself);
	suite_add_tcase(s, c);
	suite_add_tcase(s, records);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
