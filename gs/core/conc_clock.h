/** @file A concentrator's clock: its 32-bit counter of microseconds without the wrap, and its restarts.
 *
 * The counter wraps every 71.6 minutes and starts again near 0 when the gateway does, without notice. The
 * server's own clock tells the two apart: a wrap fits the time that has passed, a restart does not.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/** A counter this far from where it should be has started again. Forwarders that were cut off hand on what
 * they had kept. */
enum { CONC_CLOCK_SLACK_US = 30 * 1000 * 1000 };

struct conc_clock {
	bool known;
	uint64_t conc_us;   /**< unwrapped counter of the newest reception */
	uint64_t server_us; /**< server's monotonic time when it came */
	uint32_t restarts;
};

enum conc_step { CONC_FIRST, CONC_ON, CONC_RESTART };

/** Take the counter of a reception. @param ret_conc_us  the counter without the wrap; starts again after
 * CONC_RESTART */
enum conc_step gs_conc_clock_take(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us);
/** Estimate the counter at a moment of the server's clock; only if known. */
uint32_t gs_conc_clock_at(const struct conc_clock *c, uint64_t server_us);
