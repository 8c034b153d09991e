/** @file The answer to an uplink: when it is made (downlink.c), what is sent (transmit.c), what became of it (outcome.c). */
#pragma once
#include "ns/core/state.h"

/* downlink.c: when. */

/** RX1 and RX2 of an uplink. @param s  how the device listens; NULL: it is a join-request */
void downlink_windows(struct exchange *x, const struct dev *d, const struct session *s, uint32_t up_hz, uint8_t up_dr);
/** The least that a window of an answer holds: octets of MACPayload; 0: no window. */
unsigned downlink_least_payload(const struct exchange *x, const struct dev *d);
/** Octets of FRMPayload that window `at` holds beside the commands. */
unsigned downlink_room(const struct dev *d, const struct exchange *x);
/** Wait for the latest safe moment of window `at`; again when paths were added. Closes it if there is no way back. */
void downlink_plan(struct ns *ns, struct exchange *x);
/** Its moment has come. */
void downlink_due(struct ns *ns, struct exchange *x);
/** Wait for the next window, or end, saying why if something remains unsaid (NULL: nothing does). */
void downlink_next_window(struct ns *ns, struct exchange *x, const char *why);
/** The same, and say why this one is not used. */
void downlink_skip_window(struct ns *ns, struct exchange *x, const char *why);
/** Ask the as for the next item, of the length that window `at` takes. @return 0; -errno */
int downlink_pull(struct ns *ns, struct exchange *x, const struct dev *d, struct session *s);
void downlink_pulled(struct ns *ns, const struct ns_pull *call, const struct pulled *m);
/** A newer uplink, or the device's end: settle it with what is known. */
void downlink_settle(struct ns *ns, struct exchange *x);
/** Settle all that a device is answered. */
void downlink_settle_device(struct ns *ns, const struct dev *d);
/** A session ends whose device never acknowledged what it was sent: the item goes back to its queue. */
void downlink_session_ends(struct ns *ns, struct session *s, const struct cid_list *cids);
/** Items that wait for a device; -1: the as has not said. */
int downlink_waiting(const struct ns *ns, const struct dev *d);
/** So many items wait for a device. */
void downlink_set_waiting(struct ns *ns, struct dev *d, uint32_t items);
/** The as says so: if the device's pull is near, it is told that. */
void downlink_queued(struct ns *ns, struct dev *d, uint32_t items);

/* transmit.c: what, and through whom. */

enum { WINDOW_CLASS_C = 3 }; /**< of messages and events, beside 1 for RX1 and 2 for RX2 */

/** Build the frame: ACK, MAC commands, and the item that was handed out, if any. @return 0; -errno */
int transmit_build(struct ns *ns, struct exchange *x, const struct pulled *item);
/** Could a frame of this length be sent in window `at`? */
bool transmit_is_possible(struct ns *ns, const struct exchange *x, size_t len, const char **ret_why);
/** Send the frame in window `at` through the best gateway that can. @return whether one takes it */
bool transmit_send(struct ns *ns, struct exchange *x);
/** Reserve airtime for what may be sent, with the batch that is open. */
void transmit_reserve(struct ns *ns, const struct exchange *x);
void transmit_reserve_at(struct ns *ns, struct gateway *g, uint32_t freq_hz);
/** The power to ask a gateway for [dBm EIRP]: what the law allows, or less where its forwarder has no such power. */
int transmit_eirp_dbm(const struct gateway *g, uint32_t freq_hz);

/** What says when an emission begins. */
enum shot_when {
	SHOT_SOON,  /**< nothing: as soon as possible */
	SHOT_TIMED, /**< our time, which its gs keeps by the gateway's counter */
	SHOT_TMST,  /**< the gateway's counter */
	SHOT_GPS,   /**< GPS time */
};

/** How an emission leaves. */
struct shot {
	struct gateway *gateway;
	uint64_t start_us, until_us; /**< its begin; its outcome is awaited no longer [mono] */
	uint64_t latest_us;          /**< when its gs must have been told, at the latest [mono]; 0: there is time */
	uint8_t when;                /**< enum shot_when */
	uint32_t tmst_us;
	uint64_t gps_ms;
	const struct skipped *skipped; /**< for the trace */
	const struct leg *leg;         /**< of a cast, else NULL; for the trace */
};
/** Gateways that were thought of first, and why they do not send. */
struct skipped {
	struct {
		const struct gateway *gateway;
		const char *why;
	} v[3];
	unsigned n; /**< all of them */
};
void skipped_add(struct skipped *s, const struct gateway *g, const char *why);
/** Nobody sends: say of each gateway why. */
void skipped_tell(struct ns *ns, const struct exchange *x, const struct skipped *s);
/** Hand the frame of window `at` to a gateway's server, and book it. @return NULL: that does not take it */
struct attempt *transmit_emit(struct ns *ns, struct exchange *x, const struct shot *s, const struct ledger_tx *t);
/** A modulation as messages say it. */
void modulation_set(struct modulation *ret, const struct modu *m);

/* outcome.c: what became of it. */

/** It was waited for long enough: for RX2, or for the last word. */
void outcome_due(struct ns *ns, struct exchange *x);
/** Is there an emission of which nobody knows yet whether it took place? */
bool outcome_is_open(const struct exchange *x);
/** Part from the item: back to its queue, or told as failed where it may have been heard. The frame is forgotten. */
void outcome_give_up_item(struct ns *ns, struct exchange *x);
/** Nothing more can be tried: close it as soon as every emission has its outcome. @param why as of outcome_finish */
void outcome_conclude(struct ns *ns, struct exchange *x, const char *why);
/** Tell what is known now of what became of it, and close. @param why for the trace; NULL: nothing remains unsaid */
void outcome_finish(struct ns *ns, struct exchange *x, const char *why);
