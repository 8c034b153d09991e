/** @file Taking pushes and replaces: what can be queued is queued, what cannot is answered with its reason.
 */
#include "as/downlinks.h"
#include "as/core/registry/json_copy.h"
#include "as/device_api/push.h"
#include "as/device_api/rpc_told.h"
#include "as/device_api/rooms.h"
#include "as/formatters/encode.h"
#include "as/formatters/lines.h"
#include "as/forwards.h"
#include "as/integrations/integrations.h"
#include "as/placing.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/** What is to be said once the items are on disk: whole JSON messages one after another, each terminated. */
struct notice {
	struct as *as;
	uint64_t uid; /**< of the device: never used again, unlike its name */
	uint64_t since_us; /**< of the push [mono] */
	struct text messages, ids; /**< ids: one behind another, of the messages */
};

/** A request being worked on. */
struct request {
	struct as *as;
	const struct app *app;
	const char *device_id;
	struct device *device; /**< NULL: unknown */
	struct notice *notice;
	struct downlinks_result *result;
	struct text values;              /**< scratch: decoded_payload of the item at work */
	const struct made *made;         /**< what a formatter made of that; NULL: nothing */
	const struct downlinks_waiter *waiter;
};

/* A request of 1 MiB holds 350000 bad items at worst: so many are told of each by itself, the rest in one. */
enum { NOTICE_MAX = 64 << 20, REFUSALS_TOLD = 1000, VALUES_MAX = 16384 };

void downlinks_explain(struct text *t, const struct tts_error *e)
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

/** What an event says of a refusal. @param n  octets of `why` */
static void write_refusal(struct text *t, const struct request *rq, const char *error, const char *why, size_t n)
{
	text_reset(t);
	json_open(t, '{');
	if (!rq->device) {
		json_name(t, "device_id");
		json_puts(t, rq->device_id);
	}
	json_name(t, "error");
	json_puts(t, error);
	json_name(t, "message");
	json_str(t, (struct str){ why, n });
	json_close(t, '}');
}

static void tell_refused(const struct request *rq, const char *error, const char *why, const struct traces_of *of, const struct cid *cid)
{
	char data[TRACES_DATA_MAX];
	struct text t = text_fixed(data, sizeof data);
	size_t n = strlen(why);
	write_refusal(&t, rq, error, why, n);
	while (t.failed && n) {
		n /= 2;
		write_refusal(&t, rq, error, why, n);
	}
	traces_note(rq->as, EVENT_AS_DOWN_DATA_DROP, of, cid, 1, t.failed ? "" : data);
}

/** Publish a down/failed. @param d  NULL: the request as a whole */
static void publish_refusal(
	struct request *rq, struct tts_error *e, const struct tts_downlink *d, const char *why)
{
	struct as *as = rq->as;
	const struct now *now = loop_now(as->loop);
	struct cid id = {.kind = CID_AS_DOWNLINK, .id = ulid_make(now->unix_us, &as->rng)};
	struct tts_downlink shown = d ? *d : (struct tts_downlink){0};
	struct traces_of of = {rq->device, rq->app, shown.own_cids, shown.own_cids_n};
	struct tts_up u = { .device = { .device_id = rq->device_id, .application_id = rq->app->id },
		.received_unix_ns = now->unix_us * 1000 };
	struct text *t = traffic_json(as);
	if (rq->device)
		u = traffic_envelope(as, rq->device);
	e->id = ulid_make(now->unix_us, &as->rng);
	u.cids = &id;
	u.n_cids = 1;
	u.own_cids = of.own;
	u.own_cids_n = of.own_n;
	made_tell(as, rq->made, &of, &id, shown.f_port);
	tell_refused(rq, e->row->name, why, &of, &id);
	shown.item = &id.id;
	tts_down(t, &u, TTS_FAILED, d ? &shown : NULL, e);
	(void)traffic_publish(as, rq->app, rq->device_id, tts_down_topic(TTS_FAILED), text_str(t));
}

/** Refuse an item, or the request as a whole (d NULL). */
static void fail(struct request *rq, struct tts_error *e, const struct tts_downlink *d)
{
	struct downlinks_result *result = rq->result;
	char why[sizeof result->message];
	struct text w = text_fixed(why, sizeof why);
	rq->as->metrics.downlinks_refused[e->row - down_errors]++;
	if (++result->refused > REFUSALS_TOLD)
		return;
	downlinks_explain(&w, e);
	if (result->refused == 1) {
		result->error = e->row;
		memcpy(result->message, why, sizeof why);
	}
	publish_refusal(rq, e, d, why);
}

static void fail_whole(struct request *rq, const char *name, const char *attribute, const char *value)
{
	struct tts_error e = {
		.row = down_error_find(str_of(name)), .text_attribute = attribute, .text_value = value
	};
	fail(rq, &e, NULL);
}

/** The last word on what was refused: how many were not told of each by itself; one line in the log. */
static void sum_up(struct request *rq)
{
	const struct downlinks_result *result = rq->result;
	if (!result->refused)
		return;
	if (result->refused > REFUSALS_TOLD) {
		struct tts_error e = {.row = down_error_find(STR("more_refused")),
			.num_attribute = {"count"},
			.num_value = {result->refused - REFUSALS_TOLD}};
		publish_refusal(rq, &e, NULL, e.row->message_format);
	}
	LOG(LOG_INFO, "downlinks_refused", KV_Z("application", rq->app->key), KV_Z("device", rq->device_id),
		KV_Z("reason", result->error->name), KV_U("refused", result->refused),
		KV_U("queued", result->queued));
}

static void notice_free(struct notice *n)
{
	text_done(&n->messages);
	text_done(&n->ids);
	free(n);
}

/** Everything of the request is on disk now. */
static void announce(void *ctx)
{
	struct notice *n = ctx;
	struct as *as = n->as;
	const struct device *d = registry_device_by_uid(&as->registry, n->uid);
	for (size_t at = 0, i = 0; d && at < n->messages.len; at += strlen(n->messages.p + at) + 1, i++) {
		traffic_tell(as, d->app, d->id, tts_down_topic(TTS_QUEUED), str_of(n->messages.p + at));
		struct cid cid = { .kind = CID_AS_DOWNLINK };
		memcpy(cid.id.b, n->ids.p + i * sizeof cid.id.b, sizeof cid.id.b);
		forwards_tell(as, EVENT_AS_DOWN_DATA_QUEUED_FORWARD, &(struct traces_of){ .device = d }, &cid, 1,
			&(struct forward){ .since_unix_us = loop_now(as->loop)->unix_us - us_since(n->since_us, loop_now(as->loop)->mono_us) });
	}
	if (d && !device_is_lorawan(d))
		rpcs_online(as, n->uid);
	else
		downlinks_tell(as, n->uid);
	if (n->messages.len)
		histogram_add(&as->metrics.queue_time, us_since(n->since_us, loop_now(as->loop)->mono_us));
	notice_free(n);
}

static void tell_taken(const struct request *rq, const struct device_traffic *t, const struct item *item, const struct traces_of *of,
	const struct cid *cid)
{
	char data[160];
	struct text out = text_fixed(data, sizeof data);
	text_printf(&out, "{\"f_port\":%u,\"size\":%u,\"confirmed\":%s,\"priority\":\"%s\",\"waiting\":%zu}", item->f_port, item->payload_n,
		item->confirmed ? "true" : "false", tts_priority(item->priority), queue_waiting(&t->queue));
	traces_note(rq->as, EVENT_AS_DOWN_DATA_RECEIVE, of, cid, 1, data);
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
	struct traces_of of = {.device = rq->device, .own = d.own_cids, .own_n = d.own_cids_n};
	u.cids = &cid;
	u.n_cids = 1;
	u.own_cids = d.own_cids;
	u.own_cids_n = d.own_cids_n;
	size_t at = rq->notice->messages.len;
	tts_down(&rq->notice->messages, &u, TTS_QUEUED, &d, NULL);
	/* For integrations in the same commit as the item; they send it when that is on disk, as clients are told by `announce`. */
	if (!rq->notice->messages.failed)
		(void)integrations_publish(as, rq->app, rq->device->id, KIND_DOWNLINK_QUEUED, str_of(rq->notice->messages.p + at));
	text_putc(&rq->notice->messages, '\0');
	tell_taken(rq, t, item, &of, &cid);
	made_tell(as, rq->made, &of, &cid, item->f_port);
	text_put(&rq->notice->ids, (struct str){ (const char *)id.b, sizeof id.b });
	rq->result->queued++;
	as->metrics.downlinks_queued++;
	return 0;
}

static struct tts_downlink show_wish(const struct tts_item *wish)
{
	return (struct tts_downlink){
		.f_port = wish->f_port,
		.priority = wish->priority,
		.payload = {wish->payload, wish->payload_n},
		.confirmed = wish->confirmed,
		.max_attempts = wish->max_attempts,
		.class_b_c = wish->has_class_b_c ? wish->class_b_c : NULL,
		.own_cids = wish->own_cids,
		.own_cids_n = wish->own_cids_n,
		.decoded_payload = wish->decoded_payload,
		.decoded_warnings = wish->decoded_warnings,
	};
}

/** The values that an item came with, or that a formatter made of its octets, to be shown with it. */
static void take_values(struct request *rq, const struct json *j, json_val item, struct tts_item *wish)
{
	json_val v = json_get(j, item, "decoded_payload");
	wish->decoded_warnings = rq->made ? rq->made->warnings : NULL;
	if (rq->made && rq->made->decoded) {
		wish->decoded_payload = rq->made->decoded;
		return;
	}
	text_reset(&rq->values);
	if (v < 0 || json_type(j, v) != JSON_OBJECT)
		return;
	json_copy(&rq->values, j, v);
	if (!rq->values.failed && utf8_valid(text_str(&rq->values)))
		wish->decoded_payload = rq->values.p;
}

/** Read an item, and look whether it may be queued. @param place, wish  *e borrows from them @return 0; TTS_E_REFUSED */
static int check_item(
	struct request *rq, const struct json *j, json_val v, struct tts_item *wish, struct tts_class_b_c *place, struct tts_error *e)
{
	int r = tts_request_item(j, v, rq->made && !rq->made->is_of_octets ? &rq->made->encoded : NULL, wish, e);
	take_values(rq, j, v, wish);
	if (!r && !traffic_has_session(rq->as, rq->device->entry.uid)) {
		e->row = down_error_find(STR("no_device_session"));
		r = TTS_E_REFUSED;
	}
	if (!r && rq->device->multicast && wish->confirmed) {
		e->row = down_error_find(STR("confirmed_multicast_downlink"));
		r = TTS_E_REFUSED;
	}
	return r ? r : placing_check(rq->as, rq->device, wish, place, e);
}

static int take_item(struct request *rq, struct device_traffic *t, const struct json *j, json_val v)
{
	struct tts_class_b_c place;
	struct tts_item wish;
	struct tts_error e;
	int r = check_item(rq, j, v, &wish, &place, &e);
	if (!r) {
		r = enqueue(rq, t, &wish);
		if (r == QUEUE_E_FULL) {
			e.row = down_error_find(STR("queue_full"));
			e.num_attribute[0] = "max";
			e.num_value[0] = QUEUE_MAX;
		}
	}
	if (r > 0) {
		struct tts_downlink d = show_wish(&wish);
		fail(rq, &e, &d);
		return 0;
	}
	return r;
}

/** A device that speaks IP is called instead. */
static int take_call(struct request *rq, const struct json *j, json_val v)
{
	AUTO(text_done) struct text room = text_growing(2 * RPC_BODY_MAX);
	struct tts_downlink shown;
	struct tts_item item;
	struct tts_error e;
	struct rpc *call;
	int r = device_push_item(rq->as, rq->device, j, v, &room, &item, &call, &shown, &e);
	if (r == TTS_E_REFUSED)
		fail(rq, &e, &shown);
	if (r)
		return r > 0 ? 0 : r;
	const struct cid cid = { .kind = CID_AS_DOWNLINK, .id = call->id };
	rpc_told_queued(rq->as, rq->device, call, &rq->notice->messages);
	text_putc(&rq->notice->messages, '\0');
	text_put(&rq->notice->ids, (struct str){ (const char *)cid.id.b, sizeof cid.id.b });
	traces_note(rq->as, EVENT_AS_DOWN_DATA_RECEIVE, &(struct traces_of){ .device = rq->device, .own = item.own_cids, .own_n = item.own_cids_n }, &cid, 1, "");
	rq->result->queued++;
	rq->as->metrics.downlinks_queued++;
	return 0;
}

static int take_calls(struct request *rq, const struct json *j, json_val items, bool is_replace)
{
	if (is_replace)
		device_push_clear(rq->as, rq->device);
	for (json_val v = json_first(j, items); v >= 0; v = json_next(j, v))
		TRY(take_call(rq, j, v));
	return 0;
}

static void tell_cleared(const struct request *rq, const struct queue *q)
{
	for (const struct item *i = q->first; i; i = i->next) {
		struct cid cid = { .kind = CID_AS_DOWNLINK, .id = i->id };
		if (!i->is_recalled)
			traces_add(rq->as, EVENT_AS_DOWN_DATA_CLEAR, rq->device, &cid, 1, i->state == ITEM_WAITING ? "" : "{\"is_out\":true}");
	}
}

/** An item with what was made of it before, or is made at once. @return 0; -errno */
static int take_made(struct request *rq, struct device_traffic *t, const struct downlinks_part *p, json_val v)
{
	struct made *at_once = NULL;
	if (!p->made)
		TRY(encode_now(rq->device, p->j, v, &at_once));
	rq->made = p->made ? p->made[p->taken] : at_once;
	int r = take_item(rq, t, p->j, v);
	rq->made = NULL;
	free(at_once);
	return r;
}

static int take_all(struct request *rq, struct downlinks_part *p)
{
	struct device_traffic *t = traffic_of(rq->as, rq->device->entry.uid, true);
	size_t n = 0;
	if (!t)
		return -ENOMEM;
	if (json_first(p->j, p->items) >= 0 && store_failing(rq->as->store))
		return -EAGAIN;
	if (p->is_replace) {
		tell_cleared(rq, &t->queue);
		TRY(queue_clear(&t->queue, &rq->as->traffic->queue_sink, t->uid));
		p->is_replace = false;
	}
	for (json_val v = json_first(p->j, p->items); v >= 0; v = json_next(p->j, v))
		if (n++ == p->taken) {
			TRY(take_made(rq, t, p, v));
			p->taken++;
		}
	downlinks_added(rq->as, rq->device);
	return 0;
}

/** @return as downlinks_request */
static int take_downlinks(struct request *rq, const struct json *j, json_val items, bool is_replace)
{
	struct downlinks_part all = { .j = j, .items = items, .is_replace = is_replace };
	if (!encode_must_wait(rq->as, rq->device, j, items))
		return take_all(rq, &all);
	int r = encode_later(rq->as, rq->device, j, items, is_replace, rq->waiter);
	if (r == LINES_E_FULL)
		fail_whole(rq, "formatter_busy", NULL, NULL);
	return r == LINES_E_FULL ? 0 : r ? r : DOWNLINKS_E_LATER;
}

/** Look at the body; what is wrong with it as a whole is said at once. @return as downlinks_request */
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
	else if (!device_is_lorawan(rq->device))
		r = take_calls(rq, &j, items, is_replace);
	else
		r = take_downlinks(rq, &j, items, is_replace);
	free(tok);
	return items < 0 ? 0 : r;
}

/** What is to be told once all is on disk. @return NULL: no memory */
static struct notice *notice_new(struct as *as, const struct device *d, uint64_t since_us)
{
	struct notice *n = malloc(sizeof *n);
	if (n)
		*n = (struct notice){ as, d ? d->entry.uid : 0, since_us, text_growing(NOTICE_MAX), text_growing(NOTICE_MAX) };
	return n;
}

/** Also after a failure: what was queued before it is announced all the same. @return r, or -errno of the store */
static int finish(struct request *rq, int r, bool is_last)
{
	if (is_last)
		sum_up(rq);
	text_done(&rq->values);
	int after = rq->device ? store_after(rq->as->store, announce, rq->notice) : -ENODEV;
	if (after)
		notice_free(rq->notice);
	return r || !rq->device ? r : after;
}

int downlinks_request(struct as *as, const struct app *a, const char *device_id, struct str body,
	bool is_replace, const struct downlinks_waiter *w, struct downlinks_result *ret_result)
{
	*ret_result = (struct downlinks_result){ 0 };
	if (!is_replace && store_failing(as->store))
		return -EAGAIN; /* an empty replace makes room */
	struct request rq = { .as = as, .app = a, .device_id = device_id, .device = registry_device(&as->registry, a, str_of(device_id)),
		.result = ret_result, .values = text_growing(VALUES_MAX), .waiter = w };
	rq.notice = notice_new(as, rq.device, loop_now(as->loop)->mono_us);
	if (!rq.notice)
		return -ENOMEM;
	return finish(&rq, take_body(&rq, body, is_replace), true);
}

int downlinks_take(struct as *as, struct device *d, struct downlinks_part *p, struct downlinks_result *result)
{
	struct request rq = { .as = as, .app = d->app, .device_id = d->id, .device = d, .result = result, .values = text_growing(VALUES_MAX) };
	rq.notice = notice_new(as, d, p->since_us);
	if (!rq.notice)
		return -ENOMEM;
	int r = take_all(&rq, p);
	bool is_end = !r && p->is_last;
	if (is_end)
		p->is_last = false;
	return finish(&rq, r, is_end);
}

void downlinks_refuse(struct as *as, const struct app *a, const char *device_id, const char *error)
{
	struct downlinks_result result = {0};
	struct request rq = {.as = as,
		.app = a,
		.device_id = device_id,
		.device = registry_device(&as->registry, a, str_of(device_id)),
		.result = &result};
	fail_whole(&rq, error, NULL, NULL);
	sum_up(&rq);
}
