/** @file A gateway: making and copying one, what it must have, and what ns and gs are told of it. */
#include "as/core/registry/gateway.h"
#include <stdlib.h>
#include <string.h>

struct gateway *gateway_new(void)
{
	struct gateway *g = calloc(1, sizeof *g);
	if (g) {
		g->entry.kind = ENTRY_GATEWAY;
		g->enforce_duty_cycle = true;
	}
	return g;
}

struct gateway *gateway_clone(const struct gateway *g)
{
	struct gateway *c = gateway_new();
	if (!c)
		return NULL;
	*c = *g;
	c->texts = (struct record_texts){ 0 };
	c->keys = NULL;
	c->entry.older = c->entry.newer = NULL;
	memset(&c->by_id, 0, sizeof c->by_id);
	memset(&c->by_uid, 0, sizeof c->by_uid);
	memset(&c->by_eui, 0, sizeof c->by_eui);
	if (texts_copy(&c->texts, &g->texts) < 0) {
		gateway_free(c);
		return NULL;
	}
	return c;
}

void gateway_free(struct gateway *g)
{
	if (!g)
		return;
	texts_done(&g->texts);
	free(g);
}

int gateway_settle(struct gateway *g, struct problem *p)
{
	if (!id_valid(str_of(g->id)))
		return problem_say(p, REGISTRY_E_INVALID, "ids.gateway_id",
			"must be 2 to 36 of a-z, 0-9 and single dashes inside, as in my-gateway-1");
	if (!g->has_eui && str_starts(str_of(g->id), "eui-") &&
	    !hex_eui((struct str){ g->id + 4, strlen(g->id) - 4 }, &g->eui))
		g->has_eui = true;
	return 0;
}

void gateway_to_ns(const struct gateway *g, struct ns_gateway *ret)
{
	*ret = (struct ns_gateway){ .gateway_eui = g->eui };
	memcpy(ret->gateway_id, g->id, sizeof ret->gateway_id);
	memcpy(ret->plan, g->plan, sizeof ret->plan);
	if (!g->enforce_duty_cycle)
		MSG_SET(ret, no_duty_cycle, true);
	if (g->has_location) {
		MSG_SET(ret, latitude_e7, g->latitude_e7);
		MSG_SET(ret, longitude_e7, g->longitude_e7);
		MSG_SET(ret, altitude_m, g->altitude_m);
	}
}
