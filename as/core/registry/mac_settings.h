/** @file What the operator says about a device's MAC: from The Things Stack's JSON to what the network server is told, and back. */
#pragma once
#include "as/core/registry/record.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include "proto/schema.h"

/** How a value is written and what it may be. */
enum mac_style {
	STYLE_TRUTH,
	STYLE_NUMBER,
	STYLE_NAMED,  /**< "DATA_RATE_5", or 5 */
	STYLE_POWER,  /**< "DUTY_CYCLE_1024" is 2^10, or 10 */
	STYLE_EIRP,   /**< "DEVICE_EIRP_16", or 16 dBm */
	STYLE_SECONDS, STYLE_MILLIS, /**< "60s", or seconds */
	STYLE_HZ,
	STYLE_DB,     /**< decimals are tenths */
	STYLE_LIST,   /**< of frequencies */
	STYLE_MODE,   /**< one of adr.dynamic, adr.static, adr.disabled */
	STYLE_OVERRIDES,
};
struct mac_rule {
	const char *json; /**< as in the bus message: "adr.dynamic.margin" */
	uint8_t style;
	const char *prefix, *suffix; /**< of STYLE_NAMED and STYLE_POWER */
	uint8_t base;     /**< STYLE_POWER: the exponent of value 0 */
	uint32_t min, max;
};
/** Rule and field of every setting, in order; NULL at the end. */
const struct mac_rule *mac_rule_at(size_t i, const struct field **ret_field, unsigned *ret_bit);

/** Read one number as a rule has it; STYLE_NUMBER, NAMED, POWER, HZ and the durations. @return 0; -EINVAL */
int mac_rule_read(const struct mac_rule *r, const struct json *j, json_val v, uint32_t *ret);
/** Say what it should have been; above: "mac_settings". @return REGISTRY_E_INVALID */
int mac_rule_complain(const struct mac_rule *r, const char *above, struct problem *p);

/** Take the members of an object over into settings: what is null goes, what is not named stays. Values may be numbers, texts,
 * {"value":x}, or The Things Stack's names. A mode of ADR takes the place of another, with its members.
 * @param object  absent: nothing is said any more
 * @param is_strict  a member that is no MAC setting is an error; else it is passed over, as in a device of another network
 * @return 0; REGISTRY_E_INVALID  naming the member and what would be right */
int mac_settings_read(const struct json *j, json_val object, bool is_strict, struct mac_settings *io, struct problem *p);
/** Write them as The Things Stack does; "{}" for none. */
void mac_settings_write(struct text *t, const struct mac_settings *m);
/** Forget what can have no effect in the band or version, as settings of another network may. */
void mac_settings_drop_idle(struct mac_settings *m, const char *plan, uint32_t mac_version);
/** Is it possible in the device's band and version? @param plan  "": none, anything is. @return 0; REGISTRY_E_INVALID */
int mac_settings_check(const struct mac_settings *m, const char *plan, uint32_t mac_version, uint32_t phy_version, struct problem *p);
