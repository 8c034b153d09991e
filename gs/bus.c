/** @file The gateway server's side of the bus. */
#include "gs/bus.h"
#include "common/log.h"
#include "gs/outbox.h"
#include "proto/bus/bus.h"
#include "proto/bus/event_log.h"
#include "proto/event_pack.h"
#include <stdlib.h>
#include <string.h>

enum { HOLD_US = 500 * 1000 };
enum { CALL_TIMEOUT_US = 10 * 1000 * 1000, TX_ACK_USEFUL_US = 60 * 1000 * 1000, REFUSED_RETRY_US = 1000 * 1000 };
/* Events are the first to be left out when the network server does not keep up, long before frames are. */
enum { EVENTS_BACKLOG_BYTES = 4 << 20 };

struct gs_bus {
	struct loop *loop;
	struct bus *bus;
	struct bus_peer *peer; /**< the network server; NULL: away */
	struct loop_timer *hold;
	uint64_t hold_us; /**< until then uplinks wait for the registry, which says what their gateways are
			     called */
	uint64_t retry_us; /**< the network server has no room: nothing is sent before */
	struct gs *gs;
	struct outbox outbox;
	enum event_level level; /**< events that are told */
	struct trace_events events;
	struct trace_event event; /**< that is being composed */
	bool is_told;             /**< it goes into the batch */
	uint64_t events_lost, batch_lost; /**< not told yet; told in the batch that is being gathered */
	struct log_watch watch;
	uint64_t lost_logged, lost_logged_us;
};

/** Refused for now only: what is kept is taken once there is room again. */
static bool is_for_now(const struct failure *f)
{
	static const char *const words[] = {"store_unavailable", "outbox_full", "busy", "no_memory"};
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(f->name, words[i]) == 0)
			return true;
	return false;
}

static void refused_log(const struct outbox_slot *s, const struct failure *f)
{
	char cid[CID_TEXT_MAX];
	bool is_uplink = s->kind == OUTBOX_UPLINK;
	event_log_cid(is_uplink ? s->msg.up.cids.v : s->msg.ack.cids.v, is_uplink ? s->msg.up.cids.len : s->msg.ack.cids.len, cid);
	LOG(LOG_WARN, "refused", KV_Z("cid", cid), KV_Z("what", is_uplink ? "uplink" : "tx_ack"), KV_Z("error", f->name),
		KV_Z("why", f->message));
}

static void on_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct outbox_slot *s = ctx;
	struct gs_bus *b = CONTAINER_OF(s->outbox, struct gs_bus, outbox);
	uint64_t now_us = loop_now(b->loop)->mono_us;
	bool is_refused = status == BUS_E_REFUSED, waits = is_refused && is_for_now(failure);
	(void)reply;
	/* Many are refused at once: one line tells it, and one pause serves all. */
	if (is_refused && !(waits && now_us < b->retry_us))
		refused_log(s, failure);
	if (waits && now_us >= b->retry_us) {
		b->retry_us = now_us + REFUSED_RETRY_US;
		loop_timer_at(b->hold, b->retry_us);
	}
	if (status == 0 && s->kind == OUTBOX_UPLINK)
		histogram_add(&b->gs->metrics.uplink_ack, us_since(s->received_us, now_us));
	/* What else it refused or cannot understand it will not take the second time. */
	gs_outbox_end(s, status == 0 || (is_refused && !waits) || status == -EBADMSG);
}

static uint32_t age_of(const struct outbox_slot *s, uint64_t now_us)
{
	uint64_t age = now_us - s->received_us;
	return age < UINT32_MAX ? (uint32_t)age : UINT32_MAX;
}

/** @return 0; -errno the bus does not take it now */
static int slot_send(struct gs_bus *b, struct outbox_slot *s, uint64_t now_us)
{
	if (s->kind == OUTBOX_TX_ACK && age_of(s, now_us) > TX_ACK_USEFUL_US) {
		gs_outbox_end(s, true);
		return 0;
	}
	if (s->kind == OUTBOX_UPLINK && s->generation != b->gs->registry.generation) {
		s->generation = b->gs->registry.generation;
		if (!gs_uplink_refresh(b->gs, &s->msg.up)) {
			b->gs->metrics.drops[GS_DROP_UNREGISTERED]++;
			gs_outbox_end(s, true);
			return 0;
		}
	}
	if (s->kind == OUTBOX_UPLINK)
		s->msg.up.age_us = age_of(s, now_us);
	TRY(bus_call(b->peer, s->kind == OUTBOX_UPLINK ? GSNS_UPLINK : GSNS_TX_ACK, &s->msg, CALL_TIMEOUT_US,
		on_done, s));
	gs_outbox_call(s);
	return 0;
}

static void waiting_send(struct gs_bus *b)
{
	uint64_t now_us = loop_now(b->loop)->mono_us;
	if (now_us < b->retry_us || (!b->gs->registry.complete && now_us < b->hold_us))
		return;
	for (struct outbox_slot *s; b->peer && (s = gs_outbox_next(&b->outbox));)
		if (slot_send(b, s, now_us))
			return;
}

void gs_bus_uplink(struct gs_bus *b, const struct gs_uplink *up, uint32_t generation)
{
	struct outbox_slot *s = gs_outbox_add(&b->outbox, OUTBOX_UPLINK, loop_now(b->loop)->mono_us);
	if (!s)
		return;
	s->generation = generation;
	s->msg.up = *up;
	waiting_send(b);
}

void gs_bus_tx_ack(struct gs_bus *b, const struct tx_ack *ack)
{
	struct outbox_slot *s = gs_outbox_add(&b->outbox, OUTBOX_TX_ACK, loop_now(b->loop)->mono_us);
	if (!s)
		return;
	s->msg.ack = *ack;
	waiting_send(b);
}

void gs_bus_status(struct gs_bus *b, const struct gateway_status *st)
{
	if (b->peer)
		bus_notify(b->peer, GSNS_STATUS, st);
}

static void events_lost(struct gs_bus *b, uint64_t n)
{
	b->events_lost += n;
	b->gs->metrics.events_lost += n;
}

static void events_flush(struct gs_bus *b)
{
	struct trace_events *m = &b->events;
	if (!m->events.len)
		return;
	m->has = HAS(trace_events, events);
	if (b->batch_lost)
		MSG_SET(m, lost, b->batch_lost);
	if (!b->peer || bus_notify(b->peer, GSNS_EVENT, m))
		events_lost(b, b->batch_lost + events_in(m));
	b->batch_lost = 0;
	m->events.len = 0;
}

static void event_add(struct gs_bus *b, const struct trace_event *e)
{
	struct trace_events *m = &b->events;
	struct writer w = {.p = m->events.p, .len = m->events.len, .cap = sizeof m->events.p};
	if (events_pack(&w, e))
		events_lost(b, 1);
	m->events.len = (uint16_t)w.len;
}

/** The story has a hole here. */
static void tell_lost(struct gs_bus *b)
{
	struct trace_event *e = &b->event;
	*e = (struct trace_event){.time_unix_us = loop_now(b->loop)->unix_us, .process = EVENT_PROCESS_GS};
	str_copy(str_of(events_info(EVENT_GS_EVENTS_LOST)->name), e->name, sizeof e->name);
	struct text t = text_fixed(e->data, sizeof e->data);
	text_printf(&t, "{\"lost\":%" PRIu64 "}", b->events_lost);
	MSG_MARK(e, data);
	b->batch_lost = b->events_lost;
	b->events_lost = 0;
	event_add(b, e);
}

struct trace_event *gs_bus_event(struct gs_bus *b, enum event_id id, const char *gateway_id)
{
	b->is_told = events_is_told(id, b->level);
	if (sizeof b->events.events.p - b->events.events.len < EVENT_PACKED_MAX)
		events_flush(b);
	if (b->is_told && (!b->peer || bus_peer_backlog(b->peer) > EVENTS_BACKLOG_BYTES)) {
		events_lost(b, 1);
		b->is_told = false;
	}
	if (b->is_told && b->events_lost && !b->events.events.len)
		tell_lost(b);
	return b->is_told || event_log_wants(&b->watch, id, 0, gateway_id) ? &b->event : NULL;
}

void gs_bus_event_end(struct gs_bus *b, enum event_id id, struct trace_event *e)
{
	event_log(&b->watch, id, e);
	if (b->is_told)
		event_add(b, e);
}

enum { LOST_LOG_EVERY_US = 10 * 1000 * 1000 };

static void lost_log(struct gs_bus *b)
{
	uint64_t now_us = loop_now(b->loop)->mono_us;
	if (b->outbox.lost == b->lost_logged || now_us - b->lost_logged_us < LOST_LOG_EVERY_US)
		return;
	LOG(LOG_WARN, "uplinks_lost", KV_U("n", b->outbox.lost - b->lost_logged),
		KV_U("buffer", b->outbox.keep),
		KV_Z("why", b->peer ? "the network server does not keep up"
				    : "the network server is away; see gs.buffer"));
	b->lost_logged = b->outbox.lost;
	b->lost_logged_us = now_us;
}

void gs_bus_flush(struct gs_bus *b)
{
	waiting_send(b);
	events_flush(b);
	lost_log(b);
	if (log_watch_expire(&b->watch, loop_now(b->loop)->mono_us))
		log_level_of_process(log_watch_process(&b->watch, EVENT_PROCESS_GS));
}

void gs_bus_metrics(struct gs_bus *b, struct text *t)
{
	struct gs_metrics *m = &b->gs->metrics;
	uint64_t oldest_us;
	m->uplinks_lost = b->outbox.lost;
	m->uplinks_waiting = gs_outbox_count(&b->outbox);
	m->uplinks_oldest = gs_outbox_oldest(&b->outbox, &oldest_us) ? us_since(oldest_us, loop_now(b->loop)->mono_us) : 0;
	bus_metrics(b->bus, t);
}

bool gs_bus_is_up(const struct gs_bus *b)
{
	return b->peer != NULL;
}

bool gs_bus_is_idle(const struct gs_bus *b)
{
	return !b->peer || gs_outbox_count(&b->outbox) == 0;
}

static void on_schedule(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct gs_bus *b = ctx;
	(void)peer;
	enum tx_result r = gs_tx(b->gs, msg, loop_now(b->loop));
	if (r == TX_RESULT_SUCCESS)
		bus_reply(request, &(struct ack){0});
	else
		bus_refuse(request, tx_result_info(r)->name, tx_result_info(r)->meaning);
}

static void on_sync(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct gs_bus *b = ctx;
	(void)peer;
	gs_sync(b->gs, msg, loop_now(b->loop));
	bus_reply(request, &(struct ack){0});
}

static void on_logs(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct gs_bus *b = ctx;
	(void)peer;
	(void)request;
	log_watch_take(&b->watch, msg, loop_now(b->loop)->mono_us);
	log_level_of_process(log_watch_process(&b->watch, EVENT_PROCESS_GS));
}

static const struct bus_handler handlers[] = {
	{NSGS_SCHEDULE, on_schedule},
	{NSGS_SYNC, on_sync},
	{NSGS_LOGS, on_logs},
};

static void on_up(void *ctx, struct bus_peer *peer)
{
	struct gs_bus *b = ctx;
	b->peer = peer;
	b->hold_us = loop_now(b->loop)->mono_us + HOLD_US;
	loop_timer_at(b->hold, b->hold_us);
	LOG(LOG_INFO, "ns_connected", KV_U("waiting", gs_outbox_count(&b->outbox)));
	gs_report_all(b->gs, loop_now(b->loop));
}

static void on_down(void *ctx, struct bus_peer *peer)
{
	struct gs_bus *b = ctx;
	if (b->peer != peer)
		return;
	b->peer = NULL;
	LOG(LOG_WARN, "ns_away", KV_U("waiting", gs_outbox_count(&b->outbox)),
		KV_U("buffer", b->outbox.keep));
}

static void on_hold_end(void *ctx)
{
	waiting_send(ctx);
}

int gs_bus_open(struct daemon *d, uint32_t buffer, struct gs_bus **ret, struct text *err)
{
	const struct common_settings *s = daemon_common(d);
	struct gs_bus *b = calloc(1, sizeof *b);
	if (!b)
		return -ENOMEM;
	b->loop = daemon_loop(d);
	(void)events_level_parse(str_of(s->trace_events), &b->level);
	struct bus_options o = {.loop = b->loop,
		.address = s->ns_address,
		.role = "gs",
		.tls = {s->bus_tls_ca, s->bus_tls_certificate, s->bus_tls_key},
		.handlers = handlers,
		.n_handlers = COUNT(handlers),
		.up = on_up,
		.down = on_down,
		.ctx = b};
	b->hold = loop_timer_new(b->loop, on_hold_end, b);
	int rc = b->hold ? gs_outbox_init(&b->outbox, buffer) : -ENOMEM;
	if (!rc)
		rc = bus_connect(&o, &b->bus, err);
	if (rc)
		gs_bus_close(b);
	else
		*ret = b;
	return rc;
}

void gs_bus_serve(struct gs_bus *b, struct gs *gs)
{
	b->gs = gs;
}

void gs_bus_reload(struct gs_bus *b)
{
	char buf[512];
	struct text err = text_fixed(buf, sizeof buf);
	if (bus_reload(b->bus, &err))
		LOG(LOG_ERROR, "reload_failed", KV_STR("why", text_str(&err)));
}

void gs_bus_close(struct gs_bus *b)
{
	if (!b)
		return;
	bus_free(b->bus);
	loop_timer_free(b->hold);
	gs_outbox_done(&b->outbox);
	free(b);
}
