/** @file MAC commands field by field, against test/vectors/mac/fields.txt: each row is read, and written again, where this network does so. */
#include "ns/core/device.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/region/plan.h"
#include "test/unit/vec_lines.h"
#include <check.h>

static struct vectors v;
static uint8_t out[32];
static struct writer w;
static struct slice arg;

#define N(name) ((uint32_t)vec_num(&v, name))
#define GOT(value, name) ck_assert_msg((uint32_t)(value) == N(name), "%s: %s is %u", v.line, name, (unsigned)(value))

/* ---- what has fields of its own: both ways ---- */

static void link_check_ans(void)
{
	struct mac_link_check_ans c = mac_link_check_ans_get(arg);
	GOT(c.margin_db, "Margin");
	GOT(c.gw_cnt, "GwCnt");
	mac_link_check_ans_put(&w, &(struct mac_link_check_ans){ .margin_db = (uint8_t)N("Margin"), .gw_cnt = (uint8_t)N("GwCnt") });
}

static void link_adr_req(void)
{
	struct mac_link_adr_req c = mac_link_adr_req_get(arg);
	GOT(c.dr, "DataRate");
	GOT(c.tx_power, "TXPower");
	GOT(c.ch_mask, "ChMask");
	GOT(c.ch_mask_cntl, "ChMaskCntl");
	GOT(c.nb_trans, "NbTrans");
	mac_link_adr_req_put(&w, &(struct mac_link_adr_req){ .dr = (uint8_t)N("DataRate"), .tx_power = (uint8_t)N("TXPower"),
		.ch_mask = (uint16_t)N("ChMask"), .ch_mask_cntl = (uint8_t)N("ChMaskCntl"), .nb_trans = (uint8_t)N("NbTrans") });
}

static void link_adr_ans(void)
{
	struct mac_link_adr_ans c = mac_link_adr_ans_get(arg);
	GOT(c.power_ok, "PowerACK");
	GOT(c.dr_ok, "DataRateACK");
	GOT(c.mask_ok, "ChannelMaskACK");
	mac_link_adr_ans_put(&w, &(struct mac_link_adr_ans){ .power_ok = N("PowerACK"), .dr_ok = N("DataRateACK"), .mask_ok = N("ChannelMaskACK") });
}

static void duty_cycle_req(void)
{
	GOT(mac_duty_cycle_req_get(arg), "MaxDCycle");
	mac_duty_cycle_req_put(&w, (uint8_t)N("MaxDCycle"));
}

static void rx_param_setup_req(void)
{
	struct mac_rx_param_setup_req c = mac_rx_param_setup_req_get(arg);
	GOT(c.rx1_dr_offset, "RX1DROffset");
	GOT(c.rx2_dr, "RX2DataRate");
	GOT(mac_freq_code(c.rx2_hz), "Frequency");
	mac_rx_param_setup_req_put(&w, &(struct mac_rx_param_setup_req){ .rx1_dr_offset = (uint8_t)N("RX1DROffset"),
		.rx2_dr = (uint8_t)N("RX2DataRate"), .rx2_hz = mac_freq_hz(N("Frequency")) });
}

static void rx_param_setup_ans(void)
{
	struct mac_rx_param_setup_ans c = mac_rx_param_setup_ans_get(arg);
	GOT(c.rx1_offset_ok, "RX1DROffsetACK");
	GOT(c.rx2_dr_ok, "RX2DataRateACK");
	GOT(c.channel_ok, "ChannelACK");
	mac_rx_param_setup_ans_put(&w, &(struct mac_rx_param_setup_ans){ .rx1_offset_ok = N("RX1DROffsetACK"),
		.rx2_dr_ok = N("RX2DataRateACK"), .channel_ok = N("ChannelACK") });
}

/* Margin is signed, of 6 bits. */
static void dev_status_ans(void)
{
	struct mac_dev_status_ans c = mac_dev_status_ans_get(arg);
	int margin = (int)N("Margin") < 32 ? (int)N("Margin") : (int)N("Margin") - 64;
	GOT(c.battery, "Battery");
	ck_assert_msg(c.margin_db == margin, "%s: %d", v.line, c.margin_db);
	mac_dev_status_ans_put(&w, &(struct mac_dev_status_ans){ .battery = (uint8_t)N("Battery"), .margin_db = (int8_t)margin });
}

static void new_channel_req(void)
{
	struct mac_new_channel_req c = mac_new_channel_req_get(arg);
	GOT(c.index, "ChIndex");
	GOT(mac_freq_code(c.freq_hz), "Freq");
	GOT(c.max_dr, "MaxDR");
	GOT(c.min_dr, "MinDR");
	mac_new_channel_req_put(&w, &(struct mac_new_channel_req){ .index = (uint8_t)N("ChIndex"), .freq_hz = mac_freq_hz(N("Freq")),
		.max_dr = (uint8_t)N("MaxDR"), .min_dr = (uint8_t)N("MinDR") });
}

static void new_channel_ans(void)
{
	struct mac_new_channel_ans c = mac_new_channel_ans_get(arg);
	GOT(c.dr_ok, "DataRateRangeOK");
	GOT(c.freq_ok, "ChannelFrequencyOK");
	mac_new_channel_ans_put(&w, &(struct mac_new_channel_ans){ .dr_ok = N("DataRateRangeOK"), .freq_ok = N("ChannelFrequencyOK") });
}

/* 0 means 1 s as well. */
static void rx_timing_setup_req(void)
{
	uint32_t del = N("Del") ? N("Del") : 1;
	ck_assert_msg(mac_rx_timing_setup_req_get(arg) == del, "%s", v.line);
	if (N("Del"))
		mac_rx_timing_setup_req_put(&w, (uint8_t)del);
	else
		mac_octet_put(&w, CMD_RX_TIMING_SETUP, 0);
}

static void dl_channel_req(void)
{
	struct mac_dl_channel_req c = mac_dl_channel_req_get(arg);
	GOT(c.index, "ChIndex");
	GOT(mac_freq_code(c.freq_hz), "Freq");
	mac_dl_channel_req_put(&w, &(struct mac_dl_channel_req){ .index = (uint8_t)N("ChIndex"), .freq_hz = mac_freq_hz(N("Freq")) });
}

static void dl_channel_ans(void)
{
	struct mac_dl_channel_ans c = mac_dl_channel_ans_get(arg);
	GOT(c.up_freq_exists, "UplinkFrequencyExists");
	GOT(c.freq_ok, "ChannelFrequencyOK");
	mac_dl_channel_ans_put(&w, &(struct mac_dl_channel_ans){ .up_freq_exists = N("UplinkFrequencyExists"), .freq_ok = N("ChannelFrequencyOK") });
}

static void device_time_ans(void)
{
	struct mac_device_time_ans c = mac_device_time_ans_get(arg);
	GOT(c.gps_s, "Seconds");
	GOT(c.fraction, "Fraction");
	mac_device_time_ans_put(&w, &(struct mac_device_time_ans){ .gps_s = N("Seconds"), .fraction = (uint8_t)N("Fraction") });
}

/* ---- what is an octet: made from what the operator wishes ---- */

static uint32_t wished(const char *plan, enum mac_item item, const struct mac_settings *m)
{
	struct dev d = { .mac_version = LW_1_1_0, .phy_version = RP_1_1_0_B, .rules = mac_rules(LW_1_1_0), .plan = plan_find(str_of(plan)), .mac = *m };
	struct session s = { .dev = &d, .is_v11 = true };
	mac_begin(&s, mac_rx_of_maker(&d), true);
	return mac_wish(&s, item);
}

static void tx_param_setup_req(void)
{
	struct mac_settings m = { .has = 0 };
	MSG_SET(&m, desired_max_eirp, (uint32_t)mac_eirp_dbm((uint8_t)N("MaxEIRP")));
	MSG_SET(&m, up_dwell, N("UplinkDwellTime"));
	MSG_SET(&m, down_dwell, N("DownlinkDwellTime"));
	mac_octet_put(&w, CMD_TX_PARAM_SETUP, wished("AS_923", ITEM_TX_PARAM, &m) & TX_OCTET);
}

static void adr_param_setup_req(void)
{
	struct mac_settings m = { .has = 0 };
	MSG_SET(&m, desired_ack_limit, N("Limit_exp"));
	MSG_SET(&m, desired_ack_delay, N("Delay_exp"));
	mac_octet_put(&w, CMD_ADR_PARAM_SETUP, (uint8_t)wished("EU_863_870", ITEM_ADR_PARAM, &m));
}

static void rejoin_param_setup_req(void)
{
	struct mac_settings m = { .has = 0 };
	MSG_SET(&m, desired_rejoin_time, N("MaxTimeN"));
	MSG_SET(&m, desired_rejoin_count, N("MaxCountN"));
	mac_octet_put(&w, CMD_REJOIN_PARAM_SETUP, (uint8_t)wished("EU_863_870", ITEM_REJOIN_PARAM, &m));
}

static void minor(void)
{
	mac_octet_put(&w, (enum mac_cid)vec_hexnum(&v, "cid"), (uint8_t)N("Minor"));
}

static void class_of(void)
{
	mac_octet_put(&w, CMD_DEVICE_MODE, (uint8_t)N("Class"));
}

static void time_ok(void)
{
	mac_octet_put(&w, CMD_REJOIN_PARAM_SETUP, (uint8_t)N("TimeOK"));
}

/* Both readings of the octets' order: in one the first is Period and Max_Retries, in the other RejoinType and DR. */
static void force_rejoin_req(void)
{
	uint8_t times = (uint8_t)(N("Period") << 3 | N("Max_Retries")), kind = (uint8_t)(N("RejoinType") << 4 | N("DR"));
	ck_assert_msg(times == kind, "%s", v.line);
	mac_octet_put(&w, CMD_FORCE_REJOIN, kind);
	writer_u8(&w, times);
}

static void nothing(void)
{
	mac_empty_put(&w, (enum mac_cid)vec_hexnum(&v, "cid"));
}

static const struct {
	const char *name;
	void (*check)(void); /**< reads arg and puts the command */
} commands[] = {
	{ "ResetInd", minor }, { "ResetConf", minor }, { "LinkCheckReq", nothing }, { "LinkCheckAns", link_check_ans },
	{ "LinkADRReq", link_adr_req }, { "LinkADRAns", link_adr_ans }, { "DutyCycleReq", duty_cycle_req }, { "DutyCycleAns", nothing },
	{ "RXParamSetupReq", rx_param_setup_req }, { "RXParamSetupAns", rx_param_setup_ans }, { "DevStatusReq", nothing },
	{ "DevStatusAns", dev_status_ans }, { "NewChannelReq", new_channel_req }, { "NewChannelAns", new_channel_ans },
	{ "RXTimingSetupReq", rx_timing_setup_req }, { "RXTimingSetupAns", nothing }, { "TXParamSetupReq", tx_param_setup_req },
	{ "TXParamSetupAns", nothing }, { "DlChannelReq", dl_channel_req }, { "DlChannelAns", dl_channel_ans }, { "RekeyInd", minor },
	{ "RekeyConf", minor }, { "ADRParamSetupReq", adr_param_setup_req }, { "ADRParamSetupAns", nothing }, { "DeviceTimeReq", nothing },
	{ "DeviceTimeAns", device_time_ans }, { "ForceRejoinReq", force_rejoin_req }, { "RejoinParamSetupReq", rejoin_param_setup_req },
	{ "RejoinParamSetupAns", time_ok }, { "DeviceModeInd", class_of }, { "DeviceModeConf", class_of },
};

static size_t command_of_row(void)
{
	size_t i = 0;
	while (i < COUNT(commands) && !vec_is(&v, "name", commands[i].name))
		i++;
	ck_assert_msg(i < COUNT(commands), "nobody reads or writes %s", v.line);
	return i;
}

/* The walk knows the command by its CID and direction, and how long it is. */
static void walk(const uint8_t *octets, size_t n)
{
	struct mac_cmd c;
	size_t pos = 0;
	bool is_up = vec_is(&v, "dir", "up");
	struct slice s = { octets, n };
	ck_assert_msg(mac_walk(s, is_up, &pos, &c) == MAC_WALK_CMD && mac_walk(s, is_up, &pos, &(struct mac_cmd){ 0 }) == MAC_WALK_END, "%s", v.line);
	ck_assert_msg(vec_is(&v, "name", is_up ? c.info->up_name : c.info->down_name), "%s", v.line);
	arg = c.arg;
}

START_TEST(each_row_is_read_and_written)
{
	bool seen[COUNT(commands)] = { false };
	uint8_t octets[32];
	v = vectors_open("mac/fields.txt");
	while (vectors_next(&v)) {
		if (vec_has(&v, "eirp"))
			continue;
		size_t i = command_of_row(), n = 1 + vec_bytes(&v, "octets", octets + 1, sizeof octets - 1);
		octets[0] = (uint8_t)vec_hexnum(&v, "cid");
		seen[i] = true;
		walk(octets, n);
		w = writer_of(out, sizeof out);
		commands[i].check();
		if (!vec_has(&v, "rfu"))
			ck_assert_msg(w.len == n && memcmp(out, octets, n) == 0, "%s: otherwise written", v.line);
	}
	for (size_t i = 0; i < COUNT(commands); i++)
		ck_assert_msg(seen[i], "there is no row of %s", commands[i].name);
}
END_TEST

START_TEST(each_code_of_max_eirp_is_what_the_others_have)
{
	unsigned n = 0;
	v = vectors_open("mac/fields.txt");
	while (vectors_next(&v)) {
		if (!vec_has(&v, "eirp"))
			continue;
		n++;
		ck_assert_int_eq(mac_eirp_dbm((uint8_t)N("code")), (int)N("eirp"));
		ck_assert_uint_eq(mac_eirp_code((int)N("eirp")), N("code"));
		if (N("code"))
			ck_assert_uint_eq(mac_eirp_code((int)N("eirp") - 1), N("code") - 1); /* never more than was wished */
	}
	ck_assert_uint_eq(n, 16);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("mac_vectors");
	TCase *t = tcase_create("mac_vectors");
	tcase_add_test(t, each_row_is_read_and_written);
	tcase_add_test(t, each_code_of_max_eirp_is_what_the_others_have);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
