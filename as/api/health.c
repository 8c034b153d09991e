/** @file What the application server says of itself at /metrics and /healthz. */
#include "as/api/api.h"
#include "as/api/routes.h"
#include "as/applications.h"
#include "as/doors.h"
#include "as/formatters/lines.h"
#include "as/integrations/integrations.h"
#include "as/replica.h"
#include "as/telemetry.h"
#include "as/traces.h"
#include "as/traffic.h"

static const char *as_join_label(unsigned i)
{
	return i == JOIN_OK ? NULL : i < JOIN_E_N ? join_refusal_word((int)i) : "unavailable";
}

static const char *as_process_label(unsigned i)
{
	static const char *const processes[TRACE_PROCESSES] = { "gs", "ns", "as" };
	return processes[i];
}

static const char *as_integration_label(unsigned i)
{
	static const char *const kinds[AS_INTEGRATION_KINDS] = { [INTEGRATION_PUBSUB] = "pubsub", [INTEGRATION_WEBHOOK] = "webhook" };
	return kinds[i];
}

static const char *as_line_label(unsigned i)
{
	static const char *const ways[AS_LINE_WAYS] = { [LINE_UP] = "up", [LINE_DOWN] = "down" };
	return ways[i];
}

static const struct metric metrics[] = {
#define METRIC(...) METRIC_ROW(struct as_metrics, __VA_ARGS__)
#define METRIC_BY(...) METRIC_ROW_BY(struct as_metrics, __VA_ARGS__)
#include "as/metrics.def"
#undef METRIC
#undef METRIC_BY
};

static void count_mqtt(struct as *as)
{
	const struct mqtt_stats *s = applications_mqtt(as);
	struct as_metrics *m = &as->metrics;
	m->mqtt_sessions = s->sessions;
	m->mqtt_connected = s->connected;
	m->mqtt_subscriptions = s->subscriptions;
	m->mqtt_received = s->received;
	m->mqtt_sent = s->sent;
	m->mqtt_queued = s->queued;
	m->mqtt_bytes = s->message_bytes;
	m->mqtt_dropped = s->dropped_qos0;
	m->mqtt_ack = s->ack;
}

static void write_metrics(void *ctx, struct text *t)
{
	struct as *as = ctx;
	struct as_metrics *m = &as->metrics;
	uint64_t oldest_unix_us;
	m->applications = HASH_COUNT(as->registry.apps);
	m->devices = HASH_CNT(by_uid, as->registry.by_uid);
	m->gateways = HASH_CNT(by_uid, as->registry.gtw_by_uid);
	m->queue_items = traffic_items(as, &oldest_unix_us);
	m->queue_oldest = m->queue_items ? us_since(oldest_unix_us, loop_now(as->loop)->unix_us) : 0;
	doors_count(as);
	traces_count(as);
	telemetry_measure(as);
	count_mqtt(as);
	integrations_count(as);
	metrics_render(t, metrics, COUNT(metrics), m, NULL);
	replica_metrics(as, t);
	store_metrics(as->store, t, "as");
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

/** What listens with TLS is there for everybody; on the plain one are those whom the operator has let come so far. */
static const char *why_not_seen(void *ctx, const struct http_request *r)
{
	struct problem problem;
	const struct api_key *key;
	if (!http_tls(r) || (api_key_of(ctx, r, &key, &problem) == 0 && key->kind == KEY_ADMIN))
		return NULL;
	return "the metrics need an operator's key here: Authorization: Bearer NNSXS...";
}

struct health api_health(struct as *as)
{
	return (struct health){ .metrics = write_metrics, .why_not_ready = why_not_ready, .ctx = as, .process = "as", .why_not_seen = why_not_seen };
}
