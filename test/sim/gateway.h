/** @file A simulated gateway: a packet forwarder on two UDP sockets. */
#pragma once
#include "test/sim/air.h"
#include "test/sim/jit.h"

enum { GATEWAY_PENDING = 64, GATEWAY_BATCH = 8, GATEWAY_LATE_ACKS = 64 };

/** A frame heard that no datagram has carried yet. */
struct heard {
	uint32_t tmst_us, freq_hz;
	uint64_t end_us; /**< of the loop's time */
	struct modu modu;
	int rssi_dbm, snr_ddb;
	uint8_t len;
	uint8_t phy[255];
};

/** A downlink taken, from its txpk to its end. */
struct tx_slot {
	struct event event;
	struct gateway *gateway;
	bool is_used, is_programmed; /**< programmed: it has left the queue */
	uint32_t tmst_us, airtime_us;
	uint64_t start_us;
	struct txpk txpk;
};

/** A TX_ACK that is kept back for a while. */
struct late_ack {
	struct event event;
	struct gateway *gateway;
	bool is_used;
	uint16_t token;
	char body[96];
};

/** What a script makes a gateway say. */
enum answer {
	ANSWER_RULES, /**< what the forwarder's rules give */
	ANSWER_WORD,  /**< gateway.answer_word, and nothing is emitted */
	ANSWER_NEVER, /**< it is emitted, and nothing said */
	ANSWER_LOST   /**< the PULL_RESP does not arrive */
};

struct gateway {
	struct sim *sim;
	size_t index;
	uint64_t eui;
	bool is_on, has_gps;
	int push_fd, pull_fd;
	struct loop_watch *push_watch, *pull_watch;
	struct event keepalive, stat, push, beacon;
	uint64_t zero_us;       /**< loop time at which the counter was 0, modulo 2^64 */
	uint64_t push_busy_us;  /**< no PUSH_DATA before: the last one is not acknowledged */
	uint64_t on_air_us;     /**< until then it sends */
	uint16_t token, push_token;
	struct heard pending[GATEWAY_PENDING];
	unsigned first, n_pending;
	struct jit jit;
	struct tx_slot tx[JIT_MAX];
	enum answer answer;
	char answer_word[TXACK_WORD_MAX + 1];
	uint64_t answer_delay_us;
	struct late_ack late[GATEWAY_LATE_ACKS];
	uint32_t rxnb, pushed, acked, dwnb, txnb; /**< since the last stat */
};

int gateway_open(struct gateway *g, struct sim *s, size_t index);
void gateway_close(struct gateway *g);
/** The concentrator's counter at a moment of the loop's time. */
uint32_t gateway_tmst(const struct gateway *g, uint64_t at_us);
/** GPS time at a moment of the loop's time. */
uint64_t gateway_gps_us(const struct gateway *g, uint64_t at_us);
/** A frame has been received completely. @param far  the nearest gateway is 0 */
void gateway_hear(struct sim *s, struct gateway *g, const struct emission *e, unsigned far);
/** Send what waits, unless a datagram is unacknowledged. */
void gateway_push(struct gateway *g);
/** Send a datagram of the downstream socket. */
void gateway_say(struct gateway *g, enum semtech_type type, uint16_t token, struct str body);
/** Speak from other ports from now on, as behind a NAT that has forgotten. @return 0; -errno */
int gateway_move(struct gateway *g);
/** Start again: another counter, other ports, an empty queue, PULL_DATA at once. @return 0; -errno */
int gateway_reboot(struct gateway *g);
/** Be another kind of forwarder. @return 0; -EINVAL */
int gateway_forwarder(struct gateway *g, const char *name);
/** Answer every PULL_RESP with a word of TX_ACK; NONE: by the rules; NEVER, LOST. @return 0; -EINVAL too long */
int gateway_answer(struct gateway *g, struct str word);

/* gateway_tx.c: PULL_RESP and what follows */
void gateway_pull_resp(struct gateway *g, const struct semtech_datagram *d);
/** Forget all that was to be sent. */
void gateway_tx_forget(struct gateway *g);
/** Plan the beacons from now on; without GPS there are none. */
void gateway_beacon_plan(struct gateway *g);
