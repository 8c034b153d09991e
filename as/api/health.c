/** @file What the application server says of itself at /metrics and /healthz. */
#include "as/api/routes.h"
#include "as/as.h"
#include "as/doors.h"

static const struct metric metrics[] = {
#define METRIC(member, kind, name, help)                                                                     \
	{ name, "", help, offsetof(struct as_metrics, member), METRIC_##kind },
#include "as/metrics.def"
#undef METRIC
};

static void write_metrics(void *ctx, struct text *t)
{
	struct as *as = ctx;
	struct store_stats s;
	store_stats(as->store, &s);
	as->metrics.store_commits = s.commits;
	as->metrics.store_failures = s.failures;
	as->metrics.store_pending = s.pending_ops;
	as->metrics.store_bytes = s.used_bytes;
	as->metrics.applications = HASH_COUNT(as->registry.apps);
	as->metrics.devices = HASH_CNT(by_uid, as->registry.by_uid);
	as->metrics.gateways = HASH_CNT(by_uid, as->registry.gtw_by_uid);
	doors_count(as);
	metrics_render(t, metrics, COUNT(metrics), &as->metrics);
}

static const char *why_not_ready(void *ctx)
{
	const struct as *as = ctx;
	if (store_failing(as->store))
		return "the disk is full or failing";
	if (!as_ns(as))
		return "not connected to the network server";
	return as->metrics.gs_connected ? NULL : "no gateway server is connected to the network server";
}

struct health api_health(struct as *as)
{
	return (struct health){ write_metrics, why_not_ready, as };
}
