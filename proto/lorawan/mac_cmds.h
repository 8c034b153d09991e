/** @file The MAC command table, the walk over a string of commands, and the commands' own fields. [LW1.0.4
 * 5] */
#pragma once
#include "common/core/bytes.h"
#include "proto/lorawan/version.h"

enum mac_asker { MAC_ASKER_DEVICE, MAC_ASKER_NETWORK };
enum mac_cid {
#define MAC_CMD(symbol, cid, ...) CMD_##symbol = cid,
#include "proto/lorawan/mac_cmds.def"
#undef MAC_CMD
};
enum { MAC_PAYLOAD_MAX = 26 };

struct mac_cmd_info {
	const char *section;
	enum mac_version since;
	const char *up_name, *down_name; /**< "" where it is not sent in that direction */
	int8_t up_len, down_len; /**< without CID; -1 not sent; -2 told by its first octet */
	uint8_t cid;
	uint8_t asker; /**< enum mac_asker */
	bool is_sticky;
};

/** NULL for an unknown CID. */
const struct mac_cmd_info *mac_cmd_by_cid(uint8_t cid);
/** Every row, in order; NULL at the end. */
const struct mac_cmd_info *mac_cmd_at(size_t i);

struct mac_cmd {
	const struct mac_cmd_info *info;
	struct slice arg; /**< without CID; borrowed from the walked octets */
};
enum mac_walk { MAC_WALK_END = 0, MAC_WALK_CMD = 1, MAC_WALK_E_UNKNOWN = 2, MAC_WALK_E_SHORT = 3 };

/** Step to the next command in FOpts (decrypted) or the decrypted FRMPayload of FPort 0.
 * @param is_up    sent by a device
 * @param pos      where to read, 0 at first; moved past the command
 * @param ret_cmd  set on MAC_WALK_CMD only
 * @return MAC_WALK_CMD; MAC_WALK_END all read; MAC_WALK_E_UNKNOWN or MAC_WALK_E_SHORT when the rest cannot be
 *         read,
 *         since a command carries no length of its own: what came before stays good [LW1.0.4 5] */
enum mac_walk mac_walk(struct slice s, bool is_up, size_t *pos, struct mac_cmd *ret_cmd);

/* The fields of the commands in use. `_put` writes CID and fields; `_get` reads mac_cmd.arg, whose length the
 * walk has
 * checked. Frequencies are whole hundreds of Hz on air. */

struct mac_link_check_ans { uint8_t margin_db, gw_cnt; };
struct mac_link_adr_req { uint8_t dr, tx_power; uint16_t ch_mask; uint8_t ch_mask_cntl, nb_trans; };
struct mac_link_adr_ans { bool power_ok, dr_ok, mask_ok; };
struct mac_rx_param_setup_req { uint8_t rx1_dr_offset, rx2_dr; uint32_t rx2_hz; };
struct mac_rx_param_setup_ans { bool rx1_offset_ok, rx2_dr_ok, channel_ok; };
struct mac_dev_status_ans { uint8_t battery; int8_t margin_db; /**< -32..31 */ };
struct mac_new_channel_req { uint8_t index, min_dr, max_dr; uint32_t freq_hz; /**< 0 removes it */ };
struct mac_new_channel_ans { bool dr_ok, freq_ok; };
struct mac_dl_channel_req { uint8_t index; uint32_t freq_hz; };
struct mac_dl_channel_ans { bool up_freq_exists, freq_ok; };
struct mac_device_time_ans { uint32_t gps_s; uint8_t fraction; /**< 1/256 s */ };

/** A frequency as commands carry it, 24 bits: in hundreds of Hz, at 2.4 GHz in two hundreds. No band is between 1 and 2.4 GHz, so
 * a code tells its own step. [RP002-1.0.4 2.11] */
uint32_t mac_freq_code(uint32_t freq_hz);
uint32_t mac_freq_hz(uint32_t code);

void mac_empty_put(struct writer *w, enum mac_cid cid); /**< a command without fields */
void mac_octet_put(
	struct writer *w, enum mac_cid cid, uint8_t v); /**< DutyCycleReq, RXTimingSetupReq, ResetConf ... */

void mac_link_check_ans_put(struct writer *w, const struct mac_link_check_ans *v);
struct mac_link_check_ans mac_link_check_ans_get(struct slice arg);
void mac_link_adr_req_put(struct writer *w, const struct mac_link_adr_req *v);
struct mac_link_adr_req mac_link_adr_req_get(struct slice arg);
void mac_link_adr_ans_put(struct writer *w, const struct mac_link_adr_ans *v);
struct mac_link_adr_ans mac_link_adr_ans_get(struct slice arg);
void mac_duty_cycle_req_put(struct writer *w, uint8_t max_duty_cycle);
uint8_t mac_duty_cycle_req_get(struct slice arg); /**< 0..15: 1/2^n */
void mac_rx_param_setup_req_put(struct writer *w, const struct mac_rx_param_setup_req *v);
struct mac_rx_param_setup_req mac_rx_param_setup_req_get(struct slice arg);
void mac_rx_param_setup_ans_put(struct writer *w, const struct mac_rx_param_setup_ans *v);
struct mac_rx_param_setup_ans mac_rx_param_setup_ans_get(struct slice arg);
void mac_dev_status_ans_put(struct writer *w, const struct mac_dev_status_ans *v);
struct mac_dev_status_ans mac_dev_status_ans_get(struct slice arg);
void mac_new_channel_req_put(struct writer *w, const struct mac_new_channel_req *v);
struct mac_new_channel_req mac_new_channel_req_get(struct slice arg);
void mac_new_channel_ans_put(struct writer *w, const struct mac_new_channel_ans *v);
struct mac_new_channel_ans mac_new_channel_ans_get(struct slice arg);
void mac_rx_timing_setup_req_put(struct writer *w, uint8_t delay_s);
uint8_t mac_rx_timing_setup_req_get(struct slice arg); /**< 1..15 [s]; 0 on air means 1 */
void mac_dl_channel_req_put(struct writer *w, const struct mac_dl_channel_req *v);
struct mac_dl_channel_req mac_dl_channel_req_get(struct slice arg);
void mac_dl_channel_ans_put(struct writer *w, const struct mac_dl_channel_ans *v);
struct mac_dl_channel_ans mac_dl_channel_ans_get(struct slice arg);
void mac_device_time_ans_put(struct writer *w, const struct mac_device_time_ans *v);
struct mac_device_time_ans mac_device_time_ans_get(struct slice arg);
/** GPS time [us] as DeviceTimeAns says it. */
struct mac_device_time_ans mac_device_time_of(uint64_t gps_us);
