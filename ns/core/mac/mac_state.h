/** @file What the network believes of a device's MAC, and what it has asked of it: the data, and its two readings.
 *
 * Everything that a request sets is an *item* with one value: mac_now says which is in force at the device, mac_wish which one
 * the operator, the frequency plan and ADR want. The requests follow from the difference (mac_request.c), and nothing but an answer
 * moves what is in force (mac_answer.c). How a device listens is in the session itself, where those who send look for it.
 */
#pragma once
#include "common/core/bytes.h"
#include "ns/core/mac/adr.h"
#include "proto/region/channels.h"

struct dev;
struct session;

enum {
	MAC_CHANNELS = 16,  /**< of a region whose channels are defined one by one */
	MAC_ASKED_MAX = 24, /**< requests of one frame */
	MAC_DOWN_MAX = 60,  /**< octets of answers and requests in one frame */
	MAC_RECORD_MAX = 1024,
	DEVICE_CLASS_A = 0, DEVICE_CLASS_C = 2, /**< of DeviceModeInd */
	TX_UP_DWELL = 16, TX_DOWN_DWELL = 32, TX_OCTET = 63, /**< bits of TXParamSetupReq */
	TX_KNOWN = 64, /**< beside them: the device was told, or all devices of its version begin so */
};

/** What a request sets, in the order in which it is asked. */
enum mac_item {
	ITEM_DUTY_CYCLE,   /**< MaxDCycle */
	ITEM_TX_PARAM,     /**< the octet of TXParamSetupReq, and TX_KNOWN */
	ITEM_RX_PARAM,     /**< RX1DROffset << 28 | RX2 data rate << 24 | frequency as on air */
	ITEM_NEW_CHANNEL,  /**< and 15 more: frequency as on air << 8 | MaxDR << 4 | MinDR; 0: not there */
	ITEM_LINK_ADR = ITEM_NEW_CHANNEL + MAC_CHANNELS, /**< a hash of data rate, power, transmissions, channels */
	ITEM_RX_TIMING,    /**< [s] */
	ITEM_DL_CHANNEL,   /**< and 15 more: frequency as on air */
	ITEM_ADR_PARAM = ITEM_DL_CHANNEL + MAC_CHANNELS, /**< the octet of ADRParamSetupReq */
	ITEM_REJOIN_PARAM, /**< the octet of RejoinParamSetupReq */
	ITEM_FORCE_REJOIN, /**< how often the operator has asked for it: a new session is the answer */
	ITEM_N
};

struct mac_channel {
	uint32_t freq_hz; /**< 0: there is none */
	uint32_t down_hz; /**< of RX1; 0: as the region says */
	uint8_t min_dr, max_dr;
};

/** How a device listens. */
struct mac_rx {
	uint8_t rx1_delay_s, rx1_dr_offset, rx2_dr;
	uint32_t rx2_hz;
};

/** What went wrong with an item: kept for a session, so that nothing is asked for ever. */
struct mac_trouble {
	uint32_t value;  /**< that was asked for */
	uint16_t f_cnt;  /**< low half of the uplink that should have brought an answer and did not, the last time */
	uint8_t tries;   /**< so many answers did not come */
	bool is_refused;
};

struct mac_asked {
	uint32_t value;
	uint8_t item;
};

struct mac_state {
	/* In force at the device. */
	uint8_t duty_cycle, tx_param, adr_param, rejoin_param;
	uint8_t device_class;     /**< as DeviceModeInd says it (LoRaWAN 1.1): before it says so, class A */
	uint8_t ping_periodicity; /**< as PingSlotInfoReq says it; 0xFF: it said nothing */
	struct channels enabled;
	struct mac_channel channel[MAC_CHANNELS];
	struct adr adr;           /**< data rate, power and transmissions, and the history that ADR needs */
	/* Asked with the answer to the last uplink. */
	bool is_out;              /**< a gateway was told to send it */
	uint8_t n_asked, n_pairs; /**< LinkADRReq of the block */
	struct mac_asked asked[MAC_ASKED_MAX];
	struct channels asked_channels;
	/* Gone wrong. */
	bool keep_refused;        /**< it does not know 15 as "keep" */
	uint8_t strays;           /**< times that it used a channel that it had agreed not to use */
	uint32_t refused_channels; /**< a hash; 0: none */
	struct mac_trouble trouble[ITEM_N];
	uint32_t rejoin;          /**< how often the operator had asked for a rejoin when the session began */
	uint32_t written;         /**< hash of the record that was written last; 0: none */
};

/** A device that was just made, or reset, or has joined: what its maker set (an operator may tell), and what the region says.
 * @param has_plan  it has the plan's channels: it got them with the join-accept, or nobody says otherwise */
void mac_start(struct session *s, bool has_plan);
/** The same of a new session that listens so. */
void mac_begin(struct session *s, struct mac_rx rx, bool has_plan);
/** A session that goes on from another without a change of its radio parameters: after a rejoin-request of type 2. */
void mac_carry(struct session *s, const struct session *from);
/** How a device listens before anybody tells it: as its maker set it, which the operator may tell; else as the region says. */
struct mac_rx mac_rx_of_maker(const struct dev *d);
/** How it listens after its last uplink, as far as anybody knows. LoRaWAN 1.0.0 says an answer once: if that was lost, the device
 * listens already as it was asked, so every other try is made there. */
struct mac_rx mac_rx_guess(const struct session *s);
bool mac_has_up_dwell(const struct session *s);   /**< may its uplinks be 400 ms at most? */
enum region_dwell mac_down_dwell(const struct session *s); /**< and does it hear only such downlinks, as far as anybody knows? */
/** The command that sets an item. */
uint8_t mac_item_cid(enum mac_item item);
/** In force. */
uint32_t mac_now(const struct session *s, enum mac_item item);
/** An answer came: this is in force. */
void mac_set(struct session *s, enum mac_item item, uint32_t value);
/** What it should be; the same as mac_now where nobody wants anything else, or the device's version or region does not have it. */
uint32_t mac_wish(const struct session *s, enum mac_item item);
/* Values of items, and the code of MaxEIRP: the largest that is no more than that. */
uint32_t mac_value_rx(const struct mac_rx *rx);
uint32_t mac_value_channel(const struct mac_channel *c);
uint8_t mac_eirp_code(int dbm);
int mac_eirp_dbm(uint8_t code);
/** The channels that the device has. */
struct channels mac_channels(const struct session *s);
/** Of these, the ones that should be enabled. */
struct channels mac_wish_channels(const struct session *s);
/** The channel of an uplink as the device counts them; -1: none that is known. */
int mac_channel_of(const struct session *s, uint32_t freq_hz, uint8_t dr);
/** ADR's settings, limits and channels of a device. */
struct adr_settings mac_adr_settings(const struct dev *d);
struct adr_limits mac_adr_limits(const struct session *s, const struct channels *enabled);

/* The record: all but the history of ADR. */
void mac_state_put(struct writer *w, const struct session *s);
void mac_state_get(struct reader *r, struct session *s);
