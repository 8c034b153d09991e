/** @file Integrity codes and encryption of frames, 1.0.x and 1.1. [LW1.0.4 4.3.3, 4.4; LW1.1 4.3.1.6, 4.3.3,
 * 4.4, 6.2.3] */
#pragma once
#include "common/core/crypto.h"
#include "proto/lorawan/frame.h"

/** Which frame of which session a block is made for. */
struct frame_id {
	uint32_t dev_addr;
	uint32_t f_cnt;       /**< all 32 bits */
	bool is_up;
	uint16_t conf_f_cnt;  /**< 1.1, only if ACK is set: lower half of the counter acknowledged; else 0 */
	uint8_t tx_dr, tx_ch; /**< 1.1 uplinks: how it was sent */
};

/* Integrity codes. msg is everything before the MIC (frame.msg). @return 0; -EIO */

/** 1.0.x both ways (NwkSKey, conf_f_cnt 0), and 1.1 downlinks (SNwkSIntKey); also all of a 1.1 uplink to a
 * 1.0 server. */
int mic_data(struct crypto *c, const struct key *k, const struct frame_id *id, struct slice msg,
	uint8_t ret[MIC_LEN]);
/** 1.1 uplinks: two octets under each key. */
int mic_data_up_1_1(struct crypto *c, const struct key *s_nwk_s_int, const struct key *f_nwk_s_int,
	const struct frame_id *id, struct slice msg, uint8_t ret[MIC_LEN]);
/** Join-request (AppKey; NwkKey of a 1.1 device) and rejoin-request (SNwkSIntKey for types 0 and 2, JSIntKey
 * for 1). */
int mic_join(struct crypto *c, const struct key *k, struct slice msg, uint8_t ret[MIC_LEN]);
bool mic_eq(const uint8_t a[MIC_LEN], const uint8_t b[MIC_LEN]); /**< in constant time */

/* Encryption, in place; the same call decrypts. @return 0; -EINVAL n too long; -EIO */

/** FRMPayload: AppSKey for FPort 1 and up; NwkSKey (1.0.x) or NwkSEncKey (1.1) for FPort 0. */
int cipher_frm(struct crypto *c, const struct key *k, const struct frame_id *id, void *buf, size_t n);
/** FOpts, 1.1 only (NwkSEncKey).
 * @param is_a_counter  a downlink counted by AFCntDown (FPort 1 and up); erratum "FOpts Encryption, Usage of
 *                      FCntDwn" */
int cipher_f_opts(struct crypto *c, const struct key *k, const struct frame_id *id, bool is_a_counter,
	void *buf, size_t n);

/** A join-accept in the clear. */
struct join_accept {
	uint32_t join_nonce, net_id; /**< 24 bits each */
	uint32_t dev_addr;
	uint8_t dl_settings; /**< OptNeg 7 | RX1DROffset 6:4 | RX2DataRate 3:0 */
	uint8_t rx_delay;    /**< [s]; 0 means 1 */
	bool has_cf_list;
	uint8_t cf_list[CF_LIST_LEN];
};
enum { DL_OPT_NEG = 0x80 };
static inline uint8_t dl_settings_of(bool opt_neg, unsigned rx1_dr_offset, unsigned rx2_dr)
{
	return (uint8_t)((opt_neg ? DL_OPT_NEG : 0) | (rx1_dr_offset & 7) << 4 | (rx2_dr & 15));
}

/** What a join-accept is sealed with and answers.
 * 1.0.x and OptNeg 0: enc and mic are the AppKey (1.1 device: NwkKey), the rest is not looked at.
 * OptNeg 1 (DL_OPT_NEG in dl_settings): mic is JSIntKey; enc is NwkKey after a join-request, JSEncKey after a
 * rejoin. */
struct join_seal {
	const struct key *enc, *mic;
	uint8_t req_type; /**< 0xFF join-request; 0, 1, 2 rejoin */
	uint64_t join_eui;
	uint16_t dev_nonce; /**< or the RJcount of the rejoin */
};
enum { JOIN_REQ_TYPE = 0xFF };

/** Build the whole PHYPayload. @param ret_n 17, or 33 with CFList. @return 0; -EIO */
int join_accept_seal(struct crypto *c, const struct join_seal *s, const struct join_accept *a,
	uint8_t ret_phy[JOIN_ACCEPT_MAX], size_t *ret_n);
/** Take one apart, as a device does. @return 0; -EINVAL length; -EBADMSG MIC; -EIO */
int join_accept_open(struct crypto *c, const struct join_seal *s, struct slice phy, struct join_accept *ret);
