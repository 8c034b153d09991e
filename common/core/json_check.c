/** @file The grammar of JSON (RFC 8259), with a comma allowed after the last element; one pass, no recursion. */
#include "common/core/json.h"
#include <string.h>

struct check {
	const char *p, *end;
	unsigned depth;
	char open[JSON_DEPTH]; /**< the brackets that are open */
};

/** What may come next. */
enum want { VALUE, VALUE_OR_CLOSE, NAME_OR_CLOSE, COLON, COMMA_OR_CLOSE };

static bool is_digit(const struct check *c)
{
	return c->p < c->end && *c->p >= '0' && *c->p <= '9';
}

static bool take(struct check *c, char ch)
{
	if (c->p == c->end || *c->p != ch)
		return false;
	c->p++;
	return true;
}

static void take_blanks(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
		c->p++;
}

static bool take_digits(struct check *c)
{
	if (!is_digit(c))
		return false;
	while (is_digit(c))
		c->p++;
	return true;
}

static bool take_number(struct check *c)
{
	take(c, '-');
	if (!take(c, '0') && !take_digits(c))
		return false;
	if (take(c, '.') && !take_digits(c))
		return false;
	if (take(c, 'e') || take(c, 'E')) {
		if (!take(c, '+'))
			take(c, '-');
		return take_digits(c);
	}
	return true;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/** What follows a backslash. */
static bool take_escape(struct check *c)
{
	if (c->p == c->end)
		return false;
	char kind = *c->p++;
	if (kind != 'u')
		return kind != '\0' && strchr("\"\\/bfnrt", kind);
	for (int i = 0; i < 4; i++, c->p++)
		if (c->p == c->end || !is_hex(*c->p))
			return false;
	return true;
}

static bool take_string(struct check *c)
{
	if (!take(c, '"'))
		return false;
	while (c->p < c->end) {
		char ch = *c->p++;
		if (ch == '"')
			return true;
		if (ch == '\\') {
			if (!take_escape(c))
				return false;
		} else if ((unsigned char)ch < ' ') {
			c->p--;
			return false;
		}
	}
	return false;
}

static bool take_word(struct check *c, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

static bool take_scalar(struct check *c)
{
	if (*c->p == '"')
		return take_string(c);
	return take_word(c, "true") || take_word(c, "false") || take_word(c, "null") || take_number(c);
}

static int take_value(struct check *c, enum want *want)
{
	char bracket = *c->p;
	if (bracket != '{' && bracket != '[') {
		*want = COMMA_OR_CLOSE;
		return take_scalar(c) ? 0 : -EBADMSG;
	}
	if (c->depth == JSON_DEPTH)
		return -E2BIG;
	c->p++;
	c->open[c->depth++] = bracket;
	*want = bracket == '{' ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
	return 0;
}

static bool take_close(struct check *c, enum want *want)
{
	if (c->depth == 0 || !take(c, c->open[c->depth - 1] == '{' ? '}' : ']'))
		return false;
	c->depth--;
	*want = COMMA_OR_CLOSE;
	return true;
}

static int take_next(struct check *c, enum want *want)
{
	switch (*want) {
	case NAME_OR_CLOSE:
		if (take_close(c, want))
			return 0;
		*want = COLON;
		return take_string(c) ? 0 : -EBADMSG;
	case COLON:
		*want = VALUE;
		return take(c, ':') ? 0 : -EBADMSG;
	case COMMA_OR_CLOSE:
		if (take_close(c, want))
			return 0;
		*want = c->open[c->depth - 1] == '{' ? NAME_OR_CLOSE : VALUE_OR_CLOSE;
		return take(c, ',') ? 0 : -EBADMSG;
	case VALUE_OR_CLOSE:
		if (take_close(c, want))
			return 0;
		return take_value(c, want);
	case VALUE:
		break;
	}
	return take_value(c, want);
}

int json_check(struct str text, size_t *ret_end, size_t *ret_err)
{
	struct check c = { .p = text.p, .end = text.n ? text.p + text.n : text.p };
	enum want want = VALUE;
	int e = 0;
	do {
		take_blanks(&c);
		e = c.p == c.end ? -EBADMSG : take_next(&c, &want);
	} while (!e && (c.depth || want != COMMA_OR_CLOSE));
	if (e)
		*ret_err = (size_t)(c.p - text.p);
	else
		*ret_end = (size_t)(c.p - text.p);
	return e;
}
