/** @file What the network server's core tells of each step, and what of that is left out, logged or lost. */
#include "ns/core/state.h"
#include "test/unit/ns_life.h"
#include <check.h>

enum { TOLD_MAX = 256 };

static struct world *w;
static struct w_device *dev;
static struct trace_event told[TOLD_MAX];
static unsigned n_told, n_logged;
static uint64_t lost, logged_device;
static const struct w_say confirmed = { .port = 1, .text = "sure", .confirmed = true }, plain = { .port = 1, .text = "so" };

static void tell_as(void *ctx, enum method m, const void *msg)
{
	const struct trace_events *t = msg;
	w_tell_as(ctx, m, msg);
	if (m != NSAS_EVENT)
		return;
	struct reader r = reader_of(t->events.p, t->events.len);
	while (n_told < TOLD_MAX && !events_unpack(&r, &told[n_told], NULL))
		n_told++;
	lost += MSG_HAS(t, lost) ? t->lost : 0;
}

static bool is_logged(void *ctx, enum event_id e, uint64_t device, const char *gateway_id)
{
	(void)ctx;
	(void)e;
	(void)gateway_id;
	return logged_device && device == logged_device;
}

static void log_event(void *ctx, enum event_id id, const struct trace_event *e)
{
	(void)ctx;
	ck_assert_str_eq(events_info(id)->name, e->name);
	ck_assert_uint_eq(e->device, logged_device);
	n_logged++;
}

static void setup(void)
{
	n_told = n_logged = 0;
	lost = logged_device = 0;
	w = w_new(1);
	w_add_gateway(w, "gw0");
	w_add_gateway(w, "gw1");
	dev = w_add_device(w, "dev", false);
	w->ns->ports.tell_as = tell_as;
	w->ns->ports.is_logged = is_logged;
	w->ns->ports.log = log_event;
	w_run(w, SEC_US);
	n_told = 0;
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static const struct trace_event *find(const char *name)
{
	for (unsigned i = 0; i < n_told; i++)
		if (!strcmp(told[i].name, name))
			return &told[i];
	ck_abort_msg("%s was not told", name);
}

/** A number among an event's data. */
static uint64_t number(const struct trace_event *e, const char *member)
{
	char name[48];
	snprintf(name, sizeof name, "\"%s\":", member);
	const char *at = strstr(e->data, name);
	ck_assert_msg(at, "%s of %s: %s", member, e->name, e->data);
	return strtoull(at + strlen(name), NULL, 10);
}

START_TEST(steps_come_in_the_order_of_what_happened)
{
	static const char *const names[] = { "ns.up.data.receive", "ns.up.data.process", "ns.down.data.pull", "ns.down.data.schedule.attempt",
		"ns.down.data.schedule.success", "ns.down.transmission.success" };
	unsigned at = 0;
	w_push(w, dev, 3, "item", false);
	w_uplink(w, dev, &confirmed, 2);
	w_rest(w);
	for (unsigned i = 0; i < n_told && at < COUNT(names); i++)
		at += !strcmp(told[i].name, names[at]);
	ck_assert_msg(at == COUNT(names), "%s is missing", names[at]);
	for (unsigned i = 1; i < n_told; i++)
		ck_assert_uint_ge(told[i].time_unix_us, told[i - 1].time_unix_us);
}
END_TEST

START_TEST(a_window_has_its_moment_lead_and_margin)
{
	w_uplink(w, dev, &confirmed, 1);
	w_rest(w);
	const struct trace_event *e = find("ns.down.data.schedule.attempt");
	ck_assert_uint_eq(number(e, "window"), 1);
	uint64_t lead_us = number(e, "lead_us"), margin_us = number(e, "margin_us");
	/* RX1 begins 1 s after the end of the uplink, which was heard before it was decided. */
	ck_assert(lead_us > 0 && lead_us < SEC_US);
	ck_assert(margin_us > 0 && margin_us < lead_us);
	ck_assert_uint_gt(number(e, "airtime_us"), 0);
	char due[64], member[80];
	struct text t = text_fixed(due, sizeof due);
	clock_rfc3339(&t, (e->time_unix_us + lead_us) * 1000);
	snprintf(member, sizeof member, "\"due\":\"%s\"", due);
	ck_assert_msg(strstr(e->data, member), "%s in %s", member, e->data);
	ck_assert_uint_eq(number(find("ns.down.transmission.success"), "window"), 1);
	ck_assert_uint_ge(number(find("ns.down.transmission.success"), "duration_us"), w->ack_us);
}
END_TEST

START_TEST(the_deduplication_window_is_the_duration_of_what_merges)
{
	w_uplink(w, dev, &plain, 2);
	w_rest(w);
	const struct trace_event *e = find("ns.up.data.process");
	ck_assert_uint_eq(number(e, "gateways"), 2);
	uint64_t us = number(e, "duration_us");
	ck_assert(us >= w->config.dedup_window_us && us < w->config.dedup_window_us + 100 * MS_US);
	unsigned n = 0;
	for (size_t i = 0; i < e->cids.len; i++)
		n += e->cids.v[i].kind == CID_GS_UPLINK;
	ck_assert_msg(n == 2, "each copy's id is in it, or its gateway's events were not part of the story");
}
END_TEST

START_TEST(each_emission_has_its_own_id)
{
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	w_uplink(w, dev, &confirmed, 1);
	w_rest(w);
	const struct cid *first = NULL, *second = NULL;
	for (unsigned i = 0; i < n_told; i++) {
		const struct cid *c = CIDS_FIND(&told[i].cids, CID_NS_TRANSMISSION);
		if (!strcmp(told[i].name, "ns.down.data.schedule.attempt")) {
			ck_assert_ptr_nonnull(c);
			*(first ? &second : &first) = c;
		}
		if (!strcmp(told[i].name, "ns.down.transmission.fail") && !second)
			ck_assert(c && !memcmp(&c->id, &first->id, sizeof c->id));
	}
	ck_assert(first && second && memcmp(&first->id, &second->id, sizeof first->id));
	const struct trace_event *e = find("ns.down.data.schedule.fail");
	ck_assert_uint_eq(number(e, "attempts"), 2);
}
END_TEST

START_TEST(only_failures_are_told_where_that_is_wanted)
{
	w->ns->config.events = EVENT_LEVEL_FAILURES;
	w_push(w, dev, 3, "item", false);
	w_uplink(w, dev, &confirmed, 1);
	w_rest(w);
	ck_assert_msg(n_told == 0, "%s", told[0].name);
	ck_assert_uint_eq(w->ns->counters.events_lost, 0);
	w->gw[0].mood = w->gw[1].mood = W_REFUSES;
	w->gw[0].result = w->gw[1].result = TX_RESULT_TX_FREQ;
	w_uplink(w, dev, &confirmed, 1);
	w_rest(w);
	ck_assert_ptr_nonnull(strstr(find("ns.down.data.schedule.fail")->data, "TX_FREQ"));
	for (unsigned i = 0; i < n_told; i++)
		ck_assert_msg(events_is_failure(str_of(told[i].name)), "%s", told[i].name);
	w->ns->config.events = EVENT_LEVEL_OFF;
	n_told = 0;
	w_uplink(w, dev, &confirmed, 1);
	w_rest(w);
	ck_assert_uint_eq(n_told, 0);
}
END_TEST

START_TEST(what_is_to_be_logged_is_composed_even_if_it_is_not_told)
{
	w->ns->config.events = EVENT_LEVEL_OFF;
	struct w_device *other = w_add_device(w, "other", false);
	logged_device = dev->uid;
	w_uplink(w, other, &plain, 1);
	w_rest(w);
	ck_assert_uint_eq(n_logged, 0);
	w_uplink(w, dev, &plain, 1);
	w_rest(w);
	ck_assert_uint_eq(n_logged, 2);
	ck_assert_uint_eq(n_told, 0);
}
END_TEST

START_TEST(what_nobody_could_take_is_a_hole_in_the_story)
{
	logged_device = dev->uid;
	ns_as_down(w->ns, &w->now);
	w->as_is_up = false;
	w_uplink(w, dev, &plain, 1);
	w_rest(w);
	ck_assert_uint_eq(n_told, 0);
	ck_assert_uint_eq(w->ns->counters.events_lost, 2);
	ck_assert_msg(n_logged == 2, "the log does not depend on the application server");
	w_hello_as(w);
	w_uplink(w, dev, &plain, 1);
	w_rest(w);
	ck_assert_str_eq(told[0].name, "ns.events.lost");
	ck_assert_uint_eq(number(&told[0], "lost"), 2);
	ck_assert_uint_eq(lost, 2);
	ck_assert_str_eq(told[1].name, "ns.up.data.receive");
	/* The shell could not hand them on: they are told of next. */
	n_told = 0;
	ns_events_lost(w->ns, 5);
	w_uplink(w, dev, &plain, 1);
	w_rest(w);
	ck_assert_str_eq(told[0].name, "ns.events.lost");
	ck_assert_uint_eq(number(&told[0], "lost"), 5);
}
END_TEST

START_TEST(a_gs_is_told_under_which_addresses_a_device_is_heard)
{
	struct log_rule r = { .level = 3 };
	MSG_SET(&r, device, dev->uid);
	ns_heard_as(w->ns, &r);
	ck_assert_uint_eq(r.dev_addrs.len, 1);
	ck_assert_uint_eq(r.dev_addrs.v[0].dev_addr, dev->dev_addr);
	r.device = 999;
	ns_heard_as(w->ns, &r);
	ck_assert_uint_eq(r.dev_addrs.len, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_events");
	TCase *t = tcase_create("events");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, steps_come_in_the_order_of_what_happened);
	tcase_add_test(t, a_window_has_its_moment_lead_and_margin);
	tcase_add_test(t, the_deduplication_window_is_the_duration_of_what_merges);
	tcase_add_test(t, each_emission_has_its_own_id);
	tcase_add_test(t, only_failures_are_told_where_that_is_wanted);
	tcase_add_test(t, what_is_to_be_logged_is_composed_even_if_it_is_not_told);
	tcase_add_test(t, what_nobody_could_take_is_a_hole_in_the_story);
	tcase_add_test(t, a_gs_is_told_under_which_addresses_a_device_is_heard);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
