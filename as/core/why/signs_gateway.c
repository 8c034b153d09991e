/** @file Signs of a gateway that is not well. */
#include "as/core/why/signs.h"
#include "common/core/clock.h"
#include <string.h>

#define HOUR_US (3600 * SEC_US)
enum { SLOW_US = 300000, NEARLY_ALL_PERCENT = 90 };

static bool is_there(const struct why_case *c)
{
	return c->gateway && c->gateway->is_connected;
}

bool sign_gateway_never(struct why_case *c)
{
	return !c->gateway;
}

bool sign_gateway_offline(struct why_case *c)
{
	return !is_there(c) && (why_found(c, why_sight(c->f, EVENT_GS_GATEWAY_DISCONNECT, NULL)), true);
}

bool sign_gateway_unregistered(struct why_case *c)
{
	return !c->gateway->is_registered;
}

bool sign_gateway_no_plan(struct why_case *c)
{
	return is_there(c) && !c->gateway->plan[0];
}

bool sign_gateway_no_pull(struct why_case *c)
{
	return is_there(c) && c->gateway->plan[0] && !c->gateway->can_send;
}

bool sign_gateway_tx_fail(struct why_case *c)
{
	const struct why_sight *bad = why_sight(c->f, EVENT_GS_DOWN_TX_FAIL, NULL), *good = why_sight(c->f, EVENT_GS_DOWN_TX_SUCCESS, NULL);
	return bad && (!good || good->last_us < bad->last_us) && why_found(c, bad);
}

bool sign_gateway_airtime(struct why_case *c)
{
	const struct why_gateway *g = c->gateway;
	return g->limit_ppm && (uint64_t)g->used_ppm * 100 >= (uint64_t)g->limit_ppm * NEARLY_ALL_PERCENT;
}

bool sign_gateway_noise(struct why_case *c)
{
	return why_found(c, why_sight(c->f, EVENT_GS_UP_DROP, "crc_bad"));
}

bool sign_gateway_slow(struct why_case *c)
{
	return is_there(c) && c->gateway->path_us > SLOW_US;
}

bool sign_gateway_deaf(struct why_case *c)
{
	const struct why_gateway *g = c->gateway;
	return is_there(c) && g->connected_us + HOUR_US < c->f->now_us && g->last_uplink_us + HOUR_US < c->f->now_us;
}
