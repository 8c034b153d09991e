/** @file The join server: checks join-requests and rejoin-requests, spends nonces, derives keys. The AppSKey never leaves this
 * process.
 *
 * Until 1.0.3 a DevNonce is chance: all used ones are remembered for ever. From 1.0.4 on it rises, and so does the RJcount1 of
 * 1.1. JoinNonce counts from 1. A request repeated within JOIN_REPEAT_US (a lost answer, another gateway) gets the same answer.
 * A device that forgets its DevNonces is served if the operator says so; what it joins with is remembered all the same.
 * Rejoin-requests of type 0 and 2 are the network's own: it has checked their integrity code and RJcount0.
 */
#pragma once
#include "as/core/session.h"
#include "common/core/clock.h"
#include "proto/schema.h"

#define JOIN_REPEAT_US (10 * SEC_US)

/** Why a join-request is refused: JOIN_REFUSAL(symbol, word, sentence). */
#define JOIN_REFUSALS(R)                                                                                        \
	R(JOIN_E_UNKNOWN,    "device_not_found",    "no device with this JoinEUI and DevEUI joins here")         \
	R(JOIN_E_MALFORMED,  "malformed",           "neither a join-request nor a rejoin-request")               \
	R(JOIN_E_NO_KEY,     "no_root_key",         "a root key is missing: AppKey, and in LoRaWAN 1.1 NwkKey too") \
	R(JOIN_E_MIC,        "mic",                 "the MIC is wrong: the device has another AppKey (1.1: NwkKey)") \
	R(JOIN_E_NONCE_USED, "dev_nonce_reused",    "DevNonce was used before: a replay, or a device whose nonces are not kept") \
	R(JOIN_E_NONCE_LOW,  "dev_nonce_too_small", "DevNonce did not rise as LoRaWAN 1.0.4 wants it")           \
	R(JOIN_E_REJOIN_LOW, "rj_count1_too_small", "RJcount1 did not rise: a replay, or a device that forgot it") \
	R(JOIN_E_EXHAUSTED,  "join_nonce_too_high", "all join nonces of the device are used up")                 \
	R(JOIN_E_VERSION,    "version",             "a rejoin-request of a device registered with LoRaWAN 1.0.x")
enum {
	JOIN_OK,
#define R(symbol, word, sentence) symbol,
	JOIN_REFUSALS(R)
#undef R
	JOIN_E_N
};
const char *join_refusal_word(int outcome);
const char *join_refusal_sentence(int outcome);

/** What is remembered of a device's joins. */
struct join_state {
	uint32_t join_nonce;     /**< the last one given; 0: none yet */
	bool has_dev_nonce;
	bool nonce_rose;         /**< it was taken as one that rises; one of chance says nothing of the next */
	uint16_t dev_nonce;      /**< the last one accepted */
	bool has_rj_count1;
	uint16_t rj_count1;      /**< the last one accepted */
	bool has_answer;         /**< the rest is there: the last request accepted */
	uint8_t request_type;    /**< JOIN_REQ_TYPE; 0, 1, 2 rejoin */
	uint16_t request_nonce;  /**< its DevNonce or RJcount */
	uint8_t request_mic[4];
	uint64_t answered_us;    /**< unix time of it [us] */
	struct join_answer answer;
};

/** What the join server may ask: is a nonce used? */
struct join_device {
	uint32_t mac_version;
	uint64_t dev_eui, join_eui;
	const struct key *app_key, *nwk_key; /**< NULL: it has none */
	bool resets_nonces; /**< its DevNonces may come again, and in any order */
	bool (*is_used)(void *ctx, uint16_t dev_nonce);
	void *ctx;
};

/** Answer a join-request or rejoin-request.
 * @param state        the device's; replaced on 0 only
 * @param now          unix_us counts
 * @param ret_session  the new session, AppSKey included; set on 0 unless the answer is repeated (*ret_is_new false)
 * @return 0; JOIN_E_*; -EIO
 * @spec LW1.0.3 6.2; LW1.0.4 6.2; LW1.1 6.2 */
int join_handle(struct crypto *c, const struct join_device *d, const struct join_request *rq, const struct now *now, const struct rng *rng,
	struct join_state *state, struct session *ret_session, bool *ret_is_new);

/** After the store was put back from a copy: devices have seen later JoinNonces than it knows, and from 1.0.4 on take none that
 * does not rise. The answer of that day is not given again. */
void join_raise(struct join_state *s, uint32_t raise);

struct envelope;
enum { JOIN_RECORD_MAX = 256 };
int join_pack(const struct join_state *s, const struct envelope *e, uint8_t ret[JOIN_RECORD_MAX], size_t *ret_n);
/** @return 0; -EPROTO; -EBADMSG */
int join_unpack(struct slice record, const struct envelope *e, struct join_state *ret);
