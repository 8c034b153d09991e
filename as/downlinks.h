/** @file Application downlinks: from a push to what became of it. */
#pragma once
#include "as/api/route.h"
#include "as/traffic.h"
#include "common/core/json.h"

enum { DOWNLINKS_EXPLAINED = 1200 };

/** What became of a request as a whole, for whoever made it. */
struct downlinks_result {
	size_t queued, refused;
	const struct down_error *error; /**< of the first that was refused; NULL: none */
	char message[DOWNLINKS_EXPLAINED];              /**< the same in words, attributes filled in */
};

/** Who is told of a request that could not be answered at once: exactly once, from the loop.
 * e is 0, *result set as by downlinks_request; -ENODEV: the device was deleted meanwhile; -ESHUTDOWN: the process ends, and goes on with
 * the request when it is started again. */
struct downlinks_waiter {
	void (*done)(void *ctx, int e, const struct downlinks_result *result);
	void *ctx;
};

/** Take the body of a push or replace. Each refused item becomes a down/failed (from the 1001st on, one for
 * all together), each good one is queued and becomes a down/queued once it is durable.
 * @param device_id  need not exist
 * @param w          told of it on DOWNLINKS_E_LATER, and not otherwise; NULL: nobody
 * @return 0, *ret_result set: what was queued is durable once store_after says so; DOWNLINKS_E_LATER: it waits for the device's formatter,
 * durable once store_after says so; -errno the store cannot take it now: of its items only those are queued that *ret_result counts */
enum { DOWNLINKS_E_LATER = 1 };
int downlinks_request(struct as *as, const struct app *a, const char *device_id, struct str body,
	bool is_replace, const struct downlinks_waiter *w, struct downlinks_result *ret_result);

struct made;
/** Some items of a request, for which its formatter has done what it can (as/formatters/encode.c). */
struct downlinks_part {
	const struct json *j;
	json_val items;
	struct made *const *made; /**< of each item; NULL: nothing */
	size_t taken;             /**< so many are queued or refused already; moves on */
	bool is_replace;          /**< the queue is emptied first; false once it is */
	bool is_last;             /**< of its request; false once that is summed up */
	uint64_t since_us;        /**< when it was pushed [mono] */
};
/** Queue them. @param result  of the whole request, added to
 * @return 0; -errno the store cannot take it now: *p says how far it came, to go on there */
int downlinks_take(struct as *as, struct device *d, struct downlinks_part *p, struct downlinks_result *result);
/** Refuse a request as a whole: a down/failed with this row of proto/errors.def, which has no attributes. */
void downlinks_refuse(struct as *as, const struct app *a, const char *device_id, const char *error);

/** The outcome of an item, from the ns. @return 0; -errno of the store */
int downlinks_outcome(
	struct as *as, struct device *d, const struct cid *cids, size_t n_cids, const struct up_outcome *o);
/** The device uses this session: what was sent in another one is never acknowledged, counts as not heard, and
 * has another try. @return 0; -errno of the store */
int downlinks_session(struct as *as, struct device *d, const struct ulid *session_key_id,
	const struct cid *cids, size_t n_cids);
/** Does it listen all the time, and not only after it was heard? */
static inline bool downlinks_listens_always(const struct device *d)
{
	return d->class_c || d->multicast;
}
/** The device was heard, and listens for a while. */
void downlinks_heard(struct as *as, const struct device *d);
/** A pull is near: offer the next item. @return 0; -errno of the store */
int downlinks_prepare(struct as *as, const struct device *d);
/** Items were added, not on disk yet: the ns need not wait for that if the device listens always, or was heard just now, as a quick
 * reply may make its window. */
void downlinks_added(struct as *as, const struct device *d);
/** The ns is a new process, and has told all that it knows of what the old one was handed. @return 0; -errno of the store */
int downlinks_ns_restarted(struct as *as);
/** The process is about to end: what nobody has taken until now is no longer offered, and will not be in
 * doubt. */
void downlinks_end(struct as *as);
/** The lease or the offer of an item is over, or its time has passed. */
void downlinks_lease_over(struct as *as, struct device_traffic *t);
/** The time of items that wait has passed: they fail. @return 0; -errno of the store */
int downlinks_outdated(struct as *as, const struct device *d, struct device_traffic *t);
/** The HTTP API's routes of the queue. */
extern const struct api_route downlinks_routes[];
/** Tell the ns how many items wait for a device. */
void downlinks_tell(struct as *as, uint64_t uid);
/** An error's message_format with its attributes filled in, for logs, answers and people. */
void downlinks_explain(struct text *t, const struct tts_error *e);
