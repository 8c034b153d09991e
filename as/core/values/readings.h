/** @file What a device says in ThingsBoard's format: telemetry in its four forms, attributes.
 *
 *     {"k":v,...}                       one record, at the server's time
 *     {"ts":MS,"values":{"k":v,...}}    one record, at the device's time
 *     [ any of these, ... ]             several
 *
 * A message is taken as a whole or not at all. JSON may be lenient (lenient.h).
 */
#pragma once
#include "as/core/values/lenient.h"
#include "as/core/values/value.h"

enum { READINGS_KEY_MAX = 255 /**< octets of a key */ };

struct reading {
	struct str key; /**< 1 to READINGS_KEY_MAX octets, well-formed UTF-8 */
	struct value value;
};

/** What was measured at one time: the readings v[first] to v[first + n - 1], no key twice. */
struct record {
	int64_t ts_ms; /**< unix time, at least 0 */
	bool has_ts;   /**< the device gave it */
	size_t first, n;
};

/** A message, and its memory, which is used again. Zeroed: empty. What it has is borrowed until the next message is read. */
struct readings {
	struct record *records;
	size_t n_records;
	struct reading *v;
	size_t n;
	const char *problem; /**< after a failure: why, in a few words; static */
	/* memory */
	struct lenient json;
	struct text words;
	char *words_room;
	size_t words_cap, max_records, max_v;
};

/** @param now_ms  for records without a time
 * @return 0; -EBADMSG not JSON, or not of one of the forms; -E2BIG too deep, too long; -ENOMEM */
int readings_telemetry(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms);
/** Attributes: an object. One record, at now_ms. */
int readings_attributes(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms);
/** A decoded payload: an object, whose members that are objects themselves become values by their own members: {"air":{"t":21.5}} is air_t. What
 * is nested deeper, and arrays, are values of JSON. What cannot be a value (no name, or too long a one) is
 * passed over: scripts make such, and the rest is worth having. One record, at now_ms. */
int readings_flat(struct readings *r, struct str body, const struct value_rules *rules, int64_t now_ms);
void readings_done(struct readings *r);

/** Write readings as a JSON object. */
void readings_json(struct text *t, const struct reading *v, size_t n);
