/** @file What devices sent while their application had no link: it waits in the store, in order, until there is one again. */
#pragma once
#include "as/as.h"

/** Publish what a device has sent, or what became of a downlink, as traffic_publish does; while the application is not linked, or
 * older messages of it still wait, it is kept behind those.
 * @return 0 published; UNLINKED_E_WAITS it is kept; -errno neither: what it came with must come again */
enum { UNLINKED_E_WAITS = 1 };
int unlinked_publish(struct as *as, const struct device *d, const char *suffix, struct str json);
