/** @file Telemetry without times of its own as one object. */
#pragma once
#include "as/core/values/readings.h"

/** Write what the records without a time say together; of a key that several have, the last counts.
 * @return 0; MERGE_E_NONE they say nothing; -ENOMEM */
enum { MERGE_E_NONE = 1 };
int merge_untimed(struct text *t, const struct readings *v);
