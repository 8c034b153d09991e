/** @file The members of a JSON object that a field mask names. */
#pragma once
#include "as/core/registry/record_json.h"

/** Append the object with those of its members only that the mask names, or that hold one that it names; all of it where no mask is given.
 * @param always  paths of members that are never left out, ended by NULL; NULL: none
 * @return 0; -EBADMSG it is none; -ENOMEM */
int json_masked(struct text *out, struct str object, const struct field_mask *mask, const char *const *always);
