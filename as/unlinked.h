/** @file What devices sent while their application had no link: it waits in the store, in order, until there is one again. */
#pragma once
#include "as/as.h"

/** Publish what a device has sent, or what became of a downlink, as traffic_publish does; while the application is not linked, or
 * older messages of it still wait, it is kept behind those. A store that does not take it is told by unlinked_failed.
 * @return whether it waits */
bool unlinked_publish(struct as *as, const struct device *d, const char *suffix, struct str json);
/** Could something not be kept since the last call? Then what it came with must come again. @return 0; -errno */
int unlinked_failed(struct as *as);
