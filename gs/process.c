/** @file The gateway server as a process. */
#include "gs/process.h"
#include "common/health.h"
#include "common/log.h"
#include "common/metrics.h"
#include "gs/bus.h"
#include "gs/chance.h"
#include "gs/core/gs.h"
#include "gs/notes.h"
#include "gs/udp.h"
#include "proto/region/region.h"
#include <stdlib.h>
#include <string.h>

enum { STOP_WAIT_US = 3 * 1000 * 1000, PENDING_MIN = 1024 };

static const struct setting rows[] = {
#define SETTING(member, name, kind, dflt, min, max, doc)                                                     \
	{name, dflt, doc, offsetof(struct gs_settings, member), min, max, SETTING_##kind},
#include "gs/settings.def"
#undef SETTING
};
static const char *const sections[] = {"gs", NULL};

static const struct metric metrics[] = {
#define METRIC(...) METRIC_ROW(struct gs_metrics, __VA_ARGS__)
#define METRIC_BY(...) METRIC_ROW_BY(struct gs_metrics, __VA_ARGS__)
#include "gs/core/metrics.def"
#undef METRIC
#undef METRIC_BY
};

struct process {
	struct daemon *daemon;
	struct loop *loop;
	struct gs *gs;
	struct gs_bus *bus;
	struct udp *udp;
	struct health health;
	struct http_server *http;
	struct loop_timer *timer, *stop_timer;
	struct chance chance;
	void (*stopped)(void *ctx);
	void *stopped_ctx;
};

static void on_uplink(void *ctx, const struct gs_uplink *up, uint32_t generation)
{
	struct process *p = ctx;
	gs_bus_uplink(p->bus, up, generation);
}

static void on_tx_ack(void *ctx, const struct tx_ack *ack)
{
	struct process *p = ctx;
	gs_bus_tx_ack(p->bus, ack);
}

static void on_status(void *ctx, const struct gateway_status *st)
{
	struct process *p = ctx;
	gs_bus_status(p->bus, st);
}

static struct trace_event *on_event(void *ctx, enum event_id id, const char *gateway_id)
{
	struct process *p = ctx;
	return gs_bus_event(p->bus, id, gateway_id);
}

static void on_event_end(void *ctx, enum event_id id, struct trace_event *e)
{
	struct process *p = ctx;
	gs_bus_event_end(p->bus, id, e);
}

static int on_send(void *ctx, const struct gs_peer *to, struct slice datagram)
{
	struct process *p = ctx;
	int rc = p->udp ? udp_send(p->udp, to, datagram) : -ESHUTDOWN;
	if (rc) {
		p->gs->metrics.socket_errors++;
		LOG(LOG_WARN, "send_failed", KV_Z("why", strerror(-rc)));
	}
	return rc;
}

static void on_note(void *ctx, const struct gs_note *note)
{
	(void)ctx;
	notes_log(note);
}

static void on_peer_text(void *ctx, struct text *t, const struct gs_peer *peer)
{
	(void)ctx;
	udp_peer_text(t, peer);
}

static void on_datagram(void *ctx, const struct gs_peer *from, struct slice octets)
{
	struct process *p = ctx;
	gs_datagram(p->gs, from, octets, loop_now(p->loop));
}

static void stop_finish(struct process *p)
{
	void (*done)(void *ctx) = p->stopped;
	p->stopped = NULL;
	if (done)
		done(p->stopped_ctx);
}

/** At the end of every wake: what is due, then all that has gathered goes out together. */
static void on_wake_end(void *ctx)
{
	struct process *p = ctx;
	gs_time(p->gs, loop_now(p->loop));
	gs_bus_flush(p->bus);
	loop_timer_at(p->timer, gs_deadline(p->gs));
	if (p->stopped && gs_bus_is_idle(p->bus))
		stop_finish(p);
}

static void on_timer(void *ctx)
{
	(void)ctx; /* the wake is what it is for */
}

static void on_stop_timer(void *ctx)
{
	struct process *p = ctx;
	LOG(LOG_WARN, "stop_timeout", KV_Z("why", "the network server has not acknowledged everything"));
	stop_finish(p);
}

static void write_metrics(void *ctx, struct text *t)
{
	const struct process *p = ctx;
	gs_bus_metrics(p->bus, t);
	metrics_render(t, metrics, COUNT(metrics), &p->gs->metrics, NULL);
}

static const char *why_not_ready(void *ctx)
{
	const struct process *p = ctx;
	return gs_bus_is_up(p->bus) ? NULL : "not connected to the network server";
}

static int sockets_open(struct process *p, const struct gs_settings *s, struct text *err)
{
	bool is_default = false;
	for (size_t i = 0; i < COUNT(rows); i++)
		is_default |= !strcmp(rows[i].name, "gs.udp-listen") && !strcmp(rows[i].dflt, s->udp_listen);
	int rc = udp_open(p->daemon, s->udp_listen, is_default, on_datagram, p, &p->udp, err);
	if (rc && err->len) {
		text_puts(err, " (");
		daemon_where(p->daemon, err, "gs.udp-listen");
		text_puts(err, ")");
	}
	return rc;
}

static int core_open(struct process *p, const struct gs_settings *s)
{
	struct gs_config config = {.max_gateways = s->max_gateways,
		.max_pending = s->max_gateways > PENDING_MIN ? s->max_gateways : PENDING_MIN,
		.uplinks_per_s = s->gateway_rate,
		.require_registered = s->require_registered,
		.default_plan = s->default_plan ? s->default_plan : ""};
	struct gs_sink sink = {on_uplink, on_tx_ack, on_status, on_event, on_event_end, on_send, on_note, on_peer_text, p};
	p->gs = gs_new(&config, &sink, chance_init(&p->chance, loop_rng()));
	p->timer = loop_timer_new(p->loop, on_timer, p);
	p->stop_timer = loop_timer_new(p->loop, on_stop_timer, p);
	return p->gs && p->timer && p->stop_timer ? loop_after_wake(p->loop, on_wake_end, p) : -ENOMEM;
}

static int gs_check(const struct daemon *d, const void *settings, struct text *err)
{
	const char *plan = ((const struct gs_settings *)settings)->default_plan;
	if (!plan || !*plan || plan_find(str_of(plan)))
		return 0;
	daemon_where(d, err, "gs.default-frequency-plan");
	text_printf(err, ": %s is no frequency plan; there are ", plan);
	plan_suggest(err, str_of(plan));
	return -EINVAL;
}

static void gs_process_free(void *state)
{
	struct process *p = state;
	loop_forget(p->loop, on_wake_end, p);
	http_free(p->http);
	udp_close(p->udp);
	gs_bus_close(p->bus);
	gs_free(p->gs);
	loop_timer_free(p->timer);
	loop_timer_free(p->stop_timer);
	free(p);
}

static int gs_process_start(struct daemon *d, const void *settings, void **ret_state, struct text *err)
{
	const struct gs_settings *s = settings;
	struct process *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	p->daemon = d;
	p->loop = daemon_loop(d);
	p->health = (struct health){.metrics = write_metrics, .why_not_ready = why_not_ready, .ctx = p, .process = "gs"};
	int rc = gs_bus_open(d, s->buffer, &p->bus, err);
	if (!rc)
		rc = core_open(p, s);
	if (!rc) {
		gs_bus_serve(p->bus, p->gs);
		rc = sockets_open(p, s, err);
	}
	if (!rc)
		rc = health_open(d, "gs.http", s->http_listen, &p->health, &p->http, err);
	if (rc) {
		gs_process_free(p);
		return rc;
	}
	*ret_state = p;
	/* Ready to hear gateways; the network server may come later, and until then what they send is kept.
	 */
	daemon_ready(d);
	return 0;
}

static void gs_process_stop(void *state, void (*done)(void *ctx), void *ctx)
{
	struct process *p = state;
	udp_close(p->udp);
	p->udp = NULL;
	p->stopped = done;
	p->stopped_ctx = ctx;
	loop_timer_in(p->stop_timer, STOP_WAIT_US);
}

static void gs_process_reload(void *state)
{
	struct process *p = state;
	gs_bus_reload(p->bus);
}

const struct daemon_program gs_program = {
	.name = "gs",
	.program = "godwit-gs",
	.about = "the gateway server: packet forwarders speak Semtech UDP to it",
	.settings = {rows, COUNT(rows), sections},
	.settings_size = sizeof(struct gs_settings),
	.check = gs_check,
	.start = gs_process_start,
	.reload = gs_process_reload,
	.stop = gs_process_stop,
	.free = gs_process_free,
};
