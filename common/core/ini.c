/** @file INI text, line by line. */
#include "common/core/ini.h"
#include <string.h>

static struct str unquote(struct str s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return (struct str){ s.p + 1, s.n - 2 };
	return s;
}

/** @return 0; INI_E_SYNTAX */
static int split(struct str text, struct ini_line *line)
{
	struct str key, value = str_cut(text, '=', &key);
	if (key.n == text.n)
		return INI_E_SYNTAX;
	line->key = str_trim(key);
	line->value = unquote(str_trim(value));
	return line->key.n && !memchr(text.p, '\0', text.n) ? 0 : INI_E_SYNTAX;
}

int ini_parse(struct str text, int (*fn)(void *ctx, const struct ini_line *line), void *ctx, unsigned *ret_line)
{
	struct ini_line line = { .section = STR("") };
	if (str_starts(text, "\xef\xbb\xbf"))
		text = (struct str){ text.p + 3, text.n - 3 };
	while (text.n) {
		struct str raw;
		text = str_cut(text, '\n', &raw);
		line.number++;
		raw = str_trim(raw);
		if (raw.n == 0 || raw.p[0] == '#' || raw.p[0] == ';')
			continue;
		if (raw.p[0] == '[' && raw.p[raw.n - 1] == ']') {
			line.section = str_trim((struct str){ raw.p + 1, raw.n - 2 });
			continue;
		}
		int rc = split(raw, &line);
		if (rc)
			*ret_line = line.number;
		else
			rc = fn(ctx, &line);
		if (rc)
			return rc;
	}
	return 0;
}
