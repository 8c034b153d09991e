/** @file One gateway's connection. */
#include "gs/core/gateway.h"
#include "common/core/clock.h"

bool gs_gateway_has_path(const struct gateway *g, uint64_t now_us)
{
	return g->connected && g->pull.len && now_us - g->path_us < GATEWAY_PATH_EXPIRY_S * SEC_US;
}

bool gs_gateway_can_send(const struct gateway *g, uint64_t now_us)
{
	return g->plan[0] && gs_gateway_has_path(g, now_us);
}
