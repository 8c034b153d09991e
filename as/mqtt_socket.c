/** @file One client of the MQTT server, on a libevent bufferevent.
 *
 * Input stays in the socket's evbuffer until the engine has use for it: the engine says how much it needs.
 * Output is collected during a wake and written in one go. A socket that the engine closes is emptied, shut
 * down, and lingers until the other end has closed too, so that the last packet is not lost to a reset.
 */
#include "as/mqtt_socket.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_HIGH_BYTES = 16 << 10, LINGER_MS = 2000 };

/* Keep count of what waits for all clients together. */
static size_t waiting_count(struct mqtt_socket *s)
{
	size_t n = evbuffer_get_length(bufferevent_get_output(s->bev));
	s->listener->stats.waiting_bytes += n;
	s->listener->stats.waiting_bytes -= s->waiting;
	s->waiting = n;
	return n;
}

static void queue_put(struct mqtt_socket *s, struct socket_queue *q)
{
	if (s->in)
		TAILQ_REMOVE(s->in, s, queued);
	s->in = q;
	if (q)
		TAILQ_INSERT_TAIL(q, s, queued);
}

void mqtt_socket_free(struct mqtt_socket *s)
{
	struct mqtt_listener *l = s->listener;
	l->stats.waiting_bytes -= s->waiting;
	queue_put(s, NULL);
	if (s->hold)
		LIST_REMOVE(s, held);
	LIST_REMOVE(s, link);
	l->stats.connections--;
	if (l->options.guard)
		guard_leave(l->options.guard, &s->peer.ip);
	websocket_free(s->websocket);
	if (s->stream)
		evbuffer_free(s->stream);
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
	if (total && s->websocket && websocket_send(s->websocket, parts, n))
		(void)shutdown(bufferevent_getfd(s->bev), SHUT_RDWR); /* half a frame: nothing can follow it */
	else if (total && !s->websocket)
		parts_copy(bufferevent_get_output(s->bev), parts, n, total);
	l->stats.sent_bytes += total;
	s->is_full = waiting_count(s) > high_water(l);
	return s->is_full;
}

static void linger_begin(struct mqtt_socket *s)
{
	struct mqtt_listener *l = s->listener;
	s->due_us = loop_now(l->loop)->mono_us + LINGER_MS * MS_US;
	queue_put(s, &l->closing);
}

static void on_close(void *ctx, void *socket)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	s->conn = NULL;
	if (s->websocket)
		websocket_close(s->websocket, WEBSOCKET_NORMAL);
	/* A client that takes nothing is not waited for any longer than the others. */
	bufferevent_setwatermark(s->bev, EV_READ, 0, READ_BYTES);
	if (s->due_us > loop_now(l->loop)->mono_us) {
		(void)bufferevent_disable(s->bev, EV_WRITE);
		queue_put(s, &l->delayed);
	} else {
		linger_begin(s);
	}
}

static void on_resume(void *ctx, void *socket)
{
	struct mqtt_listener *l = ctx;
	struct mqtt_socket *s = socket;
	if (!s->in)
		queue_put(s, &l->resumed);
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

struct mqtt_sink mqtt_listener_sink(struct mqtt_listener *l)
{
	return (struct mqtt_sink){ l, on_send, on_close, on_resume, on_hold };
}

void mqtt_listener_delay(struct mqtt_listener *l, const struct mqtt_peer *peer)
{
	peer->socket->due_us = loop_now(l->loop)->mono_us + l->options.refusal_delay_us;
}

/* Octets in. */

static int on_frame_data(void *ctx, struct slice octets)
{
	struct mqtt_socket *s = ctx;
	return evbuffer_add(s->stream, octets.p, octets.n) ? -ENOMEM : 0;
}

static int on_frame_write(void *ctx, struct slice octets)
{
	struct mqtt_socket *s = ctx;
	return evbuffer_add(bufferevent_get_output(s->bev), octets.p, octets.n) ? -ENOMEM : 0;
}

/* The frames' octets become those of the stream. Whoever asks for more Pongs than it takes is not read from meanwhile. */
static void frames_take(struct mqtt_socket *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	for (size_t n; !s->is_over && (n = evbuffer_get_contiguous_space(in)) > 0; (void)evbuffer_drain(in, n))
		s->is_over = websocket_receive(s->websocket, (struct slice){ evbuffer_pullup(in, (ev_ssize_t)n), n }) != 0;
	if (!s->is_over && !s->is_flooded && waiting_count(s) > high_water(s->listener)) {
		s->is_flooded = true;
		(void)bufferevent_disable(s->bev, EV_READ);
	}
}

/* The other end has closed its WebSocket, or broken its rules: it has had its answer. */
static void frames_end(struct mqtt_socket *s)
{
	struct mqtt_conn *conn = TAKE(s->conn);
	if (conn)
		mqtt_engine_lost(conn, loop_now(s->listener->loop));
	linger_begin(s);
}

static void want(struct mqtt_socket *s, size_t need)
{
	s->need = need;
	if (need == 0)
		(void)bufferevent_disable(s->bev, EV_READ);
	else if (!s->websocket) /* never more than one packet beyond what is read at once */
		bufferevent_setwatermark(s->bev, EV_READ, need > READ_BYTES ? need : 0,
			(need > READ_BYTES ? need : 0) + READ_BYTES);
}

static void stream_take(struct mqtt_socket *s, struct evbuffer *in)
{
	struct mqtt_listener *l = s->listener;
	size_t n = evbuffer_get_length(in);
	if (n == 0 || n < s->need)
		return;
	const uint8_t *p = evbuffer_pullup(in, -1);
	size_t need = 0;
	size_t used = p ? mqtt_engine_receive(s->conn, (struct slice){ p, n }, loop_now(l->loop), &need) : 0;
	(void)evbuffer_drain(in, s->conn ? used : n);
	l->stats.received_bytes += used;
	if (s->conn)
		want(s, need);
}

static void socket_read(struct mqtt_socket *s)
{
	struct evbuffer *in = bufferevent_get_input(s->bev);
	if (!s->conn) {
		(void)evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	if (s->websocket)
		frames_take(s);
	stream_take(s, s->websocket ? s->stream : in);
	if (s->is_over && s->conn)
		frames_end(s);
}

static void on_read(struct bufferevent *bev, void *ctx)
{
	(void)bev;
	socket_read(ctx);
}

/* All that waited has been written, or nearly. */
static void on_write(struct bufferevent *bev, void *ctx)
{
	struct mqtt_socket *s = ctx;
	struct mqtt_listener *l = s->listener;
	(void)waiting_count(s);
	if (s->is_flooded) {
		s->is_flooded = false;
		if (s->need || !s->conn)
			(void)bufferevent_enable(bev, EV_READ);
	}
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
	mqtt_socket_free(s);
}

void mqtt_socket_resume_all(struct mqtt_listener *l)
{
	for (uint64_t left = l->stats.connections; left && !TAILQ_EMPTY(&l->resumed); left--) {
		struct mqtt_socket *s = TAILQ_FIRST(&l->resumed);
		queue_put(s, NULL);
		s->need = 1;
		if (!s->is_flooded)
			(void)bufferevent_enable(s->bev, EV_READ);
		socket_read(s);
	}
}

/* What was to be told later is told now. */
static uint64_t delayed_serve(struct mqtt_listener *l, uint64_t now_us)
{
	struct mqtt_socket *s;
	while ((s = TAILQ_FIRST(&l->delayed))) {
		if (s->due_us > now_us)
			return s->due_us;
		if (!s->hold)
			(void)bufferevent_enable(s->bev, EV_WRITE);
		linger_begin(s);
	}
	return UINT64_MAX;
}

uint64_t mqtt_socket_close_all(struct mqtt_listener *l)
{
	uint64_t now_us = loop_now(l->loop)->mono_us, next_us = delayed_serve(l, now_us);
	for (struct mqtt_socket *s = TAILQ_FIRST(&l->closing), *next; s; s = next) {
		next = TAILQ_NEXT(s, queued);
		if (now_us >= s->due_us) {
			mqtt_socket_free(s);
			continue;
		}
		if (!s->is_shut && waiting_count(s) == 0) {
			s->is_shut = true;
			(void)bufferevent_enable(s->bev, EV_READ);
			(void)shutdown(bufferevent_getfd(s->bev), SHUT_WR);
		}
		next_us = s->due_us < next_us ? s->due_us : next_us;
	}
	return next_us;
}

static void socket_configure(struct mqtt_socket *s)
{
	const struct timeval stuck = { .tv_sec = (time_t)s->listener->options.stuck_s };
	int fd = bufferevent_getfd(s->bev);
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

static int websocket_begin(struct mqtt_socket *s)
{
	const struct websocket_io io = { s, on_frame_data, on_frame_write };
	s->stream = evbuffer_new();
	s->websocket = websocket_new(&io);
	return s->stream && s->websocket ? 0 : -ENOMEM;
}

int mqtt_socket_new(struct mqtt_listener *l, struct bufferevent *bev, const struct mqtt_peer *peer, bool is_websocket)
{
	struct mqtt_socket *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->listener = l;
	s->peer = *peer;
	s->peer.socket = s;
	s->bev = bev;
	if ((is_websocket && websocket_begin(s)) || mqtt_engine_open(l->engine, s, &s->peer, loop_now(l->loop), &s->conn)) {
		websocket_free(s->websocket);
		if (s->stream)
			evbuffer_free(s->stream);
		free(s);
		return -ENOMEM;
	}
	l->stats.connections++;
	LIST_INSERT_HEAD(&l->sockets, s, link);
	socket_configure(s);
	if (is_websocket) /* the first frames may be here already */
		on_resume(l, s);
	return 0;
}
