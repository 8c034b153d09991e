/** @file The ns asks for the next downlink, and says what became of it. */
#include "as/downlinks.h"
#include "as/forwards.h"
#include "as/placing.h"
#include "as/traces.h"
#include "as/unlinked.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "proto/bus/event_log.h"
#include "proto/lorawan/security.h"
#include <stdlib.h>
#include <string.h>

enum { CIDS_SHOWN = 16 };
#define TELL_TIMEOUT_US (10 * SEC_US)
#define TELL_AGAIN_US (1 * SEC_US)
_Static_assert((int)TTS_PAYLOAD_MAX <= (int)sizeof((struct pulled *)0)->frm.p, "each item fits an answer");

struct cids_shown {
	uint16_t len;
	struct cid v[CIDS_SHOWN];
};

struct downlinks {
	struct pulled answer, probe;
	struct downlink_queued queued;
	struct tts_class_b_c place; /**< scratch */
	struct loop_timer *again; /**< to tell the ns everything */
};

/** An ns that does not know of an item never asks for it: it is told everything, a little later. */
static void not_told(struct as *as, int status)
{
	LOG(LOG_WARN, "queued_not_told", KV_I("status", status));
	if (as->downlinks)
		loop_timer_in(as->downlinks->again, TELL_AGAIN_US);
}

static void told(void *ctx, int status, const struct failure *failure, const void *reply)
{
	(void)failure;
	(void)reply;
	/* When a link is lost, the next one begins with everything. */
	if (status && status != -ECONNRESET)
		not_told(ctx, status);
}

static void send_queued(struct as *as, struct bus_peer *ns, struct downlink_queued *q)
{
	int r = bus_call(ns, ASNS_QUEUED, q, TELL_TIMEOUT_US, told, as);
	if (r)
		not_told(as, r);
	q->v.len = 0;
	q->has = 0;
}

/** How many wait, and what the ns must know of the next one to choose its time. */
static struct waiting waiting_of(const struct device_traffic *t, uint64_t uid)
{
	struct waiting w = { .device = uid, .items = (uint32_t)(t ? queue_waiting(&t->queue) : 0) };
	const struct item *i = t ? queue_next(&t->queue) : NULL;
	if (!i)
		return w;
	MSG_SET(&w, item, i->id);
	MSG_SET(&w, length, i->payload_n);
	MSG_SET(&w, priority, i->priority);
	if (i->at_unix_us)
		MSG_SET(&w, at_unix_us, i->at_unix_us);
	if (i->is_placed)
		MSG_SET(&w, is_placed, true);
	return w;
}

void downlinks_tell(struct as *as, uint64_t uid)
{
	struct bus_peer *ns = as_ns(as);
	struct device_traffic *t = traffic_of(as, uid, false);
	if (!ns)
		return;
	struct downlink_queued *q = &as->downlinks->queued;
	q->has = 0;
	q->v.v[0] = waiting_of(t, uid);
	q->v.len = 1;
	send_queued(as, ns, q);
}

static void tell_all(struct as *as, struct bus_peer *ns)
{
	struct downlink_queued *q = &as->downlinks->queued;
	q->has = 0;
	MSG_SET(q, all, true);
	q->v.len = 0;
	bool any = false;
	for (struct device_traffic *t = as->traffic->devices; t; t = t->hh.next) {
		struct waiting w = waiting_of(t, t->uid);
		if (!w.items)
			continue;
		q->v.v[q->v.len++] = w;
		if (q->v.len == COUNT(q->v.v)) {
			send_queued(as, ns, q);
			any = true;
		}
	}
	if (q->v.len || !any)
		send_queued(as, ns, q);
}

static void tell_again(void *ctx)
{
	struct as *as = ctx;
	if (as_ns(as))
		tell_all(as, as_ns(as));
}

/** The ns is there: it gets the whole list, and time to say what became of what it was handed before. */
static void link_up(struct as *as, struct bus_peer *ns)
{
	for (struct device_traffic *t = as->traffic->devices; t; t = t->hh.next) {
		const struct device *d = registry_device_by_uid(&as->registry, t->uid);
		queue_leases_renew(&t->queue, d && downlinks_listens_always(d), loop_now(as->loop)->mono_us);
		traffic_lease(as, t);
	}
	tell_all(as, ns);
}

/** Publish what became of an item. @param cids  those of the ns's report @return 0; -errno of the store */
static int publish(struct as *as, const struct device *d, enum tts_down_kind kind, const struct item *item,
	bool as_sent, const struct cid *cids, size_t n_cids, const struct tts_error *e)
{
	static const enum event_id events[] = {
		[TTS_QUEUED] = EVENT_AS_DOWN_DATA_QUEUED_FORWARD,
		[TTS_SENT] = EVENT_AS_DOWN_DATA_SENT_FORWARD,
		[TTS_ACK] = EVENT_AS_DOWN_DATA_ACK_FORWARD,
		[TTS_NACK] = EVENT_AS_DOWN_DATA_NACK_FORWARD,
		[TTS_FAILED] = EVENT_AS_DOWN_DATA_FAILED_FORWARD,
	};
	struct cids_shown list = { 0 };
	CIDS_ADD(&list, CID_AS_DOWNLINK, item->id);
	cids_add_all(&list.len, list.v, COUNT(list.v), cids, n_cids);
	struct tts_up u = traffic_envelope(as, d);
	struct tts_downlink shown = item_show(item, as_sent && !ulid_is_none(&item->session_key_id));
	struct device_traffic *traffic = traffic_of(as, d->entry.uid, false);
	const struct session *s =
		traffic && as_sent ? sessions_find(&traffic->sessions, &item->session_key_id) : NULL;
	if (s)
		u.device.dev_addr = s->dev_addr; /* not that of a join that came in between */
	u.cids = list.v;
	u.n_cids = list.len;
	u.own_cids = shown.own_cids;
	u.own_cids_n = shown.own_cids_n;
	struct text *t = traffic_json(as);
	tts_down(t, &u, kind, &shown, e);
	int r = unlinked_publish(as, d, tts_down_topic(kind), text_str(t));
	if (r < 0)
		return r;
	as->metrics.downlinks_sent += kind == TTS_SENT;
	as->metrics.downlinks_acked += kind == TTS_ACK;
	if (kind == TTS_FAILED)
		as->metrics.downlinks_failed[e->row - down_errors]++;
	struct forward f = { .waits = r == UNLINKED_E_WAITS, .has_f_cnt = as_sent, .f_cnt = item->f_cnt, .error = e ? e->row->name : NULL };
	char why[DOWNLINKS_EXPLAINED];
	struct traces_of of = { .device = d };
	if (e) {
		struct text w = text_fixed(why, sizeof why);
		downlinks_explain(&w, e);
		f.message = why;
		/* Where steps are not told, this is all that is found by the application's own ids. */
		of.own = shown.own_cids;
		of.own_n = shown.own_cids_n;
	}
	forwards_tell(as, events[kind], &of, list.v, list.len, &f);
	return 0;
}

static int publish_failure(struct as *as, const struct device *d, const struct item *item, bool as_sent,
	const struct cid *cids, size_t n_cids, struct tts_error *e)
{
	e->id = ulid_make(loop_now(as->loop)->unix_us, &as->rng);
	return publish(as, d, TTS_FAILED, item, as_sent, cids, n_cids, e);
}

/** The error that the ns named, or `transmission` with what the gateway said. */
static struct tts_error error_of(const struct item *item, const struct up_outcome *o)
{
	struct tts_error e = { .row = MSG_HAS(o, error) ? down_error_find(str_of(o->error)) : NULL };
	if (!e.row)
		e.row = down_error_find(STR("transmission"));
	if (!strcmp(e.row->name, "transmission")) {
		e.text_attribute = "result";
		e.text_value =
			tx_result_info(MSG_HAS(o, tx_result) ? o->tx_result : TX_RESULT_UNKNOWN_ERROR)->name;
	} else if (MSG_HAS(o, max_length)) {
		e.num_attribute[0] = "length";
		e.num_value[0] = item->payload_n;
		e.num_attribute[1] = "max";
		e.num_value[1] = o->max_length;
	}
	return e;
}

/** It was not sent: that is no news for the application. */
static void tell_returned(struct as *as, const struct device *d, const struct item *item, const struct cids_shown *cids,
	const struct up_outcome *o, bool gone)
{
	struct cids_shown list = { 0 };
	char data[128];
	struct text t = text_fixed(data, sizeof data);
	if (o->outcome != OUTCOME_RETURNED)
		return;
	CIDS_ADD(&list, CID_AS_DOWNLINK, item->id);
	CIDS_ADD_ALL(&list, cids);
	text_printf(&t, "{\"f_cnt\":%" PRIu32, o->f_cnt);
	if (MSG_HAS(o, tx_result))
		text_printf(&t, ",\"result\":\"%s\"", tx_result_info(o->tx_result)->name);
	text_putc(&t, '}');
	traces_add(as, gone ? EVENT_AS_DOWN_DATA_CLEAR : EVENT_AS_DOWN_DATA_RETURN, d, list.v, list.len, data);
}

/** An outcome that is being told. */
struct report {
	struct as *as;
	const struct device *device;
	const struct up_outcome *outcome;
	const struct cid *cids;
	size_t n_cids;
};

static int report(void *ctx, const struct item *item, enum queue_news news)
{
	static const enum tts_down_kind kinds[] = {
		[NEWS_SENT] = TTS_SENT, [NEWS_ACK] = TTS_ACK, [NEWS_NACK] = TTS_NACK, [NEWS_NACK_LAST] = TTS_NACK
	};
	const struct report *r = ctx;
	if (news == NEWS_FAILED) {
		struct tts_error e = error_of(item, r->outcome);
		bool was_on_air = item->was_sent || !strcmp(e.row->name, "transmission");
		return publish_failure(r->as, r->device, item, was_on_air, r->cids, r->n_cids, &e);
	}
	TRY(publish(r->as, r->device, kinds[news], item, true, r->cids, r->n_cids, NULL));
	if (news != NEWS_NACK_LAST)
		return 0;
	struct tts_error e = { .row = down_error_find(STR("max_retries_reached")),
		.num_attribute = { "max" },
		.num_value = { item->max_attempts ? item->max_attempts : QUEUE_ATTEMPTS } };
	return publish_failure(r->as, r->device, item, true, r->cids, r->n_cids, &e);
}

int downlinks_outcome(
	struct as *as, struct device *d, const struct cid *cids, size_t n_cids, const struct up_outcome *o)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	struct report told = { as, d, o, cids, n_cids };
	struct item *item;
	bool gone;
	if (!t)
		return 0;
	TRY(queue_outcome(&t->queue, &as->traffic->queue_sink, t->uid, o, &(struct queue_teller){ report, &told }, &item, &gone));
	traffic_lease(as, t);
	if (!item)
		return 0;
	struct cids_shown list = { 0 };
	cids_add_all(&list.len, list.v, COUNT(list.v), cids, n_cids);
	tell_returned(as, d, item, &list, o, gone);
	if (gone)
		item_free(item);
	downlinks_tell(as, t->uid);
	return 0;
}

/** Encrypt for the counter that the ns has spent. @return 0; -EPERM the counter has gone by; -errno */
static int encrypt(struct as *as, struct device_traffic *t, struct session *s, const struct item *item,
	const struct pull *p, struct pulled *ret)
{
	if (s->has_f_cnt_down && !item->is_repeat && p->f_cnt <= s->f_cnt_down)
		return -EPERM;
	struct frame_id id = { .dev_addr = s->dev_addr, .f_cnt = p->f_cnt, .is_up = false };
	struct slice plain = item_payload(item);
	memcpy(ret->frm.p, plain.p, plain.n);
	ret->frm.len = (uint16_t)plain.n;
	TRY(cipher_frm(as->crypto, &s->app_s_key, &id, ret->frm.p, plain.n));
	s->has_f_cnt_down = true;
	s->f_cnt_down = p->f_cnt;
	return traffic_save_sessions(as, t);
}

static void fill(struct pulled *a, const struct item *item, bool more)
{
	MSG_SET(a, item, item->id);
	MSG_SET(a, f_port, item->f_port);
	MSG_MARK(a, frm);
	MSG_SET(a, confirmed, item->confirmed);
	MSG_SET(a, priority, item->priority);
	MSG_SET(a, more, more);
	MSG_MARK(a, cids);
	a->cids.len = 0;
	CIDS_ADD(&a->cids, CID_AS_DOWNLINK, item->id);
}

/** Say why an item that waits fails, and take it out of its queue. @return 0; -errno of the store: it stays */
static int fail_waiting(struct as *as, const struct device *d, struct device_traffic *t, struct item *i, const struct pull *p,
	struct tts_error *e)
{
	TRY(publish_failure(as, d, i, false, p ? p->cids.v : NULL, p ? p->cids.len : 0, e));
	TRY(queue_remove(&t->queue, &as->traffic->queue_sink, t->uid, i));
	item_free(i);
	return 0;
}

static int fail_too_long(struct as *as, const struct device *d, struct device_traffic *t, struct item *item, const struct pull *p)
{
	struct tts_error e = { .row = down_error_find(STR("application_downlink_too_long")),
		.num_attribute = { "length", "max" },
		.num_value = { item->payload_n, item->payload_n > p->room_max ? p->room_max : p->room } };
	return fail_waiting(as, d, t, item, p, &e);
}

int downlinks_outdated(struct as *as, const struct device *d, struct device_traffic *t)
{
	bool any = false;
	for (struct item *i; (i = queue_outdated(&t->queue, loop_now(as->loop)->unix_us)); any = true)
		TRY(fail_waiting(as, d, t, i, NULL, &(struct tts_error){ .row = down_error_find(STR("downlink_expired")) }));
	if (any)
		downlinks_tell(as, t->uid);
	return 0;
}

/** Is the next item for this kind of window? Such as name gateways that are all gone fail here.
 * @return 1 it is; 0 it is not; -errno of the store */
static int may_answer(struct as *as, const struct device *d, struct device_traffic *t, const struct pull *p)
{
	struct pulled *a = &as->downlinks->probe;
	const struct item *i;
	const char *missing;
	bool is_class_c = MSG_HAS(p, class_c) && p->class_c, always = downlinks_listens_always(d);
	TRY(downlinks_outdated(as, d, t));
	while ((i = queue_next(&t->queue))) {
		/* A window that follows an uplink is no time or place of the application's choosing. */
		if (always && !is_class_c && (i->at_unix_us || i->is_placed))
			return 0;
		if (i->at_unix_us && is_class_c && i->at_unix_us > loop_now(as->loop)->unix_us + QUEUE_AHEAD_US)
			return 0;
		if (!is_class_c || !placing_fill(as, i, &as->downlinks->place, a, &missing))
			return 1;
		struct tts_error e = { .row = down_error_find(STR("gateway_not_found")), .text_attribute = "gateway_id",
			.text_value = missing };
		TRY(fail_waiting(as, d, t, t->queue.first, NULL, &e));
	}
	return 1;
}

int downlinks_session(struct as *as, struct device *d, const struct ulid *session_key_id,
	const struct cid *cids, size_t n_cids)
{
	struct device_traffic *t = traffic_of(as, d->entry.uid, false);
	for (struct item *i; t && (i = queue_stranded(&t->queue, session_key_id));) {
		struct up_outcome o = {.item = i->id,
			.outcome = OUTCOME_NACK,
			.f_cnt = i->f_cnt,
			.session_key_id = i->session_key_id};
		TRY(downlinks_outcome(as, d, cids, n_cids, &o));
	}
	return 0;
}

static void tell_handed_out(struct as *as, const struct device *d, const struct item *item, const struct cid *cids, size_t n_cids)
{
	char data[128];
	struct text t = text_fixed(data, sizeof data);
	text_printf(&t, "{\"f_cnt\":%" PRIu32 ",\"f_port\":%u,\"size\":%u,\"attempt\":%u}", item->f_cnt, item->f_port, item->payload_n, item->attempt);
	/* Its own ids once more: whoever asks by one finds the item even if what was told of its push went with a killed process. */
	traces_note(as, EVENT_AS_DOWN_DATA_FORWARD, &(struct traces_of){ .device = d, .own = item_own_cids(item), .own_n = item->own_cids_n },
		cids, n_cids, data);
}

/** Answer a pull. @return 0; -errno: nothing is handed out */
static int answer_pull(struct as *as, const struct pull *p, struct pulled *a)
{
	struct device *d = registry_device_by_uid(&as->registry, p->device);
	struct device_traffic *t = d ? traffic_of(as, p->device, false) : NULL;
	struct session *s = t ? sessions_find(&t->sessions, &p->session_key_id) : NULL;
	struct item *item = NULL, *too_long = NULL;
	bool more = false;
	a->has = 0;
	if (!s || store_failing(as->store))
		return 0;
	TRY(downlinks_session(as, d, &p->session_key_id, p->cids.v, p->cids.len));
	do {
		int may = may_answer(as, d, t, p);
		if (may <= 0) {
			MSG_SET(a, more, true);
			return may;
		}
		TRY(queue_pull(&t->queue, &as->traffic->queue_sink, p, as->traffic->offers_durable,
			loop_now(as->loop), &item, &too_long, &more));
		if (too_long)
			TRY(fail_too_long(as, d, t, too_long, p));
	} while (too_long);
	MSG_SET(a, more, more);
	if (!item)
		return 0;
	int r = encrypt(as, t, s, item, p, a);
	if (r) {
		struct up_outcome back = { .item = item->id,
			.outcome = OUTCOME_RETURNED,
			.f_cnt = p->f_cnt,
			.session_key_id = p->session_key_id };
		bool gone;
		queue_outcome(&t->queue, &as->traffic->queue_sink, t->uid, &back, NULL, &item, &gone);
		if (gone)
			item_free(item);
		return r;
	}
	item->is_long = MSG_HAS(p, class_c) && p->class_c;
	fill(a, item, more);
	const char *missing;
	if (item->is_long)
		(void)placing_fill(as, item, &as->downlinks->place, a, &missing);
	traffic_lease(as, t);
	struct cids_shown list = {0};
	CIDS_ADD(&list, CID_AS_DOWNLINK, item->id);
	cids_add_all(&list.len, list.v, COUNT(list.v), p->cids.v, p->cids.len);
	tell_handed_out(as, d, item, list.v, list.len);
	return 0;
}

static void on_pull(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	struct pulled *a = &as->downlinks->answer;
	const struct pull *p = msg;
	(void)peer;
	int r = answer_pull(as, p, a);
	if (r) {
		char cid[CID_TEXT_MAX];
		LOG(LOG_ERROR, "pull_refused", KV_Z("cid", event_log_cid(p->cids.v, p->cids.len, cid)), KV_U("device", p->device), KV_U("fcnt", p->f_cnt),
			KV_Z("error", r == -EPERM ? "the counter was used before" : strerror(-r)));
		bus_refuse(request, r == -EPERM ? "f_cnt_used" : "unavailable",
			r == -EPERM ? "the counter was used before" : strerror(-r));
		return;
	}
	bus_reply(request, a);
}

/** A window is near; what cannot be noted waits for the next one. */
static void on_prepare(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	const struct prepare *m = msg;
	const struct device *d = registry_device_by_uid(&as->registry, m->device);
	(void)peer;
	(void)request;
	int r = d && !store_failing(as->store) ? downlinks_prepare(as, d) : 0;
	if (r)
		LOG(LOG_ERROR, "downlink_not_offered", KV_Z("device", d->path), KV_Z("error", strerror(-r)));
}

int downlinks_start(struct as *as, struct text *err)
{
	(void)err;
	as->downlinks = calloc(1, sizeof *as->downlinks);
	if (!as->downlinks)
		return -ENOMEM;
	as->downlinks->again = loop_timer_new(as->loop, tell_again, as);
	if (!as->downlinks->again)
		return -ENOMEM;
	as_add_method(as, NSAS_PREPARE, on_prepare);
	as_add_method(as, NSAS_PULL, on_pull);
	api_add_routes(as, downlinks_routes);
	as_add_link(as, link_up, NULL);
	return 0;
}

void downlinks_stop(struct as *as)
{
	if (as->downlinks)
		loop_timer_free(as->downlinks->again);
	free(as->downlinks);
	as->downlinks = NULL;
}
