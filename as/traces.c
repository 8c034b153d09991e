/** @file Events of the three processes: kept, told to whoever watches, searched for a message's story. */
#include "as/traces.h"
#include "as/event_view.h"
#include "as/trace_queries.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include "proto/bus/event_log.h"
#include "proto/event_pack.h"
#include <stdlib.h>
#include <string.h>

struct traces {
	struct trace_store *store;
	struct trace_queries *queries;
	traces_watcher *watcher; /* NULL: nobody */
	struct trace_event scratch;
};

/* ---- coming in ---- */

/** @param d       its device; NULL: of none
 *  @param packed  its octets, where it came as such */
static void keep(struct as *as, const struct trace_event *e, const struct device *d, struct slice packed)
{
	struct traces *t = as->traces;
	trace_store_add(t->store, e, d ? d->app->key : "", packed);
	if (t->watcher)
		t->watcher(as, e);
}

void traces_watch(struct as *as, traces_watcher *fn)
{
	as->traces->watcher = fn;
}

uint64_t traces_lost(const struct as *as)
{
	struct trace_store_stats s;
	uint64_t n = 0;
	trace_store_stats(as->traces->store, &s);
	for (size_t i = 0; i < COUNT(s.lost); i++)
		n += s.lost[i];
	return n;
}

/** One that is not JSON would spoil every answer it stands in. */
static bool is_json(const char *data)
{
	size_t end, wrong;
	return *data == '{' && !json_check(str_of(data), &end, &wrong) && !data[end];
}

static void add(struct as *as, enum event_id event, const struct traces_of *of, const struct cid *cids,
	size_t n_cids, const char *data)
{
	struct trace_event *e = &as->traces->scratch;
	e->has = 0;
	if (of->device)
		MSG_SET(e, device, of->device->entry.uid);
	else if (of->app && !str_copy(str_of(of->app->key), e->application_id, sizeof e->application_id))
		MSG_MARK(e, application_id);
	str_copy(str_of(events_info(event)->name), e->name, sizeof e->name);
	e->time_unix_us = loop_now(as->loop)->unix_us;
	e->process = EVENT_PROCESS_AS;
	e->cids.len = 0;
	cids_add_all(&e->cids.len, e->cids.v, COUNT(e->cids.v), cids, n_cids);
	if (n_cids)
		MSG_MARK(e, cids);
	if (is_json(data) && !str_copy(str_of(data), e->data, sizeof e->data))
		MSG_MARK(e, data);
	event_log(&as->watch, event, e);
	if (events_is_told(event, as->events))
		keep(as, e, of->device, (struct slice){ 0 });
}

/** The data of an event with as many own ids, from `at` on, as fit. @return where the next one goes on */
static size_t write_data(struct text *t, const struct traces_of *of, size_t at, const char *data)
{
	size_t tail = strlen(data) > 2 ? strlen(data) : 1, n = 0;
	text_puts(t, "{\"correlation_ids\":[");
	size_t head = t->len;
	for (; at < of->own_n; at += strlen(of->own + at) + 1) {
		char quoted[TRACES_DATA_MAX];
		struct text one = text_fixed(quoted, sizeof quoted);
		json_puts(&one, of->own + at);
		if (one.failed || head + one.len + sizeof "]}" > t->cap)
			continue; /* too long for any event */
		if (t->len + one.len + sizeof ",]" + tail > t->cap)
			break;
		text_puts(t, n++ ? "," : "");
		text_puts(t, quoted);
	}
	text_putc(t, ']');
	if (tail > 1)
		text_putc(t, ',');
	text_puts(t, tail > 1 ? data + 1 : "}");
	if (!n) {
		text_reset(t);
		text_puts(t, data);
	}
	return at;
}

bool traces_wants(const struct as *as, enum event_id event, const struct device *d)
{
	return events_is_told(event, as->events) || event_log_wants(&as->watch, event, d ? d->entry.uid : 0, "");
}

void traces_note(struct as *as, enum event_id event, const struct traces_of *of, const struct cid *cids,
	size_t n_cids, const char *data)
{
	char buf[TRACES_DATA_MAX];
	size_t at = 0;
	if (!traces_wants(as, event, of->device))
		return;
	do {
		struct text t = text_fixed(buf, sizeof buf);
		at = write_data(&t, of, at, data);
		add(as, event, of, cids, n_cids, buf);
		data = "";
	} while (at < of->own_n);
}

void traces_add(struct as *as, enum event_id event, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *data)
{
	traces_note(as, event, &(struct traces_of){.device = d}, cids, n_cids, data);
}

void traces_add_app(struct as *as, enum event_id event, const struct app *a, const char *data)
{
	traces_note(as, event, &(struct traces_of){.app = a}, NULL, 0, data);
}

static void on_events(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	const struct trace_events *b = msg;
	const struct device *d = NULL;
	struct reader r = reader_of(b->events.p, b->events.len);
	struct trace_event *e = &as->traces->scratch;
	struct slice octets;
	uint32_t process = EVENT_PROCESS_NS; /* whose they are: the batches of a gs come as it made them */
	uint64_t lost = MSG_HAS(b, lost) ? b->lost : 0;
	int error;
	(void)peer;
	(void)request;
	while ((error = events_unpack(&r, e, &octets)) != -ENOENT) {
		if (error) {
			lost++;
			continue;
		}
		process = e->process;
		/* Steps of one message come one after the other: look once. */
		if (MSG_HAS(e, device) && (!d || d->entry.uid != e->device))
			d = registry_device_by_uid(&as->registry, e->device);
		keep(as, e, MSG_HAS(e, device) ? d : NULL, octets);
	}
	trace_store_missed(as->traces->store, process, lost);
}

/* ---- being asked ---- */

struct traces_search {
	struct as *as;
	struct traces_query query;
	struct trace_query *turn;
	bool is_forgotten; /* the view may be gone */
};

static bool may_be_in(void *ctx, const struct chunk_index *i)
{
	const struct traces_search *x = ctx;
	return event_view_may_be_in(x->query.view, i);
}

static bool sees(void *ctx, const struct trace_event *e)
{
	const struct traces_search *x = ctx;
	return !x->is_forgotten && event_view_sees(x->as, x->query.view, e);
}

/** What only a gateway says of a message belongs to whom the message belongs. */
static bool sees_of_message(void *ctx, const struct trace_event *e)
{
	const struct traces_search *x = ctx;
	return !x->is_forgotten && event_view_is_of_app(x->query.view) && !MSG_HAS(e, device) && !MSG_HAS(e, application_id);
}

static void tell(void *ctx, const struct trace_event *e)
{
	const struct traces_search *x = ctx;
	if (!x->is_forgotten)
		x->query.tell(x->query.ctx, e);
}

static void ended(void *ctx, bool is_done)
{
	struct traces_search *x = ctx;
	struct traces_query q = x->query;
	free(x);
	if (is_done)
		q.done(q.ctx);
}

int traces_find(struct as *as, const struct traces_query *q, struct traces_search **ret)
{
	struct traces_search *x = malloc(sizeof *x);
	if (!x)
		return -ENOMEM;
	*x = (struct traces_search){ .as = as, .query = *q };
	struct search_ask ask = { .ctx = x, .may_be_in = may_be_in, .sees = sees, .sees_of_message = sees_of_message, .tell = tell,
		.correlation_id = q->correlation_id, .max = q->max, .goes_on = q->goes_on };
	int r = trace_queries_add(as->traces->queries, &ask, ended, &x->turn);
	if (r)
		free(x);
	else
		*ret = x;
	return r;
}

void traces_forget(struct traces_search *x)
{
	if (!x)
		return;
	x->is_forgotten = true;
	trace_query_forget(x->turn);
}

void traces_count(struct as *as)
{
	struct trace_store_stats s;
	struct as_metrics *m = &as->metrics;
	trace_store_stats(as->traces->store, &s);
	m->trace_events = s.events;
	m->trace_chunks = s.chunks;
	m->trace_bytes = s.bytes;
	m->trace_waiting = s.waiting_bytes;
	m->trace_oldest = s.oldest_us;
	m->trace_on_disk = s.is_on_disk;
	m->trace_damaged = s.damaged;
	memcpy(m->events_lost, s.lost, sizeof m->events_lost);
}

int traces_start(struct as *as, struct text *err)
{
	char path[4096];
	struct text dir = text_fixed(path, sizeof path);
	struct traces *t = as->traces = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	int r = daemon_path(as->daemon, &dir, "as/traces");
	if (r) {
		text_puts(err, "state-dir is too long");
		return r;
	}
	struct trace_store_options o = { .dir = path, .size = as->settings->trace_size, .age_us = as->settings->trace_age };
	t->store = trace_store_new(as->loop, &o);
	t->queries = t->store ? trace_queries_new(as->loop, t->store) : NULL;
	if (!t->queries)
		return -ENOMEM;
	as_add_method(as, NSAS_EVENT, on_events);
	return 0;
}

void traces_stop(struct as *as)
{
	struct traces *t = as->traces;
	if (!t)
		return;
	trace_queries_free(t->queries);
	trace_store_free(t->store);
	free(t);
	as->traces = NULL;
}
