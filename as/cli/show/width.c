/** @file How wide text stands on a terminal, and text that is safe to print there. */
#include "as/cli/show/width.h"
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/** The first character. @return its octets; 0: the text is malformed there, or at its end */
static size_t first(struct str s, uint32_t *ret)
{
	size_t n = utf8_length(s);
	const uint8_t *p = (const uint8_t *)s.p;
	if (!n)
		return 0;
	*ret = n == 1 ? p[0] : n == 2 ? p[0] & 0x1Fu : n == 3 ? p[0] & 0x0Fu : p[0] & 0x07u;
	for (size_t i = 1; i < n; i++)
		*ret = *ret << 6 | (p[i] & 0x3Fu);
	return n;
}

/** Marks that turn the direction of what follows: a name could look like another one. */
static bool turns(uint32_t c)
{
	return c == 0x061C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

static bool is_safe(uint32_t c)
{
	return c >= 0x20 && c != 0x7F && !(c >= 0x80 && c < 0xA0) && !turns(c) && wcwidth((wchar_t)c) >= 0;
}

size_t width_of(struct str s)
{
	size_t width = 0;
	uint32_t c;
	for (size_t n; s.n; s = (struct str){ s.p + n, s.n - n }) {
		n = first(s, &c);
		int w = n ? wcwidth((wchar_t)c) : 1;
		width += w > 0 ? (size_t)w : 0;
		n = n ? n : 1;
	}
	return width;
}

void width_safe(struct text *t, struct str s)
{
	uint32_t c = 0;
	for (size_t n; s.n; s = (struct str){ s.p + n, s.n - n }) {
		n = first(s, &c);
		if (n && is_safe(c))
			text_put(t, (struct str){ s.p, n });
		else if (n && (c == '\n' || c == '\t' || c == '\r'))
			text_printf(t, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
		else if (n && c >= 0x80)
			text_printf(t, "\\u{%X}", (unsigned)c);
		else
			text_printf(t, "\\x%02X", (unsigned char)s.p[0]);
		n = n ? n : 1;
	}
}

struct str width_cut(struct str s, size_t columns)
{
	size_t end = 0;
	uint32_t c;
	while (end < s.n) {
		size_t n = first((struct str){ s.p + end, s.n - end }, &c);
		int w = n ? wcwidth((wchar_t)c) : 1;
		if (w > 0 && (size_t)w > columns)
			break;
		columns -= w > 0 ? (size_t)w : 0;
		end += n ? n : 1;
	}
	return (struct str){ s.p, end };
}

size_t width_of_terminal(void)
{
	const char *said = getenv("COLUMNS");
	uint64_t n = 0;
	struct winsize size = { .ws_col = 0 };
	if (said && !num_u64(str_of(said), &n) && n)
		return (size_t)n;
	return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : SIZE_MAX;
}
