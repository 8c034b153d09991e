/** @file One HTTP connection: reads requests one after the other, writes what answers them. */
#include "common/http_conn.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "common/net.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	CHUNK_LINE_MAX = 256,
	READ_AHEAD_BYTES = 64 << 10,
	OUTPUT_MAX_BYTES = 1 << 20, /**< not taken by the peer yet */
	WRITE_LIMIT_S = 60,
};
#define READ_LIMIT_US   (60 * SEC_US) /* for a head, then for its body; also how long a connection may be idle */
#define LINGER_LIMIT_US (2 * SEC_US)

/** What is true of a status everywhere: its phrase, and the gRPC code of its errors. */
static const struct status {
	int status, code;
	const char *phrase;
} statuses[] = {
	{ 101, 0, "Switching Protocols" }, { 200, 0, "OK" }, { 201, 0, "Created" }, { 202, 0, "Accepted" }, { 204, 0, "No Content" },
	{ 400, 3, "Bad Request" }, { 401, 16, "Unauthorized" }, { 403, 7, "Forbidden" }, { 404, 5, "Not Found" },
	{ 405, 12, "Method Not Allowed" }, { 408, 4, "Request Timeout" }, { 409, 6, "Conflict" },
	{ 412, 9, "Precondition Failed" }, { 413, 3, "Content Too Large" }, { 414, 3, "URI Too Long" },
	{ 415, 3, "Unsupported Media Type" }, { 422, 3, "Unprocessable Content" }, { 426, 9, "Upgrade Required" }, { 429, 8, "Too Many Requests" },
	{ 431, 3, "Request Header Fields Too Large" }, { 500, 13, "Internal Server Error" },
	{ 501, 12, "Not Implemented" }, { 503, 14, "Service Unavailable" }, { 504, 4, "Gateway Timeout" },
	{ 505, 3, "HTTP Version Not Supported" },
};

static const struct status *status_of(int status)
{
	static const struct status unknown = { 0, 2, "Status" };
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return &unknown;
}

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

static void conn_free(struct http_request *r)
{
	if (r->server) {
		TAILQ_REMOVE(&r->server->requests, r, link);
		r->server->n--;
	}
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
		TAILQ_REMOVE(&r->server->requests, r, link);
		r->server->n--;
		r->server = NULL;
		bufferevent_free(r->bev);
		loop_timer_free(r->timer);
		r->bev = NULL;
		r->timer = NULL;
		r->state = HTTP_GONE;
		return;
	}
	conn_free(r);
}

bool http_conn_is_idle(const struct http_request *r)
{
	return r->state == HTTP_HEAD && evbuffer_get_length(bufferevent_get_input(r->bev)) == 0;
}

static void put_date(struct text *t)
{
	char date[40];
	struct tm utc;
	time_t now = time(NULL);
	if (gmtime_r(&now, &utc) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc))
		text_printf(t, "Date: %s\r\n", date);
}

/** The head of an answer; framing is its Content-Length or Transfer-Encoding line, or empty. */
static void send_head(struct http_request *r, int status, const char *content_type, const char *framing, const char *more)
{
	char buf[1024];
	struct text t = text_fixed(buf, sizeof buf);
	r->server->stats.requests[(unsigned)status / 100 % HTTP_CLASSES]++;
	text_printf(&t, "HTTP/1.1 %d %s\r\n", status, status_of(status)->phrase);
	put_date(&t);
	if (content_type)
		text_printf(&t, "Content-Type: %s\r\n", content_type);
	text_puts(&t, framing);
	text_puts(&t, more);
	if (r->closes)
		text_puts(&t, "Connection: close\r\n");
	else if (r->head.is_http10)
		text_puts(&t, "Connection: keep-alive\r\n");
	text_puts(&t, "\r\n");
	bufferevent_write(r->bev, t.p, t.len);
	LOG(LOG_DEBUG, "http", KV_Z("method", r->head.method), KV_Z("path", r->head.path), KV_I("status", status));
}

/** The answer is written: go on with the next request, or close. */
static void finish(struct http_request *r)
{
	if (r->closes) {
		r->state = HTTP_FLUSHING;
		/* Not closed from here: the caller may be inside a callback of this connection. */
		if (evbuffer_get_length(bufferevent_get_output(r->bev)) == 0)
			bufferevent_trigger(r->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
		return;
	}
	request_reset(r);
	r->state = HTTP_HEAD;
	loop_timer_in(r->timer, READ_LIMIT_US);
	if (evbuffer_get_length(bufferevent_get_input(r->bev)))
		bufferevent_trigger(r->bev, EV_READ, BEV_OPT_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

static bool is_head(const struct http_request *r)
{
	return r->head.method && !strcmp(r->head.method, "HEAD");
}

static void reply(struct http_request *r, int status, const char *content_type, struct str body, const char *more)
{
	char framing[64] = "";
	if (r->state == HTTP_GONE) {
		conn_free(r);
		return;
	}
	if (r->begun_us) /* streams last as long as the peer likes, and are not timed */
		histogram_add(&r->server->stats.took, us_since(r->begun_us, loop_measure_us()));
	if (status != 204)
		snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", body.n);
	send_head(r, status, status == 204 ? NULL : content_type, framing, more);
	if (status != 204 && !is_head(r) && body.n)
		bufferevent_write(r->bev, body.p, body.n);
	finish(r);
}

void http_reply_text(struct http_request *r, int status, const char *content_type, struct str body)
{
	reply(r, status, content_type, body, "");
}

void http_reply_json(struct http_request *r, int status, struct str body)
{
	reply(r, status, "application/json", body, "");
}

void http_reply_json_more(struct http_request *r, int status, struct str body, const char *lines)
{
	reply(r, status, "application/json", body, lines);
}

/** As http_reply_error, with a header line that the status asks for. */
static void reply_error(struct http_request *r, int status, const char *message, const char *more)
{
	AUTO(text_done) struct text t = text_growing(64 << 10);
	json_open(&t, '{');
	json_name(&t, "code");
	json_num(&t, status_of(status)->code);
	json_name(&t, "message");
	json_puts(&t, message);
	json_name(&t, "details");
	json_open(&t, '[');
	json_close(&t, ']');
	json_close(&t, '}');
	reply(r, status, "application/json", text_str(&t), more);
}

void http_reply_error(struct http_request *r, int status, const char *message)
{
	/* What the status asks for besides: how to do better. */
	const char *more = status == 401   ? "WWW-Authenticate: Bearer\r\n"
			   : status == 426 ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
					   : "";
	reply_error(r, status, message, more);
}

void http_conn_refuse_method(struct http_request *r, const char *allow)
{
	char more[96];
	snprintf(more, sizeof more, "Allow: %s\r\n", allow);
	reply_error(r, 405, "this path does not have that method", more);
}

/** A request that cannot be read to its end: say why, and close. */
static void fail(struct http_request *r, int status, const char *message)
{
	r->closes = r->lingers = true;
	loop_timer_at(r->timer, UINT64_MAX);
	http_reply_error(r, status, message);
}

static const char *message_of(int status)
{
	switch (status) {
	case 414:
	case 431:
		return "the head of the request is larger than 16 KiB or has more than 64 fields";
	case 501:
		return "the only transfer coding is chunked";
	case 505:
		return "HTTP 1.0 and 1.1 are spoken here";
	default:
		return "malformed HTTP request";
	}
}

static void send_continue(struct http_request *r)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
	if (r->head.expects_continue && evbuffer_get_length(bufferevent_get_input(r->bev)) == 0)
		bufferevent_write(r->bev, line, sizeof line - 1);
}

static void too_large(struct http_request *r)
{
	fail(r, 413, "the body is larger than 1 MiB");
}

static void begin_body(struct http_request *r)
{
	r->closes = !r->head.keeps_alive;
	loop_timer_in(r->timer, READ_LIMIT_US);
	if (r->head.content_length > HTTP_BODY_MAX) {
		too_large(r);
		return;
	}
	r->left = r->head.content_length;
	r->state = r->head.is_chunked ? HTTP_CHUNK_LINE : HTTP_BODY;
	if (r->left || r->head.is_chunked)
		send_continue(r);
}

/* The steps of reading: each returns whether it came further, so that the next one may be tried. */

static bool read_head(struct http_request *r, struct evbuffer *in)
{
	struct evbuffer_ptr from, end;
	char first;
	/* An empty line before a request line is to be ignored (RFC 9112 2.2). */
	while (r->scanned == 0 && evbuffer_copyout(in, &first, 1) == 1 && (first == '\r' || first == '\n'))
		evbuffer_drain(in, 1);
	size_t have = evbuffer_get_length(in);
	if (have == 0 || evbuffer_get_length(bufferevent_get_output(r->bev)) > OUTPUT_MAX_BYTES)
		return false;
	evbuffer_ptr_set(in, &from, r->scanned > 3 ? r->scanned - 3 : 0, EVBUFFER_PTR_SET);
	end = evbuffer_search(in, "\r\n\r\n", 4, &from);
	size_t n = end.pos < 0 ? have : (size_t)end.pos + 4;
	r->scanned = have;
	if (n > HTTP_HEAD_MAX) {
		fail(r, 431, message_of(431));
		return false;
	}
	if (end.pos < 0)
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
	else if (r->left > HTTP_BODY_MAX - evbuffer_get_length(r->body))
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
	if (r->trailer_bytes + (has_line ? 0 : evbuffer_get_length(in)) > HTTP_HEAD_MAX)
		fail(r, 431, message_of(431));
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
		conn_free(r);
}

/** All that was written has been taken. */
static void on_written(struct bufferevent *bev, void *ctx)
{
	struct http_request *r = ctx;
	if (r->state == HTTP_FLUSHING && r->lingers) {
		r->state = HTTP_LINGERING;
		shutdown(bufferevent_getfd(bev), SHUT_WR);
		loop_timer_in(r->timer, LINGER_LIMIT_US);
		on_read(bev, r);
	} else if (r->state == HTTP_FLUSHING) {
		http_conn_close(r);
	} else if (r->state == HTTP_HEAD) {
		on_read(bev, r);
	}
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct http_request *r = ctx;
	bool is_end = (what & BEV_EVENT_EOF) && !(what & (BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT));
	bool flushes = r->state == HTTP_FLUSHING && evbuffer_get_length(bufferevent_get_output(bev)) > 0;
	if (is_end && flushes)
		return;
	/* A peer that said all it has to say may still wait for its answer. */
	if (is_end && r->state == HTTP_HANDLING && !r->on_close)
		r->closes = true;
	else
		http_conn_close(r);
}

static void on_timer(void *ctx)
{
	struct http_request *r = ctx;
	bool is_late = r->state >= HTTP_BODY && r->state < HTTP_HANDLING;
	if (is_late || (r->state == HTTP_HEAD && !http_conn_is_idle(r)))
		fail(r, 408, "the request took longer than 60 s to arrive");
	else
		http_conn_close(r);
}

int http_conn_open(struct http_server *s, int fd)
{
	static const struct timeval write_limit = { .tv_sec = WRITE_LIMIT_S };
	int yes = 1;
	struct http_request *r = calloc(1, sizeof *r);
	struct bufferevent *bev = r ? bufferevent_socket_new(loop_base(s->loop), fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (!bev) {
		close(fd);
		free(r);
		return -ENOMEM;
	}
	r->server = s;
	r->bev = bev;
	TAILQ_INSERT_TAIL(&s->requests, r, link);
	s->n++;
	r->timer = loop_timer_new(s->loop, on_timer, r);
	r->body = evbuffer_new();
	if (!r->timer || !r->body) {
		conn_free(r);
		return -ENOMEM;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	bufferevent_setcb(bev, on_read, on_written, on_event, r);
	bufferevent_setwatermark(bev, EV_READ, 0, READ_AHEAD_BYTES);
	bufferevent_set_timeouts(bev, NULL, &write_limit);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	loop_timer_in(r->timer, READ_LIMIT_US);
	return 0;
}

bool http_may_upgrade(const struct http_request *r)
{
	return r->bev && !is_head(r) && !r->head.is_http10;
}

struct bufferevent *http_upgrade(struct http_request *r, const char *lines)
{
	r->closes = false;
	send_head(r, 101, NULL, lines, "");
	bufferevent_setcb(r->bev, NULL, NULL, NULL, NULL);
	r->state = HTTP_UPGRADED;
	return TAKE(r->bev);
}

void http_on_close(struct http_request *r, void (*fn)(void *ctx), void *ctx)
{
	r->on_close = fn;
	r->on_close_ctx = ctx;
}

void http_stream_begin(struct http_request *r, const char *content_type, void (*on_close)(void *ctx), void *ctx)
{
	http_on_close(r, on_close, ctx);
	if (r->state == HTTP_GONE)
		return;
	r->state = HTTP_STREAMING;
	/* Without chunks, the end of the connection is the end of the answer. */
	r->closes |= r->head.is_http10;
	send_head(r, 200, content_type, r->head.is_http10 ? "" : "Transfer-Encoding: chunked\r\n", "Cache-Control: no-store\r\n");
}

int http_stream_send(struct http_request *r, struct str chunk)
{
	if (r->state == HTTP_GONE)
		return -EPIPE;
	if (evbuffer_get_length(bufferevent_get_output(r->bev)) + chunk.n > OUTPUT_MAX_BYTES)
		return -ENOBUFS;
	if (chunk.n == 0 || is_head(r))
		return 0;
	struct evbuffer *out = bufferevent_get_output(r->bev);
	if (!r->head.is_http10)
		evbuffer_add_printf(out, "%zx\r\n", chunk.n);
	evbuffer_add(out, chunk.p, chunk.n);
	if (!r->head.is_http10)
		evbuffer_add(out, "\r\n", 2);
	return 0;
}

void http_stream_end(struct http_request *r)
{
	if (r->state == HTTP_GONE) {
		conn_free(r);
		return;
	}
	if (!r->head.is_http10 && !is_head(r))
		bufferevent_write(r->bev, "0\r\n\r\n", 5);
	r->on_close = NULL;
	finish(r);
}

int http_peer(const struct http_request *r, struct net_address *ret)
{
	struct net_address a = { .len = sizeof a.sa };
	if (!r->bev)
		return -ENOTCONN;
	if (getpeername(bufferevent_getfd(r->bev), (struct sockaddr *)&a.sa, &a.len))
		return -errno;
	*ret = a;
	return 0;
}

struct str http_body(const struct http_request *r)
{
	size_t n = evbuffer_get_length(r->body);
	/* In one piece; that it may have to be moved for that changes nothing that anyone sees. */
	const unsigned char *p = n ? evbuffer_pullup(r->body, -1) : NULL;
	return p ? (struct str){ (const char *)p, n } : STR("");
}
