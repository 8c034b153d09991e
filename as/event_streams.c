/** @file Events over HTTP: what is kept of them, and streams of them as they come. */
#include "as/api/api.h"
#include "as/api/route.h"
#include "as/core/registry/record_json.h"
#include "as/event_list.h"
#include "as/event_view.h"
#include "as/stations.h"
#include "as/traces.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIST_ROWS = 1000, STORY_ROWS = 20000 };
enum { PROCESS_AS = 2 };
#define BEAT_US (20 * SEC_US)

static const char sse[] = "text/event-stream";

struct follower {
	struct as *as;
	char key_id[API_KEY_ID + 1];
	uint64_t expires_unix_us; /* of the key; 0: never */
	struct http_request *request;
	struct event_view *view; /* its own */
	bool is_sse;             /* as server-sent events; else a line of JSON each */
	struct traces_search *search; /* for what it is told first; NULL: it is told what comes */
	struct follower *next;
	uint64_t lost;
};

struct event_streams {
	struct follower *followers;
	struct loop_timer *beat;
	struct text line;
};

/* ---- streams ---- */

/** Forget a stream whose reader is gone. */
static void follower_gone(void *ctx)
{
	struct follower *f = ctx;
	struct follower **at = &f->as->event_streams->followers;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	traces_forget(f->search);
	free(f->view);
	free(f);
}

/** The end of a stream that we end, not its reader. */
static void follower_end(struct follower *f)
{
	struct http_request *r = f->request;
	follower_gone(f);
	http_stream_end(r);
}

static bool send_event(struct follower *f, const struct trace_event *e)
{
	struct text *line = &f->as->event_streams->line;
	text_reset(line);
	text_puts(line, f->is_sse ? "data: " : "");
	event_json_write(f->as, line, e);
	text_puts(line, f->is_sse ? "\n\n" : "\n");
	return !http_stream_send(f->request, text_str(line));
}

/** A follower that does not keep up loses events, never holds up traffic; once it goes on, it hears how many. */
static void follow_on(void *ctx, const struct trace_event *e)
{
	struct follower *f = ctx;
	struct trace_event gap = { .time_unix_us = e->time_unix_us, .process = PROCESS_AS };
	if (f->lost) {
		str_copy(str_of(events_info(EVENT_AS_EVENTS_LOST)->name), gap.name, sizeof gap.name);
		snprintf(gap.data, sizeof gap.data, "{\"lost\":%llu}", (unsigned long long)f->lost);
		MSG_MARK(&gap, data);
		if (send_event(f, &gap))
			f->lost = 0;
	}
	if (f->lost || !send_event(f, e))
		f->lost++;
}

static void caught_up(void *ctx)
{
	struct follower *f = ctx;
	f->search = NULL;
}

static bool has_expired(const struct follower *f)
{
	return f->expires_unix_us && f->expires_unix_us <= loop_now(f->as->loop)->unix_us;
}

static void on_event(struct as *as, const struct trace_event *e)
{
	for (struct follower *f = as->event_streams->followers, *next; f; f = next) {
		next = f->next;
		if (has_expired(f))
			follower_end(f);
		else if (!f->search && event_view_sees(as, f->view, e))
			follow_on(f, e);
	}
}

/** Streams on which nothing happens: their key may have expired, and what stands between would take them for dead. */
static void on_beat(void *ctx)
{
	struct as *as = ctx;
	for (struct follower *f = as->event_streams->followers, *next; f; f = next) {
		next = f->next;
		if (has_expired(f))
			follower_end(f);
		else if (f->is_sse)
			(void)http_stream_send(f->request, STR(":\n\n")); /* a comment; one too many is no loss */
	}
	loop_timer_in(as->event_streams->beat, BEAT_US);
}

/** The rights of a key have changed, or it is gone: what was begun with it ends. */
static void on_key(void *ctx, const struct api_key *k, enum change c)
{
	struct as *as = ctx;
	for (struct follower *f = as->event_streams->followers, *next; f && c != CHANGE_CREATED; f = next) {
		next = f->next;
		if (!strcmp(f->key_id, k->id))
			follower_end(f);
	}
}

/* ---- what is asked ---- */

struct asked {
	struct api_call c;
	struct event_view *view;
	uint64_t tail; /* of what is kept, the newest so many */
	bool has_tail, follows;
};

static int refuse(struct api_call *c, int status, const char *field, const char *why)
{
	api_error(c, status, field, "%s", why);
	return -EINVAL;
}

static int take_app(struct api_call *c, const char *id, const char *field, struct event_scope *s, const struct app **ret)
{
	const struct app *app = registry_app(&c->as->registry, str_of(id));
	if (!app && c->key->kind == KEY_ADMIN) {
		api_error(c, 404, field, "application %s not found", id);
		return -ENOENT;
	}
	if (!app || !(rights_on_app(c->key, app) & RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ)))
		return refuse(c, 403, field, "the API key lacks RIGHT_APPLICATION_TRAFFIC_READ on this application");
	str_copy(str_of(app->key), s->app, sizeof s->app);
	*ret = app;
	return 0;
}

static int take_device(struct api_call *c, const struct app *app, const char *id, const char *field, struct event_scope *s)
{
	const struct device *d = app ? registry_device(&c->as->registry, app, str_of(id)) : NULL;
	if (!app)
		return refuse(c, 400, field, "say also which application it is of");
	if (!d) {
		api_error(c, 404, field, "device %s not found in application %s", id, app->key);
		return -ENOENT;
	}
	s->device = d->entry.uid;
	return 0;
}

/** Events of a gateway: for the operator, of any that is registered or was heard; for a gateway's key, what is its own. */
static int take_gateway(struct api_call *c, const char *id, const char *field, struct event_scope *s)
{
	const struct gateway *g = registry_gateway(&c->as->registry, str_of(id));
	bool is_admin = c->key->kind == KEY_ADMIN;
	if (is_admin && !g && !stations_find(c->as, id)) {
		api_error(c, 404, field, "gateway %s is neither registered nor was it heard", id);
		return -ENOENT;
	}
	if (!is_admin && (!g || !(rights_on_gateway(c->key, g) & RIGHT_BIT(RIGHT_GATEWAY_TRAFFIC_READ))))
		return refuse(c, 403, field, "the API key lacks RIGHT_GATEWAY_TRAFFIC_READ on this gateway");
	s->is_of_gateway_alone = !is_admin;
	str_copy(str_of(g ? g->id : id), s->gateway, sizeof s->gateway);
	return 0;
}

/** Where nothing is named: all that the key may see. */
static int take_all(struct api_call *c, struct event_scope *s, const struct app **ret)
{
	if (c->key->kind == KEY_APPLICATION)
		return take_app(c, c->key->app->key, "", s, ret);
	return c->key->kind == KEY_GATEWAY ? take_gateway(c, c->key->gateway->id, "", s) : 0;
}

static int take_name(struct asked *a, struct str name, const char *field)
{
	const char *why;
	a->view->has_names = true;
	return event_names_add(&a->view->names, name, &why) ? refuse(&a->c, 400, field, why) : 0;
}

static int take_time(struct asked *a, const char *text, const char *field, uint64_t *ret_unix_us)
{
	uint64_t ns;
	if (clock_parse_rfc3339(str_of(text), &ns))
		return refuse(&a->c, 400, field, "must be a time such as 2026-03-01T12:00:00Z");
	*ret_unix_us = ns / 1000;
	return 0;
}

static int take_after(struct asked *a, const char *text)
{
	TRY(take_time(a, text, "after", &a->view->after_unix_us));
	if (!a->has_tail)
		a->tail = LIST_ROWS;
	return 0;
}

static int take_tail(struct asked *a, bool is_number, uint64_t n)
{
	if (!is_number || n > LIST_ROWS)
		return refuse(&a->c, 400, "tail", "must be a number from 0 to 1000");
	a->tail = n;
	a->has_tail = true;
	return 0;
}

/* ---- in the query ---- */

static const char *said(struct api_call *c, const char *name)
{
	const char *z = http_query(c->r, name);
	return z && *z ? z : NULL;
}

/** All that the query names at once. */
static int read_query_scope(struct api_call *c, struct event_view *v)
{
	const char *app_id = said(c, "application_id"), *device_id = said(c, "device_id"), *gateway_id = said(c, "gateway_id");
	struct event_scope *s = &v->scopes[v->n_scopes++];
	const struct app *app = NULL;
	int e = app_id ? take_app(c, app_id, "application_id", s, &app) : take_all(c, s, &app);
	if (!e && device_id)
		e = take_device(c, app, device_id, "device_id", s);
	if (e || !gateway_id)
		return e;
	if (!app)
		return take_gateway(c, gateway_id, "gateway_id", s);
	/* What this gateway had to do with the application: no more than is seen of the application anyhow. */
	return str_copy(str_of(gateway_id), s->gateway, sizeof s->gateway) ? refuse(c, 400, "gateway_id", "is too long") : 0;
}

static int read_query_names(struct asked *a, const char *parameter)
{
	const char *name;
	int e = 0;
	for (size_t i = 0; !e && (name = http_query_nth(a->c.r, parameter, i)); i++)
		e = take_name(a, str_of(name), parameter);
	return e;
}

/** Of lists: the newest so many, told before a moment, by one of the processes. */
static int read_query_list(struct asked *a)
{
	static const char *const processes[] = { "gs", "ns", "as" };
	const char *limit = said(&a->c, "limit"), *before = said(&a->c, "before"), *process = said(&a->c, "process");
	uint64_t n = 0;
	size_t k = 0;
	if (limit && (num_u64(str_of(limit), &n) || n > STORY_ROWS))
		return refuse(&a->c, 400, "limit", "must be a number from 0 to 20000");
	a->tail = n ? n : a->tail;
	a->has_tail |= n > 0;
	if (before)
		TRY(take_time(a, before, "before", &a->view->before_unix_us));
	if (before && a->follows)
		return refuse(&a->c, 400, "before", "is not for what is followed");
	while (process && k < COUNT(processes) && strcmp(process, processes[k]))
		k++;
	if (k == COUNT(processes))
		return refuse(&a->c, 400, "process", "must be gs, ns or as");
	a->view->processes = (uint8_t)(process ? 1U << k : 0);
	return 0;
}

static int read_query(struct asked *a)
{
	const char *tail = said(&a->c, "tail"), *after = said(&a->c, "after"), *follow = said(&a->c, "follow");
	uint64_t n = 0;
	bool is_number = tail && !num_u64(str_of(tail), &n);
	a->follows = follow && !strcmp(follow, "true");
	a->tail = a->follows ? 0 : LIST_ROWS;
	int e = read_query_scope(&a->c, a->view);
	if (!e && follow && !a->follows && strcmp(follow, "false"))
		e = refuse(&a->c, 400, "follow", "must be true or false");
	if (!e && tail)
		e = take_tail(a, is_number, n);
	if (!e && after)
		e = take_after(a, after);
	if (!e)
		e = read_query_list(a);
	if (!e)
		e = read_query_names(a, "name");
	return e ? e : read_query_names(a, "names");
}

/* ---- in the body ---- */

/** Read the id at a path below v. @return 0; else it has answered */
static int read_id(struct api_call *c, json_val v, const char *path, const char *field, char *ret, size_t cap)
{
	char whole[128];
	if (!json_string(&c->body, record_find(&c->body, v, path), ret, cap) && *ret)
		return 0;
	snprintf(whole, sizeof whole, "%s.%s", field, path);
	return refuse(c, 400, whole, "must be an id");
}

static int read_app_ids(struct api_call *c, json_val v, const char *field, struct event_scope *s)
{
	char id[APP_KEY_TEXT];
	const struct app *app;
	int e = read_id(c, v, "application_id", field, id, sizeof id);
	return e ? e : take_app(c, id, field, s, &app);
}

static int read_device_ids(struct api_call *c, json_val v, const char *field, struct event_scope *s)
{
	char app_id[APP_KEY_TEXT], id[ID_MAX + 1];
	const struct app *app = NULL;
	int e = read_id(c, v, "application_ids.application_id", field, app_id, sizeof app_id);
	if (!e)
		e = read_id(c, v, "device_id", field, id, sizeof id);
	if (!e)
		e = take_app(c, app_id, field, s, &app);
	return e ? e : take_device(c, app, id, field, s);
}

static int read_gateway_ids(struct api_call *c, json_val v, const char *field, struct event_scope *s)
{
	char id[ID_MAX + 1];
	int e = read_id(c, v, "gateway_id", field, id, sizeof id);
	return e ? e : take_gateway(c, id, field, s);
}

/** One of {"application_ids":{…}}, {"device_ids":{…}}, {"gateway_ids":{…}}. */
static int read_identifiers(struct api_call *c, json_val v, size_t i, struct event_scope *s)
{
	static const struct {
		const char *name;
		int (*read)(struct api_call *c, json_val v, const char *field, struct event_scope *s);
	} kinds[] = { { "application_ids", read_app_ids }, { "device_ids", read_device_ids }, { "gateway_ids", read_gateway_ids } };
	char field[64];
	for (size_t k = 0; k < COUNT(kinds) && json_count(&c->body, v) == 1; k++) {
		json_val ids = json_get(&c->body, v, kinds[k].name);
		if (ids < 0 || json_type(&c->body, ids) != JSON_OBJECT)
			continue;
		snprintf(field, sizeof field, "identifiers[%zu].%s", i, kinds[k].name);
		return kinds[k].read(c, ids, field, s);
	}
	snprintf(field, sizeof field, "identifiers[%zu]", i);
	return refuse(c, 400, field, "must be an object with one of application_ids, device_ids and gateway_ids");
}

static int read_scopes(struct asked *a)
{
	struct api_call *c = &a->c;
	struct event_view *v = a->view;
	const struct app *app;
	json_val list = json_get(&c->body, c->object, "identifiers");
	if (list >= 0 && json_type(&c->body, list) != JSON_ARRAY)
		return refuse(c, 400, "identifiers", "must be an array");
	if (list < 0 || !json_count(&c->body, list))
		return take_all(c, &v->scopes[v->n_scopes++], &app);
	for (json_val i = json_first(&c->body, list); i >= 0; i = json_next(&c->body, i)) {
		if (v->n_scopes == EVENT_SCOPES_MAX)
			return refuse(c, 400, "identifiers", "are more than 20");
		int e = read_identifiers(c, i, v->n_scopes, &v->scopes[v->n_scopes]);
		if (e)
			return e;
		v->n_scopes++;
	}
	return 0;
}

static int read_one_name(struct asked *a, json_val v, size_t i)
{
	char name[EVENT_NAME_TEXT + 2], field[32];
	struct json *j = &a->c.body;
	snprintf(field, sizeof field, "names[%zu]", i);
	if (json_type(j, v) != JSON_STRING || json_string(j, v, name, sizeof name))
		return refuse(&a->c, 400, field, "must be a text of at most 100 characters");
	return take_name(a, str_of(name), field);
}

static int read_names(struct asked *a)
{
	struct api_call *c = &a->c;
	json_val list = json_get(&c->body, c->object, "names");
	size_t n = 0;
	if (list >= 0 && json_type(&c->body, list) != JSON_ARRAY)
		return refuse(c, 400, "names", "must be an array of names and /expressions/");
	for (json_val i = list < 0 ? -1 : json_first(&c->body, list); i >= 0; i = json_next(&c->body, i)) {
		int e = read_one_name(a, i, n++);
		if (e)
			return e;
	}
	return 0;
}

/* What has been answered has no body any more: nothing of it is looked at after a refusal. */

static int read_tail(struct asked *a)
{
	struct api_call *c = &a->c;
	uint64_t n = 0;
	int e = json_u64(&c->body, json_get(&c->body, c->object, "tail"), &n);
	return e == -ENOENT ? 0 : take_tail(a, !e, n);
}

static int read_after(struct asked *a)
{
	struct api_call *c = &a->c;
	char after[64] = "";
	int e = json_string(&c->body, json_get(&c->body, c->object, "after"), after, sizeof after);
	return e == -ENOENT ? 0 : take_after(a, e ? "" : after);
}

static int read_body(struct asked *a)
{
	a->follows = true;
	int e = read_scopes(a);
	if (!e)
		e = read_tail(a);
	if (!e)
		e = read_after(a);
	return e ? e : read_names(a);
}

/* ---- answers ---- */

/** Does the asker name server-sent events among what it takes? */
static bool accepts_sse(const struct http_request *r)
{
	const char *accept = http_header(r, "Accept");
	struct str rest = str_of(accept ? accept : ""), one;
	while (rest.n) {
		rest = str_cut(rest, ',', &one);
		str_cut(one, ';', &one);
		one = str_trim(one);
		if (one.n == sizeof sse - 1 && !strncasecmp(one.p, sse, one.n))
			return true;
	}
	return false;
}

/** May one more stream be opened with this key? One application does not keep all others from theirs. */
static bool has_room(struct api_call *c)
{
	const struct as_settings *s = c->as->settings;
	uint32_t all = 0, own = 0;
	for (const struct follower *f = c->as->event_streams->followers; f; f = f->next) {
		all++;
		own += !strcmp(f->key_id, c->key->id);
	}
	if (own >= s->event_streams_per_key && c->key->kind != KEY_ADMIN)
		api_error(c, 429, "", "%u event streams are open already with this API key, as many as it may have (as.event-streams-per-key)", own);
	else if (all >= s->event_streams)
		api_error(c, 429, "", "%u event streams are open already, as many as there may be (as.event-streams)", all);
	else
		return true;
	return false;
}

static void follow(struct asked *a)
{
	struct api_call *c = &a->c;
	struct event_streams *s = c->as->event_streams;
	if (!has_room(c))
		return;
	struct follower *f = malloc(sizeof *f);
	if (!f) {
		api_fail(c, -ENOMEM);
		return;
	}
	*f = (struct follower){ .as = c->as, .expires_unix_us = c->key->expires_unix_us, .request = c->r, .view = TAKE(a->view),
		.is_sse = accepts_sse(c->r), .next = s->followers };
	str_copy(str_of(c->key->id), f->key_id, sizeof f->key_id);
	s->followers = f;
	struct traces_query q = { .view = f->view, .max = (size_t)a->tail, .goes_on = true, .tell = follow_on, .done = caught_up, .ctx = f };
	http_stream_begin(c->r, f->is_sse ? sse : "application/x-ndjson", follower_gone, f);
	if (q.max && traces_find(c->as, &q, &f->search))
		f->lost++;
}

/** The story of one message, whatever else is asked of it. */
static void story(struct asked *a)
{
	const char *id = said(&a->c, "correlation_id");
	a->view->has_names = false;
	a->view->after_unix_us = a->view->before_unix_us = a->view->processes = 0;
	if (id)
		event_list(&a->c, TAKE(a->view), id, a->has_tail ? (size_t)a->tail : STORY_ROWS);
	else
		refuse(&a->c, 400, "correlation_id", "which message? give ?correlation_id=");
}

static void answer(void *ctx, struct http_request *r, bool has_body, bool is_story)
{
	struct asked a = { .tail = 0 };
	const struct api_need need = { .what = has_body ? API_BODY | API_NO_BODY_OK : 0, .right = RIGHT_N };
	if (api_begin(&a.c, ctx, r, &need))
		return;
	a.view = calloc(1, sizeof *a.view);
	if (!a.view) {
		api_fail(&a.c, -ENOMEM);
	} else if (!(has_body ? read_body(&a) : read_query(&a))) {
		if (is_story)
			story(&a);
		else if (a.follows)
			follow(&a);
		else
			event_list(&a.c, TAKE(a.view), NULL, (size_t)a.tail);
	}
	free(a.view);
	api_done(&a.c);
}

static void get_events(void *ctx, struct http_request *r)
{
	answer(ctx, r, false, false);
}

static void post_events(void *ctx, struct http_request *r)
{
	answer(ctx, r, true, false);
}

static void get_related(void *ctx, struct http_request *r)
{
	answer(ctx, r, false, true);
}

int event_streams_start(struct as *as, struct text *err)
{
	static const struct api_route routes[] = {
		{ HTTP_GET, "/api/v3/events", get_events,
			"any key", "Events that are kept, or a stream of them as they come", "", "@Events",
			"application_id device_id gateway_id name process tail limit after before follow" },
		{ HTTP_POST, "/api/v3/events", post_events,
			"any key", "A stream of events: those of any of the identifiers", "@EventsRequest", "events", "" },
		{ HTTP_GET, "/api/v3/events/related", get_related,
			"any key", "The story of one message", "", "@Events", "correlation_id limit" },
		{ .path = NULL },
	};
	struct event_streams *s = as->event_streams = calloc(1, sizeof *s);
	(void)err;
	if (!s)
		return -ENOMEM;
	s->line = text_growing(64 * 1024);
	s->beat = loop_timer_new(as->loop, on_beat, as);
	if (!s->beat)
		return -ENOMEM;
	loop_timer_in(s->beat, BEAT_US);
	api_add_routes(as, routes);
	traces_watch(as, on_event);
	keyring_watch(&as->keyring, on_key, as);
	return 0;
}

void event_streams_stop(struct as *as)
{
	struct event_streams *s = as->event_streams;
	if (!s)
		return;
	traces_watch(as, NULL);
	while (s->followers)
		follower_end(s->followers);
	loop_timer_free(s->beat);
	text_done(&s->line);
	free(s);
	as->event_streams = NULL;
}
