/** @file Looking names up: getaddrinfo on a few threads that live as long as there is something to ask.
 *
 * The desk is all that threads and loop share, under its mutex; whoever is last to leave it frees it, so a thread that is stuck
 * in a look-up holds nobody up, not even the end of the process.
 */
#include "as/integrations/resolver.h"
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	HOST_CAP = 256,
	THREADS_MAX = 8,               /* names that nobody answers for hold one each, for some seconds */
	THREAD_STACK_BYTES = 512 << 10, /* the system's resolver loads modules, and they are not frugal */
};

struct resolver_question {
	TAILQ_ENTRY(resolver_question) link;
	char host[HOST_CAP];
	uint16_t port;
	struct resolver_answer answer;
	void (*fn)(void *ctx, const struct resolver_answer *a); /**< NULL: forgotten; the loop's alone */
	void *ctx;
};
TAILQ_HEAD(questions, resolver_question);

struct desk {
	pthread_mutex_t mutex;
	struct questions asked, answered;
	size_t threads;
	bool has_loop; /**< the resolver is still there */
	int event_fd;
};

struct resolver {
	struct loop *loop;
	struct loop_watch *watch;
	struct desk *desk;
};

/* Both sides; the mutex is not held. */

static void desk_free(struct desk *d)
{
	close(d->event_fd);
	pthread_mutex_destroy(&d->mutex);
	free(d);
}

static void drop_all(struct questions *list)
{
	while (!TAILQ_EMPTY(list)) {
		struct resolver_question *q = TAILQ_FIRST(list);
		TAILQ_REMOVE(list, q, link);
		free(q);
	}
}

static const char *words_of(int error)
{
	switch (error) {
	case EAI_NONAME: return "there is no host of this name";
	case EAI_NODATA: return "the name has no address";
	case EAI_AGAIN: return "no name server answers";
	default: return gai_strerror(error);
	}
}

/** @param flags  AI_NUMERICHOST: nobody is asked @return 0; of getaddrinfo */
static int look_up(const char *host, uint16_t port, int flags, struct resolver_answer *ret)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags };
	struct addrinfo *found = NULL;
	int error = getaddrinfo(host, NULL, &hints, &found);
	if (error) {
		ret->why = words_of(error);
		return error;
	}
	for (const struct addrinfo *a = found; a && ret->n < RESOLVER_ADDRESSES_MAX; a = a->ai_next) {
		struct net_address *to = &ret->v[ret->n];
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		memcpy(&to->sa, a->ai_addr, a->ai_addrlen);
		to->len = a->ai_addrlen;
		if (a->ai_family == AF_INET6)
			((struct sockaddr_in6 *)(void *)&to->sa)->sin6_port = htons(port);
		else
			((struct sockaddr_in *)(void *)&to->sa)->sin_port = htons(port);
		ret->n++;
	}
	freeaddrinfo(found);
	ret->why = ret->n ? NULL : words_of(EAI_NODATA);
	return 0;
}

/* The threads' side. */

static void wake(struct desk *d)
{
	uint64_t one = 1;
	ssize_t wrote = write(d->event_fd, &one, sizeof one);
	(void)wrote; /* a counter at its maximum is readable too */
}

static void *thread_main(void *ctx)
{
	struct desk *d = ctx;
	pthread_mutex_lock(&d->mutex);
	for (struct resolver_question *q; (q = TAILQ_FIRST(&d->asked));) {
		TAILQ_REMOVE(&d->asked, q, link);
		pthread_mutex_unlock(&d->mutex);
		(void)look_up(q->host, q->port, 0, &q->answer);
		pthread_mutex_lock(&d->mutex);
		if (d->has_loop)
			TAILQ_INSERT_TAIL(&d->answered, q, link);
		else
			free(q);
		wake(d);
	}
	d->threads--;
	bool is_last = !d->has_loop && !d->threads;
	pthread_mutex_unlock(&d->mutex);
	if (is_last)
		desk_free(d);
	return NULL;
}

/** With the mutex held. */
static int thread_start(struct desk *d)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	if (pthread_attr_init(&attr))
		return -ENOMEM;
	pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = -pthread_create(&thread, &attr, thread_main, d);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	d->threads += rc == 0;
	return rc;
}

/* The loop's side. */

static void on_wake(int fd, void *ctx)
{
	struct resolver *r = ctx;
	struct desk *d = r->desk;
	uint64_t count;
	ssize_t got = read(fd, &count, sizeof count);
	(void)got;
	struct questions mine = TAILQ_HEAD_INITIALIZER(mine);
	pthread_mutex_lock(&d->mutex);
	TAILQ_CONCAT(&mine, &d->answered, link);
	pthread_mutex_unlock(&d->mutex);
	while (!TAILQ_EMPTY(&mine)) {
		struct resolver_question *q = TAILQ_FIRST(&mine);
		TAILQ_REMOVE(&mine, q, link);
		if (q->fn)
			q->fn(q->ctx, &q->answer);
		free(q);
	}
}

struct resolver *resolver_new(struct loop *l)
{
	AUTO(resolver_free) struct resolver *r = calloc(1, sizeof *r);
	if (!r)
		return NULL;
	r->loop = l;
	r->desk = calloc(1, sizeof *r->desk);
	if (!r->desk)
		return NULL;
	pthread_mutex_init(&r->desk->mutex, NULL);
	TAILQ_INIT(&r->desk->asked);
	TAILQ_INIT(&r->desk->answered);
	r->desk->has_loop = true;
	r->desk->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	r->watch = r->desk->event_fd < 0 ? NULL : loop_watch_read(l, r->desk->event_fd, on_wake, r);
	return r->watch ? TAKE(r) : NULL;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	struct desk *d = r->desk;
	loop_watch_free(r->watch);
	free(r);
	if (!d)
		return;
	pthread_mutex_lock(&d->mutex);
	d->has_loop = false;
	drop_all(&d->asked);
	drop_all(&d->answered);
	bool is_last = !d->threads;
	pthread_mutex_unlock(&d->mutex);
	if (is_last)
		desk_free(d);
}

/** RFC 6761 6.3: this name needs no resolver, and small systems have none that knows it. */
static void answer_localhost(struct resolver_question *q)
{
	(void)look_up("127.0.0.1", q->port, AI_NUMERICHOST, &q->answer);
	(void)look_up("::1", q->port, AI_NUMERICHOST, &q->answer);
}

/** What needs no look-up is answered at once. */
static bool is_answered(struct resolver_question *q)
{
	if (strcasecmp(q->host, "localhost") == 0) {
		answer_localhost(q);
		return true;
	}
	return look_up(q->host, q->port, AI_NUMERICHOST, &q->answer) == 0;
}

int resolver_ask(struct resolver *r, const char *host, uint16_t port, void (*fn)(void *ctx, const struct resolver_answer *a), void *ctx,
	struct resolver_question **ret)
{
	struct desk *d = r->desk;
	struct resolver_question *q = calloc(1, sizeof *q);
	if (!q)
		return -ENOMEM;
	*q = (struct resolver_question){ .port = port, .fn = fn, .ctx = ctx };
	if (str_copy(str_of(host), q->host, sizeof q->host)) {
		free(q);
		return -ENAMETOOLONG;
	}
	bool is_known = is_answered(q);
	int rc = 0;
	pthread_mutex_lock(&d->mutex);
	if (!is_known && d->threads < THREADS_MAX)
		rc = thread_start(d);
	if (rc == 0 || d->threads) {
		TAILQ_INSERT_TAIL(is_known ? &d->answered : &d->asked, q, link);
		rc = 0;
	}
	pthread_mutex_unlock(&d->mutex);
	if (rc) {
		free(q);
		return -ENOMEM;
	}
	if (is_known)
		wake(d);
	*ret = q;
	return 0;
}

void resolver_forget(struct resolver_question *q)
{
	if (q)
		q->fn = NULL;
}
