/** @file Measurements in the names, units and ranges that The Things Stack has for all devices (`normalized.def`). */
#pragma once
#include "common/core/text.h"

enum {
	NORMALIZED_E_INVALID = 1, /**< of another type, or with members that there are not */
	NORMALIZED_MAX = 128,     /**< measurements of one uplink; those after them are left out with a warning */
};

/** Zeroed: empty. */
struct normalized {
	struct text valid;    /**< JSON array of the measurements that have valid values, with those alone; "" for none */
	struct text warnings; /**< JSON array of texts: those given, then "measurement 1: `air.temperature` should be ..."; "" for none */
	size_t n;             /**< measurements in `valid` */
	struct {
		size_t at, n;
	} v[NORMALIZED_MAX];
};

/** Check what normalizeUplink returned, or what a script without one decoded.
 * @param measurements  JSON: an array of objects, or one object
 * @param warnings      JSON array of texts; "": none
 * @param why           appended to on NORMALIZED_E_INVALID: "unknown field `air.smell`"
 * @return 0; NORMALIZED_E_INVALID; -ENOMEM */
int normalized_check(struct normalized *ret, struct str measurements, struct str warnings, struct text *why);
struct str normalized_at(const struct normalized *n, size_t i); /**< JSON object */
void normalized_done(struct normalized *n);

/** A row of normalized.def. */
enum normalized_type { NORMALIZED_TIME, NORMALIZED_NUMBER, NORMALIZED_TRUTH, NORMALIZED_WORD, NORMALIZED_TRUTH_OR_TEXT };
struct normalized_field {
	const char *path;
	enum normalized_type type;
	const char *min, *max, *below; /**< decimals, "": none; below: not reached itself */
	const char *words;             /**< of a WORD: "indoor outdoor" */
	const char *about;
};
extern const struct normalized_field normalized_fields[];
extern const size_t normalized_fields_n;
