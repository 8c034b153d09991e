/** @file Keeping the network server's replica in step with the registry. */
#include "as/replica.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { CALL_US = 10000000, RETRY_US = 1000000 };

struct waiter {
	struct waiter *next;
	uint64_t revision, deadline_us;
	void (*fn)(void *ctx);
	void *ctx;
};

struct replica {
	struct as *as;
	struct bus *bus;
	struct bus_peer *ns;     /**< greeted; NULL: not connected */
	bool is_full, is_first;  /**< a full set is being sent; nothing of it was sent yet */
	bool in_flight;          /**< a call is on its way */
	bool in_step;            /**< the ns has had everything once since it connected; links were told */
	bool is_commit_due;      /**< a commit callback will come */
	uint64_t durable;        /**< revision up to which everything is on disk */
	uint64_t committing;     /**< revision of the commit callback that will come */
	uint64_t told, sending;  /**< revision that the ns has acknowledged; that of the batch on its way */
	struct waiter *waiters;
	struct loop_timer *retry, *patience;
	struct sync batch;
};

static void pump(struct replica *r);

/* ---- who waits ---- */

static void waiters_serve(struct replica *r)
{
	struct waiter **at = &r->waiters, *w;
	uint64_t now_us = loop_now(r->as->loop)->mono_us, next_us = UINT64_MAX;
	while ((w = *at)) {
		if (r->ns && r->told < w->revision && w->deadline_us > now_us) {
			next_us = w->deadline_us < next_us ? w->deadline_us : next_us;
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->fn(w->ctx);
		free(w);
		at = &r->waiters; /* fn may have changed the list */
		next_us = UINT64_MAX;
	}
	loop_timer_at(r->patience, next_us);
}

static void on_patience(void *ctx)
{
	waiters_serve(ctx);
}

int replica_wait(struct as *as, uint64_t revision, uint64_t timeout_us, void (*fn)(void *ctx), void *ctx)
{
	struct replica *r = as->replica;
	struct waiter *w = malloc(sizeof *w);
	if (!w)
		return -ENOMEM;
	uint64_t now_us = loop_now(as->loop)->mono_us;
	*w = (struct waiter){
		.revision = revision, .deadline_us = now_us + timeout_us, .fn = fn, .ctx = ctx
	};
	struct waiter **at = &r->waiters;
	while (*at)
		at = &(*at)->next;
	*at = w;
	loop_timer_at(r->patience, r->ns && r->told < revision ? w->deadline_us : now_us);
	return 0;
}

/* ---- what is told ---- */

static void links_up(struct replica *r)
{
	r->in_step = true;
	r->as->metrics.ns_connected = 1;
	LOG(LOG_INFO, "ns_in_step", KV_U("revision", r->told));
	for (size_t i = 0; i < r->as->n_links; i++)
		if (r->as->links[i].up)
			r->as->links[i].up(r->as, r->ns);
}

static void retry_later(struct replica *r)
{
	r->in_flight = false;
	loop_timer_in(r->retry, RETRY_US);
}

static void on_told(void *ctx, int status, const struct failure *f, const void *reply)
{
	struct replica *r = ctx;
	(void)reply;
	if (status == -ECONNRESET)
		return;
	if (status) {
		LOG(LOG_WARN, "sync_failed", KV_Z("why", f ? f->message : strerror(-status)));
		retry_later(r);
		return;
	}
	r->in_flight = false;
	if (r->batch.last)
		r->is_full = false;
	if (!r->is_full)
		r->told = r->sending;
	waiters_serve(r);
	pump(r);
}

/** Fill the batch with what is on disk and not told yet. @return false: nothing is to be sent now */
static bool fill(struct replica *r)
{
	struct registry *reg = &r->as->registry;
	struct sync *b = &r->batch;
	b->has = 0;
	b->store_id = reg->store_id;
	b->first = r->is_full && r->is_first;
	b->last = false;
	b->v.len = 0;
	struct entry *e = reg->unsent;
	while (e && e->revision <= r->durable && b->v.len < COUNT(b->v.v)) {
		if (!r->is_full || !e->deleted)
			registry_entry_to_sync(e, &b->v.v[b->v.len++]);
		r->sending = e->revision;
		e = e->newer;
	}
	/* A full set ends only when nothing is left out: what it does not name, the ns forgets with its
	 * session. */
	b->last = r->is_full && !e && r->durable == reg->revision;
	if (b->last)
		r->sending = reg->revision;
	/* The cursor moves on at once; a batch that fails starts again from what the ns then says. */
	reg->unsent = e;
	if (!b->v.len && !b->first && !b->last)
		return false;
	b->revision = r->is_full && !b->last ? 0 : r->sending;
	MSG_MARK(b, first);
	MSG_MARK(b, last);
	return true;
}

static void pump(struct replica *r)
{
	if (!r->ns || r->in_flight)
		return;
	if (!fill(r)) {
		if (!r->in_step && !r->is_full && !r->as->registry.unsent)
			links_up(r);
		return;
	}
	int e = bus_call(r->ns, ASNS_SYNC, &r->batch, CALL_US, on_told, r);
	if (e) {
		LOG(LOG_WARN, "sync_failed", KV_Z("why", strerror(-e)));
		retry_later(r);
		return;
	}
	r->in_flight = true;
	r->is_first = false;
	r->as->metrics.sync_entries += r->batch.v.len;
}

static void on_state(void *ctx, int status, const struct failure *f, const void *reply)
{
	struct replica *r = ctx;
	const struct sync_state *s = reply;
	struct registry *reg = &r->as->registry;
	if (status == -ECONNRESET)
		return;
	if (status) {
		LOG(LOG_WARN, "sync_failed", KV_Z("why", f ? f->message : strerror(-status)));
		retry_later(r);
		return;
	}
	r->in_flight = false;
	uint64_t revision = MSG_HAS(s, revision) ? s->revision : 0;
	if (MSG_HAS(s, store_id) && revision && registry_can_follow(reg, &s->store_id, revision)) {
		r->is_full = false;
		r->told = revision;
		reg->unsent = registry_since(reg, revision);
	} else {
		r->is_full = r->is_first = true;
		r->told = 0;
		reg->unsent = reg->oldest;
	}
	waiters_serve(r);
	pump(r);
}

static void ask(struct replica *r)
{
	static const struct ack nothing = { 0 };
	if (!r->ns || r->in_flight)
		return;
	r->in_flight = true;
	if (bus_call(r->ns, ASNS_SYNC_STATE, &nothing, CALL_US, on_state, r))
		retry_later(r);
}

static void on_retry(void *ctx)
{
	ask(ctx);
}

/* ---- what changes ---- */

static void on_durable(void *ctx);

static void commit_watch(struct replica *r)
{
	if (r->is_commit_due || r->durable == r->as->registry.revision)
		return;
	r->committing = r->as->registry.revision;
	r->is_commit_due = store_after(r->as->store, on_durable, r) == 0;
}

static void on_durable(void *ctx)
{
	struct replica *r = ctx;
	r->is_commit_due = false;
	r->durable = r->committing;
	commit_watch(r);
	pump(r);
}

static void on_device(void *ctx, struct device *d, enum change c)
{
	struct replica *r = ctx;
	(void)d;
	(void)c;
	commit_watch(r);
}

static void on_gateway(void *ctx, struct gateway *g, enum change c)
{
	struct replica *r = ctx;
	(void)g;
	(void)c;
	commit_watch(r);
}

/* ---- the connection ---- */

static void on_up(void *ctx, struct bus_peer *peer)
{
	struct as *as = ctx;
	struct replica *r = as->replica;
	LOG(LOG_INFO, "ns_up");
	r->ns = peer;
	r->in_flight = false;
	r->in_step = false;
	ask(r);
}

static void on_down(void *ctx, struct bus_peer *peer)
{
	struct as *as = ctx;
	struct replica *r = as->replica;
	(void)peer;
	LOG(LOG_WARN, "ns_down");
	r->ns = NULL;
	r->in_flight = false;
	as->metrics.ns_connected = 0;
	as->metrics.gs_connected = 0;
	loop_timer_at(r->retry, UINT64_MAX);
	for (size_t i = 0; r->in_step && i < as->n_links; i++)
		if (as->links[i].down)
			as->links[i].down(as);
	r->in_step = false;
	waiters_serve(r);
}

static void on_peers(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	const struct ns_peers *p = msg;
	(void)peer;
	(void)request;
	as->metrics.gs_connected = p->gs;
}

struct bus_peer *as_ns(const struct as *as)
{
	return as->replica->in_step ? as->replica->ns : NULL;
}

int as_connect(struct as *as, struct text *err)
{
	const struct common_settings *c = daemon_common(as->daemon);
	struct bus_options o = {
		.loop = as->loop,
		.address = c->ns_address,
		.role = "as",
		.tls = { c->bus_tls_ca, c->bus_tls_certificate, c->bus_tls_key },
		.handlers = as->methods,
		.n_handlers = as->n_methods,
		.up = on_up,
		.down = on_down,
		.ctx = as,
	};
	return bus_connect(&o, &as->replica->bus, err);
}

void replica_metrics(const struct as *as, struct text *t)
{
	bus_metrics(as->replica->bus, t);
}

void replica_reload(struct as *as)
{
	char buf[512];
	struct text err = text_fixed(buf, sizeof buf);
	if (bus_reload(as->replica->bus, &err))
		LOG(LOG_ERROR, "reload_failed", KV_Z("why", buf));
}

int replica_start(struct as *as, struct text *err)
{
	struct replica *r = as->replica = calloc(1, sizeof *r);
	(void)err;
	if (!r)
		return -ENOMEM;
	r->as = as;
	r->durable = as->registry.revision;
	r->retry = loop_timer_new(as->loop, on_retry, r);
	r->patience = loop_timer_new(as->loop, on_patience, r);
	if (!r->retry || !r->patience)
		return -ENOMEM;
	registry_watch(&as->registry,
		&(struct registry_watch){ .device = on_device, .gateway = on_gateway, .ctx = r });
	as_add_method(as, NSAS_PEERS, on_peers);
	return 0;
}

void replica_stop(struct as *as)
{
	struct replica *r = as->replica;
	struct waiter *w;
	if (!r)
		return;
	bus_free(r->bus);
	loop_timer_free(r->retry);
	loop_timer_free(r->patience);
	while ((w = r->waiters)) {
		r->waiters = w->next;
		free(w);
	}
	as->replica = NULL;
	free(r);
}
