/** @file What is written on an HTTP connection: answers, errors, streams. */
#include "common/core/http_fields.h"
#include "common/core/json_out.h"
#include "common/http_conn.h"
#include "common/log.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { HEAD_CAP = 2048 };

/* The fields that a status asks for: how to do better. */
#define BEARER    "WWW-Authenticate: Bearer\r\n"
#define UPGRADE   "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define RETRY     "Retry-After: 5\r\n"
static_assert(HTTP_RETRY_AFTER_S == 5, "as RETRY says");

/** What is true of a status everywhere: its phrase, the gRPC code of its errors, its fields. */
static const struct status {
	int status, code;
	const char *phrase, *fields;
} statuses[] = {
	{ 101, 0, "Switching Protocols", "" },
	{ 200, 0, "OK", "" },
	{ 201, 0, "Created", "" },
	{ 202, 0, "Accepted", "" },
	{ 204, 0, "No Content", "" },
	{ 400, 3, "Bad Request", "" },
	{ 401, 16, "Unauthorized", BEARER },
	{ 403, 7, "Forbidden", "" },
	{ 404, 5, "Not Found", "" },
	{ 405, 12, "Method Not Allowed", "" },
	{ 408, 4, "Request Timeout", "" },
	{ 409, 6, "Conflict", "" },
	{ 412, 9, "Precondition Failed", "" },
	{ 413, 3, "Content Too Large", "" },
	{ 414, 3, "URI Too Long", "" },
	{ 415, 3, "Unsupported Media Type", "" },
	{ 422, 3, "Unprocessable Content", "" },
	{ 426, 9, "Upgrade Required", UPGRADE },
	{ 429, 8, "Too Many Requests", RETRY },
	{ 431, 3, "Request Header Fields Too Large", "" },
	{ 500, 13, "Internal Server Error", "" },
	{ 501, 12, "Not Implemented", "" },
	{ 503, 14, "Service Unavailable", RETRY },
	{ 504, 4, "Gateway Timeout", "" },
	{ 505, 3, "HTTP Version Not Supported", "" },
};

static const struct status *status_of(int status)
{
	static const struct status unknown = { 0, 2, "Status", "" };
	for (size_t i = 0; i < COUNT(statuses); i++)
		if (statuses[i].status == status)
			return &statuses[i];
	return &unknown;
}

int http_error_code(int status)
{
	return status_of(status)->code;
}

static void put_date(struct text *t)
{
	char date[40];
	struct tm utc;
	time_t now = time(NULL);
	if (gmtime_r(&now, &utc) && strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc))
		text_printf(t, "Date: %s\r\n", date);
}

/** Tell a browser whether the page that asks may read the answer. */
static void put_origin(const struct http_request *r, struct text *t)
{
	const char *origins = r->server->options.allow_origins, *origin = http_head_header(&r->head, "Origin");
	if (!*origins)
		return;
	/* Also of what others are answered, so that no cache gives it to a page that would have been answered otherwise. */
	text_puts(t, "Vary: Origin\r\n");
	if (http_origin_allowed(str_of(origins), origin))
		text_printf(t, "Access-Control-Allow-Origin: %s\r\nAccess-Control-Expose-Headers: Retry-After, X-Total-Count\r\n",
			http_has_token(str_of(origins), "*") ? "*" : origin);
}

/** How the connection goes on, and how long it waits for the next request: a client had better not send one as it ends. */
static void put_connection(const struct http_request *r, int status, struct text *t)
{
	if (r->closes)
		text_puts(t, "Connection: close\r\n");
	else if (status != 101)
		text_printf(t, "Connection: keep-alive\r\nKeep-Alive: timeout=%" PRIu64 "\r\n", r->server->options.limits.idle_us / SEC_US);
}

void http_answer_head(struct http_request *r, int status, const char *content_type, const char *framing, const char *more)
{
	char buf[HEAD_CAP];
	struct text t = text_fixed(buf, sizeof buf);
	const struct status *is = status_of(status);
	r->server->stats.requests[(unsigned)status / 100 % HTTP_CLASSES]++;
	text_printf(&t, "HTTP/1.1 %d %s\r\n", status, is->phrase);
	put_date(&t);
	if (content_type)
		text_printf(&t, "Content-Type: %s\r\n", content_type);
	text_puts(&t, framing);
	text_puts(&t, is->fields);
	text_puts(&t, more);
	put_origin(r, &t);
	put_connection(r, status, &t);
	text_puts(&t, "\r\n");
	bufferevent_write(r->bev, t.p, t.len);
	LOG(LOG_DEBUG, "http", KV_Z("method", r->head.method), KV_Z("path", r->head.path), KV_I("status", status));
}

bool http_is_head(const struct http_request *r)
{
	return r->head.method && !strcmp(r->head.method, "HEAD");
}

void http_answer(struct http_request *r, int status, const char *content_type, struct str body, const char *more)
{
	char framing[64] = "";
	if (r->state == HTTP_GONE) {
		http_conn_free(r);
		return;
	}
	if (r->begun_us) /* streams last as long as the peer likes, and are not timed */
		histogram_add(&r->server->stats.took, us_since(r->begun_us, loop_measure_us()));
	if (status != 204)
		snprintf(framing, sizeof framing, "Content-Length: %zu\r\n", body.n);
	http_answer_head(r, status, status == 204 ? NULL : content_type, framing, more);
	if (status != 204 && !http_is_head(r) && body.n)
		bufferevent_write(r->bev, body.p, body.n);
	http_conn_next(r);
}

void http_reply_text(struct http_request *r, int status, const char *content_type, struct str body)
{
	http_answer(r, status, content_type, body, "");
}

void http_reply_json(struct http_request *r, int status, struct str body)
{
	http_answer(r, status, "application/json", body, "");
}

void http_reply_json_more(struct http_request *r, int status, struct str body, const char *lines)
{
	http_answer(r, status, "application/json", body, lines);
}

void http_answer_error(struct http_request *r, int status, const char *message, const char *more)
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
	http_answer(r, status, "application/json", text_str(&t), more);
}

void http_reply_error(struct http_request *r, int status, const char *message)
{
	http_answer_error(r, status, message, "");
}

bool http_may_upgrade(const struct http_request *r)
{
	return r->bev && !http_is_head(r) && !r->head.is_http10;
}

struct bufferevent *http_upgrade(struct http_request *r, const char *lines)
{
	r->closes = false;
	http_answer_head(r, 101, NULL, lines, "");
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
	http_answer_head(r, 200, content_type, r->head.is_http10 ? "" : "Transfer-Encoding: chunked\r\n", "Cache-Control: no-store\r\n");
}

int http_stream_send(struct http_request *r, struct str chunk)
{
	if (r->state == HTTP_GONE)
		return -EPIPE;
	if (evbuffer_get_length(bufferevent_get_output(r->bev)) + chunk.n > r->server->options.limits.output_bytes)
		return -ENOBUFS;
	if (chunk.n == 0 || http_is_head(r))
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
		http_conn_free(r);
		return;
	}
	if (!r->head.is_http10 && !http_is_head(r))
		bufferevent_write(r->bev, "0\r\n\r\n", 5);
	r->on_close = NULL;
	http_conn_next(r);
}

