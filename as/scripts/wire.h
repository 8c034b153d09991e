/** @file What goes between the application server and a child: frames, each behind its length in four octets, of one build on both sides.
 *
 * To the child: SCRIPT (slot, text), which nothing answers, and QUESTION (slot, call, fPort, time, octets or JSON). From it: HELLO first
 * (may scripts run in it? the engine's name, or why not), then an ANSWER for each question, in order: processor time, and eleven lines
 * (answer.h).
 */
#pragma once
#include "as/scripts/answer.h"
#include "as/scripts/worker.h"

enum { WIRE_LENGTH = 4, WIRE_HEAD_MAX = 32, WIRE_MAX = WIRE_HEAD_MAX + SCRIPT_ANSWER_MAX };
_Static_assert((int)SCRIPT_ANSWER_MAX > (int)SCRIPT_TEXT_MAX, "the longest frame is an answer");

enum wire_kind { WIRE_SCRIPT = 1, WIRE_QUESTION, WIRE_HELLO, WIRE_ANSWER };

struct wire {
	enum wire_kind kind;
	unsigned slot;                   /**< SCRIPT, QUESTION */
	struct script_question question; /**< QUESTION; borrows from the frame */
	bool runs;                       /**< HELLO */
	uint64_t cpu_us;                 /**< ANSWER */
	struct str text;                 /**< SCRIPT: its text; HELLO: name or reason; ANSWER: its lines; borrowed from the frame */
};

/** Write the head of a frame, its length first; what `text` (or the question's octets or JSON) says follows it.
 * @param ret_rest  that, to be sent behind the head
 * @return octets of the head */
size_t wire_head(const struct wire *m, uint8_t ret_head[WIRE_HEAD_MAX], struct slice *ret_rest);
/** Is there a whole frame at p?
 * @param ret_frame  it, without its length
 * @return 0; -EAGAIN not yet; -EBADMSG it is longer than there are */
int wire_frame(const uint8_t *p, size_t n, struct slice *ret_frame);
/** Read a frame without its length. @return 0; -EBADMSG */
int wire_read(struct slice frame, struct wire *ret);
