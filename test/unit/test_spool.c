/** @file The outbox of an integration: order, bounds, what a crash leaves, and numbers that are never used again. */
#include "as/core/integration/spool.h"
#include "common/core/rng.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 3000 };
/** A store of records in memory, in order of their numbers. */
static struct {
	uint64_t seq;
	uint8_t *p;
	size_t n;
} kept[KEPT];
static size_t kept_n;
/** The sink fails once this many more calls have gone well; -1: never. */
static int good_calls = -1;

static bool sink_fails(void)
{
	return good_calls >= 0 && good_calls-- == 0;
}

static int del(void *ctx, uint64_t number, uint64_t seq)
{
	(void)ctx;
	ck_assert_uint_eq(number, 7);
	if (sink_fails())
		return -EIO;
	for (size_t i = 0; i < kept_n; i++)
		if (kept[i].seq == seq) {
			free(kept[i].p);
			memmove(&kept[i], &kept[i + 1], (--kept_n - i) * sizeof kept[0]);
			return 0;
		}
	return 0;
}

static int put(void *ctx, uint64_t number, uint64_t seq, struct slice record)
{
	if (sink_fails())
		return -EIO;
	int before = good_calls;
	good_calls = -1;
	del(ctx, number, seq);
	good_calls = before;
	size_t at = 0;
	while (at < kept_n && kept[at].seq < seq)
		at++;
	ck_assert_uint_lt(kept_n, KEPT);
	memmove(&kept[at + 1], &kept[at], (kept_n++ - at) * sizeof kept[0]);
	kept[at].seq = seq;
	kept[at].n = record.n;
	kept[at].p = malloc(record.n);
	memcpy(kept[at].p, record.p, record.n);
	return 0;
}

static const struct spool_sink sink = { put, del, NULL };
static struct spool_limits limits;
static struct spool o;
static struct now now;

static void setup(void)
{
	kept_n = 0;
	good_calls = -1;
	limits = (struct spool_limits){ 1 << 20, 3600 * SEC_US };
	now = (struct now){ .mono_us = 50 * SEC_US, .unix_us = UINT64_C(1800000000) * SEC_US };
	spool_init(&o, 7);
}

static void teardown(void)
{
	spool_done(&o);
	while (kept_n)
		free(kept[--kept_n].p);
}

static int add(const char *body)
{
	struct spool_message m = { .kind = KIND_DOWNLINK_ACK, .unix_us = now.unix_us, .device_id = STR("dev1"), .has_dev_eui = true,
		.dev_eui = 0x70B3D57ED0051234, .body = str_of(body) };
	return spool_add(&o, &sink, &m, &limits, now.mono_us);
}

static void add_n(size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert_int_eq(add("{}"), 0);
}

/** Another process finds what the store kept, some time later; its monotonic clock begins again. */
static void crash(uint64_t later_us)
{
	spool_done(&o);
	spool_init(&o, 7);
	now.unix_us += later_us;
	now.mono_us = 3 * SEC_US;
	for (size_t i = 0; i < kept_n; i++)
		ck_assert_int_eq(spool_load(&o, kept[i].seq, (struct slice){ kept[i].p, kept[i].n }, limits.age_us, &now), 0);
}

static struct spool_message read_back(uint64_t seq, enum spool_state *ret_state)
{
	struct spool_message m;
	size_t i = 0;
	while (i < kept_n && kept[i].seq != seq)
		i++;
	ck_assert_uint_lt(i, kept_n);
	ck_assert_int_eq(spool_read((struct slice){ kept[i].p, kept[i].n }, &m, ret_state), 0);
	return m;
}

static uint64_t next(size_t max_out)
{
	spool_is_durable(&o, o.next);
	const struct spool_entry *e = spool_next(&o, max_out);
	return e ? e->seq : 0;
}

START_TEST(a_message_comes_back_as_it_was_kept)
{
	enum spool_state state;
	ck_assert_int_eq(add("{\"a\":1}"), 0);
	uint64_t seq = next(1);
	struct spool_message m = read_back(seq, &state);
	ck_assert_int_eq(state, SPOOL_WAITING);
	ck_assert_int_eq(m.kind, KIND_DOWNLINK_ACK);
	ck_assert(str_is(m.device_id, "dev1"));
	ck_assert(m.has_dev_eui && m.dev_eui == 0x70B3D57ED0051234);
	ck_assert_uint_eq(m.unix_us, now.unix_us);
	ck_assert(str_is(m.body, "{\"a\":1}"));
}
END_TEST

START_TEST(messages_are_sent_in_order_and_no_more_at_a_time_than_asked_for)
{
	add_n(5);
	ck_assert_uint_eq(next(2), 1);
	ck_assert_uint_eq(next(2), 2);
	ck_assert_uint_eq(next(2), 0);
	ck_assert_int_eq(spool_delete(&o, &sink, 2), 0);
	ck_assert_uint_eq(next(2), 3);
	ck_assert_uint_eq(next(2), 0);
	/* One that comes back stands at its place again. */
	spool_return(&o, 1);
	ck_assert_uint_eq(next(2), 1);
	spool_return_all(&o);
	ck_assert_uint_eq(o.n_out, 0);
	ck_assert_uint_eq(next(9), 1);
	ck_assert_uint_eq(next(9), 3);
	ck_assert_uint_eq(next(9), 4);
	ck_assert_uint_eq(next(9), 5);
	ck_assert_uint_eq(next(9), 0);
}
END_TEST

START_TEST(what_is_not_on_disk_yet_is_not_sent)
{
	add_n(2);
	ck_assert_ptr_null(spool_next(&o, 9));
	spool_is_durable(&o, 2);
	ck_assert_uint_eq(spool_next(&o, 9)->seq, 1);
	ck_assert_ptr_null(spool_next(&o, 9));
	crash(SEC_US);
	ck_assert_uint_eq(spool_next(&o, 9)->seq, 1);
	ck_assert_uint_eq(spool_next(&o, 9)->seq, 2);
}
END_TEST

START_TEST(what_is_gone_may_be_named_again_without_harm)
{
	add_n(1);
	ck_assert_int_eq(spool_delete(&o, &sink, 1), 0);
	ck_assert_int_eq(spool_delete(&o, &sink, 1), 0);
	ck_assert_int_eq(spool_received(&o, &sink, 1), 0);
	spool_return(&o, 1);
	spool_return(&o, 99);
	ck_assert_ptr_null(spool_find(&o, 1));
	ck_assert_uint_eq(o.n + o.n_out + o.bytes, 0);
}
END_TEST

START_TEST(after_a_crash_everything_unanswered_waits_again_in_order)
{
	add_n(3);
	next(9), next(9);
	ck_assert_int_eq(spool_delete(&o, &sink, 1), 0);
	crash(SEC_US);
	ck_assert_uint_eq(o.n, 2);
	ck_assert_uint_eq(o.n_out, 0);
	ck_assert_uint_eq(o.loaded, 3);
	ck_assert_uint_eq(next(9), 2);
	ck_assert_uint_eq(next(9), 3);
}
END_TEST

START_TEST(what_the_peer_has_received_is_kept_without_its_body_and_survives_a_crash)
{
	enum spool_state state;
	add_n(2);
	uint64_t before = o.bytes;
	ck_assert_uint_eq(next(9), 1);
	ck_assert_int_eq(spool_received(&o, &sink, 1), 0);
	ck_assert_uint_lt(o.bytes, before);
	ck_assert_uint_eq(read_back(1, &state).body.n, 0);
	ck_assert_int_eq(state, SPOOL_RECEIVED);
	crash(SEC_US);
	const struct spool_entry *e = spool_next(&o, 9);
	ck_assert_uint_eq(e->seq, 1);
	ck_assert_int_eq(e->state, SPOOL_RECEIVED);
	ck_assert_int_eq(e->kind, KIND_DOWNLINK_ACK);
	e = spool_next(&o, 9);
	ck_assert_uint_eq(e->seq, 2);
	ck_assert_int_eq(e->state, SPOOL_WAITING);
}
END_TEST

START_TEST(a_number_is_never_used_again_whatever_crashed)
{
	uint64_t last = 0;
	for (int round = 0; round < 4; round++) {
		add_n(SPOOL_BLOCK / 3);
		while (o.n) {
			spool_is_durable(&o, o.next);
			const struct spool_entry *e = spool_next(&o, 1);
			ck_assert_uint_gt(e->seq, last);
			last = e->seq;
			ck_assert_int_eq(spool_delete(&o, &sink, e->seq), 0);
		}
		crash(0);
		ck_assert_uint_gt(o.next, last);
	}
}
END_TEST

START_TEST(the_oldest_gives_way_where_there_is_too_much)
{
	add_n(1);
	uint64_t one = o.bytes;
	limits.bytes = 5 * one;
	add_n(7);
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 3);
	ck_assert_uint_eq(o.n, 5);
	ck_assert_uint_eq(next(1), 4);
	ck_assert_uint_eq(kept_n, 5 + 1); /* and the reservation */
	/* Neither what is out nor what was received: both may be known to the peer. */
	ck_assert_uint_eq(next(2), 5);
	ck_assert_int_eq(spool_received(&o, &sink, 5), 0);
	spool_return_all(&o);
	next(1);
	limits.bytes = 1;
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 3);
	ck_assert_ptr_nonnull(spool_find(&o, 4));
	ck_assert_ptr_nonnull(spool_find(&o, 5));
	ck_assert_uint_eq(o.n, 2);
}
END_TEST

START_TEST(what_is_too_old_is_dropped_when_its_time_comes)
{
	ck_assert_uint_eq(spool_deadline(&o), UINT64_MAX);
	add_n(1);
	now.mono_us += 60 * SEC_US;
	add_n(1);
	ck_assert_uint_eq(spool_deadline(&o), 50 * SEC_US + limits.age_us);
	ck_assert_uint_eq(spool_age_us(&o, &limits, now.mono_us), 60 * SEC_US);
	now.mono_us = spool_deadline(&o) - 1;
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 0);
	now.mono_us++;
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 1);
	ck_assert_uint_eq(next(1), 2);
}
END_TEST

START_TEST(age_goes_on_over_a_restart_and_by_a_clock_that_was_set_only)
{
	add_n(1);
	crash(600 * SEC_US);
	ck_assert_uint_eq(spool_deadline(&o), now.mono_us + limits.age_us - 600 * SEC_US);
	/* Longer away than it may wait. */
	crash(2 * limits.age_us);
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 1);
	/* A board without a clock of its own began in 1970. */
	now.unix_us = 100 * SEC_US;
	add_n(1);
	crash(UINT64_C(1800000000) * SEC_US);
	ck_assert_uint_eq(spool_deadline(&o), now.mono_us + limits.age_us);
}
END_TEST

START_TEST(where_the_store_fails_nothing_changes)
{
	good_calls = 0;
	ck_assert_int_eq(add("{}"), -EIO);
	good_calls = 1;
	ck_assert_int_eq(add("{}"), -EIO); /* reserved, and not written */
	ck_assert_uint_eq(o.n, 0);
	add_n(2);
	ck_assert_uint_eq(next(1), 1);
	good_calls = 0;
	ck_assert_int_eq(spool_received(&o, &sink, 1), -EIO);
	ck_assert_int_eq(spool_find(&o, 1)->state, SPOOL_WAITING);
	good_calls = 0;
	ck_assert_int_eq(spool_delete(&o, &sink, 1), -EIO);
	ck_assert_ptr_nonnull(spool_find(&o, 1));
	good_calls = 0;
	limits.bytes = 0;
	ck_assert_uint_eq(spool_trim(&o, &sink, &limits, now.mono_us), 0);
	ck_assert_uint_eq(o.n, 2);
}
END_TEST

START_TEST(what_was_added_last_can_be_taken_back)
{
	add_n(2);
	spool_take_back(&o, &sink);
	ck_assert_uint_eq(o.n, 1);
	ck_assert_uint_eq(kept_n, 2);
	add_n(1);
	ck_assert_uint_eq(next(9), 1);
	ck_assert_uint_eq(next(9), 3);
}
END_TEST

START_TEST(of_those_that_are_out_no_two_share_a_packet_id)
{
	add_n(2);
	o.next = o.reserved = 1 + SPOOL_SPAN; /* as after many restarts */
	add_n(1);
	ck_assert_uint_eq(next(9), 1);
	ck_assert_uint_eq(next(9), 2);
	ck_assert_uint_eq(next(9), 0);
	ck_assert_int_eq(spool_delete(&o, &sink, 1), 0);
	ck_assert_uint_eq(next(9), 1 + SPOOL_SPAN);
}
END_TEST

START_TEST(a_damaged_record_is_refused)
{
	struct spool_message m;
	enum spool_state state;
	add_n(1);
	struct slice good = { kept[1].p, kept[1].n };
	uint8_t bad[64];
	for (size_t n = 0; n < good.n - 2; n++)
		ck_assert_int_eq(spool_read((struct slice){ good.p, n }, &m, &state), -EPROTO);
	const struct { size_t at; uint8_t v; } spoilt[] = { { 0, 9 }, { 1, 2 }, { 2, KIND_N }, { 20, 255 } };
	for (size_t i = 0; i < COUNT(spoilt); i++) {
		memcpy(bad, good.p, good.n);
		bad[spoilt[i].at] = spoilt[i].v;
		ck_assert_int_eq(spool_read((struct slice){ bad, good.n }, &m, &state), -EPROTO);
	}
	spool_done(&o);
	spool_init(&o, 7);
	ck_assert_int_eq(spool_load(&o, 0, (struct slice){ bad, 3 }, limits.age_us, &now), -EPROTO);
	ck_assert_int_eq(spool_load(&o, 5, good, limits.age_us, &now), 0);
	ck_assert_int_eq(spool_load(&o, 5, good, limits.age_us, &now), -EPROTO);
	ck_assert_uint_eq(o.next, 6);
}
END_TEST

START_TEST(clearing_leaves_nothing_in_the_store)
{
	add_n(20);
	next(1);
	ck_assert_int_eq(spool_clear(&o, &sink), 0);
	ck_assert_uint_eq(kept_n, 0);
	ck_assert_uint_eq(o.n + o.n_out + o.bytes, 0);
}
END_TEST

/** Against a list that is simple and slow. */
START_TEST(any_mixture_keeps_order_and_sums)
{
	struct rng_seeded seeded;
	struct rng rng = rng_seeded(&seeded, (uint64_t)_i + 1);
	uint64_t model[KEPT], model_n = 0, given = 0;
	for (int step = 0; step < 600; step++) {
		uint64_t dice = rng_below(&rng, 10), at = model_n ? rng_below(&rng, model_n < 8 ? model_n : 8) : 0;
		if (dice < 5 && model_n < 200) {
			ck_assert_int_eq(add("{}"), 0);
			given = o.next - 1;
			model[model_n++] = given;
		} else if (model_n && dice < 9) {
			ck_assert_int_eq(spool_delete(&o, &sink, model[at]), 0);
			memmove(&model[at], &model[at + 1], (--model_n - at) * sizeof model[0]);
		} else if (dice == 9 && rng_below(&rng, 20) == 0) {
			crash(SEC_US);
		}
		ck_assert_uint_eq(o.n, model_n);
		uint64_t bytes = 0, wrong = 0;
		for (size_t i = 0; i < model_n; i++) {
			wrong += o.v[o.head + i].seq != model[i];
			bytes += o.v[o.head + i].size;
		}
		ck_assert_uint_eq(wrong, 0);
		ck_assert_uint_eq(o.bytes, bytes);
	}
}
END_TEST

START_TEST(waiting_doubles_up_to_its_most_and_differs_by_chance)
{
	ck_assert_uint_eq(backoff_us(1, 1000, 60000, 0), 1000);
	ck_assert_uint_eq(backoff_us(2, 1000, 60000, 0), 2000);
	ck_assert_uint_eq(backoff_us(6, 1000, 60000, 0), 32000);
	ck_assert_uint_eq(backoff_us(7, 1000, 60000, 0), 60000);
	ck_assert_uint_eq(backoff_us(UINT32_MAX, 1000, 60000, 0), 60000);
	for (uint64_t chance = 0; chance < 5000; chance++) {
		uint64_t us = backoff_us(3, 1000, 60000, chance * 7919);
		ck_assert(us >= 2000 && us <= 4000);
	}
	ck_assert_uint_eq(backoff_us(1, 1, 1, 5), 1);
	ck_assert_uint_eq(backoff_us(1, 0, 0, 5), 0);
}
END_TEST

START_TEST(kinds_are_found_by_the_end_of_their_topic)
{
	ck_assert_int_eq(message_kind_of(STR("up")), KIND_UPLINK_MESSAGE);
	ck_assert_int_eq(message_kind_of(STR("down/nack")), KIND_DOWNLINK_NACK);
	ck_assert_int_eq(message_kind_of(STR("down")), KIND_N);
	ck_assert_int_eq(message_kind_of(STR("")), KIND_N);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("spool");
	TCase *all = tcase_create("all");
	tcase_add_checked_fixture(all, setup, teardown);
	tcase_add_test(all, a_message_comes_back_as_it_was_kept);
	tcase_add_test(all, messages_are_sent_in_order_and_no_more_at_a_time_than_asked_for);
	tcase_add_test(all, what_is_not_on_disk_yet_is_not_sent);
	tcase_add_test(all, what_is_gone_may_be_named_again_without_harm);
	tcase_add_test(all, after_a_crash_everything_unanswered_waits_again_in_order);
	tcase_add_test(all, what_the_peer_has_received_is_kept_without_its_body_and_survives_a_crash);
	tcase_add_test(all, a_number_is_never_used_again_whatever_crashed);
	tcase_add_test(all, the_oldest_gives_way_where_there_is_too_much);
	tcase_add_test(all, what_is_too_old_is_dropped_when_its_time_comes);
	tcase_add_test(all, age_goes_on_over_a_restart_and_by_a_clock_that_was_set_only);
	tcase_add_test(all, where_the_store_fails_nothing_changes);
	tcase_add_test(all, what_was_added_last_can_be_taken_back);
	tcase_add_test(all, of_those_that_are_out_no_two_share_a_packet_id);
	tcase_add_test(all, a_damaged_record_is_refused);
	tcase_add_test(all, clearing_leaves_nothing_in_the_store);
	tcase_add_loop_test(all, any_mixture_keeps_order_and_sums, 0, 5);
	tcase_add_test(all, waiting_doubles_up_to_its_most_and_differs_by_chance);
	tcase_add_test(all, kinds_are_found_by_the_end_of_their_topic);
	suite_add_tcase(s, all);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
