/** @file The join server. */
#include "as/core/join.h"
#include "as/core/envelope.h"
#include "proto/lorawan/keys.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include <string.h>

enum { JOIN_NONCE_MAX = 0xffffff, RECORD_VERSION = 1 };
enum { HAS_NONCE = 1, HAS_ANSWER = 2, HAS_RJ_COUNT1 = 4, NONCE_ROSE = 8, ANSWER_V11 = 16, IS_REJOIN = 32 };

static const struct {
	const char *word, *sentence;
} refusals[] = {
	{ "", "" },
#define R(symbol, word, sentence) { word, sentence },
	JOIN_REFUSALS(R)
#undef R
};
_Static_assert(COUNT(refusals) == JOIN_E_N, "a row for every refusal");

const char *join_refusal_word(int outcome)
{
	return outcome > 0 && outcome < JOIN_E_N ? refusals[outcome].word : "";
}

const char *join_refusal_sentence(int outcome)
{
	return outcome > 0 && outcome < JOIN_E_N ? refusals[outcome].sentence : "";
}

/** A request that was found to be authentic, and the keys that go with it. */
struct request {
	uint8_t type; /**< JOIN_REQ_TYPE; 0, 1, 2 rejoin */
	uint16_t nonce;
	uint8_t mic[MIC_LEN];
	bool is_v11, nonce_rises;
	const struct key *root;      /**< AppKey, or the NwkKey of a 1.1 device */
	struct key js_int, js_enc;   /**< 1.1 */
};

static int is_signed(struct crypto *c, const struct key *k, const struct frame *f)
{
	uint8_t mic[MIC_LEN];
	TRY(mic_join(c, k, f->msg, mic));
	return mic_eq(mic, f->mic) ? 0 : JOIN_E_MIC;
}

/** 1.0.x: the AppKey; or the NwkKey, if the device is one of 1.1 that the operator registered as 1.0.x. [LW1.1 6.1.1.3] */
static int check_1_0(struct crypto *c, const struct join_device *d, const struct frame *f, struct request *ret)
{
	const struct key *roots[] = { d->app_key, d->nwk_key };
	int r = JOIN_E_NO_KEY;
	if (f->mtype == MTYPE_REJOIN)
		return JOIN_E_VERSION;
	for (size_t i = 0; i < COUNT(roots); i++) {
		if (!roots[i])
			continue;
		r = is_signed(c, roots[i], f);
		if (r == JOIN_E_MIC)
			continue;
		ret->root = roots[i];
		return r;
	}
	return r;
}

static int check_1_1(struct crypto *c, const struct join_device *d, const struct frame *f, struct request *ret)
{
	if (!d->nwk_key || !d->app_key)
		return JOIN_E_NO_KEY;
	ret->root = d->nwk_key;
	TRY(keys_js(c, d->nwk_key, d->dev_eui, &ret->js_int, &ret->js_enc));
	if (ret->type == JOIN_REQ_TYPE)
		return is_signed(c, d->nwk_key, f);
	return ret->type == 1 ? is_signed(c, &ret->js_int, f) : 0;
}

/** Is the request authentic, and from the device that is meant? @return 0; JOIN_E_*; -EIO */
static int check_request(struct crypto *c, const struct join_device *d, const struct join_request *rq, struct request *ret)
{
	struct frame f;
	const struct mac_rules *rules = mac_rules(d->mac_version);
	if (frame_parse((struct slice){ rq->phy.p, rq->phy.len }, &f) || (f.mtype != MTYPE_JOIN_REQUEST && f.mtype != MTYPE_REJOIN))
		return JOIN_E_MALFORMED;
	*ret = (struct request){ .type = f.mtype == MTYPE_REJOIN ? f.join.rejoin_type : JOIN_REQ_TYPE, .nonce = f.join.dev_nonce };
	bool names_join_eui = ret->type == JOIN_REQ_TYPE || ret->type == 1;
	if (!rules || f.join.dev_eui != d->dev_eui || (names_join_eui && f.join.join_eui != d->join_eui))
		return JOIN_E_UNKNOWN;
	memcpy(ret->mic, f.mic, MIC_LEN);
	ret->is_v11 = rules->is_v11;
	ret->nonce_rises = rules->nonce_rises;
	return rules->is_v11 ? check_1_1(c, d, &f, ret) : check_1_0(c, d, &f, ret);
}

static int check_nonce(const struct join_device *d, const struct join_state *s, const struct request *rq)
{
	if (rq->type == 1)
		return s->has_rj_count1 && rq->nonce <= s->rj_count1 ? JOIN_E_REJOIN_LOW : 0;
	if (rq->type != JOIN_REQ_TYPE || d->resets_nonces)
		return 0;
	if (rq->nonce_rises && s->has_dev_nonce && s->nonce_rose && rq->nonce <= s->dev_nonce)
		return JOIN_E_NONCE_LOW;
	return d->is_used(d->ctx, rq->nonce) ? JOIN_E_NONCE_USED : 0;
}

/** The request becomes the last one accepted. */
static void remember(struct join_state *s, const struct request *rq, uint64_t now_us)
{
	s->join_nonce++;
	if (rq->type == JOIN_REQ_TYPE) {
		s->has_dev_nonce = true;
		s->nonce_rose = rq->nonce_rises;
		s->dev_nonce = rq->nonce;
	} else if (rq->type == 1) {
		s->has_rj_count1 = true;
		s->rj_count1 = rq->nonce;
	}
	s->has_answer = true;
	s->request_type = rq->type;
	s->request_nonce = rq->nonce;
	memcpy(s->request_mic, rq->mic, sizeof s->request_mic);
	s->answered_us = now_us;
}

static bool is_repeat(const struct join_state *s, const struct request *rq, uint64_t now_us)
{
	return s->has_answer && s->request_type == rq->type && s->request_nonce == rq->nonce && mic_eq(rq->mic, s->request_mic) &&
	       now_us - s->answered_us < JOIN_REPEAT_US;
}

static int make_keys(struct crypto *c, const struct join_device *d, const struct request *rq, const struct join_values *v,
	struct session_keys *ret)
{
	return rq->is_v11 ? keys_session_1_1(c, d->nwk_key, d->app_key, v, ret) : keys_session_1_0(c, rq->root, v, ret);
}

/** Derive the keys and seal the join-accept. */
static int make_answer(struct crypto *c, const struct join_device *d, const struct join_request *m, const struct request *rq,
	struct join_state *s, struct session *session)
{
	struct join_values values = { .join_nonce = s->join_nonce, .net_id = m->net_id, .join_eui = d->join_eui, .dev_nonce = rq->nonce };
	struct join_accept accept = {
		.join_nonce = s->join_nonce, .net_id = m->net_id, .dev_addr = m->dev_addr,
		.dl_settings = (uint8_t)((m->dl_settings & ~(unsigned)DL_OPT_NEG) | (rq->is_v11 ? DL_OPT_NEG : 0)), .rx_delay = (uint8_t)m->rx_delay,
		.has_cf_list = MSG_HAS(m, cf_list) && m->cf_list.len == CF_LIST_LEN,
	};
	struct join_seal seal = {
		.enc = rq->type == JOIN_REQ_TYPE ? rq->root : &rq->js_enc, .mic = rq->is_v11 ? &rq->js_int : rq->root, .req_type = rq->type,
		.join_eui = d->join_eui, .dev_nonce = rq->nonce,
	};
	struct session_keys keys;
	size_t n;
	if (accept.has_cf_list)
		memcpy(accept.cf_list, m->cf_list.p, CF_LIST_LEN);
	TRY(make_keys(c, d, rq, &values, &keys));
	TRY(join_accept_seal(c, &seal, &accept, s->answer.phy.p, &n));
	s->answer.has = 0;
	s->answer.phy.len = (uint16_t)n;
	s->answer.session_key_id = session->id;
	s->answer.f_nwk_s_int_key = keys.f_nwk_s_int;
	s->answer.s_nwk_s_int_key = keys.s_nwk_s_int;
	s->answer.nwk_s_enc_key = keys.nwk_s_enc;
	s->answer.dev_addr = m->dev_addr;
	if (rq->is_v11)
		MSG_SET(&s->answer, v11, true);
	session->app_s_key = keys.app_s;
	session->dev_addr = m->dev_addr;
	crypto_forget(&keys, sizeof keys);
	return 0;
}

int join_handle(struct crypto *c, const struct join_device *d, const struct join_request *m, const struct now *now, const struct rng *rng,
	struct join_state *state, struct session *ret_session, bool *ret_is_new)
{
	struct request rq;
	int r = check_request(c, d, m, &rq);
	if (r)
		return r;
	*ret_is_new = !is_repeat(state, &rq, now->unix_us);
	if (!*ret_is_new)
		return 0;
	r = check_nonce(d, state, &rq);
	if (r)
		return r;
	if (state->join_nonce >= JOIN_NONCE_MAX)
		return JOIN_E_EXHAUSTED;
	struct join_state s = *state;
	struct session session = { .id = ulid_make(now->unix_us, rng) };
	remember(&s, &rq, now->unix_us);
	r = make_answer(c, d, m, &rq, &s, &session);
	crypto_forget(&rq, sizeof rq);
	if (r)
		return r;
	*state = s;
	*ret_session = session;
	return 0;
}

void join_raise(struct join_state *s, uint32_t raise)
{
	s->join_nonce = s->join_nonce < JOIN_NONCE_MAX - raise ? s->join_nonce + raise : JOIN_NONCE_MAX;
	s->has_answer = false;
}

static uint8_t flags_of(const struct join_state *s)
{
	return (uint8_t)((s->has_dev_nonce ? HAS_NONCE : 0) | (s->has_answer ? HAS_ANSWER : 0) | (s->has_rj_count1 ? HAS_RJ_COUNT1 : 0) |
			 (s->nonce_rose ? NONCE_ROSE : 0) | (s->has_answer && MSG_HAS(&s->answer, v11) && s->answer.v11 ? ANSWER_V11 : 0) |
			 (s->has_answer && s->request_type != JOIN_REQ_TYPE ? IS_REJOIN : 0));
}

int join_pack(const struct join_state *s, const struct envelope *e, uint8_t ret[JOIN_RECORD_MAX], size_t *ret_n)
{
	const struct key *keys[] = { &s->answer.f_nwk_s_int_key, &s->answer.s_nwk_s_int_key, &s->answer.nwk_s_enc_key };
	struct writer w = writer_of(ret, JOIN_RECORD_MAX);
	writer_u8(&w, RECORD_VERSION);
	writer_be32(&w, s->join_nonce);
	writer_u8(&w, flags_of(s));
	writer_be16(&w, s->dev_nonce);
	if (s->has_rj_count1)
		writer_be16(&w, s->rj_count1);
	if (flags_of(s) & IS_REJOIN) {
		writer_u8(&w, s->request_type);
		writer_be16(&w, s->request_nonce);
	}
	writer_put(&w, s->request_mic, sizeof s->request_mic);
	writer_be64(&w, s->answered_us);
	if (s->has_answer) {
		writer_u8(&w, (uint8_t)s->answer.phy.len);
		writer_put(&w, s->answer.phy.p, s->answer.phy.len);
		writer_put(&w, s->answer.session_key_id.b, sizeof s->answer.session_key_id.b);
		writer_be32(&w, s->answer.dev_addr);
		for (size_t i = 0; i < COUNT(keys); i++) {
			uint8_t sealed[WRAPPED_KEY];
			TRY(envelope_seal(e, keys[i], sealed));
			writer_put(&w, sealed, sizeof sealed);
		}
	}
	*ret_n = w.len;
	return w.failed ? -EIO : 0;
}

static int unpack_answer(struct reader *r, const struct envelope *e, struct join_answer *ret)
{
	struct key *keys[] = { &ret->f_nwk_s_int_key, &ret->s_nwk_s_int_key, &ret->nwk_s_enc_key };
	size_t n = reader_u8(r);
	struct slice phy = reader_take(r, n), id = reader_take(r, sizeof ret->session_key_id.b);
	if (r->failed || n > sizeof ret->phy.p)
		return -EPROTO;
	memcpy(ret->phy.p, phy.p, n);
	ret->phy.len = (uint16_t)n;
	memcpy(ret->session_key_id.b, id.p, id.n);
	ret->dev_addr = reader_be32(r);
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct slice sealed = reader_take(r, WRAPPED_KEY);
		if (r->failed)
			return -EPROTO;
		TRY(envelope_open(e, sealed.p, keys[i]));
	}
	return 0;
}

int join_unpack(struct slice record, const struct envelope *e, struct join_state *ret)
{
	struct reader r = reader_of(record.p, record.n);
	struct join_state s = { 0 };
	if (reader_u8(&r) != RECORD_VERSION)
		return -EPROTO;
	s.join_nonce = reader_be32(&r);
	uint8_t flags = reader_u8(&r);
	s.has_dev_nonce = flags & HAS_NONCE;
	s.has_answer = flags & HAS_ANSWER;
	s.has_rj_count1 = flags & HAS_RJ_COUNT1;
	s.nonce_rose = flags & NONCE_ROSE;
	s.dev_nonce = reader_be16(&r);
	if (s.has_rj_count1)
		s.rj_count1 = reader_be16(&r);
	s.request_type = flags & IS_REJOIN ? reader_u8(&r) : JOIN_REQ_TYPE;
	s.request_nonce = flags & IS_REJOIN ? reader_be16(&r) : s.dev_nonce;
	struct slice mic = reader_take(&r, sizeof s.request_mic);
	s.answered_us = reader_be64(&r);
	if (r.failed)
		return -EPROTO;
	memcpy(s.request_mic, mic.p, mic.n);
	if (s.has_answer)
		TRY(unpack_answer(&r, e, &s.answer));
	if (s.has_answer && flags & ANSWER_V11)
		MSG_SET(&s.answer, v11, true);
	*ret = s;
	return 0;
}
