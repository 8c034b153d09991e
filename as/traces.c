/** @file Events of the three processes: kept in a ring, told to whoever watches, searched for a message's story. */
#include "as/traces.h"
#include "as/core/trace_ring.h"
#include "as/event_view.h"
#include "common/core/json.h"
#include "common/core/json_out.h"
#include "proto/bus/event_log.h"
#include <stdlib.h>
#include <string.h>

enum { PROCESS_AS = 2 };

struct traces {
	struct trace_ring ring;
	uint8_t *memory;
	traces_watcher *watcher; /* NULL: nobody */
	struct trace_event scratch;
};

/* ---- coming in ---- */

static void keep(struct as *as, const struct trace_event *e)
{
	struct traces *t = as->traces;
	trace_ring_add(&t->ring, e);
	if (t->watcher)
		t->watcher(as, e);
}

void traces_watch(struct as *as, traces_watcher *fn)
{
	as->traces->watcher = fn;
}

uint64_t traces_lost(const struct as *as)
{
	return as->traces->ring.lost;
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
	e->process = PROCESS_AS;
	e->cids.len = 0;
	cids_add_all(&e->cids.len, e->cids.v, COUNT(e->cids.v), cids, n_cids);
	if (n_cids)
		MSG_MARK(e, cids);
	if (is_json(data) && !str_copy(str_of(data), e->data, sizeof e->data))
		MSG_MARK(e, data);
	event_log(&as->watch, event, e);
	if (events_is_told(event, as->events))
		keep(as, e);
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
	(void)peer;
	(void)request;
	for (size_t i = 0; i < b->v.len; i++)
		keep(as, &b->v.v[i]);
	if (MSG_HAS(b, lost))
		as->traces->ring.lost += b->lost;
}

/* ---- being asked ---- */

/** The newest events that are asked for: where they are in the ring. */
struct row {
	uint64_t time_us, at;
};
struct rows {
	struct as *as;
	const struct event_view *view;
	struct story *story; /* NULL: all */
	struct row *v;       /* a ring: the newest count */
	size_t n, max;
	bool is_seen; /* the asker may see some of the story */
};

static bool seed(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct rows *r = ctx;
	(void)at;
	if (event_view_sees(r->as, r->view, e))
		story_seed(r->story, e);
	return true;
}

static bool follow_up(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct rows *r = ctx;
	(void)at;
	if (event_view_sees(r->as, r->view, e))
		r->is_seen |= story_follow(r->story, e);
	return true;
}

/** What only a gateway says of a message belongs to whom the message belongs. */
static bool is_part(const struct rows *r, const struct trace_event *e)
{
	if (event_view_sees(r->as, r->view, e))
		return !r->story || story_has(r->story, e);
	return r->story && r->is_seen && event_view_is_of_app(r->view) && !MSG_HAS(e, device) &&
	       !MSG_HAS(e, application_id) && story_has_message(r->story, e);
}

static bool collect(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct rows *r = ctx;
	if (is_part(r, e))
		r->v[r->n++ % r->max] = (struct row){e->time_unix_us, at};
	return true;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/** Whose story it is: that of an id of ours, or of one that an application gave its message. */
static struct story story_of(const char *correlation_id)
{
	struct story s = { .n = 0 };
	if (cid_parse(str_of(correlation_id), &s.ids[0]))
		s.own = correlation_id;
	else
		s.n = s.n_seeds = 1;
	return s;
}

int traces_find(struct as *as, const struct traces_query *q, void (*fn)(void *ctx, const struct trace_event *e), void *ctx)
{
	struct traces *t = as->traces;
	struct story story = story_of(q->correlation_id ? q->correlation_id : "");
	struct rows r = { .as = as, .view = q->view, .story = q->correlation_id ? &story : NULL, .max = q->max };
	r.v = calloc(q->max, sizeof *r.v);
	if (!r.v)
		return -ENOMEM;
	if (r.story && story.own)
		trace_ring_each(&t->ring, &t->scratch, seed, &r);
	if (r.story)
		trace_ring_each(&t->ring, &t->scratch, follow_up, &r);
	trace_ring_each(&t->ring, &t->scratch, collect, &r);
	size_t n = r.n < r.max ? r.n : r.max;
	qsort(r.v, n, sizeof *r.v, by_time);
	for (size_t i = 0; i < n; i++)
		if (!trace_ring_at(&t->ring, r.v[i].at, &t->scratch))
			fn(ctx, &t->scratch);
	free(r.v);
	return 0;
}

int traces_start(struct as *as, struct text *err)
{
	struct traces *t = as->traces = calloc(1, sizeof *t);
	(void)err;
	if (!t)
		return -ENOMEM;
	/* Untouched pages cost nothing: the ring takes memory as it fills. */
	t->memory = malloc(TRACES_BYTES);
	if (!t->memory)
		return -ENOMEM;
	trace_ring_init(&t->ring, t->memory, TRACES_BYTES);
	as_add_method(as, NSAS_EVENT, on_events);
	return 0;
}

void traces_stop(struct as *as)
{
	struct traces *t = as->traces;
	if (!t)
		return;
	free(t->memory);
	free(t);
	as->traces = NULL;
}
