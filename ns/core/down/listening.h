/** @file What is kept of a device that is sent things without having asked: who hears it, and what is to be sent next. */
#pragma once
#include "common/core/heap.h"
#include "common/core/id.h"
#include <stdbool.h>

/** A gateway that heard a device's last uplink. */
struct hearer {
	uint64_t eui;
	int32_t rank_ddb; /**< path_rank */
};

/** Of a device that listens all the time: what is sent to it next, and when. */
struct listening {
	struct heap_node due; /**< when to look again */
	uint64_t exchange;    /**< ticket of what is being sent; 0: nothing */
	uint64_t since_us;    /**< since when the next item could go but for gateways and airtime; 0: there is none, or it goes */
	uint64_t not_before_us; /**< no try before: the last one came to nothing */
	uint64_t offered_us;  /**< when the as noted last that the item may be pulled */
	uint64_t told;        /**< end of the outbox at its last outcome: no item before the as was sent that */
	uint64_t answer_us;   /**< an acknowledgement is waited for until then; 0: none */
	unsigned tries;       /**< that came to nothing, for growing pauses */
	int last_result;      /**< of the item's last emission that was refused, proto/tx_result.def; -1: none */
	bool is_fresh;        /**< the item came after the last uplink */
	/* The item, as the as told of it. */
	struct ulid item;
	bool is_placed;
	uint32_t length, priority;
	uint64_t at_unix_us;  /**< 0: as soon as possible */
};
