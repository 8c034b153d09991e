/** @file Room decode: what devices sent is decoded by the formatter in force, and published in the order in which it came.
 *
 * JavaScript is asked in another process (as/scripts/pool.h): meanwhile the message, and all that the device sends after it, waits in the
 * device's line (lines.h), on disk. Where nobody has to be asked and nothing waits, a message is published at once.
 */
#pragma once
#include "as/formatters/kept.h"

struct as;
struct device;

/** Take a data uplink, join or status.
 * @return 0: it is published, or in the device's line, once store_after says so; -errno of the store: not taken */
int decode_take(struct as *as, const struct device *d, struct kept *k);
