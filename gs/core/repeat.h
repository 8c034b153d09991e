/** @file The same reception told twice.
 *
 * A forwarder behind a network that doubles datagrams, or with two servers in its list that are the same one,
 * hands on one reception more than once. It has the same counter, frequency and payload. A device's own
 * repetition (NbTrans, a confirmed frame again) never has the counter of the first, and passes.
 */
#pragma once
#include "proto/semtech/rxpk.h"

enum { REPEAT_KEPT = 32, REPEAT_US = 10 * 1000 * 1000 };

struct repeat {
	struct {
		uint64_t print, at_us;
	} v[REPEAT_KEPT];
	uint32_t next;
};

/** Has this reception been seen within REPEAT_US? Keeps it if not. */
bool gs_repeat_seen(struct repeat *r, const struct rxpk *rx, uint64_t now_us);
