/** @file A simulated gateway: an sx1302 packet forwarder on two UDP sockets. */
#pragma once
#include "test/sim/air.h"
#include "test/sim/jit.h"

enum { GATEWAY_PENDING = 64, GATEWAY_BATCH = 8 };

/** A frame heard that no datagram has carried yet. */
struct heard {
	uint32_t tmst_us, freq_hz;
	struct modu modu;
	int rssi_dbm, snr_ddb;
	uint8_t len;
	uint8_t phy[255];
};

/** A downlink taken, from its txpk to its end. */
struct tx_slot {
	struct event event;
	struct gateway *gateway;
	bool is_used;
	uint32_t tmst_us, airtime_us;
	struct txpk txpk;
};

struct gateway {
	struct sim *sim;
	size_t index;
	uint64_t eui;
	bool is_on;
	int push_fd, pull_fd;
	struct loop_watch *push_watch, *pull_watch;
	struct event keepalive, stat, push;
	uint64_t zero_us;       /**< loop time at which the counter was 0, modulo 2^64 */
	uint64_t push_busy_us;  /**< no PUSH_DATA before: the last one is not acknowledged */
	uint16_t token, push_token;
	struct heard pending[GATEWAY_PENDING];
	unsigned first, n_pending;
	struct jit jit;
	struct tx_slot tx[JIT_MAX];
	uint32_t rxnb, pushed, acked, dwnb, txnb; /**< since the last stat */
};

int gateway_open(struct gateway *g, struct sim *s, size_t index);
void gateway_close(struct gateway *g);
/** The concentrator's counter at a moment of the loop's time. */
uint32_t gateway_tmst(const struct gateway *g, uint64_t at_us);
/** A frame has been received completely. @param far  the nearest gateway is 0 */
void gateway_hear(struct sim *s, struct gateway *g, const struct emission *e, unsigned far);
/** Send what waits, unless a datagram is unacknowledged. */
void gateway_push(struct gateway *g);
