/** @file A device may be claimed: by whoever knows the secret that it has said, for as long as it has said. */
#pragma once
#include "common/core/clock.h"
#include "common/core/crypto.h"
#include "common/core/json.h"

enum { CLAIM_SECRET_MAX = 255, CLAIM_RECORD = 16 + SHA256_LEN };

struct claim {
	uint8_t secret[SHA256_LEN];  /**< SHA-256 of it */
	uint64_t expires_unix_us;    /**< 0: nobody may claim it */
	uint64_t claimed_unix_us;    /**< 0: nobody has */
};
enum claim_outcome { CLAIM_SUCCESS, CLAIM_FAILURE, CLAIM_CLAIMED };

/** Read {"secretKey","durationMs"}, both of which may be left out. @param j  NULL: an empty message
 * @param usual_us  how long where it is not said, or not positive @return 0; -EBADMSG */
int claim_read(const struct json *j, uint64_t now_unix_us, uint64_t usual_us, struct claim *ret);
/** The device says that it may be claimed. One that is live, or claimed, stays as it is. @return whether it was taken */
bool claim_offer(struct claim *c, const struct claim *offer, uint64_t now_unix_us);
/** Somebody claims it. A wrong secret ends the offer. */
enum claim_outcome claim_take(struct claim *c, struct str secret, uint64_t now_unix_us);
void claim_pack(const struct claim *c, uint8_t ret[CLAIM_RECORD]);
/** @return 0; -EPROTO */
int claim_unpack(struct slice s, struct claim *ret);
