/** @file What a packet forwarder takes for transmission, and what it answers otherwise: the just-in-time queues of
 * lora_pkt_fwd 4 (SX1301) and of sx1302_hal, constant by constant, and the forwarders of before, which have
 * none. Pure. All comparisons are unsigned 32 bits, as there. */
#pragma once
#include "proto/semtech/txack.h"
#include "proto/semtech/txpk.h"
#include "proto/tables.h"

enum { JIT_MAX = 32 };

/** A kind of forwarder. */
struct forwarder {
	const char *name;
	uint8_t version;    /**< protocol version octet */
	bool has_queue;     /**< without: what comes replaces what is programmed, and nothing is ever answered */
	bool is_sx1302;     /**< what it heard it prints as sx1302_hal does, and with a temperature */
	uint32_t jit_us;    /**< a frame leaves the queue so long before its start */
	uint32_t imme_us;   /**< an immediate frame is placed so far ahead */
	bool refuses_power; /**< a power that is not in its table: an error, or else a warning and the next lower one */
};

/** @return NULL: there is none of that name */
const struct forwarder *forwarder_find(const char *name);

struct jit_item {
	uint32_t tmst_us;    /**< first preamble symbol */
	uint32_t airtime_us; /**< of a beacon: all that must be left free after its start */
	bool is_beacon;
};

struct jit {
	const struct forwarder *forwarder;
	uint32_t min_hz, max_hz; /**< what its transmitter may do */
	struct jit_item v[JIT_MAX];
	unsigned n;
};

/** Ask for a place; with imme, find one.
 * @param now_us    the concentrator's counter
 * @param tmms_us   counter of tx->tmms, where that is asked for; class B then
 * @param ret_tmst  when it will be sent; set on success only
 * @return TX_RESULT_SUCCESS, _TOO_LATE, _TOO_EARLY, _COLLISION_PACKET, _COLLISION_BEACON, _TX_FREQ */
enum tx_result jit_admit(struct jit *j, uint32_t now_us, const struct txpk *tx, uint32_t tmms_us, uint32_t airtime_us,
	uint32_t *ret_tmst);
/** Put the beacon into the queue, which comes before everything else. */
void jit_beacon(struct jit *j, uint32_t tmst_us);
/** It has left the queue: nothing is compared with it any more. */
void jit_remove(struct jit *j, uint32_t tmst_us);
/** The power that is taken for a wish. @return TX_RESULT_SUCCESS, with ret->has_power set where it is another one;
 * _TX_POWER */
enum tx_result jit_power(const struct jit *j, int wish_dbm, struct txack *ret);
