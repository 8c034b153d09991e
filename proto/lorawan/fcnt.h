/** @file The upper half of a frame counter: 16 bits are sent, 32 are counted. [LW1.0.4 4.3.1.5] */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { MAX_FCNT_GAP = 16384 };

/** Rebuild a counter from its lower 16 bits.
 * @param next  the next counter expected: last + 1, or 0 if there was none yet; up to 2^32
 * @return next - 1 (a repetition), or the first value from `next` on with these lower bits;
 *         above UINT32_MAX: the counter is used up and the session at its end */
static inline uint64_t fcnt_restore(uint64_t next, uint16_t low)
{
	if (next > 0 && low == (uint16_t)(next - 1))
		return next - 1;
	return next + (uint16_t)(low - (uint16_t)next);
}

/** Is `f_cnt` further ahead than MAX_FCNT_GAP allows? Only where the version has it
 * (mac_rules.has_max_gap). */
static inline bool fcnt_gap_too_big(uint64_t next, uint64_t f_cnt)
{
	return f_cnt > next && f_cnt - next >= MAX_FCNT_GAP;
}
