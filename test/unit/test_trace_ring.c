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

static bool collect(void *ctx, const struct trace_event *e)
{
	struct { uint64_t t[64]; size_t n; } *got = ctx;
	got->t[got->n++] = e->time_unix_us;
	return got->n < 64;
}

START_TEST(the_oldest_make_room_for_the_newest)
{
	struct { uint64_t t[64]; size_t n; } got = { .n = 0 };
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
}
END_TEST

START_TEST(a_story_holds_what_its_messages_caused_and_not_the_whole_connection)
{
	struct story s = { .n = 1, .ids = { { .kind = CID_GS_UPLINK, .id = { { 1 } } } } };
	struct trace_event up = event(1, CID_GS_UPLINK, 1), down = event(2, CID_NS_TRANSMISSION, 2), ack = event(3, CID_NS_TRANSMISSION, 2),
		other = event(4, CID_GS_UPLINK, 9);
	CIDS_ADD(&up.cids, CID_GS_CONN, ((struct ulid){ { 5 } }));
	CIDS_ADD(&other.cids, CID_GS_CONN, ((struct ulid){ { 5 } }));
	CIDS_ADD(&down.cids, CID_GS_UPLINK, ((struct ulid){ { 1 } }));
	ck_assert(story_has(&s, &up));
	ck_assert(story_has(&s, &down));
	ck_assert(!story_has(&s, &ack));
	story_follow(&s, &up);
	story_follow(&s, &down);
	ck_assert(story_has(&s, &ack));
	ck_assert(!story_has(&s, &other));
}
END_TEST

START_TEST(an_applications_own_id_is_found_in_the_data)
{
	struct story s = { .own = "my-id-7" };
	struct trace_event push = event(1, CID_AS_DOWNLINK, 1), sent = event(2, CID_AS_DOWNLINK, 1), similar = event(3, CID_AS_DOWNLINK, 2);
	strcpy(push.data, "{\"correlation_ids\":[\"my-id-7\"]}");
	MSG_MARK(&push, data);
	strcpy(similar.data, "{\"correlation_ids\":[\"my-id-77\"]}");
	MSG_MARK(&similar, data);
	ck_assert(story_has(&s, &push));
	ck_assert(!story_has(&s, &similar));
	ck_assert(!story_has(&s, &sent));
	story_follow(&s, &push);
	ck_assert(story_has(&s, &sent));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace_ring");
	TCase *t = tcase_create("memory of events");
	tcase_add_test(t, the_oldest_make_room_for_the_newest);
	tcase_add_test(t, a_story_holds_what_its_messages_caused_and_not_the_whole_connection);
	tcase_add_test(t, an_applications_own_id_is_found_in_the_data);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
