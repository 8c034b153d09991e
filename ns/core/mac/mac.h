/** @file MAC commands: those that devices send are taken, and what is wanted of a device is asked.
 *
 *     mac_take      the commands of an uplink: questions are answered, answers move what is in force
 *     mac_settle    what that uplink should have answered and did not
 *     mac_ask       requests, from the difference between what is in force and what is wished
 *
 * Functions are grouped by file: mac.c the walk, mac_query.c what devices ask, mac_status.c what they report, mac_request.c what they
 * are asked, mac_session.c what
 * they say of their session, mac_answer.c what they answer, mac_link_adr.c both for LinkADRReq, mac_state.c and mac_wish.c what is and what should
 * be. A new command is a row in mac.c, one in mac_request.c if it is asked, and its functions.
 */
#pragma once
#include "ns/core/state.h"
#include "proto/region/chmask.h"
#include "proto/lorawan/mac_cmds.h"

enum { MAC_TRIES_MAX = 8, LINK_ADR_ANSWERS_MAX = 8 };

/** One uplink's commands being run, and its answer being put together. */
struct mac_run {
	struct ns *ns;
	struct dev *dev;
	struct session *session;
	const struct reception *reception; /**< all copies; the question may be about them */
	const struct about *about;
	struct writer *answers; /**< in the order of the questions; then requests */
	uint64_t answered;      /**< bits by CID: each question is answered once in a frame */
	uint8_t cid;            /**< of the command that is being taken */
	bool has_adr;           /**< the uplink's ADR bit */
	bool wants_any;         /**< the device says again what it said until a downlink comes */
	bool has_requests, has_more; /**< requests are among the answers; more are to come */
	uint8_t n_link_adr, link_adr[LINK_ADR_ANSWERS_MAX]; /**< its LinkADRAns */
};

/** Octets that an answer may hold. */
struct mac_room {
	size_t f_opts; /**< beside an application's payload */
	size_t port_0; /**< alone */
	size_t up;     /**< of FOpts in the device's next uplink */
	bool is_free;  /**< no payload waits, so that the frame may be one of FPort 0 */
	bool is_cast;  /**< it answers no uplink: nothing that says how the device listens, or that follows from an uplink */
};

/** Run the commands of a frame, FOpts or the deciphered payload of FPort 0. A repetition's are not executed twice: only
 * questions, which change nothing, are answered again. */
void mac_take(struct mac_run *run, struct slice commands);
/** An answer to a request that nobody made is told and ignored. */
void mac_unasked(struct mac_run *run, const char *command);

/* mac_query.c */
void mac_link_check(struct mac_run *run, struct slice arg);
void mac_device_time(struct mac_run *run, struct slice arg);
void mac_device_mode(struct mac_run *run, struct slice arg);
void mac_ping_slot_info(struct mac_run *run, struct slice arg);
/* mac_session.c */
void mac_reset(struct mac_run *run, struct slice arg);
void mac_rekey(struct mac_run *run, struct slice arg);
/* mac_status.c */
void mac_dev_status(struct mac_run *run, struct slice arg);
/** Ask for the status if the operator wants that and it is time: DevStatusReq goes behind the answers. */
void mac_status_ask(struct mac_run *run, size_t room);
/* mac_answer.c */
void mac_answer(struct mac_run *run, struct slice arg);
/** All commands of a new uplink were taken: what did it leave unanswered, and what does it say by itself? */
void mac_settle(struct mac_run *run);
/* mac_request.c */
void mac_ask(struct mac_run *run, const struct mac_room *room);
/** The requests went out, so that answers may come. */
void mac_asked_out(struct session *s);
/** No gateway sent them after all: no answer is missed. */
void mac_asked_in(struct session *s);
/** What an event about an item tells, in the order of events.def: its request, and how it was answered. */
enum mac_told { MAC_TOLD_REQUEST, MAC_TOLD_ANSWER, MAC_TOLD_REJECT };
/** Begin an event about an item, with its value; end it with trace_end. */
struct text *mac_item_event(struct mac_run *run, enum mac_item item, uint32_t value, enum mac_told told);
/* mac_link_adr.c */
struct link_adr {
	struct adr_choice choice;
	struct channels channels;
	bool is_adr, is_keep;
	size_t n;
	struct chmask pair[CHMASKS_MAX];
};
/** Is there a LinkADRReq to be sent? */
bool mac_link_adr_wish(struct mac_run *run, struct link_adr *ret);
uint32_t mac_link_adr_value(const struct link_adr *l);
void mac_link_adr_put(struct mac_run *run, const struct link_adr *l);
void mac_link_adr_take(struct mac_run *run, struct slice arg);
/** The answers of one uplink to a block. */
void mac_link_adr_settle(struct mac_run *run);
/** What an uplink says of data rate and channels. */
void mac_link_adr_heard(struct mac_run *run);
