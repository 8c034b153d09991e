/** @file MAC commands that devices send: a table from command to the function that takes it.
 *
 * Functions are grouped by file: mac_query.c what devices ask, mac_status.c what they report, mac_session.c what they
 * say of their session. A new command is a row in
 * mac.c and its function. What answers is written to `answers`, in the order of the questions, and sent with the next frame.
 */
#pragma once
#include "ns/core/state.h"
#include "proto/lorawan/mac_cmds.h"

/** One uplink's commands being run. */
struct mac_run {
	struct ns *ns;
	struct dev *dev;
	struct session *session;
	const struct reception *reception; /**< all copies; the question may be about them */
	const struct about *about;
	struct writer *answers;
	uint64_t answered; /**< bits by CID: each question is answered once in a frame */
};

/** Run the commands of a frame, FOpts or the deciphered payload of FPort 0. A repetition's are not executed twice: only
 * questions, which change nothing, are answered again. */
void mac_take(struct mac_run *run, struct slice commands);
/** An answer to a request that nobody made is told and ignored. */
void mac_unasked(struct mac_run *run, const char *command);

/* mac_query.c */
void mac_link_check(struct mac_run *run, struct slice arg);
void mac_device_time(struct mac_run *run, struct slice arg);
/* mac_session.c */
void mac_reset(struct mac_run *run, struct slice arg);
void mac_rekey(struct mac_run *run, struct slice arg);
/* mac_status.c */
void mac_dev_status(struct mac_run *run, struct slice arg);
/** Ask for the status if the operator wants that and it is time: DevStatusReq goes behind the answers. */
void mac_status_ask(struct mac_run *run);
