/** @file Attributes: what is known of a device beside its series, in three scopes.
 *
 * The device sets its client attributes and reads client and shared ones; operators set shared and server ones, and read all.
 */
#pragma once
#include "as/as.h"
#include "as/core/series/names.h"
#include "as/core/values/readings.h"

enum attribute_scope { ATTRIBUTES_CLIENT, ATTRIBUTES_SHARED, ATTRIBUTES_SERVER, ATTRIBUTES_SCOPE_N };

const char *attributes_scope_name(enum attribute_scope scope); /**< "client" */
/** "shared", or "SHARED_SCOPE" as ThingsBoard has it. @return 0; -EINVAL */
int attributes_scope_of(struct str name, enum attribute_scope *ret);

/** Set attributes. In the store with whatever else is written in this turn.
 * @return 0; ATTRIBUTES_E_FULL they would be too many, or too large (as.attributes-size): nothing is set; -errno */
enum { ATTRIBUTES_E_FULL = 1 };
int attributes_set(struct as *as, const struct device *d, enum attribute_scope scope, const struct reading *v, size_t n);
/** Delete attributes; those that are not there are passed over. @return 0; -errno */
int attributes_delete(struct as *as, const struct device *d, enum attribute_scope scope, const struct str *keys, size_t n);

/** The attributes of a scope, borrowed until the next call of any function of this file or of the store. A damaged record has none.
 * @return 0; -errno */
int attributes_get(struct as *as, const struct device *d, enum attribute_scope scope, const struct names **ret);
/** Write {"key":value,…} of a scope.
 * @param keys  "a,b": only these, without trimming; NULL: all
 * @return how many were written; -errno */
int attributes_json(struct as *as, const struct device *d, enum attribute_scope scope, const char *keys, struct text *t);

/** Is a name one of "a,b"? */
bool attributes_among(const char *keys, struct str name);

/** Be told of each change at once, so that what is written then is in the store with it, or not at all. One room watches so. */
void attributes_watch_soon(struct as *as, void (*fn)(struct as *as, const struct device *d, enum attribute_scope scope, struct str change));
/** Be told of each change, in order, once it is on disk.
 * @param fn  change: {"key":value,…} of what was set, or {"deleted":["key",…]}; d is as it is now; changes of a device that is gone
 *            meanwhile are not told */
void attributes_watch(struct as *as,
	void (*fn)(struct as *as, const struct device *d, enum attribute_scope scope, struct str change));
