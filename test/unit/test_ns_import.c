/** @file Sessions that were brought along from another network: they go on as they stood there. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };
static const uint32_t channels_hz[] = { 868100000, 868300000, 868500000, 0, 865100000 };

static void setup(void)
{
	w = w_new(1);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "brought", true);
	dev->has_session = true;
	dev->f_cnt_up = 70001;
	dev->rx1_delay_s = 5;
	dev->rx2_hz = 869525000;
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

static void fill_mac(struct mac_import *m)
{
	m->has = m->current.has = 0;
	MSG_SET(&m->current, rx1_delay, 5);
	MSG_SET(&m->current, rx1_dr_offset, 2);
	MSG_SET(&m->current, rx2_dr, 3);
	MSG_SET(&m->current, rx2_freq_hz, 869525000);
	MSG_SET(&m->current, dr, 4);
	MSG_SET(&m->current, power, 2);
	MSG_SET(&m->current, nb_trans, 2);
	MSG_SET(&m->current, duty_cycle, 1);
	m->current.channels.len = 0;
	for (uint32_t i = 0; i < COUNT(channels_hz); i++) {
		struct channel_params *c = &m->current.channels.v[m->current.channels.len];
		*c = (struct channel_params){ .index = i, .up_hz = channels_hz[i], .max_dr = 5 };
		MSG_SET(c, enabled, i != 1);
		m->current.channels.len = (uint16_t)(m->current.channels.len + (c->up_hz > 0));
	}
	MSG_MARK(&m->current, channels);
	MSG_SET(m, refused_drs, 1U << 5);
	MSG_SET(m, status_unix_us, w->now.unix_us - SEC_US);
}

static void bring(uint32_t generation, uint32_t last_up, uint32_t last_down, bool has_session)
{
	static struct sync m;
	m = (struct sync){ .store_id = { { 7 } }, .revision = 100 + generation, .v = { .len = 1 } };
	struct sync_entry *e = &m.v.v[0];
	w_device_entry(w, dev, e);
	if (has_session) {
		struct net_session *s = &e->dev.session;
		*s = (struct net_session){ .dev_addr = dev->dev_addr, .f_nwk_s_int_key = dev->nwk, .s_nwk_s_int_key = dev->is_v11 ? dev->s_nwk : dev->nwk,
			.nwk_s_enc_key = dev->is_v11 ? dev->nwk_enc : dev->nwk, .session_key_id = dev->session, .generation = generation };
		MSG_SET(s, last_f_cnt_up, last_up);
		MSG_SET(s, last_n_f_cnt_down, last_down);
		MSG_SET(s, last_a_f_cnt_down, last_down + 100);
		MSG_SET(s, last_conf_f_cnt_down, 77);
		MSG_SET(s, last_rj_count_0, 9);
		MSG_SET(s, started_unix_us, 1600000000 * SEC_US);
		fill_mac(&s->mac);
		MSG_MARK(s, mac);
		MSG_MARK(&e->dev, session);
	}
	ns_as_sync(w->ns, &w->now, 0, &m);
	w_run(w, SEC_US);
}

static struct device_state state_of(bool keys)
{
	struct device_state s;
	struct device_query q = { .device = dev->uid };
	MSG_SET(&q, keys, keys);
	ck_assert_int_eq(ns_as_device(w->ns, &q, &s), 0);
	return s;
}

static void check_state(void)
{
	struct device_state s = state_of(true);
	ck_assert_uint_eq(s.last_f_cnt_up, 70000);
	ck_assert_uint_eq(s.started_unix_us, 1600000000 * SEC_US);
	ck_assert_uint_eq(s.refused_drs, 1U << 5);
	ck_assert_uint_eq(s.status_unix_us, 1700000000 * SEC_US);
	ck_assert(s.current.rx1_delay == 5 && s.current.rx1_dr_offset == 2 && s.current.rx2_dr == 3);
	ck_assert(s.current.dr == 4 && s.current.power == 2 && s.current.nb_trans == 2 && s.current.duty_cycle == 1);
	ck_assert_uint_eq(s.current.channels.len, 4);
	ck_assert(s.current.channels.v[3].up_hz == 865100000 && s.current.channels.v[3].index == 4 && s.current.channels.v[3].enabled);
	ck_assert(!s.current.channels.v[1].enabled);
	ck_assert(crypto_equal(&s.f_nwk_s_int_key, &dev->nwk, sizeof(struct key)));
}

START_TEST(it_stands_as_it_stood_and_outlives_a_crash)
{
	bring(1, 70000, 40, true);
	check_state();
	w_crash(w);
	w_run(w, SEC_US);
	check_state();
	struct device_state s = state_of(false);
	ck_assert(!MSG_HAS(&s, f_nwk_s_int_key));
}
END_TEST

START_TEST(its_next_uplink_is_answered_in_its_window_above_the_old_counter)
{
	bring(1, 70000, 40, true);
	dev->up.freq_hz = 865100000;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
	ck_assert_uint_eq(w->up[0].f_cnt, 70001);
	ck_assert(dev->n_heard == 1 && dev->heard.ack && dev->heard.window == 1 && dev->heard.f_cnt == 41);
	ck_assert_uint_eq(w->tx[0].start_us - dev->last_up_us, 5 * SEC_US);
}
END_TEST

START_TEST(a_replayed_uplink_of_the_old_network_is_refused)
{
	bring(1, 70000, 40, true);
	dev->f_cnt_up = 69999;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 0);
}
END_TEST

START_TEST(the_registry_may_forget_it_once_the_device_joins)
{
	bring(1, 70000, 40, true);
	bring(1, 0, 0, false);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && dev->n_heard == 1);
}
END_TEST

START_TEST(brought_again_it_goes_on_where_it_is_here)
{
	bring(1, 70000, 40, true);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	unsigned n = w->n_up;
	uint32_t down = dev->heard.f_cnt;
	dev->session.b[0] ^= 1;
	bring(2, 70000, 40, true);
	struct device_state s = state_of(false);
	ck_assert_uint_eq(s.last_f_cnt_up, 70001);
	ck_assert(ulid_eq(&s.session_key_id, &dev->session));
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == n + 1 && dev->heard.f_cnt > down);
	bring(3, 70000, 5000, true);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_gt(dev->heard.f_cnt, 5000);
}
END_TEST

START_TEST(brought_again_from_where_it_was_heard_since_it_goes_on_there)
{
	bring(1, 70000, 40, true);
	bring(2, 70500, 60, true);
	dev->f_cnt_up = 70501;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && dev->heard.f_cnt == 61);
}
END_TEST

START_TEST(one_of_1_1_has_two_counters_and_knows_its_rejoins)
{
	w_make_1_1(w, dev);
	dev->is_v11 = true;
	bring(1, 70000, 40, true);
	struct device_state s = state_of(true);
	ck_assert(s.last_f_cnt_down == 40 && s.last_a_f_cnt_down == 140 && s.last_conf_f_cnt_down == 77 && s.last_rj_count_0 == 9);
	ck_assert(crypto_equal(&s.s_nwk_s_int_key, &dev->s_nwk, sizeof(struct key)));
	ck_assert(crypto_equal(&s.nwk_s_enc_key, &dev->nwk_enc, sizeof(struct key)));
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && dev->n_heard == 1 && dev->heard.f_cnt == 41);
	w_push(w, dev, 1, "x", false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(dev->heard.f_cnt, 141);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_import");
	TCase *t = tcase_create("ns_import");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, it_stands_as_it_stood_and_outlives_a_crash);
	tcase_add_test(t, its_next_uplink_is_answered_in_its_window_above_the_old_counter);
	tcase_add_test(t, a_replayed_uplink_of_the_old_network_is_refused);
	tcase_add_test(t, the_registry_may_forget_it_once_the_device_joins);
	tcase_add_test(t, brought_again_it_goes_on_where_it_is_here);
	tcase_add_test(t, brought_again_from_where_it_was_heard_since_it_goes_on_there);
	tcase_add_test(t, one_of_1_1_has_two_counters_and_knows_its_rejoins);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
