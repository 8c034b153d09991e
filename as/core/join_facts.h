/** @file What another join server remembers of a device's joins, as The Things Stack writes it: taken over so that no nonce is
 * used twice, and written for the way back. */
#pragma once
#include "as/core/join.h"
#include "as/core/nonces.h"
#include "as/core/registry/record.h"
#include "common/core/json.h"
#include "common/core/json_out.h"

struct join_facts {
	bool has_join_nonce, has_dev_nonce, has_rj_count1;
	uint32_t join_nonce; /**< last_join_nonce; 0 if absent */
	uint16_t dev_nonce;  /**< last_dev_nonce */
	uint16_t rj_count1;  /**< last_rj_count_1 */
	uint32_t n_used;
	uint8_t used[65536 / 8]; /**< used_dev_nonces, a bit for each */
};

/** Read the members of an end device. Zeros may be absent, as The Things Stack leaves them out.
 * @return 0; REGISTRY_E_INVALID, naming the member */
int join_facts_read(const struct json *j, json_val device, struct join_facts *ret, struct problem *p);
/** Does it say anything at all? */
bool join_facts_any(const struct join_facts *f);
/** Let the state know them too: what is known already stays, everything only rises.
 * @param nonce_rises  of the device's version
 * @return whether anything was new */
bool join_facts_merge(const struct join_facts *f, bool nonce_rises, struct join_state *io);
/** Likewise the record of used nonces (as/core/nonces.h).
 * @param ret  the record with them
 * @return whether anything was new; false as well for a damaged record, which says yes to all */
bool join_facts_merge_nonces(const struct join_facts *f, struct slice record, uint8_t ret[NONCES_RECORD_MAX], size_t *ret_n);
/** Write them as members of an end device. */
void join_facts_write(struct text *t, const struct join_state *s, bool nonce_rises, struct slice nonces);
