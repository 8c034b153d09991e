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

/** An instant as people in Greenwich write it. */
struct civil {
	int64_t year;
	unsigned month, day, hour, minute, second; /**< month and day from 1 */
};

/** Calendar date and time of an instant, without libc, time zones or leap seconds; any year. */
struct civil clock_civil(uint64_t unix_s);
/** The reverse; fields out of their range carry over (second 60 is the next minute).
 * @return 0; -ERANGE before 1970, a month outside 1 to 12, or too late to be counted */
int clock_unix_s(const struct civil *c, uint64_t *ret_unix_s);

/** RFC 3339 UTC with Z and 0, 3, 6 or 9 fractional digits as needed, as The Things Stack writes it. */
void clock_rfc3339(struct text *t, uint64_t unix_ns);
/** Parse RFC 3339: any offset, up to 9 fractional digits, `T` or a blank between date and time. Second 60 is
 * read as the second after it, as POSIX counts. @return 0; -EINVAL, also for what is before 1970 or after 2554 */
int clock_parse_rfc3339(struct str s, uint64_t *ret_unix_ns);

/** GPS time (no leap seconds, from 1980-01-06) of a UTC instant and back, by the table of leap seconds.
 * A UTC instant before 1980-01-06 is GPS time 0. A leap second itself has the UTC of the second after it. */
uint64_t clock_gps_us(uint64_t unix_us);
uint64_t clock_unix_us_of_gps(uint64_t gps_us);
