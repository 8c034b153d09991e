/** @file Calls, answers and notifications, both ways. */
#include "common/log.h"
#include "proto/bus/bus_int.h"
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

/** Append a frame: the head is in b->encoded already, the message goes behind it. */
static int put_frame(struct bus_peer *p, size_t n_head, const struct schema *s, const void *m, bool is_error)
{
	struct bus *b = p->bus;
	size_t n;
	TRY(msg_encode(s, m, b->encoded + n_head, RPC_FRAME_MAX - n_head - 1, &n));
	n += n_head;
	if (is_error)
		b->encoded[n++] = RPC_NIL;
	if (evbuffer_add(p->out, b->encoded, n))
		return -ENOMEM;
	bus_schedule(b);
	return 0;
}

static int put_encoded(struct bus_peer *p, size_t n_head, struct slice message)
{
	struct bus *b = p->bus;
	if (message.n > RPC_FRAME_MAX - n_head)
		return -ENOSPC;
	/* In one piece, so that a failure never leaves half a frame behind. */
	memcpy(b->encoded + n_head, message.p, message.n);
	if (evbuffer_add(p->out, b->encoded, n_head + message.n))
		return -ENOMEM;
	bus_schedule(b);
	return 0;
}

static int check_ready(const struct bus_peer *p)
{
	if (p->state != PEER_UP)
		return -ECONNRESET;
	return bus_peer_backlog(p) > BUS_BACKLOG_MAX ? -ENOBUFS : 0;
}

static int open_call(struct bus_peer *p, enum method m, uint64_t timeout_us, struct call **ret)
{
	TRY(check_ready(p));
	uint64_t now_us = loop_now(p->bus->loop)->mono_us;
	TRY(calls_open(&p->calls, timeout_us < UINT64_MAX - now_us ? now_us + timeout_us : UINT64_MAX, ret));
	(*ret)->method = m;
	return 0;
}

static int settle_call(struct bus_peer *p, struct call *call, int r, bus_done *done, void *ctx)
{
	if (r)
		calls_close(&p->calls, call);
	call->done = done;
	call->ctx = ctx;
	return r;
}

int bus_call(struct bus_peer *p, enum method m, const void *msg, uint64_t timeout_us, bus_done *done, void *ctx)
{
	struct call *call;
	TRY(open_call(p, m, timeout_us, &call));
	size_t n_head = rpc_put_request(p->bus->encoded, call->id, method_info(m)->name);
	return settle_call(p, call, put_frame(p, n_head, method_info(m)->request(), msg, false), done, ctx);
}

int bus_call_encoded(struct bus_peer *p, enum method m, struct slice encoded, uint64_t timeout_us, bus_done *done, void *ctx)
{
	struct call *call;
	TRY(open_call(p, m, timeout_us, &call));
	size_t n_head = rpc_put_request(p->bus->encoded, call->id, method_info(m)->name);
	return settle_call(p, call, put_encoded(p, n_head, encoded), done, ctx);
}

int bus_notify(struct bus_peer *p, enum method m, const void *msg)
{
	TRY(check_ready(p));
	return put_frame(p, rpc_put_notify(p->bus->encoded, method_info(m)->name), method_info(m)->request(), msg, false);
}

/* ---- requests that wait for our answer ---- */

static struct bus_request *request_new(struct bus_peer *p, enum method m, uint32_t id)
{
	struct bus *b = p->bus;
	if (LIST_EMPTY(&b->free_requests)) {
		struct request_block *block = calloc(1, sizeof *block);
		if (!block)
			return NULL;
		SLIST_INSERT_HEAD(&b->request_blocks, block, link);
		for (size_t i = 0; i < REQUESTS_BLOCK; i++)
			LIST_INSERT_HEAD(&b->free_requests, &block->v[i], link);
	}
	struct bus_request *r = LIST_FIRST(&b->free_requests);
	LIST_REMOVE(r, link);
	LIST_INSERT_HEAD(&p->requests, r, link);
	p->n_requests++;
	r->bus = b;
	r->peer = p;
	r->method = m;
	r->id = id;
	return r;
}

static void request_free(struct bus_request *r)
{
	if (r->peer) {
		r->peer->n_requests--;
		LIST_REMOVE(r, link);
	}
	LIST_INSERT_HEAD(&r->bus->free_requests, r, link);
}

static void send_failure(struct bus_peer *p, uint32_t id, const char *name, const char *message)
{
	struct failure f = { 0 };
	struct text n = text_fixed(f.name, sizeof f.name), m = text_fixed(f.message, sizeof f.message);
	text_puts(&n, name);
	text_puts(&m, message);
	if (put_frame(p, rpc_put_error(p->bus->encoded, id), failure_schema(), &f, true))
		peer_drop(p, "no memory");
}

/** An answer cannot be refused as a call can, so a peer that takes none is let go. */
static bool can_answer(struct bus_request *r)
{
	if (!r->peer || r->peer->state != PEER_UP)
		return false;
	if (bus_peer_backlog(r->peer) <= BUS_BACKLOG_MAX)
		return true;
	peer_drop(r->peer, "does not take its answers: %zu octets wait", bus_peer_backlog(r->peer));
	return false;
}

void bus_reply(struct bus_request *r, const void *msg)
{
	if (can_answer(r)) {
		const struct method_info *info = method_info(r->method);
		int rc = put_frame(r->peer, rpc_put_result(r->bus->encoded, r->id), info->reply(), msg, false);
		if (rc == -ENOMEM)
			peer_drop(r->peer, "no memory");
		else if (rc)
			send_failure(r->peer, r->id, "internal", "the answer does not fit the bus");
	}
	request_free(r);
}

void bus_refuse(struct bus_request *r, const char *name, const char *message)
{
	if (can_answer(r))
		send_failure(r->peer, r->id, name, message);
	request_free(r);
}

/* ---- in ---- */

static void complain(struct bus_peer *p, const char *what, struct str method)
{
	if (p->complaints++ < COMPLAINTS_MAX)
		LOG(LOG_WARN, "bus_bad_message", KV_Z("address", p->bus->address), KV_Z("role", p->hello.role),
			KV_Z("why", what), KV_STR("method", method));
}

static void refuse_frame(struct bus_peer *p, const struct rpc_frame *f, const char *name, const char *message)
{
	complain(p, message, f->method);
	if (f->type == RPC_REQUEST)
		send_failure(p, f->id, name, message);
}

static void take_call(struct bus_peer *p, const struct rpc_frame *f)
{
	struct bus *b = p->bus;
	enum method m;
	if (method_find(f->method, &m) || !b->handlers[m].fn) {
		refuse_frame(p, f, "unknown_method", "this method is not served here");
		return;
	}
	const struct method_info *info = method_info(m);
	if ((f->type == RPC_REQUEST) != (info->reply != NULL)) {
		refuse_frame(p, f, "bad_message", info->reply ? "this method is no notification" : "this method is a notification");
		return;
	}
	if (msg_decode(info->request(), f->message.p, f->message.n, b->decoded)) {
		refuse_frame(p, f, "bad_message", "the message is not understood");
		return;
	}
	struct bus_request *r = NULL;
	if (f->type == RPC_REQUEST) {
		r = p->n_requests < REQUESTS_MAX ? request_new(p, m, f->id) : NULL;
		if (!r) {
			refuse_frame(p, f, "busy", "too many requests wait for an answer");
			return;
		}
	}
	b->handlers[m].fn(b->o.ctx, p, r, b->decoded);
}

static void finish_refused(struct call *call, struct slice message)
{
	struct failure f;
	if (msg_decode(failure_schema(), message.p, message.n, &f)) {
		f = (struct failure){ .name = "unknown", .message = "an error that is not understood" };
	}
	call->done(call->ctx, BUS_E_REFUSED, &f, NULL);
}

static void take_answer(struct bus_peer *p, const struct rpc_frame *f)
{
	struct bus *b = p->bus;
	struct call *open = calls_find(&p->calls, f->id);
	if (!open)
		return; /* timed out */
	struct call call = *open; /* `done` may call again, and take the slot */
	calls_close(&p->calls, open);
	if (!call.done)
		return;
	if (f->is_error) {
		finish_refused(&call, f->message);
		return;
	}
	int r = msg_decode(method_info(call.method)->reply(), f->message.p, f->message.n, b->decoded);
	if (r)
		complain(p, "the answer is not understood", str_of(method_info(call.method)->name));
	call.done(call.ctx, r, NULL, r ? NULL : b->decoded);
}

void call_dispatch(struct bus_peer *p, struct slice frame)
{
	struct rpc_frame f;
	if (rpc_parse(frame, &f))
		peer_drop(p, "sent what is no msgpack-RPC");
	else if (f.type == RPC_RESPONSE)
		take_answer(p, &f);
	else
		take_call(p, &f);
}

static void finish_first(struct bus_peer *p, struct call *first, int status)
{
	struct call call = *first;
	calls_close(&p->calls, first);
	if (call.done)
		call.done(call.ctx, status, NULL, NULL);
}

void call_fail_due(struct bus_peer *p, uint64_t now_us)
{
	/* At most as many as are open: `done` may open calls that are due at once. */
	struct call *c;
	for (size_t left = p->calls.n_open; left && p->state == PEER_UP && (c = calls_first_due(&p->calls, now_us)); left--)
		finish_first(p, c, -ETIMEDOUT);
}

void call_abandon(struct bus_peer *p)
{
	/* The peer is DEAD, so that `done` cannot open new calls on it. */
	for (struct call *c; (c = calls_first_due(&p->calls, UINT64_MAX));)
		finish_first(p, c, -ECONNRESET);
	while (!LIST_EMPTY(&p->requests)) {
		struct bus_request *r = LIST_FIRST(&p->requests);
		LIST_REMOVE(r, link);
		r->peer = NULL;
	}
	p->n_requests = 0;
}
