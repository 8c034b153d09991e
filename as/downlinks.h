/** @file Application downlinks: from a push to what became of it. */
#pragma once
#include "as/traffic.h"


/** What became of a request as a whole, for whoever made it. */
struct downlinks_result {
	size_t queued, refused;
	const struct down_error *error; /**< of the first that was refused; NULL: none */
	char message[200];              /**< the same in words, attributes filled in */
};

/** Take the body of a push or replace. Each refused item becomes a down/failed, each good one is queued and
 * becomes a down/queued once it is durable.
 * @param device_id  need not exist
 * @param done       called once all that was queued is on disk (or at once, if nothing was)
 * @return 0, *ret_result set; -errno the store cannot take it now: nothing was queued, `done` will not be
 * called */
int downlinks_request(struct as *as, const struct app *a, const char *device_id, struct str body,
	bool is_replace, void (*done)(void *ctx), void *ctx, struct downlinks_result *ret_result);

/** The outcome of an item, from the ns. @return 0; -errno of the store */
int downlinks_outcome(
	struct as *as, struct device *d, const struct cid *cids, size_t n_cids, const struct up_outcome *o);
/** The first item's lease is over. */
void downlinks_lease_over(struct as *as, struct device_traffic *t);
/** The HTTP API's routes of the queue. */
extern const struct http_route downlinks_routes[];
/** Tell the ns how many items wait for a device, if that has changed what it should do. */
void downlinks_tell(struct as *as, uint64_t uid);
