/** @file The story of every message: events of the three processes in memory, the newest TRACES_BYTES of
 * them. */
#pragma once
#include "as/as.h"
#include "proto/cids.h"
#include "proto/events.h"

enum {
	TRACES_BYTES = 8 << 20,
	TRACES_FOLLOWERS = 32,
	TRACES_DATA_MAX = sizeof((struct trace_event *)0)->data /**< of an event's data, with terminator */
};

/** Whose event it is. */
struct traces_of {
	const struct device *device; /**< NULL: of none */
	const struct app *app;       /**< where no device says which; NULL: of none */
	const char *own; /**< the application's own correlation ids, one after another, each terminated */
	size_t own_n;
};

/** Add an event of this process. With own ids it can be found by each of them that is not longer than an
 * event's data; they may take several events.
 * @param data  JSON object, or "" */
void traces_note(struct as *as, enum event_id event, const struct traces_of *of, const struct cid *cids,
	size_t n_cids, const char *data);
/** The same for a device (NULL: nobody's), without own ids. */
void traces_add(struct as *as, enum event_id event, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *data);
/** An event of an application: a refused login, say. */
void traces_add_app(struct as *as, enum event_id event, const struct app *a, const char *data);
