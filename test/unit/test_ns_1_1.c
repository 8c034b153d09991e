/** @file LoRaWAN 1.1 around the core: two downlink counters, encrypted FOpts, integrity codes of two keys, rejoins. */
#include "proto/lorawan/mac_cmds.h"
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *abp, *otaa;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true },
			  ack = { .port = 1, .text = "ack", .ack = true };
static uint16_t nonce;

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	w_add_gateway(w, "far");
	abp = w_add_device_1_1(w, "abp", false);
	otaa = w_add_device_1_1(w, "otaa", true);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void say(struct w_device *d, const struct w_say *what)
{
	w_uplink(w, d, what, 1);
	w_rest(w);
}

static void join(struct w_device *d)
{
	unsigned n = d->n_joins_heard;
	w_join_request(w, d, nonce++, 1);
	w_rest(w);
	ck_assert_uint_eq(d->n_joins_heard, n + 1);
}

/* A frame with a code that someone made otherwise. */
static void say_wrongly(struct w_device *d, const struct w_say *what, int octet)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, d, d->f_cnt_up++, what, phy);
	phy[n - MIC_LEN + (size_t)octet] ^= 1;
	d->last_up_us = w->now.mono_us;
	w_heard(w, d, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
}

/* ---- uplinks ---- */

START_TEST(an_uplink_needs_both_halves_of_its_code)
{
	for (int octet = 0; octet < MIC_LEN; octet++)
		say_wrongly(abp, &hello, octet);
	ck_assert_uint_eq(w->n_up, 0);
	ck_assert(w_traced(w, "ns.up.data.drop", "mic"));
	say(abp, &hello);
	ck_assert_uint_eq(w->n_up, 1);
}
END_TEST

START_TEST(the_code_is_tried_with_the_channels_of_the_frequency)
{
	static const uint32_t freq_hz[] = { 868100000, 868300000, 868500000, 867100000, 867300000, 867500000, 867700000, 867900000 };
	for (uint8_t i = 0; i < COUNT(freq_hz); i++) {
		abp->up.freq_hz = freq_hz[i];
		abp->tx_ch = i;
		say(abp, &hello);
		ck_assert_uint_eq(w->n_up, i + 1U);
	}
}
END_TEST

START_TEST(a_first_copy_from_beside_the_channel_spoils_nothing)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, abp, abp->f_cnt_up++, &sure, phy);
	abp->last_up_us = w->now.mono_us;
	abp->up.freq_hz = 868300000;
	w_heard(w, abp, 1, (struct slice){ phy, n }, -150, 0);
	abp->up.freq_hz = 868100000;
	w_heard(w, abp, 0, (struct slice){ phy, n }, 90, 5 * MS_US);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(abp->n_heard == 1 && abp->heard.ack);
}
END_TEST

START_TEST(the_code_holds_the_data_rate)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, abp, abp->f_cnt_up++, &hello, phy);
	modu_parse(STR("SF9BW125"), &abp->up.modu);
	w_heard(w, abp, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 0);
}
END_TEST

START_TEST(a_repetition_has_another_code_and_is_acknowledged_again)
{
	uint8_t phy[PHY_MAX];
	say(abp, &sure);
	ck_assert_uint_eq(abp->n_heard, 1);
	abp->up.freq_hz = 868500000;
	abp->tx_ch = 2;
	size_t n = w_frame(w, abp, abp->f_cnt_up - 1, &sure, phy);
	ck_assert(memcmp(phy + n - MIC_LEN, abp->last + n - MIC_LEN, MIC_LEN) != 0);
	abp->last_up_us = w->now.mono_us;
	w_heard(w, abp, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert(abp->n_heard == 2 && abp->heard.ack);
}
END_TEST

/* ---- downlinks ---- */

START_TEST(f_opts_are_encrypted_both_ways_and_the_answer_counts_with_the_networks_counter)
{
	static const uint8_t link_check[] = { CMD_LINK_CHECK };
	say(abp, &(struct w_say){ .port = 1, .text = "x", .opts = link_check, .n_opts = 1 });
	ck_assert_uint_eq(abp->n_heard, 1);
	ck_assert(abp->heard.n_opts == 3 && abp->heard.opts[0] == CMD_LINK_CHECK && abp->heard.opts[2] == 1);
	w_push(w, abp, 5, "item", false);
	say(abp, &(struct w_say){ .port = 1, .text = "x", .opts = link_check, .n_opts = 1 });
	ck_assert(abp->heard.n == 4 && memcmp(abp->heard.frm, "item", 4) == 0);
	ck_assert(abp->heard.n_opts == 3 && abp->heard.opts[0] == CMD_LINK_CHECK);
	ck_assert_uint_eq(abp->heard.f_cnt, 0);
}
END_TEST

START_TEST(commands_come_in_port_0_too)
{
	static const char link_check[] = { CMD_LINK_CHECK, 0 };
	say(abp, &(struct w_say){ .port = 0, .text = link_check });
	ck_assert(abp->n_heard == 1 && abp->heard.n_opts == 3 && abp->heard.opts[0] == CMD_LINK_CHECK);
}
END_TEST

START_TEST(application_data_and_the_rest_are_counted_apart)
{
	struct device_state st;
	say(abp, &sure);
	say(abp, &sure);
	ck_assert_uint_eq(abp->last_down[0].f_cnt, 1);
	w_push(w, abp, 5, "one", false);
	say(abp, &sure);
	ck_assert(abp->last_down[1].is_there && abp->last_down[1].f_cnt == 0 && abp->last_down[0].f_cnt == 1);
	say(abp, &sure);
	ck_assert(abp->last_down[1].f_cnt == 0 && abp->last_down[0].f_cnt == 2);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = abp->uid }, &st), 0);
	ck_assert(st.last_f_cnt_down == 2 && st.last_a_f_cnt_down == 0);
}
END_TEST

START_TEST(no_counter_is_used_twice_over_crashes)
{
	for (unsigned i = 0; i < 6; i++) {
		w_push(w, abp, 5, "item", false);
		say(abp, &sure);
		say(abp, &sure);
		w_crash(w);
		w_run(w, SEC_US);
	}
	ck_assert_uint_eq(abp->n_heard, 12);
	ck_assert(abp->last_down[0].f_cnt > 5 && abp->last_down[1].f_cnt > 5);
}
END_TEST

/* ---- confirmed downlinks ---- */

START_TEST(an_ack_names_the_counter_that_it_acknowledges)
{
	struct w_item *it = w_push(w, abp, 5, "item", true);
	abp->last_down[1].f_cnt = 0;
	say(abp, &hello);
	ck_assert(abp->owes_ack && it->n_sent == 1);
	abp->conf_down = 7;
	say(abp, &ack);
	ck_assert_uint_eq(w->n_up, 1);
	abp->conf_down = 0;
	say(abp, &ack);
	ck_assert_uint_eq(w->n_up, 2);
	ck_assert_int_eq(it->state, W_ACKED);
}
END_TEST

START_TEST(an_ack_may_mean_an_earlier_attempt)
{
	struct w_item *it = w_push(w, abp, 5, "item", true);
	say(abp, &hello);
	uint16_t first = abp->conf_down;
	abp->f_cnt_up++; /* the uplink with the ACK is lost on the way */
	say(abp, &hello);
	ck_assert(it->n_nacks == 1 && it->n_sent == 2 && abp->conf_down != first);
	w_crash(w);
	w_run(w, SEC_US);
	abp->conf_down = first;
	say(abp, &ack);
	ck_assert_int_eq(it->state, W_ACKED);
	/* The same again acknowledges nothing more. */
	w_push(w, abp, 5, "next", true);
	say(abp, &hello);
	abp->conf_down = first;
	say(abp, &ack);
	ck_assert_int_ne(w->item[1].state, W_ACKED);
}
END_TEST

START_TEST(an_ack_of_another_item_is_none_of_this_one)
{
	w_push(w, abp, 5, "item", true);
	say(abp, &hello);
	uint16_t first = abp->conf_down;
	abp->f_cnt_up++; /* the uplink with the ACK is lost on the way, */
	struct w_item *urgent = w_push(w, abp, 5, "urgent", true);
	urgent->priority = 6;
	say(abp, &hello); /* and another item takes its turn */
	ck_assert(urgent->n_sent == 1 && w->item[0].n_nacks == 1);
	abp->conf_down = first;
	say(abp, &ack);
	ck_assert_uint_eq(w->n_up, 3);
	ck_assert(urgent->state != W_ACKED && urgent->n_nacks == 1);
}
END_TEST

START_TEST(an_ack_repeated_is_known_by_what_it_acknowledged)
{
	uint8_t phy[PHY_MAX];
	w_push(w, abp, 5, "item", true);
	say(abp, &hello);
	say(abp, &(struct w_say){ .port = 1, .text = "ack", .ack = true, .confirmed = true });
	unsigned n_heard = abp->n_heard;
	size_t n = w_frame(w, abp, abp->f_cnt_up - 1, &(struct w_say){ .port = 1, .text = "ack", .ack = true, .confirmed = true }, phy);
	abp->last_up_us = w->now.mono_us;
	w_heard(w, abp, 0, (struct slice){ phy, n }, 90, 0);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 2);
	ck_assert_uint_eq(abp->n_heard, n_heard + 1);
}
END_TEST

/* ---- joins ---- */

START_TEST(rekey_ind_is_confirmed_until_the_device_is_content)
{
	static const uint8_t rekey_ind[] = { CMD_REKEY, 1 };
	const struct w_say say_rekey = { .port = 1, .text = "x", .opts = rekey_ind, .n_opts = 2 };
	join(otaa);
	ck_assert(otaa->is_v11);
	for (unsigned i = 0; i < 2; i++) {
		unsigned n = otaa->n_heard;
		say(otaa, &say_rekey);
		ck_assert(otaa->n_heard == n + 1 && otaa->heard.n_opts == 2 && otaa->heard.opts[0] == CMD_REKEY && otaa->heard.opts[1] == 1);
	}
	ck_assert(w_traced(w, "ns.mac.rekey.indication", ""));
	say(abp, &say_rekey);
	ck_assert_uint_eq(abp->n_heard, 0);
	ck_assert(w_traced(w, "ns.mac.command.process.fail", "no_request"));
}
END_TEST

START_TEST(reset_ind_is_for_personalised_devices)
{
	static const uint8_t reset_ind[] = { CMD_RESET, 1 };
	const struct w_say say_reset = { .port = 1, .text = "x", .opts = reset_ind, .n_opts = 2 };
	say(abp, &say_reset);
	ck_assert(abp->n_heard == 1 && abp->heard.n_opts == 2 && abp->heard.opts[0] == CMD_RESET && abp->heard.opts[1] == 1);
	join(otaa);
	say(otaa, &say_reset);
	ck_assert_uint_eq(otaa->n_heard, 0);
}
END_TEST

START_TEST(the_old_session_goes_on_until_an_uplink_uses_the_new_one)
{
	join(otaa);
	say(otaa, &hello);
	struct w_device old = *otaa, new;
	join(otaa);
	new = *otaa;
	old.last_up_us = otaa->last_up_us;
	*otaa = old;
	say(otaa, &hello);
	ck_assert_uint_eq(w->n_up, 2);
	old = *otaa;
	*otaa = new;
	say(otaa, &hello);
	ck_assert_uint_eq(w->n_up, 3);
	*otaa = old;
	say(otaa, &hello);
	ck_assert_uint_eq(w->n_up, 3);
}
END_TEST

/* ---- rejoins ---- */

static void rejoin(struct w_device *d, uint8_t type, uint16_t count)
{
	w_rejoin(w, d, type, count, 2);
	w_rest(w);
}

START_TEST(every_type_of_rejoin_gives_a_session_in_the_windows_of_a_join)
{
	join(otaa);
	say(otaa, &hello);
	for (uint8_t type = 0; type < 3; type++) {
		uint32_t n_tx = w->n_tx, addr = otaa->dev_addr;
		rejoin(otaa, type, 5);
		ck_assert_uint_eq(otaa->n_joins_heard, type + 2U);
		ck_assert_uint_eq(w->n_tx, n_tx + 1);
		ck_assert(otaa->dev_addr != addr);
		say(otaa, &hello);
		ck_assert_uint_eq(w->n_up, type + 2U);
	}
	ck_assert_uint_eq(w->n_joins, 4);
	ck_assert(w_traced(w, "ns.up.rejoin.receive", "") && w_traced(w, "ns.up.rejoin.process", ""));
}
END_TEST

START_TEST(rj_count0_rises_within_a_session_and_starts_again_with_the_next)
{
	join(otaa);
	say(otaa, &hello);
	struct w_device before = *otaa;
	rejoin(otaa, 0, 3);
	struct w_device after_it = *otaa;
	*otaa = before; /* which did not hear the answer */
	w_crash(w);
	w_run(w, SEC_US);
	for (uint16_t count = 0; count <= 3; count++)
		rejoin(otaa, 2, count);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "rj_count0"));
	ck_assert_uint_eq(otaa->n_joins_heard, before.n_joins_heard);
	*otaa = after_it;
	say(otaa, &hello);
	rejoin(otaa, 0, 0);
	ck_assert_uint_eq(otaa->n_joins_heard, after_it.n_joins_heard + 1);
}
END_TEST

START_TEST(the_same_rejoin_within_ten_seconds_is_asked_again_and_not_later)
{
	join(otaa);
	say(otaa, &hello);
	struct w_device before = *otaa;
	w_rejoin(w, otaa, 0, 3, 1);
	w_run(w, 8 * SEC_US);
	unsigned n = otaa->n_joins_heard;
	*otaa = before;
	w_rejoin(w, otaa, 0, 3, 1);
	w_run(w, 8 * SEC_US);
	ck_assert_uint_eq(otaa->n_joins_heard, n);
	before.last_up_us = otaa->last_up_us;
	*otaa = before;
	rejoin(otaa, 0, 3);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "rj_count0"));
}
END_TEST

START_TEST(rj_count0_ends_at_16_bits)
{
	join(otaa);
	say(otaa, &hello);
	struct w_device before = *otaa;
	rejoin(otaa, 2, UINT16_MAX);
	ck_assert_uint_eq(otaa->n_joins_heard, before.n_joins_heard + 1);
	*otaa = before;
	rejoin(otaa, 2, 0);
	ck_assert_uint_eq(otaa->n_joins_heard, before.n_joins_heard);
}
END_TEST

START_TEST(a_device_that_signs_with_the_new_keys_has_heard_them)
{
	struct device_state st;
	join(otaa);
	say(otaa, &hello);
	rejoin(otaa, 0, 0);
	uint32_t second = otaa->dev_addr;
	rejoin(otaa, 0, 0);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = otaa->uid }, &st), 0);
	ck_assert_uint_eq(st.dev_addr, second);
	ck_assert_uint_eq(st.pending_dev_addr, otaa->dev_addr);
	say(otaa, &hello);
	ck_assert_uint_eq(w->n_up, 2);
}
END_TEST

START_TEST(type_2_keeps_the_radio_and_the_others_set_it_anew)
{
	join(otaa);
	say(otaa, &hello);
	MSG_SET(&otaa->mac, desired_rx1_delay, 7);
	MSG_SET(&otaa->mac, desired_rx1_dr_offset, 2);
	w_sync(w, 0);
	rejoin(otaa, 2, 0);
	ck_assert_uint_eq(w->last_join.rx_delay, 5);
	ck_assert_uint_eq(w->last_join.dl_settings, 0);
	ck_assert(!MSG_HAS(&w->last_join, cf_list));
	say(otaa, &hello);
	rejoin(otaa, 0, 0);
	ck_assert_uint_eq(w->last_join.rx_delay, 7);
	ck_assert_uint_eq(w->last_join.dl_settings, 0x20);
	ck_assert(MSG_HAS(&w->last_join, cf_list));
}
END_TEST

START_TEST(a_lost_session_is_restored_by_type_1)
{
	rejoin(otaa, 1, 9);
	ck_assert_uint_eq(otaa->n_joins_heard, 1);
	say(otaa, &hello);
	ck_assert_uint_eq(w->n_up, 1);
}
END_TEST

START_TEST(what_a_rejoin_lacks_is_said)
{
	struct w_device *old = w_add_device(w, "old", true);
	rejoin(otaa, 0, 0);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "no_rejoin"));
	rejoin(old, 1, 0);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "no_rejoin"));
	join(otaa);
	say(otaa, &hello);
	otaa->s_nwk.b[0] ^= 1;
	rejoin(otaa, 0, 0);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "mic"));
	otaa->s_nwk.b[0] ^= 1;
	otaa->dev_eui ^= UINT64_C(1) << 63;
	rejoin(otaa, 0, 0);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "device_not_found"));
	w->config.net_id = 0x13;
	rejoin(otaa, 2, 0);
	ck_assert(w_traced(w, "ns.up.rejoin.drop", "net_id"));
	ck_assert_uint_eq(w->n_tx, 1);
}
END_TEST

START_TEST(a_rejoin_heard_by_several_gateways_is_answered_once)
{
	join(otaa);
	say(otaa, &hello);
	uint32_t n_tx = w->n_tx;
	w_rejoin(w, otaa, 0, 0, 2);
	w_rest(w);
	ck_assert_uint_eq(w->n_tx, n_tx + 1);
	ck_assert_uint_eq(otaa->n_joins_heard, 2);
}
END_TEST

/* ---- versions ---- */

START_TEST(a_session_that_becomes_1_1_uses_no_counter_again)
{
	struct w_device *d = w_add_device(w, "changed", false);
	d->s_nwk = d->nwk_enc = d->nwk;
	for (unsigned i = 0; i < 3; i++)
		say(d, &sure);
	ck_assert_uint_eq(d->heard.f_cnt, 2);
	d->mac_version = LW_1_1_0;
	d->is_v11 = true;
	w_sync(w, 0);
	w_push(w, d, 5, "item", false);
	say(d, &hello);
	ck_assert(d->last_down[1].is_there && d->last_down[1].f_cnt == 3);
	say(d, &sure);
	ck_assert_uint_eq(d->last_down[0].f_cnt, 3);
	d->mac_version = LW_1_0_3;
	d->is_v11 = false;
	w_sync(w, 0);
	say(d, &sure);
	ck_assert_uint_eq(d->heard.f_cnt, 4);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns, LoRaWAN 1.1");
	TCase *t = tcase_create("1.1");
	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_uplink_needs_both_halves_of_its_code);
	tcase_add_test(t, the_code_is_tried_with_the_channels_of_the_frequency);
	tcase_add_test(t, a_first_copy_from_beside_the_channel_spoils_nothing);
	tcase_add_test(t, the_code_holds_the_data_rate);
	tcase_add_test(t, a_repetition_has_another_code_and_is_acknowledged_again);
	tcase_add_test(t, f_opts_are_encrypted_both_ways_and_the_answer_counts_with_the_networks_counter);
	tcase_add_test(t, commands_come_in_port_0_too);
	tcase_add_test(t, application_data_and_the_rest_are_counted_apart);
	tcase_add_test(t, no_counter_is_used_twice_over_crashes);
	tcase_add_test(t, an_ack_names_the_counter_that_it_acknowledges);
	tcase_add_test(t, an_ack_may_mean_an_earlier_attempt);
	tcase_add_test(t, an_ack_of_another_item_is_none_of_this_one);
	tcase_add_test(t, an_ack_repeated_is_known_by_what_it_acknowledged);
	tcase_add_test(t, rekey_ind_is_confirmed_until_the_device_is_content);
	tcase_add_test(t, reset_ind_is_for_personalised_devices);
	tcase_add_test(t, the_old_session_goes_on_until_an_uplink_uses_the_new_one);
	tcase_add_test(t, every_type_of_rejoin_gives_a_session_in_the_windows_of_a_join);
	tcase_add_test(t, rj_count0_rises_within_a_session_and_starts_again_with_the_next);
	tcase_add_test(t, the_same_rejoin_within_ten_seconds_is_asked_again_and_not_later);
	tcase_add_test(t, rj_count0_ends_at_16_bits);
	tcase_add_test(t, a_device_that_signs_with_the_new_keys_has_heard_them);
	tcase_add_test(t, type_2_keeps_the_radio_and_the_others_set_it_anew);
	tcase_add_test(t, a_lost_session_is_restored_by_type_1);
	tcase_add_test(t, what_a_rejoin_lacks_is_said);
	tcase_add_test(t, a_rejoin_heard_by_several_gateways_is_answered_once);
	tcase_add_test(t, a_session_that_becomes_1_1_uses_no_counter_again);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
