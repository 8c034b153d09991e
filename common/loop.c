/** @file The loop: libevent waits for sockets and signals, a timerfd for the first of our deadlines. */
#include "common/loop.h"
#include "common/core/heap.h"
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct hook {
	void (*fn)(void *ctx); /**< NULL: forgotten */
	void *ctx;
};

struct hooks {
	struct hook *v;
	size_t n, cap;
};

struct loop_timer {
	struct heap_node node;
	struct loop *loop;
	void (*fn)(void *ctx);
	void *ctx;
};

struct loop_watch {
	struct event *event;
	void (*fn)(int fd, void *ctx);
	void *ctx;
};

struct signal_watch {
	LIST_ENTRY(signal_watch) link;
	struct event *event;
	void (*fn)(int signo, void *ctx);
	void *ctx;
};

struct loop {
	struct loop *self; /**< writable: asking for the time reads the clock, which nobody can see */
	struct event_base *base;
	struct event *timer_event;
	int timer_fd;
	uint64_t armed_us; /**< what the timerfd is set to; UINT64_MAX: to nothing */
	struct heap timers;
	size_t timer_count;
	struct hooks deferred, running, after_wake;
	LIST_HEAD(, signal_watch) signals;
	struct now now;
	bool is_stale; /**< nobody has asked for the time in this wake yet */
	bool stopping;
};

static uint64_t read_clock(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * SEC_US + (uint64_t)t.tv_nsec / 1000;
}

static struct now read_clocks(void)
{
	return (struct now){ .mono_us = read_clock(CLOCK_MONOTONIC), .unix_us = read_clock(CLOCK_REALTIME) };
}

uint64_t loop_measure_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static int hooks_add(struct hooks *h, void (*fn)(void *ctx), void *ctx)
{
	if (h->n == h->cap) {
		size_t cap = h->cap ? 2 * h->cap : 8;
		struct hook *v = realloc(h->v, cap * sizeof *v);
		if (!v)
			return -ENOMEM;
		h->v = v;
		h->cap = cap;
	}
	h->v[h->n++] = (struct hook){ fn, ctx };
	return 0;
}

static void hooks_run(const struct hooks *h)
{
	/* By index, because a hook may add another one, and the array may move. */
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].fn)
			h->v[i].fn(h->v[i].ctx);
}

static void hooks_forget(struct hooks *h, void (*fn)(void *ctx), const void *ctx)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].fn == fn && h->v[i].ctx == ctx)
			h->v[i].fn = NULL;
}

static void hooks_compact(struct hooks *h)
{
	size_t n = 0;
	for (size_t i = 0; i < h->n; i++)
		if (h->v[i].fn)
			h->v[n++] = h->v[i];
	h->n = n;
}

static void on_timer_fd(evutil_socket_t fd, short what, void *ctx)
{
	(void)what;
	struct loop *l = ctx;
	uint64_t fired;
	if (read(fd, &fired, sizeof fired) == (ssize_t)sizeof fired)
		l->armed_us = UINT64_MAX;
}

static int base_open(struct loop *l)
{
	struct event_config *c = event_config_new();
	if (!c)
		return -ENOMEM;
	event_config_set_flag(c, EVENT_BASE_FLAG_PRECISE_TIMER);
	event_config_set_flag(c, EVENT_BASE_FLAG_NOLOCK);
	l->base = event_base_new_with_config(c);
	event_config_free(c);
	if (!l->base)
		return -ENOMEM;
	l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (l->timer_fd < 0)
		return -errno;
	l->timer_event = event_new(l->base, l->timer_fd, EV_READ | EV_PERSIST, on_timer_fd, l);
	return l->timer_event && event_add(l->timer_event, NULL) == 0 ? 0 : -ENOMEM;
}

struct loop *loop_new(void)
{
	AUTO(loop_free) struct loop *l = calloc(1, sizeof *l);
	if (!l)
		return NULL;
	l->self = l;
	l->timer_fd = -1;
	l->armed_us = UINT64_MAX;
	LIST_INIT(&l->signals);
	loop_refresh(l);
	return base_open(l) == 0 ? TAKE(l) : NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (!LIST_EMPTY(&l->signals)) {
		struct signal_watch *s = LIST_FIRST(&l->signals);
		LIST_REMOVE(s, link);
		event_free(s->event);
		free(s);
	}
	if (l->timer_event)
		event_free(l->timer_event);
	if (l->timer_fd >= 0)
		close(l->timer_fd);
	if (l->base)
		event_base_free(l->base);
	heap_done(&l->timers);
	free(l->deferred.v);
	free(l->running.v);
	free(l->after_wake.v);
	free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

const struct now *loop_now(const struct loop *l)
{
	if (l->is_stale)
		loop_refresh(l->self);
	return &l->now;
}

void loop_refresh(struct loop *l)
{
	l->now = read_clocks();
	l->is_stale = false;
}

/** Set the timerfd to the first deadline; a deadline that is past fires at once. */
static int arm(struct loop *l)
{
	uint64_t due = heap_deadline(&l->timers);
	if (due == l->armed_us)
		return 0;
	struct itimerspec at = { 0 };
	if (due != UINT64_MAX) {
		at.it_value.tv_sec = due / SEC_US < INT32_MAX ? (time_t)(due / SEC_US) : INT32_MAX;
		/* Never all zero: that would disarm it. */
		at.it_value.tv_nsec = (long)(due % SEC_US * 1000) + 1;
	}
	if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL))
		return -errno;
	l->armed_us = due;
	return 0;
}

static void fire_timers(struct loop *l)
{
	if (heap_deadline(&l->timers) == UINT64_MAX)
		return;
	uint64_t now_us = loop_now(l)->mono_us;
	/* At most as many as there are, so that a timer which sets itself to now cannot hold up the sockets. */
	for (size_t left = l->timer_count; left > 0; left--) {
		struct heap_node *n = heap_pop_due(&l->timers, now_us);
		if (!n)
			break;
		struct loop_timer *t = CONTAINER_OF(n, struct loop_timer, node);
		t->fn(t->ctx);
	}
}

static void run_deferred(struct loop *l)
{
	struct hooks mine = l->deferred;
	l->deferred = l->running;
	l->running = mine;
	hooks_run(&l->running);
	l->running.n = 0;
}

static int wait_once(struct loop *l)
{
	TRY(arm(l));
	int flags = l->deferred.n ? EVLOOP_NONBLOCK : EVLOOP_ONCE;
	l->is_stale = true;
	return event_base_loop(l->base, flags) < 0 ? -EIO : 0;
}

int loop_run(struct loop *l)
{
	run_deferred(l);
	while (!l->stopping) {
		TRY(wait_once(l));
		fire_timers(l);
		hooks_run(&l->after_wake);
		hooks_compact(&l->after_wake);
		run_deferred(l);
	}
	l->stopping = false;
	return 0;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

int loop_defer(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	return hooks_add(&l->deferred, fn, ctx);
}

int loop_after_wake(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	return hooks_add(&l->after_wake, fn, ctx);
}

void loop_forget(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	hooks_forget(&l->deferred, fn, ctx);
	hooks_forget(&l->running, fn, ctx);
	hooks_forget(&l->after_wake, fn, ctx);
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	struct loop_timer *t = calloc(1, sizeof *t);
	/* The place is reserved here, so that setting a timer cannot fail. */
	if (!t || heap_reserve(&l->timers, l->timer_count + 1)) {
		free(t);
		return NULL;
	}
	l->timer_count++;
	t->loop = l;
	t->fn = fn;
	t->ctx = ctx;
	return t;
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	heap_remove(&t->loop->timers, &t->node);
	t->loop->timer_count--;
	free(t);
}

void loop_timer_at(struct loop_timer *t, uint64_t mono_us)
{
	if (mono_us == UINT64_MAX)
		heap_remove(&t->loop->timers, &t->node);
	else if (!t->node.at || t->node.due_us != mono_us)
		(void)heap_set(&t->loop->timers, &t->node, mono_us); /* room is reserved */
}

void loop_timer_in(struct loop_timer *t, uint64_t delay_us)
{
	uint64_t now_us = loop_now(t->loop)->mono_us;
	loop_timer_at(t, delay_us < UINT64_MAX - now_us ? now_us + delay_us : UINT64_MAX);
}

static void on_watch(evutil_socket_t fd, short what, void *ctx)
{
	(void)what;
	struct loop_watch *w = ctx;
	w->fn(fd, w->ctx);
}

struct loop_watch *loop_watch_read(struct loop *l, int fd, void (*fn)(int fd, void *ctx), void *ctx)
{
	struct loop_watch *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->fn = fn;
	w->ctx = ctx;
	w->event = event_new(l->base, fd, EV_READ | EV_PERSIST, on_watch, w);
	if (!w->event || event_add(w->event, NULL)) {
		loop_watch_free(w);
		return NULL;
	}
	return w;
}

void loop_watch_free(struct loop_watch *w)
{
	if (!w)
		return;
	if (w->event)
		event_free(w->event);
	free(w);
}

static void on_signal(evutil_socket_t signo, short what, void *ctx)
{
	(void)what;
	struct signal_watch *s = ctx;
	s->fn(signo, s->ctx);
}

int loop_on_signal(struct loop *l, int signo, void (*fn)(int signo, void *ctx), void *ctx)
{
	struct signal_watch *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->fn = fn;
	s->ctx = ctx;
	s->event = evsignal_new(l->base, signo, on_signal, s);
	if (!s->event || event_add(s->event, NULL)) {
		if (s->event)
			event_free(s->event);
		free(s);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&l->signals, s, link);
	return 0;
}

static void kernel_fill(void *ctx, void *buf, size_t n)
{
	(void)ctx;
	uint8_t *p = buf;
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

struct rng loop_rng(void)
{
	return (struct rng){ .fill = kernel_fill, .ctx = NULL };
}
