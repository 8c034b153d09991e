/** @file A cast: one frame, sent at moments of our choosing, through one gateway of each of its legs.
 *
 * A class C downlink to one device has one leg, whose ways are the gateways that hear the device, or those that the item names. A
 * multicast has a leg for each group of gateways. In a leg the first way whose gateway is free at once and has airtime left sends; if
 * none is, the one that is free first. A way that refuses leaves it to the others, and is asked again.
 *
 *     LEG_WAITS -> LEG_OUT -> LEG_SENT | LEG_UNKNOWN        OUT goes back to WAITS when it is refused
 *            `-> LEG_OVER                                   nobody could send it in time
 *
 * Times are monotonic.
 */
#pragma once
#include "ns/core/down/exchange.h"

struct ns;
struct tx_ack;

enum leg_state { LEG_WAITS, LEG_OUT, LEG_SENT, LEG_UNKNOWN, LEG_OVER };

struct way {
	struct gateway *gateway;
	uint64_t meets;         /**< bits of ways whose gateways hear a device that this one hears too: never both at once */
	uint64_t not_before_us; /**< after a refusal */
	uint8_t tries;
	bool is_dead;           /**< refused for good */
};

struct leg {
	uint8_t state, first, n;   /**< its ways */
	uint64_t again_us;         /**< WAITS: when to look again. OUT: its outcome is awaited until then */
	uint64_t from_us, to_us;   /**< OUT and later: when it is on the air, at the most */
	const struct attempt *attempt;
};

struct cast {
	struct way way[NS_WAYS_MAX];
	struct leg leg[NS_WAYS_MAX];
	uint8_t n_ways, n_legs;
	bool is_group;     /**< multicast: nothing can overtake it, so it is held until it can be sent */
	uint64_t at_us;    /**< when the first leg is to begin; 0: as soon as possible, */
	uint64_t from_us;  /**< but not before that */
	uint64_t after_us; /**< multicast: when the item before is over everywhere */
	uint64_t until_us; /**< what has not begun by then fails */
	uint64_t later_us; /**< one device: no gateway is free soon, but one is then; 0 */
	const char *why;   /**< nobody sends, as said last; NULL: nothing was in the way */
	int result;        /**< of the last refusal, proto/tx_result.def; -1: none */
};

/** What is to be sent, as far as its place in time depends on that. */
struct cast_tx {
	const struct session *session;
	const struct window *window;
	size_t len;        /**< octets of the PHYPayload */
	unsigned priority;
};

/** Begin an empty leg. */
void cast_leg(struct cast *c);
/** Add a gateway to the last leg. @return false: no room */
bool cast_way(struct cast *c, struct gateway *g);
/** Let go of the gateways. */
void cast_done(struct cast *c);
/** When could the first leg begin? Reserves airtime. @return 0: nobody could send it, *ret_why says why; else the moment, which may be
 * in the past: at once */
uint64_t cast_probe(struct ns *ns, struct cast *c, const struct cast_tx *t, const char **ret_why);
/** Send what can be sent, wait for the rest, and end it when there is none. */
void cast_run(struct ns *ns, struct exchange *x);
/** An emission has its outcome; the attempt says which. */
void cast_ended(struct ns *ns, struct exchange *x, struct attempt *a, const struct tx_ack *m);
