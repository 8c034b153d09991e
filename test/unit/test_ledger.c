/** @file Airtime: conflicts, the duty cycle of EU868's sub-bands (ETSI EN 300 220), and what a crash may cost. */
#include "common/core/clock.h"
#include "common/core/err.h"
#include "ns/core/down/ledger.h"
#include "ns/core/limits.h"
#include <check.h>
#include <stdlib.h>

enum { RX1_HZ = 868100000, RX2_HZ = 869525000 };
#define START (1700000000 * SEC_US)

static struct ledger l;
static uint64_t batch, serial;

static struct ulid next_id(void)
{
	struct ulid id = { { 0 } };
	serial++;
	for (int i = 0; i < 8; i++)
		id.b[i] = (uint8_t)(serial >> 8 * i);
	return id;
}

static struct ledger_tx tx(uint32_t hz, uint64_t at_us, uint32_t airtime_us)
{
	return (struct ledger_tx){ .tmst_us = (uint32_t)at_us, .start_us = at_us, .freq_hz = hz, .airtime_us = airtime_us, .priority = PRIORITY_HIGHEST };
}

static void reserve(uint32_t hz, uint64_t now_us, uint8_t record[LEDGER_RECORD])
{
	unsigned band;
	ledger_reserve(&l, hz, now_us, ++batch, &band, record);
}

static int send_one(const struct ledger_tx *t)
{
	uint8_t record[LEDGER_RECORD];
	reserve(t->freq_hz, t->start_us, record);
	int rc = ledger_check(&l, t, batch);
	struct ulid id = next_id();
	if (rc == 0)
		ledger_book(&l, t, &id);
	return rc;
}

static void setup(void)
{
	ledger_init(&l, plan_find(STR("EU_863_870"))->region);
	batch = 0;
}

START_TEST(an_empty_ledger_takes_an_emission)
{
	struct ledger_tx t = tx(RX1_HZ, START, 50000);
	ck_assert_int_eq(ledger_check(&l, &t, 0), LEDGER_E_UNRESERVED);
	ck_assert_int_eq(send_one(&t), 0);
}
END_TEST

START_TEST(emissions_of_a_gateway_never_overlap_on_any_frequency)
{
	struct ledger_tx a = tx(RX1_HZ, START, 50000);
	ck_assert_int_eq(send_one(&a), 0);
	static const struct { int64_t after; uint32_t length; int want; } rows[] = {
		{ 0, 10000, LEDGER_E_CONFLICT }, { 49999, 1000, LEDGER_E_CONFLICT }, { 50000 + NS_GAP_US - 1, 1000, LEDGER_E_CONFLICT },
		{ 50000 + NS_GAP_US, 1000, 0 }, { -1000, 2000, LEDGER_E_CONFLICT }, { -1000 - NS_GAP_US, 1001, LEDGER_E_CONFLICT },
		{ -1000 - NS_GAP_US, 1000, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct ledger_tx t = tx(RX2_HZ, START + (uint64_t)rows[i].after, rows[i].length);
		uint8_t record[LEDGER_RECORD];
		reserve(RX2_HZ, START, record);
		ck_assert_msg(ledger_check(&l, &t, batch) == rows[i].want, "row %zu", i);
	}
}
END_TEST

START_TEST(the_counter_of_a_concentrator_wraps)
{
	struct ledger_tx a = tx(RX1_HZ, START, 50000), b = a;
	a.tmst_us = 0xffffff00;
	ck_assert_int_eq(send_one(&a), 0);
	b.tmst_us = 20000;
	ck_assert_int_eq(ledger_check(&l, &b, batch), LEDGER_E_CONFLICT);
	b.tmst_us = 50000 + NS_GAP_US;
	ck_assert_int_eq(ledger_check(&l, &b, batch), 0);
}
END_TEST

START_TEST(no_hour_holds_more_than_the_sub_band_allows)
{
	uint64_t used = 0, at = START;
	for (unsigned i = 0; i < 1000; i++, at += SEC_US) {
		struct ledger_tx t = tx(RX1_HZ, at, 400000);
		int rc = send_one(&t);
		ck_assert(rc == 0 || rc == LEDGER_E_DUTY);
		used += rc == 0 ? 400000 : 0;
	}
	ck_assert_uint_eq(used, 36 * SEC_US);
	/* The other sub-band is another budget. */
	struct ledger_tx t = tx(RX2_HZ, at, 400000);
	ck_assert_int_eq(send_one(&t), 0);
	/* An hour (and the minute that is not over) later all is free again. */
	t = tx(RX1_HZ, START + 3661 * SEC_US + 1000 * SEC_US, 400000);
	ck_assert_int_eq(send_one(&t), 0);
}
END_TEST

START_TEST(a_low_priority_leaves_room_for_a_higher_one)
{
	static const unsigned tenths[] = { 4, 5, 6, 7, 8, 9, 10 };
	uint64_t used = 0, at = START;
	for (unsigned priority = 0; priority < COUNT(tenths); priority++) {
		int rc;
		do {
			struct ledger_tx t = tx(RX1_HZ, at += SEC_US, 100000);
			t.priority = priority;
			rc = send_one(&t);
			used += rc == 0 ? 100000 : 0;
		} while (rc == 0);
		ck_assert_int_eq(rc, LEDGER_E_DUTY);
		ck_assert_uint_eq(used, 36 * SEC_US * tenths[priority] / 10);
	}
}
END_TEST

START_TEST(what_a_gateway_refused_counts_no_longer)
{
	struct ledger_tx t = tx(RX1_HZ, START, 50000);
	uint8_t record[LEDGER_RECORD];
	struct ulid id = next_id();
	reserve(RX1_HZ, START, record);
	ck_assert_int_eq(ledger_check(&l, &t, batch), 0);
	ledger_book(&l, &t, &id);
	ck_assert_int_eq(ledger_check(&l, &t, batch), LEDGER_E_CONFLICT);
	ledger_unbook(&l, &id);
	ck_assert_int_eq(ledger_check(&l, &t, batch), 0);
	unsigned band = (unsigned)(region_band(l.region, RX1_HZ) - l.region->bands);
	ck_assert_uint_eq(ledger_used_us(&l, band, START), 0);
}
END_TEST

START_TEST(nobody_sends_outside_the_sub_bands)
{
	struct ledger_tx t = tx(868650000, START, 50000);
	ck_assert_int_eq(ledger_check(&l, &t, batch), LEDGER_E_BAND);
}
END_TEST

START_TEST(an_exempt_gateway_minds_conflicts_alone)
{
	l.is_exempt = true;
	for (unsigned i = 0; i < 1000; i++) {
		struct ledger_tx t = tx(RX1_HZ, START + i * SEC_US, 800000);
		ck_assert_int_eq(ledger_check(&l, &t, 0), 0);
		struct ulid id = next_id();
		ledger_book(&l, &t, &id);
		ck_assert_int_eq(ledger_check(&l, &t, 0), LEDGER_E_CONFLICT);
	}
}
END_TEST

/* Whenever the process dies, what its records say is at least what was sent. */
START_TEST(the_law_holds_over_crashes)
{
	uint8_t disk[REGION_BANDS][LEDGER_RECORD];
	bool is_on_disk[REGION_BANDS] = { false };
	uint64_t at = START, used = 0;
	const struct region *r = l.region;
	unsigned band = (unsigned)(region_band(r, RX1_HZ) - r->bands);
	srandom(1);
	for (unsigned i = 0; i < 1500; i++, at += SEC_US) {
		uint8_t record[LEDGER_RECORD];
		unsigned b;
		if (ledger_reserve(&l, RX1_HZ, at, ++batch, &b, record)) {
			memcpy(disk[b], record, sizeof(record));
			is_on_disk[b] = true;
		}
		struct ledger_tx t = tx(RX1_HZ, at, 300000);
		if (ledger_check(&l, &t, batch) == 0) {
			struct ulid id = next_id();
			ledger_book(&l, &t, &id);
			used += t.airtime_us;
		}
		ck_assert_uint_le(used, 36 * SEC_US);
		if (random() % 100 == 0) {
			ledger_init(&l, r);
			if (is_on_disk[band])
				ck_assert_int_eq(ledger_load(&l, band, (struct slice){ disk[band], LEDGER_RECORD }, at), 0);
			ck_assert_uint_ge(ledger_used_us(&l, band, at), used);
		}
	}
	ck_assert_uint_ge(used, 10 * SEC_US);
}
END_TEST

START_TEST(a_clock_set_back_forgets_nothing)
{
	struct ledger_tx t = tx(RX1_HZ, START, 2000000);
	uint8_t record[LEDGER_RECORD];
	unsigned band;
	ck_assert_int_eq(send_one(&t), 0);
	l.band[0].left_us = 0;
	unsigned n = (unsigned)(region_band(l.region, RX1_HZ) - l.region->bands);
	l.band[n].left_us = l.band[n].asked_us = 0;
	ck_assert(ledger_reserve(&l, RX1_HZ, START, ++batch, &band, record));
	ledger_init(&l, l.region);
	ck_assert_int_eq(ledger_load(&l, band, (struct slice){ record, sizeof(record) }, START - 7200 * SEC_US), 0);
	ck_assert_uint_ge(ledger_used_us(&l, band, START - 7200 * SEC_US), 2000000);
}
END_TEST

START_TEST(a_damaged_record_is_refused)
{
	uint8_t record[LEDGER_RECORD] = { 1 };
	ck_assert_int_eq(ledger_load(&l, 0, (struct slice){ record, sizeof(record) - 1 }, START), -EBADMSG);
	record[0] = 9;
	ck_assert_int_eq(ledger_load(&l, 0, (struct slice){ record, sizeof(record) }, START), -EBADMSG);
	record[0] = 1;
	ck_assert_int_eq(ledger_load(&l, REGION_BANDS, (struct slice){ record, sizeof(record) }, START), -EBADMSG);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ledger");
	TCase *t = tcase_create("ledger");
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, an_empty_ledger_takes_an_emission);
	tcase_add_test(t, emissions_of_a_gateway_never_overlap_on_any_frequency);
	tcase_add_test(t, the_counter_of_a_concentrator_wraps);
	tcase_add_test(t, no_hour_holds_more_than_the_sub_band_allows);
	tcase_add_test(t, a_low_priority_leaves_room_for_a_higher_one);
	tcase_add_test(t, what_a_gateway_refused_counts_no_longer);
	tcase_add_test(t, nobody_sends_outside_the_sub_bands);
	tcase_add_test(t, an_exempt_gateway_minds_conflicts_alone);
	tcase_add_test(t, the_law_holds_over_crashes);
	tcase_add_test(t, a_clock_set_back_forgets_nothing);
	tcase_add_test(t, a_damaged_record_is_refused);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
