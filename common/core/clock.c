/** @file The calendar, RFC 3339 and the leap seconds between UTC and GPS time. */
#include "common/core/clock.h"

enum { DAY_S = 86400, YEARS_400_DAYS = 146097, YEARS_100_DAYS = 36524, YEARS_4_DAYS = 1461, YEAR_DAYS = 365 };
/** Days from 0000-03-01 to 1970-01-01. Years that begin in March have their leap day at the end. */
enum { EPOCH_DAYS = 719468 };
static const uint64_t EPOCH_S = (uint64_t)EPOCH_DAYS * DAY_S;
static const uint64_t S_NS = UINT64_C(1000000000);

/** Days before the first of the month, counted from March; 153 days are five months of 31, 30, 31, 30, 31. */
static unsigned days_before(unsigned months_since_march)
{
	return (153 * months_since_march + 2) / 5;
}

struct civil clock_civil(uint64_t unix_s)
{
	uint64_t days = unix_s / DAY_S + EPOCH_DAYS;
	unsigned of_day = (unsigned)(unix_s % DAY_S);
	uint64_t era = days / YEARS_400_DAYS;
	unsigned of_era = (unsigned)(days % YEARS_400_DAYS);
	unsigned century = of_era / YEARS_100_DAYS;
	if (century == 4) /* the last day of 400 years is a leap day and belongs to the fourth century */
		century = 3;
	unsigned of_century = of_era - century * YEARS_100_DAYS;
	unsigned four = of_century / YEARS_4_DAYS, of_four = of_century % YEARS_4_DAYS;
	unsigned year = of_four / YEAR_DAYS;
	if (year == 4)
		year = 3;
	unsigned of_year = of_four - year * YEAR_DAYS, month = (5 * of_year + 2) / 153;
	uint64_t march_year = era * 400 + century * 100 + four * 4 + year;
	return (struct civil){
		.year = (int64_t)march_year + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = of_year - days_before(month) + 1,
		.hour = of_day / 3600,
		.minute = of_day / 60 % 60,
		.second = of_day % 60,
	};
}

/** Seconds since 0000-03-01 of a date after it whose month is in range. */
static uint64_t seconds_of(const struct civil *c)
{
	uint64_t year = (uint64_t)c->year - (c->month < 3);
	unsigned month = c->month < 3 ? c->month + 9 : c->month - 3;
	uint64_t days = year * YEAR_DAYS + year / 4 - year / 100 + year / 400 + days_before(month) + c->day - 1;
	return days * DAY_S + UINT64_C(3600) * c->hour + UINT64_C(60) * c->minute + c->second;
}

int clock_unix_s(const struct civil *c, uint64_t *ret_unix_s)
{
	enum { LATEST_YEAR = 1000000 };
	if (c->year < 1970 || c->year > LATEST_YEAR || c->month < 1 || c->month > 12 || c->day < 1)
		return -ERANGE;
	*ret_unix_s = seconds_of(c) - EPOCH_S;
	return 0;
}

void clock_rfc3339(struct text *t, uint64_t unix_ns)
{
	struct civil c = clock_civil(unix_ns / S_NS);
	unsigned ns = (unsigned)(unix_ns % S_NS);
	text_printf(t, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)c.year, c.month, c.day, c.hour, c.minute, c.second);
	if (ns % 1000)
		text_printf(t, ".%09u", ns);
	else if (ns % 1000000)
		text_printf(t, ".%06u", ns / 1000);
	else if (ns)
		text_printf(t, ".%03u", ns / 1000000);
	text_putc(t, 'Z');
}

/** Take exactly `digits` digits, if the character after them is `then` (0: whatever it is). */
static bool take_number(struct str *s, size_t digits, char then, unsigned max, unsigned *ret)
{
	uint64_t v;
	if (s->n < digits + (then != 0) || (then && s->p[digits] != then) ||
		num_u64((struct str){ s->p, digits }, &v) || v > max)
		return false;
	digits += then != 0;
	s->p += digits;
	s->n -= digits;
	*ret = (unsigned)v;
	return true;
}

/** `.` and one to nine digits; without a point nothing is taken. */
static bool take_fraction(struct str *s, unsigned *ret_ns)
{
	*ret_ns = 0;
	if (s->n == 0 || *s->p != '.')
		return true;
	unsigned weight = 100000000;
	size_t n = 1;
	for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++, weight /= 10) {
		if (weight == 0)
			return false;
		*ret_ns += (unsigned)(s->p[n] - '0') * weight;
	}
	s->p += n;
	s->n -= n;
	return n > 1;
}

/** `Z` or `+hh:mm` to the end of the text. */
static bool take_offset(struct str *s, int64_t *ret_offset_s)
{
	unsigned hours, minutes;
	*ret_offset_s = 0;
	if (str_is(*s, "Z") || str_is(*s, "z"))
		return true;
	bool west = s->n && *s->p == '-';
	if (!west && !str_starts(*s, "+"))
		return false;
	s->p++;
	s->n--;
	if (!take_number(s, 2, ':', 23, &hours) || !take_number(s, 2, 0, 59, &minutes) || s->n)
		return false;
	*ret_offset_s = (west ? -60 : 60) * (int64_t)(hours * 60 + minutes);
	return true;
}

static unsigned days_of_month(unsigned year, unsigned month)
{
	if (month == 2)
		return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** `2026-03-02` and the letter between date and time. */
static bool take_date(struct str *s, struct civil *c)
{
	unsigned year;
	if (!take_number(s, 4, '-', 9999, &year) || year == 0 || !take_number(s, 2, '-', 12, &c->month) || c->month == 0 ||
		!take_number(s, 2, 0, days_of_month(year, c->month), &c->day) || c->day == 0 || s->n == 0)
		return false;
	c->year = year;
	char between = *s->p;
	s->p++;
	s->n--;
	return between == 'T' || between == 't' || between == ' ';
}

int clock_parse_rfc3339(struct str s, uint64_t *ret_unix_ns)
{
	struct civil c;
	unsigned ns;
	int64_t offset_s;
	if (!take_date(&s, &c) || !take_number(&s, 2, ':', 23, &c.hour) || !take_number(&s, 2, ':', 59, &c.minute) ||
		!take_number(&s, 2, 0, 60, &c.second) || !take_fraction(&s, &ns) || !take_offset(&s, &offset_s))
		return -EINVAL;
	uint64_t at_s = seconds_of(&c) - (uint64_t)offset_s, unix_ns;
	if (at_s < EPOCH_S || __builtin_mul_overflow(at_s - EPOCH_S, S_NS, &unix_ns) ||
		__builtin_add_overflow(unix_ns, ns, &unix_ns))
		return -EINVAL;
	*ret_unix_ns = unix_ns;
	return 0;
}

static const uint64_t GPS_EPOCH_S = UINT64_C(315964800);

/** GPS seconds at which a leap second began [bulletins C of the IERS]. */
static const uint32_t leaps_gps_s[] = {
	46828800, 78364801, 109900802, 173059203, 252028804, 315187205, 346723206, 393984007, 425520008, 457056009,
	504489610, 551750411, 599184012, 820108813, 914803214, 1025136015, 1119744016, 1167264017,
};

uint64_t clock_gps_us(uint64_t unix_us)
{
	if (unix_us < GPS_EPOCH_S * SEC_US)
		return 0;
	uint64_t us = unix_us - GPS_EPOCH_S * SEC_US;
	/* The i-th leap second ended at its GPS second minus the i leap seconds before it, in UTC without leaps. */
	size_t leaps = COUNT(leaps_gps_s);
	while (leaps && us < (leaps_gps_s[leaps - 1] - (leaps - 1)) * SEC_US)
		leaps--;
	return us + leaps * SEC_US;
}

uint64_t clock_unix_us_of_gps(uint64_t gps_us)
{
	size_t leaps = COUNT(leaps_gps_s);
	while (leaps && gps_us < (leaps_gps_s[leaps - 1] + UINT64_C(1)) * SEC_US)
		leaps--;
	return gps_us - leaps * SEC_US + GPS_EPOCH_S * SEC_US;
}
