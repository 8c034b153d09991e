/** @file Join-requests and rejoin-requests from the ns: checked and answered by as/core/join.c, durable before the answer leaves.
 */
#include "as/joins.h"
#include "as/traffic.h"
#include "as/core/join.h"
#include "as/core/nonces.h"
#include "as/store.h"
#include "as/traces.h"
#include "common/core/json_out.h"
#include "common/log.h"
#include "proto/bus/event_log.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include <stdlib.h>
#include <string.h>

/** An answer that waits for its commit. */
struct waiting_answer {
	struct bus_request *request;
	struct join_answer answer;
};

struct nonces {
	struct as *as;
	uint64_t uid;
};

/** The record of used nonces, empty where there is none. @return 0; -errno */
static int load_nonces(struct as *as, uint64_t uid, struct slice *ret)
{
	uint8_t key[UID_KEY];
	int r = store_get(as->store, as_store_uid_key(key, TABLE_DEV_NONCES, uid), ret);
	if (r == STORE_E_NONE)
		*ret = (struct slice){ NULL, 0 };
	return r == STORE_E_NONE ? 0 : r;
}

static bool is_used(void *ctx, uint16_t dev_nonce)
{
	struct nonces *n = ctx;
	struct slice record;
	/* What cannot be read counts as used: refusing a join is safe, a repeated nonce is not. */
	return load_nonces(n->as, n->uid, &record) != 0 || nonces_used(record, dev_nonce);
}

static int save_nonce(struct as *as, uint64_t uid, uint16_t dev_nonce)
{
	uint8_t key[UID_KEY], more[NONCES_RECORD_MAX];
	struct slice record;
	size_t n;
	TRY(load_nonces(as, uid, &record));
	if (nonces_used(record, dev_nonce))
		return 0; /* of a device that resets them */
	TRY(nonces_add(record, dev_nonce, more, &n));
	return store_put(as->store, as_store_uid_key(key, TABLE_DEV_NONCES, uid), (struct slice){ more, n });
}

static int load_state(struct as *as, uint64_t uid, struct join_state *ret)
{
	uint8_t key[UID_KEY];
	struct slice value;
	*ret = (struct join_state){ 0 };
	int r = store_get(as->store, as_store_uid_key(key, TABLE_JOIN, uid), &value);
	return r == STORE_E_NONE ? 0 : r ? r : join_unpack(value, &as->envelope, ret);
}

static int save(struct as *as, uint64_t uid, const struct join_state *s, const struct session *session)
{
	uint8_t key[UID_KEY], record[JOIN_RECORD_MAX];
	struct device_traffic *t = traffic_of(as, uid, true);
	size_t n;
	if (!t)
		return -ENOMEM;
	TRY(join_pack(s, &as->envelope, record, &n));
	sessions_add(&t->sessions, session);
	TRY(traffic_save_sessions(as, t));
	if (s->request_type == JOIN_REQ_TYPE)
		TRY(save_nonce(as, uid, s->request_nonce));
	return store_put(as->store, as_store_uid_key(key, TABLE_JOIN, uid), (struct slice){ record, n });
}

static void refuse(struct as *as, const struct device *d, const struct join_request *rq,
	struct bus_request *request, const char *word, const char *sentence)
{
	char data[256];
	struct text t = text_fixed(data, sizeof data);
	json_open(&t, '{');
	json_name(&t, "reason");
	json_puts(&t, word);
	json_name(&t, "message");
	json_puts(&t, sentence);
	json_close(&t, '}');
	char cid[CID_TEXT_MAX];
	LOG(LOG_WARN, "join_refused", KV_Z("cid", event_log_cid(rq->cids.v, rq->cids.len, cid)), KV_Z("device", d ? d->path : ""), KV_Z("reason", word),
		KV_Z("message", sentence));
	traces_add(as, EVENT_JS_JOIN_REJECT, d, rq->cids.v, rq->cids.len, data);
	int why = 1;
	while (why < JOIN_E_N && strcmp(join_refusal_word(why), word))
		why++;
	as->metrics.joins_refused[why]++;
	bus_refuse(request, word, sentence);
}

static void answer(void *ctx)
{
	struct waiting_answer *w = ctx;
	bus_reply(w->request, &w->answer);
	crypto_forget(w, sizeof *w);
	free(w);
}

static void accept(struct as *as, const struct device *d, const struct join_request *rq,
	struct bus_request *request, const struct join_answer *a)
{
	struct waiting_answer *w = malloc(sizeof *w);
	if (w)
		*w = (struct waiting_answer){ request, *a };
	if (!w || store_after(as->store, answer, w)) {
		free(w);
		refuse(as, d, rq, request, "store_unavailable", "the store cannot take it now");
		return;
	}
	traces_add(as, EVENT_JS_JOIN_ACCEPT, d, rq->cids.v, rq->cids.len, "");
}

static void on_join(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg)
{
	struct as *as = ctx;
	const struct join_request *rq = msg;
	struct device *d = registry_device_by_uid(&as->registry, rq->device);
	struct nonces nonces = { as, rq->device };
	struct join_state state;
	struct session session;
	bool is_new = false;
	(void)peer;
	if (!d || !d->supports_join) {
		refuse(as, d, rq, request, join_refusal_word(JOIN_E_UNKNOWN),
			join_refusal_sentence(JOIN_E_UNKNOWN));
		return;
	}
	struct join_device device = { .mac_version = d->mac_version,
		.dev_eui = d->dev_eui,
		.join_eui = d->join_eui,
		.app_key = d->has_app_key ? &d->app_key : NULL,
		.nwk_key = d->has_nwk_key ? &d->nwk_key : NULL,
		.resets_nonces = d->resets_join_nonces,
		.is_used = is_used,
		.ctx = &nonces };
	int r = store_failing(as->store) ? -EAGAIN : load_state(as, rq->device, &state);
	if (!r)
		r = join_handle(
			as->crypto, &device, rq, loop_now(as->loop), &as->rng, &state, &session, &is_new);
	if (!r && is_new)
		r = save(as, rq->device, &state, &session);
	if (!r && is_new)
		r = registry_device_joined(&as->registry, d, loop_now(as->loop));
	if (r > 0)
		refuse(as, d, rq, request, join_refusal_word(r), join_refusal_sentence(r));
	else if (r < 0)
		refuse(as, d, rq, request, "unavailable", strerror(-r));
	else
		accept(as, d, rq, request, &state.answer);
	crypto_forget(&session, sizeof session);
	crypto_forget(&state, sizeof state);
}

static bool nonce_rises(const struct device *d)
{
	const struct mac_rules *rules = mac_rules(d->mac_version);
	return rules && rules->nonce_rises;
}

int joins_take(struct as *as, const struct device *d, const struct join_facts *f, bool is_dry, struct joins_news *ret)
{
	uint8_t key[UID_KEY], record[JOIN_RECORD_MAX], more[NONCES_RECORD_MAX];
	struct join_state state;
	struct slice nonces;
	size_t n = 0;
	*ret = (struct joins_news){ false };
	TRY(load_state(as, d->entry.uid, &state));
	TRY(load_nonces(as, d->entry.uid, &nonces));
	ret->has_joined_since = state.join_nonce > f->join_nonce;
	bool is_state_new = join_facts_merge(f, nonce_rises(d), &state);
	bool are_nonces_new = join_facts_merge_nonces(f, nonces, more, &n);
	ret->is_any = is_state_new || are_nonces_new;
	int r = 0;
	if (is_state_new && !is_dry) {
		size_t len;
		r = join_pack(&state, &as->envelope, record, &len);
		if (!r)
			r = store_put(as->store, as_store_uid_key(key, TABLE_JOIN, d->entry.uid), (struct slice){ record, len });
	}
	if (!r && are_nonces_new && !is_dry)
		r = store_put(as->store, as_store_uid_key(key, TABLE_DEV_NONCES, d->entry.uid), (struct slice){ more, n });
	crypto_forget(&state, sizeof state);
	return r;
}

int joins_write(struct as *as, const struct device *d, struct text *t)
{
	struct join_state state;
	struct slice nonces;
	TRY(load_state(as, d->entry.uid, &state));
	TRY(load_nonces(as, d->entry.uid, &nonces));
	join_facts_write(t, &state, nonce_rises(d), nonces);
	crypto_forget(&state, sizeof state);
	return 0;
}

int joins_start(struct as *as, struct text *err)
{
	(void)err;
	as_add_method(as, NSJS_JOIN, on_join);
	return 0;
}

void joins_stop(struct as *as)
{
	(void)as;
}
