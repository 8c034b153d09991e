/** @file Taking pushes and replaces: what can be queued is queued, what cannot is answered with its reason.
 */
#include "as/downlinks.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What is to be said once the items are on disk: whole JSON messages one after another, each terminated. */
struct notice {
	struct as *as;
	char app[APP_KEY_TEXT], device_id[ID_MAX + 1];
	uint64_t uid;
	struct text messages;
	void (*done)(void *ctx);
	void *ctx;
};

/** A request being worked on. */
struct request {
	struct as *as;
	const struct app *app;
	const char *device_id;
	struct device *device; /**< NULL: unknown */
	struct notice *notice;
	struct downlinks_result *result;
};

enum { NOTICE_MAX = 64 << 20 };

/** The message_format with its attributes filled in, for logs, answers and people. */
static void explain(struct text *t, const struct tts_error *e)
{
	for (const char *p = e->row->message_format; *p; p++) {
		const char *close = *p == '{' ? strchr(p, '}') : NULL;
		struct str name = { p + 1, close ? (size_t)(close - p - 1) : 0 };
		if (!close) {
			text_putc(t, *p);
			continue;
		}
		if (e->text_attribute && str_is(name, e->text_attribute))
			text_puts(t, e->text_value);
		for (size_t i = 0; i < COUNT(e->num_attribute) && e->num_attribute[i]; i++)
			if (str_is(name, e->num_attribute[i]))
				text_u64(t, e->num_value[i]);
		p = close;
	}
}

/** Publish a down/failed. @param d  NULL: the request as a whole @param own  the application's correlation
 * ids */
static void fail(
	struct request *rq, struct tts_error *e, const struct tts_downlink *d, const char *own, size_t own_n)
{
	struct as *as = rq->as;
	const struct now *now = loop_now(as->loop);
	struct cid id = { .kind = CID_AS_DOWNLINK,
		.id = d && d->item ? *d->item : ulid_make(now->unix_us, &as->rng) };
	struct tts_up u = { .device = { .device_id = rq->device_id, .application_id = rq->app->id },
		.received_unix_ns = now->unix_us * 1000 };
	char why[sizeof rq->result->message], data[400];
	struct text w = text_fixed(why, sizeof why), j = text_fixed(data, sizeof data);
	if (rq->device)
		u = traffic_envelope(as, rq->device);
	e->id = ulid_make(now->unix_us, &as->rng);
	u.cids = &id;
	u.n_cids = 1;
	u.own_cids = own;
	u.own_cids_n = own_n;
	explain(&w, e);
	if (!rq->result->refused++) {
		rq->result->error = e->row;
		str_copy(text_str(&w), rq->result->message, sizeof rq->result->message);
	}
	LOG(LOG_INFO, "downlink_refused", KV_Z("application", rq->app->key), KV_Z("device", rq->device_id),
		KV_Z("reason", e->row->name));
	json_open(&j, '{');
	json_name(&j, "error");
	json_puts(&j, e->row->name);
	json_name(&j, "message");
	json_puts(&j, why);
	json_close(&j, '}');
	traces_add(as, "as.down.data.drop", rq->device, &id, 1, j.failed ? "" : data);
	struct text *t = traffic_json(as);
	tts_down(t, &u, TTS_FAILED, d, e);
	traffic_publish(as, rq->app, rq->device_id, tts_down_topic(TTS_FAILED), text_str(t));
}

static void fail_whole(struct request *rq, const char *name, const char *attribute, const char *value)
{
	struct tts_error e = {
		.row = down_error_find(str_of(name)), .text_attribute = attribute, .text_value = value
	};
	fail(rq, &e, NULL, NULL, 0);
}

/** Everything of the request is on disk now. */
static void announce(void *ctx)
{
	struct notice *n = ctx;
	struct as *as = n->as;
	struct app *app = registry_app(&as->registry, str_of(n->app));
	for (size_t at = 0; app && at < n->messages.len; at += strlen(n->messages.p + at) + 1)
		traffic_publish(
			as, app, n->device_id, tts_down_topic(TTS_QUEUED), str_of(n->messages.p + at));
	if (n->uid)
		downlinks_tell(as, n->uid);
	if (n->done)
		n->done(n->ctx);
	text_done(&n->messages);
	free(n);
}

/** Queue one good item, and note what is to be said of it. @return 0; QUEUE_E_FULL; -errno */
static int enqueue(struct request *rq, struct device_traffic *t, const struct tts_item *wish)
{
	struct as *as = rq->as;
	const struct item *item;
	const struct now *now = loop_now(as->loop);
	struct ulid id = ulid_make(now->unix_us, &as->rng);
	int r = queue_push(
		&t->queue, &as->traffic->queue_sink, t->uid, as->traffic->next_seq++, wish, id, now, &item);
	if (r)
		return r;
	struct cid cid = { .kind = CID_AS_DOWNLINK, .id = id };
	struct tts_up u = traffic_envelope(as, rq->device);
	struct tts_downlink d = item_show(item, false);
	u.cids = &cid;
	u.n_cids = 1;
	u.own_cids = d.own_cids;
	u.own_cids_n = d.own_cids_n;
	tts_down(&rq->notice->messages, &u, TTS_QUEUED, &d, NULL);
	text_putc(&rq->notice->messages, '\0');
	traces_add_own(as, "as.down.data.receive", rq->device, &cid, 1, d.own_cids, d.own_cids_n);
	rq->result->queued++;
	return 0;
}

static struct tts_downlink show_wish(const struct tts_item *wish, const struct ulid *id)
{
	return (struct tts_downlink){
		.f_port = wish->f_port,
		.priority = wish->priority,
		.payload = { wish->payload, wish->payload_n },
		.confirmed = wish->confirmed,
		.max_attempts = wish->max_attempts,
		.class_b_c = wish->has_class_b_c ? wish->class_b_c : NULL,
		.item = id,
		.own_cids = wish->own_cids,
		.own_cids_n = wish->own_cids_n,
	};
}

static int take_item(struct request *rq, struct device_traffic *t, const struct json *j, json_val v)
{
	struct tts_item wish;
	struct tts_error e;
	struct ulid id = ulid_make(loop_now(rq->as->loop)->unix_us, &rq->as->rng);
	int r = tts_request_item(j, v, &wish, &e);
	struct tts_downlink d = show_wish(&wish, &id);
	if (!r && !traffic_has_session(rq->as, rq->device->entry.uid)) {
		e.row = down_error_find(STR("no_device_session"));
		r = TTS_E_REFUSED;
	}
	if (!r && rq->device->multicast && wish.confirmed) {
		e.row = down_error_find(STR("confirmed_multicast_downlink"));
		r = TTS_E_REFUSED;
	}
	if (!r) {
		r = enqueue(rq, t, &wish);
		if (r == QUEUE_E_FULL) {
			e.row = down_error_find(STR("queue_full"));
			e.num_attribute[0] = "max";
			e.num_value[0] = QUEUE_MAX;
		}
	}
	if (r > 0) {
		fail(rq, &e, &d, wish.own_cids, wish.own_cids_n);
		return 0;
	}
	return r;
}

static int take_all(struct request *rq, const struct json *j, json_val items, bool is_replace)
{
	struct device_traffic *t = traffic_of(rq->as, rq->device->entry.uid, true);
	if (!t)
		return -ENOMEM;
	if (is_replace)
		TRY(queue_clear(&t->queue, &rq->as->traffic->queue_sink, t->uid));
	for (json_val v = json_first(j, items); v >= 0; v = json_next(j, v))
		TRY(take_item(rq, t, j, v));
	return 0;
}

/** Look at the body; what is wrong with it as a whole is said at once. @return 0; -errno of the store or of
 * memory */
static int take_body(struct request *rq, struct str body, bool is_replace)
{
	size_t max = body.n / 2 + 16, at = 0;
	struct json_tok *tok = calloc(max, sizeof *tok);
	const char *reason = "";
	char where[64];
	struct json j;
	if (!tok)
		return -ENOMEM;
	int r = json_parse_first(body, tok, max, &j, &at);
	json_val items = r ? -1 : tts_request_items(&j, &reason);
	snprintf(where, sizeof where, r == -E2BIG ? "it is nested too deep" : "near character %zu", at + 1);
	if (items < 0)
		fail_whole(rq, "invalid_json", "reason", r ? where : reason);
	else if (!rq->device)
		fail_whole(rq, "device_not_found", "device_id", rq->device_id);
	else
		r = take_all(rq, &j, items, is_replace);
	free(tok);
	return items < 0 ? 0 : r;
}

int downlinks_request(struct as *as, const struct app *a, const char *device_id, struct str body,
	bool is_replace, void (*done)(void *ctx), void *ctx, struct downlinks_result *ret_result)
{
	struct notice *n = calloc(1, sizeof *n);
	*ret_result = (struct downlinks_result){ 0 };
	if (!n)
		return -ENOMEM;
	if (store_failing(as->store)) {
		free(n);
		return -EAGAIN;
	}
	*n = (struct notice){ .as = as, .messages = text_growing(NOTICE_MAX), .done = done, .ctx = ctx };
	str_copy(str_of(a->key), n->app, sizeof n->app);
	str_copy(str_of(device_id), n->device_id, sizeof n->device_id);
	struct request rq = { as, a, device_id, registry_device(&as->registry, a, str_of(device_id)), n,
		ret_result };
	int r = take_body(&rq, body, is_replace);
	n->uid = rq.device ? rq.device->entry.uid : 0;
	if (r < 0)
		n->done = NULL; /* the caller hears it from us; what was queued before is announced all the
				   same */
	int after = store_after(as->store, announce, n);
	if (after) {
		text_done(&n->messages);
		free(n);
	}
	return r < 0 ? r : after;
}
