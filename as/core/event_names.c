/** @file Names of events by pattern: a small regular expression made into steps, and all its states run side by side. */
#include "as/core/event_names.h"
#include <string.h>

enum op { OP_CHAR, OP_ANY, OP_SET, OP_SPLIT, OP_GO, OP_BEGIN, OP_END, OP_MATCH };

static const char too_long[] = "is too large: 100 characters each, and 256 steps for all expressions";

struct parser {
	struct event_names *p;
	struct str left;
	unsigned depth;
	const char *why; /**< NULL: all is well */
};

static void wrong(struct parser *s, const char *why)
{
	if (!s->why)
		s->why = why;
}

static bool sees(const struct parser *s, char c)
{
	return !s->why && s->left.n && s->left.p[0] == c;
}

static bool take(struct parser *s, char c)
{
	bool is = sees(s, c);
	if (is)
		s->left = (struct str){ s->left.p + 1, s->left.n - 1 };
	return is;
}

static char next(struct parser *s)
{
	if (!s->left.n) {
		wrong(s, "ends in the middle");
		return 0;
	}
	char c = s->left.p[0];
	s->left = (struct str){ s->left.p + 1, s->left.n - 1 };
	return c;
}

/** Put a step at `at`; what stands there moves up whole, so that its ways stay right. */
static void put(struct parser *s, uint16_t at, struct name_step step)
{
	struct event_names *p = s->p;
	if (p->n_steps == EVENT_NAMES_STEPS) {
		wrong(s, too_long);
		return;
	}
	memmove(p->steps + at + 1, p->steps + at, (size_t)(p->n_steps - at) * sizeof *p->steps);
	p->steps[at] = step;
	p->n_steps++;
}

static void append(struct parser *s, enum op op, char arg, int to, int or_to)
{
	put(s, s->p->n_steps, (struct name_step){ (uint8_t)op, (uint8_t)arg, (int16_t)to, (int16_t)or_to });
}

/* ---- sets of characters ---- */

static void set_add(uint64_t set[2], unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to && c < 128; c++)
		set[c / 64] |= UINT64_C(1) << c % 64;
}

/** What a letter after a backslash stands for. @return is it one of those that stand for several characters? */
static bool set_escape(uint64_t set[2], char c)
{
	if (c != 'd' && c != 'w')
		return false;
	set_add(set, '0', '9');
	if (c == 'w') {
		set_add(set, 'a', 'z');
		set_add(set, 'A', 'Z');
		set_add(set, '_', '_');
	}
	return true;
}

static bool is_sign(char c)
{
	return c > ' ' && c < 127 && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z');
}

/** One character of a set, or of the expression, behind its backslash. */
static char escaped(struct parser *s)
{
	char c = next(s);
	if (!s->why && !is_sign(c))
		wrong(s, "has a backslash before a letter or digit: only \\d and \\w are known");
	return c;
}

static void set_part(struct parser *s, uint64_t set[2])
{
	char from = next(s);
	if (from == '\\') {
		if (s->left.n && set_escape(set, s->left.p[0])) {
			next(s);
			return;
		}
		from = escaped(s);
	}
	char to = from;
	if (sees(s, '-') && s->left.n > 1 && s->left.p[1] != ']') {
		next(s);
		to = next(s);
		if (to == '\\')
			to = escaped(s);
	}
	if (from < 0 || to < from)
		wrong(s, "has a range that ends before it begins");
	else
		set_add(set, (unsigned char)from, (unsigned char)to);
}

static uint64_t *set_new(struct parser *s)
{
	struct event_names *p = s->p;
	if (p->n_sets == EVENT_NAMES_SETS) {
		wrong(s, "needs more than 16 sets such as [a-z] or \\d");
		return NULL;
	}
	append(s, OP_SET, (char)p->n_sets, 1, 0);
	return p->sets[p->n_sets++];
}

static void set(struct parser *s)
{
	uint64_t *v = set_new(s);
	if (!v)
		return;
	bool is_not = take(s, '^');
	do
		set_part(s, v);
	while (!s->why && !take(s, ']'));
	v[0] = is_not ? ~v[0] : v[0];
	v[1] = is_not ? ~v[1] : v[1];
}

/* ---- the expression ---- */

static void alternatives(struct parser *s);

static void group(struct parser *s)
{
	if (take(s, '?') && !take(s, ':'))
		wrong(s, "looks ahead or names a group: only ( ) and (?: ) are known");
	if (++s->depth > EVENT_NAMES_DEPTH)
		wrong(s, "is nested deeper than 8");
	if (!s->why)
		alternatives(s);
	s->depth--;
	if (!s->why && !take(s, ')'))
		wrong(s, "has a ( without its )");
}

static void backslash(struct parser *s)
{
	uint64_t set[2] = { 0 };
	if (!s->left.n || !set_escape(set, s->left.p[0])) {
		append(s, OP_CHAR, escaped(s), 1, 0);
		return;
	}
	next(s);
	uint64_t *v = set_new(s);
	if (v)
		memcpy(v, set, sizeof set);
}

/** @return may it be repeated? */
static bool atom(struct parser *s)
{
	char c = next(s);
	switch (c) {
	case '(':
		group(s);
		return true;
	case '[':
		set(s);
		return true;
	case '\\':
		backslash(s);
		return true;
	case '.':
		append(s, OP_ANY, 0, 1, 0);
		return true;
	case '^':
	case '$':
		append(s, c == '^' ? OP_BEGIN : OP_END, 0, 1, 0);
		return false;
	case '*':
	case '+':
	case '?':
		wrong(s, "repeats nothing: *, + and ? follow what they repeat");
		return false;
	case '{':
		wrong(s, "counts with { }: only *, + and ? are known");
		return false;
	default:
		append(s, OP_CHAR, c, 1, 0);
		return true;
	}
}

/** What has been written from `at` on, as often as the sign behind it says. */
static void repeat(struct parser *s, uint16_t at)
{
	int n = s->p->n_steps - at;
	if (take(s, '*')) {
		put(s, at, (struct name_step){ OP_SPLIT, 0, 1, (int16_t)(n + 2) });
		append(s, OP_GO, 0, -(n + 1), 0);
	} else if (take(s, '+')) {
		append(s, OP_SPLIT, 0, -n, 1);
	} else if (take(s, '?')) {
		put(s, at, (struct name_step){ OP_SPLIT, 0, 1, (int16_t)(n + 1) });
	} else {
		return;
	}
	take(s, '?'); /* as few as possible: what is found is the same */
}

static void alternatives(struct parser *s)
{
	struct event_names *p = s->p;
	int last = -1; /* the way out of the alternative before, which leads to the one before that until all are known */
	uint16_t at = p->n_steps;
	while (!s->why && s->left.n && !sees(s, ')')) {
		if (take(s, '|')) {
			put(s, at, (struct name_step){ OP_SPLIT, 0, 1, (int16_t)(p->n_steps - at + 2) });
			append(s, OP_GO, 0, last, 0);
			last = p->n_steps - 1;
			at = p->n_steps;
			continue;
		}
		uint16_t from = p->n_steps;
		if (atom(s))
			repeat(s, from);
	}
	while (!s->why && last >= 0) {
		int before = p->steps[last].to;
		p->steps[last].to = (int16_t)(p->n_steps - last);
		last = before;
	}
}

static int expression_add(struct event_names *e, struct str text, const char **ret_why)
{
	struct parser s = { .p = e, .left = text };
	if (e->n_starts == EVENT_NAMES_MAX)
		wrong(&s, "is one too many: 32 expressions are taken");
	else
		e->starts[e->n_starts++] = e->n_steps;
	if (!s.why)
		alternatives(&s);
	if (!s.why && s.left.n)
		wrong(&s, "has a ) without its (");
	append(&s, OP_MATCH, 0, 0, 0);
	*ret_why = s.why;
	return s.why ? -EINVAL : 0;
}

int event_names_add(struct event_names *e, struct str text, const char **ret_why)
{
	const char *why = !text.n ? "is empty" : text.n > EVENT_NAME_TEXT ? too_long : NULL;
	bool is_expression = text.n && text.p[0] == '/';
	if (!why && is_expression && (text.n < 3 || text.p[text.n - 1] != '/'))
		why = "has no / at its end, or nothing between the two: /^ns\\..+/";
	if (!why && is_expression)
		return expression_add(e, (struct str){ text.p + 1, text.n - 2 }, ret_why);
	if (!why && e->n_exact == EVENT_NAMES_MAX)
		why = "is one too many: 32 names are taken";
	if (!why && str_copy(text, e->exact[e->n_exact], sizeof e->exact[0]))
		why = "holds a NUL";
	*ret_why = why;
	if (why)
		return -EINVAL;
	e->n_exact++;
	return 0;
}

/* ---- finding ---- */

/** The steps that are reached at one character of the name. */
struct reached {
	bool is_in[EVENT_NAMES_STEPS];
	uint16_t v[EVENT_NAMES_STEPS]; /**< those, in any order */
	uint16_t n;
};

static void reach(struct reached *r, int step)
{
	if (r->is_in[step])
		return;
	r->is_in[step] = true;
	r->v[r->n++] = (uint16_t)step;
}

/** Follow the ways that take no character. @return has an end been reached? */
static bool spread(const struct event_names *e, struct reached *r, bool is_begin, bool is_end)
{
	for (uint16_t i = 0; i < r->n; i++) {
		int here = r->v[i];
		const struct name_step *s = &e->steps[here];
		if (s->op == OP_MATCH)
			return true;
		if (s->op == OP_SPLIT || s->op == OP_GO || (s->op == OP_BEGIN && is_begin) || (s->op == OP_END && is_end))
			reach(r, here + s->to);
		if (s->op == OP_SPLIT)
			reach(r, here + s->or_to);
	}
	return false;
}

static bool takes(const struct event_names *e, const struct name_step *s, unsigned char c)
{
	return s->op == OP_ANY || (s->op == OP_CHAR && s->arg == c) ||
	       (s->op == OP_SET && c < 128 && e->sets[s->arg][c / 64] >> c % 64 & 1);
}

/** Take one character: from what is reached to what is then, which is empty before; `now` is empty after. */
static void step(const struct event_names *e, struct reached *now, struct reached *then, unsigned char c)
{
	for (uint16_t i = 0; i < now->n; i++) {
		now->is_in[now->v[i]] = false;
		if (takes(e, &e->steps[now->v[i]], c))
			reach(then, now->v[i] + 1);
	}
	now->n = 0;
}

static bool run(const struct event_names *e, struct str name)
{
	struct reached both[2] = { 0 };
	for (size_t at = 0; at <= name.n; at++) {
		struct reached *now = &both[at & 1];
		for (uint16_t i = 0; i < e->n_starts; i++)
			reach(now, e->starts[i]);
		if (spread(e, now, at == 0, at == name.n))
			return true;
		if (at < name.n)
			step(e, now, &both[~at & 1], (unsigned char)name.p[at]);
	}
	return false;
}

bool event_names_find(const struct event_names *e, struct str name)
{
	for (uint16_t i = 0; i < e->n_exact; i++)
		if (str_is(name, e->exact[i]))
			return true;
	return e->n_starts && run(e, name);
}
