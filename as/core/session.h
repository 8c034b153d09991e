/** @file Sessions as the application server knows them: which AppSKey goes with which session key id, and how far its downlink
 * counter has come. The network's keys and the uplink counters are the ns's.
 *
 * A device keeps its last SESSIONS_KEPT sessions, newest first: uplinks of the old one go on until the device uses the new one.
 */
#pragma once
#include "common/core/crypto.h"
#include "common/core/id.h"

enum { SESSIONS_KEPT = 4 };

struct session {
	struct ulid id;        /**< session_key_id */
	uint32_t dev_addr;
	uint32_t generation;   /**< of an ABP session: which of the operator's */
	struct key app_s_key;
	bool has_f_cnt_down;   /**< something was encrypted */
	uint32_t f_cnt_down;   /**< the last counter that it was for */
};

struct sessions {
	uint8_t n;
	struct session v[SESSIONS_KEPT];
};

/** Put a session in front; the oldest gives way. One of the same id is replaced. */
void sessions_add(struct sessions *s, const struct session *new_one);
struct session *sessions_find(struct sessions *s, const struct ulid *id); /**< NULL: unknown */

struct envelope;
enum { SESSIONS_RECORD_MAX = 2 + SESSIONS_KEPT * 64 };
/** As they are stored, keys sealed. @return 0; -EIO */
int sessions_pack(const struct sessions *s, const struct envelope *e, uint8_t ret[SESSIONS_RECORD_MAX], size_t *ret_n);
/** @return 0; -EPROTO damaged; -EBADMSG sealed with another key-encryption key */
int sessions_unpack(struct slice record, const struct envelope *e, struct sessions *ret);
