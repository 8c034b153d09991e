/** @file The sockets of the MQTT server, on libevent's bufferevents.
 *
 * Input stays in the socket's evbuffer until the engine has use for it: the engine says how much it needs.
 * Output is collected during a wake and written in one go. A socket that the engine closes is emptied, shut
 * down, and lingers until the other end has closed too, so that the last packet is not lost to a reset.
 */
#include "as/mqtt_listener.h"
#include "common/log.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10, SMALL_HIGH_BYTES = 16 << 10, ACCEPTS_PER_WAKE = 128 };
enum { LINGER_MS = 2000, ACCEPT_PAUSE_MS = 100 };

struct mqtt_socket {
	LIST_ENTRY(mqtt_socket) link;
	TAILQ_ENTRY(mqtt_socket) queued; /* in `resumed` or `closing` */
	struct mqtt_listener *listener;
	struct bufferevent *bev;
	struct mqtt_conn *conn; /* NULL: the engine has let go of it */
	struct mqtt_peer peer;
	LIST_ENTRY(mqtt_socket) held; /* in `holding` */
	uint64_t hold;                /* its number; 0: none */
	size_t need, waiting; /* octets that must be there; output as last counted */
	uint64_t linger_until_us;
	bool is_resumed, is_closing, is_shut, is_full;
};

struct port {
	LIST_ENTRY(port) link;
	struct mqtt_listener *listener;
	struct loop_watch *watch;
	SSL_CTX *tls;
	int fd;
};

struct mqtt_listener {
	struct loop *loop;
	struct mqtt_engine *engine;
	struct mqtt_listener_options options;
	struct mqtt_listener_stats stats;
	struct loop_timer *deadline, *linger, *accept_again;
	LIST_HEAD(, port) ports;
	LIST_HEAD(, mqtt_socket) sockets;
	TAILQ_HEAD(socket_queue, mqtt_socket)
	resumed, closing; /* closing: in the order in which they may be cut off */
	size_t sockets_n;
	LIST_HEAD(, mqtt_socket) holding;
	uint64_t holds, releasing; /* number of the last hold; of those that the next release is for */
	bool is_release_due;
};

/* Keep count of what waits for all clients together. */
static size_t waiting_count(struct mqtt_socket *s)
{
	size_t n = evbuffer_get_length(bufferevent_get_output(s->bev));
	s->listener->stats.waiting_bytes += n;
	s->listener->stats.waiting_bytes -= s->waiting;
	s->waiting = n;
	return n;
}

static void socket_free(struct mqtt_socket *s)
{
	struct mqtt_listener *l = s->listener;
	l->stats.waiting_bytes -= s->waiting;
	if (s->is_resumed)
		TAILQ_REMOVE(&l->resumed, s, queued);
	if (s->is_closing)
		TAILQ_REMOVE(&l->closing, s, queued);
	if (s->hold)
		LIST_REMOVE(s, held);
	LIST_REMOVE(s, link);
	l->sockets_n--;
	bufferevent_free(s->bev);
	free(s);
}

/* The sink. */

static size_t high_water(const struct mqtt_listener *l)
{
	return l->stats.waiting_bytes > l->options.total_bytes ? SMALL_HIGH_BYTES
							       : l->options.high_water_bytes;
}

static void parts_copy(struct evbuffer *out, const struct slice *parts, size_t n, size_t total)
{
	struct evbuffer_iovec space;
	if (total > READ_BYTES || evbuffer_reserve_space(out, (ev_ssize_t)total, &space, 1) != 1 ||
		space.iov_len < total) {
		for (size_t i = 0; i < n; i++)
			if (parts[i].n)
				(void)evbuffer_add(out, parts[i].p, parts[i].n);
		return;
	}
	uint8_t *to = space.iov_base;
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n)
			memcpy(to, parts[i].p, parts[i].n);
		to += parts[i].n;
	}
	space.iov_len = total;
	(void)evbuffer_commit_space(out, &space, 1);
}

static bool on_send(void *ctx, void *socket, const struct slice *parts, size_t n)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	size_t total = 0;
	for (size_t i = 0; i < n; i++)
		total += parts[i].n;
	if (total)
		parts_copy(bufferevent_get_output(s->bev), parts, n, total);
	l->stats.sent_bytes += total;
	s->is_full = waiting_count(s) > high_water(l);
	return s->is_full;
}

static void on_close(void *ctx, void *socket)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	s->conn = NULL;
	if (s->is_resumed)
		TAILQ_REMOVE(&l->resumed, s, queued);
	s->is_resumed = false;
	s->is_closing = true;
	s->linger_until_us = loop_now(l->loop)->mono_us + LINGER_MS * MS_US;
	TAILQ_INSERT_TAIL(&l->closing, s, queued);
	/* A client that takes nothing is not waited for any longer than the others. */
	bufferevent_setwatermark(s->bev, EV_READ, 0, READ_BYTES);
}

static void on_resume(void *ctx, void *socket)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	if (s->is_resumed || s->is_closing)
		return;
	s->is_resumed = true;
	TAILQ_INSERT_TAIL(&l->resumed, s, queued);
}

/* Output that waits for the disk. */

static void release_watch(struct mqtt_listener *l);

static void on_release(void *ctx)
{
	struct mqtt_listener *l = ctx;
	l->is_release_due = false;
	for (struct mqtt_socket *s = LIST_FIRST(&l->holding), *next; s; s = next) {
		next = LIST_NEXT(s, held);
		if (s->hold > l->releasing)
			continue;
		s->hold = 0;
		LIST_REMOVE(s, held);
		(void)bufferevent_enable(s->bev, EV_WRITE);
	}
	release_watch(l);
}

static void release_watch(struct mqtt_listener *l)
{
	if (l->is_release_due || LIST_EMPTY(&l->holding))
		return;
	l->releasing = l->holds;
	l->is_release_due = true;
	if (l->options.after(l->options.after_ctx, on_release, l))
		l->is_release_due = false; /* without memory; the client gives up, and asks again */
}

static void on_hold(void *ctx, void *socket)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	if (!l->options.after)
		return;
	if (!s->hold)
		LIST_INSERT_HEAD(&l->holding, s, held);
	s->hold = ++l->holds;
	(void)bufferevent_disable(s->bev, EV_WRITE);
	release_watch(l);
}

/* Octets in. */

static void socket_read(struct mqtt_socket *s)
{
	struct mqtt_listener *l = s->listener;
	struct evbuffer *in = bufferevent_get_input(s->bev);
	size_t n = evbuffer_get_length(in);
	if (!s->conn) {
		(void)evbuffer_drain(in, n);
		return;
	}
	if (n == 0 || n < s->need)
		return;
	const uint8_t *p = evbuffer_pullup(in, -1);
	size_t need = 0;
	size_t used = p ? mqtt_engine_receive(s->conn, (struct slice){ p, n }, loop_now(l->loop), &need) : 0;
	(void)evbuffer_drain(in, s->conn ? used : n);
	l->stats.received_bytes += used;
	if (!s->conn)
		return;
	s->need = need;
	if (need == 0)
		(void)bufferevent_disable(s->bev, EV_READ);
	else /* never more than one packet beyond what is read at once */
		bufferevent_setwatermark(s->bev, EV_READ, need > READ_BYTES ? need : 0,
			(need > READ_BYTES ? need : 0) + READ_BYTES);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	socket_read(ctx);
}

/* All that waited has been written, or nearly. */
static void on_write(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	struct mqtt_socket *s = ctx;
	struct mqtt_listener *l = s->listener;
	(void)waiting_count(s);
	if (s->conn && s->is_full) {
		s->is_full = false;
		mqtt_engine_drained(s->conn, loop_now(l->loop));
	}
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	(void)bev;
	struct mqtt_socket *s = ctx;
	if (what & BEV_EVENT_CONNECTED) /* TLS is up */
		return;
	struct mqtt_conn *conn = TAKE(s->conn);
	if (conn)
		mqtt_engine_lost(conn, loop_now(s->listener->loop));
	socket_free(s);
}

/* Each wake: give again what was held up, let go of what is closing, then let the engine do what is due. */

static void resumed_serve(struct mqtt_listener *l)
{
	for (size_t left = l->sockets_n; left && !TAILQ_EMPTY(&l->resumed); left--) {
		struct mqtt_socket *s = TAILQ_FIRST(&l->resumed);
		TAILQ_REMOVE(&l->resumed, s, queued);
		s->is_resumed = false;
		s->need = 0;
		(void)bufferevent_enable(s->bev, EV_READ);
		socket_read(s);
	}
}

static void closing_serve(struct mqtt_listener *l)
{
	uint64_t now_us = loop_now(l->loop)->mono_us, next_us = UINT64_MAX;
	for (struct mqtt_socket *s = TAILQ_FIRST(&l->closing), *next; s; s = next) {
		next = TAILQ_NEXT(s, queued);
		if (now_us >= s->linger_until_us) {
			socket_free(s);
			continue;
		}
		if (!s->is_shut && waiting_count(s) == 0) {
			s->is_shut = true;
			(void)bufferevent_enable(s->bev, EV_READ);
			(void)shutdown(bufferevent_getfd(s->bev), SHUT_WR);
		}
		next_us = s->linger_until_us < next_us ? s->linger_until_us : next_us;
	}
	loop_timer_at(l->linger, next_us);
}

static void on_wake(void *ctx)
{
	struct mqtt_listener *l = ctx;
	resumed_serve(l);
	if (l->engine)
		mqtt_engine_step(l->engine, loop_now(l->loop));
	closing_serve(l);
	uint64_t due_us = l->engine ? mqtt_engine_deadline(l->engine) : UINT64_MAX;
	loop_timer_at(l->deadline, TAILQ_EMPTY(&l->resumed) ? due_us : 0);
}

static void on_timer(void *ctx)
{
	(void)ctx; /* the wake is what was wanted */
}

/* Connections come in. */

static struct bufferevent *bufferevent_of(
	struct mqtt_listener *l, int fd, SSL_CTX *tls, struct mqtt_peer *peer)
{
	struct event_base *base = loop_base(l->loop);
	if (!tls)
		return bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	SSL *ssl = SSL_new(tls);
	if (!ssl)
		return NULL;
	struct bufferevent *bev = bufferevent_openssl_socket_new(
		base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (!bev)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	peer->tls = bev ? ssl : NULL;
	return bev;
}

static void socket_configure(struct mqtt_socket *s, int fd)
{
	const struct timeval stuck = { .tv_sec = (time_t)s->listener->options.stuck_s };
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int));
	bufferevent_setcb(s->bev, on_read, on_write, on_event, s);
	bufferevent_set_timeouts(s->bev, NULL, &stuck);
	bufferevent_setwatermark(s->bev, EV_READ, 0, READ_BYTES);
	bufferevent_setwatermark(s->bev, EV_WRITE, s->listener->options.high_water_bytes / 4, 0);
	(void)bufferevent_set_max_single_read(s->bev, READ_BYTES);
	(void)bufferevent_set_max_single_write(s->bev, READ_BYTES * 4);
	(void)bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

static void socket_new(struct port *p, int fd, const struct net_address *from)
{
	struct mqtt_listener *l = p->listener;
	struct mqtt_socket *s =
		l->sockets_n < l->options.connections && l->engine ? calloc(1, sizeof *s) : NULL;
	if (s) {
		s->listener = l;
		s->peer.address = *from;
		s->bev = bufferevent_of(l, fd, p->tls, &s->peer);
	}
	if (!s || !s->bev || mqtt_engine_open(l->engine, s, &s->peer, loop_now(l->loop), &s->conn)) {
		l->stats.refused++;
		if (s && s->bev)
			bufferevent_free(s->bev);
		else
			close(fd);
		free(s);
		return;
	}
	l->stats.accepted++;
	l->sockets_n++;
	LIST_INSERT_HEAD(&l->sockets, s, link);
	socket_configure(s, fd);
}

static void on_acceptable(int fd, void *ctx)
{
	struct port *p = ctx;
	for (size_t i = 0; i < ACCEPTS_PER_WAKE; i++) {
		struct net_address from = { .len = sizeof from.sa };
		int got = accept4(fd, (struct sockaddr *)&from.sa, &from.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (got >= 0) {
			socket_new(p, got, &from);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		if (errno != EAGAIN) { /* no descriptors or no memory: waiting in the backlog costs nothing,
					  spinning does */
			LOG(LOG_WARN, "mqtt-accept", KV_Z("error", strerror(errno)));
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
		socket_free(LIST_FIRST(&l->sockets));
	loop_forget(l->loop, on_wake, l);
	loop_timer_free(l->deadline);
	loop_timer_free(l->linger);
	loop_timer_free(l->accept_again);
	free(l);
}

struct mqtt_sink mqtt_listener_sink(struct mqtt_listener *l)
{
	return (struct mqtt_sink){ l, on_send, on_close, on_resume, on_hold };
}

void mqtt_listener_attach(struct mqtt_listener *l, struct mqtt_engine *e)
{
	l->engine = e;
}

const struct mqtt_listener_stats *mqtt_listener_stats(const struct mqtt_listener *l)
{
	return &l->stats;
}
