/** @file rxpk: one frame as a gateway heard it. */
#pragma once
#include "common/core/json.h"
#include "proto/semtech/semtech.h"

enum { RXPK_TOKENS = 512 }; /**< of one object: enough for eight antennas with every field */

/** Which of the optional members a rxpk has. */
enum rxpk_has {
	RXPK_TIME = 1 << 0,
	RXPK_TMMS = 1 << 1,
	RXPK_FTIME = 1 << 2,
	RXPK_CHAN = 1 << 3,
	RXPK_RFCH = 1 << 4,
	RXPK_MID = 1 << 5,
	RXPK_RSSIS = 1 << 6,
	RXPK_LSNR = 1 << 7,
	RXPK_FOFF = 1 << 8,
	RXPK_ANTENNA = 1 << 9,
	RXPK_HPW = 1 << 10,
	RXPK_JVER = 1 << 11,
};

enum rxpk_crc { RXPK_CRC_BAD = -1, RXPK_CRC_NONE = 0, RXPK_CRC_OK = 1 };

struct rxpk {
	uint32_t has;     /**< enum rxpk_has */
	uint32_t tmst_us; /**< concentrator counter at the end of reception */
	uint32_t freq_hz;
	enum rxpk_crc crc; /**< `stat`; a rxpk without is taken as good, since the MIC decides */
	struct radio radio;
	uint64_t time_unix_ns; /**< `time` */
	uint64_t tmms;         /**< ms of GPS time */
	uint32_t ftime_ns, chan, rfch, mid, antenna, hpw, jver;
	int32_t rssi_ddbm;  /**< of the channel */
	int32_t rssis_ddbm; /**< of the signal */
	int32_t lsnr_ddb;
	int32_t foff_hz;
	uint32_t phy_len;
	uint8_t phy[SEMTECH_PHY_MAX];
};

/** Read one rxpk object, as every forwarder we know writes it. An optional member that cannot be understood
 * is as good as absent; a required one that cannot is a refusal, and so is a `size` that contradicts `data`.
 * Of several antennas (rsig) the one with the best SNR speaks for all.
 * @param tok  scratch memory of max tokens
 * @return 0; SEMTECH_E_JSON, _TOKENS, _TMST, _FREQ, _MODU, _DATR, _RSSI, _DATA, _SIZE */
int rxpk_read(struct str json, struct json_tok *tok, size_t max, struct rxpk *ret);
/** Write it as a forwarder does: the object alone, to be put into {"rxpk":[...]}. */
void rxpk_write(struct text *t, const struct rxpk *rx);
