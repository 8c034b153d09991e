/** @file The network server's core and what it is told: devices, sessions that share an address, gateways, records, limits. */
#include "test/unit/ns_life.h"
#include <check.h>

static struct world *w;
static struct w_device *dev;
static const struct w_say hello = { .port = 1, .text = "hello" }, sure = { .port = 1, .text = "sure", .confirmed = true };
static struct sync told[8];
static unsigned n_told;
static struct gateway_status status;
static unsigned n_status;

static int take_sync(void *ctx, uint32_t gs, const struct sync *m)
{
	(void)ctx;
	ck_assert_uint_eq(gs, 1);
	told[n_told++ % 8] = *m;
	return 0;
}

static void take_told(void *ctx, enum method m, const void *msg)
{
	if (m == NSAS_STATUS) {
		status = *(const struct gateway_status *)msg;
		n_status++;
	}
	w_tell_as(ctx, m, msg);
}

static void setup(void)
{
	n_told = n_status = 0;
	w = w_new(1);
	w->ports.sync_gs = take_sync;
	w->ports.tell_as = take_told;
	w_crash(w);
	w_add_gateway(w, "near");
	dev = w_add_device(w, "dev", false);
	w_run(w, SEC_US);
}

static void teardown(void)
{
	ck_assert_str_eq(w->broken, "");
	w_free(w);
}

/* One change of the registry. */
static void tell(const struct sync_entry *e)
{
	static struct sync m;
	m = (struct sync){ .store_id = { { 7 } }, .revision = 100, .v = { .len = 1 } };
	m.v.v[0] = *e;
	ns_as_sync(w->ns, &w->now, 0, &m);
	w_run(w, SEC_US);
}

static void tell_gateway(uint64_t uid, const char *id, uint64_t eui, bool is_deleted, bool is_exempt)
{
	struct sync_entry e = { .revision = 100 };
	MSG_SET(&e, gateway, uid);
	if (is_deleted) {
		MSG_SET(&e, deleted, true);
	} else {
		MSG_MARK(&e, gtw);
		e.gtw.gateway_eui = eui;
		str_copy(str_of(id), e.gtw.gateway_id, sizeof(e.gtw.gateway_id));
		str_copy(str_of(w->plan->id), e.gtw.plan, sizeof(e.gtw.plan));
		if (is_exempt)
			MSG_SET(&e.gtw, no_duty_cycle, true);
	}
	tell(&e);
}

START_TEST(sessions_that_share_an_address_are_told_apart_by_their_keys)
{
	struct w_device *others[5];
	for (unsigned i = 0; i < 5; i++) {
		others[i] = w_add_device(w, "other", false);
		others[i]->dev_addr = dev->dev_addr;
		others[i]->generation++;
		others[i]->f_cnt_up = 10 * i;
	}
	w_sync(w, 0);
	for (unsigned i = 0; i < 5; i++) {
		w_uplink(w, others[i], &sure, 1);
		w_rest(w);
		ck_assert_uint_eq(w->n_up, i + 1);
		ck_assert_uint_eq(w->up[i].device, others[i]->uid);
		ck_assert_uint_eq(others[i]->n_heard, 1);
	}
	ck_assert_uint_eq(dev->n_heard, 0);
}
END_TEST

START_TEST(a_sixteen_bit_device_wraps_without_an_epoch)
{
	MSG_SET(&dev->mac, f_cnt_32, false);
	dev->last_f_cnt_up = 65534;
	dev->generation++;
	w_sync(w, 0);
	static const uint32_t want[] = { 65535, 0, 1 };
	for (unsigned i = 0; i < 3; i++) {
		dev->f_cnt_up = want[i];
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
		ck_assert_uint_eq(w->n_up, i + 1);
		ck_assert_uint_eq(w->up[i].f_cnt, want[i]);
	}
}
END_TEST

START_TEST(a_device_that_may_start_again_does_and_never_hears_a_counter_twice)
{
	MSG_SET(&dev->mac, resets_f_cnt, true);
	w_sync(w, 0);
	for (unsigned i = 0; i < 3; i++) {
		w_uplink(w, dev, &sure, 1);
		w_rest(w);
	}
	uint32_t last = dev->heard.f_cnt;
	dev->f_cnt_up = 0;
	/* The world takes a counter that comes again in one session for a frame delivered twice, so it must not look. */
	w->n_up = 0;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && w->up[0].f_cnt == 0 && dev->heard.f_cnt > last);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 2);
}
END_TEST

START_TEST(a_device_that_may_not_start_again_is_refused)
{
	for (unsigned i = 0; i < 3; i++) {
		w_uplink(w, dev, &hello, 1);
		w_rest(w);
	}
	dev->f_cnt_up = 1;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(w->n_up == 3 && w_traced(w, "ns.up.data.drop", "f_cnt"));
}
END_TEST

START_TEST(a_used_counter_under_other_content_is_refused)
{
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	dev->f_cnt_up = 0;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && w_traced(w, "ns.up.data.drop", "f_cnt_reused"));
}
END_TEST

START_TEST(a_1_0_4_device_knows_no_gap_and_sends_no_long_frames)
{
	dev->mac_version = LW_1_0_4;
	w_sync(w, 0);
	dev->f_cnt_up = 30000;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
	modu_parse(STR("SF12BW125"), &dev->up.modu);
	w_uplink(w, dev, &(struct w_say){ .port = 1, .text = "0123456789012345678901234567890123456789012345678901" }, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && w_traced(w, "ns.up.data.drop", "length"));
}
END_TEST

START_TEST(a_ghost_on_another_frequency_is_not_a_repetition)
{
	uint8_t phy[PHY_MAX];
	size_t n = w_frame(w, dev, 0, &sure, phy);
	dev->last_up_us = w->now.mono_us;
	w_heard(w, dev, 0, (struct slice){ phy, n }, 90, 0);
	dev->up.freq_hz += 200000;
	w_heard(w, dev, 0, (struct slice){ phy, n }, -90, 10 * MS_US);
	w_rest(w);
	ck_assert(w->n_up == 1 && w->n_tx == 1 && w_traced(w, "ns.up.data.drop", "ghost"));
}
END_TEST

START_TEST(a_session_gives_way_only_when_its_generation_is_raised)
{
	struct device_state s;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	dev->last_f_cnt_up = 50;
	w_sync(w, 0);
	ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s);
	ck_assert(s.last_f_cnt_up == 0 && s.has_up);
	dev->generation++;
	w_sync(w, 0);
	ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s);
	ck_assert_uint_eq(s.last_f_cnt_up, 50);
	w_run(w, SEC_US);
	w_crash(w);
	ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s);
	ck_assert_uint_eq(s.last_f_cnt_up, 50);
}
END_TEST

START_TEST(a_reset_under_the_same_keys_repeats_no_downlink_counter)
{
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	uint32_t last = dev->heard.f_cnt;
	dev->generation++;
	w_sync(w, 0);
	dev->f_cnt_up = 0;
	w->n_up = 0; /* the same FCntUp again is what a reset is for */
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_up == 1 && dev->n_heard == 2 && dev->heard.f_cnt > last);
}
END_TEST

START_TEST(a_deleted_device_is_gone_with_its_records)
{
	struct sync_entry e = { .revision = 9 };
	struct device_state s;
	MSG_SET(&e, device, dev->uid);
	MSG_SET(&e, deleted, true);
	w_uplink(w, dev, &sure, 1);
	w_run(w, 300 * MS_US);
	tell(&e);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s), -ENOENT);
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ck_assert(w->n_tx == 0 && w_traced(w, "ns.up.data.drop", "dev_addr"));
	w_crash(w);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s), -ENOENT);
	for (struct w_record *r = w->disk; r; r = r->hh.next)
		ck_assert(r->key[0] < NS_DEVICE || r->key[0] > NS_FLIGHT);
}
END_TEST

START_TEST(a_full_set_forgets_what_it_does_not_name)
{
	struct device_state s;
	w_add_device(w, "second", false);
	w->n_dev = 1;
	w_sync(w, 0);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = 1 }, &s), 0);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = 2 }, &s), -ENOENT);
}
END_TEST

START_TEST(an_interrupted_set_is_asked_for_again)
{
	static struct sync m;
	struct sync_state s;
	ns_as_sync_state(w->ns, &s);
	ck_assert(MSG_HAS(&s, store_id));
	m = (struct sync){ .store_id = { { 7 } }, .revision = 5 };
	MSG_SET(&m, first, true);
	ns_as_sync(w->ns, &w->now, 0, &m);
	ns_as_sync_state(w->ns, &s);
	ck_assert(!MSG_HAS(&s, store_id));
	w_run(w, SEC_US);
	w_crash(w);
	ns_as_sync_state(w->ns, &s);
	ck_assert(!MSG_HAS(&s, store_id));
	w_sync(w, 0);
	ns_as_sync_state(w->ns, &s);
	ck_assert(MSG_HAS(&s, store_id));
}
END_TEST

START_TEST(another_registry_means_other_devices)
{
	static struct sync m;
	struct device_state s;
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	m = (struct sync){ .store_id = { { 8 } }, .revision = 5, .v = { .len = 1 } };
	w_device_entry(w, dev, &m.v.v[0]);
	ns_as_sync(w->ns, &w->now, 77, &m);
	ck_assert_uint_eq(w->n_refused, 1); /* a change of a set that is not here */
	MSG_SET(&m, first, true);
	MSG_SET(&m, last, true);
	ns_as_sync(w->ns, &w->now, 0, &m);
	ck_assert_int_eq(ns_as_device(w->ns, &(struct device_query){ .device = dev->uid }, &s), 0);
	ck_assert(!s.has_up);
}
END_TEST

START_TEST(gateways_are_passed_on_to_every_gs)
{
	n_told = 0;
	tell_gateway(5, "gtw1", 0xaa01, false, false);
	ck_assert_uint_eq(n_told, 1);
	ck_assert(told[0].v.len == 1 && told[0].v.v[0].gateway == 5 && told[0].v.v[0].gtw.gateway_eui == 0xaa01 && !MSG_HAS(&told[0], first));
	ns_gs_up(w->ns, &w->now, 1);
	ck_assert(n_told == 2 && MSG_HAS(&told[1], first) && MSG_HAS(&told[1], last) && told[1].v.len == 1);
	for (unsigned i = 0; i < 20; i++)
		tell_gateway(10 + i, "more", 0xbb00 + i, false, false);
	n_told = 0;
	ns_gs_up(w->ns, &w->now, 1);
	ck_assert(n_told == 2 && told[0].v.len == 16 && told[1].v.len == 5);
	ck_assert(MSG_HAS(&told[0], first) && !MSG_HAS(&told[0], last) && !MSG_HAS(&told[1], first) && MSG_HAS(&told[1], last));
	tell_gateway(5, NULL, 0, true, false);
	ck_assert(n_told == 3 && told[2].v.v[0].deleted && told[2].v.v[0].gateway == 5);
}
END_TEST

START_TEST(gateways_outlive_a_crash)
{
	tell_gateway(5, "gtw1", 0xaa01, false, false);
	n_told = 0;
	w_crash(w);
	ck_assert_uint_ge(n_told, 1);
	ck_assert(told[0].v.len == 1 && strcmp(told[0].v.v[0].gtw.gateway_id, "gtw1") == 0);
}
END_TEST

START_TEST(a_status_goes_to_the_as_with_the_airtime_used)
{
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	n_status = 0;
	w_hello_gs(w);
	ck_assert_uint_eq(n_status, 1);
	uint32_t used = 0;
	for (unsigned i = 0; i < status.sub_bands.len; i++)
		used += status.sub_bands.v[i].used_ppm;
	/* An ACK of 12 octets at SF7 takes 41 ms, which is 11 ppm of an hour. */
	ck_assert(status.sub_bands.len >= 5 && used == 11);
	ns_as_down(w->ns, &w->now);
	n_status = 0;
	ns_as_up(w->ns, &w->now);
	ck_assert_uint_eq(n_status, 1);
	ns_gs_down(w->ns, &w->now, 1);
	ck_assert(n_status == 2 && !status.connected && !status.can_send);
}
END_TEST

START_TEST(an_exempt_gateway_has_sub_bands_without_a_limit)
{
	tell_gateway(5, "near", w->gw[0].eui, false, true);
	w_hello_gs(w);
	ck_assert_uint_ge(status.sub_bands.len, 5);
	ck_assert_uint_eq(status.sub_bands.v[0].limit_ppm, 1000000);
}
END_TEST

START_TEST(airtime_is_remembered_over_a_crash)
{
	for (unsigned i = 0; i < 5; i++) {
		w_uplink(w, dev, &sure, 1);
		w_rest(w);
	}
	w_crash(w);
	w_hello_gs(w);
	uint32_t used = 0;
	for (unsigned i = 0; i < status.sub_bands.len; i++)
		used += status.sub_bands.v[i].used_ppm;
	ck_assert_uint_ge(used, 55);
	/* An orderly end costs nothing: what the crash took stays, and no slice more. */
	uint64_t batch;
	uint32_t before = used;
	w_uplink(w, dev, &sure, 1);
	w_rest(w);
	ns_stop(w->ns, &w->now);
	ck_assert(ns_flush(w->ns, &w->now, &batch));
	w_commit(w, batch);
	w_crash(w);
	w_hello_gs(w);
	used = 0;
	for (unsigned i = 0; i < status.sub_bands.len; i++)
		used += status.sub_bands.v[i].used_ppm;
	ck_assert(used >= before + 11 && used <= before + 12);
}
END_TEST

START_TEST(records_are_of_no_use_without_their_key)
{
	w->config.kek.b[0] ^= 1;
	struct ns *other = ns_new(&w->config, &w->ports);
	int bad = 0;
	struct w_record *v[64];
	size_t n = 0;
	for (struct w_record *r = w->disk; r && n < 64; r = r->hh.next)
		v[n++] = r;
	qsort(v, n, sizeof(v[0]), w_by_key);
	for (size_t i = 0; i < n; i++)
		bad += ns_load(other, (struct slice){ v[i]->key, v[i]->n_key }, (struct slice){ v[i]->value, v[i]->n }) == -EBADMSG;
	ck_assert_int_gt(bad, 0);
	ns_free(other);
	/* Nor does the key stand there in the clear. */
	for (struct w_record *r = w->disk; r; r = r->hh.next)
		ck_assert_ptr_null(memmem(r->value, r->n, dev->nwk.b, AES_KEY));
}
END_TEST

START_TEST(damaged_records_are_refused)
{
	for (struct w_record *r = w->disk; r; r = r->hh.next) {
		if (r->key[0] == NS_OUTBOX)
			continue;
		struct ns *other = ns_new(&w->config, &w->ports);
		for (struct w_record *d = w->disk; d; d = d->hh.next)
			if (d->key[0] == NS_DEVICE)
				ns_load(other, (struct slice){ d->key, d->n_key }, (struct slice){ d->value, d->n });
		if (r->key[0] != NS_LIVE) /* without its session it is not looked at */
			for (size_t n = 0; n < r->n; n++)
				ck_assert_msg(ns_load(other, (struct slice){ r->key, r->n_key }, (struct slice){ r->value, n }) != 0, "table %02x, %zu octets", r->key[0], n);
		ck_assert_int_ne(ns_load(other, (struct slice){ r->key, r->n_key - 1 }, (struct slice){ r->value, r->n }), 0);
		ns_free(other);
	}
}
END_TEST

START_TEST(a_reception_sent_again_by_its_gs_counts_once)
{
	w_uplink(w, dev, &hello, 1);
	w_run(w, 50 * MS_US);
	ck_assert_uint_eq(w->n_held, 1);
	struct gs_uplink again = w->held[0].up;
	w->held[0].request = 9999; /* the connection of the first is gone */
	ns_gs_uplink(w->ns, &w->now, 1, 9999, &again);
	w_run(w, 149 * MS_US);
	ck_assert_uint_eq(w->n_held, 1); /* not before it is on disk */
	w_rest(w);
	ck_assert(w->n_held == 0 && w->n_up == 1 && w->up[0].n_rx == 1);
}
END_TEST

START_TEST(a_late_copy_of_a_frame_that_is_not_on_disk_is_not_accepted_yet)
{
	w->commit_us = 600 * MS_US;
	w_uplink(w, dev, &hello, 1);
	w_run(w, 300 * MS_US);
	struct gs_uplink again = w->held[0].up;
	w->held[0].request = 9999;
	ns_gs_uplink(w->ns, &w->now, 1, 9999, &again);
	w_run(w, 100 * MS_US);
	ck_assert_uint_eq(w->n_held, 1);
	w_crash(w);
	w_rest(w);
	ck_assert(w->n_up == 1 && w->n_held == 0);
}
END_TEST

START_TEST(a_store_that_fails_takes_no_frames)
{
	ns_store_failing(w->ns, true);
	w_uplink(w, dev, &hello, 1);
	w_run(w, SEC_US);
	ck_assert(w->n_refused == 1 && w->n_up == 0);
	ns_store_failing(w->ns, false);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert_uint_eq(w->n_up, 1);
}
END_TEST

static int put_fails(void *ctx, struct slice key, struct slice value)
{
	(void)value;
	return key.p[0] == NS_OUTBOX ? -ENOMEM : w_put(ctx, key, value);
}

START_TEST(a_frame_that_cannot_be_put_is_not_accepted)
{
	w->ports.put = put_fails;
	w_crash(w);
	w_uplink(w, dev, &hello, 1);
	w_rest(w);
	ck_assert(w->n_refused == 1 && w->n_up == 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ns_registry");
	TCase *t = tcase_create("ns_registry");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, sessions_that_share_an_address_are_told_apart_by_their_keys);
	tcase_add_test(t, a_sixteen_bit_device_wraps_without_an_epoch);
	tcase_add_test(t, a_device_that_may_start_again_does_and_never_hears_a_counter_twice);
	tcase_add_test(t, a_device_that_may_not_start_again_is_refused);
	tcase_add_test(t, a_used_counter_under_other_content_is_refused);
	tcase_add_test(t, a_1_0_4_device_knows_no_gap_and_sends_no_long_frames);
	tcase_add_test(t, a_ghost_on_another_frequency_is_not_a_repetition);
	tcase_add_test(t, a_session_gives_way_only_when_its_generation_is_raised);
	tcase_add_test(t, a_reset_under_the_same_keys_repeats_no_downlink_counter);
	tcase_add_test(t, a_deleted_device_is_gone_with_its_records);
	tcase_add_test(t, a_full_set_forgets_what_it_does_not_name);
	tcase_add_test(t, an_interrupted_set_is_asked_for_again);
	tcase_add_test(t, another_registry_means_other_devices);
	tcase_add_test(t, gateways_are_passed_on_to_every_gs);
	tcase_add_test(t, gateways_outlive_a_crash);
	tcase_add_test(t, a_status_goes_to_the_as_with_the_airtime_used);
	tcase_add_test(t, an_exempt_gateway_has_sub_bands_without_a_limit);
	tcase_add_test(t, airtime_is_remembered_over_a_crash);
	tcase_add_test(t, records_are_of_no_use_without_their_key);
	tcase_add_test(t, damaged_records_are_refused);
	tcase_add_test(t, a_reception_sent_again_by_its_gs_counts_once);
	tcase_add_test(t, a_late_copy_of_a_frame_that_is_not_on_disk_is_not_accepted_yet);
	tcase_add_test(t, a_store_that_fails_takes_no_frames);
	tcase_add_test(t, a_frame_that_cannot_be_put_is_not_accepted);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
