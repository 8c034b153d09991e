/** @file Messages for people: JSON, and the page proto/MESSAGES.md, which GODWIT_UPDATE=1 writes anew. */
#include "proto/schema.h"
#include "test/unit/page.h"
#include <string.h>

START_TEST(a_message_as_json)
{
	char buf[2000];
	struct text t = text_fixed(buf, sizeof buf);
	struct tx_request m = { .gateway_eui = 0x0242020000247803, .freq_hz = 868100000, .eirp_dbm = -3, .phy = { 2, { 0x60, 0xab } },
		.cids = { 1, { { .kind = 2 } } } };
	MSG_SET(&m.mod, sf, 12);
	MSG_SET(&m, tmst_us, 4294967295);
	msg_print_json(&t, tx_request_schema(), &m);
	ck_assert_str_eq(buf, "{\"correlation\":[{\"kind\":2,\"id\":\"00000000000000000000000000\"}],"
		"\"transmission\":\"00000000000000000000000000\",\"gateway_eui\":\"0242020000247803\",\"tmst\":4294967295,"
		"\"freq\":868100000,\"eirp\":-3,\"modulation\":{\"kind\":0,\"sf\":12},\"phy\":\"60AB\",\"airtime\":0,\"wait\":0}");
}
END_TEST

START_TEST(keys_are_never_printed)
{
	char buf[2000];
	struct text t = text_fixed(buf, sizeof buf);
	struct net_session s = { .dev_addr = 0x01da1f15 };
	memset(&s.f_nwk_s_int_key, 0xab, sizeof s.f_nwk_s_int_key);
	msg_print_json(&t, net_session_schema(), &s);
	ck_assert_ptr_nonnull(strstr(buf, "\"dev_addr\":\"01DA1F15\",\"f_nwk_s_int_key\":\"(secret)\""));
	ck_assert_ptr_null(strstr(buf, "ABAB"));
	ck_assert_ptr_null(strstr(buf, "abab"));
}
END_TEST

START_TEST(the_page_of_messages_is_fresh)
{
	AUTO(text_done) struct text page = text_growing(PAGE_MAX);
	msg_print_doc(&page);
	page_is("proto/MESSAGES.md", &page, "test_schema_print");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("schema_print");
	TCase *t = tcase_create("print");
	tcase_add_test(t, a_message_as_json);
	tcase_add_test(t, keys_are_never_printed);
	tcase_add_test(t, the_page_of_messages_is_fresh);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
