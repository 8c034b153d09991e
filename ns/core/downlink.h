/** @file The answer to an uplink: when it is made (downlink.c), what is sent and through whom (transmit.c). */
#pragma once
#include "ns/core/state.h"

/* downlink.c: when. */

/** RX1 and RX2 of an uplink. @param s NULL: it is a join-request */
void downlink_windows(struct exchange *x, const struct dev *d, const struct session *s, uint32_t up_hz, uint8_t up_dr);
/** Wait for the latest safe moment of window `at`; again when paths were added. Closes it if there is no way back. */
void downlink_plan(struct ns *ns, struct exchange *x);
/** Its moment has come. */
void downlink_due(struct ns *ns, struct exchange *x);
/** Wait for the next window, or end, saying why if something remains unsaid (NULL: nothing does). */
void downlink_next_window(struct ns *ns, struct exchange *x, const char *why);
void downlink_pulled(struct ns *ns, const struct ns_pull *call, const struct pulled *m);
/** A newer uplink, or the device's end: settle it with what is known. */
void downlink_settle(struct ns *ns, struct exchange *x);
/** So many items wait for a device. */
void downlink_set_waiting(struct ns *ns, struct dev *d, uint32_t items);

/* transmit.c: what, and through whom. */

/** Build the frame: ACK, MAC commands, and the item that was handed out, if any. @return 0; -errno */
int transmit_build(struct ns *ns, struct exchange *x, const struct pulled *item);
/** Could a frame of this length be sent in window `at`? */
bool transmit_is_possible(struct ns *ns, const struct exchange *x, size_t len, const char **ret_why);
/** Send the frame in window `at` through the best gateway that can. @return whether one takes it */
bool transmit_send(struct ns *ns, struct exchange *x);
/** Reserve airtime for what may be sent, with the batch that is open. */
void transmit_reserve(struct ns *ns, const struct exchange *x);
/** An emission has its outcome. @param m NULL if it came by another way than a TX_ACK */
void transmit_ended(struct ns *ns, struct attempt *a, uint32_t result, const struct tx_ack *m);
/** It was waited for long enough. */
void transmit_no_answer(struct ns *ns, struct exchange *x);
/** Part from the item: back to its queue, or told as failed where it may have been heard. The frame is forgotten. */
void transmit_give_up_item(struct ns *ns, struct exchange *x);
/** All is tried: tell what became of it, and close. @param why for the trace; NULL: nothing remains unsaid */
void transmit_finish(struct ns *ns, struct exchange *x, const char *why);
/** A modulation as messages say it. */
void modulation_set(struct modulation *ret, const struct modu *m);
