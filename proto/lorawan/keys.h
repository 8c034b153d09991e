/** @file Key derivation: from root keys to session keys. [LW1.0.4 6.2.5, LW1.1 6.1.1, 6.2.5, TS005] */
#pragma once
#include "common/core/crypto.h"

/** The four keys of a session. In 1.0.x the three network keys are one and the same. */
struct session_keys {
	struct key f_nwk_s_int, s_nwk_s_int, nwk_s_enc, app_s;
};

/** What a join settled. */
struct join_values {
	uint32_t join_nonce; /**< 24 bits */
	uint32_t net_id;     /**< 24 bits */
	uint64_t join_eui;
	uint16_t dev_nonce;  /**< or the RJcount of a rejoin */
};

/** 1.0.x, and OptNeg 0 of 1.1 (root is the AppKey, or the NwkKey of a 1.1 device). @return 0; -EIO */
int keys_session_1_0(
	struct crypto *c, const struct key *root, const struct join_values *v, struct session_keys *ret);
/** 1.1 with OptNeg 1. @return 0; -EIO */
int keys_session_1_1(struct crypto *c, const struct key *nwk_key, const struct key *app_key,
	const struct join_values *v, struct session_keys *ret);
/** JSIntKey and JSEncKey of a 1.1 device. @return 0; -EIO */
int keys_js(struct crypto *c, const struct key *nwk_key, uint64_t dev_eui, struct key *ret_int,
	struct key *ret_enc);

/** McRootKey from the GenAppKey (1.0.x) or from the AppKey (1.1). @return 0; -EIO */
int keys_mc_root(struct crypto *c, const struct key *root, bool is_v11, struct key *ret);
/** McKEKey from McRootKey. @return 0; -EIO */
int keys_mc_kek(struct crypto *c, const struct key *mc_root, struct key *ret);
/** McKey_encrypted as McGroupSetupReq carries it. @return 0; -EIO */
int keys_mc_sealed(struct crypto *c, const struct key *mc_kek, const struct key *mc_key, struct key *ret);
/** McNwkSKey and McAppSKey of a group. @return 0; -EIO */
int keys_mc_session(struct crypto *c, const struct key *mc_key, uint32_t mc_addr, struct key *ret_nwk,
	struct key *ret_app);
/** RootWorSKey of a relay, from the NwkSEncKey (1.1) or NwkSKey. [TS011] @return 0; -EIO */
int keys_wor_root(struct crypto *c, const struct key *nwk_s_enc, struct key *ret);
/** WorSIntKey and WorSEncKey of an end-device behind a relay. [TS011] @return 0; -EIO */
int keys_wor_session(struct crypto *c, const struct key *wor_root, uint32_t dev_addr, struct key *ret_int,
	struct key *ret_enc);
/** DataBlockIntKey of fragmented blocks, from the GenAppKey (1.0.x) or AppKey (1.1). [TS004 v2] @return 0;
 * -EIO */
int keys_data_block(struct crypto *c, const struct key *root, struct key *ret);
