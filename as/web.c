/** @file Where HTTP comes in, plain and over TLS. */
#include "as/web.h"
#include "as/api/routes.h"
#include "as/doors.h"
#include "as/tls.h"
#include "common/core/http_fields.h"
#include "common/log.h"
#include "common/net.h"
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

enum { HOST_MAX = 256 };

int web_check(const struct daemon *daemon, const struct as_settings *s, struct text *err)
{
	struct str wrong, url = str_of(s->public_url);
	if (url.n && !str_starts(url, "https://") && !str_starts(url, "http://")) {
		daemon_where(daemon, err, "as.public-url");
		text_printf(err, ": \"%s\" does not begin with https:// or http://", s->public_url);
		return -EINVAL;
	}
	if (http_origins_valid(str_of(s->http_allow_origins), &wrong))
		return 0;
	daemon_where(daemon, err, "as.http-allow-origins");
	text_printf(err, ": \"%.*s\" is no origin of web pages: write https://HOST or http://HOST:PORT, without a path or a slash at the end; or *",
		STR_ARG(wrong));
	return -EINVAL;
}

static bool is_trusted(void *ctx, const struct net_address *from)
{
	return doors_trusts(ctx, from);
}

static struct http_server *server_new(struct as *as)
{
	const struct as_settings *s = as->settings;
	const struct http_options o = {
		.limits = {
			.head_bytes = (size_t)s->http_header_size,
			.body_bytes = (size_t)s->http_body_size,
			.connections = s->http_connections,
			.connections_per_address = s->http_connections_per_address,
			.request_us = s->http_request_timeout,
			.idle_us = s->http_idle_timeout,
		},
		.allow_origins = s->http_allow_origins,
		.is_trusted = is_trusted,
		.ctx = as,
	};
	return http_new(as->loop, &o);
}

struct door {
	const char *name;      /**< in addresses.json, and of the setting with "-listen" behind it: "as.http" */
	const char *addresses; /**< what the setting says */
	struct ssl_ctx_st *tls;
};

/** Listen on each of the addresses. The first one is what addresses.json says. */
static int listen_on_all(struct as *as, const struct door *d, struct text *err)
{
	struct str rest = str_of(d->addresses), one;
	while (rest.n) {
		char address[128];
		rest = str_cut(rest, ',', &one);
		int r = str_copy(str_trim(one), address, sizeof address) ? -ENAMETOOLONG : http_open(as->http, address, d->tls, err);
		if (r) {
			text_printf(err, "; choose another one with %s-listen", d->name);
			return r;
		}
	}
	return *d->addresses ? daemon_address(as->daemon, d->name, http_address(as->http, d->tls != NULL)) : 0;
}

int web_open(struct as *as, struct text *err)
{
	const struct as_settings *s = as->settings;
	as->http = server_new(as);
	if (!as->http)
		return -ENOMEM;
	http_add_routes(as->http, as->routes, as);
	as->health = api_health(as);
	health_serve(as->http, &as->health);
	TRY(tls_new(as, TLS_HTTP, &as->http_tls, err));
	const struct door plain = { "as.http", s->http_listen, NULL }, tls = { "as.https", s->https_listen, as->http_tls };
	TRY(listen_on_all(as, &plain, err));
	return tls.tls ? listen_on_all(as, &tls, err) : 0;
}

void web_close(struct as *as)
{
	http_free(TAKE(as->http));
	tls_free(TAKE(as->http_tls));
}

void web_reload(struct as *as)
{
	char buf[512];
	struct text err = text_fixed(buf, sizeof buf);
	if (tls_reload(as, TLS_HTTP, as->http_tls, &err))
		LOG(LOG_ERROR, "reload_failed", KV_Z("why", buf));
}

/* ---- under which address others reach it ---- */

static bool is_loopback(const struct net_address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
	return a->sa.ss_family == AF_INET    ? ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
	       : a->sa.ss_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr)
					     : true; /* a socket of this host's file system */
}

static bool is_any(const struct net_address *a)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&a->sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&a->sa;
	return a->sa.ss_family == AF_INET ? v4->sin_addr.s_addr == htonl(INADDR_ANY) : IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr);
}

void web_reachable(const struct as *as, const char *listening, struct text *t)
{
	struct net_address a;
	char own[HOST_MAX];
	const char *host = as->settings->public_address;
	if (net_parse(str_of(listening), 0, &a) || is_loopback(&a) || (!*host && !is_any(&a))) {
		text_puts(t, listening);
		return;
	}
	if (!*host && gethostname(own, sizeof own) == 0) {
		own[sizeof own - 1] = '\0';
		host = own;
	}
	bool is_ipv6 = strchr(host, ':') != NULL;
	text_printf(t, "%s%s%s:%u", is_ipv6 ? "[" : "", *host ? host : "localhost", is_ipv6 ? "]" : "", net_port(&a));
}

void web_api_url(const struct as *as, struct text *t)
{
	struct str url = str_of(as->settings->public_url);
	const char *tls = http_address(as->http, true), *plain = http_address(as->http, false);
	while (url.n && url.p[url.n - 1] == '/')
		url.n--;
	if (url.n) {
		text_put(t, url);
	} else if (*tls || *plain) {
		text_puts(t, *tls ? "https://" : "http://");
		web_reachable(as, *tls ? tls : plain, t);
	}
	text_puts(t, t->len ? "/api/v3" : "");
}
