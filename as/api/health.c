/** @file Metrics and health over HTTP; no key is needed. */
#include "as/doors.h"
#include "as/api/routes.h"
#include "as/as.h"

static const struct metric metrics[] = {
#define METRIC(member, kind, name, help)                                                                     \
	{ name, "", help, offsetof(struct as_metrics, member), METRIC_##kind },
#include "as/metrics.def"
#undef METRIC
};

static void get_metrics(void *ctx, struct http_request *r)
{
	struct as *as = ctx;
	struct store_stats s;
	AUTO(text_done) struct text t = text_growing(1 << 20);
	store_stats(as->store, &s);
	as->metrics.store_commits = s.commits;
	as->metrics.store_failures = s.failures;
	as->metrics.store_pending = s.pending_ops;
	as->metrics.store_bytes = s.used_bytes;
	as->metrics.applications = HASH_COUNT(as->registry.apps);
	as->metrics.devices = HASH_CNT(by_uid, as->registry.by_uid);
	as->metrics.gateways = HASH_CNT(by_uid, as->registry.gtw_by_uid);
	doors_count(as);
	metrics_render(&t, metrics, COUNT(metrics), &as->metrics);
	http_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text_str(&t));
}

static void get_live(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_text(r, 200, "text/plain; charset=utf-8", STR("ok\n"));
}

static void get_ready(void *ctx, struct http_request *r)
{
	const struct as *as = ctx;
	const char *why = NULL;
	if (store_failing(as->store))
		why = "the disk is full or failing\n";
	else if (!as_ns(as))
		why = "not connected to the network server\n";
	else if (!as->metrics.gs_connected)
		why = "no gateway server is connected to the network server\n";
	http_reply_text(r, why ? 503 : 200, "text/plain; charset=utf-8", why ? str_of(why) : STR("ready\n"));
}

const struct http_route api_health_routes[] = {
	{ HTTP_GET, "/metrics", get_metrics },
	{ HTTP_GET, "/healthz", get_ready },
	{ HTTP_GET, "/healthz/live", get_live },
	{ HTTP_GET, "/healthz/ready", get_ready },
	{ 0, NULL, NULL },
};
