/** @file One gateway's connection. */
#include "gs/core/gateway.h"
#include "common/core/clock.h"
#include <string.h>

bool gs_gateway_has_path(const struct gateway *g, uint64_t now_us)
{
	return g->connected && g->pull.len && now_us - g->path_us < GATEWAY_PATH_EXPIRY_S * SEC_US;
}

bool gs_gateway_can_send(const struct gateway *g, uint64_t now_us)
{
	return g->plan[0] && gs_gateway_has_path(g, now_us);
}

bool gs_peer_is(const struct gs_peer *a, const struct gs_peer *b)
{
	return a->listener == b->listener && a->len == b->len && !memcmp(a->sa, b->sa, a->len);
}

struct gs_source *gs_gateway_source(struct gateway *g, const struct gs_peer *from, uint64_t now_us)
{
	struct gs_source *oldest = &g->source[0];
	for (int i = 0; i < GATEWAY_SOURCES; i++) {
		struct gs_source *s = &g->source[i];
		if (gs_peer_is(&s->peer, from)) {
			s->last_us = now_us;
			return s;
		}
		if (s->last_us < oldest->last_us)
			oldest = s;
	}
	*oldest = (struct gs_source){.peer = *from, .last_us = now_us};
	return oldest;
}
