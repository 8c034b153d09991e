/** @file Calls to devices, one list for each device. */
#include "as/device_api/rpcs.h"
#include "as/device_api/rooms.h"
#include "as/device_api/rpc_told.h"
#include "as/store.h"
#include "common/core/json_out.h"
#include "common/http.h"
#include "common/log.h"
#include "proto/tts/request.h"
#include <stdlib.h>
#include <string.h>

enum { RPC_KEY = 25, MESSAGE_MAX = 160 };

struct device_calls {
	uint64_t device;
	struct rpc *first, *last;
	size_t n_live, n_over;
	UT_hash_handle hh;
};

struct rpcs {
	struct as *as;
	struct rpc *by_id;
	struct device_calls *devices;
	struct heap due;
	struct loop_timer *timer;
	int32_t next_request;
};

static struct device_calls *calls_of(const struct rpcs *x, uint64_t device)
{
	struct device_calls *c;
	HASH_FIND(hh, x->devices, &device, sizeof device, c);
	return c;
}

static struct device_calls *calls_make(struct rpcs *x, uint64_t device)
{
	struct device_calls *c = calls_of(x, device);
	if (c)
		return c;
	c = calloc(1, sizeof *c);
	if (!c)
		return NULL;
	c->device = device;
	HASH_ADD(hh, x->devices, device, sizeof c->device, c);
	if (c->hh.tbl)
		return c;
	free(c);
	return NULL;
}

/* ---- the store ---- */

static struct slice rpc_key(uint8_t buf[RPC_KEY], const struct rpc *r)
{
	struct writer w = writer_of(buf, RPC_KEY);
	writer_u8(&w, TABLE_RPCS);
	writer_be64(&w, r->device);
	writer_put(&w, r->id.b, sizeof r->id.b);
	return (struct slice){ buf, w.len };
}

/** @return 0; -errno */
static int keep(struct as *as, const struct rpc *r)
{
	uint8_t key[RPC_KEY];
	AUTO(text_done) struct text t = text_growing(RPC_RECORD_MAX);
	if (!r->persistent)
		return 0;
	rpc_pack(&t, r);
	int e = t.failed ? -ENOMEM : store_put(as->store, rpc_key(key, r), (struct slice){ (const uint8_t *)t.p, t.len });
	if (e)
		LOG(LOG_ERROR, "rpc_not_stored", KV_Z("error", strerror(-e)));
	return e;
}

/* ---- lists ---- */

static int link_rpc(struct rpcs *x, struct rpc *r)
{
	struct device_calls *c = calls_make(x, r->device);
	if (!c || heap_reserve(&x->due, HASH_COUNT(x->by_id) + 1))
		return -ENOMEM;
	HASH_ADD(hh, x->by_id, id, sizeof r->id, r);
	if (!r->hh.tbl)
		return -ENOMEM;
	r->prev = c->last;
	if (c->last)
		c->last->next = r;
	else
		c->first = r;
	c->last = r;
	*(rpc_is_over(r) ? &c->n_over : &c->n_live) += 1;
	return 0;
}

static void unlink_rpc(struct rpcs *x, struct rpc *r)
{
	struct device_calls *c = calls_of(x, r->device);
	HASH_DEL(x->by_id, r);
	heap_remove(&x->due, &r->due);
	*(r->prev ? &r->prev->next : &c->first) = r->next;
	*(r->next ? &r->next->prev : &c->last) = r->prev;
	*(rpc_is_over(r) ? &c->n_over : &c->n_live) -= 1;
	if (c->first)
		return;
	HASH_DEL(x->devices, c);
	free(c);
}

static void arm(struct rpcs *x)
{
	loop_timer_at(x->timer, heap_deadline(&x->due));
}

void rpcs_delete(struct as *as, struct rpc *r)
{
	uint8_t key[RPC_KEY];
	if (r->persistent)
		(void)store_del(as->store, rpc_key(key, r)); /* what a full disk leaves is over at the next start */
	if (r->waiter)
		http_reply_error(r->waiter, 404, "the call was deleted meanwhile");
	unlink_rpc(as->rpcs, r);
	rpc_free(r);
	arm(as->rpcs);
}

/** Of those that are over, the oldest gives way. */
static void trim(struct as *as, struct device_calls *c)
{
	for (struct rpc *r = c->first; r && c->n_over > RPC_PER_DEVICE; r = r->next)
		if (rpc_is_over(r)) {
			rpcs_delete(as, r);
			return;
		}
}

/* ---- answers ---- */

static void reply(struct http_request *http, const struct rpc *r)
{
	AUTO(text_done) struct text t = text_growing(RPC_RECORD_MAX);
	rpc_write(&t, r);
	if (t.failed)
		http_reply_error(http, 503, "no memory for the answer");
	else
		http_reply_json(http, 200, text_str(&t));
}

static void reply_expired(struct http_request *http, const struct rpc *r)
{
	char message[MESSAGE_MAX];
	struct text t = text_fixed(message, sizeof message);
	text_printf(&t, "the device %s within ", r->state == RPC_QUEUED ? "was not there, or had not subscribed to calls," : "has not answered");
	text_decimal(&t, (int64_t)((r->expires_unix_us - r->created_unix_us) / MS_US), 3);
	text_puts(&t, " s");
	http_reply_error(http, 504, message);
}

/** It is over. One that is not persistent is gone then. */
static void finish(struct as *as, struct rpc *r, enum rpc_state state)
{
	struct rpcs *x = as->rpcs;
	struct device_calls *c = calls_of(x, r->device);
	if (r->waiter && state == RPC_EXPIRED)
		reply_expired(r->waiter, r);
	c->n_live--;
	c->n_over++;
	r->state = state;
	heap_remove(&x->due, &r->due);
	arm(x);
	if (r->waiter && state != RPC_EXPIRED)
		reply(r->waiter, r);
	r->waiter = NULL;
	rpc_told_over(as, r);
	(void)keep(as, r);
	if (r->persistent && !r->is_push)
		trim(as, c);
	else
		rpcs_delete(as, r);
}

static void on_due(void *ctx)
{
	struct rpcs *x = ctx;
	struct heap_node *n;
	while ((n = heap_pop_due(&x->due, loop_now(x->as->loop)->mono_us)))
		finish(x->as, CONTAINER_OF(n, struct rpc, due), RPC_EXPIRED);
	arm(x);
}

/** Cookies of calls; the rest of them is for others. */
static uint64_t cookie_of(const struct rpc *r)
{
	return RPC_COOKIE | (uint64_t)(uint32_t)r->request;
}

/** Send it if the device is there. @return whether it still is in the list */
static bool try_send(struct as *as, struct rpc *r)
{
	AUTO(text_done) struct text t = text_growing(2 * RPC_BODY_MAX);
	uint64_t login = device_door_login(as, r->device);
	if (!login || (r->state != RPC_QUEUED && (r->state != RPC_SENT || r->login == login)))
		return true;
	rpc_body(&t, r);
	if (t.failed || !device_door_tell(as, r->device, ANSWER_RPC_REQUEST, r->request, text_str(&t), cookie_of(r)))
		return true;
	r->state = RPC_SENT;
	r->login = login;
	(void)keep(as, r);
	if (!r->oneway || r->persistent)
		return true;
	finish(as, r, RPC_SUCCESSFUL);
	return false;
}

void rpcs_online(struct as *as, uint64_t device)
{
	const struct device_calls *c = calls_of(as->rpcs, device);
	for (struct rpc *r = c ? c->first : NULL, *next; r; r = next) {
		next = r->next;
		if (!rpc_is_over(r))
			(void)try_send(as, r);
	}
}

static struct rpc *find_request(const struct as *as, uint64_t device, int32_t request)
{
	const struct device_calls *c = calls_of(as->rpcs, device);
	for (struct rpc *r = c ? c->first : NULL; r; r = r->next)
		if (r->request == request && !rpc_is_over(r))
			return r;
	return NULL;
}

static void delivered(struct as *as, struct rpc *r)
{
	r->state = RPC_DELIVERED;
	rpc_told_delivered(as, r);
	(void)keep(as, r);
}

void rpcs_told(struct as *as, uint64_t device, uint64_t cookie)
{
	struct rpc *r = find_request(as, device, (int32_t)(cookie & UINT32_MAX));
	if (!r || r->state != RPC_SENT)
		return;
	delivered(as, r);
	if (r->oneway)
		finish(as, r, RPC_SUCCESSFUL);
}

/** What is no JSON is a text. */
static void write_answer(struct as *as, struct text *t, struct str body)
{
	struct lenient *l = &device_rooms_readings(as)->json;
	if (lenient_read(l, body, NULL) == 0)
		text_put(t, text_str(&l->strict));
	else
		json_str(t, body);
}

enum mqtt_verdict rpc_response_take(struct as *as, struct device_message *m, uint8_t *ret_reason)
{
	struct rpc *r = find_request(as, m->device->entry.uid, m->said.id);
	AUTO(text_done) struct text t = text_growing(RPC_RECORD_MAX);
	if (!r || r->oneway || r->state == RPC_QUEUED)
		return MQTT_TAKEN; /* late, or of nobody: the device need not know */
	write_answer(as, &t, m->body);
	if (t.failed || rpc_answer(r, text_str(&t)))
		return device_unavailable(as, m, ret_reason);
	if (r->state == RPC_SENT)
		delivered(as, r); /* its PUBACK is still on the way */
	finish(as, r, RPC_SUCCESSFUL);
	return device_taken(as, m);
}

/* ---- beginning one ---- */

static int begin(struct as *as, const struct device *d, struct rpc *r, struct problem *p)
{
	struct rpcs *x = as->rpcs;
	const struct device_calls *c = calls_of(x, d->entry.uid);
	if (c && c->n_live >= RPC_PER_DEVICE)
		return problem_say(p, REGISTRY_E_FULL, "", "%d calls wait for the device already", RPC_PER_DEVICE);
	r->request = x->next_request;
	x->next_request = x->next_request == INT32_MAX ? 1 : x->next_request + 1;
	TRY(link_rpc(x, r));
	int e = keep(as, r);
	if (e) {
		unlink_rpc(x, r);
		return e;
	}
	(void)heap_set(&x->due, &r->due, loop_now(as->loop)->mono_us + (r->expires_unix_us - r->created_unix_us)); /* there is room */
	arm(x);
	return 0;
}

int rpcs_call(struct as *as, const struct device *d, const struct rpc_wish *w, struct rpc **ret, struct problem *p)
{
	struct rpc *r = rpc_new(w, d->entry.uid, loop_now(as->loop)->unix_us, &as->rng);
	int e = r ? begin(as, d, r, p) : -ENOMEM;
	if (e)
		rpc_free(r);
	else
		*ret = r;
	return e;
}

int rpcs_push(struct as *as, const struct device *d, const struct rpc_wish *w, const struct tts_item *item, struct rpc **ret, struct problem *p)
{
	struct rpc *r = rpc_new(w, d->entry.uid, loop_now(as->loop)->unix_us, &as->rng);
	int e = r ? rpc_name(r, item->own_cids, item->own_cids_n) : -ENOMEM;
	if (!e) {
		r->is_push = true;
		r->is_confirmed = item->confirmed;
		e = begin(as, d, r, p);
	}
	if (e)
		rpc_free(r);
	else
		*ret = r;
	return e;
}

static void on_closed(void *ctx)
{
	((struct rpc *)ctx)->waiter = NULL;
}

void rpcs_wait(struct as *as, struct rpc *r, struct http_request *http)
{
	r->waiter = http;
	http_on_close(http, on_closed, r);
	(void)try_send(as, r);
}

void rpcs_send(struct as *as, struct rpc *r)
{
	(void)try_send(as, r);
}

struct rpc *rpcs_find(const struct as *as, const struct device *d, struct str id)
{
	struct ulid u;
	struct rpc *r = NULL;
	if (ulid_parse(id, &u) == 0)
		HASH_FIND(hh, as->rpcs->by_id, &u, sizeof u, r);
	return r && r->device == d->entry.uid ? r : NULL;
}

struct rpc *rpcs_of(const struct as *as, const struct device *d)
{
	const struct device_calls *c = calls_of(as->rpcs, d->entry.uid);
	return c ? c->first : NULL;
}

/* ---- start and end ---- */

static void on_device(void *ctx, struct device *d, enum change change)
{
	struct rpcs *x = ctx;
	struct device_calls *c;
	while (change == CHANGE_DELETED && (c = calls_of(x, d->entry.uid)))
		rpcs_delete(x->as, c->first);
}

struct rpcs_loading {
	struct rpcs *x;
	struct json_tok *tok;
};

static int load_one(void *ctx, struct slice key, struct slice value)
{
	struct rpcs_loading *l = ctx;
	struct reader k = reader_of(key.p + 1, key.n - 1);
	struct json j;
	struct rpc *r;
	uint64_t device = reader_be64(&k);
	const struct now *now = loop_now(l->x->as->loop);
	if (!registry_device_by_uid(&l->x->as->registry, device))
		return 0; /* its deletion was cut off */
	if (k.failed || json_parse((struct str){ (const char *)value.p, value.n }, l->tok, RPC_RECORD_TOKENS, &j, NULL))
		return -EPROTO;
	TRY(rpc_unpack(&j, device, &r));
	int e = link_rpc(l->x, r);
	if (e) {
		rpc_free(r);
		return e;
	}
	if (r->request >= l->x->next_request && r->request < INT32_MAX)
		l->x->next_request = r->request + 1;
	if (!rpc_is_over(r))
		(void)heap_set(&l->x->due, &r->due,
			now->mono_us + (r->expires_unix_us > now->unix_us ? r->expires_unix_us - now->unix_us : 0));
	return 0;
}

int rpcs_start(struct as *as, struct text *err)
{
	static const uint8_t prefix[] = { TABLE_RPCS };
	enum { NUMBERS = 1000000000 };
	struct rpcs *x = as->rpcs = calloc(1, sizeof *x);
	if (!x)
		return -ENOMEM;
	x->as = as;
	/* Not those of before the start, which a device may still answer. */
	x->next_request = 1 + (int32_t)(loop_now(as->loop)->unix_us / SEC_US % NUMBERS);
	x->timer = loop_timer_new(as->loop, on_due, x);
	struct rpcs_loading l = { x, malloc(RPC_RECORD_TOKENS * sizeof *l.tok) };
	int e = x->timer && l.tok ? store_scan(as->store, (struct slice){ prefix, 1 }, (struct slice){ 0 }, load_one, &l) : -ENOMEM;
	free(l.tok);
	if (e) {
		text_printf(err, "the store's calls to devices cannot be read: %s", strerror(-e));
		return e;
	}
	registry_watch(&as->registry, &(struct registry_watch){ .device = on_device, .ctx = x });
	arm(x);
	return 0;
}

void rpcs_stop(struct as *as)
{
	struct rpcs *x = as->rpcs;
	struct rpc *r, *next;
	if (!x)
		return;
	HASH_ITER(hh, x->by_id, r, next) {
		unlink_rpc(x, r);
		rpc_free(r);
	}
	heap_done(&x->due);
	loop_timer_free(x->timer);
	free(x);
	as->rpcs = NULL;
}
