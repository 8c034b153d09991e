/** @file Where MQTT clients come in: listening sockets, how many are let in, and the wake that serves them all. */
#include "as/mqtt_socket.h"
#include "common/log.h"
#include "common/net_tls.h"
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ACCEPTS_PER_WAKE = 128, ACCEPT_PAUSE_MS = 100 };
#define SAY_EVERY_US (10 * SEC_US)

struct port {
	LIST_ENTRY(port) link;
	struct mqtt_listener *listener;
	struct loop_watch *watch;
	SSL_CTX *tls;
	int fd;
};

/* Each wake: give again what was held up, let the engine do what is due, then let go of what is closing. */
static void on_wake(void *ctx)
{
	struct mqtt_listener *l = ctx;
	mqtt_socket_resume_all(l);
	if (l->engine)
		mqtt_engine_step(l->engine, loop_now(l->loop));
	loop_timer_at(l->linger, mqtt_socket_close_all(l));
	uint64_t due_us = l->engine ? mqtt_engine_deadline(l->engine) : UINT64_MAX;
	loop_timer_at(l->deadline, TAILQ_EMPTY(&l->resumed) ? due_us : 0);
}

static void on_timer(void *ctx)
{
	(void)ctx; /* the wake is what was wanted */
}

/* Connections come in. */

struct guard_ip mqtt_listener_ip(const struct net_address *a)
{
	struct guard_ip ip = { { 0 } };
	if (a->sa.ss_family == AF_INET6) {
		memcpy(ip.octets, &((const struct sockaddr_in6 *)(const void *)&a->sa)->sin6_addr, 16);
	} else if (a->sa.ss_family == AF_INET) {
		ip.octets[10] = ip.octets[11] = 0xff;
		memcpy(ip.octets + 12, &((const struct sockaddr_in *)(const void *)&a->sa)->sin_addr, 4);
	}
	return ip;
}

/** A storm of connections is not to become one of lines. */
static void say_refused(struct mqtt_listener *l, const struct net_address *from, const char *why)
{
	uint64_t now_us = loop_now(l->loop)->mono_us;
	char shown[128];
	struct text t = text_fixed(shown, sizeof shown);
	l->refusals_unsaid++;
	if (l->refusal_said_us && now_us - l->refusal_said_us < SAY_EVERY_US)
		return;
	net_text(&t, from);
	LOG(LOG_WARN, "mqtt_turned_away", KV_Z("address", shown), KV_Z("why", why), KV_U("connections", l->refusals_unsaid));
	l->refusal_said_us = now_us;
	l->refusals_unsaid = 0;
}

/** Count a connection. @return false: there is no room for it */
static bool enter(struct mqtt_listener *l, const struct net_address *from)
{
	struct guard_ip ip = mqtt_listener_ip(from);
	if (l->stats.connections >= l->options.connections || !l->engine) {
		l->stats.refused++;
		say_refused(l, from, "as many connections as there may be");
		return false;
	}
	if (!l->options.guard || guard_enter(l->options.guard, &ip))
		return true;
	l->stats.refused_address++;
	say_refused(l, from, "as many connections as one address may have");
	return false;
}

static void leave(struct mqtt_listener *l, const struct guard_ip *ip)
{
	if (l->options.guard)
		guard_leave(l->options.guard, ip);
}

bool mqtt_listener_has_room(struct mqtt_listener *l, const struct net_address *from)
{
	struct guard_ip ip = mqtt_listener_ip(from);
	bool has_room = enter(l, from);
	if (has_room)
		leave(l, &ip);
	return has_room;
}

static void admit(struct port *p, int fd, const struct net_address *from)
{
	struct mqtt_listener *l = p->listener;
	struct mqtt_peer peer = { .address = *from, .ip = mqtt_listener_ip(from) };
	if (!enter(l, from)) {
		close(fd);
		return;
	}
	struct bufferevent *bev = net_tls_accept(loop_base(l->loop), fd, p->tls);
	peer.tls = bev ? bufferevent_openssl_get_ssl(bev) : NULL;
	if (bev && mqtt_socket_new(l, bev, &peer, false) == 0) {
		l->stats.accepted++;
		return;
	}
	l->stats.refused++;
	leave(l, &peer.ip);
	if (bev)
		bufferevent_free(bev);
	else
		close(fd);
}

int mqtt_listener_adopt(struct mqtt_listener *l, struct bufferevent *bev, const struct net_address *from)
{
	struct mqtt_peer peer = { .address = *from, .ip = mqtt_listener_ip(from), .tls = bufferevent_openssl_get_ssl(bev), .is_websocket = true };
	bool is_in = enter(l, from);
	if (is_in && mqtt_socket_new(l, bev, &peer, true) == 0) {
		l->stats.accepted++;
		return 0;
	}
	if (is_in)
		leave(l, &peer.ip);
	bufferevent_free(bev);
	return -ENOMEM;
}

static void on_acceptable(int fd, void *ctx)
{
	struct port *p = ctx;
	for (size_t i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct net_address from = { .len = sizeof from.sa };
		int got = accept4(fd, (struct sockaddr *)&from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			admit(p, got, &from);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) { /* no descriptors or no memory: waiting in the backlog costs nothing,
					  spinning does */
			LOG(LOG_WARN, "mqtt_accept_failed", KV_Z("error", strerror(errno)));
			loop_watch_free(TAKE(p->watch));
			loop_timer_in(p->listener->accept_again, ACCEPT_PAUSE_MS * MS_US);
		}
		return;
	}
}

static void on_accept_again(void *ctx)
{
	struct mqtt_listener *l = ctx;
	struct port *p;
	LIST_FOREACH(p, &l->ports, link)
		if (!p->watch && !(p->watch = loop_watch_read(l->loop, p->fd, on_acceptable, p)))
			loop_timer_in(l->accept_again, ACCEPT_PAUSE_MS * MS_US);
}

int mqtt_listener_open(
	struct mqtt_listener *l, const struct net_address *a, struct ssl_ctx_st *tls, int *ret_fd)
{
	struct port *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	*p = (struct port){ .listener = l, .tls = tls, .fd = net_listen(a) };
	int rc = p->fd < 0 ? p->fd : 0;
	if (rc == 0 && !(p->watch = loop_watch_read(l->loop, p->fd, on_acceptable, p))) {
		close(p->fd);
		rc = -ENOMEM;
	}
	if (rc) {
		free(p);
		return rc;
	}
	LIST_INSERT_HEAD(&l->ports, p, link);
	if (ret_fd)
		*ret_fd = p->fd;
	return 0;
}

void mqtt_listener_stop(struct mqtt_listener *l)
{
	while (!LIST_EMPTY(&l->ports)) {
		struct port *p = LIST_FIRST(&l->ports);
		LIST_REMOVE(p, link);
		loop_watch_free(p->watch);
		close(p->fd);
		free(p);
	}
}

static uint32_t or_default(uint32_t v, uint32_t otherwise)
{
	return v ? v : otherwise;
}

struct mqtt_listener *mqtt_listener_new(struct loop *loop, const struct mqtt_listener_options *o)
{
	struct mqtt_listener *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->loop = loop;
	l->options = o ? *o : (struct mqtt_listener_options){ 0 };
	l->options.connections = or_default(l->options.connections, 20000);
	l->options.high_water_bytes = or_default(l->options.high_water_bytes, 256 << 10);
	l->options.stuck_s = or_default(l->options.stuck_s, 60);
	l->options.total_bytes = l->options.total_bytes ? l->options.total_bytes : 256 << 20;
	LIST_INIT(&l->ports);
	LIST_INIT(&l->sockets);
	LIST_INIT(&l->holding);
	TAILQ_INIT(&l->resumed);
	TAILQ_INIT(&l->delayed);
	TAILQ_INIT(&l->closing);
	l->deadline = loop_timer_new(loop, on_timer, l);
	l->linger = loop_timer_new(loop, on_timer, l);
	l->accept_again = loop_timer_new(loop, on_accept_again, l);
	if (!l->deadline || !l->linger || !l->accept_again || loop_after_wake(loop, on_wake, l)) {
		mqtt_listener_free(l);
		return NULL;
	}
	return l;
}

void mqtt_listener_free(struct mqtt_listener *l)
{
	if (!l)
		return;
	mqtt_listener_stop(l);
	while (!LIST_EMPTY(&l->sockets))
		mqtt_socket_free(LIST_FIRST(&l->sockets));
	loop_forget(l->loop, on_wake, l);
	loop_timer_free(l->deadline);
	loop_timer_free(l->linger);
	loop_timer_free(l->accept_again);
	free(l);
}

void mqtt_listener_attach(struct mqtt_listener *l, struct mqtt_engine *e)
{
	l->engine = e;
}

const struct mqtt_listener_stats *mqtt_listener_stats(const struct mqtt_listener *l)
{
	return &l->stats;
}
