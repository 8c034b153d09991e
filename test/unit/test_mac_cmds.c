/** @file The MAC command table against four other implementations, the walk, and the fields. */
#include "common/core/err.h"
#include "proto/lorawan/mac_cmds.h"
#include "test/unit/vec_lines.h"
#include <check.h>

START_TEST(the_table_is_what_the_others_have)
{
	struct vectors v = vectors_open("mac/commands.txt");
	int n = 0;
	for (; vectors_next(&v); n++) {
		const struct mac_cmd_info *c = mac_cmd_by_cid((uint8_t)vec_hexnum(&v, "cid"));
		ck_assert_msg(c != NULL, "%s", v.line);
		bool is_up = vec_is(&v, "dir", "up");
		ck_assert_msg(str_is(vec_get(&v, "name"), is_up ? c->up_name : c->down_name), "%s", v.line);
		int len = is_up ? c->up_len : c->down_len;
		ck_assert_msg(len == (vec_is(&v, "len", "-") ? -2 : (int)vec_num(&v, "len")), "%s", v.line);
		if (!vec_is(&v, "by", "answer"))
			ck_assert_msg(c->asker == (vec_is(&v, "by", "device") ? MAC_ASKER_DEVICE
									      : MAC_ASKER_NETWORK),
				"%s", v.line);
		if (is_up)
			ck_assert_msg(c->is_sticky == vec_has(&v, "sticky"), "%s", v.line);
	}
	ck_assert_int_eq(n, 52);
	int up_and_down = 0;
	for (size_t i = 0; mac_cmd_at(i); i++)
		up_and_down += (mac_cmd_at(i)->up_len >= 0) + (mac_cmd_at(i)->down_len != -1);
	ck_assert_int_eq(up_and_down, n);
}
END_TEST

/** Walk, noting the CIDs passed. @return how it ended */
static enum mac_walk walk(const char *hex, bool is_up, uint8_t *ret_cids, int *ret_n)
{
	uint8_t buf[256];
	size_t n = 0, pos = 0;
	ck_assert_int_eq(hex_decode(str_of(hex), buf, sizeof buf, &n), 0);
	struct mac_cmd c;
	enum mac_walk w;
	for (*ret_n = 0; (w = mac_walk((struct slice){ buf, n }, is_up, &pos, &c)) == MAC_WALK_CMD;
		(*ret_n)++)
		ret_cids[*ret_n] = c.info->cid;
	return w;
}

START_TEST(the_walk_stops_where_lengths_end_being_known)
{
	static const struct {
		const char *hex;
		bool is_up;
		enum mac_walk end;
		int n;
	} rows[] = {
		{ "", true, MAC_WALK_END, 0 },
		{ "02 0307 06ff14", true, MAC_WALK_END, 3 },
		{ "02 80 0307", true, MAC_WALK_E_UNKNOWN, 1 },
		{ "0307 06ff", true, MAC_WALK_E_SHORT, 1 },
		{ "0e 00", true, MAC_WALK_E_UNKNOWN, 0 },
		{ "0e 0000 03 50ffff01", false, MAC_WALK_END, 2 },
		{ "46 000000000000", false, MAC_WALK_E_UNKNOWN, 0 },
		{ "42 0200 aabb 06", false, MAC_WALK_END, 2 },
		{ "42 0000 06", false, MAC_WALK_END, 2 },
		{ "42 1f00 aabb", false, MAC_WALK_E_SHORT, 0 },
		{ "42", false, MAC_WALK_E_SHORT, 0 },
		{ "03", false, MAC_WALK_E_SHORT, 0 },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint8_t cids[256];
		int n;
		ck_assert_msg(walk(rows[i].hex, rows[i].is_up, cids, &n) == rows[i].end, "%s", rows[i].hex);
		ck_assert_msg(n == rows[i].n, "%s", rows[i].hex);
	}
}
END_TEST

static uint8_t out[64];
static struct writer w;

/** What has been put must be these octets; its fields are handed on. */
static struct slice put(const char *hex)
{
	uint8_t expected[64];
	size_t n;
	ck_assert_int_eq(hex_decode(str_of(hex), expected, sizeof expected, &n), 0);
	ck_assert(!w.failed);
	ck_assert_msg(w.len == n && memcmp(out, expected, n) == 0, "%s", hex);
	w = writer_of(out, sizeof out);
	return (struct slice){ out + 1, n - 1 };
}

START_TEST(requests_are_written_and_read)
{
	w = writer_of(out, sizeof out);
	/* LinkADRReq of TheThingsNetwork mac_test.go: DR11, power 2, mask 0x1004 (channels 2, 12), cntl 5,
	 * trans 3 */
	mac_link_adr_req_put(
		&w, &(struct mac_link_adr_req){
			    .dr = 11, .tx_power = 2, .ch_mask = 0x1004, .ch_mask_cntl = 5, .nb_trans = 3 });
	struct mac_link_adr_req adr = mac_link_adr_req_get(put("03 b2 0410 53"));
	ck_assert(adr.dr == 11 && adr.tx_power == 2 && adr.ch_mask == 0x1004 && adr.ch_mask_cntl == 5 &&
		  adr.nb_trans == 3);
	mac_rx_param_setup_req_put(
		&w, &(struct mac_rx_param_setup_req){ .rx1_dr_offset = 5, .rx2_dr = 3, .rx2_hz = 869525000 });
	struct mac_rx_param_setup_req rx = mac_rx_param_setup_req_get(put("05 53 d2ad84"));
	ck_assert(rx.rx1_dr_offset == 5 && rx.rx2_dr == 3 && rx.rx2_hz == 869525000);
	mac_new_channel_req_put(&w,
		&(struct mac_new_channel_req){ .index = 3, .min_dr = 0, .max_dr = 5, .freq_hz = 867100000 });
	struct mac_new_channel_req ch = mac_new_channel_req_get(put("07 03 184f84 50"));
	ck_assert(ch.index == 3 && ch.min_dr == 0 && ch.max_dr == 5 && ch.freq_hz == 867100000);
	mac_dl_channel_req_put(&w, &(struct mac_dl_channel_req){ .index = 2, .freq_hz = 869525000 });
	struct mac_dl_channel_req dl = mac_dl_channel_req_get(put("0a 02 d2ad84"));
	ck_assert(dl.index == 2 && dl.freq_hz == 869525000);
	/* At 2.4 GHz frequencies are in steps of 200 Hz: RP002-1.0.4 2.11; 2403 MHz / 200 Hz = 12015000 = 0xB75598 */
	mac_new_channel_req_put(&w, &(struct mac_new_channel_req){ .index = 4, .max_dr = 7, .freq_hz = 2403000000U });
	ch = mac_new_channel_req_get(put("07 04 9855b7 70"));
	ck_assert_uint_eq(ch.freq_hz, 2403000000U);
	mac_duty_cycle_req_put(&w, 13);
	ck_assert_uint_eq(mac_duty_cycle_req_get(put("04 0d")), 13);
	mac_rx_timing_setup_req_put(&w, 5);
	ck_assert_uint_eq(mac_rx_timing_setup_req_get(put("08 05")), 5);
	mac_octet_put(&w, CMD_RX_TIMING_SETUP, 0);
	ck_assert_uint_eq(mac_rx_timing_setup_req_get(put("08 00")), 1);
	mac_empty_put(&w, CMD_DEV_STATUS);
	put("06");
}
END_TEST

START_TEST(answers_are_written_and_read)
{
	w = writer_of(out, sizeof out);
	mac_link_check_ans_put(&w, &(struct mac_link_check_ans){ .margin_db = 42, .gw_cnt = 3 });
	struct mac_link_check_ans lc = mac_link_check_ans_get(put("02 2a03"));
	ck_assert(lc.margin_db == 42 && lc.gw_cnt == 3);
	mac_link_adr_ans_put(&w, &(struct mac_link_adr_ans){ .power_ok = true, .mask_ok = true });
	struct mac_link_adr_ans la = mac_link_adr_ans_get(put("03 05"));
	ck_assert(la.power_ok && !la.dr_ok && la.mask_ok);
	mac_rx_param_setup_ans_put(
		&w, &(struct mac_rx_param_setup_ans){
			    .rx1_offset_ok = true, .rx2_dr_ok = true, .channel_ok = true });
	struct mac_rx_param_setup_ans rx = mac_rx_param_setup_ans_get(put("05 07"));
	ck_assert(rx.rx1_offset_ok && rx.rx2_dr_ok && rx.channel_ok);
	for (int margin = -32; margin < 32; margin++) {
		mac_dev_status_ans_put(
			&w, &(struct mac_dev_status_ans){ .battery = 115, .margin_db = (int8_t)margin });
		struct mac_dev_status_ans ds = mac_dev_status_ans_get((struct slice){ out + 1, 2 });
		ck_assert(ds.battery == 115 && ds.margin_db == margin && (out[2] & 0xC0) == 0);
		w = writer_of(out, sizeof out);
	}
	mac_new_channel_ans_put(&w, &(struct mac_new_channel_ans){ .dr_ok = true });
	struct mac_new_channel_ans nc = mac_new_channel_ans_get(put("07 02"));
	ck_assert(nc.dr_ok && !nc.freq_ok);
	mac_dl_channel_ans_put(&w, &(struct mac_dl_channel_ans){ .freq_ok = true });
	struct mac_dl_channel_ans dl = mac_dl_channel_ans_get(put("0a 01"));
	ck_assert(!dl.up_freq_exists && dl.freq_ok);
}
END_TEST

START_TEST(device_time_counts_256ths_of_gps_seconds)
{
	/* LoRaWAN 1.1 5.12: 1139322288 is 2016-02-12T14:24:31Z */
	struct mac_device_time_ans t = mac_device_time_of(UINT64_C(1139322288500000));
	w = writer_of(out, sizeof out);
	mac_device_time_ans_put(&w, &t);
	t = mac_device_time_ans_get(put("0d b0ade843 80"));
	ck_assert(t.gps_s == 1139322288 && t.fraction == 128);
	ck_assert_uint_eq(mac_device_time_of(UINT64_C(1139322288999999)).fraction, 255);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mac_cmds");
	TCase *c = tcase_create("mac_cmds");
	tcase_add_test(c, the_table_is_what_the_others_have);
	tcase_add_test(c, the_walk_stops_where_lengths_end_being_known);
	tcase_add_test(c, requests_are_written_and_read);
	tcase_add_test(c, answers_are_written_and_read);
	tcase_add_test(c, device_time_counts_256ths_of_gps_seconds);
	suite_add_tcase(s, c);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
