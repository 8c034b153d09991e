/** @file Borrowed strings and the text builder. */
#include "common/core/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct str str_of(const char *z)
{
	return z ? (struct str){ z, strlen(z) } : STR("");
}

bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool str_is(struct str a, const char *z)
{
	return str_eq(a, str_of(z));
}

bool str_starts(struct str a, const char *prefix)
{
	size_t n = strlen(prefix);
	return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

int str_cmp(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int d = n ? memcmp(a.p, b.p, n) : 0;
	return d ? d : (a.n > b.n) - (a.n < b.n);
}

struct str str_cut(struct str s, char c, struct str *ret_head)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
	if (!at) {
		*ret_head = s;
		return (struct str){ s.n ? s.p + s.n : s.p, 0 };
	}
	size_t head = (size_t)(at - s.p);
	*ret_head = (struct str){ s.p, head };
	return (struct str){ at + 1, s.n - head - 1 };
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	while (s.n && is_blank(*s.p)) {
		s.p++;
		s.n--;
	}
	return s;
}

int str_copy(struct str s, char *dst, size_t cap)
{
	if (cap == 0)
		return -ENOSPC;
	dst[0] = '\0';
	if (s.n >= cap || (s.n && memchr(s.p, '\0', s.n)))
		return -ENOSPC;
	if (s.n)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return 0;
}

/** What a growing text points to before it owns memory; its capacity is then 0, so that nobody writes here. */
static char nothing[1];

struct text text_fixed(char *buf, size_t cap)
{
	if (cap == 0)
		return (struct text){ .p = nothing };
	buf[0] = '\0';
	return (struct text){ .p = buf, .cap = cap, .max = cap - 1 };
}

struct text text_growing(size_t max)
{
	return (struct text){ .p = nothing, .max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX - 1, .grows = true };
}

void text_done(struct text *t)
{
	if (!t->grows)
		return;
	if (t->cap)
		free(t->p);
	*t = text_growing(t->max);
}

void text_reset(struct text *t)
{
	t->len = 0;
	t->failed = false;
	if (t->cap)
		t->p[0] = '\0';
}

/** Make room for n more characters, as far as the limit allows. @return how many of them there is room for */
static size_t reserve(struct text *t, size_t n)
{
	if (t->failed)
		return 0;
	if (t->cap && t->cap - 1 - t->len >= n)
		return n;
	size_t left = t->max - t->len;
	if (n > left) {
		t->failed = true;
		n = left;
	}
	if (!t->grows || n == 0)
		return n;
	size_t want = t->len + n + 1;
	if (want <= t->cap)
		return n;
	size_t cap = t->cap < 64 ? 64 : t->cap * 2;
	if (cap > t->max)
		cap = t->max + 1;
	if (cap < want)
		cap = want;
	char *p = realloc(t->cap ? t->p : NULL, cap);
	if (!p) {
		t->failed = true;
		return 0;
	}
	t->p = p;
	t->cap = cap;
	p[t->len] = '\0';
	return n;
}

void text_put(struct text *t, struct str s)
{
	size_t n = reserve(t, s.n);
	if (n == 0)
		return;
	memcpy(t->p + t->len, s.p, n);
	t->len += n;
	t->p[t->len] = '\0';
}

void text_putc(struct text *t, char c)
{
	text_put(t, (struct str){ &c, 1 });
}

void text_puts(struct text *t, const char *z)
{
	text_put(t, str_of(z));
}

void text_printf(struct text *t, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	char small[256];
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(small, sizeof small, fmt, args);
	if (n < 0) {
		t->failed = true;
	} else if ((size_t)n < sizeof small) {
		text_put(t, (struct str){ small, (size_t)n });
	} else {
		size_t room = reserve(t, (size_t)n);
		if (room) {
			vsnprintf(t->p + t->len, room + 1, fmt, again);
			t->len += room;
		}
	}
	va_end(again);
	va_end(args);
}

void text_u64(struct text *t, uint64_t v)
{
	char digits[20], *p = digits + sizeof digits;
	do
		*--p = (char)('0' + v % 10);
	while (v /= 10);
	text_put(t, (struct str){ p, (size_t)(digits + sizeof digits - p) });
}

/** |v| without overflow at the smallest number. */
static uint64_t magnitude(int64_t v)
{
	return v < 0 ? -(uint64_t)v : (uint64_t)v;
}

void text_i64(struct text *t, int64_t v)
{
	if (v < 0)
		text_putc(t, '-');
	text_u64(t, magnitude(v));
}

void text_decimal(struct text *t, int64_t v, unsigned digits)
{
	uint64_t m = magnitude(v);
	while (digits && m % 10 == 0) {
		m /= 10;
		digits--;
	}
	char buf[24], *p = buf + sizeof buf;
	unsigned written = 0;
	for (; m; m /= 10) {
		if (written && written == digits)
			*--p = '.';
		*--p = (char)('0' + m % 10);
		written++;
	}
	struct str s = { p, (size_t)(buf + sizeof buf - p) };
	if (v < 0)
		text_putc(t, '-');
	if (written <= digits) {
		text_puts(t, v ? "0." : "0");
		for (; v && written < digits; written++)
			text_putc(t, '0');
	}
	text_put(t, s);
}

struct str text_str(const struct text *t)
{
	return (struct str){ t->p, t->len };
}
