/** @file Which gateways used most of the airtime that they may use. */
#include "ns/core/ns.h"
#include "ns/core/state.h"
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
