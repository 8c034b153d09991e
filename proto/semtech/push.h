/** @file The body of PUSH_DATA: its rxpk objects one after the other, and its stat.
 *
 * A forwarder may send 250 frames in one datagram of 54 kB. The body is therefore walked, not parsed: only
 * one element at a time is given to the JSON reader, so the memory needed is that of one rxpk, and a bad
 * element spoils no other.
 */
#pragma once
#include "proto/semtech/gwstat.h"
#include "proto/semtech/rxpk.h"

enum { PUSH_RXPK_MAX = 1024 }; /**< more elements than a datagram of 64 KiB can hold */

/** Who is told what was found; in the order of the body. Everything passed is borrowed for the call. */
struct push_sink {
	void (*rxpk)(void *ctx, const struct rxpk *rx);
	void (*refused)(
		void *ctx, int why, struct str element); /**< a rxpk or stat that is not kept: SEMTECH_E_* */
	void (*stat)(void *ctx, const struct gwstat *st, struct str raw);
	void *ctx;
};

/** Scratch memory of push_read; its content means nothing between calls. */
struct push_scratch {
	struct json_tok tok[RXPK_TOKENS];
	struct rxpk rxpk;
	struct gwstat stat;
};

/** Walk a body. What came before a defect of the body has been handed on already.
 * @return 0; SEMTECH_E_JSON the body as a whole is not a JSON object */
int push_read(struct str body, struct push_scratch *scratch, const struct push_sink *sink);
