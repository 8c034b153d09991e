/** @file HTTP server: listening, and which route a request belongs to. */
#include "common/http.h"
#include "common/http_conn.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/net.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 256, ACCEPTS_A_WAKE = 64 };
#define ACCEPT_PAUSE_US (100 * MS_US)

static const char *const method_names[] = {
	[HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
};

/** A path of a request, decoded segment by segment. */
struct segments {
	const char *v[HTTP_SEGMENTS_MAX];
	size_t n;
};

/** @return 0; -EINVAL bad escape; -E2BIG */
static int split_path(char *path, struct segments *ret)
{
	ret->n = 0;
	for (char *at = path + 1; at;) {
		char *slash = strchr(at, '/');
		if (slash)
			*slash++ = '\0';
		if (ret->n == HTTP_SEGMENTS_MAX)
			return -E2BIG;
		if (http_percent_decode(at, false))
			return -EINVAL;
		ret->v[ret->n++] = at;
		at = slash;
	}
	return 0;
}

static bool is_param(struct str pattern)
{
	return pattern.n > 2 && pattern.p[0] == '{' && pattern.p[pattern.n - 1] == '}';
}

static bool match(const char *pattern, const struct segments *s, struct http_request *r)
{
	struct str rest = str_of(pattern + 1), part;
	size_t i = 0;
	r->param_n = 0;
	bool more = true;
	for (; more && i < s->n; i++) {
		size_t before = rest.n;
		rest = str_cut(rest, '/', &part);
		more = part.n < before;
		if (!is_param(part)) {
			if (!str_is(part, s->v[i]))
				return false;
			continue;
		}
		if (!*s->v[i] || r->param_n == HTTP_PARAMS_MAX)
			return false;
		r->params[r->param_n].name = (struct str){ part.p + 1, part.n - 2 };
		r->params[r->param_n++].value = s->v[i];
	}
	return !more && i == s->n;
}

static bool has_method(const struct http_route *route, const char *method)
{
	bool is_head = !strcmp(method, "HEAD") && route->method == HTTP_GET;
	return is_head || !strcmp(method, method_names[route->method]);
}

/** Find the route in one table. @return it; NULL: none, *ret_allowed grows by the methods that the path has */
static const struct http_route *find(const struct http_route *route, const struct segments *segments, struct http_request *r,
	struct text *ret_allowed)
{
	for (; route->path; route++) {
		if (!match(route->path, segments, r))
			continue;
		if (has_method(route, r->head.method))
			return route;
		text_printf(ret_allowed, "%s%s", ret_allowed->len ? ", " : "", method_names[route->method]);
	}
	return NULL;
}

void http_dispatch(struct http_request *r)
{
	struct segments segments;
	char allow[64] = "";
	struct text allowed = text_fixed(allow, sizeof allow);
	int rc = split_path(r->head.path, &segments);
	if (rc) {
		http_reply_error(r, rc == -EINVAL ? 400 : 404, rc == -EINVAL ? "malformed escape in the path" : "no such path");
		return;
	}
	for (size_t i = 0; i < r->server->table_n; i++) {
		const struct http_route *route = find(r->server->tables[i].routes, &segments, r, &allowed);
		if (!route)
			continue;
		route->fn(r->server->tables[i].ctx, r);
		return;
	}
	if (allowed.len)
		http_conn_refuse_method(r, allow);
	else
		http_reply_error(r, 404, "no such path");
}

/** Make room for one more by closing a connection on which nothing happens. @return is there room */
static bool make_room(struct http_server *s)
{
	struct http_request *r;
	if (s->n < CONNECTIONS_MAX)
		return true;
	TAILQ_FOREACH(r, &s->requests, link) {
		if (!http_conn_is_idle(r))
			continue;
		http_conn_close(r);
		return true;
	}
	return false;
}

static void on_accept(int fd, void *ctx);

static void accept_again(void *ctx)
{
	struct http_server *s = ctx;
	if (!s->watch)
		s->watch = loop_watch_read(s->loop, s->fd, on_accept, s);
	if (!s->watch)
		loop_timer_in(s->accept_again, ACCEPT_PAUSE_US);
}

static void on_accept(int fd, void *ctx)
{
	struct http_server *s = ctx;
	for (int i = 0; i < ACCEPTS_A_WAKE; i++) {
		int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (peer < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
			/* The socket stays readable, so without a pause this would spin. */
			LOG(LOG_WARN, "http_accept_failed", KV_Z("error", strerror(errno)));
			loop_watch_free(s->watch);
			s->watch = NULL;
			loop_timer_in(s->accept_again, ACCEPT_PAUSE_US);
			return;
		}
		if (peer < 0)
			return;
		if (make_room(s))
			(void)http_conn_open(s, peer); /* it has closed the socket if it failed */
		else
			close(peer);
	}
}

static int open_listener(struct http_server *s, const char *address)
{
	struct net_address a;
	struct text t = text_fixed(s->address, sizeof s->address);
	TRY(net_parse(str_of(address), 0, &a));
	s->fd = net_listen(&a);
	if (s->fd < 0)
		return s->fd;
	TRY(net_local(s->fd, &a));
	net_text(&t, &a);
	s->accept_again = loop_timer_new(s->loop, accept_again, s);
	s->watch = loop_watch_read(s->loop, s->fd, on_accept, s);
	return s->accept_again && s->watch ? 0 : -ENOMEM;
}

int http_listen(struct loop *l, const char *address, const struct http_route *routes, void *ctx,
	struct http_server **ret, struct text *ret_error)
{
	struct http_server *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = l;
	http_add_routes(s, routes, ctx);
	s->fd = -1;
	TAILQ_INIT(&s->requests);
	int rc = open_listener(s, address);
	if (rc) {
		text_printf(ret_error, "%s: %s", address, rc == -EINVAL ? "is no address such as 127.0.0.1:1885" : strerror(-rc));
		http_free(s);
	} else {
		*ret = s;
	}
	return rc;
}

void http_add_routes(struct http_server *s, const struct http_route *routes, void *ctx)
{
	assert(s->table_n < HTTP_TABLES_MAX);
	s->tables[s->table_n].routes = routes;
	s->tables[s->table_n++].ctx = ctx;
}

static const char *class_label(unsigned i)
{
	static const char *const words[HTTP_CLASSES] = { [1] = "1xx", [2] = "2xx", [3] = "3xx", [4] = "4xx", [5] = "5xx" };
	return words[i];
}

void http_metrics(const struct http_server *s, struct text *t, const char *process)
{
	static const struct metric rows[] = {
		METRIC_ROW_BY(struct http_stats, requests, HTTP_CLASSES, COUNTER, "godwit_http_requests_total", "code", class_label, "HTTP requests answered, by status")
		METRIC_ROW(struct http_stats, took, HISTOGRAM, "godwit_http_request_seconds", "From a whole HTTP request to its answer; not of streams")
	};
	metrics_render(t, rows, COUNT(rows), &s->stats, process);
}

const char *http_address(const struct http_server *s)
{
	return s->address;
}

void http_free(struct http_server *s)
{
	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->requests))
		http_conn_close(TAILQ_FIRST(&s->requests));
	loop_watch_free(s->watch);
	loop_timer_free(s->accept_again);
	if (s->fd >= 0)
		close(s->fd);
	free(s);
}

const char *http_param(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->param_n; i++)
		if (str_is(r->params[i].name, name))
			return r->params[i].value;
	return "";
}

const char *http_query(const struct http_request *r, const char *name)
{
	return http_head_query(&r->head, name);
}

const char *http_query_nth(const struct http_request *r, const char *name, size_t nth)
{
	for (size_t i = 0; i < r->head.query_n; i++)
		if (!strcmp(r->head.queries[i].name, name) && nth-- == 0)
			return r->head.queries[i].value;
	return NULL;
}

const char *http_header(const struct http_request *r, const char *name)
{
	return http_head_header(&r->head, name);
}
