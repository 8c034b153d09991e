/** @file Uplinks: from a reception to a message for the application server. */
#pragma once
#include "ns/core/up/drops.h"
#include "ns/core/up/match.h"
#include "ns/core/state.h"

/** The window of a frame is over: merge its copies, run MAC commands, hand the message on, plan the answer. */
void uplink_close(struct ns *ns, struct reception *r);
/** Drop a frame, tell why, and answer whoever brought it. */
void uplink_drop(struct ns *ns, struct reception *r, enum drop why, const char *word, const struct about *a);
/** A member of an event's data: how long ago a gateway heard the frame. Of one that its gs kept and sent again, that may be long. */
void uplink_age(struct ns *ns, struct text *t, const struct reception *r);
/** Tell what is so of all copies of a frame. @param d  its device; NULL: gone */
void uplink_merged(struct ns *ns, enum event_id event, const struct reception *r, const struct dev *d);
/** A pending session becomes the current one: an uplink used it. */
void uplink_promote(struct ns *ns, struct session *s, const struct cid_list *cids);
/** The first copy of a rejoin-request. */
void rejoin_first(struct ns *ns, struct reception *r, const struct frame *f);
/** The first copy of a join-request. */
void join_first(struct ns *ns, struct reception *r, const struct frame *f);
/** Its window is over, or a rejoin-request's. */
void join_close(struct ns *ns, struct reception *r);
/** Tell the application server of a new session, unless it was told. @param cids of its join, or of what proves the session */
void join_tell(struct ns *ns, struct session *s, const struct cid_list *cids);
