/** @file One request after the other over one connection, and what became of it. */
#include "as/integrations/http_post.h"
#include "as/core/integration/http_answer.h"
#include "as/integrations/tls_client.h"
#include "common/core/crypto.h"
#include "common/net_tls.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_CAP = 256, WHY_CAP = 640, READ_BYTES = 16 << 10, REQUEST_MAX = 1 << 20, DIAL_LESS_US = 100000 };

enum step { STEP_CLOSED, STEP_DIAL, STEP_TLS, STEP_ANSWER, STEP_IDLE, STEP_DONE };

struct http_post {
	struct loop *loop;
	struct resolver *resolver;
	struct http_post_options options;
	void (*done)(void *ctx, const struct http_result *result);
	void *ctx;
	struct loop_timer *timer;

	enum step step;
	char host[HOST_CAP];
	uint16_t port;
	struct ssl_ctx_st *tls;
	struct dial *dial;
	struct bufferevent *bev;
	bool is_reused; /**< the connection has had a request before */
	uint64_t due_us;
	struct text request;
	struct http_answer answer;
	unsigned status;
	char why[WHY_CAP];
};

static void connect_anew(struct http_post *p);

static void unplug(struct http_post *p)
{
	dial_cancel(TAKE(p->dial));
	if (!p->bev)
		return;
	if (!evbuffer_get_length(bufferevent_get_output(p->bev)))
		net_tls_close(p->bev);
	bufferevent_free(TAKE(p->bev));
}

/** A connection without a request is of no use any more. */
static void forsake(struct http_post *p)
{
	unplug(p);
	if (p->step == STEP_DONE) /* what came of the last one is still to be told */
		return;
	p->step = STEP_CLOSED;
	loop_timer_at(p->timer, UINT64_MAX);
}

/** It holds secrets, and may be long. */
static void forget_request(struct http_post *p)
{
	if (p->request.p)
		crypto_forget(p->request.p, p->request.len);
	text_done(&p->request);
	p->request = text_growing(REQUEST_MAX);
}

/** The end of the request: told from the timer, so never from within what its owner does. */
static void end(struct http_post *p, unsigned status)
{
	p->status = status;
	p->step = STEP_DONE;
	loop_timer_in(p->timer, 0);
}

static void fail(struct http_post *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct http_post *p, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(p->why, sizeof p->why, fmt, args);
	va_end(args);
	unplug(p);
	end(p, p->answer.has_head ? p->answer.status : 0);
}

static void answered(struct http_post *p)
{
	struct text t = text_fixed(p->why, sizeof p->why);
	const struct http_answer *a = &p->answer;
	text_printf(&t, "%s answered %u", p->host, a->status);
	if (a->location[0] && a->status / 100 == 3)
		text_printf(&t, ": it is at %s now, and redirections are not followed", a->location);
	else if (a->beginning[0] && a->status / 100 != 2)
		text_printf(&t, ": %s", a->beginning);
	if (!a->keeps_alive)
		unplug(p);
	end(p, a->status);
}

/** The connection has ended. One that was kept may have been closed just before the request came: that is nobody's failure. */
static void lost(struct http_post *p, const char *how)
{
	bool is_unheard = p->is_reused && p->answer.state == ANSWER_STATUS && !p->answer.line_n;
	/* Whatever came behind its head, an answer's number counts. */
	if (!http_answer_end(&p->answer) || p->answer.has_head) {
		answered(p);
		return;
	}
	if (is_unheard) {
		unplug(p);
		connect_anew(p);
		return;
	}
	fail(p, "%s closed the connection without an answer%s%s", p->host, *how ? ": " : "", how);
}

/* ---- the bufferevent ---- */

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct http_post *p = ctx;
	struct evbuffer *in = bufferevent_get_input(bev);
	if (p->step == STEP_IDLE || p->step == STEP_DONE) { /* nobody has asked */
		forsake(p);
		return;
	}
	for (size_t n; p->step == STEP_ANSWER && (n = evbuffer_get_contiguous_space(in)) > 0;) {
		int e = http_answer_take(&p->answer, evbuffer_pullup(in, (ev_ssize_t)n), n);
		(void)evbuffer_drain(in, n);
		if (p->answer.state == ANSWER_DONE) {
			answered(p);
		} else if (e && p->answer.has_head) {
			answered(p);
		} else if (e) {
			fail(p, "%s answered with something that is no HTTP, or too long", p->host);
		}
	}
}

static void send_request(struct http_post *p)
{
	p->step = STEP_ANSWER;
	http_answer_init(&p->answer);
	if (bufferevent_write(p->bev, p->request.p, p->request.len))
		fail(p, "there is no memory for a request");
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct http_post *p = ctx;
	int error = EVUTIL_SOCKET_ERROR();
	char words[WHY_CAP / 2] = "";
	struct text t = text_fixed(words, sizeof words);
	if (what & BEV_EVENT_CONNECTED) { /* TLS is up */
		if (p->step == STEP_TLS)
			send_request(p);
		return;
	}
	if (p->tls)
		(void)tls_client_why(bev, p->host, &t);
	if (!words[0] && (what & BEV_EVENT_ERROR) && error)
		text_puts(&t, evutil_socket_error_to_string(error));
	if (p->step == STEP_IDLE || p->step == STEP_DONE) {
		forsake(p);
	} else if (p->step == STEP_TLS) {
		fail(p, "%s%s", *words ? words : p->host, *words ? "" : " closed the connection instead of a TLS handshake");
	} else if (p->step == STEP_ANSWER) {
		lost(p, words);
	}
}

static void on_dialled(void *ctx, int fd, const char *why)
{
	struct http_post *p = ctx;
	struct event_base *base = loop_base(p->loop);
	p->dial = NULL;
	if (fd < 0) {
		fail(p, "%s", why);
		return;
	}
	p->bev = p->tls ? net_tls_connect(base, p->tls, p->host) : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!p->bev || bufferevent_setfd(p->bev, fd)) {
		evutil_closesocket(fd);
		fail(p, "there is no memory for a connection");
		return;
	}
	bufferevent_setcb(p->bev, on_read, NULL, on_event, p);
	(void)bufferevent_set_max_single_read(p->bev, READ_BYTES);
	(void)bufferevent_enable(p->bev, EV_READ | EV_WRITE);
	p->step = STEP_TLS;
	if (!p->tls)
		send_request(p);
}

static void connect_anew(struct http_post *p)
{
	/* A little less than there is: the dial knows better what it has waited for. */
	uint64_t end_us = loop_now(p->loop)->mono_us + DIAL_LESS_US;
	struct dial_options o = { p->host, p->port, p->due_us > end_us ? p->due_us - end_us : 0, p->options.is_public_only };
	p->is_reused = false;
	p->step = STEP_DIAL;
	if (dial_start(p->loop, p->resolver, &o, on_dialled, p, &p->dial))
		fail(p, "there is no memory for a connection");
}

static void tell(struct http_post *p)
{
	char why[WHY_CAP], retry_after[sizeof p->answer.retry_after];
	struct http_result r = { p->status, retry_after, why };
	memcpy(why, p->why, sizeof why);
	memcpy(retry_after, p->answer.retry_after, sizeof retry_after);
	forget_request(p);
	p->step = p->bev ? STEP_IDLE : STEP_CLOSED;
	loop_timer_at(p->timer, p->bev ? loop_now(p->loop)->mono_us + p->options.idle_us : UINT64_MAX);
	p->done(p->ctx, &r); /* p may be gone */
}

static void on_timer(void *ctx)
{
	struct http_post *p = ctx;
	unsigned long long s = p->options.timeout_us / SEC_US;
	if (p->step == STEP_DONE) {
		tell(p);
	} else if (p->step == STEP_IDLE) {
		forsake(p);
	} else if (p->step == STEP_ANSWER) {
		fail(p, "%s has not answered within %llu s", p->host, s);
	} else if (p->step != STEP_CLOSED) {
		fail(p, "there is no connection with %s within %llu s", p->host, s);
	}
}

/* ---- from outside ---- */

struct http_post *http_post_new(struct loop *l, struct resolver *r, const struct http_post_options *o,
	void (*done)(void *ctx, const struct http_result *result), void *ctx)
{
	AUTO(http_post_free) struct http_post *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->loop = l;
	p->resolver = r;
	p->options = *o;
	p->done = done;
	p->ctx = ctx;
	p->request = text_growing(REQUEST_MAX);
	p->timer = loop_timer_new(l, on_timer, p);
	return p->timer ? TAKE(p) : NULL;
}

void http_post_close(struct http_post *p)
{
	unplug(p);
	p->step = STEP_CLOSED;
	if (p->timer)
		loop_timer_at(p->timer, UINT64_MAX);
}

void http_post_free(struct http_post *p)
{
	if (!p)
		return;
	http_post_close(p);
	loop_timer_free(p->timer);
	forget_request(p);
	free(p);
}

bool http_post_is_busy(const struct http_post *p)
{
	return p->step != STEP_CLOSED && p->step != STEP_IDLE;
}

bool http_post_is_open(const struct http_post *p)
{
	return p->step != STEP_CLOSED;
}

int http_post_send(struct http_post *p, const struct http_place *to, struct str request)
{
	if (http_post_is_busy(p))
		return -EBUSY;
	forget_request(p);
	text_put(&p->request, request);
	if (p->request.failed)
		return -ENOMEM;
	bool is_same = p->step == STEP_IDLE && !strcmp(p->host, to->host) && p->port == to->port && p->tls == to->tls;
	if (!is_same)
		http_post_close(p);
	if (str_copy(str_of(to->host), p->host, sizeof p->host))
		return -ENOMEM;
	p->port = to->port;
	p->tls = to->tls;
	p->due_us = loop_now(p->loop)->mono_us + p->options.timeout_us;
	http_answer_init(&p->answer);
	p->is_reused = is_same;
	loop_timer_at(p->timer, p->due_us);
	if (is_same)
		send_request(p);
	else
		connect_anew(p);
	return 0;
}
