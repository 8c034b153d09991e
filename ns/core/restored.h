/** @file After the store was put back from a copy: what must not go back to the day of the copy. */
#pragma once
#include "ns/core/ns.h"

/** A session whose downlink counter was raised. */
struct ns_raised {
	uint64_t dev_eui;
	bool has_dev_eui;
	uint32_t dev_addr;
	uint64_t next_f_cnt_down; /**< from now on; above UINT32_MAX: the session is at its end */
};

/** Raise the downlink counters of all sessions, so that none that was used after the copy is used again, and take a new name
 * as a store, so that the application server does not take new messages for those of that day. For after ns_loaded; then ns_flush.
 * What devices count (FCntUp, RJcount0; in the as DevNonce and RJcount1) stays as it was in the copy: they go on one by one, and
 * would be refused until they had caught up with whatever was added here.
 * @param say  called for each session */
void ns_restored(struct ns *ns, const struct now *now, uint32_t raise, void (*say)(void *ctx, const struct ns_raised *r), void *ctx);
