/** @file Events of payload formatters. */
#pragma once
#include "as/as.h"
#include "as/core/formatters/formatter.h"
#include "as/formatters/kept.h"

/** No formatter decoded it, or not all of it. @param reason  one word @param line  of the script; 0: not known @param message  in words */
void told_undecoded(struct as *as, const struct device *d, const struct kept *k, const char *reason, unsigned line, struct str message);
/** The formatter in force does not run here: told once of a device, until it has another one. @param message  NULL: what its kind says */
void told_unserved(struct as *as, const struct device *d, const struct kept *k, enum formatter_kind kind, struct str message);
/** @param warnings  JSON array of texts; n 0: nothing is told */
void told_warnings(struct as *as, const struct device *d, const struct kept *k, struct str warnings);
/** The correlation ids of a message, in the order of travel. */
enum { TOLD_CIDS = 16 };
struct told_cids {
	uint16_t len;
	struct cid v[TOLD_CIDS];
};
void told_cids(const struct kept *k, struct told_cids *ret);
