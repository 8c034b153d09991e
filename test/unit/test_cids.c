/** @file Correlation ids: order, bounds, text; and the tables of words. */
#include "proto/cids.h"
#include "proto/tables.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct ulid ulid_no(uint8_t n)
{
	return (struct ulid){ { 0x01, 0x8b, 0x4a, 0x1d, 0x75, 0xf6, [15] = n } };
}

START_TEST(a_list_stays_in_the_order_of_travel)
{
	struct gs_uplink up = { 0 };
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_RPC_GSNS_UPLINK, ulid_no(3)), 0);
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_GS_CONN, ulid_no(1)), 0);
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_NS_UPLINK, ulid_no(4)), 0);
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_GS_UPLINK, ulid_no(2)), 0);
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_GS_UPLINK, ulid_no(9)), 0);
	ck_assert_uint_eq(up.cids.len, 5);
	static const struct { unsigned kind, no; } expected[] = { { 1, 1 }, { 2, 2 }, { 2, 9 }, { 3, 4 }, { 4, 3 } };
	for (size_t i = 0; i < COUNT(expected); i++) {
		ck_assert_uint_eq(up.cids.v[i].kind, expected[i].kind);
		ck_assert_uint_eq(up.cids.v[i].id.b[15], expected[i].no);
	}
	ck_assert_uint_eq(CIDS_FIND(&up.cids, CID_GS_UPLINK)->id.b[15], 2);
	ck_assert_ptr_null(CIDS_FIND(&up.cids, CID_AS_UP));
}
END_TEST

START_TEST(an_id_is_added_once)
{
	struct pulled p = { 0 };
	ck_assert_int_eq(CIDS_ADD(&p.cids, CID_AS_DOWNLINK, ulid_no(1)), 0);
	ck_assert_int_eq(CIDS_ADD(&p.cids, CID_AS_DOWNLINK, ulid_no(1)), 0);
	ck_assert_uint_eq(p.cids.len, 1);
}
END_TEST

START_TEST(a_full_list_stays_as_it_is)
{
	struct pulled p = { 0 };
	struct gs_uplink up = { 0 };
	for (uint8_t i = 0; i < 12; i++)
		ck_assert_int_eq(CIDS_ADD(&up.cids, CID_GS_UPLINK, ulid_no(i)), 0);
	ck_assert_int_eq(CIDS_ADD(&up.cids, CID_GS_CONN, ulid_no(99)), -ENOBUFS);
	ck_assert_uint_eq(up.cids.v[0].kind, CID_GS_UPLINK);
	ck_assert_int_eq(CIDS_ADD_ALL(&p.cids, &up.cids), -ENOBUFS);
	ck_assert_uint_eq(p.cids.len, 4);
	ck_assert_uint_eq(p.cids.v[3].id.b[15], 3);
}
END_TEST

START_TEST(text_and_back)
{
	char buf[CID_TEXT_MAX];
#define CID(symbol, number, prefix) number,
	static const uint32_t all[] = {
#include "proto/cid.def"
	};
#undef CID
	for (size_t i = 0; i < COUNT(all); i++) {
		struct text t = text_fixed(buf, sizeof buf);
		struct cid c = { .kind = all[i], .id = ulid_no((uint8_t)i) }, back;
		cid_text(&t, &c);
		ck_assert(!t.failed);
		ck_assert_int_eq(cid_parse(text_str(&t), &back), 0);
		ck_assert_uint_eq(back.kind, c.kind);
		ck_assert(ulid_eq(&back.id, &c.id));
	}
}
END_TEST

START_TEST(text_of_an_uplink_is_that_of_the_contract)
{
	char buf[CID_TEXT_MAX];
	struct text t = text_fixed(buf, sizeof buf);
	struct cid c = { .kind = CID_RPC_GSNS_UPLINK };
	ck_assert_int_eq(ulid_parse(STR("01HC8Y0A2B3C4D5E6F7G8H9J0K"), &c.id), 0);
	cid_text(&t, &c);
	ck_assert_str_eq(buf, "rpc:/ttn.lorawan.v3.GsNs/HandleUplink:01HC8Y0A2B3C4D5E6F7G8H9J0K");
}
END_TEST

START_TEST(what_is_no_correlation_id_is_refused)
{
	struct cid c;
	ck_assert_int_eq(cid_parse(STR(""), &c), -EINVAL);
	ck_assert_int_eq(cid_parse(STR("gs:uplink:"), &c), -EINVAL);
	ck_assert_int_eq(cid_parse(STR("01HC8Y0A2B3C4D5E6F7G8H9J0K"), &c), -EINVAL);
	ck_assert_int_eq(cid_parse(STR("gs:nothing:01HC8Y0A2B3C4D5E6F7G8H9J0K"), &c), -EINVAL);
	ck_assert_int_eq(cid_parse(STR("gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0!"), &c), -EINVAL);
	ck_assert_int_eq(cid_parse(STR(" gs:uplink:01HC8Y0A2B3C4D5E6F7G8H9J0K\n"), &c), 0);
}
END_TEST

START_TEST(an_error_of_a_downlink_is_found_by_name)
{
	const struct down_error *e = down_error_find(STR("application_downlink_too_long"));
	ck_assert_ptr_nonnull(e);
	ck_assert_uint_eq(e->code, 3);
	ck_assert_str_eq(down_error_namespace(e), "pkg/networkserver");
	ck_assert_str_eq(down_error_namespace(down_error_find(STR("invalid_json"))), "pkg/applicationserver");
	ck_assert_ptr_null(down_error_find(STR("nothing")));
}
END_TEST

START_TEST(a_forwarders_word_has_a_number_and_a_name)
{
	ck_assert_int_eq(tx_result_of_word(STR("NONE")), TX_RESULT_SUCCESS);
	ck_assert_int_eq(tx_result_of_word(STR("")), TX_RESULT_SUCCESS);
	ck_assert_int_eq(tx_result_of_word(STR("TOO_LATE")), TX_RESULT_TOO_LATE);
	ck_assert_int_eq(tx_result_of_word(STR("BROKEN")), TX_RESULT_UNKNOWN_ERROR);
	ck_assert_str_eq(tx_result_info(TX_RESULT_TOO_LATE)->name, "TOO_LATE");
	ck_assert(!tx_result_info(TX_RESULT_NO_TX_ACK)->is_retried);
	ck_assert_int_eq(tx_result_info(4711)->result, TX_RESULT_UNKNOWN_ERROR);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cids");
	TCase *t = tcase_create("cids");
	tcase_add_test(t, a_list_stays_in_the_order_of_travel);
	tcase_add_test(t, an_id_is_added_once);
	tcase_add_test(t, a_full_list_stays_as_it_is);
	tcase_add_test(t, text_and_back);
	tcase_add_test(t, text_of_an_uplink_is_that_of_the_contract);
	tcase_add_test(t, what_is_no_correlation_id_is_refused);
	suite_add_tcase(s, t);
	TCase *words = tcase_create("tables");
	tcase_add_test(words, an_error_of_a_downlink_is_found_by_name);
	tcase_add_test(words, a_forwarders_word_has_a_number_and_a_name);
	suite_add_tcase(s, words);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
