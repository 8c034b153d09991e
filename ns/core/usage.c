/** @file What operators are shown by looking: how many there are of everything, which gateways are there, and which used most of
 * the airtime that they may use. */
#include "ns/core/ns.h"
#include "ns/core/state.h"
#include "ns/core/up/drops.h"
#include <stdlib.h>

struct busy {
	const struct gateway *gateway;
	uint32_t share_e4; /* of the fullest sub-band [1e-4 of its limit] */
};

static uint32_t share_of(const struct sub_band *v, size_t n)
{
	uint32_t most = 0;
	for (size_t i = 0; i < n; i++) {
		uint32_t share = v[i].limit_ppm ? (uint32_t)((uint64_t)v[i].used_ppm * 10000 / v[i].limit_ppm) : 0;
		most = share > most ? share : most;
	}
	return most;
}

static int by_share(const void *a, const void *b)
{
	const struct busy *x = a, *y = b;
	if (x->share_e4 != y->share_e4)
		return x->share_e4 > y->share_e4 ? -1 : 1;
	return x->gateway->eui < y->gateway->eui ? -1 : x->gateway->eui > y->gateway->eui;
}

/* Those that are there, and those that are not and sent something during the last hour. */
static size_t gather(const struct ns *ns, uint64_t ledger_us, struct busy *ret)
{
	struct sub_band band[REGION_BANDS];
	size_t n = 0;
	for (const struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next) {
		uint32_t share = share_of(band, gateway_sub_bands(g, ledger_us, band));
		if (g->ledger.region && (g->gs || share))
			ret[n++] = (struct busy){ .gateway = g, .share_e4 = share };
	}
	return n;
}

size_t ns_usage(const struct ns *ns, const struct now *now, size_t most, ns_usage_fn *fn, void *ctx)
{
	uint64_t ledger_us = ns_ledger_us(ns, now->mono_us);
	size_t all = HASH_CNT(by_eui, ns->gateways.by_eui);
	struct busy *v = all ? malloc(all * sizeof(*v)) : NULL;
	if (!v)
		return all;
	size_t n = gather(ns, ledger_us, v);
	qsort(v, n, sizeof(*v), by_share);
	for (size_t i = 0; i < n && i < most; i++) {
		struct sub_band band[REGION_BANDS];
		size_t n_bands = gateway_sub_bands(v[i].gateway, ledger_us, band);
		for (size_t k = 0; k < n_bands; k++)
			fn(ctx, v[i].gateway->id, &band[k]);
	}
	free(v);
	return n > most ? n - most : 0;
}

/* ---- gateways ---- */

static int by_presence(const void *a, const void *b)
{
	const struct gateway *x = *(const struct gateway *const *)a, *y = *(const struct gateway *const *)b;
	if (!x->gs != !y->gs)
		return x->gs ? 1 : -1;
	return x->eui < y->eui ? -1 : x->eui > y->eui;
}

static bool is_connected(const struct gateway *g)
{
	return g->gs && g->status && g->status->connected;
}

size_t ns_gateways(const struct ns *ns, size_t most, ns_gateway_fn *fn, void *ctx)
{
	size_t all = HASH_CNT(by_eui, ns->gateways.by_eui), n = 0;
	const struct gateway **v = all ? malloc(all * sizeof(*v)) : NULL;
	if (!v)
		return all;
	for (const struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next)
		if (g->uid || is_connected(g))
			v[n++] = g;
	qsort(v, n, sizeof(*v), by_presence);
	for (size_t i = 0; i < n && i < most; i++)
		fn(ctx, v[i]->id, is_connected(v[i]), v[i]->status);
	free(v);
	return n > most ? n - most : 0;
}

/* ---- gauges ---- */

void ns_measure(struct ns *ns, const struct now *now)
{
	struct ns_counters *c = &ns->counters;
	ns->now = *now;
	c->frames_open = ns->dedup.receptions.used;
	c->answers_open = HASH_COUNT(ns->exchanges.by_ticket);
	c->outbox = ns->outbox.tail - ns->outbox.head;
	c->outbox_oldest = outbox_oldest_us(ns);
	c->outbox_max = ns->config.outbox_max;
	c->devices = HASH_CNT(by_uid, ns->devices.by_uid);
	c->gateways = HASH_CNT(by_eui, ns->gateways.by_eui);
	c->gateways_connected = 0;
	for (const struct gateway *g = ns->gateways.by_eui; g; g = g->by_eui.next)
		c->gateways_connected += is_connected(g);
	c->gateway_servers = 0;
	for (size_t i = 1; i < COUNT(ns->gs_is_up); i++)
		c->gateway_servers += ns->gs_is_up[i];
	c->as_connected = ns->as_is_up;
}
