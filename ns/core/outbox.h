/** @file Messages for the application server: durable, in order, sent only once they are on disk, kept until acknowledged. */
#pragma once
#include "ns/core/device.h"

struct ns;

struct outbox {
	uint64_t head;    /**< the oldest seq that is not acknowledged */
	uint64_t send;    /**< the next to send */
	uint64_t tail;    /**< the next to give */
	uint64_t durable; /**< those below are on disk */
	uint64_t asked, asked_batch; /**< tail at the end of that batch */
	uint64_t acked[NS_OUTBOX_WINDOW / 64]; /**< bits by seq modulo the window, for those from head to send */
	struct {
		uint64_t seq, at_us;
	} put[NS_OUTBOX_WINDOW]; /**< when the last ones were put, by seq modulo the window */
	uint64_t retry_us; /**< after a failure: not before */
	bool is_dirty;    /**< tail moved: to be written down */
};

/** Is there room for another frame? Outcomes and joins are always taken. */
bool outbox_has_room(const struct ns *ns);
/** Begin a message in ns->up, cleared, about a device. */
struct ns_up *outbox_begin(struct ns *ns, const struct dev *d, const struct cid_list *cids);
/** Give it a number and put it. */
void outbox_put(struct ns *ns);
/** What became of an item. @param result of proto/tx_result.def; negative: none */
struct outcome {
	uint32_t kind; /**< of messages.def */
	const struct flight *flight;
	const char *error;
	int result;
	const char *gateway_id;
};
enum { OUTCOME_RETURNED, OUTCOME_SENT, OUTCOME_FAILED, OUTCOME_ACK, OUTCOME_NACK, OUTCOME_AWAITED };
/** The as learns that this is a new process, behind all that is told of what the old one was handed. */
void outbox_restarted(struct ns *ns);
void outbox_outcome(struct ns *ns, const struct dev *d, const struct cid_list *cids, const struct outcome *o);

/** Take a key back at start. */
void outbox_load(struct outbox *o, uint64_t seq);
void outbox_batch_closed(struct ns *ns, uint64_t batch);
void outbox_committed(struct ns *ns, uint64_t batch);
/** Send as many as the window allows. */
void outbox_pump(struct ns *ns);
void outbox_rewind(struct ns *ns); /**< the as is gone: all that is not acknowledged is sent again */
/** How old the oldest message is by the clock of the wall; 0: there is none. */
uint64_t outbox_oldest_us(struct ns *ns);
void outbox_took(struct ns *ns, uint64_t seq, bool ok);
