/** @file What an sx1302 packet forwarder takes for transmission, and what it answers otherwise. Pure. */
#pragma once
#include "proto/semtech/txpk.h"
#include "proto/tables.h"

enum { JIT_MAX = 32 };

struct jit_item {
	uint32_t tmst_us; /**< first preamble symbol */
	uint32_t airtime_us;
};

struct jit {
	struct jit_item v[JIT_MAX];
	unsigned n;
};

/** Ask for a place; with imme, find one.
 * @param now_us    the concentrator's counter
 * @param ret_tmst  when it will be sent; set on success only
 * @return TX_RESULT_SUCCESS, _TOO_LATE, _TOO_EARLY, _COLLISION_PACKET, _GPS_UNLOCKED, _TX_FREQ */
enum tx_result jit_admit(
	struct jit *j, uint32_t now_us, const struct txpk *tx, uint32_t airtime_us, uint32_t *ret_tmst);
/** It has been sent: its place is free. */
void jit_remove(struct jit *j, uint32_t tmst_us);
/** The power an EU868 gain table has for a wish [dBm]. */
int jit_power(int wish_dbm);
