/** @file The life of a bus: listening, connecting and connecting again, the end of each wake, deadlines. */
#include "proto/bus/bus.h"
#include "common/log.h"
#include "proto/bus/bus_int.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { ACCEPTS_MAX = 32 };

static bool listens(const struct bus *b)
{
	return b->listen_fd >= 0;
}

/* ---- deadlines and the end of a wake ---- */

static uint64_t peer_deadline(const struct bus_peer *p)
{
	return p->state == PEER_UP ? heap_deadline(&p->calls.due) : p->greet_by_us;
}

/** The timer is only ever moved forward to fire earlier; when it fires too early, nothing is due, and it is set anew. That is
 * cheaper than moving it with every answer. */
static void set_timer(struct bus *b)
{
	uint64_t due = b->connect_at_us;
	for (struct bus_peer *p = LIST_FIRST(&b->peers); p; p = LIST_NEXT(p, link))
		if (peer_deadline(p) < due)
			due = peer_deadline(p);
	if (due < b->timer_us) {
		b->timer_us = due;
		loop_timer_at(b->timer, due);
	}
}

static void plan_reconnect(struct bus *b)
{
	struct rng rng = loop_rng();
	uint64_t half = b->backoff_us / 2;
	b->connect_at_us = loop_now(b->loop)->mono_us + half + rng_below(&rng, half + 1);
	b->backoff_us = 2 * b->backoff_us < BACKOFF_MAX_US ? 2 * b->backoff_us : BACKOFF_MAX_US;
}

/** A connection that is refused again and again for the same reason is told once. */
static void tell_end(struct bus *b, const struct bus_peer *p)
{
	bool is_news = p->was_up || listens(b) || strcmp(b->last_why, p->why);
	LOG(!is_news ? LOG_DEBUG : p->is_refused ? LOG_ERROR : LOG_WARN, p->is_refused ? "bus_refused" : "bus_down", KV_Z("address", b->address), KV_Z("role", p->hello.role), KV_Z("why", p->why));
	memcpy(b->last_why, p->why, sizeof b->last_why);
}

static void settle(void *ctx)
{
	struct bus *b = ctx;
	b->is_scheduled = false;
	for (struct bus_peer *p = LIST_FIRST(&b->peers), *next; p; p = next) {
		peer_flush(p);
		next = LIST_NEXT(p, link);
		if (p->state != PEER_DEAD)
			continue;
		tell_end(b, p);
		if (p->was_up && loop_now(b->loop)->mono_us - p->up_at_us >= STEADY_US)
			b->backoff_us = BACKOFF_MIN_US;
		peer_bury(p);
		if (!listens(b))
			plan_reconnect(b);
	}
	set_timer(b);
}

void bus_schedule(struct bus *b)
{
	if (b->is_scheduled)
		return;
	/* Without memory for the entry, the timer does it: at once, and set_timer has no say in that. */
	if (loop_defer(b->loop, settle, b)) {
		b->timer_us = 0;
		loop_timer_at(b->timer, 0);
	}
	b->is_scheduled = true;
}

/* ---- connecting ---- */

static bool is_loopback(const struct net_address *a)
{
	if (a->sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&a->sa;
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	}
	const struct sockaddr_in6 *in6 = (const void *)&a->sa;
	return a->sa.ss_family == AF_UNIX || IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

/** Names may have moved since the last time. */
static int resolve(struct bus *b, struct text *ret_error)
{
	struct net_address a;
	if (net_parse(str_of(b->asked), BUS_PORT, &a)) {
		text_printf(ret_error, "%s is no address of a bus (unix:PATH or tcp:HOST:PORT), or its host is not known", b->asked);
		return -EINVAL;
	}
	if (!b->tls && !is_loopback(&a)) {
		text_printf(ret_error, "%s: set bus.tls-ca, bus.tls-certificate and bus.tls-key; without TLS the bus stays on this host", b->asked);
		return -EINVAL;
	}
	b->net = a;
	return 0;
}

static void try_connect(struct bus *b)
{
	char why[200];
	struct text t = text_fixed(why, sizeof why);
	b->connect_at_us = UINT64_MAX;
	struct bus_peer *p = peer_new(b);
	if (!p)
		plan_reconnect(b);
	else if (b->net.sa.ss_family != AF_UNIX && resolve(b, &t))
		peer_drop(p, "%s", why);
	else
		(void)peer_open(p, -1);
	bus_schedule(b);
}

/* ---- listening ---- */

static void on_accept(int fd, void *ctx)
{
	struct bus *b = ctx;
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (c < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)) {
			LOG(LOG_ERROR, "bus_accept", KV_Z("address", b->address), KV_Z("why", strerror(errno)));
			/* The listener would stay readable and the loop spin: look away for a moment. */
			loop_watch_free(b->accept_watch);
			b->accept_watch = NULL;
			b->connect_at_us = loop_now(b->loop)->mono_us + BACKOFF_MIN_US;
			break;
		}
		if (c < 0)
			break;
		struct bus_peer *p = b->n_peers < PEERS_MAX ? peer_new(b) : NULL;
		if (p) {
			(void)peer_open(p, c);
			continue;
		}
		LOG(LOG_WARN, "bus_accept", KV_Z("address", b->address), KV_Z("why", b->n_peers < PEERS_MAX ? "no memory" : "too many connections"));
		close(c);
	}
	bus_schedule(b);
}

static int open_listener(struct bus *b, struct text *ret_error)
{
	mode_t mask = umask(0177); /* the file of a UNIX socket is 0600 from its first moment */
	int fd = net_listen(&b->net);
	umask(mask);
	if (fd < 0) {
		text_printf(ret_error, "cannot listen on %s: %s", b->asked, strerror(-fd));
		return fd;
	}
	b->listen_fd = fd;
	TRY(net_local(fd, &b->net));
	struct text t = text_fixed(b->address, sizeof b->address);
	text_puts(&t, b->net.sa.ss_family == AF_UNIX ? "" : "tcp:");
	net_text(&t, &b->net);
	b->accept_watch = loop_watch_read(b->loop, fd, on_accept, b);
	return b->accept_watch ? 0 : -ENOMEM;
}

/* ---- timer ---- */

static void on_timer(void *ctx)
{
	struct bus *b = ctx;
	uint64_t now_us = loop_now(b->loop)->mono_us;
	b->timer_us = UINT64_MAX;
	for (struct bus_peer *p = LIST_FIRST(&b->peers); p; p = LIST_NEXT(p, link)) {
		call_fail_due(p, now_us);
		if (p->state != PEER_UP && now_us >= p->greet_by_us)
			peer_drop(p, "no greeting within %d s", GREETING_US / 1000000);
	}
	if (now_us >= b->connect_at_us && !listens(b)) {
		try_connect(b);
	} else if (now_us >= b->connect_at_us) {
		b->connect_at_us = UINT64_MAX;
		if (!b->accept_watch)
			b->accept_watch = loop_watch_read(b->loop, b->listen_fd, on_accept, b);
		if (!b->accept_watch)
			b->connect_at_us = now_us + BACKOFF_MIN_US;
	}
	settle(b);
}

/* ---- making and freeing ---- */

static size_t largest_message(void)
{
	size_t most = 0;
	for (size_t i = 0; i < schema_all_n; i++)
		if (schema_all[i]()->size > most)
			most = schema_all[i]()->size;
	return most;
}

static bool wants_tls(const struct bus_tls *t)
{
	return (t->ca && *t->ca) || (t->certificate && *t->certificate) || (t->key && *t->key);
}

static int open_tls(struct bus *b, struct bus_tls_ctx **ret, struct text *ret_error)
{
	const struct bus_tls *t = &b->o.tls;
	*ret = NULL;
	if (!wants_tls(t) || b->net.sa.ss_family == AF_UNIX || str_starts(str_of(b->asked), "unix:"))
		return 0;
	if (!t->ca || !*t->ca || !t->certificate || !*t->certificate || !t->key || !*t->key) {
		text_puts(ret_error, "bus.tls-ca, bus.tls-certificate and bus.tls-key belong together: one of them is missing");
		return -EINVAL;
	}
	return bus_tls_open(t, ret, ret_error);
}

DEFINE_AUTO(struct bus, bus_free);

static int bus_new(const struct bus_options *o, struct bus **ret, struct text *ret_error)
{
	AUTO(bus_free) struct bus *b = calloc(1, sizeof *b);
	if (!b)
		return -ENOMEM;
	struct rng rng = loop_rng();
	b->o = *o;
	b->loop = o->loop;
	b->listen_fd = -1;
	b->connect_at_us = b->timer_us = UINT64_MAX;
	b->backoff_us = BACKOFF_MIN_US;
	b->instance = ulid_make(loop_now(o->loop)->unix_us, &rng);
	for (size_t i = 0; i < o->n_handlers; i++)
		b->handlers[o->handlers[i].method] = o->handlers[i];
	b->timer = loop_timer_new(o->loop, on_timer, b);
	b->encoded = malloc(RPC_FRAME_MAX);
	b->decoded = calloc(1, largest_message());
	if (!b->timer || !b->encoded || !b->decoded)
		return -ENOMEM;
	if (str_copy(str_of(o->address), b->asked, sizeof b->asked) || str_copy(str_of(o->role), b->role, sizeof b->role)) {
		text_printf(ret_error, "%s is too long for an address of a bus", o->address);
		return -EINVAL;
	}
	memcpy(b->address, b->asked, sizeof b->address);
	TRY(open_tls(b, &b->tls, ret_error));
	TRY(resolve(b, ret_error));
	signal(SIGPIPE, SIG_IGN); /* libevent writes with writev, which cannot be told otherwise */
	*ret = TAKE(b);
	return 0;
}

int bus_listen(const struct bus_options *o, struct bus **ret, struct text *ret_error)
{
	AUTO(bus_free) struct bus *b = NULL;
	TRY(bus_new(o, &b, ret_error));
	TRY(open_listener(b, ret_error));
	*ret = TAKE(b);
	return 0;
}

int bus_connect(const struct bus_options *o, struct bus **ret, struct text *ret_error)
{
	AUTO(bus_free) struct bus *b = NULL;
	TRY(bus_new(o, &b, ret_error));
	b->connect_at_us = 0;
	set_timer(b);
	*ret = TAKE(b);
	return 0;
}

static void close_listener(struct bus *b)
{
	loop_watch_free(b->accept_watch);
	if (!listens(b))
		return;
	close(b->listen_fd);
	if (b->net.sa.ss_family == AF_UNIX)
		unlink(((const struct sockaddr_un *)(const void *)&b->net.sa)->sun_path);
}

void bus_free(struct bus *b)
{
	if (!b)
		return;
	close_listener(b);
	for (struct bus_peer *p; (p = LIST_FIRST(&b->peers));) {
		peer_flush_now(p);
		peer_drop(p, "this side stops");
		peer_bury(p);
	}
	loop_forget(b->loop, settle, b);
	loop_timer_free(b->timer);
	for (struct request_block *block; (block = SLIST_FIRST(&b->request_blocks));) {
		SLIST_REMOVE_HEAD(&b->request_blocks, link);
		free(block);
	}
	bus_tls_free(b->tls);
	free(b->encoded);
	free(b->decoded);
	free(b);
}

const char *bus_address(const struct bus *b)
{
	return b->address;
}

int bus_reload(struct bus *b, struct text *ret_error)
{
	struct bus_tls_ctx *fresh;
	TRY(open_tls(b, &fresh, ret_error));
	if (!fresh)
		return 0;
	bus_tls_free(b->tls); /* connections hold a reference of their own */
	b->tls = fresh;
	return 0;
}
