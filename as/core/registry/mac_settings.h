/** @file What the operator says about a device's MAC: from JSON to what the network server is told. */
#pragma once
#include "as/core/registry/record.h"
#include "common/core/json.h"
#include "proto/schema.h"

/** Read an object of The Things Stack's mac_settings. Every field of the bus message `mac_settings` is found
 * by its JSON name, so a field added there needs nothing here. Values may be numbers, texts, {"value":x}, or
 * names such as RX_DELAY_5 and DATA_RATE_3; durations such as "10s" are seconds. Members that the network
 * server has no use for are skipped.
 * @param object  absent: nothing was said
 * @return 0; REGISTRY_E_INVALID */
int mac_settings_read(const struct json *j, json_val object, struct mac_settings *ret, struct problem *p);
/** Is it possible in the device's band? @param plan  "": none, anything is. @return 0; REGISTRY_E_INVALID */
int mac_settings_check(const struct mac_settings *m, const char *plan, struct problem *p);
