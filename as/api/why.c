/** @file Why does it not join, why is it not heard, what became of its downlink: facts are gathered, as/core/why judges.
 *
 * First the network server is asked about the device, then the trace: for what happened to the device, for what was heard of it and
 * could not be given to it, and for who heard its last uplink.
 */
#include "as/api/routes.h"
#include "as/api/why_facts.h"
#include "as/event_view.h"
#include "as/traces.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_US = 1000000, EVENTS_MAX = 20000, STORY_MAX = 1000, ANSWER_MAX = 1 << 20 };

/** What is looked for, one after the other. */
enum step { STEP_OWN, STEP_STRANGERS, STEP_STORY, STEP_ANSWER };

struct asking {
	struct as *as;
	struct http_request *r; /**< NULL: the peer is gone */
	bool asks[WHY_QUESTIONS];
	enum step step;
	struct traces_search *search; /**< under way; NULL: none */
	struct event_view view;
	char cid[CID_TEXT_MAX];
	char gateway[ID_MAX + 1]; /**< "": of a device */
	struct why_facts facts;
};

static const struct { const char *word; enum why_question question; } questions[] = {
	{ "join", WHY_JOIN }, { "heard", WHY_HEARD }, { "downlink", WHY_DOWNLINK },
};

static void go_on(struct asking *a);

static void write_identifiers(const struct asking *a, struct text *t)
{
	const struct why_facts *f = &a->facts;
	json_name(t, "identifiers");
	json_open(t, '{');
	json_name(t, a->gateway[0] ? "gateway_id" : "application_id");
	json_puts(t, a->gateway[0] ? a->gateway : f->app);
	if (!a->gateway[0]) {
		json_name(t, "device_id");
		json_puts(t, f->dev);
	}
	json_close(t, '}');
}

static void answer(struct asking *a)
{
	AUTO(text_done) struct text t = text_growing(ANSWER_MAX);
	if (a->r) {
		json_open(&t, '{');
		write_identifiers(a, &t);
		json_name(&t, "time");
		json_time(&t, a->facts.now_us * 1000);
		json_name(&t, "answers");
		json_open(&t, '[');
		for (int q = 0; q < WHY_QUESTIONS; q++)
			if (a->asks[q])
				why_answer(&a->facts, (enum why_question)q, &t);
		json_close(&t, ']');
		json_close(&t, '}');
		if (t.failed)
			http_reply_error(a->r, 503, "no memory for the answer");
		else
			http_reply_json(a->r, 200, text_str(&t));
	}
	free(a);
}

/* ---- the trace ---- */

static void on_event(void *ctx, const struct trace_event *e)
{
	struct asking *a = ctx;
	if (!a->facts.since_us || e->time_unix_us < a->facts.since_us)
		a->facts.since_us = e->time_unix_us;
	a->step == STEP_OWN ? why_see(&a->facts, e) : why_see_rest(&a->facts, e);
}

static void on_found(void *ctx)
{
	struct asking *a = ctx;
	a->search = NULL;
	a->step++;
	go_on(a);
}

/** What happened to the device, or at the gateway. */
static void view_own(struct asking *a)
{
	struct event_scope *s = &a->view.scopes[0];
	*s = (struct event_scope){ .device = a->facts.uid, .is_of_gateway_alone = a->gateway[0] && !a->facts.is_operator };
	str_copy(str_of(a->gateway[0] ? "" : a->facts.app), s->app, sizeof s->app);
	memcpy(s->gateway, a->gateway, sizeof s->gateway);
	a->view.n_scopes = 1;
}

/** What was heard and could not be given to any device, since this one was heard. */
static void view_strangers(struct asking *a)
{
	static const char *const names[] = { "ns.up.join.drop", "ns.up.data.drop", "ns.up.rejoin.drop" };
	const char *why;
	a->view.scopes[0] = (struct event_scope){ 0 };
	a->view.after_unix_us = a->facts.heard_us;
	a->view.has_names = true;
	for (size_t i = 0; i < COUNT(names); i++)
		event_names_add(&a->view.names, str_of(names[i]), &why);
}

/** All that is said of its last uplink. */
static void view_story(struct asking *a)
{
	struct text t = text_fixed(a->cid, sizeof a->cid);
	a->view.has_names = false;
	a->view.after_unix_us = 0;
	cid_text(&t, &a->facts.last_ids[0]);
}

static void search(struct asking *a, const char *cid, size_t max)
{
	struct traces_query q = { .view = &a->view, .correlation_id = cid, .max = max, .tell = on_event, .done = on_found, .ctx = a };
	/* The network server's answer may come while the process ends, after the room of traces. */
	int e = a->as->traces ? traces_find(a->as, &q, &a->search) : -ESHUTDOWN;
	if (!e)
		return;
	/* Without the trace much would be said that is not so: that nothing was heard, say. */
	if (a->r)
		http_reply_error(a->r, e == -EBUSY ? 429 : 503, e == -EBUSY ? "many are searching the trace just now: ask again" : "the trace cannot be searched now");
	free(a);
}

static void go_on(struct asking *a)
{
	switch (a->step) {
	case STEP_OWN:
		view_own(a);
		search(a, NULL, EVENTS_MAX);
		break;
	case STEP_STRANGERS:
		if (a->gateway[0]) {
			a->step = STEP_ANSWER;
			go_on(a);
			break;
		}
		view_strangers(a);
		search(a, NULL, EVENTS_MAX);
		break;
	case STEP_STORY:
		if (!a->facts.n_last_ids) {
			on_found(a);
			break;
		}
		view_story(a);
		search(a, a->cid, STORY_MAX);
		break;
	case STEP_ANSWER:
		answer(a);
		break;
	}
}

/* ---- who asks ---- */

static void on_state(void *ctx, int status, const struct failure *f, const void *reply)
{
	struct asking *a = ctx;
	(void)f;
	why_facts_live(&a->facts, status ? NULL : reply);
	go_on(a);
}

/** While the network server is asked, its answer finds nobody to be told. */
static void on_closed(void *ctx)
{
	struct asking *a = ctx;
	a->r = NULL;
	if (!a->search)
		return;
	traces_forget(a->search);
	free(a);
}

static struct asking *asking_new(struct api_call *c)
{
	struct asking *a = calloc(1, sizeof *a);
	if (!a) {
		api_fail(c, -ENOMEM);
		return NULL;
	}
	a->as = c->as;
	a->r = c->r;
	a->facts.now_us = loop_now(c->as->loop)->unix_us;
	a->facts.is_operator = c->key->kind == KEY_ADMIN;
	a->facts.has_ns = as_ns(c->as);
	a->facts.has_no_steps = c->as->events != EVENT_LEVEL_ALL;
	http_on_close(c->r, on_closed, a);
	return a;
}

/** Which questions? @return 0; else it has answered */
static int choose(struct api_call *c, struct asking *a)
{
	const char *z = http_query(c->r, "question");
	bool is_any = false;
	for (size_t i = 0; i < COUNT(questions); i++) {
		a->asks[questions[i].question] = !z || !*z || !strcmp(z, questions[i].word);
		is_any |= a->asks[questions[i].question];
	}
	if (!is_any)
		api_error(c, 400, "question", "is one of join, heard, downlink");
	return is_any ? 0 : -EINVAL;
}

/** Ask the network server, and go on with its answer, or without. */
static void ask_ns(struct asking *a)
{
	struct device_query q = { .device = a->facts.uid };
	struct bus_peer *ns = a->facts.is_lorawan ? as_ns(a->as) : NULL;
	if (!ns || bus_call(ns, ASNS_DEVICE, &q, ASK_US, on_state, a))
		go_on(a);
}

static void device_why(void *ctx, struct http_request *r)
{
	static const struct api_need need = { .what = API_APP | API_DEVICE, .right = RIGHT_APPLICATION_TRAFFIC_READ };
	struct api_call c;
	if (api_begin(&c, ctx, r, &need))
		return;
	struct asking *a = asking_new(&c);
	if (a && choose(&c, a)) {
		free(a);
	} else if (a) {
		why_facts_device(&c, &a->facts);
		why_facts_gateways(c.as, &a->facts, NULL);
		ask_ns(a);
	}
	api_done(&c);
}

/** Of a gateway that is heard without being registered too, for the operator. */
static void gateway_why(void *ctx, struct http_request *r)
{
	static const struct api_need need = { .right = RIGHT_N };
	struct api_call c;
	const char *id = http_param(r, "gateway_id");
	if (api_begin(&c, ctx, r, &need))
		return;
	c.gateway = registry_gateway(&c.as->registry, str_of(id));
	if (!c.gateway && c.key->kind != KEY_ADMIN) {
		api_error(&c, 403, "", "the API key has no rights here");
	} else if (!c.gateway && (!str_starts(str_of(id), "eui-") || strlen(id) > ID_MAX)) {
		api_error(&c, 404, "", "gateway %s not found", id);
	} else if (!c.gateway || api_insist(&c, RIGHT_GATEWAY_STATUS_READ)) {
		struct asking *a = asking_new(&c);
		if (a) {
			snprintf(a->gateway, sizeof a->gateway, "%s", id);
			a->asks[WHY_GATEWAY] = true;
			why_facts_gateways(c.as, &a->facts, a->gateway);
			go_on(a);
		}
	}
	api_done(&c);
}

const struct api_route api_why_routes[] = {
	{ HTTP_GET, "/api/v3/applications/{application_id}/devices/{device_id}/why", device_why,
		"APPLICATION_TRAFFIC_READ", "Why a device does not join, is not heard, and what became of its last downlink", "", "@Why", "question" },
	{ HTTP_GET, "/api/v3/gateways/{gateway_id}/why", gateway_why,
		"GATEWAY_STATUS_READ", "What is the matter with a gateway", "", "@Why", "" },
	{ .path = NULL },
};
