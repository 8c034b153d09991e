/** @file Whose frame is it? DevAddr to sessions, 16 bits of counter to 32, and the integrity code decides. */
#pragma once
#include "ns/core/up/drops.h"
#include "ns/core/state.h"
#include "proto/lorawan/security.h"

struct match {
	enum drop drop;        /**< DROP_NONE: it is this session's */
	struct session *session;
	const struct dev *dev; /**< the one device that it can be, also where the frame is dropped; NULL: unclear */
	uint32_t f_cnt;
	bool is_repeat;        /**< the last counter again, with the very same octets */
	bool is_reset;         /**< the device began its counter again, and may */
	bool is_ack;           /**< it acknowledges what was sent since the last ACK; in 1.1 the integrity code says so */
	uint16_t conf_f_cnt;   /**< 1.1 and is_ack: lower half of the counter that it acknowledges */
};

/** Find the session of a data frame.
 * @param r        how it was received: in 1.1 the code depends on data rate and channel
 * @param content  match_content of it: tells a repetition from a counter used twice */
void match_data(struct ns *ns, const struct reception *r, const struct frame *f, uint32_t content, struct match *ret);
/** A number that is the same for a frame and its repetitions: they may come on another channel, and in 1.1 with another MIC. */
uint32_t match_content(const struct frame *f);
