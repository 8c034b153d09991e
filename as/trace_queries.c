/** @file Questions to the trace, answered in slices. */
#include "as/trace_queries.h"
#include <stdlib.h>
#include <time.h>

#define SLICE_US (2 * MS_US)

struct trace_query {
	struct trace_queries *all;
	struct search *search;
	void (*ended)(void *ctx, bool is_done);
	void *ctx;
	bool is_forgotten;
	struct trace_query *next;
};

struct trace_queries {
	struct trace_store *store;
	struct loop_timer *turn;
	struct trace_query *first; /* is being answered; the others wait */
	size_t n;
	bool is_in_slice;
	struct trace_event scratch;
};

static uint64_t mono_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SEC_US + (uint64_t)t.tv_nsec / 1000;
}

/** What points to it; NULL: the end of the line. */
static struct trace_query **place_of(struct trace_queries *q, const struct trace_query *x)
{
	struct trace_query **at = &q->first;
	while (*at != x)
		at = &(*at)->next;
	return at;
}

static void query_end(struct trace_query *x, bool is_done)
{
	void (*ended)(void *ctx, bool is_done) = x->ended;
	void *ctx = x->ctx;
	trace_store_damaged(x->all->store, search_damaged(x->search));
	*place_of(x->all, x) = x->next;
	x->all->n--;
	search_free(x->search);
	free(x);
	ended(ctx, is_done);
}

/** Answer the first, as far as the slice goes. */
static void on_turn(void *ctx)
{
	struct trace_queries *q = ctx;
	struct trace_query *x = q->first;
	uint64_t until_us = mono_us() + SLICE_US;
	bool is_more = true;
	if (!x)
		return;
	q->is_in_slice = true;
	while (is_more && !x->is_forgotten && mono_us() < until_us)
		is_more = search_step(x->search, &q->scratch);
	q->is_in_slice = false;
	if (!is_more || x->is_forgotten)
		query_end(x, !x->is_forgotten);
	if (q->first)
		loop_timer_in(q->turn, 0);
}

struct trace_queries *trace_queries_new(struct loop *l, struct trace_store *store)
{
	struct trace_queries *q = calloc(1, sizeof *q);
	if (!q)
		return NULL;
	q->store = store;
	q->turn = loop_timer_new(l, on_turn, q);
	if (q->turn)
		return q;
	free(q);
	return NULL;
}

void trace_queries_free(struct trace_queries *q)
{
	if (!q)
		return;
	while (q->first)
		query_end(q->first, false);
	loop_timer_free(q->turn);
	free(q);
}

int trace_queries_add(struct trace_queries *q, const struct search_ask *ask, void (*ended)(void *ctx, bool is_done),
	struct trace_query **ret)
{
	if (q->n == TRACE_QUERIES_MAX)
		return -EBUSY;
	struct trace_query *x = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->search = search_new(trace_store_shelf(q->store), ask);
	if (!x->search) {
		free(x);
		return -ENOMEM;
	}
	x->all = q;
	x->ended = ended;
	x->ctx = ask->ctx;
	*place_of(q, NULL) = x;
	q->n++;
	loop_timer_in(q->turn, 0);
	*ret = x;
	return 0;
}

void trace_query_forget(struct trace_query *x)
{
	x->is_forgotten = true;
	if (!x->all->is_in_slice)
		query_end(x, false);
}
