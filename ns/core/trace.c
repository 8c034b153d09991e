/** @file Events of the trace: composed in place, sent in batches, dropped and counted when nobody can take them. */
#include "ns/core/trace.h"
#include "ns/core/state.h"
#include <string.h>

enum { PROCESS_NS = 1 };

static struct trace_event *event_of(struct trace *t)
{
	return t->batch.v.len < COUNT(t->batch.v.v) ? &t->batch.v.v[t->batch.v.len] : &t->scratch;
}

static void set_about(struct trace_event *e, const struct about *a)
{
	if (a->cids) {
		CIDS_ADD_ALL(&e->cids, a->cids);
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

struct text *trace_begin(struct ns *ns, enum event_id event, const struct about *a)
{
	struct trace *t = &ns->trace;
	if (t->batch.v.len == COUNT(t->batch.v.v))
		trace_flush(ns);
	struct trace_event *e = ns->as_is_up ? event_of(t) : &t->scratch;
	e->has = 0;
	e->cids.len = 0;
	if (e == &t->scratch) {
		t->data = text_fixed(e->data, sizeof(e->data));
		return &t->data; /* nobody listens: the data goes nowhere */
	}
	str_copy(str_of(events_info(event)->name), e->name, sizeof(e->name));
	e->time_unix_us = ns->now.unix_us;
	e->process = PROCESS_NS;
	set_about(e, a);
	t->data = text_fixed(e->data, sizeof(e->data));
	json_open(&t->data, '{');
	return &t->data;
}

void trace_end(struct ns *ns)
{
	struct trace *t = &ns->trace;
	if (t->data.p == t->scratch.data || !ns->as_is_up) {
		t->lost++;
		ns->counters.events_lost++;
		return;
	}
	struct trace_event *e = event_of(t);
	json_close(&t->data, '}');
	if (!t->data.failed && t->data.len > 2)
		MSG_MARK(e, data);
	t->batch.v.len++;
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
	if (a->has_f_cnt) {
		json_name(t, "f_cnt");
		json_unum(t, a->f_cnt);
		json_name(t, "next_f_cnt");
		json_unum(t, a->next_f_cnt);
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
	if (!t->batch.v.len)
		return;
	t->batch.has = 0;
	if (t->lost)
		MSG_SET(&t->batch, lost, t->lost);
	if (ns->as_is_up)
		ns->ports.tell_as(ns->ports.ctx, NSAS_EVENT, &t->batch);
	t->lost = 0;
	t->batch.v.len = 0;
}
