/** @file What the join server remembers of a device, from elsewhere and for elsewhere. */
#pragma once
#include "as/as.h"
#include "as/core/join_facts.h"

/** What of the facts about a device's joins is new here, and how it stands. */
struct joins_news {
	bool is_any;
	bool has_joined_since; /**< it was given a later JoinNonce here than the facts know of */
};
/** Compare, and store what is new. @param is_dry  compare only @return 0; -errno of the store */
int joins_take(struct as *as, const struct device *d, const struct join_facts *f, bool is_dry, struct joins_news *ret);
/** Members of the device's JSON. @return 0; -errno of the store */
int joins_write(struct as *as, const struct device *d, struct text *t);
