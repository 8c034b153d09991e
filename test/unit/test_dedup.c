/** @file Copies of a frame, and the order of gateways. */
#include "common/core/err.h"
#include "ns/core/up/dedup.h"
#include "ns/core/gateway.h"
#include "ns/core/down/path.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW (200 * MS_US)

static struct dedup d;
static struct gs_uplink up;
static const struct modu sf7 = { .kind = MODU_LORA, .sf = 7, .cr = CR_4_5, .bw_hz = 125000 };
static const struct modu sf8 = { .kind = MODU_LORA, .sf = 8, .cr = CR_4_5, .bw_hz = 125000 };

static void setup(void)
{
	ck_assert_int_eq(dedup_init(&d, WINDOW, 5), 0);
	memset(&up, 0, sizeof(up));
	up.freq_hz = 868100000;
	up.phy.len = 20;
}

static void teardown(void)
{
	dedup_done(&d);
}

static struct now at(uint64_t us)
{
	return (struct now){ .mono_us = us, .unix_us = us };
}

START_TEST(the_same_octets_and_data_rate_are_one_frame_on_any_frequency)
{
	struct now now = at(1);
	struct reception *r = dedup_add(&d, &up, &sf7, &now);
	ck_assert_ptr_eq(dedup_find(&d, &up, &sf7), r);
	ck_assert_ptr_null(dedup_find(&d, &up, &sf8));
	up.freq_hz += 200000;
	ck_assert_ptr_eq(dedup_find(&d, &up, &sf7), r);
	up.freq_hz -= 200000;
	up.phy.p[19] = 1;
	ck_assert_ptr_null(dedup_find(&d, &up, &sf7));
	up.phy.p[19] = 0;
	up.phy.len = 19;
	ck_assert_ptr_null(dedup_find(&d, &up, &sf7));
}
END_TEST

START_TEST(a_window_closes_after_the_first_copy_and_the_frame_is_known_for_a_second)
{
	struct now now = at(1000);
	struct reception *r = dedup_add(&d, &up, &sf7, &now);
	ck_assert_uint_eq(dedup_deadline_us(&d), 1000 + WINDOW);
	ck_assert_ptr_null(dedup_close(&d, 999 + WINDOW));
	ck_assert_ptr_eq(dedup_close(&d, 1000 + WINDOW), r);
	ck_assert_ptr_null(dedup_close(&d, 1000 + WINDOW));
	ck_assert_uint_eq(dedup_deadline_us(&d), 1000 + NS_LATE_US);
	dedup_forget(&d, 999 + NS_LATE_US);
	ck_assert_ptr_eq(dedup_find(&d, &up, &sf7), r);
	dedup_forget(&d, 1000 + NS_LATE_US);
	ck_assert_ptr_null(dedup_find(&d, &up, &sf7));
	ck_assert_uint_eq(dedup_deadline_us(&d), UINT64_MAX);
}
END_TEST

START_TEST(fifty_copies_are_kept_in_order_of_arrival)
{
	struct now now = at(1);
	struct reception *r = dedup_add(&d, &up, &sf7, &now);
	for (unsigned i = 0; i < NS_COPIES_MAX; i++) {
		struct copy *c = dedup_copy(&d, r);
		ck_assert_ptr_nonnull(c);
		c->uplink.b[0] = (uint8_t)(i + 1);
	}
	ck_assert_ptr_null(dedup_copy(&d, r));
	ck_assert_uint_eq(r->first->uplink.b[0], 1);
	ck_assert_uint_eq(r->last->uplink.b[0], NS_COPIES_MAX);
	ck_assert_ptr_eq(dedup_copy_of(r, &r->last->uplink), r->last);
	ck_assert_ptr_null(dedup_copy_of(r, &(struct ulid){ { 99 } }));
}
END_TEST

START_TEST(thousands_of_frames_are_found_and_forgotten)
{
	for (uint32_t i = 0; i < 20000; i++) {
		struct now now = at(1 + i);
		memcpy(up.phy.p, &i, sizeof(i));
		ck_assert_ptr_null(dedup_find(&d, &up, &sf7));
		ck_assert_ptr_nonnull(dedup_copy(&d, dedup_add(&d, &up, &sf7, &now)));
		ck_assert_ptr_nonnull(dedup_find(&d, &up, &sf7));
	}
	size_t n = 0;
	while (dedup_close(&d, 3 * SEC_US))
		n++;
	ck_assert_uint_eq(n, 20000);
	dedup_forget(&d, 3 * SEC_US);
	ck_assert_uint_eq(d.receptions.used, 0);
	ck_assert_uint_eq(d.copies.used, 0);
}
END_TEST

START_TEST(what_cannot_be_held_is_refused)
{
	struct now now = at(1);
	for (uint32_t i = 0; i < NS_RECEPTIONS_MAX; i++) {
		memcpy(up.phy.p, &i, sizeof(i));
		ck_assert_ptr_nonnull(dedup_add(&d, &up, &sf7, &now));
	}
	ck_assert_ptr_null(dedup_add(&d, &up, &sf7, &now));
}
END_TEST

/* The Things Stack's order, in tenths of dB: below the noise the SNR counts, well above it only the RSSI. */
START_TEST(gateways_are_ranked_by_what_they_hear)
{
	static const struct { int32_t rssi, snr, want; } rows[] = {
		{ -1200, -100, -1300 }, { -1200, -50, -1250 }, { -1200, 100, -1200 }, { -1000, 120, -1000 }, { -1100, -20, -1140 },
		{ 0, 50, INT32_MIN },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct rx_meta m = { .rssi_ddbm = rows[i].rssi };
		MSG_SET(&m, snr_ddb, rows[i].snr);
		ck_assert_int_eq(path_rank(&m), rows[i].want);
	}
	struct rx_meta fsk = { .rssi_ddbm = -900 };
	ck_assert_int_eq(path_rank(&fsk), -900);
}
END_TEST

START_TEST(the_best_paths_stay_one_for_each_gateway)
{
	static struct gateway g[2 * NS_PATHS_MAX];
	struct path v[NS_PATHS_MAX];
	size_t n = 0;
	for (size_t i = 0; i < COUNT(g); i++) {
		struct copy c = { .gateway = &g[i], .rx = { .rssi_ddbm = -1200 + (int32_t)i * 10 } };
		ck_assert(path_add(v, &n, &c));
		c.rx.rssi_ddbm -= 500;
		path_add(v, &n, &c); /* a worse copy of the same gateway */
	}
	ck_assert_uint_eq(n, NS_PATHS_MAX);
	for (size_t i = 0; i < n; i++)
		ck_assert_ptr_eq(v[i].gateway, &g[COUNT(g) - 1 - i]);
	struct copy worst = { .gateway = &g[0], .rx = { .rssi_ddbm = -1400 } };
	ck_assert(!path_add(v, &n, &worst));
	worst.gateway = NULL;
	ck_assert(!path_add(v, &n, &worst));
	struct copy better = { .gateway = v[n - 1].gateway, .rx = { .rssi_ddbm = -300 } };
	ck_assert(path_add(v, &n, &better));
	ck_assert_ptr_eq(v[0].gateway, better.gateway);
	ck_assert_uint_eq(n, NS_PATHS_MAX);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("dedup");
	TCase *t = tcase_create("dedup");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_same_octets_and_data_rate_are_one_frame_on_any_frequency);
	tcase_add_test(t, a_window_closes_after_the_first_copy_and_the_frame_is_known_for_a_second);
	tcase_add_test(t, fifty_copies_are_kept_in_order_of_arrival);
	tcase_add_test(t, thousands_of_frames_are_found_and_forgotten);
	tcase_add_test(t, what_cannot_be_held_is_refused);
	tcase_add_test(t, gateways_are_ranked_by_what_they_hear);
	tcase_add_test(t, the_best_paths_stay_one_for_each_gateway);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
