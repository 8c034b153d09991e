/** @file Room encode: values that applications push become octets by the downlink formatter in force, in the order in which they came.
 *
 * What CayenneLPP makes is made at once. JavaScript is asked in another process (as/scripts/pool.h): meanwhile the items, and all that
 * is pushed to the device after them, wait in the device's line (lines.h), on disk. A long request is cut into parts of some items,
 * each of which is queued by itself, so that nobody waits for the whole of it.
 */
#pragma once
#include "as/downlinks.h"
#include "as/formatters/made.h"
#include "common/core/json.h"

/** What is to be done for an item at once.
 * @param ret  the caller's to free; NULL: the item needs nothing of a formatter, or there is none
 * @return 0; -ENOMEM */
int encode_now(const struct device *d, const struct json *j, json_val item, struct made **ret);
/** Must a script be asked for any of these items, or do others of the device wait for theirs? */
bool encode_must_wait(const struct as *as, const struct device *d, const struct json *j, json_val items);
/** Let them wait.
 * @param w  told what they came to; NULL: nobody
 * @return 0: they are in the device's line, once store_after says so; LINES_E_FULL; -errno of the store */
int encode_later(struct as *as, const struct device *d, const struct json *j, json_val items, bool is_replace, const struct downlinks_waiter *w);
