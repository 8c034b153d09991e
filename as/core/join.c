/** @file The join server. */
#include "as/core/join.h"
#include "as/core/envelope.h"
#include "proto/lorawan/keys.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include <string.h>

enum { JOIN_NONCE_MAX = 0xffffff, RECORD_VERSION = 1, HAS_NONCE = 1, HAS_ANSWER = 2 };

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

/** Is the request authentic, and from the device that is meant? @return 0; JOIN_E_*; -EIO */
static int check_request(struct crypto *c, const struct join_device *d, const struct join_request *rq, struct frame *ret)
{
	uint8_t mic[MIC_LEN];
	if (frame_parse((struct slice){ rq->phy.p, rq->phy.len }, ret) || ret->mtype != MTYPE_JOIN_REQUEST)
		return JOIN_E_MALFORMED;
	if (ret->join.join_eui != d->join_eui || ret->join.dev_eui != d->dev_eui)
		return JOIN_E_UNKNOWN;
	if (!d->has_app_key)
		return JOIN_E_NO_KEY;
	const struct mac_rules *rules = mac_rules(d->mac_version);
	if (!rules || rules->is_v11)
		return JOIN_E_VERSION;
	TRY(mic_join(c, d->app_key, ret->msg, mic));
	return mic_eq(mic, ret->mic) ? 0 : JOIN_E_MIC;
}

static int check_nonce(const struct join_device *d, const struct join_state *s, uint16_t nonce)
{
	if (mac_rules(d->mac_version)->nonce_rises)
		return s->has_dev_nonce && nonce <= s->dev_nonce ? JOIN_E_NONCE_LOW : 0;
	return d->is_used(d->ctx, nonce) ? JOIN_E_NONCE_USED : 0;
}

/** Derive the keys and seal the join-accept. */
static int make_answer(struct crypto *c, const struct join_device *d, const struct join_request *rq, struct join_state *s,
	struct session *session)
{
	struct join_values values = { .join_nonce = s->join_nonce, .net_id = rq->net_id, .join_eui = d->join_eui, .dev_nonce = s->dev_nonce };
	struct join_accept accept = {
		.join_nonce = s->join_nonce, .net_id = rq->net_id, .dev_addr = rq->dev_addr,
		.dl_settings = (uint8_t)rq->dl_settings, .rx_delay = (uint8_t)rq->rx_delay,
		.has_cf_list = MSG_HAS(rq, cf_list) && rq->cf_list.len == CF_LIST_LEN,
	};
	struct join_seal seal = {
		.enc = d->app_key, .mic = d->app_key, .req_type = JOIN_REQ_TYPE, .join_eui = d->join_eui, .dev_nonce = s->dev_nonce,
	};
	struct session_keys keys;
	size_t n;
	if (accept.has_cf_list)
		memcpy(accept.cf_list, rq->cf_list.p, CF_LIST_LEN);
	TRY(keys_session_1_0(c, d->app_key, &values, &keys));
	TRY(join_accept_seal(c, &seal, &accept, s->answer.phy.p, &n));
	s->answer.phy.len = (uint16_t)n;
	s->answer.session_key_id = session->id;
	s->answer.f_nwk_s_int_key = keys.f_nwk_s_int;
	s->answer.s_nwk_s_int_key = keys.s_nwk_s_int;
	s->answer.nwk_s_enc_key = keys.nwk_s_enc;
	s->answer.dev_addr = rq->dev_addr;
	session->app_s_key = keys.app_s;
	session->dev_addr = rq->dev_addr;
	crypto_forget(&keys, sizeof keys);
	return 0;
}

int join_handle(struct crypto *c, const struct join_device *d, const struct join_request *rq, const struct now *now, const struct rng *rng,
	struct join_state *state, struct session *ret_session, bool *ret_is_new)
{
	struct frame f;
	int r = check_request(c, d, rq, &f);
	if (r)
		return r;
	bool is_repeat = state->has_answer && state->has_dev_nonce && f.join.dev_nonce == state->dev_nonce &&
		mic_eq(f.mic, state->request_mic) && now->unix_us - state->answered_us < JOIN_REPEAT_US;
	*ret_is_new = !is_repeat;
	if (is_repeat)
		return 0;
	r = check_nonce(d, state, f.join.dev_nonce);
	if (r)
		return r;
	if (state->join_nonce >= JOIN_NONCE_MAX)
		return JOIN_E_EXHAUSTED;
	struct join_state s = *state;
	struct session session = { .id = ulid_make(now->unix_us, rng) };
	s.join_nonce++;
	s.has_dev_nonce = s.has_answer = true;
	s.dev_nonce = f.join.dev_nonce;
	memcpy(s.request_mic, f.mic, sizeof s.request_mic);
	s.answered_us = now->unix_us;
	TRY(make_answer(c, d, rq, &s, &session));
	*state = s;
	*ret_session = session;
	return 0;
}

void join_raise(struct join_state *s, uint32_t raise)
{
	s->join_nonce = s->join_nonce < JOIN_NONCE_MAX - raise ? s->join_nonce + raise : JOIN_NONCE_MAX;
	s->has_answer = false;
}

int join_pack(const struct join_state *s, const struct envelope *e, uint8_t ret[JOIN_RECORD_MAX], size_t *ret_n)
{
	const struct key *keys[] = { &s->answer.f_nwk_s_int_key, &s->answer.s_nwk_s_int_key, &s->answer.nwk_s_enc_key };
	struct writer w = writer_of(ret, JOIN_RECORD_MAX);
	writer_u8(&w, RECORD_VERSION);
	writer_be32(&w, s->join_nonce);
	writer_u8(&w, (uint8_t)((s->has_dev_nonce ? HAS_NONCE : 0) | (s->has_answer ? HAS_ANSWER : 0)));
	writer_be16(&w, s->dev_nonce);
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
	s.dev_nonce = reader_be16(&r);
	struct slice mic = reader_take(&r, sizeof s.request_mic);
	s.answered_us = reader_be64(&r);
	if (r.failed)
		return -EPROTO;
	memcpy(s.request_mic, mic.p, mic.n);
	if (s.has_answer)
		TRY(unpack_answer(&r, e, &s.answer));
	*ret = s;
	return 0;
}
