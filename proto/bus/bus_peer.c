/** @file One connection of the bus: from the socket to whole frames, and back. */
#include "common/log.h"
#include "common/net_tls.h"
#include "proto/bus/bus_int.h"
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_MAX = 256 << 10 };

struct bus_peer *peer_new(struct bus *b)
{
	struct bus_peer *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	p->out = evbuffer_new();
	if (!p->out) {
		free(p);
		return NULL;
	}
	p->bus = b;
	p->state = PEER_CONNECTING;
	p->greet_by_us = loop_now(b->loop)->mono_us + GREETING_US;
	LIST_INIT(&p->requests);
	LIST_INSERT_HEAD(&b->peers, p, link);
	b->n_peers++;
	return p;
}

void peer_drop(struct bus_peer *p, const char *fmt, ...)
{
	if (p->state == PEER_DEAD)
		return;
	p->was_up = p->state == PEER_UP;
	p->bus->stats.losses += p->was_up;
	p->state = PEER_DEAD;
	va_list ap;
	va_start(ap, fmt);
	if (!p->why[0])
		vsnprintf(p->why, sizeof p->why, fmt, ap);
	va_end(ap);
	if (p->bev)
		bufferevent_disable(p->bev, EV_READ | EV_WRITE);
	bus_schedule(p->bus);
}

void peer_bury(struct bus_peer *p)
{
	struct bus *b = p->bus;
	call_abandon(p);
	if (p->was_up && b->o.down)
		b->o.down(b->o.ctx, p);
	LIST_REMOVE(p, link);
	b->n_peers--;
	if (p->bev)
		bufferevent_free(p->bev);
	evbuffer_free(p->out);
	calls_done(&p->calls);
	free(p);
}

void peer_flush(struct bus_peer *p)
{
	if (p->state == PEER_DEAD || p->state == PEER_CONNECTING || !evbuffer_get_length(p->out))
		return;
	if (bufferevent_write_buffer(p->bev, p->out))
		peer_drop(p, "no memory");
}

void peer_flush_now(struct bus_peer *p)
{
	peer_flush(p);
	if (p->state == PEER_DEAD || p->state == PEER_CONNECTING || p->bus->tls)
		return;
	struct evbuffer *out = bufferevent_get_output(p->bev);
	evbuffer_unfreeze(out, 1);
	(void)evbuffer_write(out, bufferevent_getfd(p->bev));
	evbuffer_freeze(out, 1);
}

/** One whole frame of the input. */
static void take_frame(struct bus_peer *p, struct slice frame)
{
	struct rpc_frame f;
	if (p->state == PEER_UP)
		call_dispatch(p, frame);
	else if (p->state == PEER_GREETING && rpc_parse(frame, &f))
		peer_drop(p, "sent what is no msgpack-RPC");
	else if (p->state == PEER_GREETING)
		hello_take(p, &f);
}

static bool reads(const struct bus_peer *p)
{
	return p->state == PEER_GREETING || p->state == PEER_UP;
}

/** @return 0, *ret_taken octets end a frame; RPC_E_MORE; -errno: the peer is dropped */
static int scan(struct bus_peer *p, const uint8_t *at, size_t n, size_t *ret_taken)
{
	int r = rpc_scan(&p->scan, at, n, ret_taken);
	if (r == -EMSGSIZE)
		peer_drop(p, "sent a frame of more than %d octets", RPC_FRAME_MAX);
	else if (r < 0)
		peer_drop(p, "sent what is no msgpack-RPC");
	return r;
}

/** All frames that lie whole in the first piece of the input. */
static void serve_piece(struct bus_peer *p, struct evbuffer *in)
{
	size_t n = evbuffer_get_contiguous_space(in), at = 0, taken;
	const uint8_t *data = evbuffer_pullup(in, (ev_ssize_t)n);
	while (reads(p) && at + p->scanned < n) {
		int r = scan(p, data + at + p->scanned, n - at - p->scanned, &taken);
		if (r < 0)
			return;
		p->scanned += taken;
		if (r == RPC_E_MORE)
			break;
		take_frame(p, (struct slice){ data + at, p->scanned });
		at += p->scanned;
		p->scanned = 0;
	}
	evbuffer_drain(in, at);
}

/** Scan on behind what is scanned; the frame is joined together once, when its end is known. */
static void serve_straddling(struct bus_peer *p, struct evbuffer *in)
{
	struct evbuffer_ptr at;
	struct evbuffer_iovec piece;
	size_t taken;
	if (evbuffer_ptr_set(in, &at, p->scanned, EVBUFFER_PTR_SET) || evbuffer_peek(in, -1, &at, &piece, 1) < 1)
		return;
	int r = scan(p, piece.iov_base, piece.iov_len, &taken);
	if (r < 0)
		return;
	p->scanned += taken;
	if (r == RPC_E_MORE)
		return;
	const uint8_t *frame = evbuffer_pullup(in, (ev_ssize_t)p->scanned);
	if (!frame) {
		peer_drop(p, "no memory");
		return;
	}
	take_frame(p, (struct slice){ frame, p->scanned });
	evbuffer_drain(in, p->scanned);
	p->scanned = 0;
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	struct bus_peer *p = ctx;
	struct evbuffer *in = bufferevent_get_input(bev);
	while (reads(p) && evbuffer_get_length(in) > p->scanned) {
		if (evbuffer_get_contiguous_space(in) > p->scanned)
			serve_piece(p, in);
		else
			serve_straddling(p, in);
	}
	/* Not left unread: closing a socket with unread octets takes back what was sent last, such as a refusal. */
	if (!reads(p))
		evbuffer_drain(in, evbuffer_get_length(in));
}

static void on_written(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	struct bus_peer *p = ctx;
	if (p->state == PEER_LEAVING && !evbuffer_get_length(p->out))
		peer_drop(p, "has been refused"); /* p->why is set already */
}

static void on_event(struct bufferevent *bev, short what, void *ctx)
{
	struct bus_peer *p = ctx;
	char buf[160] = "";
	struct text why = text_fixed(buf, sizeof buf);
	int e = EVUTIL_SOCKET_ERROR();
	if (what & BEV_EVENT_CONNECTED) {
		if (p->state != PEER_CONNECTING)
			return;
		p->state = PEER_GREETING;
		if (p->bus->listen_fd < 0)
			hello_send(p);
		return;
	}
	if (p->bus->tls)
		net_tls_why(bev, &why);
	if (what & BEV_EVENT_EOF)
		peer_drop(p, "%s", why.len ? buf : "closed by the other side");
	else
		peer_drop(p, "%s", why.len ? buf : evutil_socket_error_to_string(e));
}

/** A host that vanished without a word is noticed within seconds, and small frames do not wait for larger ones. */
static void set_tcp(int fd)
{
	int one = 1, idle_s = 5, interval_s = 3, probes = 3, patience_ms = 15000;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof patience_ms);
}

/** HOST of tcp:HOST:PORT, without the brackets of IPv6. */
static void host_of(const struct bus *b, char *buf, size_t cap)
{
	struct str s = str_of(b->asked), host;
	if (str_starts(s, "tcp:"))
		s = (struct str){ s.p + 4, s.n - 4 };
	if (s.n && s.p[0] == '[')
		str_cut((struct str){ s.p + 1, s.n - 1 }, ']', &host);
	else
		str_cut(s, ':', &host);
	(void)str_copy(host, buf, cap);
}

int peer_open(struct bus_peer *p, int fd)
{
	struct bus *b = p->bus;
	bool connects = fd < 0;
	char host[256];
	if (b->tls) {
		host_of(b, host, sizeof host);
		p->bev = bus_tls_wrap(b->tls, loop_base(b->loop), fd, host);
	} else {
		p->bev = bufferevent_socket_new(loop_base(b->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	}
	if (!p->bev) {
		if (!connects)
			close(fd);
		peer_drop(p, "no memory");
		return -ENOMEM;
	}
	bufferevent_setcb(p->bev, on_read, on_written, on_event, p);
	bufferevent_set_max_single_read(p->bev, READ_MAX);
	bufferevent_set_max_single_write(p->bev, READ_MAX);
	if (bufferevent_enable(p->bev, EV_READ | EV_WRITE))
		peer_drop(p, "no memory");
	else if (connects && bufferevent_socket_connect(p->bev, (const struct sockaddr *)&b->net.sa, (int)b->net.len))
		peer_drop(p, "%s", evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	else if (!connects && !b->tls)
		p->state = PEER_GREETING;
	if (b->net.sa.ss_family != AF_UNIX && bufferevent_getfd(p->bev) >= 0)
		set_tcp(bufferevent_getfd(p->bev));
	return 0;
}

const char *bus_peer_role(const struct bus_peer *p)
{
	return p->hello.role;
}

struct ulid bus_peer_instance(const struct bus_peer *p)
{
	return p->hello.instance;
}

void *bus_peer_user(const struct bus_peer *p)
{
	return p->user;
}

void bus_peer_set_user(struct bus_peer *p, void *user)
{
	p->user = user;
}

size_t bus_peer_backlog(const struct bus_peer *p)
{
	size_t n = evbuffer_get_length(p->out);
	return p->bev ? n + evbuffer_get_length(bufferevent_get_output(p->bev)) : n;
}
