/** @file Inside of the room of Pub/Sub integrations: what its two files share. */
#pragma once
#include "as/integrations/mqtt_link.h"
#include "as/integrations/pubsubs.h"

/** One that is served. */
struct pubsub_own {
	struct integration *i;
	struct pubsub *settings;
	struct mqtt_link *link;      /**< NULL: what it is set to is no good any more, or there is no memory */
	struct loop_timer *retry;
	uint64_t serial;             /**< of its link: tokens of an earlier one are void */
	bool is_settling;            /**< messages wait until what the link before did is on disk */
	uint64_t offered;            /**< the highest number of a message that any link may have sent */
	uint64_t connected_us;       /**< since when [mono]; 0: it is not */
	unsigned failures;           /**< in a row */
	enum pubsub_down downs[PUBSUB_DOWN_N]; /**< what each filter of the link is for */
	size_t n_downs;
};

struct pubsubs {
	struct as *as;
	struct resolver *resolver;
	uint64_t next_serial;
};

/** What the link tells of messages; its ctx is the struct pubsub_own. */
extern const struct mqtt_client_user pubsub_traffic;
/** Send what waits, as far as there is room. */
void pubsub_offer(struct pubsub_own *own);
/** Tell the new link which ids of QoS 2 its broker has not released. @return 0; -errno */
int pubsub_remember(struct pubsub_own *own);
