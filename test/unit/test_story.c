/** @file The story of a message: found by any of its ids, and no longer than it should be. */
#include "as/core/trace/story.h"
#include "proto/cids.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct trace_event event(uint64_t time, enum cid_kind kind, uint8_t id)
{
	struct trace_event e = { .time_unix_us = time, .process = 1 };
	strcpy(e.name, "ns.up.data.process");
	CIDS_ADD(&e.cids, kind, ((struct ulid){ { id } }));
	MSG_MARK(&e, cids);
	return e;
}

static struct story asked_for(enum cid_kind kind, uint8_t id)
{
	return (struct story){.n = 1, .n_seeds = 1, .ids = {{.kind = kind, .id = {{id}}}}, .own = "none"};
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
		{"{\"correlation_ids\":[\"gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K\"]}", "gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K", true},
		{"", "", false},
	};
	for (size_t k = 0; k < COUNT(rows); k++) {
		struct story s;
		story_ask(&s, rows[k].own);
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

/** Applications put an uplink's ids on what they answer it with: then the answer belongs to the uplink's story. */
START_TEST(an_id_of_ours_is_found_where_an_application_gave_it_too)
{
	struct story s;
	struct trace_event up = event(1, CID_GS_UPLINK, 0), push = event(2, CID_AS_DOWNLINK, 1), sent = event(3, CID_AS_DOWNLINK, 1);
	story_ask(&s, "gs:uplink:00000000000000000000000000");
	ck_assert_int_eq(s.n_seeds, 1);
	strcpy(push.data, "{\"correlation_ids\":[\"gs:uplink:00000000000000000000000000\"]}");
	MSG_MARK(&push, data);
	story_seed(&s, &up);
	story_seed(&s, &push);
	ck_assert_int_eq(s.n_seeds, 2);
	ck_assert(story_follow(&s, &up) && story_follow(&s, &push));
	ck_assert(story_has(&s, &sent));
}
END_TEST

static bool count_one(void *ctx, const char *id)
{
	size_t *n = ctx;
	char want[8];
	snprintf(want, sizeof want, "%zu", (*n)++);
	ck_assert_str_eq(id, want);
	return true;
}

/** An event's data holds a good many short ones. */
START_TEST(as_many_own_ids_are_found_as_an_event_holds)
{
	struct trace_event e = event(1, CID_AS_DOWNLINK, 1);
	struct text t = text_fixed(e.data, sizeof e.data);
	size_t n = 0, found = 0;
	text_puts(&t, "{\"correlation_ids\":[\"0\"");
	while (t.len + sizeof ",\"000\"]}" < sizeof e.data)
		text_printf(&t, ",\"%zu\"", ++n);
	text_puts(&t, "]}");
	MSG_MARK(&e, data);
	own_ids_each(&e, count_one, &found);
	ck_assert_uint_gt(n, 100);
	ck_assert_uint_eq(found, n + 1);
	uint32_t prints[PRINTS_OF_EVENT];
	ck_assert_uint_eq(prints_of(&e, "", prints), found + 2); /* its id and its name */
}
END_TEST

/** What is found by a fingerprint must have it, whatever the visit. */
START_TEST(a_visit_is_about_the_chunks_that_have_what_it_looks_for)
{
	struct story s;
	uint32_t prints[STORY_IDS], own[PRINTS_OF_EVENT];
	struct trace_event push = event(1, CID_AS_DOWNLINK, 1), up = event(2, CID_GS_UPLINK, 2);
	strcpy(push.data, "{\"correlation_ids\":[\"my-id\"]}");
	MSG_MARK(&push, data);
	CIDS_ADD(&up.cids, CID_AS_DOWNLINK, ((struct ulid){ { 1 } }));
	story_ask(&s, "my-id");
	ck_assert_uint_eq(story_prints(&s, STORY_FOLLOW, prints), 0);
	ck_assert_uint_eq(story_prints(&s, STORY_SEED, prints), 1);
	size_t n = prints_of(&push, "", own);
	ck_assert_uint_eq(own[n - 1], prints[0]);
	story_seed(&s, &push);
	ck_assert_uint_eq(story_prints(&s, STORY_FOLLOW, prints), 1);
	ck_assert_uint_eq(prints[0], print_cid(&push.cids.v[0]));
	ck_assert(story_follow(&s, &up));
	ck_assert_uint_eq(story_prints(&s, STORY_COLLECT, prints), 2);
	ck_assert_uint_lt(prints[0], prints[1]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("story");
	TCase *t = tcase_create("the story of a message");
	tcase_add_test(t, a_story_holds_what_its_messages_caused_and_not_the_whole_connection);
	tcase_add_test(t, a_story_does_not_go_on_through_every_acknowledgement);
	tcase_add_test(t, who_asks_for_a_connection_gets_all_of_it_unless_messages_are_meant);
	tcase_add_test(t, an_applications_own_id_is_found_in_the_data);
	tcase_add_test(t, an_id_of_ours_is_found_where_an_application_gave_it_too);
	tcase_add_test(t, as_many_own_ids_are_found_as_an_event_holds);
	tcase_add_test(t, a_visit_is_about_the_chunks_that_have_what_it_looks_for);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
