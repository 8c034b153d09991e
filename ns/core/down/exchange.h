/** @file An exchange: the answer to one uplink, from the moment it is planned until its emission has an outcome.
 *
 *     WAIT -> PULL -> OUT -> (closed)      each may end early; OUT goes back to WAIT for RX2 when RX1 was refused
 *
 * A device has at most one to a data uplink and one that carries a join-accept; join-requests that are being checked have
 * theirs without it, as anybody can send those. Whoever must speak of one later (a call's answer, a late copy) keeps its ticket, not a pointer.
 */
#pragma once
#include "common/core/heap.h"
#include "ns/core/device.h"
#include "ns/core/hash.h"
#include "ns/core/down/path.h"
#include "proto/lorawan/frame.h"

struct exchange;

enum exchange_state {
	EXCHANGE_WAIT, /**< for the latest safe moment of window `at` */
	EXCHANGE_PULL, /**< for the as to say what is next */
	EXCHANGE_OUT,  /**< for the outcome of an emission */
};
enum { RX1, RX2, WINDOWS };

struct window {
	bool is_there;
	uint8_t dr;
	uint32_t freq_hz;
	uint64_t delay_us; /**< from the end of the uplink to its start */
	struct modu modu;
};

enum attempt_end { ATTEMPT_OPEN, ATTEMPT_SENT, ATTEMPT_REFUSED, ATTEMPT_UNKNOWN };
struct attempt {
	struct attempt *next;
	struct ulid id; /**< ns:transmission */
	struct exchange *exchange;
	struct gateway *gateway;
	uint8_t window, end;
	uint8_t leg; /**< of a cast */
	int8_t eirp_dbm;
	uint32_t result; /**< of proto/tx_result.def */
	uint64_t until_us; /**< its outcome is awaited no longer */
	uint64_t asked_us;   /**< when its gs was told */
	uint64_t air_before_us; /**< without it, the device's air would be taken until then */
	UT_hash_handle hh;
};

struct cast;

struct exchange {
	struct heap_node due;
	struct cast *cast;    /**< sent at a time of our choosing (cast.h); NULL: the answer to an uplink */
	const char *failure;  /**< row of proto/errors.def that its item ends with, unless it was sent; NULL: back to its queue */
	uint64_t ticket, device;
	struct ulid session;
	uint8_t state, at; /**< enum exchange_state; RX1 or RX2 */
	bool is_join, wants_ack, wants_any, no_pull;
	bool is_concluding; /**< OUT, and nothing more will be tried */
	bool is_prepared;  /**< the as was told that the pull of window `at` is near, if something waited then */
	uint64_t asked_us;  /**< when the as was asked, for a join-accept or for an item */
	uint64_t moment_us; /**< WAIT: the latest safe moment of window `at` */
	uint8_t join_type; /**< is_join: JOIN_REQ_TYPE; 0, 1, 2 answers a rejoin-request */
	uint32_t hash;     /**< of the join-request's octets */
	uint64_t told;     /**< end of the outbox when it was planned: the as is asked for an item once it was sent all before */
	uint64_t batch;    /**< what is answered is in it: no answer before it is on disk */
	uint64_t first_unix_us; /**< arrival of the uplink */
	uint32_t up_f_cnt; /**< its counter */
	struct window window[WINDOWS];
	struct path path[NS_PATHS_MAX];
	size_t n_paths;
	struct cid_list cids;
	uint8_t mac[MAC_DOWN_MAX]; /**< answers and requests; more than FOPTS_MAX are a frame of FPort 0 */
	uint8_t mac_len;
	bool has_requests, has_more; /**< requests are among them; and more are to come */
	/* The frame, once it is built. */
	uint32_t f_cnt;
	uint8_t priority;
	bool has_item; /**< it carries the device's flight */
	uint16_t len;
	uint8_t phy[PHY_MAX];
	struct attempt *attempts;
	size_t n_attempts;
	UT_hash_handle hh;
};

struct exchanges {
	struct pool pool, attempt_pool, cast_pool;
	struct heap due;
	struct exchange *by_ticket;
	struct attempt *by_id;
	uint64_t last_ticket;
};

void exchanges_init(struct exchanges *t);
void exchanges_done(struct exchanges *t);
struct exchange *exchange_find(const struct exchanges *t, uint64_t ticket);
/** A new one to a data uplink of a device, which must have none. NULL: too many */
struct exchange *exchange_open(struct exchanges *t, struct dev *d);
/** A new one to a join-request. NULL: too many */
struct exchange *exchange_open_join(struct exchanges *t, const struct dev *d);
/** One that answers nothing, with an empty cast. NULL: too many */
struct exchange *exchange_open_cast(struct exchanges *t, struct dev *d);
/** Forget it. @param d its device; NULL: that is gone */
void exchange_close(struct exchanges *t, struct exchange *x, struct dev *d);
struct attempt *attempt_find(const struct exchanges *t, const struct ulid *id);
struct attempt *attempt_add(struct exchanges *t, struct exchange *x, const struct ulid *id);
