/** @file PHYPayloads: from octets to a flat struct that borrows from them, and back. No keys here. [LW1.0.4
 * 4] */
#pragma once
#include "common/core/bytes.h"
#include <stdbool.h>
#include <stdint.h>

enum mtype {
	MTYPE_JOIN_REQUEST = 0,
	MTYPE_JOIN_ACCEPT = 1,
	MTYPE_DATA_UP = 2,
	MTYPE_DATA_DOWN = 3,
	MTYPE_CONFIRMED_UP = 4,
	MTYPE_CONFIRMED_DOWN = 5,
	MTYPE_REJOIN = 6,
	MTYPE_PROPRIETARY = 7,
};
enum {
	MIC_LEN = 4,
	FOPTS_MAX = 15,
	PHY_MAX = 255,
	JOIN_REQUEST_LEN = 23,
	JOIN_ACCEPT_MAX = 33,
	CF_LIST_LEN = 16
};
enum {
	PORT_MAC = 0,
	PORT_APP_MAX = 223,
	PORT_CERTIFICATION = 224,
	PORT_MULTI_PACKAGE = 225,
	PORT_RELAY = 226
};

/** Why octets are no frame: FRAME_DROP(symbol, word for counters and traces). */
#define FRAME_DROPS(FRAME_DROP)                                   \
	FRAME_DROP(FRAME_E_EMPTY, "frame_empty")                  \
	FRAME_DROP(FRAME_E_MAJOR, "frame_major")                  \
	FRAME_DROP(FRAME_E_SHORT, "frame_short")                  \
	FRAME_DROP(FRAME_E_LENGTH, "frame_length")                \
	FRAME_DROP(FRAME_E_FOPTS_LENGTH, "frame_fopts_length")    \
	FRAME_DROP(FRAME_E_FOPTS_AND_PORT_0, "frame_fopts_and_port_0") \
	FRAME_DROP(FRAME_E_REJOIN_TYPE, "frame_rejoin_type")
enum frame_error {
	FRAME_OK = 0,
#define FRAME_DROP(symbol, word) symbol,
	FRAME_DROPS(FRAME_DROP)
#undef FRAME_DROP
	FRAME_E_N
};

struct frame_data {
	uint32_t dev_addr;
	uint16_t f_cnt16; /**< lower half of the counter, as sent */
	bool adr, adr_ack_req, ack;
	bool class_b;   /**< uplink: bit 4 */
	bool f_pending; /**< downlink: bit 4 */
	bool has_port;
	uint8_t f_port;
	struct slice f_opts; /**< as sent: encrypted in 1.1 */
	struct slice frm;    /**< FRMPayload as sent: encrypted */
};

struct frame_join {
	uint64_t join_eui, dev_eui; /**< rejoin 0 and 2 have no join_eui: 0 */
	uint16_t dev_nonce;         /**< rejoin: RJcount0 or RJcount1 */
	uint32_t net_id;            /**< rejoin 0 and 2 */
	uint8_t rejoin_type;        /**< 0, 1, 2; only for MTYPE_REJOIN */
};

struct frame {
	enum mtype mtype;
	bool is_up;             /**< sent by a device; unknown (false) for proprietary */
	struct frame_data data; /**< MTYPE_DATA_*, MTYPE_CONFIRMED_* */
	struct frame_join join; /**< MTYPE_JOIN_REQUEST, MTYPE_REJOIN */
	struct slice sealed;    /**< all after MHDR: of a join-accept encrypted, with its MIC; of proprietary */
	struct slice msg;       /**< what a MIC covers: the PHYPayload without its last four octets */
	uint8_t mic[MIC_LEN];
};

/** Take a PHYPayload apart.
 * @param phy  borrowed by *ret_frame
 * @return 0; FRAME_E_EMPTY; FRAME_E_MAJOR not LoRaWAN R1; FRAME_E_SHORT, FRAME_E_LENGTH not a length its type
 *         can have;
 *         FRAME_E_FOPTS_LENGTH FOptsLen beyond the end; FRAME_E_FOPTS_AND_PORT_0; FRAME_E_REJOIN_TYPE
 * @spec LW1.0.4 4.1 to 4.3; LW1.1 6.2.4 */
int frame_parse(struct slice phy, struct frame *ret_frame);
/** The word for a refusal, "" for 0 and unknown numbers. */
const char *frame_error_word(int error);
bool mtype_is_data(enum mtype t);
bool mtype_is_confirmed(enum mtype t);

/** Write a frame of any type, with f->mic at its end (join-accept and proprietary: MHDR and f->sealed).
 * @return 0; -EINVAL FOpts over 15 octets, FOpts with FPort 0, FRMPayload without FPort, bad rejoin type;
 *         -ENOSPC */
int frame_write(const struct frame *f, struct writer *w);
/** Length that frame_write will need for a data frame. */
size_t frame_data_length(const struct frame_data *d);
