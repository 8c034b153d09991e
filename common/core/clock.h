/** @file Time as an argument. Nobody in a core reads a clock; the shell passes this. */
#pragma once
#include "common/core/text.h"
#include <stdint.h>

/** One reading of both clocks. */
struct now {
	uint64_t mono_us; /**< CLOCK_MONOTONIC [us]: deadlines, windows */
	uint64_t unix_us; /**< UTC since 1970 [us]: what people and other machines read */
};

#define MS_US  UINT64_C(1000)
#define SEC_US UINT64_C(1000000)

/** RFC 3339 UTC with Z and 0, 3, 6 or 9 fractional digits as needed, as The Things Stack writes it. */
void clock_rfc3339(struct text *t, uint64_t unix_ns);
/** Parse RFC 3339, any offset, up to 9 fractional digits. @return 0; -EINVAL */
int clock_parse_rfc3339(struct str s, uint64_t *ret_unix_ns);

/** GPS time (no leap seconds, from 1980-01-06) of a UTC instant and back, by the table of leap seconds. */
uint64_t clock_gps_us(uint64_t unix_us);
uint64_t clock_unix_us_of_gps(uint64_t gps_us);
