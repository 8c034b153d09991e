/** @file The memory of events: the newest are there, in order, and a story is found by any of its ids. */
#include "as/core/trace_ring.h"
#include "proto/cids.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static uint8_t memory[1000];
static struct trace_ring ring;
static struct trace_event scratch;

static struct trace_event event(uint64_t time, enum cid_kind kind, uint8_t id)
{
	struct trace_event e = { .time_unix_us = time, .process = 1 };
	strcpy(e.name, "ns.up.data.process");
	CIDS_ADD(&e.cids, kind, ((struct ulid){ { id } }));
	MSG_MARK(&e, cids);
	return e;
}

struct times {
	uint64_t t[64], at[64];
	size_t n;
};

static bool collect(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct times *got = ctx;
	got->at[got->n] = at;
	got->t[got->n++] = e->time_unix_us;
	return got->n < 64;
}

START_TEST(the_oldest_make_room_for_the_newest)
{
	struct times got = {.n = 0};
	trace_ring_init(&ring, memory, sizeof memory);
	for (uint64_t i = 1; i <= 500; i++) {
		struct trace_event e = event(i, CID_GS_UPLINK, (uint8_t)i);
		trace_ring_add(&ring, &e);
		ck_assert_uint_le(ring.head - ring.tail, sizeof memory);
	}
	trace_ring_each(&ring, &scratch, collect, &got);
	ck_assert_uint_ge(got.n, 10);
	for (size_t i = 0; i < got.n; i++)
		ck_assert_uint_eq(got.t[i], 500 - got.n + 1 + i);
	ck_assert_uint_eq(ring.lost, 0);
	for (size_t i = 0; i < got.n; i++) {
		ck_assert_int_eq(trace_ring_at(&ring, got.at[i], &scratch), 0);
		ck_assert_uint_eq(scratch.time_unix_us, got.t[i]);
	}
	struct trace_event newer = event(501, CID_GS_UPLINK, 1);
	trace_ring_add(&ring, &newer);
	ck_assert_int_eq(trace_ring_at(&ring, got.at[0], &scratch), -ENOENT);
	ck_assert_int_eq(trace_ring_at(&ring, ring.head, &scratch), -ENOENT);
}
END_TEST

static struct story asked_for(enum cid_kind kind, uint8_t id)
{
	return (struct story){.n = 1, .n_seeds = 1, .ids = {{.kind = kind, .id = {{id}}}}};
}

START_TEST(a_story_holds_what_its_messages_caused_and_not_the_whole_connection)
{
	struct story s = asked_for(CID_GS_UPLINK, 1);
	struct trace_event up = event(1, CID_GS_UPLINK, 1), down = event(2, CID_NS_TRANSMISSION, 2),
			   ack = event(3, CID_NS_TRANSMISSION, 2), other = event(4, CID_GS_UPLINK, 9);
	CIDS_ADD(&up.cids, CID_GS_CONN, ((struct ulid){ { 5 } }));
	CIDS_ADD(&other.cids, CID_GS_CONN, ((struct ulid){ { 5 } }));
	CIDS_ADD(&down.cids, CID_GS_UPLINK, ((struct ulid){ { 1 } }));
	ck_assert(story_has(&s, &up));
	ck_assert(story_has(&s, &down));
	ck_assert(!story_has(&s, &ack));
	ck_assert(story_follow(&s, &up));
	ck_assert(story_follow(&s, &down));
	ck_assert(!story_follow(&s, &other));
	ck_assert(story_has(&s, &ack));
	ck_assert(!story_has(&s, &other));
}
END_TEST

/** Downlink 1 leaves in the window of uplink 1 and is acknowledged by uplink 2, whose window takes downlink
 * 2, and so on. */
START_TEST(a_story_does_not_go_on_through_every_acknowledgement)
{
	struct trace_event chain[16];
	struct story s = asked_for(CID_AS_DOWNLINK, 1);
	for (uint8_t i = 0; i < COUNT(chain); i++) {
		chain[i] = event(i, CID_GS_UPLINK, (uint8_t)(i / 2 + 1));
		CIDS_ADD(&chain[i].cids, CID_AS_DOWNLINK, ((struct ulid){{(uint8_t)((i + 1) / 2 + 1)}}));
	}
	for (size_t i = 0; i < COUNT(chain); i++)
		story_follow(&s, &chain[i]);
	ck_assert(story_has(&s, &chain[0]));
	ck_assert(story_has(&s, &chain[1]));
	ck_assert(!story_has(&s, &chain[4]));
	ck_assert(!story_has(&s, &chain[15]));
}
END_TEST

START_TEST(who_asks_for_a_connection_gets_all_of_it_unless_messages_are_meant)
{
	struct story s = asked_for(CID_GS_CONN, 5);
	struct trace_event up = event(1, CID_GS_UPLINK, 1), other = event(4, CID_GS_UPLINK, 9);
	CIDS_ADD(&up.cids, CID_GS_CONN, ((struct ulid){{5}}));
	CIDS_ADD(&other.cids, CID_GS_CONN, ((struct ulid){{5}}));
	ck_assert(story_follow(&s, &up));
	ck_assert(story_has(&s, &other));
	ck_assert(story_has_message(&s, &up));
	ck_assert(!story_has_message(&s, &other));
}
END_TEST

START_TEST(an_applications_own_id_is_found_in_the_data)
{
	static const struct {
		const char *data, *own;
		bool is_it;
	} rows[] = {
		{"{\"correlation_ids\":[\"my-id-7\"]}", "my-id-7", true},
		{"{\"correlation_ids\":[\"my-id-77\"]}", "my-id-7", false},
		{"{\"correlation_ids\":[\"a\",\"b\"],\"error\":\"queue_full\"}", "b", true},
		{"{\"correlation_ids\":[\"a\",\"b\"],\"error\":\"queue_full\"}", "queue_full", false},
		{"{\"correlation_ids\":[\"a\",\"b\"],\"error\":\"queue_full\"}", "error", false},
		{"{\"correlation_ids\":[\"say \\\"hi\\\"\"]}", "say \"hi\"", true},
		{"", "", false},
	};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct story s = {.own = rows[k].own};
		struct trace_event push = event(1, CID_AS_DOWNLINK, 1), sent = event(2, CID_AS_DOWNLINK, 1);
		strcpy(push.data, rows[k].data);
		MSG_MARK(&push, data);
		story_seed(&s, &sent);
		story_seed(&s, &push);
		ck_assert_int_eq(story_follow(&s, &push), rows[k].is_it);
		ck_assert_int_eq(story_has(&s, &sent), rows[k].is_it);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace_ring");
	TCase *t = tcase_create("memory of events");
	tcase_add_test(t, the_oldest_make_room_for_the_newest);
	tcase_add_test(t, a_story_holds_what_its_messages_caused_and_not_the_whole_connection);
	tcase_add_test(t, a_story_does_not_go_on_through_every_acknowledgement);
	tcase_add_test(t, who_asks_for_a_connection_gets_all_of_it_unless_messages_are_meant);
	tcase_add_test(t, an_applications_own_id_is_found_in_the_data);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
