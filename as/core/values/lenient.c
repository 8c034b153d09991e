/** @file Rewriting lenient JSON as strict JSON: one pass, no recursion. */
#include "as/core/values/lenient.h"
#include "common/core/json_out.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GROWTH = 6 /* a control character of a string becomes \u00XX */ };

struct pass {
	const char *p, *end;
	struct text *out;
	struct text word; /* a string, unescaped */
	unsigned depth;
	char open[JSON_DEPTH]; /* the brackets that are open */
};

/** What may come next. */
enum want { VALUE, ELEMENT, NAME, COLON, COMMA };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool at(const struct pass *s, const char *z)
{
	size_t n = strlen(z);
	return (size_t)(s->end - s->p) >= n && memcmp(s->p, z, n) == 0;
}

static bool take(struct pass *s, const char *z)
{
	if (!at(s, z))
		return false;
	s->p += strlen(z);
	return true;
}

/** Blanks and comments. @return 0; -EBADMSG a comment without an end */
static int take_blanks(struct pass *s)
{
	for (;;) {
		while (s->p < s->end && is_blank(*s->p))
			s->p++;
		if (at(s, "#") || at(s, "//")) {
			while (s->p < s->end && *s->p != '\n' && *s->p != '\r')
				s->p++;
		} else if (at(s, "/*")) {
			const char *close = memmem(s->p + 2, (size_t)(s->end - s->p) - 2, "*/", 2);
			if (!close)
				return -EBADMSG;
			s->p = close + 2;
		} else {
			return 0;
		}
	}
}

static void put_code(struct text *word, uint32_t code)
{
	char c[4];
	if (code)
		text_put(word, (struct str){ c, utf8_encode(code, c) });
}

static int take_hex(struct pass *s, uint32_t *ret)
{
	enum { DIGITS = 4 };
	if (s->end - s->p < DIGITS || hex_u32((struct str){ s->p, DIGITS }, DIGITS, ret))
		return -EBADMSG;
	s->p += DIGITS;
	return 0;
}

/** What follows \u: one unit of UTF-16, or two that make a pair. Half a pair is no character. */
static int take_unicode(struct pass *s)
{
	enum { NO_CHARACTER = 0xfffd };
	uint32_t code, low;
	TRY(take_hex(s, &code));
	if (code >= 0xd800 && code <= 0xdbff && at(s, "\\u")) {
		const char *second = s->p;
		s->p += 2;
		TRY(take_hex(s, &low));
		if (low >= 0xdc00 && low <= 0xdfff)
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		else
			s->p = second;
	}
	put_code(&s->word, code >= 0xd800 && code <= 0xdfff ? NO_CHARACTER : code);
	return 0;
}

/** What follows a backslash. */
static int take_escape(struct pass *s)
{
	static const char from[] = "bfnrt\"'\\/\n", to[] = "\b\f\n\r\t\"'\\/\n";
	if (s->p == s->end)
		return -EBADMSG;
	char c = *s->p++;
	const char *found = c ? strchr(from, c) : NULL;
	if (c == 'u')
		return take_unicode(s);
	if (!found) {
		s->p--;
		return -EBADMSG;
	}
	text_putc(&s->word, to[found - from]);
	return 0;
}

/** A string that begins with either quote, into s->word. */
static int take_quoted(struct pass *s)
{
	char quote = *s->p++;
	text_reset(&s->word);
	while (s->p < s->end) {
		char c = *s->p++;
		if (c == quote)
			return 0;
		if (c == '\\')
			TRY(take_escape(s));
		else if (c)
			text_putc(&s->word, c);
	}
	return -EBADMSG;
}

/** Characters up to one that Gson does not take for a part of a word. @return none: -EBADMSG */
static int take_word(struct pass *s, struct str *ret)
{
	const char *from = s->p;
	while (s->p < s->end && *s->p && !strchr("/\\;#={}[]:, \t\f\r\n", *s->p))
		s->p++;
	*ret = (struct str){ from, (size_t)(s->p - from) };
	return ret->n ? 0 : -EBADMSG;
}

static bool is_number(struct str word)
{
	size_t end, unwanted;
	return strchr("-0123456789", *word.p) && json_check(word, &end, &unwanted) == 0 && end == word.n;
}

static int put_word(struct pass *s)
{
	static const char *const words[] = { "true", "false", "null" };
	struct str word;
	TRY(take_word(s, &word));
	for (size_t i = 0; i < COUNT(words); i++)
		if (word.n == strlen(words[i]) && strncasecmp(word.p, words[i], word.n) == 0) {
			json_raw_out(s->out, str_of(words[i]));
			return 0;
		}
	if (is_number(word))
		json_raw_out(s->out, word);
	else
		json_str(s->out, word);
	return 0;
}

static bool at_quote(const struct pass *s)
{
	return at(s, "\"") || at(s, "'");
}

static int put_value(struct pass *s, enum want *want)
{
	char c = *s->p;
	*want = COMMA;
	if (c == '{' || c == '[') {
		if (s->depth == JSON_DEPTH)
			return -E2BIG;
		s->p++;
		s->open[s->depth++] = c;
		*want = c == '{' ? NAME : ELEMENT;
		json_open(s->out, c);
		return 0;
	}
	if (!at_quote(s))
		return put_word(s);
	TRY(take_quoted(s));
	json_str(s->out, text_str(&s->word));
	return 0;
}

static int put_name(struct pass *s)
{
	struct str name;
	if (at_quote(s)) {
		TRY(take_quoted(s));
		name = text_str(&s->word);
	} else {
		TRY(take_word(s, &name));
	}
	json_str(s->out, name);
	return 0;
}

static bool take_close(struct pass *s, enum want *want)
{
	bool is_object = s->depth && s->open[s->depth - 1] == '{';
	if (!s->depth || !take(s, is_object ? "}" : "]"))
		return false;
	json_close(s->out, is_object ? '}' : ']');
	s->depth--;
	*want = COMMA;
	return true;
}

static int put_next(struct pass *s, enum want *want)
{
	switch (*want) {
	case NAME:
		if (take_close(s, want))
			return 0;
		*want = COLON;
		return put_name(s);
	case COLON:
		*want = VALUE;
		if (!take(s, ":") && !take(s, "=>") && !take(s, "="))
			return -EBADMSG;
		text_putc(s->out, ':');
		return 0;
	case COMMA:
		if (take_close(s, want))
			return 0;
		*want = s->open[s->depth - 1] == '{' ? NAME : ELEMENT;
		return take(s, ",") || take(s, ";") ? 0 : -EBADMSG;
	case ELEMENT:
		if (take_close(s, want))
			return 0;
		if (take(s, ",") || take(s, ";")) {
			json_null(s->out);
			return 0;
		}
		return put_value(s, want);
	case VALUE: break;
	}
	return put_value(s, want);
}

static int rewrite(struct pass *s)
{
	enum want want = VALUE;
	do {
		TRY(take_blanks(s));
		if (s->p == s->end)
			return -EBADMSG;
		TRY(put_next(s, &want));
	} while (s->depth || want != COMMA);
	TRY(take_blanks(s));
	return s->p == s->end ? 0 : -EBADMSG;
}

int lenient_strict(struct str text, struct text *ret, size_t *ret_err)
{
	struct pass s = { .p = text.p, .end = text.n ? text.p + text.n : text.p, .out = ret, .word = text_growing(text.n + 1) };
	text_reset(ret);
	take(&s, "\xef\xbb\xbf");
	int r = rewrite(&s);
	if (!r && (ret->failed || s.word.failed))
		r = -ENOMEM;
	if (r && ret_err)
		*ret_err = (size_t)(s.p - text.p);
	text_done(&s.word);
	return r;
}

/** Room for the tokens of n characters of JSON: of each two, one at most is what a token begins with. */
static int make_room(struct lenient *l, size_t n)
{
	size_t want = n / 2 + 2;
	if (want <= l->max_tok)
		return 0;
	struct json_tok *tok = reallocarray(l->tok, want, sizeof *tok);
	if (!tok)
		return -ENOMEM;
	l->tok = tok;
	l->max_tok = want;
	return 0;
}

int lenient_read(struct lenient *l, struct str text, size_t *ret_err)
{
	l->json = (struct json){ 0 };
	if (text.n > LENIENT_MAX_BYTES)
		return -E2BIG;
	if (!l->strict.grows)
		l->strict = text_growing((size_t)GROWTH * LENIENT_MAX_BYTES);
	TRY(lenient_strict(text, &l->strict, ret_err));
	TRY(make_room(l, l->strict.len));
	return json_parse(text_str(&l->strict), l->tok, l->max_tok, &l->json, ret_err);
}

void lenient_done(struct lenient *l)
{
	text_done(&l->strict);
	free(l->tok);
	*l = (struct lenient){ 0 };
}
