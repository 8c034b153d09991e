/** @file Events of the three processes: kept in a ring, told to followers as they come, searched for a
 * message's story. */
#include "as/traces.h"
#include "as/api/api.h"
#include "as/core/trace_ring.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char sse[] = "text/event-stream";
enum { PROCESS_AS = 2 };
enum { ANSWER_MAX = 32 << 20, ROWS_MAX = 20000, LIST_ROWS = 1000 };

/** What somebody wants to see, and may. */
struct view {
	uint64_t device;                 /* 0: any */
	char app[APP_KEY_TEXT];          /* "": any, gateways' and unknown devices' too */
	char gateway[ID_MAX + 1];
};

struct follower {
	struct as *as;
	char key_id[API_KEY_ID + 1];
	uint64_t expires_unix_us; /* of the key; 0: never */
	struct http_request *request;
	struct view view;
	bool is_sse; /* as server-sent events; else a line of JSON each */
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

/** The end of a stream that we end, not its reader. */
static void follower_end(struct follower *f)
{
	struct traces *t = f->as->traces;
	struct follower **at = &t->followers;
	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	t->n_followers--;
	http_stream_end(f->request);
	free(f);
}

static bool send_line(struct as *as, struct follower *f, const struct trace_event *e)
{
	struct text *line = &as->traces->line;
	text_reset(line);
	text_puts(line, f->is_sse ? "data: " : "");
	write_event(as, line, e);
	text_puts(line, f->is_sse ? "\n\n" : "\n");
	return !http_stream_send(f->request, text_str(line));
}

/** A follower that does not keep up loses events, never holds up traffic; once it goes on, it hears how many.
 */
static void follow_on(struct as *as, struct follower *f, const struct trace_event *e)
{
	struct trace_event gap = {
		.time_unix_us = e->time_unix_us, .process = PROCESS_AS};
	if (f->lost) {
		str_copy(str_of(events_info(EVENT_AS_EVENTS_LOST)->name), gap.name, sizeof gap.name);
		snprintf(gap.data, sizeof gap.data, "{\"lost\":%llu}", (unsigned long long)f->lost);
		MSG_MARK(&gap, data);
		if (send_line(as, f, &gap))
			f->lost = 0;
	}
	if (f->lost || !send_line(as, f, e))
		f->lost++;
}

static void keep(struct as *as, const struct trace_event *e)
{
	struct traces *t = as->traces;
	trace_ring_add(&t->ring, e);
	for (struct follower *f = t->followers, *next; f; f = next) {
		next = f->next;
		if (f->expires_unix_us && f->expires_unix_us <= loop_now(as->loop)->unix_us)
			follower_end(f);
		else if (sees(as, &f->view, e))
			follow_on(as, f, e);
	}
}

/** The rights of a key have changed, or it is gone: what was begun with it ends. */
static void on_key(void *ctx, const struct api_key *k, enum change c)
{
	struct as *as = ctx;
	for (struct follower *f = as->traces->followers, *next; f && c != CHANGE_CREATED; f = next) {
		next = f->next;
		if (!strcmp(f->key_id, k->id))
			follower_end(f);
	}
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

void traces_note(struct as *as, enum event_id event, const struct traces_of *of, const struct cid *cids,
	size_t n_cids, const char *data)
{
	char buf[TRACES_DATA_MAX];
	size_t at = 0;
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
	const struct view *view;
	struct story *story; /* NULL: all */
	struct row *v;       /* a ring: the newest count */
	size_t n, max;
	bool is_seen; /* the asker may see some of the story */
};

static bool seed(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct rows *r = ctx;
	(void)at;
	if (sees(r->as, r->view, e))
		story_seed(r->story, e);
	return true;
}

static bool follow_up(void *ctx, uint64_t at, const struct trace_event *e)
{
	struct rows *r = ctx;
	(void)at;
	if (sees(r->as, r->view, e))
		r->is_seen |= story_follow(r->story, e);
	return true;
}

/** What only a gateway says of a message belongs to whom the message belongs. */
static bool is_part(const struct rows *r, const struct trace_event *e)
{
	if (sees(r->as, r->view, e))
		return !r->story || story_has(r->story, e);
	return r->story && r->is_seen && r->view->app[0] && !MSG_HAS(e, device) &&
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

static void write_rows(struct as *as, struct text *out, const struct row *v, size_t n)
{
	struct traces *t = as->traces;
	text_puts(out, "{\"events\":[");
	for (size_t i = 0, written = 0; i < n; i++) {
		if (trace_ring_at(&t->ring, v[i].at, &t->scratch))
			continue;
		/* Each is a document of its own. */
		text_reset(&t->line);
		write_event(as, &t->line, &t->scratch);
		text_puts(out, written++ ? "," : "");
		text_put(out, text_str(&t->line));
	}
	text_printf(out, "],\"lost\":%llu}", (unsigned long long)t->ring.lost);
}

static void answer(
	struct as *as, struct http_request *request, const struct view *view, struct story *story, size_t max)
{
	struct traces *t = as->traces;
	struct rows r = {.as = as, .view = view, .story = story, .v = calloc(max, sizeof *r.v), .max = max};
	AUTO(text_done) struct text out = text_growing(ANSWER_MAX);
	if (!r.v) {
		http_reply_error(request, 503, "no memory for the answer");
		return;
	}
	if (story && story->own)
		trace_ring_each(&t->ring, &t->scratch, seed, &r);
	if (story)
		trace_ring_each(&t->ring, &t->scratch, follow_up, &r);
	trace_ring_each(&t->ring, &t->scratch, collect, &r);
	size_t n = r.n < max ? r.n : max;
	qsort(r.v, n, sizeof *r.v, by_time);
	write_rows(as, &out, r.v, n);
	if (out.failed)
		http_reply_error(request, 503, "the answer is too large");
	else
		http_reply_json(request, 200, text_str(&out));
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
	if (id && *id && !*ret && c->key->kind == KEY_ADMIN) {
		api_error(c, 404, "application_id", "application %s not found", id);
		return -1;
	}
	if ((id && *id && !*ret) || !may_see(c->key, *ret)) {
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

static void follow(struct api_call *c, const struct view *view)
{
	struct traces *t = c->as->traces;
	struct follower *f = t->n_followers < TRACES_FOLLOWERS ? calloc(1, sizeof *f) : NULL;
	if (!f) {
		api_error(c, 429, "", "%d event streams are open already", TRACES_FOLLOWERS);
		return;
	}
	*f = (struct follower){.as = c->as,
		.expires_unix_us = c->key->expires_unix_us,
		.request = c->r,
		.view = *view,
		.is_sse = accepts_sse(c->r),
		.next = t->followers};
	str_copy(str_of(c->key->id), f->key_id, sizeof f->key_id);
	t->followers = f;
	t->n_followers++;
	http_stream_begin(c->r, f->is_sse ? sse : "application/x-ndjson", follower_gone, f);
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
			story.n = story.n_seeds = 1;
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
	keyring_watch(&as->keyring, on_key, as);
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
