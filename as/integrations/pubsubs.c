/** @file Pub/Sub integrations: a link to each one's broker, kept up, and made anew when what it is set to changes. */
#include "as/integrations/pubsubs_inside.h"
#include "as/traces.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum { KEEP_ALIVE_S = 60, WHY_MAX = 240 };
#define SOON_US         (1 * SEC_US)
#define SOON_MOST_US    (60 * SEC_US)
#define LASTING_US      (10 * SEC_US) /* somebody has to change something, and is perhaps just doing so */
#define LASTING_MOST_US (300 * SEC_US)
#define STEADY_US       (10 * SEC_US) /* a link that was up for so long begins its patience anew */

const struct pubsub *pubsubs_settings(const struct integration *i)
{
	const struct pubsub_own *own = i->own;
	return own ? own->settings : NULL;
}

/* ---- what a link is made of ---- */

struct plan {
	struct mqtt_link_options o;
	struct mqtt_filter filters[PUBSUB_DOWN_N];
	char topics[PUBSUB_DOWN_N][PUBSUB_TOPIC_MAX + 1];
};

static struct mqtt_optional optional(const struct pubsub *p, enum pubsub_text which)
{
	return (struct mqtt_optional){ .is_present = p->v[which] != NULL, .s = str_of(pubsub_get(p, which)) };
}

/** @return 0; -EINVAL, said in *why */
static int make_plan(const struct pubsub *p, const char *application_id, struct plan *ret, struct text *why)
{
	struct mqtt_client_options *c = &ret->o.client;
	*ret = (struct plan){ .o.tls = { str_of(pubsub_get(p, PUBSUB_CA)), str_of(pubsub_get(p, PUBSUB_CERTIFICATE)), str_of(pubsub_get(p, PUBSUB_KEY)) } };
	TRY(broker_url_parse(str_of(pubsub_get(p, PUBSUB_URL)), p->use_tls, &ret->o.url, why));
	c->level = MQTT_311;
	c->client_id = str_of(pubsub_get(p, PUBSUB_CLIENT_ID));
	c->user = optional(p, PUBSUB_USERNAME);
	c->password = optional(p, PUBSUB_PASSWORD);
	c->keep_alive_s = KEEP_ALIVE_S;
	c->filters = ret->filters;
	for (enum pubsub_down d = 0; d < PUBSUB_DOWN_N; d++) {
		if (!p->v[PUBSUB_DOWN + d])
			continue;
		struct text t = text_fixed(ret->topics[c->filters_n], sizeof ret->topics[0]);
		pubsub_filter(&t, pubsub_get(p, PUBSUB_BASE), p->v[PUBSUB_DOWN + d], application_id);
		ret->filters[c->filters_n++] = (struct mqtt_filter){ .filter = text_str(&t), .qos = p->subscribe_qos };
	}
	return 0;
}

static int check_tls(const struct plan *plan, const struct pubsub *p, struct problem *problem)
{
	char why[WHY_MAX];
	struct text t = text_fixed(why, sizeof why);
	struct ssl_ctx_st *tls;
	if (!plan->o.url.is_tls && (p->v[PUBSUB_CA] || p->v[PUBSUB_CERTIFICATE]))
		return problem_say(problem, REGISTRY_E_INVALID, p->v[PUBSUB_CA] ? "mqtt.tls_ca" : "mqtt.tls_client_cert",
			"is of no use without TLS: say mqtts:// in mqtt.server_url, or set mqtt.use_tls");
	if (!plan->o.url.is_tls)
		return 0;
	int r = tls_client_new(&plan->o.tls, &tls, &t);
	if (!r)
		tls_client_free(tls);
	return r == -EINVAL ? problem_say(problem, REGISTRY_E_INVALID, "mqtt", "%s", why) : r;
}

/** A broker lets in one client of a name: two would put each other out for ever. */
static int check_client(struct as *as, const struct integration *self, const struct plan *plan, struct problem *problem)
{
	struct app *a, *tmp;
	HASH_ITER(hh, as->registry.apps, a, tmp)
		for (const struct integration *i = integrations_of(as, a); i; i = i->next_of_app) {
			char why[WHY_MAX];
			struct text t = text_fixed(why, sizeof why);
			const struct pubsub *p = i->kind == INTEGRATION_PUBSUB && i != self ? pubsubs_settings(i) : NULL;
			struct broker_url url;
			if (p && str_is(plan->o.client.client_id, pubsub_get(p, PUBSUB_CLIENT_ID)) &&
				!broker_url_parse(str_of(pubsub_get(p, PUBSUB_URL)), p->use_tls, &url, &t) && url.port == plan->o.url.port &&
				!strcmp(url.host, plan->o.url.host))
				return problem_say(problem, REGISTRY_E_INVALID, "mqtt.client_id",
					"is the one of another integration at the same broker, and each would put the other out: leave it out, and one is made");
		}
	return 0;
}

int pubsubs_check(struct as *as, const struct integration *i, const struct pubsub *wish, struct problem *problem)
{
	char why[WHY_MAX];
	struct text t = text_fixed(why, sizeof why);
	struct plan *plan = malloc(sizeof *plan);
	if (!plan)
		return -ENOMEM;
	int r = pubsub_check(wish, problem);
	if (!r && make_plan(wish, "app", plan, &t))
		r = problem_say(problem, REGISTRY_E_INVALID, "mqtt.server_url", "%s", why);
	if (!r)
		r = check_tls(plan, wish, problem);
	if (!r)
		r = check_client(as, i, plan, problem);
	free(plan);
	return r;
}

/* ---- links ---- */

static void open_link(void *ctx)
{
	struct pubsub_own *own = ctx;
	if (own->link)
		mqtt_link_open(own->link);
}

/** It has ended, or could not begin: again after a while, and a longer one each time. */
static void on_ended(void *ctx, enum mqtt_fault fault, struct str words)
{
	struct pubsub_own *own = ctx;
	struct as *as = own->i->as;
	char why[WHY_MAX];
	struct text t = text_fixed(why, sizeof why);
	text_put(&t, words);
	if (own->connected_us && us_since(own->connected_us, loop_now(as->loop)->mono_us) >= STEADY_US)
		own->failures = 0;
	own->connected_us = 0;
	own->failures++;
	spool_return_all(&own->i->spool);
	integrations_failed(own->i, why);
	bool lasts = mqtt_fault_lasts(fault);
	loop_timer_in(own->retry, backoff_us(own->failures, lasts ? LASTING_US : SOON_US, lasts ? LASTING_MOST_US : SOON_MOST_US, rng_u64(&as->rng)));
}

static int make_link(struct pubsub_own *own)
{
	struct as *as = own->i->as;
	const struct app *a = registry_app(&as->registry, str_of(own->i->app));
	struct mqtt_link_user user = { .client = pubsub_traffic, .ended = on_ended };
	char why[WHY_MAX] = "";
	struct text t = text_fixed(why, sizeof why);
	struct plan *plan = malloc(sizeof *plan);
	if (!plan)
		return -ENOMEM;
	int r = make_plan(own->settings, a ? a->id : "", plan, &t);
	plan->o.client.maybe_sent = own->offered > own->i->spool.loaded ? own->offered : own->i->spool.loaded;
	user.client.ctx = own;
	own->n_downs = 0;
	for (enum pubsub_down d = 0; d < PUBSUB_DOWN_N; d++)
		if (own->settings->v[PUBSUB_DOWN + d])
			own->downs[own->n_downs++] = d;
	plan->o.is_public_only = !as->settings->private_addresses;
	if (!r)
		r = mqtt_link_new(as->loop, as->pubsubs->resolver, &plan->o, &user, &own->link, &t);
	free(plan);
	own->serial = as->pubsubs->next_serial++;
	if (r == -EINVAL)
		integrations_failed(own->i, why);
	return r ? r : pubsub_remember(own);
}

/** Does the broker know another client, or other filters, by the new settings? Then it need not collect for the old. */
static bool is_elsewhere(const struct pubsub *old, const struct pubsub *is)
{
	static const unsigned which[] = { PUBSUB_URL, PUBSUB_CLIENT_ID, PUBSUB_USERNAME, PUBSUB_BASE, PUBSUB_DOWN + PUBSUB_PUSH, PUBSUB_DOWN + PUBSUB_REPLACE };
	for (size_t i = 0; i < COUNT(which); i++)
		if (strcmp(pubsub_get(old, which[i]), pubsub_get(is, which[i])))
			return true;
	return false;
}

static void close_link(struct pubsub_own *own, bool is_for_ever)
{
	struct integration *i = own->i;
	if (!own->link)
		return;
	mqtt_link_close(own->link, is_for_ever);
	mqtt_link_free(own->link);
	own->link = NULL;
	loop_timer_at(own->retry, UINT64_MAX);
	spool_return_all(&i->spool);
	own->connected_us = 0;
	integrations_stopped(i);
}

static void own_free(struct pubsub_own *own)
{
	if (!own)
		return;
	loop_timer_free(own->retry);
	pubsub_free(own->settings);
	free(own);
}

static struct pubsub_own *own_new(struct integration *i)
{
	struct pubsub_own *own = calloc(1, sizeof *own);
	if (!own)
		return NULL;
	own->i = i;
	own->retry = loop_timer_new(i->as->loop, open_link, own);
	if (own->retry)
		return own;
	own_free(own);
	return NULL;
}

static int serve(struct integration *i)
{
	AUTO(pubsub_free) struct pubsub *p = pubsub_new();
	struct pubsub_own *own = i->own ? i->own : own_new(i);
	int r = p && own ? pubsub_load(p, str_of(i->record), &i->as->envelope) : -ENOMEM;
	if (r) {
		if (!i->own)
			own_free(own);
		return r;
	}
	close_link(own, own->settings && is_elsewhere(own->settings, p));
	pubsub_free(own->settings);
	own->settings = TAKE(p);
	own->failures = 0;
	i->own = own;
	i->kinds = pubsub_kinds(own->settings);
	r = make_link(own);
	if (!r)
		mqtt_link_open(own->link);
	/* What cannot be opened says so in its status; it is an integration all the same. */
	return r == -EINVAL ? 0 : r;
}

static void leave(struct integration *i)
{
	struct pubsub_own *own = i->own;
	if (!own)
		return;
	/* While the process ends there is no store any more, and the broker is to collect until it is back. */
	close_link(own, i->as->store != NULL);
	own_free(own);
	i->own = NULL;
}

static void wake(struct integration *i)
{
	if (i->own)
		pubsub_offer(i->own);
}

int pubsubs_start(struct as *as, struct text *err)
{
	static const struct integration_class class = { INTEGRATION_PUBSUB,
		{ EVENT_AS_PUBSUB_SET, EVENT_AS_PUBSUB_DELETE, EVENT_AS_PUBSUB_START, EVENT_AS_PUBSUB_STOP, EVENT_AS_PUBSUB_FAIL, EVENT_AS_PUBSUB_DROP },
		serve, leave, wake };
	struct pubsubs *room = as->pubsubs = calloc(1, sizeof *room);
	if (!room)
		return -ENOMEM;
	room->as = as;
	room->resolver = resolver_new(as->loop);
	return room->resolver ? integrations_serve(as, &class, err) : -ENOMEM;
}

void pubsubs_stop(struct as *as)
{
	struct pubsubs *room = as->pubsubs;
	if (!room)
		return;
	integrations_leave(as, INTEGRATION_PUBSUB);
	resolver_free(room->resolver);
	free(room);
	as->pubsubs = NULL;
}
