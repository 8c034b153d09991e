/** @file Events one after another: octets as the page says, and what a damaged or full pack costs. */
#include "proto/event_pack.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct trace_event event_of(const char *name, uint64_t time_unix_us)
{
	struct trace_event e = { .time_unix_us = time_unix_us, .process = 1 };
	snprintf(e.name, sizeof e.name, "%s", name);
	return e;
}

START_TEST(the_octets_are_a_length_and_msgpack)
{
	/* By hand from the msgpack specification: a map of three, 1: "ab", 2: 7, 3: 1. */
	static const uint8_t expected[] = { 0, 9, 0x83, 1, 0xa2, 'a', 'b', 2, 7, 3, 1 };
	struct trace_event e = event_of("ab", 7);
	uint8_t buf[64];
	struct writer w = writer_of(buf, sizeof buf);
	ck_assert_int_eq(events_pack(&w, &e), 0);
	ck_assert_uint_eq(w.len, sizeof expected);
	ck_assert_mem_eq(buf, expected, sizeof expected);
}
END_TEST

START_TEST(they_come_back_in_order_with_their_octets)
{
	uint8_t buf[256];
	struct writer w = writer_of(buf, sizeof buf);
	struct trace_event e;
	struct slice octets;
	size_t sum = 0;
	for (uint64_t i = 0; i < 5; i++) {
		e = event_of("gs.up.receive", i);
		ck_assert_int_eq(events_pack(&w, &e), 0);
	}
	struct reader r = reader_of(buf, w.len);
	for (uint64_t i = 0; i < 5; i++) {
		ck_assert_int_eq(events_unpack(&r, &e, &octets), 0);
		ck_assert_uint_eq(e.time_unix_us, i);
		ck_assert_ptr_eq(octets.p, buf + sum);
		sum += octets.n;
	}
	ck_assert_uint_eq(sum, w.len);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), -ENOENT);
}
END_TEST

START_TEST(one_without_room_leaves_the_pack_as_it_was)
{
	struct trace_event e = event_of("gs.up.receive", 1);
	uint8_t buf[64];
	struct writer whole = writer_of(buf, sizeof buf);
	ck_assert_int_eq(events_pack(&whole, &e), 0);
	for (size_t room = 0; room < whole.len; room++) {
		struct writer w = { .p = buf, .len = whole.len, .cap = whole.len + room };
		ck_assert_int_eq(events_pack(&w, &e), -ENOSPC);
		ck_assert_uint_eq(w.len, whole.len);
		ck_assert(!w.failed);
	}
}
END_TEST

START_TEST(the_largest_has_room)
{
	struct trace_event *e = malloc(sizeof *e);
	uint8_t buf[EVENT_PACKED_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	ck_assert_ptr_nonnull(e);
	memset(e, 0xff, sizeof *e);
	memset(e->name, 'n', sizeof e->name - 1);
	memset(e->data, 'd', sizeof e->data - 1);
	memset(e->gateway_id, 'g', sizeof e->gateway_id - 1);
	memset(e->application_id, 'a', sizeof e->application_id - 1);
	e->cids.len = COUNT(e->cids.v);
	ck_assert_int_eq(events_pack(&w, e), 0);
	free(e);
}
END_TEST

START_TEST(a_damaged_one_costs_itself)
{
	struct trace_events *m = calloc(1, sizeof *m);
	struct trace_event e = event_of("x", 1);
	ck_assert_ptr_nonnull(m);
	struct writer w = writer_of(m->events.p, sizeof m->events.p);
	ck_assert_int_eq(events_pack(&w, &e), 0);
	size_t first = w.len;
	ck_assert_int_eq(events_pack(&w, &e), 0);
	m->events.p[2] = 0xc1; /* no msgpack */
	m->events.len = (uint16_t)w.len;
	ck_assert_uint_eq(events_in(m), 2);
	struct reader r = reader_of(m->events.p, m->events.len);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), -EBADMSG);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), 0);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), -ENOENT);
	m->events.len = (uint16_t)(w.len - 1); /* cut short */
	ck_assert_uint_eq(events_in(m), 1);
	r = reader_of(m->events.p + first, m->events.len - first);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), -EBADMSG);
	ck_assert_int_eq(events_unpack(&r, &e, NULL), -ENOENT);
	free(m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("event_pack");
	TCase *t = tcase_create("events one after another");
	tcase_add_test(t, the_octets_are_a_length_and_msgpack);
	tcase_add_test(t, they_come_back_in_order_with_their_octets);
	tcase_add_test(t, one_without_room_leaves_the_pack_as_it_was);
	tcase_add_test(t, the_largest_has_room);
	tcase_add_test(t, a_damaged_one_costs_itself);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
