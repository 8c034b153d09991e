/** @file Downlinks on their way: their slots, their tokens, and what is remembered of tokens that are done. */
#include "gs/core/gs_int.h"

struct pending *gs_pending_take(struct gs *gs, struct gateway *g)
{
	uint32_t slot = gs->pendings_free;
	if (g->pending_n >= GATEWAY_PENDING_MAX)
		return NULL;
	if (slot != INDEX_NONE)
		gs->pendings_free = gs->pendings[slot].next;
	else if (gs->pendings_high < gs->config.max_pending)
		slot = gs->pendings_high++;
	else
		return NULL;
	struct pending *p = &gs->pendings[slot];
	*p = (struct pending){.slot = slot, .gateway = g->slot, .next = g->pending};
	/* 0 names no use of an antenna. */
	p->serial = ++gs->serial ? gs->serial : ++gs->serial;
	g->pending = slot;
	g->pending_n++;
	gs->metrics.pending++;
	return p;
}

static void token_remember(struct gateway *g, const struct pending *p)
{
	if (!p->sent_us || p->version == 1)
		return;
	g->done[g->done_next] = (struct done_token){p->sent_us, p->token, p->is_answered};
	g->done_next = (g->done_next + 1) % GATEWAY_DONE_MAX;
}

void gs_pending_free(struct gs *gs, struct pending *p)
{
	struct gateway *g = &gs->gateways[p->gateway];
	uint32_t *link = &g->pending;
	while (*link != INDEX_NONE && *link != p->slot)
		link = &gs->pendings[*link].next;
	if (*link == p->slot) {
		*link = p->next;
		g->pending_n--;
	}
	token_remember(g, p);
	heap_remove(&gs->pending_due, &p->due);
	p->next = gs->pendings_free;
	gs->pendings_free = p->slot;
	gs->metrics.pending--;
}

struct pending *gs_pending_find(const struct gs *gs, const struct gateway *g, uint16_t token)
{
	for (uint32_t i = g->pending; i != INDEX_NONE; i = gs->pendings[i].next) {
		struct pending *p = &gs->pendings[i];
		if (p->token == token && p->sent_us && p->version != 1)
			return p;
	}
	return NULL;
}

static const struct done_token *done_find(const struct gateway *g, uint16_t token)
{
	for (int i = 0; i < GATEWAY_DONE_MAX; i++)
		if (g->done[i].sent_us && g->done[i].token == token)
			return &g->done[i];
	return NULL;
}

enum gs_drop gs_pending_stray(const struct gateway *g, uint16_t token)
{
	const struct done_token *t = done_find(g, token);
	if (!t)
		return GS_DROP_UNKNOWN_TOKEN;
	return t->is_answered ? GS_DROP_REPEATED_ACK : GS_DROP_LATE_ACK;
}

void gs_pending_token(struct gs *gs, const struct gateway *g, struct pending *p)
{
	if (p->version == 1)
		return;
	rng_fill(&gs->rng, &p->token, sizeof p->token);
	/* Neither one in use, nor one whose belated answer may still come. */
	while (gs_pending_find(gs, g, p->token) || done_find(g, p->token))
		p->token++;
}
