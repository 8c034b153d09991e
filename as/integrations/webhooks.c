/** @file Webhooks: whose turn it is, one request after the other, and what became of each.
 *
 * A webhook's messages are sent in order, as many at a time as it has connections; after a failure one at a time until one was taken. All
 * webhooks together have as.webhook-connections: who waits for one gets it in turn, for one message. */
#include "as/integrations/webhooks.h"
#include "as/core/integration/body.h"
#include "as/core/integration/webhook_health.h"
#include "as/core/integration/webhook_request.h"
#include "as/integrations/http_post.h"
#include "as/integrations/tls_client.h"
#include "as/store.h"
#include "as/traces.h"
#include "as/web.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { IDLE_S = 30, LEAST_S = 1, MOST_S = 60, REST_MOST_S = 900, ASKED_MOST_S = 3600, NO_MEMORY_S = 1, REQUEST_MAX = 1 << 20 };

/** A connection of a webhook, and the message that is under way on it. */
struct call {
	TAILQ_ENTRY(call) link;
	struct hook *hook;
	struct http_post *post;
	uint64_t seq, since_us;
	bool is_busy, is_idle; /**< is_idle: in the list of those that may be closed */
};

struct hook {
	TAILQ_ENTRY(hook) link;
	struct webhooks *room;
	struct integration *i;
	struct webhook *settings;
	struct ssl_ctx_st *tls; /**< its own; NULL: the one of all */
	struct webhook_health health;
	struct call calls[WEBHOOK_CONNECTIONS_MAX];
	struct loop_timer *timer; /**< when it may be tried again */
	bool is_queued;
};

struct webhooks {
	struct as *as;
	struct resolver *resolver;
	struct ssl_ctx_st *tls; /**< that believes what the system believes; NULL: not needed yet */
	TAILQ_HEAD(, hook) turns;
	TAILQ_HEAD(, call) idle;
	uint32_t n_busy, n_idle;
	struct text head, body, request; /**< scratch */
};

static struct webhook_patience patience(const struct as *as)
{
	const struct as_settings *s = as->settings;
	return (struct webhook_patience){ LEAST_S * SEC_US, MOST_S * SEC_US, s->webhook_unhealthy_attempts, s->webhook_retry_interval,
		s->webhook_retry_interval > REST_MOST_S * SEC_US ? s->webhook_retry_interval : REST_MOST_S * SEC_US, ASKED_MOST_S * SEC_US };
}

/* ---- connections ---- */

static void not_idle(struct webhooks *x, struct call *c)
{
	if (!c->is_idle)
		return;
	TAILQ_REMOVE(&x->idle, c, link);
	x->n_idle--;
	c->is_idle = false;
}

static void become_idle(struct webhooks *x, struct call *c)
{
	if (!http_post_is_open(c->post))
		return;
	TAILQ_INSERT_TAIL(&x->idle, c, link);
	x->n_idle++;
	c->is_idle = true;
}

/** A further connection is about to be opened: as many as there may be stay, those without use go first. */
static void make_room(struct webhooks *x)
{
	struct call *c;
	while (x->n_busy + x->n_idle >= x->as->settings->webhook_connections && (c = TAILQ_FIRST(&x->idle))) {
		not_idle(x, c);
		http_post_close(c->post);
	}
}

/** Whoever has one open goes first. @return NULL: all are busy */
static struct call *free_call(struct hook *h)
{
	struct call *found = NULL;
	for (size_t i = 0; i < h->settings->connections; i++) {
		struct call *c = &h->calls[i];
		if (!c->is_busy && (!found || (c->post && http_post_is_open(c->post))))
			found = c;
	}
	return found;
}

/* ---- sending ---- */

/** What the server is told of where downlinks are taken. */
static void write_api(struct as *as, struct text *url, char domain[WEBHOOK_HOST_MAX + 1])
{
	struct webhook_target t;
	static const struct webhook_variables none = { 0 };
	const char *why;
	web_api_url(as, url);
	domain[0] = '\0';
	if (!webhook_target_of(text_str(url), STR(""), &none, &t, &why))
		(void)str_copy(str_of(t.host), domain, WEBHOOK_HOST_MAX + 1);
	text_done(&t.target);
}

static int compose(struct hook *h, uint64_t seq, const struct spool_message *m, struct webhook_target *ret_to, const char **ret_why)
{
	struct webhooks *x = h->room;
	char url[512], domain[WEBHOOK_HOST_MAX + 1];
	struct text u = text_fixed(url, sizeof url);
	write_api(x->as, &u, domain);
	const struct webhook_sender s = { h->i->app, h->i->id, url, domain, h->i->number, seq };
	text_reset(&x->head);
	text_reset(&x->body);
	text_reset(&x->request);
	TRY(webhook_request(h->settings, &s, m, &x->head, &x->body, ret_to, ret_why));
	text_put(&x->request, text_str(&x->head));
	text_put(&x->request, text_str(&x->body));
	return x->request.failed ? -ENOMEM : 0;
}

static void done(void *ctx, const struct http_result *r);

/** @return 0; -errno: it was not sent, for want of memory */
static int post(struct hook *h, struct call *c, const struct webhook_target *to)
{
	struct webhooks *x = h->room;
	struct as *as = x->as;
	const struct http_post_options o = { as->settings->webhook_timeout, IDLE_S * SEC_US, !as->settings->private_addresses };
	if (!c->post)
		c->post = http_post_new(as->loop, x->resolver, &o, done, c);
	if (!c->post)
		return -ENOMEM;
	const struct http_place place = { to->host, to->port, !to->is_tls ? NULL : h->tls ? h->tls : x->tls };
	not_idle(x, c);
	if (!http_post_is_open(c->post))
		make_room(x);
	TRY(http_post_send(c->post, &place, text_str(&x->request)));
	c->is_busy = true;
	c->since_us = loop_now(as->loop)->mono_us;
	x->n_busy++;
	return 0;
}

static bool may_send(const struct hook *h)
{
	return h->settings && !h->settings->is_paused && h->health.resumes_us <= loop_now(h->room->as->loop)->mono_us;
}

/** The message is gone, or cannot be sent, or there is no memory. The next one has its turn in another turn of the loop, as there may be many. */
static void not_sent(struct hook *h, uint64_t seq, int r, const char *why)
{
	uint64_t now_us = loop_now(h->room->as->loop)->mono_us;
	if (r == -EINVAL) {
		integrations_failed(h->i, why);
		integrations_drop(h->i, seq, "not_sendable");
	} else if (r != -ENOENT) {
		spool_return(&h->i->spool, seq);
		h->health.resumes_us = now_us + NO_MEMORY_S * SEC_US;
	}
	loop_timer_at(h->timer, h->health.resumes_us > now_us ? h->health.resumes_us : now_us);
}

/** Send its next message. @return was it sent? */
static bool send_next(struct hook *h)
{
	struct call *c = may_send(h) ? free_call(h) : NULL;
	const struct spool_entry *e = c ? spool_next(&h->i->spool, h->health.failed ? 1 : h->settings->connections) : NULL;
	struct webhook_target to = { .port = 0 };
	struct spool_message m;
	const char *why = "";
	if (!e)
		return false;
	uint64_t seq = c->seq = e->seq;
	int r = integrations_read(h->i, seq, &m);
	if (!r && !(h->i->kinds & KIND_BIT(m.kind))) {
		integrations_drop(h->i, seq, "not_wanted"); /* any more */
		r = -ENOENT;
	}
	if (!r)
		r = compose(h, seq, &m, &to, &why);
	if (!r)
		r = post(h, c, &to);
	text_done(&to.target);
	if (r)
		not_sent(h, seq, r, why);
	return r == 0;
}

static void line_up(struct hook *h)
{
	if (h->is_queued || !h->settings)
		return;
	TAILQ_INSERT_TAIL(&h->room->turns, h, link);
	h->is_queued = true;
}

static void step_out(struct hook *h)
{
	if (h->is_queued)
		TAILQ_REMOVE(&h->room->turns, h, link);
	h->is_queued = false;
}

static void take_turns(struct webhooks *x)
{
	struct hook *h;
	while (x->n_busy < x->as->settings->webhook_connections && (h = TAILQ_FIRST(&x->turns))) {
		step_out(h);
		if (send_next(h))
			line_up(h);
	}
}

static void on_timer(void *ctx)
{
	struct hook *h = ctx;
	line_up(h);
	take_turns(h->room);
}

/* ---- what became of it ---- */

/** For the story of the message, while it is still there. */
static void tell_forward(struct hook *h, const struct call *c, unsigned status)
{
	struct as *as = h->room->as;
	struct spool_message m;
	struct body_cids cids;
	char data[TRACES_DATA_MAX], device_id[SPOOL_DEVICE_MAX + 1];
	struct text t = text_fixed(data, sizeof data);
	const struct app *a = registry_app(&as->registry, str_of(h->i->app));
	if (!a || !traces_wants(as, EVENT_AS_WEBHOOK_FORWARD, NULL) || integrations_read(h->i, c->seq, &m))
		return;
	(void)str_copy(m.device_id, device_id, sizeof device_id);
	body_cids(m.body, &cids);
	json_open(&t, '{');
	json_name(&t, "integration_id");
	json_puts(&t, h->i->id);
	json_name(&t, "http_status");
	json_unum(&t, status);
	json_name(&t, "duration_us");
	json_unum(&t, loop_now(as->loop)->mono_us - c->since_us);
	json_close(&t, '}');
	traces_note(as, EVENT_AS_WEBHOOK_FORWARD, &(struct traces_of){ registry_device(&as->registry, a, str_of(device_id)), a, cids.own, cids.own_n },
		cids.v, cids.len, t.failed ? "" : data);
}

static void settle(struct hook *h, const struct call *c, enum webhook_verdict v, const struct http_result *r)
{
	if (v != WEBHOOK_TAKEN)
		integrations_failed(h->i, r->why);
	switch (v) {
	case WEBHOOK_TAKEN:
		tell_forward(h, c, r->status);
		integrations_connected(h->i);
		integrations_sent(h->i, c->seq);
		return;
	case WEBHOOK_REFUSED: integrations_drop(h->i, c->seq, "refused"); return;
	case WEBHOOK_AGAIN:   spool_return(&h->i->spool, c->seq); return;
	}
}

static void done(void *ctx, const struct http_result *r)
{
	struct call *c = ctx;
	struct hook *h = c->hook;
	struct webhooks *x = h->room;
	const struct now *now = loop_now(x->as->loop);
	const struct webhook_patience p = patience(x->as);
	enum webhook_verdict v = webhook_judge(r->status);
	c->is_busy = false;
	x->n_busy--;
	become_idle(x, c);
	bool is_news = webhook_note(&h->health, &p, v, webhook_retry_after(str_of(r->retry_after), now), now, rng_u64(&x->as->rng));
	settle(h, c, v, r);
	if (is_news && v != WEBHOOK_TAKEN)
		LOG(LOG_WARN, "webhook_unhealthy", KV_Z("application", h->i->app), KV_Z("id", h->i->id), KV_U("failed", h->health.failed));
	loop_timer_at(h->timer, h->health.resumes_us ? h->health.resumes_us : UINT64_MAX);
	line_up(h);
	take_turns(x);
}

/* ---- one of them ---- */

static void hang_up(struct hook *h)
{
	struct webhooks *x = h->room;
	for (size_t i = 0; i < COUNT(h->calls); i++) {
		struct call *c = &h->calls[i];
		not_idle(x, c);
		x->n_busy -= c->is_busy;
		c->is_busy = false;
		http_post_free(TAKE(c->post));
	}
	spool_return_all(&h->i->spool);
	step_out(h);
}

static void hook_free(struct hook *h)
{
	if (!h)
		return;
	hang_up(h);
	loop_timer_free(h->timer);
	webhook_free(h->settings);
	tls_client_free(h->tls);
	free(h);
}
DEFINE_AUTO(struct hook, hook_free);

static struct hook *hook_new(struct integration *i)
{
	struct hook *h = calloc(1, sizeof *h);
	if (!h)
		return NULL;
	h->room = i->as->webhooks;
	h->i = i;
	for (size_t k = 0; k < COUNT(h->calls); k++)
		h->calls[k].hook = h;
	h->timer = loop_timer_new(i->as->loop, on_timer, h);
	if (h->timer)
		return h;
	hook_free(h);
	return NULL;
}

/** @return 0; -EINVAL damaged, or sealed with another key; -ENOMEM */
static int settings_read(struct as *as, struct str record, struct webhook **ret)
{
	static const struct field_mask all = { 0 };
	AUTO(webhook_free) struct webhook *w = webhook_new();
	size_t max = record.n / 2 + 1;
	struct json_tok *tok = malloc(max * sizeof *tok);
	struct json j;
	int e = w && tok ? json_parse(record, tok, max, &j, NULL) : -ENOMEM;
	if (!e)
		e = webhook_read(w, &all, &(struct record_source){ .j = &j, .root = json_root(&j), .envelope = &as->envelope });
	free(tok);
	if (!e)
		*ret = TAKE(w);
	return e == 0 || e == -ENOMEM ? e : -EINVAL;
}

/** @return 0; -EINVAL with the reason in *why */
static int tls_of(struct webhooks *x, const struct webhook *w, struct ssl_ctx_st **ret, struct text *why)
{
	const struct tls_client_options own = { .ca = str_of(webhook_text_of(w, WEBHOOK_TLS_CA)) };
	*ret = NULL;
	if (own.ca.n)
		return tls_client_new(&own, ret, why);
	if (x->tls || !str_starts(str_of(webhook_text_of(w, WEBHOOK_BASE_URL)), "https:"))
		return 0;
	return tls_client_new(&(struct tls_client_options){ .ca = STR("") }, &x->tls, why);
}

static int serve(struct integration *i)
{
	struct webhooks *x = i->as->webhooks;
	AUTO(webhook_free) struct webhook *w = NULL;
	AUTO(hook_free) struct hook *fresh = i->own ? NULL : hook_new(i);
	struct hook *h = i->own ? i->own : fresh;
	struct ssl_ctx_st *tls;
	char words[256];
	struct text why = text_fixed(words, sizeof words);
	if (!h)
		return -ENOMEM;
	TRY(settings_read(i->as, str_of(i->record), &w));
	TRY(tls_of(x, w, &tls, &why));
	hang_up(h);
	webhook_free(h->settings);
	tls_client_free(h->tls);
	h->settings = TAKE(w);
	h->tls = tls;
	h->health = (struct webhook_health){ 0 };
	loop_timer_at(h->timer, UINT64_MAX);
	i->kinds = webhook_kinds(h->settings);
	i->own = h;
	fresh = NULL;
	if (h->settings->is_paused)
		integrations_stopped(i);
	return 0;
}

static void leave(struct integration *i)
{
	hook_free(i->own);
	i->own = NULL;
}

static void wake(struct integration *i)
{
	if (!i->own)
		return;
	line_up(i->own);
	take_turns(i->as->webhooks);
}

/* ---- for the HTTP API ---- */

const struct webhook *webhooks_settings(const struct integration *i)
{
	const struct hook *h = i->own;
	return h ? h->settings : NULL;
}

int webhooks_set(struct as *as, const struct app *a, const char *id, const struct webhook *w, struct integration **ret, struct problem *p)
{
	char words[256] = "";
	struct text why = text_fixed(words, sizeof words), record = text_growing(4 * WEBHOOK_RECORD_MAX);
	struct ssl_ctx_st *tls = NULL;
	int e = tls_of(as->webhooks, w, &tls, &why);
	tls_client_free(tls);
	if (e == -EINVAL)
		e = problem_say(p, REGISTRY_E_INVALID, webhook_text_of(w, WEBHOOK_TLS_CA)[0] ? "tls_ca" : "base_url", "%s", words);
	if (!e)
		e = webhook_store(&record, w, &as->envelope);
	if (!e)
		e = integrations_set(as, INTEGRATION_WEBHOOK, a, id, text_str(&record), ret, p);
	text_done(&record);
	return e;
}

/** As The Things Stack has it; when it is tried again is ours. */
static void write_unhealthy(const struct hook *h, struct text *t)
{
	const struct now *now = loop_now(h->room->as->loop);
	const struct webhook_patience p = patience(h->room->as);
	char failed[24];
	struct text n = text_fixed(failed, sizeof failed);
	text_u64(&n, h->health.failed);
	json_name(t, "unhealthy");
	json_open(t, '{');
	json_name(t, "failed_attempts");
	json_puts(t, failed);
	json_name(t, "last_failed_attempt_at");
	json_time(t, h->health.failed_unix_us * 1000);
	json_name(t, "last_failed_attempt_details");
	json_open(t, '{');
	json_name(t, "message_format");
	json_puts(t, h->i->error);
	json_close(t, '}');
	if (h->health.resumes_us > now->mono_us) {
		json_name(t, webhook_is_unhealthy(&h->health, &p) ? "paused_until" : "retry_at");
		json_time(t, (now->unix_us + h->health.resumes_us - now->mono_us) * 1000);
	}
	json_close(t, '}');
}

void webhooks_write_status(const struct integration *i, struct text *t)
{
	const struct hook *h = i->own;
	if (h && (h->health.failed || i->sent)) {
		json_name(t, "health_status");
		json_open(t, '{');
		if (h->health.failed) {
			write_unhealthy(h, t);
		} else {
			json_name(t, "healthy");
			json_open(t, '{');
			json_close(t, '}');
		}
		json_close(t, '}');
	}
	json_name(t, "status");
	integrations_write_status(i, t);
}

/* ---- the room ---- */

int webhooks_start(struct as *as, struct text *err)
{
	static const struct integration_class served = { INTEGRATION_WEBHOOK,
		{ EVENT_AS_WEBHOOK_SET, EVENT_AS_WEBHOOK_DELETE, EVENT_AS_WEBHOOK_START, EVENT_AS_WEBHOOK_STOP, EVENT_AS_WEBHOOK_FAIL, EVENT_AS_WEBHOOK_DROP },
		serve, leave, wake };
	struct webhooks *x = as->webhooks = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->as = as;
	TAILQ_INIT(&x->turns);
	TAILQ_INIT(&x->idle);
	x->head = text_growing(REQUEST_MAX);
	x->body = text_growing(REQUEST_MAX);
	x->request = text_growing(REQUEST_MAX);
	x->resolver = resolver_new(as->loop);
	return x->resolver ? integrations_serve(as, &served, err) : -ENOMEM;
}

void webhooks_stop(struct as *as)
{
	struct webhooks *x = as->webhooks;
	if (!x)
		return;
	integrations_leave(as, INTEGRATION_WEBHOOK);
	resolver_free(x->resolver);
	tls_client_free(x->tls);
	text_done(&x->head);
	text_done(&x->body);
	text_done(&x->request);
	free(x);
	as->webhooks = NULL;
}
