/** @file What there is to say of each gateway, for /metrics: is it there, how far it is, and the airtime that it used. */
#pragma once
#include "common/core/text.h"
#include "ns/core/ns.h"

enum { USAGE_GATEWAYS = 1000, USAGE_MAX_BYTES = 4 << 20 };
/** Of gateways that are registered or connected. With more than USAGE_GATEWAYS of them, those that are not there go first. */
void usage_gateways_render(struct text *t, const struct ns *ns);
/** The airtime. With more than USAGE_GATEWAYS gateways, of those whose airtime is used up most. */
void usage_render(struct text *t, const struct ns *ns, const struct now *now);
