/** @file The fields of MAC commands, written and read. */
#include "proto/lorawan/mac_cmds.h"
#include "common/core/clock.h"

enum { FREQ_STEP_HZ = 100, FREQ_WIDE_STEP_HZ = 200, FREQ_WIDE_CODE = 10000000 };

uint32_t mac_freq_code(uint32_t freq_hz)
{
	uint32_t code = freq_hz / FREQ_STEP_HZ;
	return code < FREQ_WIDE_CODE ? code : freq_hz / FREQ_WIDE_STEP_HZ;
}

uint32_t mac_freq_hz(uint32_t code)
{
	return code * (code < FREQ_WIDE_CODE ? FREQ_STEP_HZ : FREQ_WIDE_STEP_HZ);
}

static struct reader reader_on(struct slice arg) { return reader_of(arg.p, arg.n); }

static uint8_t octet_of(struct slice arg)
{
	struct reader r = reader_on(arg);
	return reader_u8(&r);
}

void mac_empty_put(struct writer *w, enum mac_cid cid)
{
	writer_u8(w, (uint8_t)cid);
}

void mac_octet_put(struct writer *w, enum mac_cid cid, uint8_t v)
{
	writer_u8(w, (uint8_t)cid);
	writer_u8(w, v);
}

void mac_link_check_ans_put(struct writer *w, const struct mac_link_check_ans *v)
{
	mac_octet_put(w, CMD_LINK_CHECK, v->margin_db);
	writer_u8(w, v->gw_cnt);
}

struct mac_link_check_ans mac_link_check_ans_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	struct mac_link_check_ans v = { .margin_db = reader_u8(&r) };
	v.gw_cnt = reader_u8(&r);
	return v;
}

void mac_link_adr_req_put(struct writer *w, const struct mac_link_adr_req *v)
{
	mac_octet_put(w, CMD_LINK_ADR, (uint8_t)((v->dr & 15) << 4 | (v->tx_power & 15)));
	writer_le16(w, v->ch_mask);
	writer_u8(w, (uint8_t)((v->ch_mask_cntl & 7) << 4 | (v->nb_trans & 15)));
}

struct mac_link_adr_req mac_link_adr_req_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	uint8_t dr_power = reader_u8(&r);
	uint16_t mask = reader_le16(&r);
	uint8_t redundancy = reader_u8(&r);
	return (struct mac_link_adr_req){ .dr = dr_power >> 4, .tx_power = dr_power & 15, .ch_mask = mask,
		.ch_mask_cntl = redundancy >> 4 & 7, .nb_trans = redundancy & 15 };
}

void mac_link_adr_ans_put(struct writer *w, const struct mac_link_adr_ans *v)
{
	mac_octet_put(w, CMD_LINK_ADR, (uint8_t)(v->power_ok << 2 | v->dr_ok << 1 | v->mask_ok));
}

struct mac_link_adr_ans mac_link_adr_ans_get(struct slice arg)
{
	uint8_t o = octet_of(arg);
	return (struct mac_link_adr_ans){ .power_ok = o & 4, .dr_ok = o & 2, .mask_ok = o & 1 };
}

void mac_duty_cycle_req_put(struct writer *w, uint8_t max_duty_cycle)
{
	mac_octet_put(w, CMD_DUTY_CYCLE, max_duty_cycle & 15);
}

uint8_t mac_duty_cycle_req_get(struct slice arg)
{
	return octet_of(arg) & 15;
}

void mac_rx_param_setup_req_put(struct writer *w, const struct mac_rx_param_setup_req *v)
{
	mac_octet_put(w, CMD_RX_PARAM_SETUP, (uint8_t)((v->rx1_dr_offset & 7) << 4 | (v->rx2_dr & 15)));
	writer_le24(w, mac_freq_code(v->rx2_hz));
}

struct mac_rx_param_setup_req mac_rx_param_setup_req_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	uint8_t o = reader_u8(&r);
	return (struct mac_rx_param_setup_req){ .rx1_dr_offset = o >> 4 & 7, .rx2_dr = o & 15,
		.rx2_hz = mac_freq_hz(reader_le24(&r)) };
}

void mac_rx_param_setup_ans_put(struct writer *w, const struct mac_rx_param_setup_ans *v)
{
	mac_octet_put(
		w, CMD_RX_PARAM_SETUP, (uint8_t)(v->rx1_offset_ok << 2 | v->rx2_dr_ok << 1 | v->channel_ok));
}

struct mac_rx_param_setup_ans mac_rx_param_setup_ans_get(struct slice arg)
{
	uint8_t o = octet_of(arg);
	return (struct mac_rx_param_setup_ans){
		.rx1_offset_ok = o & 4, .rx2_dr_ok = o & 2, .channel_ok = o & 1
	};
}

void mac_dev_status_ans_put(struct writer *w, const struct mac_dev_status_ans *v)
{
	mac_octet_put(w, CMD_DEV_STATUS, v->battery);
	writer_u8(w, (uint8_t)v->margin_db & 0x3F);
}

struct mac_dev_status_ans mac_dev_status_ans_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	struct mac_dev_status_ans v = { .battery = reader_u8(&r) };
	int margin = reader_u8(&r) & 0x3F;
	v.margin_db = (int8_t)(margin < 32 ? margin : margin - 64);
	return v;
}

void mac_new_channel_req_put(struct writer *w, const struct mac_new_channel_req *v)
{
	mac_octet_put(w, CMD_NEW_CHANNEL, v->index);
	writer_le24(w, mac_freq_code(v->freq_hz));
	writer_u8(w, (uint8_t)((v->max_dr & 15) << 4 | (v->min_dr & 15)));
}

struct mac_new_channel_req mac_new_channel_req_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	struct mac_new_channel_req v = { .index = reader_u8(&r) };
	v.freq_hz = mac_freq_hz(reader_le24(&r));
	uint8_t drs = reader_u8(&r);
	v.max_dr = drs >> 4;
	v.min_dr = drs & 15;
	return v;
}

void mac_new_channel_ans_put(struct writer *w, const struct mac_new_channel_ans *v)
{
	mac_octet_put(w, CMD_NEW_CHANNEL, (uint8_t)(v->dr_ok << 1 | v->freq_ok));
}

struct mac_new_channel_ans mac_new_channel_ans_get(struct slice arg)
{
	uint8_t o = octet_of(arg);
	return (struct mac_new_channel_ans){ .dr_ok = o & 2, .freq_ok = o & 1 };
}

void mac_rx_timing_setup_req_put(struct writer *w, uint8_t delay_s)
{
	mac_octet_put(w, CMD_RX_TIMING_SETUP, delay_s & 15);
}

uint8_t mac_rx_timing_setup_req_get(struct slice arg)
{
	uint8_t delay = octet_of(arg) & 15;
	return delay ? delay : 1;
}

void mac_dl_channel_req_put(struct writer *w, const struct mac_dl_channel_req *v)
{
	mac_octet_put(w, CMD_DL_CHANNEL, v->index);
	writer_le24(w, mac_freq_code(v->freq_hz));
}

struct mac_dl_channel_req mac_dl_channel_req_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	struct mac_dl_channel_req v = { .index = reader_u8(&r) };
	v.freq_hz = mac_freq_hz(reader_le24(&r));
	return v;
}

void mac_dl_channel_ans_put(struct writer *w, const struct mac_dl_channel_ans *v)
{
	mac_octet_put(w, CMD_DL_CHANNEL, (uint8_t)(v->up_freq_exists << 1 | v->freq_ok));
}

struct mac_dl_channel_ans mac_dl_channel_ans_get(struct slice arg)
{
	uint8_t o = octet_of(arg);
	return (struct mac_dl_channel_ans){ .up_freq_exists = o & 2, .freq_ok = o & 1 };
}

void mac_device_time_ans_put(struct writer *w, const struct mac_device_time_ans *v)
{
	mac_empty_put(w, CMD_DEVICE_TIME);
	writer_le32(w, v->gps_s);
	writer_u8(w, v->fraction);
}

struct mac_device_time_ans mac_device_time_ans_get(struct slice arg)
{
	struct reader r = reader_on(arg);
	struct mac_device_time_ans v = { .gps_s = reader_le32(&r) };
	v.fraction = reader_u8(&r);
	return v;
}

struct mac_device_time_ans mac_device_time_of(uint64_t gps_us)
{
	return (struct mac_device_time_ans){ .gps_s = (uint32_t)(gps_us / SEC_US),
		.fraction = (uint8_t)(gps_us % SEC_US * 256 / SEC_US) };
}
