/** @file Both ends of a bus in one loop, for the tests of the bus. */
#pragma once
#include "common/log.h"
#include "proto/bus/bus.h"
#include "proto/event_pack.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_US = 20 * 1000000, CALL_US = 5 * 1000000 };

struct world {
	struct loop *loop;
	struct bus *server, *client;
	struct bus_peer *at_server, *at_client; /**< NULL: not up */
	unsigned ups, downs;                    /**< of the client */
	char folder[64], address[100];
	/* What the server's handler does, and saw. */
	enum way { ANSWER, KEEP, REFUSE, DIE } way;
	struct bus_request *kept;
	unsigned served, notified;
	/* How the last call ended. */
	unsigned ended;
	int status;
	struct failure failure;
	struct pulled reply;
	bool (*until)(struct world *w);
	bool is_late;
};

static inline void on_pull(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct world *w = ctx;
	const struct pull *pull = msg;
	(void)peer;
	w->served++;
	if (w->way == DIE)
		raise(SIGKILL);
	if (w->way == KEEP) {
		w->kept = r;
	} else if (w->way == REFUSE) {
		bus_refuse(r, "queue_full", "not today");
	} else {
		struct pulled answer = { 0 };
		MSG_SET(&answer, f_port, pull->f_cnt);
		bus_reply(r, &answer);
	}
}

/** A batch of so many events with so much data each, as many as fit. */
static inline struct trace_events *batch_of(unsigned n, size_t data)
{
	struct trace_events *m = calloc(1, sizeof *m);
	struct trace_event e = { 0 };
	ck_assert_ptr_nonnull(m);
	struct writer w = writer_of(m->events.p, sizeof m->events.p);
	memset(e.data, 'x', data);
	if (data)
		MSG_MARK(&e, data);
	for (unsigned i = 0; i < n; i++)
		ck_assert_int_eq(events_pack(&w, &e), 0);
	m->events.len = (uint16_t)w.len;
	MSG_MARK(m, events);
	return m;
}

static inline void on_event(void *ctx, struct bus_peer *peer, struct bus_request *r, const void *msg)
{
	struct world *w = ctx;
	const struct trace_events *events = msg;
	(void)peer;
	ck_assert_ptr_null(r);
	w->notified += 1 + (unsigned)events_in(events);
}

static inline void server_up(void *ctx, struct bus_peer *p)
{
	((struct world *)ctx)->at_server = p;
}

static inline void server_down(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	if (w->at_server == p)
		w->at_server = NULL;
}

static inline void client_up(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	w->at_client = p;
	w->ups++;
}

static inline void client_down(void *ctx, struct bus_peer *p)
{
	struct world *w = ctx;
	ck_assert_ptr_eq(w->at_client, p);
	w->at_client = NULL;
	w->downs++;
}

static const struct bus_handler world_handlers[] = {
	{ NSAS_PULL, on_pull },
	{ NSAS_EVENT, on_event },
};

static inline void on_done(void *ctx, int status, const struct failure *failure, const void *reply)
{
	struct world *w = ctx;
	w->ended++;
	w->status = status;
	ck_assert_int_eq(status == 0, reply != NULL);
	ck_assert_int_eq(status == BUS_E_REFUSED, failure != NULL);
	if (failure)
		w->failure = *failure;
	if (reply)
		w->reply = *(const struct pulled *)reply;
}

static inline void look(void *ctx)
{
	struct world *w = ctx;
	if (w->until && w->until(w))
		loop_stop(w->loop);
}

static inline void too_late(void *ctx)
{
	struct world *w = ctx;
	w->is_late = true;
	loop_stop(w->loop);
}

/** Serve until the condition holds; fails the test if it takes too long. */
static inline void run(struct world *w, bool (*until)(struct world *w))
{
	struct loop_timer *t = loop_timer_new(w->loop, too_late, w);
	ck_assert_ptr_nonnull(t);
	loop_timer_in(t, PATIENCE_US);
	w->until = until;
	w->is_late = false;
	if (!until(w))
		ck_assert_int_eq(loop_run(w->loop), 0);
	w->until = NULL;
	loop_timer_free(t);
	ck_assert_msg(!w->is_late, "waited in vain");
}

static inline struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof *w);
	ck_assert_ptr_nonnull(w);
	log_setup(LOG_LOGFMT, LOG_WARN, "test");
	snprintf(w->folder, sizeof w->folder, "/tmp/godwit-test-bus-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(w->folder));
	snprintf(w->address, sizeof w->address, "unix:%s/bus.sock", w->folder);
	w->loop = loop_new();
	ck_assert_ptr_nonnull(w->loop);
	ck_assert_int_eq(loop_after_wake(w->loop, look, w), 0);
	return w;
}

static inline struct bus_options options(struct world *w, bool is_server, const char *address)
{
	return (struct bus_options){
		.loop = w->loop, .address = address, .role = is_server ? "ns" : "as",
		.handlers = world_handlers, .n_handlers = COUNT(world_handlers),
		.up = is_server ? server_up : client_up, .down = is_server ? server_down : client_down, .ctx = w,
	};
}

static inline void serve(struct world *w)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, true, w->address);
	ck_assert_msg(bus_listen(&o, &w->server, &t) == 0, "%s", why);
}

static inline void connect_to(struct world *w, const char *address)
{
	char why[300] = "";
	struct text t = text_fixed(why, sizeof why);
	struct bus_options o = options(w, false, address);
	ck_assert_msg(bus_connect(&o, &w->client, &t) == 0, "%s", why);
}

static inline bool both_up(struct world *w)
{
	return w->at_client && w->at_server;
}

static inline bool client_is_up(struct world *w)
{
	return w->at_client != NULL;
}

static inline bool client_is_down(struct world *w)
{
	return !w->at_client;
}

static inline bool one_ended(struct world *w)
{
	return w->ended > 0;
}

static inline bool one_served(struct world *w)
{
	return w->served > 0;
}

static inline struct world *connected(void)
{
	struct world *w = world_new();
	serve(w);
	connect_to(w, w->address);
	run(w, both_up);
	return w;
}

static inline void world_free(struct world *w)
{
	char path[120];
	bus_free(w->client);
	bus_free(w->server);
	loop_free(w->loop);
	snprintf(path, sizeof path, "%s/bus.sock", w->folder);
	unlink(path);
	ck_assert_int_eq(rmdir(w->folder), 0);
	free(w);
}

static inline int pull(struct world *w, uint32_t f_cnt, uint64_t timeout_us)
{
	struct pull m = { .device = 7, .f_cnt = f_cnt, .room = 51, .room_max = 222 };
	w->ended = 0;
	return bus_call(w->at_client, NSAS_PULL, &m, timeout_us, on_done, w);
}

/** A timer that wakes the loop every 10 ms: make it with its own address as ctx. */
static inline void again(void *ctx)
{
	loop_timer_in(*(struct loop_timer **)ctx, 10000);
}
