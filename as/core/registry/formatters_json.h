/** @file Formatters of a record as they are read: `formatters` of a device, `default_formatters` of an application. */
#pragma once
#include "as/core/formatters/formatter.h"
#include "as/core/registry/record_json.h"

/** Change formatters as a request or a record of the store says.
 * @param path  "formatters" or "default_formatters"; with a mask, its members may be named one by one
 * @return 0; REGISTRY_E_INVALID wrong kind, no or too long a script; -ENOMEM */
int formatters_read(struct formatters *f, const char *path, const struct field_mask *m, const struct record_source *rd);
