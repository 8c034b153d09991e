/** @file The outbox of one integration: what waits for its broker or server, in order, durable through a sink.
 *
 * A message's life:  WAITING -> (out: it was sent, and is unanswered) -> gone
 *                       `-> RECEIVED (QoS 2: the peer has it, its number is still to be released) -> gone
 * Only the sink's records last: after a crash, what was out is WAITING again and may have been sent. Sizes and times stand in memory, 24
 * octets for each message; the message itself is read from the sink's store when it is to be sent.
 *
 * Numbers rise and are never used again, as they are reserved durably in blocks: whoever names a message to a peer by its number (a
 * packet id, a header) names no other by it, whatever crashed meanwhile.
 */
#pragma once
#include "as/core/integration/kinds.h"
#include "common/core/clock.h"

enum {
	SPOOL_BLOCK = 4096,      /**< numbers reserved at a time */
	SPOOL_SPAN = 65534,       /**< numbers of those that are out lie within so many: their MQTT packet ids differ */
	SPOOL_DEVICE_MAX = 100,  /**< longest device id of a message */
};

/** A message as it is kept. */
struct spool_message {
	enum message_kind kind;
	uint64_t unix_us;      /**< when it was published */
	struct str device_id;  /**< not always of a device that exists */
	bool has_dev_eui;
	uint64_t dev_eui;
	struct str body;       /**< JSON; empty in state RECEIVED */
};

enum spool_state { SPOOL_WAITING, SPOOL_RECEIVED };
struct spool_entry {
	uint64_t seq;
	uint64_t expires_us;   /**< monotonic: when it is given up */
	uint32_t size;         /**< of its record */
	uint8_t state;         /**< enum spool_state */
	uint8_t kind;          /**< enum message_kind; of one that is RECEIVED, too */
	bool is_out;           /**< sent over the link that there is, and unanswered */
};

struct spool {
	uint64_t number;       /**< of the integration */
	struct spool_entry *v; /**< ordered by seq */
	size_t head, n, cap;   /**< v[head] to v[head + n - 1] are used */
	size_t n_out;
	uint64_t bytes;        /**< of all records */
	uint64_t next, reserved; /**< the next number; numbers below that may be given */
	uint64_t durable;      /**< numbers below that are on disk; others are not sent yet */
	uint64_t loaded;       /**< the highest number that an earlier process may have sent; 0: none */
};

/** Where records are kept: by number of the integration and of the message. Number 0 is the reservation's. */
struct spool_sink {
	int (*put)(void *ctx, uint64_t number, uint64_t seq, struct slice record); /**< 0 or -errno */
	int (*del)(void *ctx, uint64_t number, uint64_t seq);
	void *ctx;
};

/** How much it may hold. */
struct spool_limits {
	uint64_t bytes, age_us;
};

void spool_init(struct spool *o, uint64_t number);
void spool_done(struct spool *o);
/** Take a record from the store at start, in order of their numbers. Its age counts on by the wall clock; before 2020 that is none.
 * @return 0; -EPROTO damaged; -ENOMEM */
int spool_load(struct spool *o, uint64_t seq, struct slice record, uint64_t age_max_us, const struct now *now);

/** Append a message. @return 0; -errno: nothing was added */
int spool_add(struct spool *o, const struct spool_sink *s, const struct spool_message *m, const struct spool_limits *l, uint64_t mono_us);
/** Take back the message that was added last, as another integration could not take its copy. */
void spool_take_back(struct spool *o, const struct spool_sink *s);
/** Drop the oldest messages that are too many or too old, neither out nor RECEIVED. @return how many; what the sink did not
 * delete is kept for the next time */
size_t spool_trim(struct spool *o, const struct spool_sink *s, const struct spool_limits *l, uint64_t mono_us);
/** When spool_trim has to look again for old ones; UINT64_MAX: never. */
uint64_t spool_deadline(const struct spool *o);
/** For how long the oldest has been waiting; 0: there is none. */
uint64_t spool_age_us(const struct spool *o, const struct spool_limits *l, uint64_t mono_us);

/** Messages with numbers below this are on disk now: they may be sent. Sooner they
 * may not, as a crash would have them come, and be sent, again. */
static inline void spool_is_durable(struct spool *o, uint64_t below)
{
	o->durable = below;
}
/** The next message that is on disk and not out, in order, while fewer than `max_out` are. It becomes out.
 * @return NULL: none now. Valid until the outbox changes */
const struct spool_entry *spool_next(struct spool *o, size_t max_out);
/** The message; NULL: it is gone. */
const struct spool_entry *spool_find(const struct spool *o, uint64_t seq);
/** It was not sent after all, or is to be sent once more: it stands at its place again. */
void spool_return(struct spool *o, uint64_t seq);
/** The link is gone: everything that was out is to be sent again over the next one. */
void spool_return_all(struct spool *o);
/** QoS 2: the peer has it, as PUBREC says. Durable before PUBREL is sent, or it might be sent twice. @return 0; -errno */
int spool_received(struct spool *o, const struct spool_sink *s, uint64_t seq);
/** The peer has it, or it is given up: forget it. @return 0 also if it is gone; -errno */
int spool_delete(struct spool *o, const struct spool_sink *s, uint64_t seq);
/** Forget all, the reservation too. @return 0; -errno */
int spool_clear(struct spool *o, const struct spool_sink *s);

/** A record of the store as the message that it is. Borrowed from it. @return 0; -EPROTO damaged */
int spool_read(struct slice record, struct spool_message *ret, enum spool_state *ret_state);

/** How long to wait before the n-th attempt (1: the first after something went wrong): doubles from `least_us` up to `most_us`, and
 * takes a random share off, so that many do not come at once. @param chance  any 64 random bits @return half of it to all of it */
uint64_t backoff_us(unsigned n, uint64_t least_us, uint64_t most_us, uint64_t chance);
