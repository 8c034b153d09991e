/** @file Datagrams of the Semtech UDP protocol: the fixed octets in front of the JSON, version octets 1
 * and 2.
 *
 * Gateways send PUSH_DATA, PULL_DATA and TX_ACK, with their EUI; servers send PUSH_ACK, PULL_ACK and
 * PULL_RESP. Everything in this folder that refuses input returns one SEMTECH_E_* of refusals.def.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum semtech_type {
	SEMTECH_PUSH_DATA,
	SEMTECH_PUSH_ACK,
	SEMTECH_PULL_DATA,
	SEMTECH_PULL_RESP,
	SEMTECH_PULL_ACK,
	SEMTECH_TX_ACK,
	SEMTECH_TYPE_N
};

enum {
	SEMTECH_HEAD = 4,      /**< version, token, type */
	SEMTECH_HEAD_EUI = 12, /**< the same and the gateway's EUI */
	SEMTECH_DATAGRAM_MAX = 65507,
	SEMTECH_PULL_RESP_MAX = 999, /**< forwarders cut what is longer */
	SEMTECH_PHY_MAX = 255,
};

enum semtech_refusal {
	SEMTECH_E_NONE,
#define SEMTECH_REFUSAL(symbol, word, meaning) SEMTECH_E_##symbol,
#include "proto/semtech/refusals.def"
#undef SEMTECH_REFUSAL
	SEMTECH_E_N
};

struct semtech_datagram {
	uint8_t version; /**< 1 or 2; the answer carries the same */
	uint16_t token;  /**< the first octet on the wire is the high one */
	enum semtech_type type;
	uint64_t eui;    /**< of the gateway; 0 in what a server sends */
	struct str body; /**< borrowed; empty where there is none */
};

/** How a frame is modulated, in the words of rxpk and txpk. */
enum radio_kind { RADIO_LORA, RADIO_FSK, RADIO_LR_FHSS, RADIO_N };
enum { RADIO_CODR_MAX = 5 };
struct radio {
	enum radio_kind kind;          /**< the numbers are those of the bus message `modulation` */
	uint32_t sf;                   /**< LoRa: 5..12 */
	uint32_t bw_hz;                /**< LoRa: bandwidth; LR-FHSS: occupied channel width */
	uint32_t bit_rate;             /**< FSK [bit/s] */
	char codr[RADIO_CODR_MAX + 1]; /**< "4/5"; "" where there is none (FSK) */
};

/** Read a datagram of either side.
 * @param ret  its body borrows from p; set on 0 only
 * @return 0; SEMTECH_E_SHORT, SEMTECH_E_PROTOCOL, SEMTECH_E_TYPE */
int semtech_read(const void *p, size_t n, struct semtech_datagram *ret);
/** Write a datagram; the writer fails where it does not fit. */
void semtech_write(struct writer *w, const struct semtech_datagram *d);
/** The acknowledgement a datagram wants: of PUSH_DATA and PULL_DATA, with its version and token.
 * @return octets written: SEMTECH_HEAD, or 0 where none is due */
size_t semtech_ack(const struct semtech_datagram *d, uint8_t ret[SEMTECH_HEAD]);
/** The log word of a refusal: "size". */
const char *semtech_refusal_word(int why);

/** Write and read `modu`, `datr`: LORA SF7BW125, FSK 50000, LR-FHSS M0CW137. */
void radio_datr_text(struct text *t, const struct radio *r);
/** @param kind     from radio_modu_read
 * @param ret      sf and bw_hz, or bit_rate, set on 0 only
 * @return 0; SEMTECH_E_DATR */
int radio_datr_read(struct str datr, enum radio_kind kind, struct radio *ret);
const char *radio_modu(enum radio_kind kind);
/** @return 0; SEMTECH_E_MODU */
int radio_modu_read(struct str modu, enum radio_kind *ret);
/** A coding rate that forwarders can send: 4/5 to 4/8, and 2/3, 1/2 for 4/6, 4/8. */
bool radio_codr_is_sendable(const char *codr);
/** Write the members `modu`, `datr` and, where there is one, `codr`. */
void radio_write(struct text *t, const struct radio *r);
/** Write the member `freq`: MHz with all six decimals, since some forwarders cut instead of rounding. */
void radio_freq_write(struct text *t, uint32_t freq_hz);
