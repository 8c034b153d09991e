/** @file What somebody may have meant who wrote what is none. */
#include "as/cli/hint.h"
#include <string.h>

enum { LONGEST = 96 };

static bool same(char a, char b)
{
	return a == b || (a == '_' && b == '-') || (a == '-' && b == '_');
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

size_t hint_distance(struct str a, struct str b, size_t most)
{
	size_t row[3][LONGEST + 1]; /* of the matrix: two before, before, this one */
	if (a.n > LONGEST || b.n > LONGEST || (a.n > b.n ? a.n - b.n : b.n - a.n) > most)
		return most + 1;
	for (size_t j = 0; j <= b.n; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *now = row[i % 3], *before = row[(i + 2) % 3], *two = row[(i + 1) % 3];
		now[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			now[j] = least(least(before[j], now[j - 1]) + 1, before[j - 1] + !same(a.p[i - 1], b.p[j - 1]));
			if (i > 1 && j > 1 && same(a.p[i - 1], b.p[j - 2]) && same(a.p[i - 2], b.p[j - 1]))
				now[j] = least(now[j], two[j - 2] + 1);
		}
	}
	return least(row[a.n % 3][b.n], most + 1);
}

/** How far off a word of this length may be to be taken for another one. */
static size_t patience(size_t n)
{
	return n < 4 ? 1 : n < 8 ? 2 : 2 + n / 8;
}

struct nearest {
	struct str said;
	size_t distance;
	char name[LONGEST + 1];
};

static void look(struct nearest *best, const char *prefix, const char *name)
{
	char whole[LONGEST + 1];
	struct text t = text_fixed(whole, sizeof whole);
	text_puts(&t, prefix);
	text_puts(&t, name);
	size_t d = hint_distance(best->said, text_str(&t), best->distance);
	if (t.failed || d >= best->distance)
		return;
	best->distance = d;
	memcpy(best->name, whole, sizeof whole);
}

/** Is it a part of a dotted name: app-key of root-keys.app-key.key? */
static bool is_part(struct str said, const char *name)
{
	struct str part, rest = str_of(name);
	while (rest.n) {
		rest = str_cut(rest, '.', &part);
		if (hint_distance(said, part, 0) == 0)
			return true;
	}
	return false;
}

void hint_flag(struct text *t, struct str said, int groups)
{
	struct nearest best = { .said = said, .distance = patience(said.n) + 1 };
	const struct flag *f;
	const char *mac;
	char right[ARGS_RIGHT];
	for (size_t i = 0; said.n && (f = args_flag(i)); i++)
		if (f->groups & groups && is_part(said, f->name)) {
			text_printf(t, "; did you mean --%s?", f->name);
			return;
		}
	for (size_t i = 0; (f = args_flag(i)); i++)
		if (f->groups & groups)
			look(&best, "", f->name);
	for (int i = 0, of; (of = args_right((size_t)i, right)); i++)
		if (of & groups)
			look(&best, "", right);
	for (size_t i = 0; (groups & IN_DEV) && (mac = args_mac_setting(i)); i++)
		look(&best, "mac-settings.", mac);
	if (best.name[0])
		text_printf(t, "; did you mean --%s?", best.name);
}

/** As many of the words given as the command has, with blanks between. */
static void join(const struct args *a, size_t n, struct text *ret)
{
	for (size_t i = 0; i < n && i < a->n_words; i++) {
		text_puts(ret, i ? " " : "");
		text_puts(ret, a->words[i]);
	}
}

const struct command *hint_command(const struct args *a)
{
	const struct command *nearest = NULL;
	size_t best = SIZE_MAX;
	for (const struct command *cmd = cli_commands; cmd->words; cmd++) {
		char said[LONGEST + 1];
		struct text t = text_fixed(said, sizeof said);
		size_t n = 1;
		for (const char *p = cmd->words; *p; p++)
			n += *p == ' ';
		join(a, n, &t);
		size_t most = least(patience(t.len), best - 1), d = hint_distance(text_str(&t), str_of(cmd->words), most);
		if (d <= most && !t.failed) {
			best = d;
			nearest = cmd;
		}
	}
	return nearest;
}
