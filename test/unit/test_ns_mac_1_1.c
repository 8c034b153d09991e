/** @file MAC commands that only LoRaWAN 1.1 has, begun by either side. [LW1.1 5.11, 5.13, 5.14, 18.1] */
#include "ns/core/device.h"
#include "test/unit/mac_device.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static struct mac_device md;
static const struct w_say hello = { .port = 1, .text = "hello" };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	dev = w_add_device_1_1(w, "otaa", true);
	w_run(w, SEC_US);
	w_join_request(w, dev, 1, 1);
	w_rest(w);
	md_init(&md, w, dev);
	md.rx1_delay = dev->rx1_delay_s = 5;
	md.is_single = true;
	md_say(&md, hello); /* the session is taken up */
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void tell(void)
{
	w_sync(w, 0);
	w_settle(w);
}

static struct device_state state(void)
{
	struct device_state st;
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &st), 0);
	return st;
}

START_TEST(the_limits_of_adr_are_set)
{
	MSG_SET(&dev->mac, desired_ack_limit, 5);
	MSG_SET(&dev->mac, desired_ack_delay, 4);
	tell();
	md_say(&md, hello);
	ck_assert_uint_eq(md.adr_param, 0x54);
	md_say(&md, hello);
	ck_assert_uint_eq(md.n_asked[12], 0);
	ck_assert(state().current.ack_limit == 5 && state().current.ack_delay == 4);
}
END_TEST

START_TEST(of_the_times_of_rejoins_the_count_may_be_taken_alone)
{
	MSG_SET(&dev->mac, desired_rejoin_time, 3);
	MSG_SET(&dev->mac, desired_rejoin_count, 2);
	tell();
	md.rejoin_status = 0;
	md_say(&md, hello);
	ck_assert_uint_eq(md.rejoin_param, 0x32);
	unsigned asked = 0;
	for (int i = 0; i < 10; i++) {
		md_say(&md, hello);
		asked += md.n_asked[15];
	}
	ck_assert_uint_eq(asked, 0);
	ck_assert_uint_eq(state().current.rejoin_count, 2);
	ck_assert_uint_ne(state().current.rejoin_time, 3);
}
END_TEST

START_TEST(a_device_says_its_class_until_it_is_confirmed)
{
	static const uint8_t class_c[] = { 0x20, 2 }, class_a[] = { 0x20, 0 };
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = class_c, .n_opts = 2 });
	ck_assert(dev->heard.n_opts == 2 && memcmp(dev->heard.opts, class_c, 2) == 0);
	ck_assert_uint_eq(state().device_class, 2);
	ck_assert(w_traced(w, "ns.class.switch.c", ""));
	w_crash(w);
	ck_assert_uint_eq(state().device_class, 2);
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .opts = class_a, .n_opts = 2 });
	ck_assert_uint_eq(state().device_class, 0);
}
END_TEST

START_TEST(the_operator_asks_for_a_rejoin_and_a_new_session_ends_that)
{
	dev->rejoin = 1;
	tell();
	md_say(&md, hello);
	ck_assert_uint_eq(md.n_asked[14], 1);
	ck_assert_msg(dev->heard.opts[1] == dev->heard.opts[2], "both readings of the octets' order agree");
	ck_assert_uint_eq(dev->heard.opts[1] & 15, 5);
	unsigned asked = 1;
	for (int i = 0; i < 200; i++) {
		md_say(&md, hello);
		asked += md.n_asked[14];
	}
	ck_assert_uint_eq(asked, 8);
	w_join_request(w, dev, 2, 1);
	w_rest(w);
	md.n_heard = dev->n_heard;
	for (int i = 0; i < 5; i++) {
		md_say(&md, hello);
		ck_assert_uint_eq(md.n_asked[14], 0);
	}
}
END_TEST

START_TEST(one_answer_stands_for_a_block)
{
	MSG_SET(&dev->mac, adr_mode, ADR_STATIC);
	MSG_SET(&dev->mac, static_dr, 2);
	tell();
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .adr = true });
	ck_assert_uint_eq(md.dr, 2);
	md_say(&md, (struct w_say){ .port = 1, .text = "x", .adr = true });
	ck_assert_uint_eq(md.n_asked[3], 0);
	ck_assert_uint_eq(state().current.dr, 2);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_mac_1_1");
	TCase *t = tcase_create("mac");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_limits_of_adr_are_set);
	tcase_add_test(t, of_the_times_of_rejoins_the_count_may_be_taken_alone);
	tcase_add_test(t, a_device_says_its_class_until_it_is_confirmed);
	tcase_add_test(t, the_operator_asks_for_a_rejoin_and_a_new_session_ends_that);
	tcase_add_test(t, one_answer_stands_for_a_block);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
