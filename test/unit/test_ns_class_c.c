/** @file Class C: an item leaves at once, through who hears the device, in nobody's way. */
#include "ns/core/device.h"
#include "proto/lorawan/mac_cmds.h"
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	dev = w_add_device(w, "dev", false);
	dev->class_c = true;
	w_sync(w, 0);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void wake_up(void)
{
	w_uplink(w, dev, &hello, 2);
	w_rest(w);
}

static struct w_item *push_at(const char *text, uint64_t ahead_us)
{
	struct w_item *it = &w->item[w->n_item];
	w_push(w, dev, 1, text, false);
	it->at_unix_us = w->now.unix_us + ahead_us;
	w_tell_waiting(w, dev->uid);
	return it;
}

static void refuse_next(unsigned gateway, enum tx_result result, unsigned n)
{
	w->gw[gateway].mood = W_REFUSES;
	w->gw[gateway].result = result;
	w->gw[gateway].moods_left = n;
}

START_TEST(an_item_leaves_within_half_a_second)
{
	wake_up();
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	uint64_t from_us = w->now.mono_us;
	w_run(w, 500 * MS_US);
	ck_assert_uint_eq(w->n_tx, 1);
	const struct tx_request *m = &w->tx[0].m;
	ck_assert_uint_lt(w->tx[0].start_us - from_us, 300 * MS_US);
	ck_assert_uint_eq(m->freq_hz, 869525000);
	ck_assert_uint_eq(m->mod.sf, 12);
	ck_assert(MSG_HAS(m, tmst_us) && m->window == 3 && w->tx[0].gateway == 0);
	ck_assert_uint_eq(dev->n_heard, 1);
	ck_assert(dev->heard.window == 3 && !dev->heard.pending && !dev->heard.ack);
	w_rest(w);
	ck_assert(it->state == W_SENT && it->n_sent == 1 && it->n_failed == 0);
}
END_TEST

START_TEST(nothing_leaves_before_the_first_uplink)
{
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 120 * SEC_US);
	ck_assert(w->n_tx == 0 && it->state == W_QUEUED);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(it->state == W_SENT && dev->n_heard == 1);
}
END_TEST

START_TEST(a_joined_device_must_speak_first)
{
	struct w_device *otaa = w_add_device(w, "otaa", true);
	otaa->class_c = true;
	w_sync(w, 0);
	w_join_request(w, otaa, 1, 1);
	w_rest(w);
	struct w_item *it = w_push(w, otaa, 1, "abc", false);
	w_run(w, 30 * SEC_US);
	ck_assert_int_eq(it->state, W_QUEUED);
	w_uplink(w, otaa, &hello, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_SENT);
	it = w_push(w, otaa, 1, "def", false);
	w_run(w, 500 * MS_US);
	ck_assert(otaa->heard.window == 3 && it->n_heard == 1);
}
END_TEST

START_TEST(items_follow_each_other_as_the_air_allows)
{
	wake_up();
	for (int i = 0; i < 20; i++)
		w_push(w, dev, 1, "abcdefghij", false);
	w_run(w, 60 * SEC_US);
	ck_assert_uint_eq(dev->n_heard, 20);
	for (uint32_t i = 0; i < w->n_item; i++)
		ck_assert(w->item[i].state == W_SENT && w->item[i].n_heard == 1 && w->item[i].n_failed == 0);
	for (uint32_t i = 1; i < w->n_tx; i++) {
		uint64_t end_us = w->tx[i - 1].start_us + w->tx[i - 1].m.airtime_us;
		ck_assert_uint_ge(w->tx[i].start_us, end_us);
		ck_assert_uint_le(w->tx[i].start_us, end_us + SEC_US / 2);
	}
}
END_TEST

START_TEST(an_item_after_an_uplink_keeps_clear_of_its_windows)
{
	wake_up();
	for (unsigned ms = 250; ms < 4000; ms += 130) {
		uint32_t before = dev->n_heard;
		w_uplink(w, dev, &sure, 2);
		w_run(w, ms * MS_US);
		struct w_item *it = w_push(w, dev, 1, "abcdefghij", false);
		w_rest(w);
		ck_assert_msg(it->state == W_SENT && it->n_heard == 1, "pushed after %u ms: state %d, heard %u", ms, (int)it->state, it->n_heard);
		ck_assert_uint_ge(dev->n_heard, before + 1);
		ck_assert_str_eq(w->broken, "");
	}
}
END_TEST

START_TEST(a_confirmed_item_is_repeated_after_its_time)
{
	wake_up();
	struct w_item *it = w_push(w, dev, 1, "abc", true);
	w_run(w, 10 * SEC_US);
	ck_assert(it->state == W_SENT && dev->n_heard == 1);
	w_run(w, 280 * SEC_US);
	ck_assert_uint_eq(it->n_nacks, 0);
	w_run(w, 20 * SEC_US);
	ck_assert_uint_eq(it->n_nacks, 1);
	ck_assert(it->state == W_SENT && dev->n_heard == 2);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .ack = true }, 1);
	w_rest(w);
	ck_assert(it->state == W_ACKED && it->n_nacks == 1);
}
END_TEST

/* An uplink that was on its way when the item left says nothing of it. */
START_TEST(an_uplink_from_before_a_confirmed_item_is_no_nack)
{
	wake_up();
	struct w_item *it = w_push(w, dev, 1, "abc", true);
	while (!w->n_tx)
		w_run(w, MS_US);
	w_uplink(w, dev, &hello, 2);
	w_run(w, 10 * SEC_US);
	ck_assert(it->n_nacks == 0 && it->n_sent == 1 && dev->n_heard == 1);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "x", .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

/* The acknowledgement of the first attempt comes when the second has just left: the device has heard that as well. */
START_TEST(in_1_1_a_late_ack_does_not_forget_the_attempt_after_it)
{
	static const uint8_t mode[] = { CMD_DEVICE_MODE, DEVICE_CLASS_C };
	struct w_device *d = w_add_device_1_1(w, "d11", false);
	d->class_c = true;
	d->mac.class_c_timeout_s = 20;
	MSG_MARK(&d->mac, class_c_timeout_s);
	w_sync(w, 0);
	w_uplink(w, d, &(struct w_say){ .port = 1, .text = "x", .opts = mode, .n_opts = sizeof(mode) }, 1);
	w_rest(w);
	struct w_item *it = w_push(w, d, 1, "abc", true);
	for (int i = 0; i < 400 && !it->n_sent; i++)
		w_run(w, 10 * MS_US);
	uint16_t first = d->conf_down;
	while (it->n_nacks == 0)
		w_run(w, 10 * MS_US);
	while (w->tx[w->n_tx - 1].m.phy.p[0] >> 5 != MTYPE_CONFIRMED_DOWN || d->conf_down == first)
		w_run(w, MS_US);
	uint16_t second = d->conf_down;
	d->conf_down = first;
	w_uplink(w, d, &(struct w_say){ .port = 1, .text = "first", .ack = true }, 1);
	w_rest(w);
	ck_assert_int_eq(it->state, W_ACKED);
	struct w_item *next = w_push(w, d, 1, "next", true);
	w_run(w, 5 * SEC_US);
	uint32_t n_up = w->n_up;
	d->conf_down = second;
	w_uplink(w, d, &(struct w_say){ .port = 1, .text = "second", .ack = true }, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, n_up + 1); /* it is the device's, whatever it says */
	ck_assert_int_ne(next->state, W_ACKED);
}
END_TEST

START_TEST(the_device_can_have_another_time_and_a_restart_begins_it_again)
{
	dev->mac.class_c_timeout_s = 20;
	MSG_MARK(&dev->mac, class_c_timeout_s);
	w_sync(w, 0);
	wake_up();
	struct w_item *it = w_push(w, dev, 1, "abc", true);
	w_run(w, 10 * SEC_US);
	ck_assert_uint_eq(it->n_nacks, 0);
	w_crash(w);
	w_run(w, 15 * SEC_US);
	ck_assert_uint_eq(it->n_nacks, 0);
	w_run(w, 10 * SEC_US);
	ck_assert_uint_eq(it->n_nacks, 1);
	ck_assert_uint_eq(dev->n_heard, 2);
}
END_TEST

START_TEST(after_a_restart_who_heard_the_device_is_known)
{
	wake_up();
	w_crash(w);
	w_run(w, SEC_US);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 3 * SEC_US);
	ck_assert(it->state == W_SENT && dev->n_heard == 1);
	ck_assert(!MSG_HAS(&w->tx[0].m, tmst_us) && w->tx[0].m.at_us == 0); /* its counter was not told of since */
}
END_TEST

START_TEST(a_counter_that_only_the_gs_knows_still_times_it)
{
	wake_up();
	w->gw[0].clock = 1;
	w_hello_gs(w);
	w_run(w, 3600 * SEC_US); /* too long ago for us */
	for (int i = 0; i < 2; i++) {
		uint32_t n = w->n_tx;
		uint64_t from_us = w->now.mono_us;
		struct w_item *it = w_push(w, dev, 1, "abc", false);
		w_run(w, 500 * MS_US);
		ck_assert_uint_eq(w->n_tx, n + 1);
		const struct w_tx *t = &w->tx[n];
		ck_assert(!MSG_HAS(&t->m, tmst_us) && !MSG_HAS(&t->m, gps_ms) && t->m.at_us > 0);
		ck_assert_uint_lt(t->start_us - from_us, 300 * MS_US);
		w_run(w, 5 * SEC_US);
		ck_assert(it->state == W_SENT && it->n_heard == 1);
		w_crash(w); /* the new process hears of it from the gs */
		w_run(w, SEC_US);
	}
}
END_TEST

START_TEST(a_given_time_is_kept_by_a_counter_that_only_the_gs_knows)
{
	wake_up();
	w->gw[0].clock = 1;
	w_hello_gs(w);
	w_run(w, 3600 * SEC_US);
	struct w_item *it = push_at("abc", 10 * SEC_US);
	uint64_t at_us = w->now.mono_us + 10 * SEC_US;
	w_run(w, 15 * SEC_US);
	const struct w_tx *t = &w->tx[w->n_tx - 1];
	ck_assert(it->state == W_SENT && t->m.at_us > 0);
	ck_assert(t->start_us < at_us + 10 * MS_US && t->start_us + 10 * MS_US > at_us);
}
END_TEST

START_TEST(a_counter_that_the_gs_doubts_is_not_used)
{
	wake_up();
	w->gw[0].clock = -1; /* its address changed: it may have started again */
	w_hello_gs(w);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 5 * SEC_US);
	ck_assert(it->state == W_SENT && w->tx[0].gateway == 0);
	ck_assert(!MSG_HAS(&w->tx[0].m, tmst_us) && w->tx[0].m.at_us == 0);
	wake_up();
	w_push(w, dev, 1, "abc", false);
	w_run(w, 5 * SEC_US);
	ck_assert(MSG_HAS(&w->tx[1].m, tmst_us));
}
END_TEST

START_TEST(the_outcome_of_an_immediate_one_may_come_after_eight_seconds)
{
	wake_up();
	w_crash(w);
	w_run(w, SEC_US);
	w->ack_us = 8 * SEC_US; /* held for three by its gs, which then waits five */
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 12 * SEC_US);
	ck_assert(!MSG_HAS(&w->tx[0].m, tmst_us));
	ck_assert(it->state == W_SENT && it->n_sent == 1 && it->n_failed == 0);
}
END_TEST

START_TEST(who_refuses_leaves_it_to_the_next)
{
	wake_up();
	for (uint32_t result = TX_RESULT_UNKNOWN_ERROR; result <= TX_RESULT_GPS_UNLOCKED; result++) {
		uint32_t before = w->n_tx;
		refuse_next(0, result, 1);
		struct w_item *it = w_push(w, dev, 1, "abc", false);
		w_run(w, 20 * SEC_US);
		ck_assert_msg(it->state == W_SENT && it->n_failed == 0 && it->n_heard == 1, "result %u: %d", result, (int)it->state);
		ck_assert_uint_ge(w->n_tx, before + 2);
	}
}
END_TEST

START_TEST(a_refusal_leaves_the_frame_before_it_on_air)
{
	wake_up();
	w_push(w, dev, 1, "abcdefghij", false);
	w_push(w, dev, 1, "klmnopqrst", false);
	while (!w->n_tx)
		w_run(w, MS_US);
	refuse_next(0, TX_RESULT_TOO_EARLY, 1);
	refuse_next(1, TX_RESULT_TOO_EARLY, 1);
	w_run(w, 10 * SEC_US);
	ck_assert(w->n_tx >= 3 && !w->tx[1].is_emitted && w->tx[w->n_tx - 1].is_emitted);
	for (unsigned i = 1; i < w->n_tx; i++)
		ck_assert_uint_ge(w->tx[i].start_us, w->tx[0].start_us + w->tx[0].m.airtime_us);
	ck_assert(w->item[0].state == W_SENT && w->item[1].state == W_SENT && dev->n_heard == 2);
}
END_TEST

START_TEST(when_all_refuse_it_fails_after_a_minute_with_what_they_said)
{
	wake_up();
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 0);
	refuse_next(1, TX_RESULT_COLLISION_PACKET, 0);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 55 * SEC_US);
	ck_assert_int_ne(it->state, W_FAILED);
	w_run(w, 15 * SEC_US);
	ck_assert(it->state == W_FAILED && it->n_failed == 1);
	ck_assert_str_eq(it->error, "transmission");
	w->gw[0].mood = w->gw[1].mood = W_SENDS;
	it = w_push(w, dev, 1, "def", false);
	w_run(w, 10 * SEC_US);
	ck_assert_int_eq(it->state, W_SENT);
}
END_TEST

START_TEST(the_as_notes_an_item_only_when_somebody_can_send_it)
{
	wake_up();
	w->gw[0].can_send = w->gw[1].can_send = false;
	w_hello_gs(w);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	unsigned before = dev->n_prepared;
	w_run(w, 30 * SEC_US);
	ck_assert(dev->n_prepared == before && it->state == W_QUEUED);
	w->gw[1].can_send = true;
	w_hello_gs(w);
	w_run(w, 5 * SEC_US);
	ck_assert(dev->n_prepared == before + 1 && it->state == W_SENT);
}
END_TEST

START_TEST(without_a_path_it_fails_after_a_minute)
{
	wake_up();
	w->gw[0].can_send = w->gw[1].can_send = false;
	w_hello_gs(w);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 58 * SEC_US);
	ck_assert_int_eq(it->state, W_QUEUED);
	w_run(w, 5 * SEC_US);
	ck_assert_str_eq(it->error, "no_downlink_path");
	it = w_push(w, dev, 1, "abc", false);
	w_run(w, 30 * SEC_US);
	w->gw[1].can_send = true;
	w_hello_gs(w);
	w_run(w, 5 * SEC_US);
	ck_assert_int_eq(it->state, W_SENT);
	ck_assert_uint_eq(w->tx[0].gateway, 1);
}
END_TEST

START_TEST(without_airtime_it_fails_after_a_minute)
{
	wake_up();
	unsigned sent = 0, failed = 0;
	for (unsigned i = 0; i < 400 && !failed; i++) {
		struct w_item *it = w_push(w, dev, 1, "a payload of fifty octets, as long as SF12 carries", false);
		w_run(w, 4 * SEC_US);
		if (it->state != W_SENT) {
			w_run(w, 63 * SEC_US);
			ck_assert_int_eq(it->state, W_FAILED);
			ck_assert_str_eq(it->error, "duty_cycle");
			failed++;
		}
		sent += it->state == W_SENT;
	}
	/* LOWEST may fill 40 % of 10 % of an hour, through each of two gateways. */
	uint64_t used_us[2] = { 0, 0 };
	for (uint32_t i = 0; i < w->n_tx; i++)
		used_us[w->tx[i].gateway] += w->tx[i].m.airtime_us;
	ck_assert_uint_eq(failed, 1);
	ck_assert(used_us[0] <= 144 * SEC_US && used_us[1] <= 144 * SEC_US && used_us[0] + used_us[1] > 270 * SEC_US);
}
END_TEST

START_TEST(an_unknown_outcome_is_a_failure_and_no_second_emission)
{
	wake_up();
	w->gw[0].mood = W_SILENT;
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 20 * SEC_US);
	ck_assert(it->state == W_FAILED && w->n_tx == 1);
	ck_assert_str_eq(it->error, "transmission");
}
END_TEST

START_TEST(a_named_gateway_sends_in_the_order_of_the_names)
{
	wake_up();
	struct w_item *it = &w->item[w->n_item];
	w_push(w, dev, 1, "abc", false);
	it->via[0].eui = w->gw[1].eui;
	it->via[1].eui = w->gw[0].eui;
	it->n_via = 2;
	w_tell_waiting(w, dev->uid);
	w_run(w, 5 * SEC_US);
	ck_assert(it->state == W_SENT && w->n_tx == 1 && w->tx[0].gateway == 1);
}
END_TEST

START_TEST(a_given_time_is_kept)
{
	wake_up();
	for (int with_gps = 0; with_gps < 2; with_gps++) {
		w->gw[0].has_gps = with_gps;
		wake_up();
		struct w_item *it = push_at("abc", 10 * SEC_US);
		uint64_t at_us = w->now.mono_us + 10 * SEC_US;
		w_run(w, 9 * SEC_US);
		ck_assert_int_eq(it->state, W_QUEUED);
		w_run(w, 5 * SEC_US);
		const struct w_tx *t = &w->tx[w->n_tx - 1];
		ck_assert_int_eq(it->state, W_SENT);
		ck_assert_int_eq(MSG_HAS(&t->m, gps_ms), with_gps);
		ck_assert(t->start_us < at_us + 10 * MS_US && t->start_us + 10 * MS_US > at_us);
	}
}
END_TEST

START_TEST(a_given_time_is_kept_by_the_next_gateway_too)
{
	wake_up();
	refuse_next(0, TX_RESULT_COLLISION_PACKET, 0);
	struct w_item *it = push_at("abc", 10 * SEC_US);
	uint64_t at_us = w->now.mono_us + 10 * SEC_US;
	w_run(w, 15 * SEC_US);
	const struct w_tx *t = &w->tx[w->n_tx - 1];
	ck_assert(it->state == W_SENT && t->gateway == 1);
	ck_assert(t->start_us < at_us + 10 * MS_US && t->start_us + 10 * MS_US > at_us);
}
END_TEST

START_TEST(a_time_that_has_passed_is_an_error)
{
	wake_up();
	struct w_item *it = push_at("abc", 0);
	it->at_unix_us -= SEC_US;
	w_tell_waiting(w, dev->uid);
	w_run(w, 5 * SEC_US);
	ck_assert(it->state == W_FAILED && w->n_tx == 0);
	ck_assert_str_eq(it->error, "downlink_expired");
}
END_TEST

START_TEST(class_c_can_be_switched_off)
{
	wake_up();
	dev->class_c = false;
	w_sync(w, 0);
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 100 * SEC_US);
	ck_assert(it->state == W_QUEUED && w->n_tx == 0);
	dev->class_c = true;
	w_sync(w, 0);
	w_run(w, SEC_US);
	ck_assert(it->n_heard == 1 && dev->heard.window == 3);
}
END_TEST

START_TEST(an_as_that_does_not_answer_holds_nothing_up_for_ever)
{
	wake_up();
	w->as_is_mute = true;
	struct w_item *it = w_push(w, dev, 1, "abc", false);
	w_run(w, 5 * SEC_US);
	ck_assert_uint_eq(w->n_tx, 0);
	w->as_is_mute = false;
	w_run(w, 5 * SEC_US);
	ck_assert(it->state == W_SENT && it->n_heard == 1);
}
END_TEST

START_TEST(a_crash_loses_no_item_and_sends_none_twice_unsaid)
{
	wake_up();
	for (unsigned ms = 0; ms < 400; ms += 7) {
		struct w_item *it = w_push(w, dev, 1, "abc", false);
		w_run(w, ms * MS_US);
		w_crash(w);
		w_run(w, 3700 * SEC_US); /* each crash costs a slice of airtime */
		ck_assert_msg(it->state == W_SENT || it->state == W_FAILED, "crash after %u ms: state %d", ms, (int)it->state);
		ck_assert_uint_le(it->n_heard, 1);
		if (it->state == W_SENT)
			ck_assert_uint_eq(it->n_heard, 1);
	}
}
END_TEST

/* Many devices, two gateways, uplinks and items at any time, gateways that refuse and fall silent: what must hold is in the world. */
START_TEST(at_random)
{
	static const enum tx_result results[] = { TX_RESULT_TOO_LATE, TX_RESULT_TOO_EARLY, TX_RESULT_COLLISION_PACKET, TX_RESULT_TX_POWER,
		TX_RESULT_UNKNOWN_ERROR };
	w_free(w);
	w = w_new((uint64_t)_i + 100);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	for (int i = 0; i < 12; i++) {
		char name[8];
		snprintf(name, sizeof(name), "d%d", i);
		w_add_device(w, name, false)->class_c = i % 3 != 0;
	}
	w_sync(w, 0);
	for (int i = 0; i < 600 && !w->broken[0]; i++) {
		struct w_device *d = &w->dev[rng_below(&w->rng, w->n_dev)];
		unsigned what = (unsigned)rng_below(&w->rng, 10);
		if (what < 4 && w->now.mono_us > d->last_up_us + 3 * SEC_US)
			w_uplink(w, d, &(struct w_say){ .port = 1, .text = "x", .confirmed = what == 0, .ack = d->owes_ack }, 1 + what % 2);
		else if (what < 8)
			w_push(w, d, 1, "some text", what == 7)->priority = (uint32_t)rng_below(&w->rng, 7);
		else if (what == 8)
			refuse_next((unsigned)rng_below(&w->rng, 2), results[rng_below(&w->rng, COUNT(results))], 1 + (unsigned)rng_below(&w->rng, 4));
		else if (rng_below(&w->rng, 10) == 0)
			w_crash(w);
		w_run(w, rng_below(&w->rng, 900) * MS_US);
	}
	w->gw[0].mood = w->gw[1].mood = W_SENDS;
	w_run(w, 100 * SEC_US);
	for (int i = 0; i < 60; i++)
		for (uint32_t k = 0; k < w->n_dev && !w->broken[0]; k++) {
			w_uplink(w, &w->dev[k], &(struct w_say){ .port = 1, .text = "x", .ack = w->dev[k].owes_ack }, 2);
			w_run(w, 4 * SEC_US);
		}
	ck_assert_str_eq(w->broken, "");
	unsigned left = 0;
	for (uint32_t i = 0; i < w->n_item; i++) {
		struct w_item *it = &w->item[i];
		struct w_device *d = w_device(w, it->device);
		ck_assert_msg(it->confirmed || it->n_sent + it->n_failed <= 1, "item %u: %u sent, %u failed", i, it->n_sent, it->n_failed);
		left += d->class_c && d->last_up_us && it->state == W_QUEUED;
	}
	ck_assert_uint_eq(left, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_class_c");
	TCase *t = tcase_create("ns_class_c");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, an_item_leaves_within_half_a_second);
	tcase_add_test(t, nothing_leaves_before_the_first_uplink);
	tcase_add_test(t, a_joined_device_must_speak_first);
	tcase_add_test(t, items_follow_each_other_as_the_air_allows);
	tcase_add_test(t, an_item_after_an_uplink_keeps_clear_of_its_windows);
	tcase_add_test(t, a_confirmed_item_is_repeated_after_its_time);
	tcase_add_test(t, an_uplink_from_before_a_confirmed_item_is_no_nack);
	tcase_add_test(t, in_1_1_a_late_ack_does_not_forget_the_attempt_after_it);
	tcase_add_test(t, the_device_can_have_another_time_and_a_restart_begins_it_again);
	tcase_add_test(t, after_a_restart_who_heard_the_device_is_known);
	tcase_add_test(t, a_counter_that_only_the_gs_knows_still_times_it);
	tcase_add_test(t, a_given_time_is_kept_by_a_counter_that_only_the_gs_knows);
	tcase_add_test(t, a_counter_that_the_gs_doubts_is_not_used);
	tcase_add_test(t, the_outcome_of_an_immediate_one_may_come_after_eight_seconds);
	tcase_add_test(t, who_refuses_leaves_it_to_the_next);
	tcase_add_test(t, a_refusal_leaves_the_frame_before_it_on_air);
	tcase_add_test(t, when_all_refuse_it_fails_after_a_minute_with_what_they_said);
	tcase_add_test(t, the_as_notes_an_item_only_when_somebody_can_send_it);
	tcase_add_test(t, without_a_path_it_fails_after_a_minute);
	tcase_add_test(t, without_airtime_it_fails_after_a_minute);
	tcase_add_test(t, an_unknown_outcome_is_a_failure_and_no_second_emission);
	tcase_add_test(t, a_named_gateway_sends_in_the_order_of_the_names);
	tcase_add_test(t, a_given_time_is_kept);
	tcase_add_test(t, a_given_time_is_kept_by_the_next_gateway_too);
	tcase_add_test(t, a_time_that_has_passed_is_an_error);
	tcase_add_test(t, class_c_can_be_switched_off);
	tcase_add_test(t, an_as_that_does_not_answer_holds_nothing_up_for_ever);
	tcase_add_test(t, a_crash_loses_no_item_and_sends_none_twice_unsaid);
	tcase_add_loop_test(t, at_random, 0, 12);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
