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
	struct evhttp_connection *conn; /**< NULL: to be made */
	fleet_answer *fn; /**< NULL: free */
	bool is_lost; /**< what was asked last was not answered: begin anew (TLS begins once) */
	void *ctx;
};

struct fleet_http {
	const struct client *client;
	struct event_base *base;
	char bearer[sizeof((struct client *)0)->key + 8];
	struct line line[LINES];
	size_t n_busy;
};

/** @return 0; -errno with one line in *err */
static int line_open(struct line *l, struct text *err)
{
	if (l->is_lost && l->conn)
		evhttp_connection_free(TAKE(l->conn));
	l->is_lost = false;
	if (l->conn)
		return 0;
	TRY(client_connection(l->h->client, l->h->base, &l->conn, err));
	evhttp_connection_set_max_body_size(l->conn, BODY_MAX);
	evhttp_connection_set_timeout(l->conn, TIMEOUT_S);
	return 0;
}

/** Ask something that costs nothing: whose certificate it is, say, is told of one connection and not of many. */
static int probe(const struct client *c, struct text *err)
{
	AUTO(text_done) struct text answer = text_growing(64 << 10);
	int status = client_call(c, "GET", "/healthz/live", STR(""), &answer, NULL, NULL, err);
	return status < 0 ? status : 0;
}

int fleet_http_open(const struct client *c, struct fleet_http **ret, struct text *err)
{
	if (c->tls)
		TRY(probe(c, err));
	struct fleet_http *h = calloc(1, sizeof *h);
	if (!h)
		return -ENOMEM;
	h->client = c;
	h->base = event_base_new();
	snprintf(h->bearer, sizeof h->bearer, "Bearer %s", c->key);
	for (size_t i = 0; i < LINES; i++)
		h->line[i].h = h;
	int r = h->base ? line_open(&h->line[0], err) : -ENOMEM;
	if (r)
		fleet_http_close(h);
	else
		*ret = h;
	return r;
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
	/* Busy until that returns: what it sends goes over another line. */
	l->fn(l->ctx, status, body);
	l->fn = NULL;
	l->is_lost = !status;
	l->h->n_busy--;
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
	char why[256];
	struct text err = text_fixed(why, sizeof why);
	TRY(line_open(l, &err));
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
