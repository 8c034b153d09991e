/** @file Copying a JSON value that was read leniently as strict, compact JSON. */
#pragma once
#include "common/core/json.h"
#include "common/core/json_out.h"

/** Append value v (nothing for an absent one). Trailing commas and blanks go; names, numbers and escapes stay
 * as they came. Depth is bounded by the reader. */
void json_copy(struct text *t, const struct json *j, json_val v);
/** Append an object: the members of `old` (an object, or absent), then overridden and extended by those of
 * `add`; a null in `add` takes a member away. The two may be of different documents. */
void json_merge(struct text *t, const struct json *jo, json_val old, const struct json *ja, json_val add);
