/** @file The story of every message: events of the three processes, the newest as.trace-size of them. */
#pragma once
#include "as/as.h"
#include "proto/cids.h"
#include "proto/events.h"

enum {
	TRACES_DATA_MAX = sizeof((struct trace_event *)0)->data /**< of an event's data, with terminator */
};

/** Whose event it is. */
struct traces_of {
	const struct device *device; /**< NULL: of none */
	const struct app *app;       /**< where no device says which; NULL: of none */
	const char *own; /**< the application's own correlation ids, one after another, each terminated */
	size_t own_n;
};

/** Is an event told or logged at all? Then its data are worth composing. @param d  NULL: nobody's */
bool traces_wants(const struct as *as, enum event_id event, const struct device *d);
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

struct event_view;
/** Told of every event as it comes. One room watches, from its start on. */
typedef void traces_watcher(struct as *as, const struct trace_event *e);
void traces_watch(struct as *as, traces_watcher *fn);

struct traces_query {
	const struct event_view *view; /**< borrowed until it is done or forgotten, as is the id */
	const char *correlation_id;    /**< the story of one message; NULL: all */
	size_t max;                    /**< the newest so many, at least 1 */
	bool goes_on;                  /**< then what has come meanwhile, all of it */
	void (*tell)(void *ctx, const struct trace_event *e); /**< oldest first; the event is borrowed for the call */
	void (*done)(void *ctx);                              /**< at last, once; the search is gone then */
	void *ctx;
};
struct traces_search;
/** Look for what is kept and asked for, and tell of it over the next turns of the loop, never within this call. Where it goes on,
 * there is no event between the last that it tells and the next one that watchers are told.
 * @param ret  to be forgotten, unless it is done
 * @return 0; -EBUSY so many are searching already; -ENOMEM */
int traces_find(struct as *as, const struct traces_query *q, struct traces_search **ret);
/** End a search; also from `tell`. NULL: nothing. */
void traces_forget(struct traces_search *x);
/** Events that never came, or could not be kept. */
uint64_t traces_lost(const struct as *as);
/** Bring the metrics of the trace up to date. */
void traces_count(struct as *as);
