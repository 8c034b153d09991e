/** @file Questions to the trace: one after another, each in slices of a few milliseconds between which everything else goes on. */
#pragma once
#include "as/trace_store.h"

enum { TRACE_QUERIES_MAX = 32 }; /**< that wait or are answered */

struct trace_queries;
struct trace_query;

struct trace_queries *trace_queries_new(struct loop *l, struct trace_store *store); /**< NULL: no memory */
void trace_queries_free(struct trace_queries *q);
/** Ask, and be told (ask->tell) over the next turns of the loop, never within this call. At last `ended` is called, once: in the
 * turn that told the last; or with is_done false, where it was forgotten. After it nothing of *ask is used.
 * @return 0; -EBUSY so many are asking; -ENOMEM */
int trace_queries_add(struct trace_queries *q, const struct search_ask *ask, void (*ended)(void *ctx, bool is_done),
	struct trace_query **ret);
/** Ask no longer. From within `tell` it ends once that has returned, and may be told some more. */
void trace_query_forget(struct trace_query *x);
