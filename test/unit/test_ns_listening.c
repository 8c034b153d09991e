/** @file What a device that always listens is sent, and how often: intervals, dwell times, MAC commands, sessions of 1.1. */
#include "test/unit/mac_device.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" };

static void tell(void)
{
	w_sync(w, 0);
	w_settle(w);
}

static void begin(const char *plan)
{
	if (w)
		w_free(w);
	w = w_new(1);
	w->plan = plan_find(str_of(plan));
	ck_assert_ptr_nonnull(w->plan);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "dev", false);
	dev->class_c = true;
	if (strcmp(plan, "AS_923") == 0)
		dev->up.freq_hz = 923200000;
	tell();
	w_run(w, SEC_US);
}

static void setup(void)
{
	begin("EU_863_870");
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
	w = NULL;
}

static void say(const struct w_say *what)
{
	w_uplink(w, dev, what, 1);
	w_rest(w);
}

static struct w_item *push(const char *text)
{
	return w_push(w, dev, 1, text, false);
}

/* ---- interval ---- */

START_TEST(the_operator_may_want_time_between_two)
{
	MSG_SET(&dev->mac, class_bc_interval_ms, 7000);
	tell();
	say(&hello);
	for (int i = 0; i < 5; i++)
		push("abc");
	w_run(w, 60 * SEC_US);
	ck_assert(w->n_tx == 5 && dev->n_heard == 5);
	for (uint32_t i = 1; i < w->n_tx; i++) {
		uint64_t since_us = w->tx[i].start_us - w->tx[i - 1].start_us;
		ck_assert_msg(since_us >= 7 * SEC_US && since_us < 7 * SEC_US + 500 * MS_US, "%u ms", (unsigned)(since_us / MS_US));
	}
}
END_TEST

START_TEST(what_was_refused_begins_no_interval)
{
	MSG_SET(&dev->mac, class_bc_interval_ms, 30000);
	tell();
	say(&hello);
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	w->gw[0].moods_left = 2;
	struct w_item *it = push("abc");
	w_run(w, 5 * SEC_US);
	ck_assert_int_eq(it->state, W_SENT);
}
END_TEST

START_TEST(neither_an_answer_nor_a_given_time_waits_for_it)
{
	MSG_SET(&dev->mac, class_bc_interval_ms, 60000);
	tell();
	say(&hello);
	push("abc");
	w_run(w, 3 * SEC_US);
	struct w_item *it = push("def");
	it->at_unix_us = w->now.unix_us + 8 * SEC_US;
	w_tell_waiting(w, dev->uid);
	w_run(w, 12 * SEC_US);
	ck_assert(it->state == W_SENT && w->n_tx == 2);
	it = push("ghi");
	w_run(w, SEC_US);
	ck_assert_int_eq(it->state, W_QUEUED);
	say(&hello);
	ck_assert(it->state == W_SENT && dev->heard.window == 1);
}
END_TEST

/* ---- dwell time ---- */

START_TEST(no_frame_is_longer_than_the_dwell_time_where_there_is_one)
{
	for (int is_on = 1; is_on >= 0; is_on--) {
		struct mac_device md;
		begin("AS_923");
		md_init(&md, w, dev);
		md.rx2_hz = 923200000;
		MSG_SET(&dev->mac, down_dwell, is_on);
		tell();
		md_say(&md, hello); /* it is told, */
		md_say(&md, hello); /* and answers */
		ck_assert_int_eq((int)(md.tx_param >> 5 & 1), is_on);
		uint32_t before = w->n_tx;
		struct w_item *fits = push("eleven octs"), *is_long = push("twelve octets"); /* DR2 holds 19 octets of MACPayload [RP002 2.9.6] */
		w_run(w, 100 * SEC_US);
		ck_assert(fits->state == W_SENT && is_long->state == (is_on ? W_QUEUED : W_SENT));
		ck_assert_uint_eq(w->n_tx, before + (is_on ? 1 : 2));
		for (uint32_t i = before; i < w->n_tx; i++) {
			ck_assert_uint_eq(w->tx[i].m.mod.sf, 10);
			ck_assert_msg(!is_on || w->tx[i].m.airtime_us <= 400 * MS_US, "%u us", w->tx[i].m.airtime_us);
		}
	}
}
END_TEST

/* ---- MAC commands ---- */

START_TEST(what_is_wanted_of_the_device_goes_with_an_item)
{
	struct mac_device md;
	md_init(&md, w, dev);
	md_say(&md, hello);
	MSG_SET(&dev->mac, desired_duty_cycle, 3);
	MSG_SET(&dev->mac, desired_rx1_delay, 4);
	MSG_SET(&dev->mac, status_every_n, 1);
	tell();
	struct w_item *it = push("abc");
	w_run(w, 5 * SEC_US);
	md_hear(&md);
	ck_assert(it->state == W_SENT && dev->heard.window == 3 && dev->heard.port == 1 && dev->heard.n == 3);
	ck_assert(md.duty == 3 && md.n_asked[4] == 1 && md.n_asked[6] == 1);
	ck_assert_uint_eq(md.n_asked[8], 0); /* when it listens: that follows an uplink */
	/* What it owes an answer to is not asked again, and the answer counts. */
	push("def");
	w_run(w, 5 * SEC_US);
	md_hear(&md);
	ck_assert(dev->heard.n_opts == 0 && dev->heard.n == 3);
	md_say(&md, hello);
	ck_assert(w_traced(w, "ns.mac.duty_cycle.answer", "") && w->n_statuses == 1);
	ck_assert(md.n_asked[4] == 0 && md.n_asked[8] == 1 && md.rx1_delay == 4);
}
END_TEST

START_TEST(a_slow_disk_of_the_as_costs_neither_the_half_second_nor_a_counter)
{
	struct mac_device md;
	md_init(&md, w, dev);
	md_say(&md, hello);
	w->as_commit_us = 100 * MS_US;
	MSG_SET(&dev->mac, status_every_n, 1);
	tell();
	for (unsigned i = 0; i < 3; i++) {
		struct w_item *it = push("abc");
		unsigned prepared = dev->n_prepared;
		w_run(w, 500 * MS_US);
		ck_assert(w->n_tx == i + 1 && dev->n_prepared == prepared + 1);
		ck_assert_uint_lt(w->tx[i].start_us, w->now.mono_us);
		w_run(w, 5 * SEC_US);
		ck_assert(it->state == W_SENT && dev->heard.f_cnt == i);
		md_hear(&md);
		ck_assert_uint_eq(md.n_asked[6], 1);
	}
}
END_TEST

START_TEST(an_item_that_needs_all_the_room_has_it)
{
	struct mac_device md;
	md_init(&md, w, dev);
	md_say(&md, hello);
	MSG_SET(&dev->mac, desired_duty_cycle, 3);
	tell();
	/* 51 octets and not one more at SF12 [RP002 2.4.6] */
	struct w_item *it = push("fifty-one octets of payload and not one more of them");
	ck_assert_uint_eq(it->n, 52);
	it->n = 51;
	w_tell_waiting(w, dev->uid);
	w_run(w, 10 * SEC_US);
	ck_assert(it->state == W_SENT && dev->heard.n == 51 && dev->heard.n_opts == 0);
	it = push("fifty octets of payload leave one octet for a MAC c");
	ck_assert_uint_eq(it->n, 51);
	it->n = 49;
	w_tell_waiting(w, dev->uid);
	w_run(w, 10 * SEC_US);
	ck_assert(it->state == W_SENT && dev->heard.n == 49 && dev->heard.n_opts == 2);
}
END_TEST

START_TEST(requests_that_no_gateway_sent_are_not_held_against_the_device)
{
	struct mac_device md;
	md_init(&md, w, dev);
	md_say(&md, hello);
	MSG_SET(&dev->mac, desired_duty_cycle, 3);
	tell();
	w->gw[0].mood = W_REFUSES;
	w->gw[0].result = TX_RESULT_COLLISION_PACKET;
	for (int i = 0; i < 12; i++) /* more often than a silent device is asked */
		md_say(&md, hello);
	push("abc");
	w_run(w, 100 * SEC_US);
	ck_assert(md.n_asked[4] == 0 && !w_traced(w, "ns.mac.command.unanswered", ""));
	w->gw[0].mood = W_SENDS;
	md_say(&md, hello);
	ck_assert(md.n_asked[4] == 1 && md.duty == 3);
}
END_TEST

/* ---- LoRaWAN 1.1 ---- */

static void begin_1_1(void)
{
	begin("EU_863_870");
	w_make_1_1(w, dev);
	dev->generation++;
	tell();
	w_run(w, SEC_US);
}

static void say_class(uint8_t class)
{
	uint8_t mode[] = { 0x20, class };
	say(&(struct w_say){ .port = -1, .opts = mode, .n_opts = sizeof(mode) });
}

START_TEST(a_device_of_1_1_says_when_it_begins_and_ends)
{
	begin_1_1();
	say(&hello);
	struct w_item *it = push("abc");
	w_run(w, 60 * SEC_US);
	ck_assert(it->state == W_QUEUED && w->n_tx == 0);
	say_class(2);
	ck_assert_int_eq(it->state, W_SENT);
	it = push("def");
	w_run(w, 5 * SEC_US);
	ck_assert(it->state == W_SENT && dev->heard.window == 3);
	say_class(0);
	it = push("ghi");
	w_run(w, 60 * SEC_US);
	ck_assert_int_eq(it->state, W_QUEUED);
}
END_TEST

START_TEST(commands_with_an_item_are_encrypted_as_1_1_wants)
{
	begin_1_1();
	say_class(2);
	MSG_SET(&dev->mac, desired_ack_limit, 5);
	MSG_SET(&dev->mac, desired_ack_delay, 4);
	tell();
	push("abc");
	w_run(w, 5 * SEC_US);
	ck_assert(dev->heard.window == 3 && dev->heard.n_opts == 2 && dev->heard.n == 3);
	ck_assert(dev->heard.opts[0] == 0x0c && dev->heard.opts[1] == 0x54); /* ADRParamSetupReq [LW1.1 5.12] */
}
END_TEST

START_TEST(the_code_of_an_ack_of_1_1_names_the_confirmed_item_of_class_c)
{
	begin_1_1();
	say_class(2);
	for (int i = 0; i < 3; i++) {
		struct w_item *it = w_push(w, dev, 1, "abc", true);
		w_run(w, 10 * SEC_US);
		ck_assert(it->state == W_SENT && dev->heard.confirmed && dev->heard.window == 3 && dev->owes_ack);
		unsigned ups = w->n_up;
		say(&(struct w_say){ .port = 1, .text = "ack", .ack = true });
		ck_assert_uint_eq(w->n_up, ups + 1);
		ck_assert(it->state == W_ACKED && it->n_nacks == 0);
	}
}
END_TEST

START_TEST(and_that_of_its_second_try)
{
	begin_1_1();
	say_class(2);
	struct w_item *it = w_push(w, dev, 1, "abc", true);
	w_run(w, 320 * SEC_US);
	ck_assert(it->n_nacks == 1 && it->state == W_SENT);
	say(&(struct w_say){ .port = 1, .text = "ack", .ack = true });
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_listening");
	TCase *t = tcase_create("ns_listening");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, the_operator_may_want_time_between_two);
	tcase_add_test(t, what_was_refused_begins_no_interval);
	tcase_add_test(t, neither_an_answer_nor_a_given_time_waits_for_it);
	tcase_add_test(t, no_frame_is_longer_than_the_dwell_time_where_there_is_one);
	tcase_add_test(t, what_is_wanted_of_the_device_goes_with_an_item);
	tcase_add_test(t, a_slow_disk_of_the_as_costs_neither_the_half_second_nor_a_counter);
	tcase_add_test(t, an_item_that_needs_all_the_room_has_it);
	tcase_add_test(t, requests_that_no_gateway_sent_are_not_held_against_the_device);
	tcase_add_test(t, commands_with_an_item_are_encrypted_as_1_1_wants);
	tcase_add_test(t, a_device_of_1_1_says_when_it_begins_and_ends);
	tcase_add_test(t, the_code_of_an_ack_of_1_1_names_the_confirmed_item_of_class_c);
	tcase_add_test(t, and_that_of_its_second_try);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
