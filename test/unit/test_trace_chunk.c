/** @file Events in chunks: all that was put in comes out, the index says where to look and never where not to, and nothing
 * damaged is believed. */
#include "as/core/trace/chunk.h"
#include "common/core/seal.h"
#include "common/core/rng.h"
#include "proto/cids.h"
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct chunk chunk;
static struct trace_event scratch;
static uint8_t octets[CHUNK_KEPT_MAX], room[CHUNK_MAX];

static struct trace_event event(uint64_t number)
{
	struct trace_event e = { .time_unix_us = 1000 + number, .process = (uint32_t)(number % 2) };
	struct ulid id = { .b = { 1 } };
	memcpy(id.b + 8, &number, sizeof number);
	snprintf(e.name, sizeof e.name, "ns.test.%u", (unsigned)(number % 3));
	CIDS_ADD(&e.cids, CID_GS_UPLINK, id);
	MSG_MARK(&e, cids);
	MSG_SET(&e, device, number % 7 + 1);
	if (number % 2) {
		snprintf(e.gateway_id, sizeof e.gateway_id, "gtw%u", (unsigned)(number % 5));
		MSG_MARK(&e, gateway_id);
	}
	return e;
}

static uint64_t fill(uint64_t from)
{
	chunk_init(&chunk);
	for (;; from++) {
		struct trace_event e = event(from);
		if (chunk_add(&chunk, &e, "app1", (struct slice){ 0 }) == CHUNK_E_FULL)
			return from;
	}
}

START_TEST(what_was_put_in_comes_out_in_order)
{
	struct slice records;
	size_t at = 0;
	uint64_t n = fill(0);
	ck_assert_uint_gt(n, 500);
	size_t kept = chunk_value(&chunk, octets);
	ck_assert_int_eq(chunk_open((struct slice){ octets, kept }, room, &records), 0);
	ck_assert_uint_lt(kept, records.n / 2); /* events repeat themselves */
	ck_assert_uint_eq(records.n, chunk_records(&chunk).n);
	for (uint64_t i = 0; i < n; i++) {
		struct trace_event e = event(i);
		ck_assert_int_eq(chunk_next(records, &at, &scratch), 0);
		ck_assert_uint_eq(scratch.time_unix_us, e.time_unix_us);
		ck_assert_str_eq(scratch.name, e.name);
		ck_assert_int_eq(scratch.cids.len, 1);
		ck_assert(ulid_eq(&scratch.cids.v[0].id, &e.cids.v[0].id));
	}
	ck_assert_int_eq(chunk_next(records, &at, &scratch), -ENOENT);
}
END_TEST

START_TEST(the_index_has_whatever_the_events_are_about)
{
	struct chunk_index index;
	uint64_t n = fill(5), false_ones = 0;
	size_t len = chunk_index(&chunk, octets);
	ck_assert_int_eq(chunk_index_read((struct slice){ octets, len }, &index), 0);
	ck_assert_uint_eq(index.events, n - 5);
	ck_assert_uint_eq(index.octets, chunk.len);
	ck_assert_uint_eq(index.first_us, 1005);
	ck_assert_uint_eq(index.last_us, 1000 + n - 1);
	ck_assert_uint_eq(index.processes, 3);
	for (uint64_t i = 5; i < n; i++) {
		struct trace_event e = event(i);
		ck_assert(chunk_may_have(&index, print_cid(&e.cids.v[0])));
		ck_assert(chunk_may_have(&index, print_device(e.device)));
		ck_assert(chunk_may_have(&index, print_name(e.name)));
		ck_assert(!MSG_HAS(&e, gateway_id) || chunk_may_have(&index, print_gateway(e.gateway_id)));
	}
	ck_assert(chunk_may_have(&index, print_application("app1")));
	for (uint64_t i = n; i < n + 100000; i++) {
		struct trace_event e = event(i);
		false_ones += chunk_may_have(&index, print_cid(&e.cids.v[0]));
	}
	ck_assert_uint_lt(false_ones, 5);
	ck_assert(!chunk_may_have(&index, print_application("app2")));
	ck_assert(!chunk_may_have(&index, print_gateway("ns.test.1")));
}
END_TEST

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

START_TEST(one_of_many_is_found_wherever_it_stands)
{
	struct chunk_index index;
	uint32_t wanted[64];
	fill(0);
	size_t len = chunk_index(&chunk, octets);
	ck_assert_int_eq(chunk_index_read((struct slice){ octets, len }, &index), 0);
	for (size_t k = 0; k < COUNT(wanted); k++) {
		for (size_t i = 0; i < COUNT(wanted); i++)
			wanted[i] = print_device(100 + i);
		qsort(wanted, COUNT(wanted), sizeof *wanted, by_value);
		ck_assert(!chunk_may_have_any(&index, wanted, COUNT(wanted)));
		wanted[k] = print_device(1 + k % 7);
		qsort(wanted, COUNT(wanted), sizeof *wanted, by_value);
		ck_assert(chunk_may_have_any(&index, wanted, COUNT(wanted)));
	}
	ck_assert(!chunk_may_have_any(&index, wanted, 0));
}
END_TEST

START_TEST(a_bit_that_fell_over_anywhere_is_noticed)
{
	struct slice records, value;
	struct chunk_index index;
	chunk_init(&chunk);
	for (uint64_t i = 0; i < 3; i++) {
		struct trace_event e = event(i);
		ck_assert_int_eq(chunk_add(&chunk, &e, "", (struct slice){ 0 }), 0);
	}
	for (int is_index = 0; is_index < 2; is_index++) {
		size_t n = is_index ? chunk_index(&chunk, octets) : chunk_value(&chunk, octets);
		value = (struct slice){ octets, n };
		ck_assert_int_eq(is_index ? chunk_index_read(value, &index) : chunk_open(value, room, &records), 0);
		for (size_t bit = 0; bit < 8 * n; bit++) {
			octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
			ck_assert_int_eq(is_index ? chunk_index_read(value, &index) : chunk_open(value, room, &records), -EBADMSG);
			octets[bit / 8] ^= (uint8_t)(1U << bit % 8);
		}
		for (size_t cut = 0; cut < n; cut++) {
			value.n = cut;
			ck_assert_int_eq(is_index ? chunk_index_read(value, &index) : chunk_open(value, room, &records), -EBADMSG);
		}
	}
}
END_TEST

START_TEST(a_chunk_is_full_before_its_index_is)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 4);
	uint64_t n = 0;
	chunk_init(&chunk);
	for (;; n++) {
		struct trace_event e = event(n);
		for (int i = 0; i < 11; i++)
			CIDS_ADD(&e.cids, CID_AS_UP, ulid_make(n, &rng));
		if (chunk_add(&chunk, &e, "app1", (struct slice){ 0 }))
			break;
	}
	ck_assert_uint_le(chunk.n_prints, CHUNK_PRINTS_MAX);
	ck_assert_uint_gt(n, 100);
	struct chunk_index index;
	size_t len = chunk_index(&chunk, octets);
	ck_assert_int_eq(chunk_index_read((struct slice){ octets, len }, &index), 0);
	ck_assert_uint_eq(index.prints.n, 4 * chunk.n_prints);
}
END_TEST

/** A chunk of nothing that repeats is kept too, and one that says it is longer than it is, is not believed. */
START_TEST(chance_has_room)
{
	struct rng_seeded seed;
	struct rng rng = rng_seeded(&seed, 9);
	struct slice records;
	chunk_init(&chunk);
	rng_fill(&rng, chunk.bytes, sizeof chunk.bytes);
	chunk.len = sizeof chunk.bytes;
	size_t n = chunk_value(&chunk, octets);
	ck_assert_uint_gt(n, CHUNK_MAX);
	ck_assert_int_eq(chunk_open((struct slice){ octets, n }, room, &records), 0);
	ck_assert_uint_eq(records.n, CHUNK_MAX);
	ck_assert_mem_eq(room, chunk.bytes, CHUNK_MAX);
	octets[7]++;
	seal_close(octets, n);
	ck_assert_int_eq(chunk_open((struct slice){ octets, n }, room, &records), -EBADMSG);
	chunk_init(&chunk);
	n = chunk_value(&chunk, octets);
	ck_assert_int_eq(chunk_open((struct slice){ octets, n }, room, &records), 0);
	ck_assert_uint_eq(records.n, 0);
}
END_TEST

/** The longest event there can be. */
START_TEST(the_largest_event_fits)
{
	struct trace_event e = { .time_unix_us = UINT64_MAX, .process = UINT32_MAX };
	e.has = UINT64_MAX;
	memset(e.name, 'n', sizeof e.name - 1);
	memset(e.gateway_id, 'g', sizeof e.gateway_id - 1);
	memset(e.application_id, 'a', sizeof e.application_id - 1);
	memset(e.data, 'd', sizeof e.data - 1);
	e.cids.len = COUNT(e.cids.v);
	e.device = e.gateway_eui = e.dev_eui = UINT64_MAX;
	e.dev_addr = UINT32_MAX;
	chunk_init(&chunk);
	ck_assert_int_eq(chunk_add(&chunk, &e, "app1", (struct slice){ 0 }), 0);
	size_t at = 0;
	ck_assert_int_eq(chunk_next(chunk_records(&chunk), &at, &scratch), 0);
	ck_assert_str_eq(scratch.data, e.data);
	ck_assert_uint_eq(scratch.time_unix_us, UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("trace_chunk");
	TCase *t = tcase_create("events in chunks");
	tcase_add_test(t, what_was_put_in_comes_out_in_order);
	tcase_add_test(t, the_index_has_whatever_the_events_are_about);
	tcase_add_test(t, one_of_many_is_found_wherever_it_stands);
	tcase_add_test(t, a_bit_that_fell_over_anywhere_is_noticed);
	tcase_add_test(t, a_chunk_is_full_before_its_index_is);
	tcase_add_test(t, chance_has_room);
	tcase_add_test(t, the_largest_event_fits);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
