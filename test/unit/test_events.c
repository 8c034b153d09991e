/** @file The table of events, and the page proto/EVENTS.md, which GODWIT_UPDATE=1 writes anew. */
#include "proto/events.h"
#include "proto/schema.h"
#include "test/unit/page.h"
#include <string.h>

START_TEST(each_name_is_there_once_and_says_its_process)
{
	static const char *const prefixes[] = { "gs.", "ns.", "as." };
	for (int i = 0; i < EVENT_N; i++) {
		const struct event_info *e = events_info((enum event_id)i);
		enum event_id found;
		ck_assert_int_eq(events_find(str_of(e->name), &found), 0);
		ck_assert_msg((int)found == i, "%s stands twice", e->name);
		ck_assert_uint_lt(strlen(e->name), sizeof((struct trace_event *)0)->name);
		bool is_own = !strncmp(e->name, prefixes[e->process], 3), is_js = e->process == EVENT_PROCESS_AS && !strncmp(e->name, "js.", 3);
		ck_assert_msg(is_own || is_js, "%s is not of its process", e->name);
		ck_assert_uint_gt(strlen(e->meaning), 0);
	}
}
END_TEST

START_TEST(names_say_what_is_a_failure)
{
	ck_assert(events_is_failure(STR("gs.up.drop")));
	ck_assert(events_is_failure(STR("ns.down.data.schedule.skip")));
	ck_assert(events_is_failure(STR("as.down.data.nack.forward")));
	ck_assert(!events_is_failure(STR("ns.up.data.process")));
	ck_assert(!events_is_failure(STR("gs.gateway.disconnect")));
	/* A newer peer's. */
	ck_assert(events_is_failure(STR("ns.up.relay.drop")));
	ck_assert(!events_is_failure(STR("ns.up.relay.process")));
	for (int i = 0; i < EVENT_N; i++) {
		const struct event_info *e = events_info((enum event_id)i);
		const char *last = strrchr(e->name, '.');
		if (!strcmp(last, ".fail") || !strcmp(last, ".drop") || !strcmp(last, ".reject") || !strcmp(last, ".lost"))
			ck_assert_msg(e->outcome == EVENT_OUTCOME_FAIL, "%s is no failure?", e->name);
		if (!strcmp(last, ".success") || !strcmp(last, ".receive") || !strcmp(last, ".accept"))
			ck_assert_msg(e->outcome == EVENT_OUTCOME_STEP, "%s is no step?", e->name);
	}
}
END_TEST

START_TEST(levels_leave_out_steps_or_all)
{
	enum event_level l;
	ck_assert_int_eq(events_level_parse(STR("failures"), &l), 0);
	ck_assert(events_is_told(EVENT_GS_UP_DROP, l));
	ck_assert(events_is_told(EVENT_GS_GATEWAY_CONNECT, l));
	ck_assert(!events_is_told(EVENT_GS_UP_RECEIVE, l));
	ck_assert_int_eq(events_level_parse(STR("off"), &l), 0);
	ck_assert(!events_is_told(EVENT_GS_UP_DROP, l));
	ck_assert_int_eq(events_level_parse(STR("all"), &l), 0);
	ck_assert(events_is_told(EVENT_GS_UP_RECEIVE, l));
	ck_assert_int_eq(events_level_parse(STR("some"), &l), -EINVAL);
	ck_assert_int_eq(events_level_parse(STR(""), &l), -EINVAL);
}
END_TEST

START_TEST(each_member_of_data_is_explained)
{
	for (int i = 0; i < EVENT_N; i++) {
		struct str rest = str_of(events_info((enum event_id)i)->data), one;
		while (rest.n && !str_is(rest, "*")) {
			rest = str_cut(rest, ' ', &one);
			ck_assert_msg(events_data_info(one), "%.*s of %s", (int)one.n, one.p, events_info((enum event_id)i)->name);
		}
	}
	ck_assert(events_has_data(EVENT_GS_UP_RECEIVE, STR("snr")));
	ck_assert(!events_has_data(EVENT_GS_UP_RECEIVE, STR("sn")));
	ck_assert(events_has_data(EVENT_GS_STATUS_RECEIVE, STR("rxnb")));
	ck_assert_ptr_null(events_data_info(STR("nonsense")));
}
END_TEST

/* The MAC engine counts on it. */
START_TEST(answers_follow_their_requests)
{
	for (int i = 0; i < EVENT_N; i++) {
		const char *name = events_info((enum event_id)i)->name, *dot = strrchr(name, '.');
		size_t n = (size_t)(dot - name);
		if (strncmp(name, "ns.mac.", 7) || strcmp(dot, ".request") || !strncmp(name, "ns.mac.force_rejoin", n))
			continue;
		const char *answer = events_info((enum event_id)(i + 1))->name;
		ck_assert_msg(!strncmp(answer, name, n) && !strncmp(answer + n, ".answer", 7), "%s", name);
		if (!strcmp(answer + n, ".answer.accept")) {
			const char *reject = events_info((enum event_id)(i + 2))->name;
			ck_assert_msg(!strncmp(reject, name, n) && !strcmp(reject + n, ".answer.reject"), "%s", name);
		}
	}
}
END_TEST

START_TEST(the_page_of_events_is_fresh)
{
	AUTO(text_done) struct text page = text_growing(PAGE_MAX);
	events_print_doc(&page);
	page_is("proto/EVENTS.md", &page, "test_events");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("events");
	TCase *t = tcase_create("table");
	tcase_add_test(t, each_name_is_there_once_and_says_its_process);
	tcase_add_test(t, names_say_what_is_a_failure);
	tcase_add_test(t, levels_leave_out_steps_or_all);
	tcase_add_test(t, each_member_of_data_is_explained);
	tcase_add_test(t, answers_follow_their_requests);
	tcase_add_test(t, the_page_of_events_is_fresh);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
