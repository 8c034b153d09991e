/** @file The airtime that gateways used, for /metrics. */
#pragma once
#include "common/core/text.h"
#include "ns/core/ns.h"

enum { USAGE_GATEWAYS = 1000, USAGE_MAX_BYTES = 4 << 20 };
/** Write it. With more than USAGE_GATEWAYS gateways, of those whose airtime is used up most. */
void usage_render(struct text *t, const struct ns *ns, const struct now *now);
