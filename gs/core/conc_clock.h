/** @file A concentrator's clock: its 32-bit counter of microseconds without the wrap, against the server's
 * clock and against GPS.
 *
 * A reception comes with the counter at its end, and arrives later: by the forwarder's polling, the network,
 * now and then by seconds. So the server's time less the counter is the true offset and a delay that is never
 * negative, and the smallest differences of the last half hour tell the offset. The two clocks also run apart (some
 * ten millionths): the slope through the smallest differences is that drift.
 *
 * The counter wraps every 71.6 minutes and starts again near 0 when the gateway does, without notice. The
 * server's own clock tells the two apart: a wrap fits the time that has passed, a restart does not. Where the
 * server's clock itself was put forward, all receptions are late by the same amount from then on; several of
 * them that agree become the new truth, while a backlog that a gateway hands on at last never agrees.
 *
 * Good for 100 ms, and better than 10 ms after some minutes of traffic.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/** A counter this far from where it should be has started again. Forwarders that were cut off hand on what
 * they had kept. */
enum { CONC_CLOCK_SLACK_US = 30 * 1000 * 1000 };
enum { CONC_POINTS = 16, CONC_POINT_US = 128 * 1000 * 1000 };

/** The reception of the least delay in CONC_POINT_US. */
struct conc_point {
	uint64_t server_us;
	int64_t offset_us; /**< server's time less counter */
};

struct conc_clock {
	bool known;         /**< a reception came; gs_conc_clock_is_sure says whether to rely on it */
	bool in_doubt;      /**< the gateway may have started again since */
	bool has_drift;     /**< enough is known to tell */
	bool has_gps;       /**< the newest reception carried GPS time */
	uint64_t conc_us;   /**< unwrapped counter of the newest reception */
	uint64_t server_us; /**< server's monotonic time when it came */
	int64_t offset_us;  /**< server's time less counter, at server_us */
	int32_t drift_ppb;  /**< what the server's clock gains on the counter */
	int32_t usual_us;   /**< by how much receptions are later than the least delayed, on average */
	uint32_t restarts;
	uint32_t jumps;        /**< times that the server's clock or the path changed at once */
	uint64_t restarted_us; /**< when the counter was last seen to start again */
	uint64_t distrust_us;  /**< until then it starts again too often to be of use */
	struct conc_point v[CONC_POINTS]; /**< a ring */
	uint32_t n, next;
	struct {
		uint32_t n;
		uint32_t missed; /**< later still, in a row */
		int64_t low_us;  /**< the smallest of offsets that do not fit, but agree */
		uint64_t since_us;
	} odd;
	uint64_t gps_us, gps_conc_us; /**< GPS time of a counter; 0: never */
};

enum conc_step {
	CONC_FIRST,
	CONC_ON,
	CONC_JUMP, /**< the same counter, another offset from now on */
	CONC_RESTART
};

/** Take the counter of a reception. @param ret_conc_us  the counter without the wrap; starts again after
 * CONC_RESTART */
enum conc_step gs_conc_clock_take(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us);
/** The reception just taken carried GPS time, or (0) none. @param conc_us  as gs_conc_clock_take gave it */
void gs_conc_clock_gps(struct conc_clock *c, uint64_t conc_us, uint64_t gps_us);
/** Its gateway may have started again: not sure until the next reception tells. */
void gs_conc_clock_doubt(struct conc_clock *c);
/** Good enough for an emission: known, not in doubt, heard lately. */
bool gs_conc_clock_is_sure(const struct conc_clock *c, uint64_t now_us);
/** The counter at a moment of the server's clock, as of a reception of the least delay that arrives then;
 * only if known. */
uint64_t gs_conc_clock_at(const struct conc_clock *c, uint64_t server_us);
/** The counter at a moment of GPS time, to some milliseconds. @return false: GPS time was not heard lately */
bool gs_conc_clock_at_gps(const struct conc_clock *c, uint64_t gps_us, uint64_t *ret_conc_us);
/** The GPS time of a counter: the reverse. */
bool gs_conc_clock_gps_of(const struct conc_clock *c, uint64_t conc_us, uint64_t *ret_gps_us);
