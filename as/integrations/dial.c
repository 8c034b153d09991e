/** @file From a name to a connected socket. */
#include "as/integrations/dial.h"
#include "as/core/integration/address.h"
#include "as/mqtt_listener.h"
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_CAP = 256, WORDS_CAP = 512, NEXT_ADDRESS_S = 3 };

struct dial {
	struct loop *loop;
	char host[HOST_CAP];
	uint64_t due_us; /**< of all of it */
	bool is_public_only;
	void (*fn)(void *ctx, int fd, const char *why);
	void *ctx;
	struct resolver_question *question;
	struct resolver_answer addresses;
	size_t at; /**< which of them is tried */
	int fd;
	struct event *connected;
	struct loop_timer *timer;
	char why[WORDS_CAP]; /**< of the last address */
};

static void hang_up(struct dial *d)
{
	if (d->connected)
		event_free(TAKE(d->connected));
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void dial_cancel(struct dial *d)
{
	if (!d)
		return;
	resolver_forget(d->question);
	hang_up(d);
	loop_timer_free(d->timer);
	free(d);
}

static void end(struct dial *d, int fd)
{
	void (*fn)(void *ctx, int fd, const char *why) = d->fn;
	void *ctx = d->ctx;
	char why[WORDS_CAP];
	memcpy(why, d->why, sizeof why);
	dial_cancel(d);
	fn(ctx, fd, why);
}

static void say(struct dial *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(struct dial *d, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(d->why, sizeof d->why, fmt, args);
	va_end(args);
}

/** An address that failed, or was passed over: the next one. */
static void failed(struct dial *d, const char *how)
{
	char shown[80];
	struct text t = text_fixed(shown, sizeof shown);
	hang_up(d);
	net_text(&t, &d->addresses.v[d->at]);
	if (how)
		say(d, "no connection to %s (%s): %s", d->host, shown, how);
	else if (!d->why[0])
		say(d, "%s is at %s, which is no public address (as.private-addresses)", d->host, shown);
	d->at++;
	loop_timer_in(d->timer, 0);
}

static void on_connected(evutil_socket_t fd, short what, void *ctx)
{
	struct dial *d = ctx;
	int error = 0;
	socklen_t n = sizeof error;
	(void)what;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n))
		error = errno;
	if (error) {
		failed(d, strerror(error));
		return;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	event_free(TAKE(d->connected));
	int connected = d->fd;
	d->fd = -1;
	end(d, connected);
}

static void try_address(struct dial *d)
{
	const struct net_address *a = &d->addresses.v[d->at];
	uint64_t now_us = loop_now(d->loop)->mono_us, limit_us = now_us + NEXT_ADDRESS_S * SEC_US;
	if (d->is_public_only && !address_is_public(mqtt_listener_ip(a).octets)) {
		failed(d, NULL);
		return;
	}
	d->fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0 || (connect(d->fd, (const struct sockaddr *)&a->sa, a->len) && errno != EINPROGRESS)) {
		failed(d, strerror(errno));
		return;
	}
	d->connected = event_new(loop_base(d->loop), d->fd, EV_WRITE, on_connected, d);
	if (!d->connected || event_add(d->connected, NULL)) {
		failed(d, "no memory");
		return;
	}
	bool is_last = d->at + 1 == d->addresses.n;
	loop_timer_at(d->timer, is_last || limit_us > d->due_us ? d->due_us : limit_us);
}

static void on_timer(void *ctx)
{
	struct dial *d = ctx;
	uint64_t now_us = loop_now(d->loop)->mono_us;
	if (d->question) {
		resolver_forget(TAKE(d->question));
		say(d, "no name server has said in time what %s stands for", d->host);
		end(d, -1);
	} else if (d->fd >= 0) {
		failed(d, "no answer in time");
	} else if (d->at < d->addresses.n && now_us < d->due_us) {
		try_address(d);
	} else {
		end(d, -1);
	}
}

static void on_resolved(void *ctx, const struct resolver_answer *a)
{
	struct dial *d = ctx;
	d->question = NULL;
	d->addresses = *a;
	if (a->n) {
		try_address(d);
		return;
	}
	say(d, "the name %s was not found: %s", d->host, a->why);
	end(d, -1);
}

int dial_start(struct loop *l, struct resolver *r, const struct dial_options *o, void (*fn)(void *ctx, int fd, const char *why), void *ctx,
	struct dial **ret)
{
	struct dial *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	*d = (struct dial){ .loop = l, .due_us = loop_now(l)->mono_us + o->limit_us, .is_public_only = o->is_public_only, .fn = fn, .ctx = ctx, .fd = -1 };
	d->timer = loop_timer_new(l, on_timer, d);
	if (!d->timer || str_copy(str_of(o->host), d->host, sizeof d->host) || resolver_ask(r, d->host, o->port, on_resolved, d, &d->question)) {
		dial_cancel(d);
		return -ENOMEM;
	}
	loop_timer_at(d->timer, d->due_us);
	*ret = d;
	return 0;
}
