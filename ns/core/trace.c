/** @file Events of the trace: composed in place, sent in batches, dropped and counted when nobody can take them. */
#include "ns/core/trace.h"
#include "ns/core/state.h"
#include "proto/event_pack.h"
#include <string.h>

enum { PROCESS_NS = EVENT_PROCESS_NS };

static void set_about(struct trace_event *e, const struct about *a)
{
	if (a->cids) {
		CIDS_ADD_ALL(&e->cids, a->cids);
		MSG_MARK(e, cids);
	}
	if (a->transmission) {
		CIDS_ADD(&e->cids, CID_NS_TRANSMISSION, *a->transmission);
		MSG_MARK(e, cids);
	}
	if (a->dev)
		MSG_SET(e, device, a->dev->uid);
	if (a->gateway) {
		memcpy(e->gateway_id, a->gateway->id, sizeof(e->gateway_id));
		MSG_MARK(e, gateway_id);
		MSG_SET(e, gateway_eui, a->gateway->eui);
	}
	if (a->has_dev_eui)
		MSG_SET(e, dev_eui, a->dev_eui);
	if (a->has_dev_addr)
		MSG_SET(e, dev_addr, a->dev_addr);
}

static void open_event(struct ns *ns, struct trace_event *e, enum event_id event)
{
	e->has = 0;
	e->cids.len = 0;
	str_copy(str_of(events_info(event)->name), e->name, sizeof(e->name));
	e->time_unix_us = ns->now.unix_us;
	e->process = PROCESS_NS;
	ns->trace.data = text_fixed(e->data, sizeof(e->data));
	json_open(&ns->trace.data, '{');
}

static void close_event(struct trace *t, struct trace_event *e)
{
	json_close(&t->data, '}');
	if (!t->data.failed && t->data.len > 2)
		MSG_MARK(e, data);
}

/** @return 0; -ENOSPC the batch is full; -EINVAL */
static int pack(struct trace *t, const struct trace_event *e)
{
	struct writer w = { .p = t->batch.events.p, .len = t->batch.events.len, .cap = sizeof(t->batch.events.p) };
	TRY(events_pack(&w, e));
	t->batch.events.len = (uint16_t)w.len;
	return 0;
}

/* The story has a hole here. */
static void tell_lost(struct ns *ns)
{
	struct trace_event *e = &ns->trace.event;
	open_event(ns, e, EVENT_NS_EVENTS_LOST);
	trace_num(&ns->trace.data, "lost", ns->trace.lost);
	close_event(&ns->trace, e);
	(void)pack(&ns->trace, e); /* an empty batch has room for any event */
}

struct text *trace_begin(struct ns *ns, enum event_id event, const struct about *a)
{
	struct trace *t = &ns->trace;
	t->id = event;
	t->is_told = events_is_told(event, ns->config.events);
	t->is_logged = ns->ports.is_logged && ns->ports.is_logged(ns->ports.ctx, event, a->dev ? a->dev->uid : 0, a->gateway ? a->gateway->id : "");
	if (t->is_told && !ns->as_is_up) {
		t->is_told = false;
		ns_events_lost(ns, 1);
	}
	if (!t->is_told && !t->is_logged) {
		/* Nobody reads it: what is written goes nowhere, at once. */
		t->data = text_fixed(t->event.data, 1);
		t->data.failed = true;
		return &t->data;
	}
	if (t->is_told && sizeof(t->batch.events.p) - t->batch.events.len < EVENT_PACKED_MAX)
		trace_flush(ns);
	if (t->is_told && !t->batch.events.len && t->lost)
		tell_lost(ns);
	open_event(ns, &t->event, event);
	set_about(&t->event, a);
	return &t->data;
}

void trace_end(struct ns *ns)
{
	struct trace *t = &ns->trace;
	if (!t->is_told && !t->is_logged)
		return;
	close_event(t, &t->event);
	if (t->is_logged)
		ns->ports.log(ns->ports.ctx, t->id, &t->event);
	if (t->is_told && pack(t, &t->event))
		ns_events_lost(ns, 1);
}

void trace_num(struct text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	json_unum(t, v);
}

void trace_duration(struct ns *ns, struct text *t, uint64_t since_us)
{
	if (since_us && since_us <= ns->now.mono_us)
		trace_num(t, "duration_us", ns->now.mono_us - since_us);
}

void trace_add(struct ns *ns, enum event_id event, const struct about *a)
{
	trace_begin(ns, event, a);
	trace_end(ns);
}

void trace_reason(struct ns *ns, enum event_id event, const struct about *a, const char *reason)
{
	struct text *t = trace_begin(ns, event, a);
	json_name(t, "reason");
	json_puts(t, reason);
	if (a->has_join_eui) {
		json_name(t, "join_eui");
		json_eui(t, a->join_eui);
	}
	if (a->has_f_cnt) {
		trace_num(t, "f_cnt", a->f_cnt);
		trace_num(t, "next_f_cnt", a->next_f_cnt);
	}
	if (a->hint) {
		json_name(t, "hint");
		json_puts(t, a->hint);
	}
	trace_end(ns);
}

void trace_flush(struct ns *ns)
{
	struct trace *t = &ns->trace;
	if (!t->batch.events.len)
		return;
	uint64_t lost = t->lost;
	t->batch.has = HAS(trace_events, events);
	t->lost = 0;
	if (lost)
		MSG_SET(&t->batch, lost, lost);
	if (ns->as_is_up)
		ns->ports.tell_as(ns->ports.ctx, NSAS_EVENT, &t->batch);
	else
		ns_events_lost(ns, events_in(&t->batch));
	t->batch.events.len = 0;
}

void ns_events_lost(struct ns *ns, uint64_t n)
{
	ns->trace.lost += n;
	ns->counters.events_lost += n;
}
