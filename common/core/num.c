/** @file Decimal numbers and durations from text, without floats and without locale. */
#include "common/core/text.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/** v = v * 10 + d. @return false: it does not fit */
static bool append(uint64_t *v, unsigned d)
{
	return !__builtin_mul_overflow(*v, UINT64_C(10), v) && !__builtin_add_overflow(*v, (uint64_t)d, v);
}

int num_u64(struct str s, uint64_t *ret)
{
	uint64_t v = 0;
	bool fits = true;
	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]))
			return -EINVAL;
		fits = fits && append(&v, (unsigned)(s.p[i] - '0'));
	}
	if (!fits)
		return -ERANGE;
	*ret = v;
	return 0;
}

/** Give a magnitude its sign. @return 0; -ERANGE */
static int with_sign(uint64_t m, bool is_negative, int64_t *ret)
{
	if (m > (uint64_t)INT64_MAX + is_negative)
		return -ERANGE;
	*ret = is_negative ? (int64_t)-m : (int64_t)m;
	return 0;
}

static bool take_minus(struct str *s)
{
	if (s->n == 0 || *s->p != '-')
		return false;
	s->p++;
	s->n--;
	return true;
}

int num_i64(struct str s, int64_t *ret)
{
	bool is_negative = take_minus(&s);
	uint64_t m;
	TRY(num_u64(s, &m));
	return with_sign(m, is_negative, ret);
}

/** The parts of a decimal: its digits without the point, and how many of them stand before the point once the
 * exponent is applied (below 0 and above n are both possible). */
struct decimal {
	struct str whole, fraction;
	int64_t before;
};

static struct str take_digits(struct str *s)
{
	size_t n = 0;
	while (n < s->n && is_digit(s->p[n]))
		n++;
	struct str digits = { s->p, n };
	if (n) {
		s->p += n;
		s->n -= n;
	}
	return digits;
}

/** `e` and what follows it; an absurd exponent is cut at a size no text of digits can make up for. */
static int take_exponent(struct str s, int64_t *ret)
{
	enum { ENOUGH = 1000000000 };
	struct str digits = { s.p + 1, s.n - 1 };
	bool is_negative = take_minus(&digits);
	if (!is_negative && digits.n && *digits.p == '+') {
		digits.p++;
		digits.n--;
	}
	uint64_t e;
	int r = num_u64(digits, &e);
	if (r == -EINVAL)
		return r;
	int64_t size = r || e > ENOUGH ? (int64_t)ENOUGH * ENOUGH : (int64_t)e;
	*ret = is_negative ? -size : size;
	return 0;
}

static int split(struct str s, struct decimal *ret)
{
	struct decimal d = { .whole = take_digits(&s) };
	int64_t exponent = 0;
	if (d.whole.n == 0)
		return -EINVAL;
	if (s.n && *s.p == '.') {
		s.p++;
		s.n--;
		d.fraction = take_digits(&s);
		if (d.fraction.n == 0)
			return -EINVAL;
	}
	if (s.n && (*s.p == 'e' || *s.p == 'E'))
		TRY(take_exponent(s, &exponent));
	else if (s.n)
		return -EINVAL;
	d.before = (int64_t)d.whole.n + exponent;
	*ret = d;
	return 0;
}

static unsigned digit_at(const struct decimal *d, size_t i)
{
	return (unsigned)((i < d->whole.n ? d->whole.p[i] : d->fraction.p[i - d->whole.n]) - '0');
}

/** The whole part of the decimal, rounded half away from zero. @param ret_exact  nothing was rounded off */
static int to_whole(const struct decimal *d, uint64_t *ret, bool *ret_exact)
{
	size_t n = d->whole.n + d->fraction.n, i = 0;
	uint64_t v = 0;
	for (; i < n && (int64_t)i < d->before; i++)
		if (!append(&v, digit_at(d, i)))
			return -ERANGE;
	for (int64_t zeros = d->before - (int64_t)i; v && zeros > 0; zeros--)
		if (!append(&v, 0))
			return -ERANGE;
	bool exact = true, up = (int64_t)i == d->before && i < n && digit_at(d, i) >= 5;
	for (; exact && i < n; i++)
		exact = digit_at(d, i) == 0;
	if (up && ++v == 0)
		return -ERANGE;
	*ret = v;
	*ret_exact = exact;
	return 0;
}

int num_decimal(struct str s, unsigned digits, int64_t *ret)
{
	struct decimal d;
	bool is_negative = take_minus(&s), exact;
	uint64_t m;
	TRY(split(s, &d));
	d.before += digits;
	TRY(to_whole(&d, &m, &exact));
	return with_sign(m, is_negative, ret);
}

int num_whole(struct str s, bool *ret_negative, uint64_t *ret)
{
	struct decimal d;
	bool is_negative = take_minus(&s), exact;
	uint64_t m;
	TRY(split(s, &d));
	TRY(to_whole(&d, &m, &exact));
	if (!exact)
		return -EINVAL;
	*ret_negative = is_negative && m;
	*ret = m;
	return 0;
}

/** A unit is 10^digits us times `times`. */
static const struct unit {
	const char *name;
	unsigned digits;
	uint32_t times;
} units[] = {
	{ "us", 0, 1 }, { "ms", 3, 1 }, { "s", 6, 1 }, { "m", 6, 60 }, { "h", 6, 3600 }, { "d", 6, 86400 },
};

static const struct unit *unit_named(struct str name)
{
	for (size_t i = 0; i < COUNT(units); i++)
		if (str_is(name, units[i].name))
			return &units[i];
	return NULL;
}

/** Take the leading characters that are (or are not) of a number. */
static struct str take_run(struct str *s, bool number)
{
	size_t n = 0;
	while (n < s->n && (is_digit(s->p[n]) || s->p[n] == '.') == number)
		n++;
	struct str run = { s->p, n };
	if (n) {
		s->p += n;
		s->n -= n;
	}
	return run;
}

int num_duration_us(struct str s, uint64_t *ret_us)
{
	uint64_t sum = 0;
	struct str all = s;
	do {
		struct str number = take_run(&s, true), name = take_run(&s, false);
		const struct unit *u = unit_named(number.n == all.n ? STR("s") : name);
		int64_t v;
		if (!u)
			return -EINVAL;
		TRY(num_decimal(number, u->digits, &v));
		uint64_t part;
		if (__builtin_mul_overflow((uint64_t)v, u->times, &part) || __builtin_add_overflow(sum, part, &sum))
			return -ERANGE;
	} while (s.n);
	*ret_us = sum;
	return 0;
}
