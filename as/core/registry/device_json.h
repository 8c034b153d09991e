/** @file Devices as JSON, in The Things Stack's shape (EndDevice). */
#pragma once
#include "as/core/registry/device.h"
#include "as/core/registry/record_json.h"

/** Change a device (fresh, or a clone) as the object says. Ids and registry number of an existing device
 * stay.
 * @return 0; REGISTRY_E_INVALID; -ENOMEM */
int device_json_read(struct device *d, const struct field_mask *m, const struct record_source *rd);

enum device_json {
	DEVICE_JSON_KEYS = 1,    /**< with root and session keys */
	DEVICE_JSON_SESSION = 2, /**< with the session as the operator set it */
	DEVICE_JSON_STORE = 4,   /**< keys sealed, and what only the registry knows: for the store */
	DEVICE_JSON_BRIEF = 8,   /**< without the scripts of formatters, which are long */
};
/** Append the members, without the braces around them. @param envelope needed with DEVICE_JSON_STORE */
void device_json_members(
	struct text *t, const struct device *d, unsigned what, const struct envelope *envelope);
/** {"device_id":…,"application_ids":{…},"dev_eui":…,"join_eui":…,"dev_addr":…}; dev_addr absent if NULL. */
void device_json_ids(struct text *t, const struct device *d, const uint32_t *dev_addr);
/** {"application_id":"app1"}, with the tenant if there is one. */
void app_json_ids(struct text *t, const struct app *a);
