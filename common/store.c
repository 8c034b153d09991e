/** @file The store: the overlay in front of LMDB, and one thread that commits groups one after the other.
 *
 * All state belongs to the loop's thread. The writer is given one group, commits it, and says how that went; retrying,
 * reopening and ordering are decided on the loop. A group is the writes of whole wakes, never of a part of one.
 */
#include "common/store.h"
#include "common/log.h"
#include "common/overlay.h"
#include "common/store_env.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
	KEY_MAX_BYTES = 511,
	WRITER_STACK_BYTES = 256 << 10,
	GROUP_OPS = 16384,               /**< a group this large is closed at the end of the wake */
	GROUP_BYTES = 8 << 20,
	PENDING_MAX_BYTES = 64 << 20,    /**< of memory for what is not on disk; more is refused */
};
#define RETRY_MIN_US (1 * SEC_US)
#define RETRY_MAX_US (30 * SEC_US)
#define RETRY_SOON_US (200 * MS_US) /* after something was deleted, which may make the room that lacks */

struct waiter {
	uint64_t seq; /**< of the group that must be on disk */
	void (*fn)(void *ctx);
	void *ctx;
};

/** What the two threads share. */
struct writer_desk {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	const struct overlay_group *job; /**< set by the loop; NULL again when done */
	bool has_result, quit, is_full;
	int result;
	uint64_t took_us;
	uint64_t delay_us;
	struct store_env *env;
	int event_fd;
};

struct store {
	struct loop *loop;
	struct store_env env;
	struct overlay overlay;
	struct overlay_group *filling;                   /**< NULL: nothing written since the last was closed */
	STAILQ_HEAD(, overlay_group) closed;             /**< waiting for the writer; the first may be with it */
	struct waiter *waiters;                          /**< ring, in order of seq */
	size_t waiter_first, waiter_n, waiter_cap;
	uint64_t next_seq, done_seq;
	struct loop_watch *watch;
	struct loop_timer *retry;
	uint64_t retry_us;
	bool is_busy;      /**< the writer has a group */
	bool is_failing;
	bool is_retry_due, is_retry_soon;
	bool is_full;      /**< commits go on, but only to make room */
	bool has_deferred; /**< end_wake will run */
	struct store_stats stats;
	struct writer_desk desk;
	pthread_t thread;
	bool has_thread;
};

static void sleep_us(uint64_t us)
{
	struct timespec t = { .tv_sec = (time_t)(us / SEC_US), .tv_nsec = (long)(us % SEC_US * 1000) };
	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void *writer_main(void *ctx)
{
	struct writer_desk *d = ctx;
	pthread_mutex_lock(&d->mutex);
	for (;;) {
		while ((!d->job || d->has_result) && !d->quit)
			pthread_cond_wait(&d->cond, &d->mutex);
		if (d->quit)
			break;
		const struct overlay_group *job = d->job;
		pthread_mutex_unlock(&d->mutex);
		uint64_t begin = loop_measure_us();
		bool is_full = false;
		int result = store_env_commit(d->env, job, &is_full);
		uint64_t took = loop_measure_us() - begin;
		if (took < d->delay_us) {
			sleep_us(d->delay_us - took);
			took = d->delay_us;
		}
		pthread_mutex_lock(&d->mutex);
		d->result = result;
		d->is_full = is_full;
		d->took_us = took;
		d->has_result = true;
		pthread_cond_signal(&d->cond);
		uint64_t one = 1;
		ssize_t wrote = write(d->event_fd, &one, sizeof one);
		(void)wrote; /* a counter at its maximum is readable too */
	}
	pthread_mutex_unlock(&d->mutex);
	return NULL;
}

static int start_writer(struct store *s)
{
	pthread_attr_t attr;
	sigset_t all, before;
	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, WRITER_STACK_BYTES);
	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = -pthread_create(&s->thread, &attr, writer_main, &s->desk);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	s->has_thread = rc == 0;
	return rc;
}

/** Give the writer the oldest group if it has nothing to do. */
static void hand_over(struct store *s)
{
	if (s->is_busy || STAILQ_EMPTY(&s->closed))
		return;
	s->is_busy = true;
	pthread_mutex_lock(&s->desk.mutex);
	s->desk.job = STAILQ_FIRST(&s->closed);
	s->desk.has_result = false;
	pthread_cond_signal(&s->desk.cond);
	pthread_mutex_unlock(&s->desk.mutex);
}

static void close_group(struct store *s)
{
	if (!s->filling)
		return;
	STAILQ_INSERT_TAIL(&s->closed, s->filling, link);
	s->filling = NULL;
}

/** Try all that waits as one: what came later may be what makes room for the first of it. */
static void try_all(struct store *s)
{
	close_group(s);
	struct overlay_group *first = STAILQ_FIRST(&s->closed), *later;
	while (first && (later = STAILQ_NEXT(first, link))) {
		STAILQ_REMOVE(&s->closed, later, overlay_group, link);
		overlay_group_merge(&s->overlay, first, later);
	}
	hand_over(s);
}

/** What was written in this wake may go, as a whole. */
static void end_wake(void *ctx)
{
	struct store *s = ctx;
	s->has_deferred = false;
	store_env_drop_snapshot(&s->env);
	if (s->is_retry_due) {
		s->is_retry_due = false;
		try_all(s);
		return;
	}
	bool is_large = s->filling && (s->filling->n >= GROUP_OPS || s->filling->bytes >= GROUP_BYTES);
	if (is_large || (STAILQ_EMPTY(&s->closed) && !s->is_busy))
		close_group(s);
	if (!s->is_failing)
		hand_over(s);
}

static int end_wake_later(struct store *s)
{
	if (s->has_deferred)
		return 0;
	TRY(loop_defer(s->loop, end_wake, s));
	s->has_deferred = true;
	return 0;
}

static void run_waiters(struct store *s)
{
	while (s->waiter_n && s->waiters[s->waiter_first].seq <= s->done_seq) {
		struct waiter w = s->waiters[s->waiter_first];
		s->waiter_first = (s->waiter_first + 1) % s->waiter_cap;
		s->waiter_n--;
		w.fn(w.ctx);
	}
}

static void group_done(struct store *s, bool is_full)
{
	struct overlay_group *g = STAILQ_FIRST(&s->closed);
	STAILQ_REMOVE_HEAD(&s->closed, link);
	s->stats.commits++;
	s->stats.ops += g->n;
	s->done_seq = g->seq;
	/* The snapshot may be older than the commit, and must not outlive the overlay that completes it. */
	store_env_drop_snapshot(&s->env);
	overlay_group_free(&s->overlay, g);
	if (s->is_failing)
		LOG(LOG_INFO, "store_recovered", KV_Z("dir", s->env.dir), KV_U("pending", s->overlay.n));
	if (is_full && !s->is_full)
		LOG(LOG_ERROR, "store_full", KV_Z("dir", s->env.dir), KV_U("map_bytes", s->env.map_size));
	else if (!is_full && s->is_full)
		LOG(LOG_INFO, "store_has_room", KV_Z("dir", s->env.dir));
	s->is_failing = false;
	s->stats.error = 0;
	s->is_full = is_full;
	s->retry_us = 0;
}

static void group_failed(struct store *s, int error)
{
	s->stats.failures++;
	s->stats.error = error;
	LOG(LOG_ERROR, "store_failed", KV_Z("dir", s->env.dir), KV_Z("error", strerror(-error)), KV_U("pending", s->overlay.n));
	s->is_failing = true;
	s->is_retry_soon = false;
	s->retry_us = s->retry_us ? 2 * s->retry_us : RETRY_MIN_US;
	if (s->retry_us > RETRY_MAX_US)
		s->retry_us = RETRY_MAX_US;
	if (error == -ENOTRECOVERABLE)
		(void)store_env_reopen(&s->env); /* if it fails, the next try says so again */
}

/** Take the writer's result. @return false: it has none yet */
static bool take_result(struct store *s)
{
	pthread_mutex_lock(&s->desk.mutex);
	bool has = s->desk.has_result;
	int result = s->desk.result;
	bool is_full = s->desk.is_full;
	uint64_t took_us = s->desk.took_us;
	s->desk.has_result = false;
	if (has)
		s->desk.job = NULL;
	pthread_mutex_unlock(&s->desk.mutex);
	if (!has)
		return false;
	s->is_busy = false;
	s->stats.last_commit_us = took_us;
	histogram_add(&s->stats.commit, took_us);
	if (took_us > s->stats.max_commit_us)
		s->stats.max_commit_us = took_us;
	if (result)
		group_failed(s, result);
	else
		group_done(s, is_full);
	return true;
}

static void on_result(int fd, void *ctx)
{
	struct store *s = ctx;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof count);
	(void)got;
	if (!take_result(s))
		return;
	if (s->is_failing) {
		loop_timer_in(s->retry, s->retry_us);
		return;
	}
	if (STAILQ_EMPTY(&s->closed) && !s->has_deferred)
		close_group(s); /* of earlier wakes; a group of this wake is closed at its end */
	hand_over(s);
	run_waiters(s);
}

static void on_retry(void *ctx)
{
	struct store *s = ctx;
	s->is_retry_due = true; /* once this wake has written all it has to */
	if (end_wake_later(s))
		loop_timer_in(s->retry, RETRY_MIN_US);
}

static void retry_soon(struct store *s)
{
	if (!s->is_failing || s->is_busy || s->is_retry_soon)
		return;
	s->is_retry_soon = true;
	loop_timer_in(s->retry, RETRY_SOON_US);
}

static int start(struct store *s, const struct store_options *o)
{
	s->desk.delay_us = o->commit_delay_us;
	s->desk.env = &s->env;
	s->desk.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->desk.event_fd < 0)
		return -errno;
	s->watch = loop_watch_read(s->loop, s->desk.event_fd, on_result, s);
	s->retry = loop_timer_new(s->loop, on_retry, s);
	return s->watch && s->retry ? start_writer(s) : -ENOMEM;
}

static void release(struct store *s)
{
	if (s->has_thread) {
		pthread_mutex_lock(&s->desk.mutex);
		s->desk.quit = true;
		pthread_cond_signal(&s->desk.cond);
		pthread_mutex_unlock(&s->desk.mutex);
		pthread_join(s->thread, NULL);
	}
	loop_forget(s->loop, end_wake, s);
	loop_watch_free(s->watch);
	loop_timer_free(s->retry);
	if (s->desk.event_fd >= 0)
		close(s->desk.event_fd);
	close_group(s);
	while (!STAILQ_EMPTY(&s->closed)) {
		struct overlay_group *g = STAILQ_FIRST(&s->closed);
		STAILQ_REMOVE_HEAD(&s->closed, link);
		overlay_group_free(&s->overlay, g);
	}
	store_env_close(&s->env);
	pthread_cond_destroy(&s->desk.cond);
	pthread_mutex_destroy(&s->desk.mutex);
	free(s->waiters);
	free(s);
}

int store_open(struct loop *l, const struct store_options *o, struct store **ret, struct text *ret_error)
{
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->next_seq = 1;
	s->desk.event_fd = -1;
	s->env.dir_fd = -1;
	overlay_init(&s->overlay);
	STAILQ_INIT(&s->closed);
	pthread_mutex_init(&s->desk.mutex, NULL);
	pthread_cond_init(&s->desk.cond, NULL);
	int rc = store_env_open(o, &s->env, ret_error);
	if (!rc) {
		rc = start(s, o);
		if (rc)
			text_printf(ret_error, "%s: cannot start the writer: %s", o->dir, strerror(-rc));
	}
	if (rc)
		release(s);
	else
		*ret = s;
	return rc;
}

static void wait_for_result(struct store *s)
{
	pthread_mutex_lock(&s->desk.mutex);
	while (!s->desk.has_result)
		pthread_cond_wait(&s->desk.cond, &s->desk.mutex);
	pthread_mutex_unlock(&s->desk.mutex);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	/* What a waiter writes belongs to it, so this goes on until nothing is left, or the disk refuses. */
	for (;;) {
		if (s->is_failing && !s->is_busy)
			try_all(s);
		if (STAILQ_EMPTY(&s->closed))
			close_group(s);
		hand_over(s);
		if (!s->is_busy)
			break;
		wait_for_result(s);
		take_result(s);
		if (s->is_failing)
			break;
		run_waiters(s);
	}
	if (s->overlay.n)
		LOG(LOG_ERROR, "store_lost", KV_Z("dir", s->env.dir), KV_U("writes", s->overlay.n));
	release(s);
}

int store_get(struct store *s, struct slice key, struct slice *ret)
{
	if (key.n == 0 || key.n > KEY_MAX_BYTES)
		return STORE_E_NONE;
	const struct overlay_op *op = overlay_seek(&s->overlay, key);
	if (op && overlay_cmp(overlay_key(op), key) == 0) {
		if (op->is_del)
			return STORE_E_NONE;
		*ret = overlay_value(op);
		return 0;
	}
	if (end_wake_later(s))
		return -EIO;
	return store_env_get(&s->env, key, ret);
}

static int write_one(struct store *s, struct slice key, struct slice value, bool is_del)
{
	if (key.n == 0 || key.n > KEY_MAX_BYTES || (key.n == 1 && key.p[0] == 0) || value.n > UINT32_MAX)
		return -EINVAL;
	if (s->overlay.bytes + key.n + value.n > PENDING_MAX_BYTES)
		return -ENOMEM;
	TRY(end_wake_later(s));
	if (!s->filling) {
		s->filling = overlay_group_new(s->next_seq);
		if (!s->filling)
			return -ENOMEM;
		s->next_seq++;
	}
	return overlay_write(&s->overlay, s->filling, key, value, is_del);
}

int store_put(struct store *s, struct slice key, struct slice value)
{
	return write_one(s, key, value, false);
}

int store_del(struct store *s, struct slice key)
{
	retry_soon(s);
	return write_one(s, key, (struct slice){ NULL, 0 }, true);
}

static bool has_prefix(struct slice key, struct slice prefix)
{
	return key.n >= prefix.n && (prefix.n == 0 || memcmp(key.p, prefix.p, prefix.n) == 0);
}

/** The two sides of a scan, each at its next key. */
struct scan {
	struct store *store;
	struct slice prefix, key, value; /**< key: of LMDB */
	const struct overlay_op *op;
	bool has_disk;
};

static int scan_disk(struct scan *c, struct slice from, bool is_next)
{
	int rc = store_env_seek(&c->store->env, from, is_next, &c->key, &c->value);
	/* The store's own key is nobody's. */
	if (!rc && c->key.n == 1 && c->key.p[0] == 0)
		rc = store_env_seek(&c->store->env, from, true, &c->key, &c->value);
	c->has_disk = rc == 0 && has_prefix(c->key, c->prefix);
	return rc < 0 ? rc : 0;
}

static void scan_overlay(struct scan *c, const struct overlay_op *op)
{
	c->op = op && has_prefix(overlay_key(op), c->prefix) ? op : NULL;
}

int store_scan(struct store *s, struct slice prefix, struct slice from,
	int (*fn)(void *ctx, struct slice key, struct slice value), void *ctx)
{
	struct scan c = { .store = s, .prefix = prefix };
	if (overlay_cmp(from, prefix) < 0)
		from = prefix;
	if (from.n > KEY_MAX_BYTES)
		return 0;
	if (end_wake_later(s))
		return -EIO;
	scan_overlay(&c, overlay_seek(&s->overlay, from));
	TRY(scan_disk(&c, from, false));
	while (c.op || c.has_disk) {
		int order = !c.op ? 1 : !c.has_disk ? -1 : overlay_cmp(overlay_key(c.op), c.key);
		int rc = 0;
		if (order > 0)
			rc = fn(ctx, c.key, c.value);
		else if (!c.op->is_del)
			rc = fn(ctx, overlay_key(c.op), overlay_value(c.op));
		if (rc)
			return rc;
		if (order >= 0)
			TRY(scan_disk(&c, c.key, true));
		if (order <= 0)
			scan_overlay(&c, c.op->next[0]);
	}
	return 0;
}

static int waiters_grow(struct store *s)
{
	size_t cap = s->waiter_cap ? 2 * s->waiter_cap : 16;
	struct waiter *v = calloc(cap, sizeof *v);
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < s->waiter_n; i++)
		v[i] = s->waiters[(s->waiter_first + i) % s->waiter_cap];
	free(s->waiters);
	s->waiters = v;
	s->waiter_cap = cap;
	s->waiter_first = 0;
	return 0;
}

int store_after(struct store *s, void (*fn)(void *ctx), void *ctx)
{
	uint64_t seq = s->next_seq - 1;
	if (seq == s->done_seq && s->waiter_n == 0) {
		fn(ctx);
		return 0;
	}
	if (s->waiter_n == s->waiter_cap)
		TRY(waiters_grow(s));
	s->waiters[(s->waiter_first + s->waiter_n++) % s->waiter_cap] = (struct waiter){ seq, fn, ctx };
	return 0;
}

bool store_failing(const struct store *s)
{
	return s->is_failing || s->is_full;
}

void store_stats(const struct store *s, struct store_stats *ret)
{
	*ret = s->stats;
	ret->pending_ops = s->overlay.n;
	ret->pending_bytes = s->overlay.bytes;
	store_env_size(&s->env, &ret->used_bytes, &ret->map_bytes);
}
