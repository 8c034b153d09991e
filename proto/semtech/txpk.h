/** @file txpk: one frame that a gateway is to emit. */
#pragma once
#include "common/core/json.h"
#include "proto/semtech/semtech.h"

enum { TXPK_TOKENS = 128, TXPK_FDEV_FSK_HZ = 25000 };

enum txpk_when { TXPK_IMME, TXPK_TMST, TXPK_TMMS };

struct txpk {
	enum txpk_when when;
	uint32_t tmst_us; /**< TXPK_TMST: concentrator counter at the first preamble symbol */
	uint64_t tmms;    /**< TXPK_TMMS: GPS time of it [ms] */
	uint32_t freq_hz;
	uint32_t rfch;
	int32_t powe_dbm; /**< what the forwarder takes as power before its antenna gain */
	struct radio radio;
	uint32_t fdev_hz; /**< FSK */
	uint32_t prea;    /**< preamble symbols (octets for FSK); 0: the forwarder's default */
	bool ipol;        /**< inverted polarity: true for downlinks */
	bool ncrc;        /**< no payload CRC: true for LoRa downlinks */
	uint32_t phy_len;
	uint8_t phy[SEMTECH_PHY_MAX];
};

/** Write the body of a PULL_RESP, {"txpk":{...}}: every member that some forwarder misses when it is left
 * out, and nothing that some forwarder trips over (imme only as the boolean true, freq with six decimals,
 * base64 padded). */
void txpk_write(struct text *t, const struct txpk *tx);
/** Read such a body the way a forwarder does. What makes forwarders drop a PULL_RESP without a word is a
 * refusal here.
 * @param tok  scratch memory of max tokens
 * @return 0; SEMTECH_E_JSON, _TOKENS, _WHEN, _FREQ, _RFCH, _MODU, _DATR, _CODR, _DATA, _SIZE */
int txpk_read(struct str body, struct json_tok *tok, size_t max, struct txpk *ret);
