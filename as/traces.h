/** @file The story of every message: events of the three processes in memory, the newest TRACES_BYTES of
 * them. */
#pragma once
#include "as/as.h"
#include "proto/cids.h"

enum { TRACES_BYTES = 8 << 20, TRACES_FOLLOWERS = 32 };


/** Add an event of this process.
 * @param d     whose message; NULL: nobody's
 * @param data  JSON object, or "" */
void traces_add(struct as *as, const char *name, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *data);
/** The same with the application's own correlation ids (one after another, each terminated), by which it can
 * be found too. */
void traces_add_own(struct as *as, const char *name, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *own, size_t own_n);
/** An event of an application: a refused login, say. */
void traces_add_app(struct as *as, const char *name, const struct app *a, const char *data);
