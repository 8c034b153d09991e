/** @file One HTTP connection: reads requests one after the other, writes what answers them. */
#include "common/http_conn.h"
#include "common/net_tls.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_LINE_MAX = 256, READ_AHEAD_BYTES = 64 << 10, SHOWN_CAP = 96 };
#define LINGER_LIMIT_US (2 * SEC_US)

static void on_read(struct bufferevent *bev, void *ctx);

static void request_reset(struct http_request *r)
{
	free(r->head_text);
	r->head_text = NULL;
	r->head = (struct http_head){ 0 };
	evbuffer_drain(r->body, evbuffer_get_length(r->body));
	r->left = r->begun_us = 0;
	r->scanned = r->trailer_bytes = r->param_n = 0;
	r->on_close = NULL;
}

/** It is no longer one of the server's. */
static void leave(struct http_request *r)
{
	TAILQ_REMOVE(&r->server->requests, r, link);
	if (r->refusal)
		r->server->refused_n--;
	else
		r->server->stats.connections--;
	r->server = NULL;
}

void http_conn_free(struct http_request *r)
{
	if (r->server)
		leave(r);
	if (r->bev)
		bufferevent_free(r->bev);
	loop_timer_free(r->timer);
	free(r->head_text);
	if (r->body)
		evbuffer_free(r->body);
	free(r);
}

void http_conn_close(struct http_request *r)
{
	bool is_out = r->state == HTTP_HANDLING || r->state == HTTP_STREAMING;
	if (is_out && r->on_close) {
		void (*fn)(void *ctx) = r->on_close;
		void *ctx = r->on_close_ctx;
		r->on_close = NULL;
		fn(ctx);
	} else if (is_out) {
		/* The handler still holds it, and will answer into the void. */
		leave(r);
		bufferevent_free(TAKE(r->bev));
		loop_timer_free(TAKE(r->timer));
		r->state = HTTP_GONE;
		return;
	}
	http_conn_free(r);
}

bool http_conn_is_idle(const struct http_request *r)
{
	return r->state == HTTP_HEAD && evbuffer_get_length(bufferevent_get_input(r->bev)) == 0;
}

void http_conn_next(struct http_request *r)
{
	struct http_server *server = r->server;
	if (r->closes) {
		r->state = HTTP_FLUSHING;
		/* Not closed from here: the caller may be inside a callback of this connection. */
		if (evbuffer_get_length(bufferevent_get_output(r->bev)) == 0)
			bufferevent_trigger(r->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
		return;
	}
	request_reset(r);
	r->state = HTTP_HEAD;
	TAILQ_REMOVE(&server->requests, r, link);
	TAILQ_INSERT_TAIL(&server->requests, r, link);
	loop_timer_in(r->timer, server->options.limits.idle_us);
	if (evbuffer_get_length(bufferevent_get_input(r->bev)))
		bufferevent_trigger(r->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

static const struct http_limits *limits_of(const struct http_request *r)
{
	return &r->server->options.limits;
}

/** A request that cannot be read to its end: say why, and close. */
static void fail(struct http_request *r, int status, const char *message)
{
	r->closes = r->lingers = true;
	loop_timer_at(r->timer, UINT64_MAX);
	http_reply_error(r, status, message);
}

/** What it says of a request that is over a bound of so many octets. */
static void fail_size(struct http_request *r, int status, const char *what, size_t bound)
{
	char why[SHOWN_CAP];
	bool is_mib = bound % (1 << 20) == 0, is_kib = bound % (1 << 10) == 0;
	snprintf(why, sizeof why, "%s is larger than %zu %s", what, bound / (is_mib ? 1 << 20 : is_kib ? 1 << 10 : 1),
		is_mib ? "MiB" : is_kib ? "KiB" : "octets");
	fail(r, status, why);
}

static const char *message_of(int status)
{
	switch (status) {
	case 431:
		return "the head of the request has more than 64 fields";
	case 501:
		return "the only transfer coding is chunked";
	case 505:
		return "HTTP 1.0 and 1.1 are spoken here";
	default:
		return "malformed HTTP request";
	}
}

static void fail_refused(struct http_request *r)
{
	fail(r, r->refusal, r->refusal == 429 ? "this address has as many connections as one address may have"
					      : "there are as many connections as there may be");
}

static void send_continue(struct http_request *r)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (r->head.expects_continue && evbuffer_get_length(bufferevent_get_input(r->bev)) == 0)
		bufferevent_write(r->bev, line, sizeof line - 1);
}

static void too_large(struct http_request *r)
{
	fail_size(r, 413, "the body", limits_of(r)->body_bytes);
}

static void begin_body(struct http_request *r)
{
	r->closes = !r->head.keeps_alive;
	if (r->head.content_length > limits_of(r)->body_bytes) {
		too_large(r);
		return;
	}
	r->left = r->head.content_length;
	r->state = r->head.is_chunked ? HTTP_CHUNK_LINE : HTTP_BODY;
	if (r->left || r->head.is_chunked)
		send_continue(r);
}

/* The steps of reading: each returns whether it came further, so that the next one may be tried. */

/** A first octet has come: what it begins has its time. @return may it be read on */
static bool begin_head(struct http_request *r, struct evbuffer *in)
{
	char first;
	evbuffer_copyout(in, &first, 1);
	loop_timer_in(r->timer, limits_of(r)->request_us);
	if (r->refusal)
		fail_refused(r);
	else if (first <= ' ' || first == 0x7f)
		fail(r, 400, message_of(400)); /* nothing that HTTP begins with, TLS perhaps, which would wait for an answer */
	return r->state == HTTP_HEAD;
}

/** The head has grown too large: because of its first line, or of its fields? */
static void fail_head(struct http_request *r, struct evbuffer *in)
{
	struct evbuffer_ptr line = evbuffer_search(in, "\r\n", 2, NULL);
	bool is_line = line.pos < 0 || (size_t)line.pos > limits_of(r)->head_bytes;
	fail_size(r, is_line ? 414 : 431, is_line ? "the first line of the request" : "the head of the request", limits_of(r)->head_bytes);
}

/** How many octets the head has. @return 0: it is not there yet, or the request has failed */
static size_t find_head(struct http_request *r, struct evbuffer *in)
{
	struct evbuffer_ptr from, end;
	char first;
	/* An empty line before a request line is to be ignored (RFC 9112 2.2). */
	while (r->scanned == 0 && evbuffer_copyout(in, &first, 1) == 1 && (first == '\r' || first == '\n'))
		evbuffer_drain(in, 1);
	size_t have = evbuffer_get_length(in);
	if (have == 0 || evbuffer_get_length(bufferevent_get_output(r->bev)) > limits_of(r)->output_bytes)
		return 0;
	if (r->scanned == 0 && !begin_head(r, in))
		return 0;
	evbuffer_ptr_set(in, &from, r->scanned > 3 ? r->scanned - 3 : 0, EVBUFFER_PTR_SET);
	end = evbuffer_search(in, "\r\n\r\n", 4, &from);
	size_t n = end.pos < 0 ? have : (size_t)end.pos + 4;
	r->scanned = have;
	if (n > limits_of(r)->head_bytes) {
		fail_head(r, in);
		return 0;
	}
	return end.pos < 0 ? 0 : n;
}

static bool read_head(struct http_request *r, struct evbuffer *in)
{
	size_t n = find_head(r, in);
	if (n == 0)
		return false;
	r->head_text = malloc(n);
	if (!r->head_text) {
		fail(r, 503, "out of memory");
		return false;
	}
	evbuffer_remove(in, r->head_text, n);
	int status = http_head_parse(r->head_text, n, &r->head);
	if (status)
		fail(r, status, message_of(status));
	else
		begin_body(r);
	return status == 0;
}

static void dispatch(struct http_request *r)
{
	loop_timer_at(r->timer, UINT64_MAX);
	r->state = HTTP_HANDLING;
	r->begun_us = loop_measure_us();
	http_dispatch(r);
}

static bool read_body(struct http_request *r, struct evbuffer *in)
{
	if (r->left) {
		size_t have = evbuffer_get_length(in), n = have < r->left ? have : (size_t)r->left;
		evbuffer_remove_buffer(in, r->body, n);
		r->left -= n;
	}
	if (r->left)
		return false;
	if (r->state == HTTP_CHUNK_DATA)
		r->state = HTTP_CHUNK_END;
	else
		dispatch(r);
	return true;
}

static bool read_chunk_line(struct http_request *r, struct evbuffer *in)
{
	size_t n = 0;
	char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_CRLF_STRICT);
	if (!line) {
		if (evbuffer_get_length(in) > CHUNK_LINE_MAX)
			fail(r, 400, message_of(400));
		return false;
	}
	int rc = n > CHUNK_LINE_MAX ? -EINVAL : http_chunk_length((struct str){ line, n }, &r->left);
	free(line);
	if (rc)
		fail(r, 400, message_of(400));
	else if (r->left > limits_of(r)->body_bytes - evbuffer_get_length(r->body))
		too_large(r);
	else
		r->state = r->left ? HTTP_CHUNK_DATA : HTTP_TRAILER;
	return true;
}

static bool read_chunk_end(struct http_request *r, struct evbuffer *in)
{
	char end[2];
	if (evbuffer_get_length(in) < sizeof end)
		return false;
	evbuffer_remove(in, end, sizeof end);
	if (end[0] != '\r' || end[1] != '\n')
		fail(r, 400, message_of(400));
	else
		r->state = HTTP_CHUNK_LINE;
	return true;
}

/** Fields after the last chunk are read and forgotten. */
static bool read_trailer(struct http_request *r, struct evbuffer *in)
{
	size_t n = 0;
	char *line = evbuffer_readln(in, &n, EVBUFFER_EOL_CRLF_STRICT);
	r->trailer_bytes += line ? n + 2 : 0;
	bool has_line = line != NULL;
	free(line);
	if (r->trailer_bytes + (has_line ? 0 : evbuffer_get_length(in)) > limits_of(r)->head_bytes)
		fail_size(r, 431, "the trailer of the request", limits_of(r)->head_bytes);
	else if (has_line && n == 0)
		dispatch(r);
	return has_line;
}

static bool step(struct http_request *r, struct evbuffer *in)
{
	switch (r->state) {
	case HTTP_HEAD:
		return read_head(r, in);
	case HTTP_BODY:
	case HTTP_CHUNK_DATA:
		return read_body(r, in);
	case HTTP_CHUNK_LINE:
		return read_chunk_line(r, in);
	case HTTP_CHUNK_END:
		return read_chunk_end(r, in);
	case HTTP_TRAILER:
		return read_trailer(r, in);
	case HTTP_FLUSHING:
	case HTTP_LINGERING:
		evbuffer_drain(in, evbuffer_get_length(in));
		return false;
	case HTTP_HANDLING:
	case HTTP_STREAMING:
	case HTTP_UPGRADED:
	case HTTP_GONE:
		break;
	}
	return false;
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct http_request *r = ctx;
	while (r->state != HTTP_UPGRADED && step(r, bufferevent_get_input(bev)))
		;
	if (r->state == HTTP_UPGRADED)
		http_conn_free(r);
}

/** All that was written has been taken. */
static void on_written(struct bufferevent *bev, void *ctx)
{
	struct http_request *r = ctx;
	if (r->state == HTTP_FLUSHING && r->lingers) {
		r->state = HTTP_LINGERING;
		net_tls_close(bev);
		shutdown(bufferevent_getfd(bev), SHUT_WR);
		loop_timer_in(r->timer, LINGER_LIMIT_US);
		on_read(bev, r);
	} else if (r->state == HTTP_FLUSHING) {
		net_tls_close(bev);
		http_conn_close(r);
	} else if (r->state == HTTP_HEAD) {
		on_read(bev, r);
	}
}

/** A client that speaks HTTP to a port of TLS reads HTTP. */
static void answer_plain(struct bufferevent *bev)
{
	static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n"
				     "{\"code\":3,\"message\":\"this port speaks HTTPS: the address begins with https://\",\"details\":[]}";
	char rest[4096];
	int fd = bufferevent_getfd(bev);
	(void)send(fd, answer, sizeof answer - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	/* What is not read would make a reset of the end, and the answer would be lost with it. */
	while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) == (ssize_t)sizeof rest)
		;
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct http_request *r = ctx;
	if (what & BEV_EVENT_CONNECTED) /* TLS has shaken hands */
		return;
	bool is_end = (what & BEV_EVENT_EOF) && !(what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT));
	bool flushes = r->state == HTTP_FLUSHING && evbuffer_get_length(bufferevent_get_output(bev)) > 0;
	if (is_end && flushes)
		return;
	if ((what & BEV_EVENT_ERROR) && net_tls_heard_http(bev))
		answer_plain(bev);
	/* A peer that said all it has to say may still wait for its answer. */
	if (is_end && r->state == HTTP_HANDLING && !r->on_close)
		r->closes = true;
	else
		http_conn_close(r);
}

static void on_timer(void *ctx)
{
	struct http_request *r = ctx;
	char why[SHOWN_CAP];
	bool is_late = r->state >= HTTP_BODY && r->state < HTTP_HANDLING;
	if (is_late || (r->state == HTTP_HEAD && !http_conn_is_idle(r))) {
		snprintf(why, sizeof why, "the request took longer than %g s to arrive", (double)limits_of(r)->request_us / SEC_US);
		fail(r, 408, why);
	} else {
		net_tls_close(r->bev);
		http_conn_close(r);
	}
}

/** What a connection needs besides itself. @return 0; -ENOMEM */
static int equip(struct http_request *r, struct http_port *p, int fd)
{
	r->bev = net_tls_accept(loop_base(p->server->loop), fd, p->tls);
	if (!r->bev)
		close(fd);
	r->timer = loop_timer_new(p->server->loop, on_timer, r);
	r->body = evbuffer_new();
	return r->bev && r->timer && r->body ? 0 : -ENOMEM;
}

int http_conn_open(struct http_port *p, int fd, const struct net_address *from, int refusal)
{
	const struct http_limits *limits = &p->server->options.limits;
	const struct timeval write_limit = { .tv_sec = (time_t)(limits->write_us / SEC_US), .tv_usec = (suseconds_t)(limits->write_us % SEC_US) };
	int yes = 1;
	struct http_request *r = calloc(1, sizeof *r);
	if (!r) {
		close(fd);
		return -ENOMEM;
	}
	if (equip(r, p, fd)) {
		http_conn_free(r);
		return -ENOMEM;
	}
	r->server = p->server;
	r->peer = *from;
	r->refusal = refusal;
	TAILQ_INSERT_TAIL(&p->server->requests, r, link);
	if (refusal)
		p->server->refused_n++;
	else
		p->server->stats.connections++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	bufferevent_setcb(r->bev, on_read, on_written, on_event, r);
	bufferevent_setwatermark(r->bev, EV_READ, 0, limits->head_bytes + READ_AHEAD_BYTES);
	bufferevent_set_timeouts(r->bev, NULL, &write_limit);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
	loop_timer_in(r->timer, refusal ? LINGER_LIMIT_US : limits->idle_us);
	return 0;
}

struct str http_body(const struct http_request *r)
{
	size_t n = evbuffer_get_length(r->body);
	/* In one piece; that it may have to be moved for that changes nothing that anyone sees. */
	const unsigned char *p = n ? evbuffer_pullup(r->body, -1) : NULL;
	return p ? (struct str){ (const char *)p, n } : STR("");
}
