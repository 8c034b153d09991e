/** @file The airtime that gateways used, for /metrics. */
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
