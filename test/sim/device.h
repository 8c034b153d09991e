/** @file A simulated end-device, LoRaWAN 1.0.x or 1.1, class A or C. */
#pragma once
#include "proto/lorawan/keys.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/lorawan/security.h"
#include "proto/region/chmask.h"
#include "test/sim/air.h"

enum { DEVICE_CHANNELS = CHANNELS_MAX, DEVICE_QUEUE = 8, DEVICE_TRIES = 8, DEVICE_ANSWERS = 48 };

enum phase {
	PHASE_IDLE,      /**< nothing to do before the next uplink is due */
	PHASE_SENDING,   /**< until the end of the frame */
	PHASE_LISTENING, /**< waiting for RX1 and RX2 to pass */
	PHASE_RECEIVING, /**< until the end of a downlink */
	PHASE_PAUSE,     /**< before the same frame, or another join-request, goes out */
};

struct channel {
	uint32_t up_hz, down_hz; /**< 0: not defined */
	uint8_t min_dr, max_dr;
	bool is_on;
};

/** An uplink that the application wants. */
struct wish {
	bool has_port, confirmed, link_check, device_time;
	uint8_t f_port, len;
	uint8_t payload[SIM_PAYLOAD_MAX];
};

/** MAC commands waiting to be sent, whole commands only. */
struct answers {
	uint8_t b[DEVICE_ANSWERS];
	size_t n;
};

struct group {
	uint32_t addr;
	struct key nwk_s_key, app_s_key;
	uint64_t next;
};

struct device {
	struct event event;
	size_t index;
	enum phase phase;
	/* who it is */
	bool otaa;
	uint64_t dev_eui, join_eui;
	struct key app_key, nwk_key;
	bool class_c;
	/* session */
	bool is_joined, is_v11;
	uint32_t dev_addr, f_cnt_up, net_id;
	uint64_t next_down[2]; /**< next FCntDown expected, see fcnt_restore; of 1.1: NFCntDown, AFCntDown */
	uint16_t conf_up, conf_down;       /**< counters of the last confirmed frames, for codes with ACK [LW1.1 4.4] */
	uint16_t rj_count0, rj_count1;     /**< of the next rejoin-requests */
	bool wants_rekey, wants_mode;      /**< 1.1: RekeyInd or ResetInd, DeviceModeInd in every uplink until confirmed */
	struct session_keys keys;
	struct group group; /**< multicast; addr 0: none */
	/* MAC state */
	struct channel channels[DEVICE_CHANNELS];
	uint8_t dr, tx_power, nb_trans, rx1_delay_s, rx1_dr_offset, rx2_dr, battery;
	uint32_t rx2_hz;
	bool down_dwell; /**< TXParamSetupReq said so, or it is so from the start */
	uint32_t adr_ack_cnt, adr_ack_limit, adr_ack_delay;
	bool adr, ack_due, is_urgent, is_deaf;
	struct answers answers, sticky;
	size_t answers_sent; /**< octets of answers in the frame under way */
	/* what is to be sent */
	struct wish queue[DEVICE_QUEUE];
	unsigned queue_first, queue_n;
	uint64_t next_uplink_us;
	uint16_t counter;
	/* the exchange under way */
	bool is_join, is_confirmed, is_acked, is_heard, has_ack;
	bool wants_join;
	int wants_rejoin; /**< type; -1: none */
	uint8_t join_type; /**< JOIN_REQ_TYPE; 0, 1, 2: rejoin */
	unsigned tries, joins;
	uint8_t phy[PHY_MAX];
	size_t phy_len;
	uint16_t dev_nonce, join_nonce; /**< the last DevNonce; what the request under way has: it, or an RJcount */
	uint8_t up_dr, channel;
	uint64_t rx1_us, rx2_us; /**< when the windows open */
	/* reception under way */
	uint8_t window; /**< 1, 2, 3 for class C */
	enum phase phase_before;
	uint64_t due_before_us;
	uint8_t rx_phy[PHY_MAX];
	size_t rx_len;
	uint32_t rx_hz;
};

/** A device by the options, number i of them. */
void device_init(struct device *d, const struct sim *s, size_t i);
/** Factory state of everything a join resets. */
void device_reset_mac(struct device *d, const struct sim *s);
/** Begin living: join, or send the first uplink, after a while that differs from device to device. */
void device_start(struct device *d, struct sim *s);
/** Add an uplink to its queue. @return 0; -ENOSPC */
int device_wish(struct device *d, struct sim *s, const struct wish *w);
void device_want_join(struct device *d, struct sim *s);
/** Send a rejoin-request of a type. @return 0; -EINVAL it is no device of 1.1 that joined */
int device_want_rejoin(struct device *d, struct sim *s, uint8_t type);
/** Send the last frame once more, as an attacker with a recorder would. */
void device_repeat(struct device *d, struct sim *s);

/* device_join.c */

/** Build a join-request, or a rejoin-request of a type, in d->phy. */
void device_join_build(struct device *d, struct sim *s, uint8_t type);
/** A join-accept that was received. @return it is for this device */
bool device_accept(struct device *d, struct sim *s);
/** Sign the data frame in d->phy for its channel and data rate. */
void device_sign(struct device *d, struct sim *s);

/* device_rx.c */

void device_refuse(const struct device *d, const struct sim *s, const char *why); /**< say why a downlink is not believed */
/** Where RX2 is of the join-request that was sent. */
uint32_t device_join_rx2_hz(const struct device *d, const struct sim *s);

/** Would it hear an emission that begins now? */
bool device_listens(const struct device *d, const struct sim *s, const struct emission *e);
void device_receive(struct device *d, struct sim *s, const struct emission *e);
/** What was being received is complete. @return it was a valid frame for this device */
bool device_take(struct device *d, struct sim *s);

/* device_mac.c */

/** Carry out the MAC commands of a downlink. */
void device_mac(struct device *d, struct sim *s, struct slice commands);
/** FOpts of the next uplink: sticky answers, answers, then what w asks; whole commands up to 15 octets. */
size_t device_f_opts(struct device *d, const struct wish *w, uint8_t ret[FOPTS_MAX]);
/** Channels of a CFList, of either type. */
void device_cf_list(struct device *d, const struct sim *s, const uint8_t list[CF_LIST_LEN]);
