/** @file What the network server has not acknowledged yet: uplinks and TX_ACKs in order of arrival, bounded.
 *
 * A slot is waiting, or called (handed to the bus, its answer is open). The oldest gives way when there is no
 * room; one whose call is open is then only forgotten, and its slot is not used again before the call has
 * ended, so that an answer can never be taken for another's.
 */
#pragma once
#include "proto/schema.h"

enum outbox_kind { OUTBOX_UPLINK, OUTBOX_TX_ACK };

struct outbox;
struct outbox_slot {
	union {
		struct gs_uplink up;
		struct tx_ack ack;
	} msg;
	struct outbox *outbox;
	uint64_t seq, received_us; /**< order of arrival; monotonic time of it */
	uint32_t generation;       /**< of the registry, when it was last looked at */
	uint32_t prev, next;
	enum outbox_kind kind;
	bool is_called, is_forgotten;
};

struct outbox_list {
	uint32_t first, last, n;
};

struct outbox {
	struct outbox_slot *v;
	uint32_t keep, max, high, free; /**< keep: how many are remembered; max: how many slots there are for
					   them and the forgotten */
	struct outbox_list waiting, called;
	uint64_t seq;
	uint64_t lost; /**< how many uplinks had to give way */
};

/** @return 0; -ENOMEM */
int gs_outbox_init(struct outbox *o, uint32_t keep);
void gs_outbox_done(struct outbox *o);
/** A slot at the end of the waiting ones, to be filled in; NULL: every slot has a call open, and the new one
 * is lost. */
struct outbox_slot *gs_outbox_add(struct outbox *o, enum outbox_kind kind, uint64_t now_us);
struct outbox_slot *gs_outbox_next(const struct outbox *o); /**< the oldest that waits; NULL */
void gs_outbox_call(struct outbox_slot *s);                 /**< it has been handed to the bus */
/** Its call has ended, or it is of no use any more. @param is_over  else it waits again, in its old place */
void gs_outbox_end(struct outbox_slot *s, bool is_over);
uint32_t gs_outbox_count(const struct outbox *o);
/** When the oldest of them was received. @return false: there is none */
bool gs_outbox_oldest(const struct outbox *o, uint64_t *ret_received_us);
