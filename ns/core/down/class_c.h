/** @file Devices that listen all the time, and multicast groups: when each is sent its next item.
 *
 * A device is looked at when something changed for it (an item came, an emission ended, an uplink was answered) and when its own
 * moment comes; if an item can go now, it is pulled and becomes a cast (cast.h). Answers to uplinks go first: an item that waits when
 * an uplink comes is sent in its windows, one that comes after it at once if it is over before RX1. One item at a time, in the order
 * of its queue. [LW1.0.4 15]
 */
#pragma once
#include "ns/core/state.h"

/** Something changed: look at it at the end of this wake. */
void class_c_wake(struct ns *ns, struct dev *d);
/** An exchange of the device was closed, and the as will be told. @param d  NULL: it is gone */
void class_c_told(struct ns *ns, struct dev *d);
/** Look at it: its moment has come. */
void class_c_due(struct ns *ns, struct dev *d);
/** What the as said of a device's queue. */
void class_c_queued(struct ns *ns, struct dev *d, const struct waiting *w);
/** A new uplink of the device is being answered: what waits now goes in its windows, if it can. */
void class_c_heard(struct ns *ns, struct dev *d);
/** The answer to a pull for a cast. @param m  NULL: there is no item; no_answer: or the as did not say */
void class_c_pulled(struct ns *ns, struct exchange *x, struct dev *d, const struct pulled *m, bool no_answer);
/** A pull for a cast was not answered in time. */
void class_c_unanswered(struct ns *ns, struct exchange *x);
/** A cast is about to be closed: what that means for the item. */
void class_c_ended(struct ns *ns, struct exchange *x);
/** All records were taken back: what was awaited is awaited again. */
void class_c_loaded(struct ns *ns);
/** The device or its session goes: end what is being sent, and forget what was to be. */
void class_c_forget(struct ns *ns, struct dev *d);

/** Remember who heard the device, for what is sent without an answer. */
void hearers_set(struct session *s, const struct copy *first);
/** A copy that came late. */
void hearers_add(struct session *s, const struct copy *c);
