/** @file Values by name, each with its time, in one record: a device's attributes of one scope; the newest value of each of its series.
 *
 * The record: check (4, common/core/seal.h), then for each name: the name, its time after that of the name before, its value (pack.h).
 */
#pragma once
#include "as/core/series/pack.h"

struct named {
	struct str name;
	int64_t ts_ms;
	struct value value; /**< of VALUE_KIND_N: not kept here */
};

/** Zeroed: none, and no memory. What it holds is borrowed from where it came. */
struct names {
	struct named *v;
	size_t n, max;
};

/** Take the place of what `names` holds with what a record holds, after `head` octets of the caller's behind the check.
 * @param value  n 0: an empty record
 * @return 0; -EBADMSG damaged; -ENOMEM */
int names_read(struct names *names, struct slice value, size_t head);
/** The other way.
 * @param head  octets that go behind the check
 * @return 0; -ENOSPC w is too small */
int names_write(const struct names *names, struct slice head, struct writer *w);
void names_done(struct names *names);

struct named *names_find(const struct names *names, struct str name); /**< NULL: it is not there */
/** Set, or add. @return 0; -ENOMEM */
int names_set(struct names *names, const struct named *n);
/** @return whether it was there */
bool names_remove(struct names *names, struct str name);
