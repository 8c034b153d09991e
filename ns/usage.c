/** @file What there is to say of each gateway, for /metrics. */
#include "ns/usage.h"
#include "common/metrics.h"

/* Samples of one name stand together, so each name has its own text. */
struct usage {
	struct text used, limit;
};

static void put_share(struct text *t, const char *name, const char *gateway_id, const struct sub_band *b, uint32_t ppm)
{
	text_puts(t, name);
	text_puts(t, "{gateway_id=\"");
	metrics_label(t, gateway_id);
	text_puts(t, "\",min_frequency=\"");
	text_u64(t, b->min_hz);
	text_puts(t, "\",max_frequency=\"");
	text_u64(t, b->max_hz);
	text_puts(t, "\"} ");
	text_decimal(t, ppm, 6);
	text_putc(t, '\n');
}

static void put_usage(void *ctx, const char *gateway_id, const struct sub_band *b)
{
	struct usage *u = ctx;
	put_share(&u->used, "ns_sub_band_utilization", gateway_id, b, b->used_ppm);
	put_share(&u->limit, "ns_sub_band_utilization_limit", gateway_id, b, b->limit_ppm);
}

void usage_render(struct text *t, const struct ns *ns, const struct now *now)
{
	struct usage u = { text_growing(USAGE_MAX_BYTES / 2), text_growing(USAGE_MAX_BYTES / 2) };
	metrics_head(&u.used, "ns_sub_band_utilization", "Share of the last hour that a gateway sent in a sub-band", METRIC_GAUGE);
	metrics_head(&u.limit, "ns_sub_band_utilization_limit", "Share of an hour that the law allows it there", METRIC_GAUGE);
	size_t left_out = ns_usage(ns, now, USAGE_GATEWAYS, put_usage, &u);
	text_put(t, text_str(&u.used));
	text_put(t, text_str(&u.limit));
	metrics_head(t, "ns_sub_band_gateways_left_out", "Gateways that used less airtime than the thousand that are listed", METRIC_GAUGE);
	text_printf(t, "ns_sub_band_gateways_left_out %zu\n", left_out);
	text_done(&u.used);
	text_done(&u.limit);
}

/* ---- presence ---- */

struct presence {
	struct text connected, uplinks, downlinks, median, max;
};

static void put_of(struct text *t, const char *name, const char *gateway_id)
{
	text_puts(t, name);
	text_puts(t, "{gateway_id=\"");
	metrics_label(t, gateway_id);
	text_puts(t, "\"} ");
}

static void put_count(struct text *t, const char *name, const char *gateway_id, uint64_t n)
{
	put_of(t, name, gateway_id);
	text_u64(t, n);
	text_putc(t, '\n');
}

static void put_seconds(struct text *t, const char *name, const char *gateway_id, uint32_t us)
{
	put_of(t, name, gateway_id);
	text_decimal(t, us, 6);
	text_putc(t, '\n');
}

static void put_presence(void *ctx, const char *gateway_id, bool is_connected, const struct gateway_status *s)
{
	struct presence *p = ctx;
	put_count(&p->connected, "ns_gateway_connected", gateway_id, is_connected);
	if (!is_connected)
		return;
	put_count(&p->uplinks, "ns_gateway_uplinks_total", gateway_id, MSG_HAS(s, uplinks) ? s->uplinks : 0);
	put_count(&p->downlinks, "ns_gateway_downlinks_total", gateway_id, MSG_HAS(s, downlinks) ? s->downlinks : 0);
	if (!MSG_HAS(s, rtt_count) || !s->rtt_count)
		return;
	put_seconds(&p->median, "ns_gateway_round_trip_median_seconds", gateway_id, s->rtt_median_us);
	put_seconds(&p->max, "ns_gateway_round_trip_max_seconds", gateway_id, s->rtt_max_us);
}

void usage_gateways_render(struct text *t, const struct ns *ns)
{
	struct presence p;
	const struct {
		struct text *t;
		const char *name, *help;
		enum metric_kind kind;
	} rows[] = {
		{ &p.connected, "ns_gateway_connected", "Is the gateway connected? 0 is said of registered ones only", METRIC_GAUGE },
		{ &p.uplinks, "ns_gateway_uplinks_total", "Uplinks of the gateway since it connected", METRIC_COUNTER },
		{ &p.downlinks, "ns_gateway_downlinks_total", "Downlinks handed to the gateway since it connected", METRIC_COUNTER },
		{ &p.median, "ns_gateway_round_trip_median_seconds", "Median of the last twenty round trips to the gateway's forwarder", METRIC_GAUGE },
		{ &p.max, "ns_gateway_round_trip_max_seconds", "Longest of the last twenty round trips to the gateway's forwarder", METRIC_GAUGE },
	};
	for (size_t i = 0; i < COUNT(rows); i++) {
		*rows[i].t = text_growing(USAGE_MAX_BYTES / COUNT(rows));
		metrics_head(rows[i].t, rows[i].name, rows[i].help, rows[i].kind);
	}
	size_t left_out = ns_gateways(ns, USAGE_GATEWAYS, put_presence, &p);
	for (size_t i = 0; i < COUNT(rows); i++) {
		text_put(t, text_str(rows[i].t));
		text_done(rows[i].t);
	}
	metrics_head(t, "ns_gateways_left_out", "Gateways beyond the thousand that are listed by name", METRIC_GAUGE);
	text_printf(t, "ns_gateways_left_out %zu\n", left_out);
}
