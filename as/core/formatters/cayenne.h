/** @file CayenneLPP: payloads of channels, types and values, with the names of The Things Stack: `temperature_3`. */
#pragma once
#include "common/core/text.h"

enum {
	CAYENNE_E_BAD = 1,     /**< the octets, or the values, are not what there is: `why` says what, and where */
	CAYENNE_BYTES_MAX = 255
};

/** Append a JSON object of what an uplink says: {"temperature_3":27.2,"gps_1":{"latitude":…,"longitude":…,"altitude":…}}.
 * Of two values of one type and channel, the later counts.
 * @param why  appended to on CAYENNE_E_BAD: "octet 5: type 255 is none of CayenneLPP"
 * @return 0; CAYENNE_E_BAD; t is as it was then */
int cayenne_decode(struct text *t, struct slice payload, struct text *why);
/** Append a JSON object of what a downlink for actuators says: {"value_1":-50.51}. As cayenne_decode. */
int cayenne_decode_down(struct text *t, struct slice payload, struct text *why);
/** Octets for a device: `value_<channel>` in the format for actuators, or values named as in uplinks, as CayenneLPP of uplinks; not both.
 * Members of other names are passed over, as The Things Stack does.
 * @param data    JSON object
 * @param out     at least CAYENNE_BYTES_MAX octets
 * @return 0; CAYENNE_E_BAD also where nothing is left to send, or too much; -ENOMEM */
int cayenne_encode(struct str data, uint8_t *out, size_t *ret_n, struct text *why);

/** A row of cayenne.def. */
struct cayenne_type {
	uint8_t type;
	const char *name;
	uint8_t octets;    /**< of one value */
	bool is_signed;
	uint8_t per;       /**< 10^-digits of a unit that a step is */
	const char *parts[3]; /**< names of the values of a type that has several; NULL: fewer */
	uint8_t digits[3];
	const char *about;
};
extern const struct cayenne_type cayenne_types[];
extern const size_t cayenne_types_n;
