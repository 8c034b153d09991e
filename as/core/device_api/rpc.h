/** @file A call from the server to a device: what is asked, how far it has come, what the device answered.
 *
 * QUEUED -> SENT -> DELIVERED -> SUCCESSFUL, or EXPIRED when its time is up, or FAILED. One that nobody answers (one-way) is
 * successful once it has been sent; if it is persistent, once it has arrived.
 */
#pragma once
#include "as/core/hash.h"
#include "common/core/clock.h"
#include "common/core/heap.h"
#include "common/core/id.h"
#include "common/core/json.h"

struct problem;

enum rpc_state { RPC_QUEUED, RPC_SENT, RPC_DELIVERED, RPC_SUCCESSFUL, RPC_FAILED, RPC_EXPIRED, RPC_STATES };
enum {
	RPC_METHOD_MAX = 255, RPC_BODY_MAX = 60 << 10, /**< octets */
	RPC_PER_DEVICE = 100, /**< that are not over; and as many persistent ones that are */
	RPC_OWN_CIDS_MAX = 2048,
	RPC_RECORD_MAX = 256 << 10, RPC_RECORD_TOKENS = 16384
};
#define RPC_TIMEOUT_US (10 * SEC_US)
#define RPC_TIMEOUT_MAX_US (366 * UINT64_C(86400) * SEC_US)

/** What is wanted. */
struct rpc_wish {
	char method[RPC_METHOD_MAX + 1];
	struct str params;   /**< JSON; "{}" where none is given; borrowed */
	bool oneway, persistent;
	uint64_t timeout_us;
};

struct rpc {
	struct ulid id;
	uint64_t device;       /**< registry number */
	int32_t request;       /**< its number on the wire */
	enum rpc_state state;
	bool oneway, persistent;
	bool is_push, is_confirmed; /**< it came as a down/push, and is answered as one */
	uint64_t created_unix_us, expires_unix_us;
	uint64_t login;        /**< that it was sent to last; not kept */
	void *waiter;          /**< whom the shell answers; not kept */
	struct heap_node due;
	struct rpc *prev, *next; /**< of the device, oldest first */
	UT_hash_handle hh;     /**< by id */
	char *method, *params, *response; /**< JSON but for the method; response NULL: none */
	char *own_cids;        /**< of a push: the application's correlation ids, one after another, each terminated; NULL: none */
	size_t own_cids_n;
};

/** Read {"method","params","oneway","timeout":MS or "10s","persistent","expirationTime":MS}. Names may be spelled either way.
 * @param room  where the params are written as strict JSON; borrowed by *ret
 * @return 0; REGISTRY_E_INVALID; -ENOMEM */
int rpc_read(const struct json *j, json_val object, uint64_t now_unix_us, struct text *room, struct rpc_wish *ret, struct problem *p);
/** @param rng  for its id; NULL: it is given one afterwards @return NULL: no memory */
struct rpc *rpc_new(const struct rpc_wish *w, uint64_t device, uint64_t now_unix_us, const struct rng *rng);
void rpc_free(struct rpc *r);
bool rpc_is_over(const struct rpc *r);
const char *rpc_state_name(enum rpc_state s);
/** Keep the application's own correlation ids with it. @return 0; -ENOMEM */
int rpc_name(struct rpc *r, const char *own_cids, size_t n);
/** @return 0; -ENOMEM */
int rpc_answer(struct rpc *r, struct str json);
/** As the device is told it: {"method":…,"params":…} */
void rpc_body(struct text *t, const struct rpc *r);
/** As operators see it. */
void rpc_write(struct text *t, const struct rpc *r);
/** As it is kept; and back. @return 0; -EPROTO; -ENOMEM */
void rpc_pack(struct text *t, const struct rpc *r);
int rpc_unpack(const struct json *j, uint64_t device, struct rpc **ret);
