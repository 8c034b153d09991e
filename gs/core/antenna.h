/** @file What a gateway's only transmitter is known to be doing, so that nothing is sent into it.
 *
 * Forwarders with a queue refuse what overlaps in it, but know nothing of the frame that is on air: they
 * acknowledge an immediate one that comes then, and drop it. Forwarders of version 1 have no queue: whatever
 * comes replaces what is programmed.
 */
#pragma once
#include <stdint.h>

enum { ANTENNA_MAX = 16 };

/** One emission, by the server's monotonic clock. */
struct antenna_use {
	uint64_t from_us;  /**< no other datagram may arrive from here on */
	uint64_t until_us; /**< to the end of the frame; 0: none */
	uint32_t id;
};

struct antenna {
	struct antenna_use v[ANTENNA_MAX];
};

/** Note a use; the one that ends first makes room. */
void gs_antenna_add(struct antenna *a, struct antenna_use use);
/** It was refused, and does not happen. */
void gs_antenna_remove(struct antenna *a, uint32_t id);
/** The first moment, not before at_us, from which for_us are free. @param for_us  0: that moment alone */
uint64_t gs_antenna_free_us(const struct antenna *a, uint64_t at_us, uint64_t for_us);
