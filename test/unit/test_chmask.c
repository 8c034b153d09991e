/** @file Channel masks: what a device makes of them, and the shortest way from one set of channels to another. */
#include "proto/region/chmask.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static const struct region dynamic = { .chmask = CHMASK_16 },
			   us = { .chmask = CHMASK_72, .chmask5_since = RP_1_0_2_B },
			   cn96 = { .chmask = CHMASK_96 }, cn64 = { .chmask = CHMASK_64 },
			   cn48 = { .chmask = CHMASK_48 };

static struct channels run(unsigned first, unsigned n, unsigned wide_first, unsigned wide_n)
{
	struct channels s = { 0 };
	channels_add_run(&s, first, n);
	channels_add_run(&s, wide_first, wide_n);
	return s;
}

/** A sub-band of US915, 1 to 8. */
static struct channels fsb(unsigned k)
{
	return run(8 * (k - 1), 8, 63 + k, 1);
}

static void pairs_are(const struct region *r, enum phy_version v, bool is_block, const struct channels *now,
	struct channels wanted, const char *expected)
{
	struct chmask m[CHMASKS_MAX];
	char buf[200] = "";
	size_t n = chmask_pairs(r, v, is_block, now, &wanted, m);
	for (size_t i = 0; i < n; i++)
		snprintf(buf + strlen(buf), sizeof buf - strlen(buf), "%s%u:%04X", i ? " " : "", m[i].cntl, m[i].mask);
	ck_assert_str_eq(buf, expected);
}

START_TEST(a_region_of_defined_channels_needs_one_pair)
{
	struct channels now = run(0, 3, 0, 0);
	pairs_are(&dynamic, RP_1_0_3_A, true, &now, run(0, 8, 0, 0), "0:00FF");
	pairs_are(&dynamic, RP_1_0_0, false, &now, run(2, 1, 0, 0), "0:0004");
	pairs_are(&dynamic, RP_1_0_0, false, NULL, run(0, 16, 0, 0), "0:FFFF");
	pairs_are(&dynamic, RP_1_0_3_A, true, &now, now, "0:0007");
	pairs_are(&dynamic, RP_1_0_3_A, true, &now, run(0, 0, 0, 0), "");
	pairs_are(&dynamic, RP_1_0_3_A, true, &now, run(16, 1, 0, 0), "");
}
END_TEST

START_TEST(a_sub_band_of_us915_is_chosen_with_two_pairs)
{
	struct channels all = run(0, 72, 0, 0), two = fsb(2);
	pairs_are(&us, RP_1_0_3_A, true, &all, fsb(2), "7:0002 0:FF00");
	pairs_are(&us, RP_1_0_2_A, true, &all, fsb(1), "7:0001 0:00FF");
	pairs_are(&us, RP_1_0_2_A, true, NULL, fsb(8), "7:0080 3:FF00");
	pairs_are(&us, RP_1_0_3_A, true, &two, fsb(2), "0:FF00");
	pairs_are(&us, RP_1_0_3_A, true, &two, fsb(8), "7:0080 3:FF00");
	pairs_are(&us, RP_1_0_3_A, true, &two, all, "6:00FF");
	pairs_are(&us, RP_1_0_3_A, true, &two, run(64, 8, 0, 0), "7:00FF");
	/* Channel 64 is no exception: the network server of The Things Stack forgets it. */
	struct channels without = run(0, 8, 0, 0);
	pairs_are(&us, RP_1_0_3_A, true, &without, fsb(1), "4:0001");
	pairs_are(&us, RP_1_0_3_A, true, &all, run(72, 1, 0, 0), "");
}
END_TEST

START_TEST(scattered_sub_bands_are_chosen_with_chmaskcntl_5_where_it_is_known)
{
	struct channels all = run(0, 72, 0, 0), odd = { { 0x00FF, 0x00FF, 0x00FF, 0x00FF, 0x0055 } };
	pairs_are(&us, RP_1_0_2_B, true, &all, odd, "5:0055 4:0055");
	pairs_are(&us, RP_1_0_2_A, true, &all, odd, "4:0055 0:00FF 1:00FF 2:00FF 3:00FF");
	odd.bank[2] = 0x01FF;
	pairs_are(&us, RP_1_0_2_B, true, &all, odd, "5:0055 4:0055 2:01FF");
}
END_TEST

START_TEST(single_requests_never_leave_a_device_without_a_kind_of_channel)
{
	struct channels all = run(0, 72, 0, 0), two = fsb(2);
	pairs_are(&us, RP_1_0_1, false, &all, fsb(2), "4:0002 0:FF00 1:0000 2:0000 3:0000");
	pairs_are(&us, RP_1_0_1, false, NULL, fsb(2), "6:0002 0:FF00 1:0000 2:0000 3:0000");
	pairs_are(&us, RP_1_0_1, false, &two, fsb(8), "3:FF00 4:0080 0:0000");
	pairs_are(&us, RP_1_0_1, false, &two, run(64, 8, 0, 0), "7:00FF");
}
END_TEST

START_TEST(cn470_has_its_own_two_meanings)
{
	struct channels all = run(0, 96, 0, 0), all64 = run(0, 64, 0, 0), all48 = run(0, 48, 0, 0);
	struct channels fsb11 = run(80, 8, 0, 0);
	pairs_are(&cn96, RP_1_0_3_A, true, &all, fsb11, "5:00FF 0:0000 1:0000 2:0000 3:0000 4:0000");
	pairs_are(&cn96, RP_1_0_1, false, &all, fsb11, "5:00FF 0:0000 1:0000 2:0000 3:0000 4:0000");
	pairs_are(&cn96, RP_1_0_1, false, NULL, fsb11, "5:00FF 0:0000 1:0000 2:0000 3:0000 4:0000");
	pairs_are(&cn96, RP_1_0_3_A, true, &fsb11, all, "6:FFFF");
	pairs_are(&cn64, RP_002_1_0_2, true, &all64, run(0, 8, 0, 0), "7:0000 0:00FF");
	pairs_are(&cn64, RP_002_1_0_2, true, &all64, run(0, 56, 0, 0), "3:00FF");
	pairs_are(&cn48, RP_002_1_0_2, true, &all48, run(0, 8, 0, 0), "4:0000 0:00FF");
	pairs_are(&cn48, RP_002_1_0_2, true, &fsb11, run(0, 48, 0, 0), "3:FFFF");
}
END_TEST

START_TEST(a_device_refuses_what_is_reserved_or_not_defined)
{
	struct channels defined = run(0, 5, 0, 0), set = run(0, 3, 0, 0), all;
	ck_assert(!chmask_apply(&dynamic, RP_1_0_3_A, &defined, (struct chmask){ 7, 1 }, &set));
	ck_assert(!chmask_apply(&dynamic, RP_1_0_3_A, &defined, (struct chmask){ 7, 7 }, &set));
	ck_assert(!chmask_apply(&dynamic, RP_1_0_3_A, &defined, (struct chmask){ 7, 8 }, &set));
	ck_assert(!chmask_apply(&dynamic, RP_1_0_3_A, &defined, (struct chmask){ 0x20, 0 }, &set));
	ck_assert(channels_eq(&set, &(struct channels){ { 7 } }));
	ck_assert(chmask_apply(&dynamic, RP_1_0_3_A, &defined, (struct chmask){ 0, 6 }, &set));
	ck_assert(channels_eq(&set, &defined));
	chmask_all(&us, &all);
	ck_assert_uint_eq(channels_count(&all), 72);
	ck_assert(!chmask_apply(&us, RP_1_0_2_A, &all, (struct chmask){ 1, 5 }, &set));
	ck_assert(chmask_apply(&us, RP_1_0_2_B, &all, (struct chmask){ 0x81, 5 }, &set));
	ck_assert(channels_eq(&set, &(struct channels){ { 0xFF, 0, 0, 0xFF00, 0x81 } }));
	ck_assert(!chmask_apply(&us, RP_1_0_2_B, &all, (struct chmask){ 0x100, 4 }, &set));
	ck_assert(!chmask_apply(&cn96, RP_1_0_2_B, &all, (struct chmask){ 0, 7 }, &set));
	ck_assert(!chmask_apply(&cn64, RP_1_0_2_B, &all, (struct chmask){ 0, 4 }, &set));
	ck_assert(!chmask_apply(&cn48, RP_1_0_2_B, &all, (struct chmask){ 0, 6 }, &set));
}
END_TEST

static uint32_t seed = 1;

static uint32_t chance(uint32_t below)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % below;
}

/** A set that looks like one of an operator: sub-bands, or all, or scattered channels. */
static struct channels some_set(const struct region *r)
{
	struct channels all, s = { 0 };
	chmask_all(r, &all);
	unsigned n = channels_count(&all), style = chance(4);
	for (unsigned i = 0; i < n; i += style ? 8 : 1)
		if (chance(style == 2 ? 8 : 2) == 0)
			channels_add_run(&s, i, style && n - i >= 8 ? 8 : 1);
	if (style == 3)
		s = all;
	if (!channels_count(&s))
		channels_add(&s, 0);
	return s;
}

/** Is there a way of one or of two pairs? Tried by force, over the masks that could be of use. */
static bool is_within(const struct region *r, struct channels now, const struct channels *wanted, unsigned depth)
{
	struct channels all;
	chmask_all(r, &all);
	if (depth == 0)
		return channels_eq(&now, wanted);
	for (uint8_t cntl = 0; cntl < 8; cntl++)
		for (unsigned k = 0; k < CHANNEL_BANKS; k++) {
			struct channels to = now;
			if (cntl != 5 || r->chmask != CHMASK_72)
				if (chmask_apply(r, RP_1_0_2_A, &all, (struct chmask){ wanted->bank[k], cntl }, &to) &&
					is_within(r, to, wanted, depth - 1))
					return true;
		}
	return false;
}

START_TEST(every_way_leads_there_and_none_is_shorter)
{
	const struct region *const regions[] = { &dynamic, &us, &cn96, &cn64, &cn48 };
	for (int i = 0; i < 20000; i++) {
		const struct region *r = regions[chance(5)];
		struct channels now = some_set(r), wanted = some_set(r), all, set = now, other = now;
		struct chmask m[CHMASKS_MAX];
		chmask_all(r, &all);
		bool is_block = chance(4), is_known = chance(4), has5 = is_block && chance(2);
		enum phy_version v = has5 ? RP_1_0_2_B : RP_1_0_2_A;
		size_t n = chmask_pairs(r, v, is_block, is_known ? &now : NULL, &wanted, m);
		ck_assert_uint_ge(n, 1);
		for (size_t k = 0; k < n; k++) {
			ck_assert(chmask_apply(r, v, &all, m[k], &set));
			/* The other reading of ChMaskCntl 5: it does not touch the 500 kHz channels. */
			uint16_t wide = other.bank[4];
			ck_assert(chmask_apply(r, v, &all, m[k], &other));
			if (r == &us && m[k].cntl == 5)
				other.bank[4] = wide;
			ck_assert(is_block || channels_count(&set));
			if (!is_block && r == &us && is_known && now.bank[4])
				ck_assert(!wanted.bank[4] || set.bank[4]);
		}
		ck_assert(channels_eq(&set, &wanted));
		ck_assert(channels_eq(&other, &wanted));
		for (unsigned shorter = 1; is_block && is_known && i < 2000 && shorter < n && shorter <= 2; shorter++)
			ck_assert(!is_within(r, now, &wanted, shorter));
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("chmask");
	TCase *c = tcase_create("chmask");
	tcase_add_test(c, a_region_of_defined_channels_needs_one_pair);
	tcase_add_test(c, a_sub_band_of_us915_is_chosen_with_two_pairs);
	tcase_add_test(c, scattered_sub_bands_are_chosen_with_chmaskcntl_5_where_it_is_known);
	tcase_add_test(c, single_requests_never_leave_a_device_without_a_kind_of_channel);
	tcase_add_test(c, cn470_has_its_own_two_meanings);
	tcase_add_test(c, a_device_refuses_what_is_reserved_or_not_defined);
	tcase_add_test(c, every_way_leads_there_and_none_is_shorter);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
