/** @file Answers of webhooks' servers, and how they do. */
#include "as/core/integration/webhook_health.h"
#include "as/core/integration/spool.h"
#include <string.h>

enum webhook_verdict webhook_judge(unsigned status)
{
	enum { TIMEOUT = 408, TOO_EARLY = 425, TOO_MANY = 429 };
	if (status >= 200 && status < 300)
		return WEBHOOK_TAKEN;
	return status < 300 || status >= 500 || status == TIMEOUT || status == TOO_EARLY || status == TOO_MANY ? WEBHOOK_AGAIN : WEBHOOK_REFUSED;
}

bool webhook_is_unhealthy(const struct webhook_health *h, const struct webhook_patience *p)
{
	return p->threshold && h->failed >= p->threshold;
}

/** How long nothing is sent. A server that refuses a message may well take the next one, unless it has refused too many in a row. */
static uint64_t rest_us(const struct webhook_health *h, const struct webhook_patience *p, enum webhook_verdict v, uint64_t asked_us, uint64_t chance)
{
	uint64_t us = v == WEBHOOK_REFUSED ? 0 : backoff_us(h->failed, p->least_us, p->most_us, chance);
	if (webhook_is_unhealthy(h, p))
		us = backoff_us(h->failed - p->threshold + 1, p->rest_us, p->rest_most_us, chance);
	if (asked_us > p->asked_most_us)
		asked_us = p->asked_most_us;
	return us > asked_us ? us : asked_us;
}

bool webhook_note(struct webhook_health *h, const struct webhook_patience *p, enum webhook_verdict v, uint64_t asked_us, const struct now *now,
	uint64_t chance)
{
	bool was_unhealthy = webhook_is_unhealthy(h, p);
	if (v == WEBHOOK_TAKEN) {
		h->failed = 0;
		h->resumes_us = 0;
		return was_unhealthy;
	}
	h->failed += h->failed < UINT32_MAX;
	h->failed_unix_us = now->unix_us;
	uint64_t us = rest_us(h, p, v, asked_us, chance);
	h->resumes_us = us ? now->mono_us + us : 0;
	return !was_unhealthy && webhook_is_unhealthy(h, p);
}

/* ---- dates ---- */

static bool take_number(struct str *s, size_t digits, uint64_t *ret)
{
	if (s->n < digits || num_u64((struct str){ s->p, digits }, ret))
		return false;
	*s = (struct str){ s->p + digits, s->n - digits };
	return true;
}

static bool take_month(struct str *s, unsigned *ret)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	for (unsigned m = 0; s->n >= 3 && m < 12; m++)
		if (!memcmp(s->p, names + (size_t)3 * m, 3)) {
			*ret = m + 1;
			*s = (struct str){ s->p + 3, s->n - 3 };
			return true;
		}
	return false;
}

static bool take_char(struct str *s, char c)
{
	if (!s->n || s->p[0] != c)
		return false;
	*s = (struct str){ s->p + 1, s->n - 1 };
	return true;
}

static bool take_time(struct str *s, struct civil *c)
{
	uint64_t hour, minute, second;
	bool is_good = take_number(s, 2, &hour) && take_char(s, ':') && take_number(s, 2, &minute) && take_char(s, ':') && take_number(s, 2, &second);
	if (!is_good || hour > 23 || minute > 59 || second > 60)
		return false;
	c->hour = (unsigned)hour;
	c->minute = (unsigned)minute;
	c->second = (unsigned)second;
	return true;
}

/** "06 Nov 1994 08:49:37 GMT", or with dashes and two digits of the year: what stands behind the comma.
 * @param ret_is_short  the year has two digits */
static bool take_fixdate(struct str s, struct civil *c, bool *ret_is_short)
{
	uint64_t day, year;
	bool is_good = take_number(&s, 2, &day);
	char dash = s.n && s.p[0] == '-' ? '-' : ' ';
	is_good = is_good && take_char(&s, dash) && take_month(&s, &c->month) && take_char(&s, dash) && take_number(&s, dash == ' ' ? 4 : 2, &year) &&
		  take_char(&s, ' ') && take_time(&s, c) && str_is(s, " GMT");
	if (!is_good)
		return false;
	c->day = (unsigned)day;
	*ret_is_short = dash == '-';
	c->year = (int64_t)year + (*ret_is_short ? 2000 : 0);
	return true;
}

/** "Nov  6 08:49:37 1994", as C's asctime has it, without the day of the week. */
static bool take_asctime(struct str s, struct civil *c)
{
	uint64_t day, year;
	bool is_good = take_month(&s, &c->month) && take_char(&s, ' ');
	bool has_blank = is_good && take_char(&s, ' ');
	is_good = is_good && take_number(&s, has_blank ? 1 : 2, &day) && take_char(&s, ' ') && take_time(&s, c) && take_char(&s, ' ') &&
		  take_number(&s, 4, &year) && !s.n;
	if (!is_good)
		return false;
	c->day = (unsigned)day;
	c->year = (int64_t)year;
	return true;
}

uint64_t webhook_retry_after(struct str s, const struct now *now)
{
	enum { SECONDS_MAX = 1000000000, FIFTY_YEARS_S = 1577880000 };
	uint64_t seconds;
	struct civil c = { 0 };
	struct str weekday, rest;
	bool is_short = false;
	s = str_trim(s);
	if (num_u64(s, &seconds) == 0)
		return (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * SEC_US;
	bool has_comma = s.n && memchr(s.p, ',', s.n);
	rest = str_cut(s, has_comma ? ',' : ' ', &weekday);
	if (!(has_comma ? take_fixdate(str_trim(rest), &c, &is_short) : take_asctime(rest, &c)) || clock_unix_s(&c, &seconds))
		return 0;
	/* Two digits that seem to be more than fifty years ahead are of the last century [RFC 9110 5.6.7]. */
	if (is_short && seconds > now->unix_us / SEC_US + FIFTY_YEARS_S)
		return 0;
	uint64_t at_us = seconds * SEC_US;
	return at_us > now->unix_us ? at_us - now->unix_us : 0;
}
