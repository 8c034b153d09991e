/** @file Requests to the API, many on their way at a time. */
#include "as/cli/fleet.h"
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

enum { LINES = 64, BODY_MAX = 64 << 20, TIMEOUT_S = 60 };

struct line {
	struct fleet_http *h;
	struct evhttp_connection *conn;
	fleet_answer *fn; /**< NULL: free */
	void *ctx;
};

struct fleet_http {
	struct event_base *base;
	char bearer[sizeof((struct client *)0)->key + 8];
	struct line line[LINES];
	size_t n_busy;
};

int fleet_http_open(const struct client *c, struct fleet_http **ret, struct text *err)
{
	char host[256];
	uint16_t port;
	int r = client_endpoint(c, host, &port, err);
	struct fleet_http *h = r ? NULL : calloc(1, sizeof *h);
	if (!h)
		return r ? r : -ENOMEM;
	h->base = event_base_new();
	snprintf(h->bearer, sizeof h->bearer, "Bearer %s", c->key);
	for (size_t i = 0; h->base && i < LINES; i++) {
		h->line[i].h = h;
		h->line[i].conn = evhttp_connection_base_new(h->base, NULL, host, port);
		if (!h->line[i].conn)
			break;
		evhttp_connection_set_max_body_size(h->line[i].conn, BODY_MAX);
		evhttp_connection_set_timeout(h->line[i].conn, TIMEOUT_S);
	}
	if (!h->line[LINES - 1].conn) {
		fleet_http_close(h);
		return -ENOMEM;
	}
	*ret = h;
	return 0;
}

void fleet_http_close(struct fleet_http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < LINES; i++)
		if (h->line[i].conn)
			evhttp_connection_free(h->line[i].conn);
	if (h->base)
		event_base_free(h->base);
	free(h);
}

static void on_done(struct evhttp_request *req, void *ctx)
{
	struct line *l = ctx;
	int status = req ? evhttp_request_get_response_code(req) : 0;
	struct evbuffer *in = status ? evhttp_request_get_input_buffer(req) : NULL;
	size_t n = in ? evbuffer_get_length(in) : 0;
	struct str body = { n ? (const char *)evbuffer_pullup(in, -1) : "", n };
	fleet_answer *fn = l->fn;
	l->fn = NULL;
	l->h->n_busy--;
	fn(l->ctx, status, body);
}

static struct line *free_line(struct fleet_http *h)
{
	for (size_t i = 0; i < LINES; i++)
		if (!h->line[i].fn)
			return &h->line[i];
	return NULL;
}

static enum evhttp_cmd_type verb(const char *method)
{
	return !strcmp(method, "POST") ? EVHTTP_REQ_POST : EVHTTP_REQ_GET;
}

int fleet_http_send(struct fleet_http *h, const char *method, const char *path, struct str body, fleet_answer *fn, void *ctx)
{
	struct line *l;
	while (!(l = free_line(h)))
		event_base_loop(h->base, EVLOOP_ONCE);
	struct evhttp_request *req = evhttp_request_new(on_done, l);
	if (!req)
		return -ENOMEM;
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	evhttp_add_header(headers, "Authorization", h->bearer);
	if (body.n) {
		evhttp_add_header(headers, "Content-Type", "application/json");
		evbuffer_add(evhttp_request_get_output_buffer(req), body.p, body.n);
	}
	l->fn = fn;
	l->ctx = ctx;
	h->n_busy++;
	if (evhttp_make_request(l->conn, req, verb(method), path)) {
		l->fn = NULL;
		h->n_busy--;
		return -ENOMEM;
	}
	event_base_loop(h->base, EVLOOP_NONBLOCK);
	return 0;
}

void fleet_http_wait(struct fleet_http *h)
{
	while (h->n_busy)
		event_base_loop(h->base, EVLOOP_ONCE);
}
