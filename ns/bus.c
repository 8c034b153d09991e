/** @file The network server's side of the bus. */
#include "ns/bus.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "ns/core/limits.h"
#include "ns/core/pool.h"
#include "proto/bus/bus.h"
#include "proto/event_pack.h"
#include "proto/tables.h"
#include <stdlib.h>
#include <string.h>

enum { CALLS_MAX = 1 << 20, EVENTS_BACKLOG_BYTES = 4 << 20 };
#define SCHEDULE_CALL_US (2 * SEC_US)
#define SYNC_CALL_US     (30 * SEC_US)
#define LOGS_AGAIN_US    SEC_US
#define REFUSAL_LOG_US   (10 * SEC_US)

struct ns_bus {
	struct process *p;
	struct bus *bus;
	struct bus_peer *gs[NS_GS_MAX + 1]; /**< from 1 */
	struct bus_peer *as;
	struct pool calls;
	uint64_t gs_events_lost; /**< of gateway servers, not told yet */
	struct trace_events hole; /**< scratch: says that they are lost */
	struct log_rules logs; /**< scratch */
	uint64_t logs_told_us;
	bool is_stopping;
	uint64_t refusal_logged_us;
};

/** A call that is on its way. */
struct call {
	struct ns_bus *bus;
	uint64_t since_us;
	enum ns_call kind;
	union {
		uint64_t number; /**< of a join or an outbox message */
		struct ns_pull pull;
		struct ulid transmission;
		uint32_t gs;
	};
};

static const struct now *now_of(const struct ns_bus *b)
{
	return loop_now(b->p->loop);
}

static struct call *call_new(struct ns_bus *b, enum ns_call kind)
{
	struct call *c = pool_get(&b->calls);
	if (!c)
		return NULL;
	c->bus = b;
	c->kind = kind;
	c->since_us = now_of(b)->mono_us;
	return c;
}

/** It has been answered, or will not be. */
static void call_end(struct call *c, int status)
{
	struct ns_bus *b = c->bus;
	struct ns_counters *n = ns_counters(b->p->ns);
	if (status >= 0)
		histogram_add(&n->call[c->kind], us_since(c->since_us, now_of(b)->mono_us));
	else
		n->call_failures[c->kind]++;
	pool_put(&b->calls, c);
}

/** Make a call with a context of its own. @return 0; -errno, and the context is gone */
static int call(struct bus_peer *peer, enum method m, const void *msg, uint64_t timeout_us, bus_done *done, struct call *c)
{
	int rc = peer ? bus_call(peer, m, msg, timeout_us, done, c) : -ENOTCONN;
	if (rc)
		pool_put(&c->bus->calls, c);
	return rc;
}

static struct ns_bus *bus_of(void *process)
{
	struct process *p = process;
	return p->bus;
}

/* ---- out: to the as ---- */

static void join_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct call *c = ctx;
	struct ns_bus *b = c->bus;
	const char *why = failure ? failure->name : status == -ETIMEDOUT ? "timeout" : "as_away";
	ns_as_joined(b->p->ns, now_of(b), c->number, status == 0 ? reply : NULL, status == 0 ? NULL : why);
	call_end(c, status);
}

static int port_join(void *ctx, uint64_t number, const struct join_request *m)
{
	struct ns_bus *b = bus_of(ctx);
	struct call *c = call_new(b, NS_CALL_JOIN);
	if (!c)
		return -ENOMEM;
	c->number = number;
	return call(b->as, NSJS_JOIN, m, NS_JOIN_CALL_US, join_done, c);
}

static void pull_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct call *c = ctx;
	struct ns_bus *b = c->bus;
	(void)failure;
	ns_as_pulled(b->p->ns, now_of(b), &c->pull, status == 0 ? reply : NULL);
	call_end(c, status);
}

static int port_pull(void *ctx, const struct ns_pull *pull, const struct pull *m)
{
	struct ns_bus *b = bus_of(ctx);
	struct call *c = call_new(b, NS_CALL_PULL);
	if (!c)
		return -ENOMEM;
	c->pull = *pull;
	return call(b->as, NSAS_PULL, m, SEC_US, pull_done, c);
}

static void up_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct call *c = ctx;
	struct ns_bus *b = c->bus;
	(void)reply;
	if (status == BUS_E_REFUSED)
		LOG(LOG_WARN, "refused", KV_Z("what", "NsAs/HandleUplink"), KV_U("seq", c->number), KV_Z("error", failure->name),
			KV_Z("why", failure->message));
	ns_as_took(b->p->ns, now_of(b), c->number, status == 0);
	call_end(c, status);
}

static int port_up(void *ctx, uint64_t seq, struct slice encoded)
{
	struct ns_bus *b = bus_of(ctx);
	struct call *c = b->as ? call_new(b, NS_CALL_UP) : NULL;
	if (!c)
		return b->as ? -ENOMEM : -ENOTCONN;
	c->number = seq;
	int rc = bus_call_encoded(b->as, NSAS_UPLINK, encoded, NS_UP_CALL_US, up_done, c);
	if (rc)
		pool_put(&b->calls, c);
	return rc;
}

/* @return whether it went out */
static bool events_send(struct ns_bus *b, const struct trace_events *m)
{
	return b->as && bus_peer_backlog(b->as) < EVENTS_BACKLOG_BYTES && bus_notify(b->as, NSAS_EVENT, m) == 0;
}

static void port_tell_as(void *ctx, enum method m, const void *msg)
{
	struct ns_bus *b = bus_of(ctx);
	const struct trace_events *events = msg;
	if (!b)
		return;
	if (m != NSAS_EVENT) {
		if (b->as)
			bus_notify(b->as, m, msg);
	} else if (!events_send(b, events)) {
		ns_events_lost(b->p->ns, events_in(events));
	}
}

/* The gateway servers' story has a hole here. */
static void tell_gs_lost(struct ns_bus *b)
{
	struct trace_events *m = &b->hole;
	struct trace_event e = { .time_unix_us = now_of(b)->unix_us, .process = EVENT_PROCESS_GS };
	str_copy(str_of(events_info(EVENT_GS_EVENTS_LOST)->name), e.name, sizeof(e.name));
	struct text t = text_fixed(e.data, sizeof(e.data));
	json_open(&t, '{');
	json_name(&t, "lost");
	json_unum(&t, b->gs_events_lost);
	json_close(&t, '}');
	MSG_MARK(&e, data);
	struct writer w = writer_of(m->events.p, sizeof(m->events.p));
	(void)events_pack(&w, &e); /* one fits */
	m->events.len = (uint16_t)w.len;
	m->has = HAS(trace_events, events);
	MSG_SET(m, lost, b->gs_events_lost);
	if (events_send(b, m))
		b->gs_events_lost = 0;
}

/* ---- out: to a gs ---- */

static uint32_t result_of(const struct failure *f)
{
	for (uint32_t i = TX_RESULT_SUCCESS + 1; i <= TX_RESULT_NOT_CONNECTED; i++)
		if (strcmp(tx_result_info(i)->name, f->name) == 0)
			return i;
	return TX_RESULT_NOT_CONNECTED;
}

static void schedule_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct call *c = ctx;
	struct ns_bus *b = c->bus;
	(void)reply;
	ns_gs_scheduled(b->p->ns, now_of(b), &c->transmission, status, status == BUS_E_REFUSED ? result_of(failure) : 0);
	call_end(c, status);
}

static int port_schedule(void *ctx, uint32_t gs, const struct tx_request *m)
{
	struct ns_bus *b = bus_of(ctx);
	struct call *c = call_new(b, NS_CALL_SCHEDULE);
	if (!c)
		return -ENOMEM;
	c->transmission = m->transmission;
	return call(b->gs[gs], NSGS_SCHEDULE, m, SCHEDULE_CALL_US, schedule_done, c);
}

static void sync_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	(void)ctx;
	(void)failure;
	(void)reply;
	if (status && status != -ECONNRESET)
		LOG(LOG_WARN, "sync_failed", KV_Z("what", "NsGs/Sync"), KV_Z("why", failure ? failure->message : strerror(-status)));
}

static int port_sync_gs(void *ctx, uint32_t gs, const struct sync *m)
{
	struct ns_bus *b = bus_of(ctx);
	return b->gs[gs] ? bus_call(b->gs[gs], NSGS_SYNC, m, SYNC_CALL_US, sync_done, NULL) : -ENOTCONN;
}

static void port_answer(void *ctx, uint64_t request, const char *refusal, const char *message)
{
	struct ns_bus *b = bus_of(ctx);
	struct bus_request *r = (struct bus_request *)(uintptr_t)request;
	if (!b)
		return; /* the last commit, after the bus */
	if (!refusal) {
		bus_reply(r, &(struct ack){ .has = 0 });
		return;
	}
	uint64_t now_us = now_of(b)->mono_us;
	if (now_us - b->refusal_logged_us > REFUSAL_LOG_US || !b->refusal_logged_us) {
		LOG(LOG_ERROR, "refusing", KV_Z("error", refusal), KV_Z("why", message));
		b->refusal_logged_us = now_us;
	}
	bus_refuse(r, refusal, message);
}

void ns_bus_ports(struct ns_ports *ret)
{
	ret->answer = port_answer;
	ret->join = port_join;
	ret->pull = port_pull;
	ret->up = port_up;
	ret->tell_as = port_tell_as;
	ret->schedule = port_schedule;
	ret->sync_gs = port_sync_gs;
}

/* ---- in ---- */

static uint64_t number_of(struct bus_request *r)
{
	return (uint64_t)(uintptr_t)r;
}

static uint32_t gs_of(const struct bus_peer *peer)
{
	return (uint32_t)(uintptr_t)bus_peer_user(peer);
}

/* A peer calls what its role does not have. */
static bool is_wrong(const struct bus_peer *peer, const char *role, struct bus_request *r)
{
	if (strcmp(bus_peer_role(peer), role) == 0)
		return false;
	if (r)
		bus_refuse(r, "wrong_role", "this method is not for a peer of this role");
	return true;
}

static bool is_refused(const struct ns_bus *b, struct bus_peer *peer, const char *role, struct bus_request *r)
{
	if (is_wrong(peer, role, r))
		return true;
	/* Unanswered, so that a gs keeps what it has for the process that comes after. */
	return b->is_stopping;
}

static void on_uplink(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (!is_refused(b, peer, "gs", r))
		ns_gs_uplink(b->p->ns, now_of(b), gs_of(peer), number_of(r), msg);
}

static void on_tx_ack(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (!is_refused(b, peer, "gs", r))
		ns_gs_tx_ack(b->p->ns, now_of(b), number_of(r), msg);
}

static void on_status(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (!is_wrong(peer, "gs", r))
		ns_gs_status(b->p->ns, now_of(b), gs_of(peer), msg);
}

static void on_event(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	const struct trace_events *m = msg;
	if (is_wrong(peer, "gs", r))
		return;
	if (b->gs_events_lost)
		tell_gs_lost(b);
	if (!events_send(b, m)) {
		size_t n = events_in(m);
		b->gs_events_lost += n + (MSG_HAS(m, lost) ? m->lost : 0);
		ns_counters(b->p->ns)->events_lost += n;
	}
}

static void on_queued(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (is_wrong(peer, "as", r))
		return;
	ns_as_queued(b->p->ns, now_of(b), msg);
	bus_reply(r, &(struct ack){ .has = 0 });
}

static void on_sync_state(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	struct sync_state s;
	(void)msg;
	if (is_wrong(peer, "as", r))
		return;
	ns_as_sync_state(b->p->ns, &s);
	bus_reply(r, &s);
}

static void on_sync(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (!is_refused(b, peer, "as", r))
		ns_as_sync(b->p->ns, now_of(b), number_of(r), msg);
}

static void on_device(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	const struct device_query *q = msg;
	struct device_state s;
	if (is_wrong(peer, "as", r))
		return;
	if (ns_as_device(b->p->ns, q, &s) == 0)
		bus_reply(r, &s);
	else
		bus_refuse(r, "device_not_found", "the network server does not know this device");
	if (q->keys)
		crypto_forget(&s, sizeof s);
}

/* ---- logs ---- */

static void logs_tell(struct ns_bus *b)
{
	log_watch_give(&b->p->watch, now_of(b)->mono_us, &b->logs);
	for (size_t i = 0; i < b->logs.v.len; i++)
		ns_heard_as(b->p->ns, &b->logs.v.v[i]);
	for (size_t i = 1; i <= NS_GS_MAX; i++)
		if (b->gs[i])
			bus_notify(b->gs[i], NSGS_LOGS, &b->logs);
	b->logs_told_us = now_of(b)->mono_us;
}

void ns_bus_logs(struct ns_bus *b)
{
	struct log_watch *w = &b->p->watch;
	uint64_t now_us = now_of(b)->mono_us;
	if (!w->n)
		return;
	if (log_watch_expire(w, now_us))
		log_level_of_process(log_watch_process(w, EVENT_PROCESS_NS));
	if (log_watch_has_devices(w) && now_us - b->logs_told_us >= LOGS_AGAIN_US)
		logs_tell(b);
}

static void on_logs(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct ns_bus *b = ctx;
	if (is_wrong(peer, "as", r))
		return;
	log_watch_take(&b->p->watch, msg, now_of(b)->mono_us);
	log_level_of_process(log_watch_process(&b->p->watch, EVENT_PROCESS_NS));
	logs_tell(b);
}

static const struct bus_handler handlers[] = {
	{ GSNS_UPLINK, on_uplink },
	{ GSNS_TX_ACK, on_tx_ack },
	{ GSNS_STATUS, on_status },
	{ GSNS_EVENT, on_event },
	{ ASNS_QUEUED, on_queued },
	{ ASNS_SYNC_STATE, on_sync_state },
	{ ASNS_SYNC, on_sync },
	{ ASNS_DEVICE, on_device },
	{ ASNS_LOGS, on_logs },
};

/* ---- peers ---- */

static void tell_peers(struct ns_bus *b)
{
	struct ns_peers m = { .gs = 0 };
	for (size_t i = 1; i <= NS_GS_MAX; i++)
		m.gs += b->gs[i] != NULL;
	if (b->as)
		bus_notify(b->as, NSAS_PEERS, &m);
}

static void gs_up(struct ns_bus *b, struct bus_peer *peer)
{
	for (uint32_t i = 1; i <= NS_GS_MAX; i++)
		if (!b->gs[i]) {
			b->gs[i] = peer;
			bus_peer_set_user(peer, (void *)(uintptr_t)i);
			ns_gs_up(b->p->ns, now_of(b), i);
			LOG(LOG_INFO, "gs_connected", KV_U("gs", i));
			if (b->p->watch.n)
				logs_tell(b);
			return;
		}
	LOG(LOG_ERROR, "gs_refused", KV_Z("why", "more gateway servers than this network server takes"), KV_U("most", NS_GS_MAX));
}

static void on_up(void *ctx, struct bus_peer *peer)
{
	struct ns_bus *b = ctx;
	if (strcmp(bus_peer_role(peer), "gs") == 0) {
		gs_up(b, peer);
	} else if (strcmp(bus_peer_role(peer), "as") == 0) {
		/* A second one takes the place of the first, which may be dead without our having noticed. */
		if (b->as)
			ns_as_down(b->p->ns, now_of(b));
		b->as = peer;
		ns_as_up(b->p->ns, now_of(b));
		LOG(LOG_INFO, "as_connected");
	}
	tell_peers(b);
}

static void on_down(void *ctx, struct bus_peer *peer)
{
	struct ns_bus *b = ctx;
	uint32_t gs = strcmp(bus_peer_role(peer), "gs") == 0 ? gs_of(peer) : 0;
	if (gs) {
		b->gs[gs] = NULL;
		ns_gs_down(b->p->ns, now_of(b), gs);
		LOG(LOG_WARN, "gs_away", KV_U("gs", gs));
		tell_peers(b);
	} else if (b->as == peer) {
		b->as = NULL;
		ns_as_down(b->p->ns, now_of(b));
		LOG(LOG_WARN, "as_away");
	}
}

/* ---- start and end ---- */

int ns_bus_open(struct process *p, struct ns_bus **ret, struct text *err)
{
	const struct common_settings *s = daemon_common(p->daemon);
	struct ns_bus *b = calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->p = p;
	p->bus = b; /* the core's ways out lead here from the first event on */
	pool_init(&b->calls, sizeof(struct call), CALLS_MAX);
	struct bus_options o = { .loop = p->loop, .address = p->settings->listen, .role = "ns",
		.tls = { s->bus_tls_ca, s->bus_tls_certificate, s->bus_tls_key }, .handlers = handlers, .n_handlers = COUNT(handlers),
		.up = on_up, .down = on_down, .ctx = b };
	int rc = bus_listen(&o, &b->bus, err);
	if (rc) {
		text_puts(err, " (");
		daemon_where(p->daemon, err, "ns.listen");
		text_puts(err, ")");
		p->bus = NULL;
		free(b);
		return rc;
	}
	*ret = b;
	return daemon_address(p->daemon, "ns.bus", bus_address(b->bus));
}

void ns_bus_stop(struct ns_bus *b)
{
	b->is_stopping = true;
}

void ns_bus_close(struct ns_bus *b)
{
	bus_free(b->bus);
	pool_done(&b->calls);
	b->p->bus = NULL;
	free(b);
}

void ns_bus_metrics(const struct ns_bus *b, struct text *t)
{
	bus_metrics(b->bus, t);
}

void ns_bus_reload(struct ns_bus *b)
{
	char buf[256];
	struct text err = text_fixed(buf, sizeof(buf));
	if (bus_reload(b->bus, &err) != 0)
		LOG(LOG_ERROR, "reload_failed", KV_STR("why", text_str(&err)));
}
