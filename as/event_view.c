/** @file What of the events somebody wants to see, and may; and what an event looks like to them. */
#include "as/event_view.h"
#include "common/core/json_out.h"
#include "proto/cids.h"
#include <string.h>

static const struct device *device_of(struct as *as, const struct trace_event *e)
{
	return MSG_HAS(e, device) ? registry_device_by_uid(&as->registry, e->device) : NULL;
}

static void name_text(struct text *t, const char *name, const char *value)
{
	json_name(t, name);
	json_puts(t, value);
}

static void write_identifiers(struct as *as, struct text *t, const struct trace_event *e)
{
	const struct device *d = device_of(as, e);
	char hex[9];
	struct text h = text_fixed(hex, sizeof hex);
	json_name(t, "identifiers");
	json_open(t, '{');
	if (d) {
		name_text(t, "application_id", d->app->key);
		name_text(t, "device_id", d->id);
	} else if (MSG_HAS(e, application_id)) {
		name_text(t, "application_id", e->application_id);
	}
	if ((d && d->has_dev_eui) || MSG_HAS(e, dev_eui)) {
		json_name(t, "dev_eui");
		json_eui(t, d && d->has_dev_eui ? d->dev_eui : e->dev_eui);
	}
	if (MSG_HAS(e, dev_addr)) {
		text_printf(&h, "%08X", e->dev_addr);
		name_text(t, "dev_addr", hex);
	}
	if (MSG_HAS(e, gateway_id))
		name_text(t, "gateway_id", e->gateway_id);
	if (MSG_HAS(e, gateway_eui)) {
		json_name(t, "gateway_eui");
		json_eui(t, e->gateway_eui);
	}
	json_close(t, '}');
}

void event_json_write(struct as *as, struct text *t, const struct trace_event *e)
{
	static const char *const processes[] = { "gs", "ns", "as" };
	json_open(t, '{');
	name_text(t, "name", e->name);
	json_name(t, "time");
	json_time(t, e->time_unix_us * 1000);
	name_text(t, "process", e->process < COUNT(processes) ? processes[e->process] : "?");
	write_identifiers(as, t, e);
	json_name(t, "correlation_ids");
	json_open(t, '[');
	for (size_t i = 0; MSG_HAS(e, cids) && i < e->cids.len; i++) {
		char id[CID_TEXT_MAX];
		struct text one = text_fixed(id, sizeof id);
		cid_text(&one, &e->cids.v[i]);
		json_puts(t, id);
	}
	json_close(t, ']');
	json_name(t, "data");
	json_raw_out(t, MSG_HAS(e, data) && e->data[0] ? str_of(e->data) : STR("{}"));
	json_close(t, '}');
}

static bool in_scope(const struct event_scope *s, const struct device *d, const struct trace_event *e)
{
	const char *app = d ? d->app->key : MSG_HAS(e, application_id) ? e->application_id : "";
	if (s->is_of_gateway_alone && (*app || MSG_HAS(e, device)))
		return false;
	return (!s->app[0] || !strcmp(s->app, app)) && (!s->device || (d && d->entry.uid == s->device)) &&
		(!s->gateway[0] || (MSG_HAS(e, gateway_id) && !strcmp(s->gateway, e->gateway_id)));
}

bool event_view_sees(struct as *as, const struct event_view *v, const struct trace_event *e)
{
	const struct device *d = device_of(as, e);
	size_t i = 0;
	if (e->time_unix_us <= v->after_unix_us || (v->before_unix_us && e->time_unix_us >= v->before_unix_us) ||
		(v->processes && !(v->processes >> (e->process & 7) & 1)))
		return false;
	while (i < v->n_scopes && !in_scope(&v->scopes[i], d, e))
		i++;
	return i < v->n_scopes && (!v->has_names || event_names_find(&v->names, str_of(e->name)));
}

static bool scope_may_be_in(const struct event_scope *s, const struct chunk_index *i)
{
	return (!s->device || chunk_may_have(i, print_device(s->device))) &&
		(!s->app[0] || s->device || chunk_may_have(i, print_application(s->app))) &&
		(!s->gateway[0] || chunk_may_have(i, print_gateway(s->gateway)));
}

bool event_view_may_be_in(const struct event_view *v, const struct chunk_index *i)
{
	const struct event_names *names = &v->names;
	size_t scope = 0, name = 0;
	if (i->last_us <= v->after_unix_us || (v->before_unix_us && i->first_us >= v->before_unix_us) ||
		(v->processes && !(v->processes & i->processes)))
		return false;
	while (scope < v->n_scopes && !scope_may_be_in(&v->scopes[scope], i))
		scope++;
	if (scope == v->n_scopes || !v->has_names || names->n_starts)
		return scope < v->n_scopes;
	while (name < names->n_exact && !chunk_may_have(i, print_name(names->exact[name])))
		name++;
	return name < names->n_exact;
}

bool event_view_is_of_app(const struct event_view *v)
{
	return v->n_scopes == 1 && v->scopes[0].app[0];
}
