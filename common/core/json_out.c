/** @file Writing JSON: commas and escapes by construction. */
#include "common/core/json_out.h"
#include "common/core/clock.h"
#include <string.h>

/** A comma, if the last character written was the end of a value. */
static void separate(struct text *t)
{
	char last = t->len ? t->p[t->len - 1] : '[';
	if (!strchr("[{:, \n", last))
		text_putc(t, ',');
}

void json_open(struct text *t, char bracket)
{
	separate(t);
	text_putc(t, bracket);
}

void json_close(struct text *t, char bracket)
{
	text_putc(t, bracket);
}

/** The escape of a character that may not stand for itself. */
static void put_escape(struct text *t, char c)
{
	static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = c ? strchr(plain, c) : NULL;
	if (at) {
		text_putc(t, '\\');
		text_putc(t, letters[at - plain]);
	} else {
		text_puts(t, "\\u00");
		text_hex(t, &c, 1, false);
	}
}

/** Characters at the beginning of s that stand for themselves. */
static size_t plain_run(struct str s)
{
	size_t n = 0;
	while (n < s.n) {
		unsigned char c = (unsigned char)s.p[n];
		size_t len = c < 0x80 ? 1 : utf8_length((struct str){ s.p + n, s.n - n });
		if (c < ' ' || c == '"' || c == '\\' || len == 0)
			break;
		n += len;
	}
	return n;
}

/** A string with its quotes. */
static void put_string(struct text *t, struct str s)
{
	text_putc(t, '"');
	while (s.n) {
		size_t n = plain_run(s);
		text_put(t, (struct str){ s.p, n });
		if (n < s.n) {
			if ((unsigned char)s.p[n] < 0x80)
				put_escape(t, s.p[n]);
			else
				text_puts(t, "\xef\xbf\xbd");
			n++;
		}
		s.p += n;
		s.n -= n;
	}
	text_putc(t, '"');
}

void json_name(struct text *t, const char *name)
{
	separate(t);
	put_string(t, str_of(name));
	text_putc(t, ':');
}

void json_str(struct text *t, struct str s)
{
	separate(t);
	put_string(t, s);
}

void json_puts(struct text *t, const char *z)
{
	json_str(t, str_of(z));
}

void json_unum(struct text *t, uint64_t v)
{
	separate(t);
	text_u64(t, v);
}

void json_num(struct text *t, int64_t v)
{
	separate(t);
	text_i64(t, v);
}

void json_dec(struct text *t, int64_t v, unsigned digits)
{
	separate(t);
	text_decimal(t, v, digits);
}

void json_truth(struct text *t, bool v)
{
	separate(t);
	text_puts(t, v ? "true" : "false");
}

void json_null(struct text *t)
{
	separate(t);
	text_puts(t, "null");
}

void json_b64(struct text *t, const void *p, size_t n)
{
	separate(t);
	text_putc(t, '"');
	text_base64(t, p, n);
	text_putc(t, '"');
}

void json_eui(struct text *t, uint64_t eui)
{
	uint8_t b[8];
	struct writer w = writer_of(b, sizeof b);
	writer_be64(&w, eui);
	json_hex(t, b, sizeof b);
}

void json_hex(struct text *t, const void *p, size_t n)
{
	separate(t);
	text_putc(t, '"');
	text_hex(t, p, n, true);
	text_putc(t, '"');
}

void json_time(struct text *t, uint64_t unix_ns)
{
	separate(t);
	text_putc(t, '"');
	clock_rfc3339(t, unix_ns);
	text_putc(t, '"');
}

void json_raw_out(struct text *t, struct str json)
{
	separate(t);
	text_put(t, str_trim(json));
}
