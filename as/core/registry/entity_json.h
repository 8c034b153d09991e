/** @file Applications and gateways as JSON, in The Things Stack's shapes. */
#pragma once
#include "as/core/registry/gateway.h"
#include "as/core/registry/record_json.h"

/** Change an application (fresh, or a clone) as the object says. @return 0; REGISTRY_E_INVALID; -ENOMEM */
int app_json_read(struct app *a, const struct field_mask *m, const struct record_source *rd);
/** The whole object. */
void app_json_write(struct text *t, const struct app *a);
/** Its members of the store: link and formatters too. */
void app_json_store(struct text *t, const struct app *a);
/** Change a gateway as the object says. @return 0; REGISTRY_E_INVALID; -ENOMEM */
int gateway_json_read(struct gateway *g, const struct field_mask *m, const struct record_source *rd);
void gateway_json_write(struct text *t, const struct gateway *g, bool store);
