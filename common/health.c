/** @file Metrics and health over HTTP, the same for every process. */
#include "common/health.h"
#include "common/metrics.h"
#include <stdio.h>

enum { METRICS_MAX_BYTES = 8 << 20, SETTING_NAME_CAP = 64 };

static void get_metrics(void *ctx, struct http_request *r)
{
	const struct health *h = ctx;
	const char *why = h->why_not_seen ? h->why_not_seen(h->ctx, r) : NULL;
	if (why) {
		http_reply_error(r, 401, why);
		return;
	}
	AUTO(text_done) struct text t = text_growing(METRICS_MAX_BYTES);
	h->metrics(h->ctx, &t);
	http_metrics(h->server, &t, h->process);
	metrics_process(&t, h->process);
	if (t.failed)
		http_reply_error(r, 503, "there is no memory for the metrics, or there are more than 8 MiB of them");
	else
		http_reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text_str(&t));
}

static void get_live(void *ctx, struct http_request *r)
{
	(void)ctx;
	http_reply_text(r, 200, "text/plain; charset=utf-8", STR("alive\n"));
}

static void get_ready(void *ctx, struct http_request *r)
{
	char line[200];
	const struct health *h = ctx;
	const char *why = h->why_not_ready(h->ctx);
	snprintf(line, sizeof line, "%s\n", why ? why : "ready");
	http_reply_text(r, why ? 503 : 200, "text/plain; charset=utf-8", str_of(line));
}

static const struct http_route routes[] = {
	{ HTTP_GET, "/metrics", get_metrics },
	{ HTTP_GET, "/healthz", get_ready },
	{ HTTP_GET, "/healthz/live", get_live },
	{ HTTP_GET, "/healthz/ready", get_ready },
	{ HTTP_GET, NULL, NULL },
};

void health_serve(struct http_server *s, struct health *h)
{
	h->server = s;
	http_add_routes(s, routes, h);
}

int health_open(struct daemon *d, const char *name, const char *address, struct health *h, struct http_server **ret, struct text *err)
{
	char setting[SETTING_NAME_CAP];
	*ret = NULL;
	if (!address || !*address)
		return 0;
	int rc = http_listen(daemon_loop(d), address, routes, h, ret, err);
	h->server = *ret;
	if (!rc)
		return daemon_address(d, name, http_address(*ret, false));
	snprintf(setting, sizeof setting, "%s-listen", name);
	text_puts(err, " (");
	daemon_where(d, err, setting);
	text_puts(err, ")");
	return rc;
}
