/** @file The downlink queue of each device: plaintext, ordered by priority and then age, durable through a sink.
 *
 * The head is offered, durably, when a pull is near: only then may it be pulled. So after a crash it is known which item
 * may have been on its way, though the note of the pull itself was lost; no commit stands between pull and transmission.
 *
 * An item's life:  WAITING -> FLYING (pulled, encrypted for one counter) -> gone (sent, failed)
 *                                   |-> WAITING (returned unsent: back to its place)
 *                                   `-> AWAITED (confirmed, sent) -> gone (ack, attempts used up) | WAITING (nack)
 * Since order is by priority and age, an item that comes back stands at the head of its priority again.
 */
#pragma once
#include "as/core/session.h"
#include "common/core/clock.h"
#include "proto/tts/request.h"
#include <sys/queue.h>

enum { QUEUE_MAX = 10000, QUEUE_ATTEMPTS = 8, QUEUE_WINDOWS = 8 };
/** Longest decoded_payload, and decoded_payload_warnings, that are kept with an item; longer ones are not. */
enum { QUEUE_DECODED_MAX = 2048, QUEUE_WARNINGS_MAX = 1024 };
#define QUEUE_LEASE_US (30 * SEC_US)
#define QUEUE_LEASE_LONG_US (1200 * SEC_US) /* of a device that listens always: the ns may hold it for ns.class-c-max-delay */
#define QUEUE_AHEAD_US (3 * SEC_US) /* what is to be sent at a given time is handed out no sooner before it */
#define QUEUE_OFFER_US (3 * SEC_US) /* the pull follows within 0.3 s */

enum item_state { ITEM_WAITING, ITEM_FLYING, ITEM_AWAITED };

struct item {
	struct item *next, *prev;
	uint64_t seq;       /**< age: rises with every push */
	struct ulid id;     /**< as:downlink */
	uint64_t queued_unix_us;
	uint64_t flying_us; /**< monotonic: since when it is out, or offered */
	uint64_t offer;     /**< number of the offer; 0: none */
	struct ulid session_key_id; /**< of the last pull */
	uint32_t f_cnt;             /**< of the last pull */
	uint8_t state, f_port, priority, attempt, max_attempts, misses; /**< misses: windows that were too small */
	bool confirmed;
	bool is_recalled;   /**< replaced or cleared while it was out: it does not come back */
	bool was_sent;
	bool is_doubtful;   /**< offered to an ns before this process began, which may have pulled it; not kept */
	bool is_repeat;     /**< the last pull was the same question again; not kept */
	bool is_long;       /**< handed out at a time of the ns's choosing: that takes longer; not kept */
	bool is_placed;     /**< names gateways. As its class_b_c says */
	uint64_t at_unix_us; /**< when it is to be sent; 0: as soon as possible. As its class_b_c says */
	uint8_t payload_n;
	uint16_t own_cids_n, class_b_c_n; /**< class_b_c with terminator; 0: none */
	uint16_t decoded_n, warnings_n;   /**< likewise */
	uint8_t bytes[];    /**< payload, own correlation ids, class_b_c, decoded_payload, its warnings */
};

struct slice item_payload(const struct item *i);
const char *item_own_cids(const struct item *i);
const char *item_class_b_c(const struct item *i); /**< NULL: none */
const char *item_decoded(const struct item *i);   /**< decoded_payload as JSON; NULL: none */
const char *item_warnings(const struct item *i);  /**< decoded_payload_warnings as JSON; NULL: none */
/** As applications see it; borrows from the item. @param as_sent  with the session and counter of its last emission */
struct tts_downlink item_show(const struct item *i, bool as_sent);
void item_free(struct item *i);

/** Where items are kept. */
struct queue_sink {
	int (*put)(void *ctx, uint64_t uid, uint64_t seq, struct slice record);
	int (*del)(void *ctx, uint64_t uid, uint64_t seq);
	void *ctx;
};

enum { QUEUE_PRIORITIES = 7 };
/** The queues that hold anything: few, where there are many devices. */
LIST_HEAD(queue_list, queue);
struct queue {
	struct queue_list *list; /**< where it stands while it holds anything; NULL: nowhere. Kept by queue_done */
	LIST_ENTRY(queue) in_list;
	struct item *first; /**< in the order of sending */
	struct item *last[QUEUE_PRIORITIES]; /**< the youngest of each priority; NULL: none */
	size_t n;
};

/** An item from the store, best in the order of age. @return 0; -EPROTO it is damaged; -ENOMEM */
int queue_load(struct queue *q, uint64_t seq, struct slice record);
void queue_done(struct queue *q);
/** Put an item at its place. @param seq above every one before. @return 0; QUEUE_E_FULL; -errno of the sink; -ENOMEM */
enum { QUEUE_E_FULL = 1 };
int queue_push(struct queue *q, const struct queue_sink *sink, uint64_t uid, uint64_t seq, const struct tts_item *wish, struct ulid id,
	const struct now *now, const struct item **ret);
/** Empty it; what is out goes on, and does not come back. @return 0; -errno of the sink */
int queue_clear(struct queue *q, const struct queue_sink *sink, uint64_t uid);
/** How many items wait for a window. */
size_t queue_waiting(const struct queue *q);
/** When the oldest item was pushed; UINT64_MAX: there is none. */
uint64_t queue_oldest_unix_us(const struct queue *q);
/** The one that is next; NULL: none waits, or one that is out stands before it. */
const struct item *queue_next(const struct queue *q);

/** Offer the head, if it waits and is not offered yet, for QUEUE_OFFER_US. @param number of the offer, for queue_pull
 * @return 1 it is; 0 nothing to offer; -errno of the sink */
int queue_offer(struct queue *q, const struct queue_sink *sink, uint64_t uid, uint64_t number, const struct now *now);
/** The next item for a window: the head, if it is offered and that is durable. On failure nothing has changed.
 * @param p            the question
 * @param durable      number of the last offer that is on disk
 * @param ret          the item, in flight from now; NULL: nothing for this window
 * @param ret_too_long an item that no data rate can carry, or that missed QUEUE_WINDOWS windows: the caller says so, takes it out, and
 * asks again
 * @param ret_more     another item waits
 * @return 0; -errno of the sink */
int queue_pull(struct queue *q, const struct queue_sink *sink, const struct pull *p, uint64_t durable, const struct now *now,
	struct item **ret, struct item **ret_too_long, bool *ret_more);

/** What an outcome means for the application. */
enum queue_news { NEWS_NONE, NEWS_SENT, NEWS_ACK, NEWS_NACK, NEWS_NACK_LAST, NEWS_FAILED };
enum { OUTCOME_RETURNED, OUTCOME_SENT, OUTCOME_FAILED, OUTCOME_ACK, OUTCOME_NACK, OUTCOME_AWAITED };
/** Who tells the application. Returns 0; -errno: it cannot be told now. */
struct queue_teller {
	int (*tell)(void *ctx, const struct item *i, enum queue_news news);
	void *ctx;
};
/** Take an outcome that the ns reports, or that an expired lease means. Without an item it is that of what was pulled for its counter.
 * It is told before it is kept: what fails is told again when it is reported again, and never kept untold.
 * @param teller    not called for NEWS_NONE; NULL: nobody
 * @param ret       the item, NULL if it is not known (reported before)
 * @param ret_gone  it has left the queue and is the caller's to free
 * @return 0; -errno of teller or sink: nothing has changed */
int queue_outcome(struct queue *q, const struct queue_sink *sink, uint64_t uid, const struct up_outcome *o,
	const struct queue_teller *teller, struct item **ret, bool *ret_gone);
/** An item that awaits its acknowledgement in another session than this one, which will never tell; NULL:
 * none. */
struct item *queue_stranded(const struct queue *q, const struct ulid *session_key_id);
/** An item whose time has passed while it waited; NULL: none. */
struct item *queue_outdated(const struct queue *q, uint64_t unix_us);
/** Take an item out, which becomes the caller's to free. @return 0; -errno of the sink: nothing has changed */
int queue_remove(struct queue *q, const struct queue_sink *sink, uint64_t uid, struct item *i);
/** When the first item that waits for its time is out of date, UTC [us]; UINT64_MAX: never */
uint64_t queue_first_time(const struct queue *q);
/** All leases begin again: what became of the items may just be on its way. @param is_long  of a device that listens always */
void queue_leases_renew(struct queue *q, bool is_long, uint64_t mono_us);
/** An offer that nobody took is over. @return 0; -errno of the sink */
int queue_withdraw(const struct queue_sink *sink, uint64_t uid, struct item *i);
/** An item of which nobody can tell whether it was sent, once the ns has forgotten it; NULL: none. */
struct item *queue_doubtful(const struct queue *q);
/** The first item whose lease or offer is over; NULL: none. */
struct item *queue_expired(const struct queue *q, uint64_t mono_us);
uint64_t queue_deadline(const struct queue *q); /**< when the first lease is over; UINT64_MAX: none */
