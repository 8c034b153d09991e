/** @file Values: which kind a piece of JSON is, and writing them. */
#include "as/core/values/value.h"
#include "common/core/json_out.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SCALE_MAX = 16, EXPONENT_MAX = 1000 };

/** The parts of a number as it is written. */
struct number {
	bool is_negative, has_point, has_exponent;
	struct str whole, fraction;
	int64_t exponent; /* cut at EXPONENT_MAX */
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct str take_digits(struct str *s)
{
	size_t n = 0;
	while (n < s->n && is_digit(s->p[n]))
		n++;
	struct str digits = { s->p, n };
	s->p += n;
	s->n -= n;
	return digits;
}

static bool take(struct str *s, char c)
{
	if (!s->n || *s->p != c)
		return false;
	s->p++;
	s->n--;
	return true;
}

/** What follows the `e`. */
static int64_t exponent_of(struct str s)
{
	int64_t v = 0;
	bool is_negative = take(&s, '-');
	if (!is_negative)
		take(&s, '+');
	for (size_t i = 0; i < s.n; i++)
		v = v * 10 + (s.p[i] - '0') > EXPONENT_MAX ? EXPONENT_MAX : v * 10 + (s.p[i] - '0');
	return is_negative ? -v : v;
}

/** Take a number of JSON apart, or what Java's isParsable takes for one (".5", "007"). */
static struct number number_of(struct str s)
{
	struct number n = { .is_negative = take(&s, '-') };
	n.whole = take_digits(&s);
	n.has_point = take(&s, '.');
	n.fraction = take_digits(&s);
	n.has_exponent = take(&s, 'e') || take(&s, 'E');
	if (n.has_exponent)
		n.exponent = exponent_of(s);
	return n;
}

static size_t digit_count(const struct number *n)
{
	return n->whole.n + n->fraction.n;
}

static char digit_at(const struct number *n, size_t i)
{
	return i < n->whole.n ? n->whole.p[i] : n->fraction.p[i - n->whole.n];
}

/** Digits that stand behind the point once the exponent is applied. */
static int64_t scale_of(const struct number *n)
{
	return (int64_t)n->fraction.n - n->exponent;
}

/** Is it whole once trailing zeros are taken off? */
static bool is_whole(const struct number *n)
{
	int64_t scale = scale_of(n);
	size_t digits = digit_count(n);
	for (; digits && digit_at(n, digits - 1) == '0'; digits--)
		scale--;
	return digits == 0 || scale <= 0;
}

/** Write it without an exponent. @return whether it is not longer than such texts may be */
static bool write_plain(const struct number *n, char ret[VALUE_NUMBER_TEXT + 1], struct str *ret_text)
{
	struct text t = text_fixed(ret, VALUE_NUMBER_TEXT + 1);
	int64_t digits = (int64_t)digit_count(n), before = (int64_t)n->whole.n + n->exponent, from = 0;
	while (from < digits && from < before - 1 && digit_at(n, (size_t)from) == '0')
		from++;
	if (n->is_negative)
		text_putc(&t, '-');
	if (before <= 0)
		text_putc(&t, '0');
	for (int64_t i = before < 0 ? before : from; i < digits || i < before; i++) {
		if (i == (before < 0 ? before : before <= 0 ? 0 : before))
			text_putc(&t, '.');
		text_putc(&t, i < 0 || i >= digits ? '0' : digit_at(n, (size_t)i));
		if (t.failed)
			return false;
	}
	*ret_text = text_str(&t);
	return !t.failed;
}

/** @param s  the number's text, without a point unless it has an exponent */
static bool is_long(const struct number *n, struct str s, int64_t *ret)
{
	bool is_negative;
	uint64_t m;
	if (!n->has_exponent)
		return num_i64(s, ret) == 0;
	if (num_whole(s, &is_negative, &m) || m > (uint64_t)INT64_MAX + is_negative)
		return false;
	*ret = is_negative ? (int64_t)-m : (int64_t)m;
	return true;
}

/** The double next to it. @return whether there is one */
static bool is_double(struct str s, double *ret)
{
	char z[512];
	if (str_copy(s, z, sizeof z))
		return false;
	*ret = strtod(z, NULL);
	return isfinite(*ret);
}

/** Give text a place that lasts. @return 0; -ENOSPC */
static int keep(struct text *words, struct str s, struct str *ret)
{
	size_t from = words->len;
	text_put(words, s);
	*ret = (struct str){ words->p + from, s.n };
	return words->failed ? -ENOSPC : 0;
}

/** @return whether it is a long or a double; set then */
static bool read_number(struct str s, const struct number *n, struct value *ret)
{
	bool is_simple_double = n->has_point && !n->has_exponent;
	if (is_whole(n) && !is_simple_double) {
		ret->kind = VALUE_LONG;
		return is_long(n, s, &ret->whole);
	}
	ret->kind = VALUE_DOUBLE;
	return scale_of(n) <= SCALE_MAX && is_double(s, &ret->real);
}

/** A number that no number holds as it is written. */
static int number_as_text(struct str s, const struct number *n, struct text *words, struct value *ret)
{
	char plain[VALUE_NUMBER_TEXT + 1];
	struct str text;
	*ret = value_of_text(s);
	return n->has_exponent && write_plain(n, plain, &text) ? keep(words, text, &ret->text) : 0;
}

/** What Apache's NumberUtils.isParsable says: digits, one point (not at the end), a minus before. */
static bool reads_as_number(struct str s)
{
	size_t points = 0;
	take(&s, '-');
	if (!s.n || s.p[s.n - 1] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		points += s.p[i] == '.';
		if (!is_digit(s.p[i]) && s.p[i] != '.')
			return false;
	}
	return points <= 1;
}

static int read_text(const struct json *j, json_val v, const struct value_rules *rules, struct text *words, struct value *ret)
{
	struct str s;
	if (json_plain(j, v, &s)) {
		size_t room = words->cap - words->len;
		int r = json_string(j, v, words->p + words->len, room);
		if (r)
			return r == -ENOSPC ? r : -EINVAL;
		s = str_of(words->p + words->len);
		words->len += s.n;
	}
	if (rules->casts && reads_as_number(s)) {
		struct number n = number_of(s);
		if (read_number(s, &n, ret))
			return 0;
	}
	*ret = value_of_text(s);
	return 0;
}

int value_read(const struct json *j, json_val v, const struct value_rules *rules, struct text *words, struct value *ret)
{
	int r = 0;
	struct number n;
	switch (json_type(j, v)) {
	case JSON_NULL: return VALUE_E_NULL;
	case JSON_BOOL:
		*ret = value_of_bool(json_raw(j, v).p[0] == 't');
		return 0;
	case JSON_NUMBER:
		n = number_of(json_raw(j, v));
		if (!read_number(json_raw(j, v), &n, ret))
			r = number_as_text(json_raw(j, v), &n, words, ret);
		break;
	case JSON_STRING: r = read_text(j, v, rules, words, ret); break;
	case JSON_OBJECT:
	case JSON_ARRAY: *ret = (struct value){ .kind = VALUE_JSON, .text = json_raw(j, v) }; break;
	case JSON_NONE: return -EINVAL;
	}
	if (!r && rules->max_text_bytes && value_text_bytes(ret) > rules->max_text_bytes)
		return -E2BIG;
	return r;
}

void value_double_json(struct text *t, double d)
{
	enum { FEW = 15, MOST = 17 };
	char z[64];
	for (int digits = FEW; digits <= MOST; digits++) {
		snprintf(z, sizeof z, "%.*g", digits, d);
		if (strtod(z, NULL) == d)
			break;
	}
	json_raw_out(t, str_of(z));
	if (!strpbrk(z, ".e"))
		text_puts(t, ".0");
}

void value_json(struct text *t, const struct value *v)
{
	switch (v->kind) {
	case VALUE_BOOLEAN: json_truth(t, v->truth); break;
	case VALUE_LONG: json_num(t, v->whole); break;
	case VALUE_DOUBLE: value_double_json(t, v->real); break;
	case VALUE_STRING: json_str(t, v->text); break;
	case VALUE_JSON: json_raw_out(t, v->text); break;
	case VALUE_KIND_N: break;
	}
}

size_t value_text_bytes(const struct value *v)
{
	return v->kind == VALUE_STRING || v->kind == VALUE_JSON ? v->text.n : 0;
}

bool value_eq(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_BOOLEAN: return a->truth == b->truth;
	case VALUE_LONG: return a->whole == b->whole;
	case VALUE_DOUBLE: return memcmp(&a->real, &b->real, sizeof a->real) == 0;
	default: return str_eq(a->text, b->text);
	}
}

bool value_number(const struct value *v, double *ret)
{
	if (v->kind == VALUE_LONG)
		*ret = (double)v->whole;
	else if (v->kind == VALUE_DOUBLE)
		*ret = v->real;
	return v->kind == VALUE_LONG || v->kind == VALUE_DOUBLE;
}

struct value value_of_bool(bool truth)
{
	return (struct value){ .kind = VALUE_BOOLEAN, .truth = truth };
}

struct value value_of_long(int64_t whole)
{
	return (struct value){ .kind = VALUE_LONG, .whole = whole };
}

struct value value_of_double(double real)
{
	return (struct value){ .kind = VALUE_DOUBLE, .real = real };
}

struct value value_of_text(struct str text)
{
	return (struct value){ .kind = VALUE_STRING, .text = text };
}
