/** @file EU868 against the numbers that five other implementations agree on. */
#include "common/core/err.h"
#include "proto/region/region.h"
#include "test/unit/vec_lines.h"
#include <check.h>
#include <limits.h>

static const struct plan *plan;

static void dr_matches(const struct vectors *v)
{
	struct modu m;
	unsigned dr = (unsigned)vec_num(v, "dr");
	bool is_up = vec_is(v, "dir", "up");
	ck_assert_int_eq(modu_parse(vec_get(v, "datr"), &m), 0);
	if (vec_has(v, "codr"))
		ck_assert_int_eq(modu_parse_codr(vec_get(v, "codr"), &m), 0);
	ck_assert_msg(region_dr(plan->region, RP_002_1_0_4, is_up, &m) == (int)dr, "%s", v->line);
	ck_assert(modu_eq(region_modu(plan->region, is_up, dr), &m));
	enum phy_version since;
	if (vec_has(v, "since")) {
		ck_assert_int_eq(phy_version_parse(vec_get(v, "since"), &since), 0);
		ck_assert_int_eq(region_dr(plan->region, since, is_up, &m), (int)dr);
		ck_assert_int_eq(region_dr(plan->region, since - 1, is_up, &m), -1);
		ck_assert_uint_eq(region_max_payload(plan->region, since - 1, is_up, dr, false), 0);
	} else {
		ck_assert_int_eq(region_dr(plan->region, RP_1_0_0, is_up, &m), (int)dr);
	}
}

static void rx1_matches(const struct vectors *v)
{
	struct str s = vec_get(v, "rx1"), cell;
	unsigned up = (unsigned)vec_num(v, "up"), offset = 0;
	for (; s.n; offset++) {
		uint64_t dr;
		s = str_cut(s, ',', &cell);
		ck_assert_int_eq(num_u64(cell, &dr), 0);
		ck_assert_msg(
			region_rx1_dr(plan->region, RP_1_0_3_A, up, offset, false) == (int)dr, "%s", v->line);
	}
	ck_assert_uint_eq(offset, plan->region->rx1_offset_max + 1U);
	ck_assert_int_eq(region_rx1_dr(plan->region, RP_1_0_3_A, up, offset, false), -1);
}

static void band_matches(const struct vectors *v)
{
	uint32_t min = (uint32_t)vec_num(v, "band_min"), max = (uint32_t)vec_num(v, "band_max");
	const struct region_band *b = region_band(plan->region, min);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_eq(b, region_band(plan->region, max - 1));
	ck_assert_ptr_ne(b, region_band(plan->region, max));
	ck_assert_uint_eq(b->duty_ppm, vec_num(v, "duty_ppm"));
	ck_assert_int_eq(b->max_eirp_ddbm, (int)vec_num(v, "eirp_cdbm") / 10);
	ck_assert_int_eq(region_down_eirp_dbm(plan->region, min), (int)vec_num(v, "eirp_cdbm") / 100);
}

static void limit_matches(const struct vectors *v)
{
	enum phy_version phy;
	unsigned dr = (unsigned)vec_num(v, "dr");
	ck_assert_int_eq(phy_version_parse(vec_get(v, "phy"), &phy), 0);
	ck_assert_uint_eq(region_max_payload(plan->region, phy, true, dr, false), vec_num(v, "m"));
	if (region_modu(plan->region, false, dr))
		ck_assert_uint_eq(region_max_payload(plan->region, phy, false, dr, false), vec_num(v, "m"));
}

static void channel_matches(const struct vectors *v)
{
	uint32_t hz;
	uint8_t min, max;
	ck_assert(plan_channel(plan, (unsigned)vec_num(v, "channel"), &hz, &min, &max));
	ck_assert_uint_eq(hz, vec_num(v, "hz"));
	ck_assert_uint_eq(min, vec_num(v, "min"));
	ck_assert_uint_eq(max, vec_num(v, "max"));
}

static void line_matches(const struct vectors *v)
{
	const struct region *r = plan->region;
	if (vec_has(v, "m")) {
		limit_matches(v);
	} else if (vec_has(v, "dr")) {
		dr_matches(v);
	} else if (vec_has(v, "rx1")) {
		rx1_matches(v);
	} else if (vec_has(v, "band_min")) {
		band_matches(v);
	} else if (vec_has(v, "channel")) {
		channel_matches(v);
	} else if (vec_has(v, "rx2_hz")) {
		ck_assert_uint_eq(plan_rx2_hz(plan), vec_num(v, "rx2_hz"));
		ck_assert_uint_eq(plan_rx2_dr(plan), vec_num(v, "rx2_dr"));
	} else if (vec_has(v, "adr_min")) {
		ck_assert_uint_eq(r->adr_min_dr, vec_num(v, "adr_min"));
		ck_assert_uint_eq(r->adr_max_dr, vec_num(v, "adr_max"));
	} else if (vec_has(v, "max_eirp_dbm")) {
		ck_assert_int_eq(r->max_eirp_ddbm, (int)vec_num(v, "max_eirp_dbm") * 10);
		ck_assert_uint_eq(region_max_power_index(r, RP_002_1_0_4), vec_num(v, "power_index"));
	} else if (vec_has(v, "gap_hz")) {
		ck_assert_ptr_null(region_band(r, (uint32_t)vec_num(v, "gap_hz")));
		ck_assert_int_eq(region_down_eirp_dbm(r, (uint32_t)vec_num(v, "gap_hz")), INT_MIN);
	} else {
		uint8_t expected[16], list[16];
		ck_assert_uint_eq(vec_bytes(v, "cf_list", expected, sizeof expected), 16);
		ck_assert(plan_cf_list(plan, RP_1_0_3_A, list));
		ck_assert(memcmp(list, expected, sizeof list) == 0);
	}
}

START_TEST(eu868_is_what_the_others_say)
{
	plan = plan_find(STR("EU_863_870"));
	ck_assert_ptr_nonnull(plan);
	struct vectors v = vectors_open("region/eu868.txt");
	int n = 0;
	for (; vectors_next(&v); n++)
		line_matches(&v);
	ck_assert_int_eq(n, 71);
}
END_TEST

START_TEST(the_plan_of_the_things_network_differs_in_rx2_only)
{
	const struct plan *a = plan_find(STR("EU_863_870")), *b = plan_find(STR("EU_863_870_TTN"));
	ck_assert_uint_eq(plan_rx2_dr(b), 3);
	ck_assert_uint_eq(plan_rx2_hz(b), plan_rx2_hz(a));
	ck_assert(memcmp(a->extra_hz, b->extra_hz, sizeof a->extra_hz) == 0);
	ck_assert_ptr_eq(a->region, b->region);
	ck_assert_ptr_null(plan_find(STR("EU_863")));
	ck_assert_ptr_eq(plan_at(0), a);
}
END_TEST

START_TEST(channels_are_found_by_frequency_and_data_rate)
{
	const struct plan *p = plan_find(STR("EU_863_870"));
	ck_assert_int_eq(plan_channel_index(p, 868100000, 0), 0);
	ck_assert_int_eq(plan_channel_index(p, 868500000, 5), 2);
	ck_assert_int_eq(plan_channel_index(p, 867100000, 5), 3);
	ck_assert_int_eq(plan_channel_index(p, 867900000, 0), 7);
	ck_assert_int_eq(plan_channel_index(p, 867900000, 6), -1);
	ck_assert_int_eq(plan_channel_index(p, 868200000, 0), -1);
	ck_assert_uint_eq(region_rx1_hz(p->region, 867900000, 7), 867900000);
}
END_TEST

START_TEST(every_plan_is_whole)
{
	const struct plan *p;
	for (size_t i = 0; (p = plan_at(i)); i++) {
		const struct region *r = p->region;
		ck_assert_ptr_eq(plan_find(str_of(p->id)), p);
		ck_assert_ptr_nonnull(region_modu(r, false, plan_rx2_dr(p)));
		ck_assert_ptr_nonnull(region_band(r, plan_rx2_hz(p)));
		ck_assert(r->n_up_limits && r->n_down_limits && r->n_rx1 && r->n_powers && r->n_runs &&
			  r->n_bands);
		uint32_t hz;
		uint8_t min, max;
		for (unsigned c = 0; plan_channel(p, c, &hz, &min, &max); c++) {
			ck_assert(region_freq_ok(r, hz));
			ck_assert_ptr_nonnull(region_band(r, region_rx1_hz(r, hz, c)));
			for (unsigned dr = min; dr <= max; dr++) {
				ck_assert_uint_ge(region_max_payload(r, RP_1_0_0, true, dr, false), 11);
				ck_assert_int_ge(region_rx1_dr(r, RP_1_0_0, dr, 0, false), 0);
			}
		}
		ck_assert_uint_eq(region_max_payload_ever(r, RP_1_0_3_A, false), 250);
	}
}
END_TEST

START_TEST(what_is_outside_the_tables_is_not_found)
{
	const struct region *r = plan_find(STR("EU_863_870"))->region;
	struct modu m = { .kind = MODU_LORA, .sf = 7, .bw_hz = 500000 };
	ck_assert_int_eq(region_dr(r, RP_1_0_3_A, true, &m), -1);
	ck_assert_ptr_null(region_modu(r, true, 16));
	ck_assert_ptr_null(region_modu(r, true, 15));
	ck_assert_ptr_null(region_modu(r, false, 8));
	ck_assert_uint_eq(region_max_payload(r, RP_002_1_0_4, false, 8, false), 0);
	ck_assert_uint_eq(region_max_payload(r, RP_002_1_0_4, true, 255, false), 0);
	ck_assert_int_eq(region_rx1_dr(r, RP_1_0_3_A, 16, 0, false), -1);
	ck_assert_int_eq(region_rx1_dr(r, RP_1_0_3_A, 15, 0, false), -1);
	ck_assert(!region_freq_ok(r, 862000000));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("region");
	TCase *c = tcase_create("region");
	tcase_add_test(c, eu868_is_what_the_others_say);
	tcase_add_test(c, the_plan_of_the_things_network_differs_in_rx2_only);
	tcase_add_test(c, channels_are_found_by_frequency_and_data_rate);
	tcase_add_test(c, every_plan_is_whole);
	tcase_add_test(c, what_is_outside_the_tables_is_not_found);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
