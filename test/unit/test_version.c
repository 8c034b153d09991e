/** @file Versions in all their spellings, and the addresses and counters that go with them. */
#include "common/core/err.h"
#include "proto/lorawan/devaddr.h"
#include "proto/lorawan/fcnt.h"
#include "proto/lorawan/version.h"
#include <check.h>

START_TEST(a_mac_version_is_known_by_every_spelling)
{
	static const struct {
		const char *word;
		enum mac_version version;
	} rows[] = {
		{ "1.0.3", LW_1_0_3 },
		{ "MAC_V1_0_3", LW_1_0_3 },
		{ "mac_v1_0_3", LW_1_0_3 },
		{ "V1.0.3", LW_1_0_3 },
		{ "1_0_3", LW_1_0_3 },
		{ "1.0", LW_1_0_0 },
		{ "1.0.0", LW_1_0_0 },
		{ "MAC_V1_0", LW_1_0_0 },
		{ "1.1", LW_1_1_0 },
		{ "1.1.0", LW_1_1_0 },
		{ "MAC_V1_1", LW_1_1_0 },
		{ "MAC_V1_1_0", LW_1_1_0 },
		{ "MAC_V1_0_4", LW_1_0_4 },
		{ "1.0.1", LW_1_0_1 },
		{ "1.0.2", LW_1_0_2 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum mac_version v = LW_NONE;
		ck_assert_msg(mac_version_parse(str_of(rows[i].word), &v) == 0, "%s", rows[i].word);
		ck_assert_msg(v == rows[i].version, "%s", rows[i].word);
	}
	static const char *const wrong[] = { "", "1", "1.2", "1.0.5", "MAC", "PHY", "1.0.3.0", "2.0",
		"1.0.33", "1.0.3-a", "v", ".", "1.0.3-a-very-long-name-that-is-no-version" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		enum mac_version v;
		ck_assert_msg(mac_version_parse(str_of(wrong[i]), &v) == -EINVAL, "%s", wrong[i]);
	}
}
END_TEST

START_TEST(a_phy_version_is_known_by_every_spelling)
{
	static const struct {
		const char *word;
		enum phy_version version;
	} rows[] = {
		{ "1.0.3-a", RP_1_0_3_A },
		{ "PHY_V1_0_3_REV_A", RP_1_0_3_A },
		{ "RP001_V1_0_3_REV_A", RP_1_0_3_A },
		{ "1.0.3", RP_1_0_3_A },
		{ "1.0.2", RP_1_0_2_B },
		{ "RP001_V1_0_2", RP_1_0_2_A },
		{ "1.0.2-A", RP_1_0_2_A },
		{ "PHY_V1_0_2_REV_B", RP_1_0_2_B },
		{ "RP001_V1_0_2_REV_B", RP_1_0_2_B },
		{ "1.0", RP_1_0_0 },
		{ "1.0.0", RP_1_0_0 },
		{ "TS001_V1_0", RP_1_0_0 },
		{ "PHY_V1_0", RP_1_0_0 },
		{ "TS001_V1_0_1", RP_1_0_1 },
		{ "PHY_V1_0_1", RP_1_0_1 },
		{ "1.1.0-a", RP_1_1_0_A },
		{ "1.1-b", RP_1_1_0_B },
		{ "PHY_V1_1_REV_B", RP_1_1_0_B },
		{ "RP001_V1_1_REV_A", RP_1_1_0_A },
		{ "rp002-1.0.0", RP_002_1_0_0 },
		{ "RP002_V1_0_4", RP_002_1_0_4 },
		{ "RP002-1.0.1", RP_002_1_0_1 },
		{ "rp002-1.0.3", RP_002_1_0_3 },
		{ "PHY_RP002_V1_0_2", RP_002_1_0_2 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum phy_version v = RP_NONE;
		ck_assert_msg(phy_version_parse(str_of(rows[i].word), &v) == 0, "%s", rows[i].word);
		ck_assert_msg(v == rows[i].version, "%s: %d", rows[i].word, v);
	}
	static const char *const wrong[] = { "", "1", "1.0.4", "rp002", "rp002-1", "RP002_V1_0_9", "1.0.3-c",
		"1.0.3-b", "1.0.1-a" };
	for (size_t i = 0; i < COUNT(wrong); i++) {
		enum phy_version v;
		ck_assert_msg(phy_version_parse(str_of(wrong[i]), &v) == -EINVAL, "%s", wrong[i]);
	}
}
END_TEST

START_TEST(every_row_reads_what_it_prints)
{
	for (uint32_t i = 1; mac_rules(i); i++) {
		enum mac_version v;
		ck_assert_int_eq(mac_version_parse(str_of(mac_version_json(i)), &v), 0);
		ck_assert_uint_eq(v, i);
		ck_assert_int_eq(mac_version_parse(str_of(mac_version_plain(i)), &v), 0);
		ck_assert_uint_eq(v, i);
		ck_assert_str_ne(phy_version_json(mac_rules(i)->usual_phy), "");
	}
	for (uint32_t i = 1; *phy_version_json(i); i++) {
		enum phy_version v;
		ck_assert_int_eq(phy_version_parse(str_of(phy_version_json(i)), &v), 0);
		ck_assert_uint_eq(v, i);
		ck_assert_int_eq(phy_version_parse(str_of(phy_version_plain(i)), &v), 0);
		ck_assert_uint_eq(v, i);
	}
	ck_assert_str_eq(mac_version_json(LW_1_0_3), "MAC_V1_0_3");
	ck_assert_str_eq(phy_version_json(RP_1_0_3_A), "PHY_V1_0_3_REV_A");
	ck_assert_ptr_null(mac_rules(0));
	ck_assert_str_eq(mac_version_json(99), "");
	ck_assert_str_eq(phy_version_plain(99), "");
}
END_TEST

START_TEST(versions_differ_as_their_texts_say)
{
	ck_assert(mac_rules(LW_1_0_3)->has_max_gap && !mac_rules(LW_1_0_4)->has_max_gap &&
		  !mac_rules(LW_1_1_0)->has_max_gap);
	ck_assert(!mac_rules(LW_1_0_3)->nonce_rises && mac_rules(LW_1_0_4)->nonce_rises);
	ck_assert(!mac_rules(LW_1_0_1)->adr_block && mac_rules(LW_1_0_2)->adr_block);
	ck_assert(!mac_rules(LW_1_0_4)->single_adr_ans && mac_rules(LW_1_1_0)->single_adr_ans);
	ck_assert(mac_rules(LW_1_1_0)->is_v11 && !mac_rules(LW_1_0_4)->is_v11);
}
END_TEST

START_TEST(a_counter_is_rebuilt_from_its_lower_half)
{
	/* rows of TheThingsNetwork and ChirpStack; the last goes beyond 32 bits instead of starting again */
	static const struct {
		uint64_t next;
		uint16_t low;
		uint64_t full;
	} rows[] = {
		{ 1, 1, 1 },
		{ 0x10000, 0, 0x10000 },
		{ 0x10001, 1, 0x10001 },
		{ 0, 1, 1 },
		{ 0x10001, 2, 0x10002 },
		{ 2, 1, 1 },
		{ 0x10001, 0, 0x10000 },
		{ 0x10000, 0xFFFF, 0xFFFF },
		{ 0xFFFFFFFF, 0, UINT64_C(0x100000000) },
		{ 0, 0, 0 },
		{ 0, 0xFFFF, 0xFFFF },
		{ 5, 3, 0x10003 },
		{ UINT64_C(0x100000000), 0xFFFF, 0xFFFFFFFF },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		ck_assert_msg(fcnt_restore(rows[i].next, rows[i].low) == rows[i].full, "row %zu", i);
	ck_assert(!fcnt_gap_too_big(10, 10 + MAX_FCNT_GAP - 1));
	ck_assert(fcnt_gap_too_big(10, 10 + MAX_FCNT_GAP));
	ck_assert(!fcnt_gap_too_big(10, 9));
}
END_TEST

START_TEST(a_net_id_has_its_block_of_addresses)
{
	/* each type once, as in the LoRaWAN back-end interfaces and in three implementations */
	static const struct {
		uint32_t net_id, prefix;
		uint8_t bits;
	} rows[] = {
		{ 0x00006d, 0x5a000000, 7 },
		{ 0x20006d, 0xad000000, 8 },
		{ 0x40036d, 0xd6d00000, 12 },
		{ 0x76db6d, 0xe6da0000, 15 },
		{ 0x96db6d, 0xf5b68000, 17 },
		{ 0xb6db6d, 0xfb6da000, 19 },
		{ 0xd6db6d, 0xfd6db400, 22 },
		{ 0xf6db6d, 0xfe6db680, 25 },
		{ 0x000013, 0x26000000, 7 },
		{ 0x000000, 0x00000000, 7 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct devaddr_block b = devaddr_block(rows[i].net_id);
		ck_assert_uint_eq(b.prefix, rows[i].prefix);
		ck_assert_uint_eq(b.bits, rows[i].bits);
		uint32_t a = devaddr_make(rows[i].net_id, 0xFFFFFFFF);
		ck_assert(devaddr_in(b, a) && devaddr_in(b, devaddr_make(rows[i].net_id, 0)));
		ck_assert(!devaddr_in(b, a + 1));
		ck_assert(devaddr_valid(a));
	}
	ck_assert(!devaddr_valid(0xFF000000));
}
END_TEST

START_TEST(blocks_of_addresses_are_read)
{
	static const char *const bad[] = { "", "26011000", "/20", "26011000/", "26011000/33", "26011001/20", "2601100/20", "26011000/20 ", "g6011000/20",
		"80000000/0" };
	struct devaddr_block b;
	ck_assert_int_eq(devaddr_block_parse(STR("26011000/20"), &b), 0);
	ck_assert(b.prefix == 0x26011000 && b.bits == 20);
	ck_assert_int_eq(devaddr_block_parse(STR("00000000/0"), &b), 0);
	ck_assert_int_eq(devaddr_block_parse(STR("ffffffff/32"), &b), 0);
	ck_assert(devaddr_in(b, 0xFFFFFFFF) && !devaddr_in(b, 0xFFFFFFFE));
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_msg(devaddr_block_parse(str_of(bad[i]), &b) == -EINVAL, "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("version");
	TCase *c = tcase_create("version");
	tcase_add_test(c, a_mac_version_is_known_by_every_spelling);
	tcase_add_test(c, a_phy_version_is_known_by_every_spelling);
	tcase_add_test(c, every_row_reads_what_it_prints);
	tcase_add_test(c, versions_differ_as_their_texts_say);
	tcase_add_test(c, a_counter_is_rebuilt_from_its_lower_half);
	tcase_add_test(c, a_net_id_has_its_block_of_addresses);
	tcase_add_test(c, blocks_of_addresses_are_read);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
