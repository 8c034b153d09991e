/** @file Events of the three processes: kept in a ring, told to followers as they come, searched for a
 * message's story. */
#include "as/traces.h"
#include "as/api/api.h"
#include "as/core/trace_ring.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 32 << 20, ROWS_MAX = 20000, LIST_ROWS = 1000 };

/** What somebody wants to see, and may. */
struct view {
	uint64_t device;                 /* 0: any */
	char app[APP_KEY_TEXT];          /* "": any, gateways' and unknown devices' too */
	char gateway[ID_MAX + 1];
};

struct follower {
	struct as *as;
	struct http_request *request;
	struct view view;
	struct follower *next;
	uint64_t lost;
};

struct traces {
	struct trace_ring ring;
	uint8_t *memory;
	struct follower *followers;
	size_t n_followers;
	struct trace_event scratch;
	struct text line;
};

/* ---- what an event looks like ---- */

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

static void write_event(struct as *as, struct text *t, const struct trace_event *e)
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

static bool sees(struct as *as, const struct view *v, const struct trace_event *e)
{
	const struct device *d = device_of(as, e);
	const char *app = d ? d->app->key : MSG_HAS(e, application_id) ? e->application_id : "";
	return (!v->app[0] || !strcmp(v->app, app)) && (!v->device || (d && d->entry.uid == v->device)) &&
		(!v->gateway[0] || (MSG_HAS(e, gateway_id) && !strcmp(v->gateway, e->gateway_id)));
}

/* ---- coming in ---- */

static void keep(struct as *as, const struct trace_event *e)
{
	struct traces *t = as->traces;
	trace_ring_add(&t->ring, e);
	for (struct follower *f = t->followers, *next; f; f = next) {
		next = f->next;
		if (!sees(as, &f->view, e))
			continue;
		text_reset(&t->line);
		write_event(as, &t->line, e);
		text_putc(&t->line, '\n');
		/* A follower that does not keep up loses events, never holds up traffic. */
		if (http_stream_send(f->request, text_str(&t->line)))
			f->lost++;
	}
}

static void add(struct as *as, const char *name, const struct cid *cids, size_t n_cids, const char *data)
{
	struct trace_event *e = &as->traces->scratch;
	str_copy(str_of(name), e->name, sizeof e->name);
	e->time_unix_us = loop_now(as->loop)->unix_us;
	e->process = 2;
	e->cids.len = 0;
	cids_add_all(&e->cids.len, e->cids.v, COUNT(e->cids.v), cids, n_cids);
	if (n_cids)
		MSG_MARK(e, cids);
	if (*data && !str_copy(str_of(data), e->data, sizeof e->data))
		MSG_MARK(e, data);
	keep(as, e);
}

void traces_add(struct as *as, const char *name, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *data)
{
	as->traces->scratch.has = 0;
	if (d)
		MSG_SET(&as->traces->scratch, device, d->entry.uid);
	add(as, name, cids, n_cids, data);
}

void traces_add_own(struct as *as, const char *name, const struct device *d, const struct cid *cids,
	size_t n_cids, const char *own, size_t own_n)
{
	char data[sizeof as->traces->scratch.data];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "correlation_ids");
	json_open(&t, '[');
	for (size_t i = 0; i < own_n && t.len + strlen(own + i) + 8 < sizeof data; i += strlen(own + i) + 1)
		json_puts(&t, own + i);
	json_close(&t, ']');
	json_close(&t, '}');
	traces_add(as, name, d, cids, n_cids, own_n && !t.failed ? data : "");
}

void traces_add_app(struct as *as, const char *name, const struct app *a, const char *data)
{
	struct trace_event *e = &as->traces->scratch;
	e->has = 0;
	if (a && !str_copy(str_of(a->key), e->application_id, sizeof e->application_id))
		MSG_MARK(e, application_id);
	add(as, name, NULL, 0, data);
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

/** Rows of an answer: each event's JSON in one text, sorted by time at the end. */
struct row {
	uint64_t time_us;
	size_t at, n;
};
struct rows {
	struct as *as;
	const struct view *view;
	struct story *story; /**< NULL: all */
	struct text json;
	struct row *v;
	size_t n, max;
	bool is_following;
};

static bool visit(void *ctx, const struct trace_event *e)
{
	struct rows *r = ctx;
	if (!sees(r->as, r->view, e) || (r->story && !story_has(r->story, e)))
		return true;
	if (r->is_following) {
		story_follow(r->story, e);
		return true;
	}
	if (r->n == r->max) {
		/* The newest count: the oldest makes room. */
		memmove(&r->v[0], &r->v[1], (r->max - 1) * sizeof r->v[0]);
		r->n--;
	}
	r->v[r->n].time_us = e->time_unix_us;
	r->v[r->n].at = r->json.len;
	/* Each row is a document of its own, so that no comma gets before it. */
	text_putc(&r->json, '\n');
	write_event(r->as, &r->json, e);
	r->v[r->n].n = r->json.len - r->v[r->n].at;
	r->n += !r->json.failed;
	return !r->json.failed;
}

static int by_time(const void *a, const void *b)
{
	const struct row *x = a, *y = b;
	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void answer(
	struct as *as, struct http_request *request, const struct view *view, struct story *story, size_t max)
{
	struct traces *t = as->traces;
	struct rows r = { .as = as,
		.view = view,
		.story = story,
		.json = text_growing(ANSWER_MAX),
		.v = calloc(max, sizeof *r.v),
		.max = max };
	struct text out = text_growing(ANSWER_MAX);
	if (!r.v) {
		http_reply_error(request, 503, "no memory for the answer");
		return;
	}
	if (story) {
		r.is_following = true;
		trace_ring_each(&t->ring, &t->scratch, visit, &r);
		r.is_following = false;
	}
	trace_ring_each(&t->ring, &t->scratch, visit, &r);
	qsort(r.v, r.n, sizeof *r.v, by_time);
	text_puts(&out, "{\"events\":[");
	for (size_t i = 0; i < r.n; i++) {
		text_puts(&out, i ? "," : "");
		text_put(&out, (struct str){ r.json.p + r.v[i].at + 1, r.v[i].n - 1 });
	}
	text_printf(&out, "],\"lost\":%llu}", (unsigned long long)t->ring.lost);
	if (out.failed)
		http_reply_error(request, 503, "the answer is too large");
	else
		http_reply_json(request, 200, text_str(&out));
	text_done(&out);
	text_done(&r.json);
	free(r.v);
}

/** May the asker see this application's traffic (all traffic, where app is NULL)? */
static bool may_see(const struct api_key *key, const struct app *app)
{
	if (key->kind == KEY_ADMIN)
		return true;
	if (key->kind == KEY_GATEWAY)
		return !app;
	return app && (rights_expand(rights_on_app(key, app)) & RIGHT_BIT(RIGHT_APPLICATION_TRAFFIC_READ));
}

/** Which application it asks for: the one it names, or its key's. @return 0; else it has answered */
static int asked_app(struct api_call *c, const struct app **ret)
{
	const char *id = http_query(c->r, "application_id");
	*ret = c->key->kind == KEY_APPLICATION ? c->key->app : NULL;
	if (id && *id)
		*ret = registry_app(&c->as->registry, str_of(id));
	if (id && *id && !*ret) {
		api_error(c, 404, "application_id", "application %s not found", id);
		return -1;
	}
	if (!may_see(c->key, *ret)) {
		api_error(c, 403, "", "the api key lacks RIGHT_APPLICATION_TRAFFIC_READ on this application");
		return -1;
	}
	return 0;
}

/** What the asker may see of what it asks for. @return 0; else it has answered */
static int view_of(struct api_call *c, struct view *ret)
{
	const char *device_id = http_query(c->r, "device_id"), *gateway_id = http_query(c->r, "gateway_id");
	const struct app *app;
	*ret = (struct view){ 0 };
	if (asked_app(c, &app))
		return -1;
	if (app)
		str_copy(str_of(app->key), ret->app, sizeof ret->app);
	if (device_id && *device_id) {
		const struct device *d =
			app ? registry_device(&c->as->registry, app, str_of(device_id)) : NULL;
		if (!d) {
			api_error(c, app ? 404 : 400, "device_id",
				app ? "device not found" : "say also which application it is of");
			return -1;
		}
		ret->device = d->entry.uid;
	}
	if (c->key->kind == KEY_GATEWAY)
		gateway_id = c->key->gateway->id;
	str_copy(str_of(gateway_id ? gateway_id : ""), ret->gateway, sizeof ret->gateway);
	return 0;
}

static void follower_gone(void *ctx)
{
	struct follower *f = ctx;
	struct traces *t = f->as->traces;
	struct follower **at = &t->followers;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	t->n_followers--;
	free(f);
}

static void follow(struct api_call *c, const struct view *view)
{
	struct traces *t = c->as->traces;
	struct follower *f = t->n_followers < TRACES_FOLLOWERS ? calloc(1, sizeof *f) : NULL;
	if (!f) {
		api_error(c, 429, "", "%d event streams are open already", TRACES_FOLLOWERS);
		return;
	}
	*f = (struct follower){ .as = c->as, .request = c->r, .view = *view, .next = t->followers };
	t->followers = f;
	t->n_followers++;
	http_stream_begin(c->r, "application/x-ndjson", follower_gone, f);
}

static void get_events(void *ctx, struct http_request *r)
{
	struct api_call c;
	struct view view;
	const char *wants = http_query(r, "follow");
	if (api_begin(&c, ctx, r, &(struct api_need){ .right = RIGHT_N }))
		return;
	if (!view_of(&c, &view)) {
		if (wants && !strcmp(wants, "true"))
			follow(&c, &view);
		else
			answer(c.as, r, &view, NULL, LIST_ROWS);
	}
	api_done(&c);
}

static void get_related(void *ctx, struct http_request *r)
{
	struct api_call c;
	struct view view;
	const char *id = http_query(r, "correlation_id");
	if (api_begin(&c, ctx, r, &(struct api_need){ .right = RIGHT_N }))
		return;
	if (!id || !*id) {
		api_error(&c, 400, "correlation_id", "which message? give ?correlation_id=");
	} else if (!view_of(&c, &view)) {
		struct story story = { .n = 0 };
		if (cid_parse(str_of(id), &story.ids[0]))
			story.own = id;
		else
			story.n = 1;
		answer(c.as, r, &view, &story, ROWS_MAX);
	}
	api_done(&c);
}

int traces_start(struct as *as, struct text *err)
{
	static const struct http_route routes[] = {
		{ HTTP_GET, "/api/v3/events", get_events },
		{ HTTP_GET, "/api/v3/events/related", get_related },
		{ .path = NULL },
	};
	struct traces *t = as->traces = calloc(1, sizeof *t);
	(void)err;
	if (!t)
		return -ENOMEM;
	/* Untouched pages cost nothing: the ring takes memory as it fills. */
	t->memory = malloc(TRACES_BYTES);
	if (!t->memory)
		return -ENOMEM;
	trace_ring_init(&t->ring, t->memory, TRACES_BYTES);
	t->line = text_growing(64 * 1024);
	as_add_routes(as, routes);
	as_add_method(as, NSAS_EVENT, on_events);
	return 0;
}

void traces_stop(struct as *as)
{
	struct traces *t = as->traces;
	if (!t)
		return;
	for (struct follower *f = t->followers, *next; f; f = next) {
		next = f->next;
		http_stream_end(f->request);
		free(f);
	}
	text_done(&t->line);
	free(t->memory);
	free(t);
	as->traces = NULL;
}
