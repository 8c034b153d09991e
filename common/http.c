/** @file HTTP server: where it listens, and who is let in. */
#include "common/http.h"
#include "common/http_conn.h"
#include "common/log.h"
#include "common/metrics.h"
#include <event2/bufferevent_ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCEPTS_A_WAKE = 64, REFUSALS_MAX = 32 };
#define ACCEPT_PAUSE_US (100 * MS_US)
#define SAY_EVERY_US    (10 * SEC_US)

static const struct http_limits defaults = {
	.head_bytes = 16 << 10,
	.body_bytes = 1 << 20,
	.output_bytes = 1 << 20,
	.connections = 256,
	.request_us = 60 * SEC_US,
	.idle_us = 60 * SEC_US,
	.write_us = 60 * SEC_US,
};

static void fill_in(struct http_limits *l)
{
#define DEFAULT(member) l->member = l->member ? l->member : defaults.member
	DEFAULT(head_bytes);
	DEFAULT(body_bytes);
	DEFAULT(output_bytes);
	DEFAULT(connections);
	DEFAULT(request_us);
	DEFAULT(idle_us);
	DEFAULT(write_us);
#undef DEFAULT
}

/** Is a connection one of those that count, and of this host? @param from  NULL: any host */
static bool counts(const struct http_request *r, const struct net_address *from)
{
	return !r->refusal && (!from || net_same_host(&r->peer, from));
}

/** Close the connection on which nothing has happened for the longest. @return is there room now */
static bool make_room(struct http_server *s, const struct net_address *from)
{
	struct http_request *r;
	TAILQ_FOREACH(r, &s->requests, link) {
		if (!counts(r, from) || !http_conn_is_idle(r))
			continue;
		http_conn_close(r);
		return true;
	}
	return false;
}

static bool has_many(const struct http_server *s, const struct net_address *from)
{
	uint32_t most = s->options.limits.connections_per_address, n = 0;
	const struct http_request *r;
	if (!most || (s->options.is_trusted && s->options.is_trusted(s->options.ctx, from)))
		return false;
	TAILQ_FOREACH(r, &s->requests, link)
		n += counts(r, from);
	return n >= most;
}

/** @return 0: come in; else the status that says why not */
static int judge(struct http_server *s, const struct net_address *from)
{
	if (has_many(s, from) && !make_room(s, from))
		return 429;
	return s->stats.connections < s->options.limits.connections || make_room(s, NULL) ? 0 : 503;
}

/** A storm of connections is not to become one of lines. */
static void say_refused(struct http_server *s, const struct net_address *from, int status)
{
	uint64_t now_us = loop_now(s->loop)->mono_us;
	char shown[128];
	struct text t = text_fixed(shown, sizeof shown);
	s->stats.turned_away++;
	s->unsaid++;
	if (s->said_us && now_us - s->said_us < SAY_EVERY_US)
		return;
	net_text(&t, from);
	LOG(LOG_WARN, "http_turned_away", KV_Z("address", shown), KV_I("status", status), KV_U("connections", s->unsaid));
	s->said_us = now_us;
	s->unsaid = 0;
}

static void admit(struct http_port *p, int fd, const struct net_address *from)
{
	struct http_server *s = p->server;
	int refusal = judge(s, from);
	if (refusal)
		say_refused(s, from, refusal);
	/* Being told why costs a descriptor too. */
	if (refusal && s->refused_n >= REFUSALS_MAX)
		close(fd);
	else
		(void)http_conn_open(p, fd, from, refusal); /* it has closed the socket if it failed */
}

static void on_accept(int fd, void *ctx);

static void accept_again(void *ctx)
{
	struct http_server *s = ctx;
	for (size_t i = 0; i < s->port_n; i++) {
		struct http_port *p = &s->ports[i];
		if (!p->watch && !(p->watch = loop_watch_read(s->loop, p->fd, on_accept, p)))
			loop_timer_in(s->accept_again, ACCEPT_PAUSE_US);
	}
}

static void on_accept(int fd, void *ctx)
{
	struct http_port *p = ctx;
	for (int i = 0; i < ACCEPTS_A_WAKE; i++) {
		struct net_address from = { .len = sizeof from.sa };
		int got = accept4(fd, (struct sockaddr *)&from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			admit(p, got, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* The socket stays readable, so without a pause this would spin. */
			LOG(LOG_WARN, "http_accept_failed", KV_Z("error", strerror(errno)));
			loop_watch_free(TAKE(p->watch));
			loop_timer_in(p->server->accept_again, ACCEPT_PAUSE_US);
		}
		return;
	}
}

struct http_server *http_new(struct loop *l, const struct http_options *o)
{
	struct http_server *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->loop = l;
	if (o)
		s->options = *o;
	fill_in(&s->options.limits);
	if (!s->options.allow_origins)
		s->options.allow_origins = "";
	TAILQ_INIT(&s->requests);
	s->accept_again = loop_timer_new(l, accept_again, s);
	if (!s->accept_again) {
		http_free(s);
		return NULL;
	}
	return s;
}

static int open_port(struct http_port *p, const char *address)
{
	struct net_address a;
	struct text t = text_fixed(p->address, sizeof p->address);
	TRY(net_parse(str_of(address), 0, &a));
	p->fd = net_listen(&a);
	if (p->fd < 0)
		return p->fd;
	int rc = net_local(p->fd, &a);
	net_text(&t, &a);
	if (!rc && !(p->watch = loop_watch_read(p->server->loop, p->fd, on_accept, p)))
		rc = -ENOMEM;
	if (rc)
		close(p->fd);
	return rc;
}

int http_open(struct http_server *s, const char *address, struct ssl_ctx_st *tls, struct text *ret_error)
{
	struct http_port *p = &s->ports[s->port_n];
	int rc = -ENOSPC;
	if (s->port_n < HTTP_PORTS_MAX) {
		*p = (struct http_port){ .server = s, .tls = tls };
		rc = open_port(p, address);
	}
	if (rc) {
		text_printf(ret_error, "%s: %s", address, rc == -EINVAL ? "is no address such as 127.0.0.1:1885" : strerror(-rc));
		return rc;
	}
	s->port_n++;
	LOG(LOG_INFO, "listen", KV_Z("what", tls ? "https" : "http"), KV_Z("address", p->address));
	return 0;
}

int http_listen(struct loop *l, const char *address, const struct http_route *routes, void *ctx,
	struct http_server **ret, struct text *ret_error)
{
	struct http_server *s = http_new(l, NULL);
	if (!s)
		return -ENOMEM;
	http_add_routes(s, routes, ctx);
	int rc = http_open(s, address, NULL, ret_error);
	if (rc)
		http_free(s);
	else
		*ret = s;
	return rc;
}

void http_add_routes(struct http_server *s, const struct http_route *routes, void *ctx)
{
	assert(s->table_n < HTTP_TABLES_MAX);
	s->tables[s->table_n].routes = routes;
	s->tables[s->table_n++].ctx = ctx;
}

const char *http_address(const struct http_server *s, bool is_tls)
{
	for (size_t i = 0; i < s->port_n; i++)
		if ((s->ports[i].tls != NULL) == is_tls)
			return s->ports[i].address;
	return "";
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
		METRIC_ROW(struct http_stats, connections, GAUGE, "godwit_http_connections", "HTTP connections, event streams included")
		METRIC_ROW(struct http_stats, turned_away, COUNTER, "godwit_http_turned_away_total", "HTTP connections for which there was no room: answered 429 or 503, or closed at once")
	};
	metrics_render(t, rows, COUNT(rows), &s->stats, process);
}

void http_free(struct http_server *s)
{
	if (!s)
		return;
	while (!TAILQ_EMPTY(&s->requests))
		http_conn_close(TAILQ_FIRST(&s->requests));
	for (size_t i = 0; i < s->port_n; i++) {
		loop_watch_free(s->ports[i].watch);
		close(s->ports[i].fd);
	}
	loop_timer_free(s->accept_again);
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

int http_peer(const struct http_request *r, struct net_address *ret)
{
	if (!r->bev)
		return -ENOTCONN;
	*ret = r->peer;
	return 0;
}

const struct ssl_st *http_tls(const struct http_request *r)
{
	return r->bev ? bufferevent_openssl_get_ssl(r->bev) : NULL;
}
