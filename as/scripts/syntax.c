/** @file A scanner of tokens that knows what ECMAScript 2015 and later brought. */
#include "as/scripts/syntax.h"
#include <string.h>

enum kind { END, WORD, NUMBER, STRING, REGEX, TEMPLATE, MARK };

struct token {
	enum kind kind;
	struct str s;
	unsigned line;
};

struct scan {
	const char *p, *end;
	unsigned line;
	struct token last;          /* the one before */
	struct token before_last;
	unsigned depth;             /* of brackets in the parameters of a function; 0: not in there */
	bool function, heading;     /* "function" was seen, its "(" not yet; "for" was seen, its "of" or "in" may come */
	bool constant;              /* "const" was seen in that head */
};

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is(const struct token *t, const char *z)
{
	return (t->kind == WORD || t->kind == MARK) && str_is(t->s, z);
}

static bool one_of(const struct token *t, const char *const *words)
{
	for (; *words; words++)
		if (is(t, *words))
			return true;
	return false;
}

static void skip_comment(struct scan *s)
{
	bool block = s->p[1] == '*';
	for (s->p += 2; s->p < s->end; s->p++) {
		if (*s->p == '\n' && !block)
			return;
		s->line += *s->p == '\n';
		if (block && *s->p == '*' && s->p + 1 < s->end && s->p[1] == '/') {
			s->p += 2;
			return;
		}
	}
}

static void skip_blanks(struct scan *s)
{
	while (s->p < s->end) {
		bool comment = *s->p == '/' && s->p + 1 < s->end && (s->p[1] == '/' || s->p[1] == '*');
		if (comment) {
			skip_comment(s);
		} else if (*s->p == ' ' || (*s->p >= '\t' && *s->p <= '\r')) {
			s->line += *s->p == '\n';
			s->p++;
		} else {
			return;
		}
	}
}

/* May a slash here begin a regular expression? Not behind a value. */
static bool regex_may_begin(const struct token *last)
{
	static const char *const operators[] = { "return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", NULL };
	static const char *const closed[] = { ")", "]", "}", "++", "--", NULL };
	if (last->kind == WORD)
		return one_of(last, operators);
	return last->kind == END || (last->kind == MARK && !one_of(last, closed));
}

static void take_quoted(struct scan *s, char quote)
{
	bool set = false; /* within [...] of a regular expression */
	for (s->p++; s->p < s->end && *s->p != '\n'; s->p++) {
		if (*s->p == '\\' && s->p + 1 < s->end) {
			s->p++;
			s->line += *s->p == '\n';
		} else if (quote == '/' && (*s->p == '[' || *s->p == ']')) {
			set = *s->p == '[';
		} else if (*s->p == quote && !set) {
			s->p++;
			return;
		}
	}
}

static void take_word(struct scan *s)
{
	while (s->p < s->end && (is_letter(*s->p) || is_digit(*s->p)))
		s->p++;
}

static void take_number(struct scan *s)
{
	for (; s->p < s->end; s->p++) {
		bool sign = (*s->p == '+' || *s->p == '-') && (s->p[-1] == 'e' || s->p[-1] == 'E');
		if (!is_letter(*s->p) && !is_digit(*s->p) && *s->p != '.' && !sign)
			return;
	}
}

static void take_mark(struct scan *s)
{
	static const char *const marks[] = { "...", "\?\?=", "||=", "&&=", "=>", "?.", "\?\?", "===", "!==", "**", "==", "!=", "<=", ">=", "++", "--",
		"&&", "||", "+=", "-=", "*=", "/=", NULL };
	size_t left = (size_t)(s->end - s->p);
	for (const char *const *m = marks; *m; m++) {
		size_t n = strlen(*m);
		/* x?.5:1 is no chain. */
		bool fraction = !strcmp(*m, "?.") && left > 2 && is_digit(s->p[2]);
		if (n <= left && !memcmp(s->p, *m, n) && !fraction) {
			s->p += n;
			return;
		}
	}
	s->p++;
}

static struct token take(struct scan *s)
{
	skip_blanks(s);
	struct token t = { .kind = END, .line = s->line };
	const char *begin = s->p;
	if (s->p == s->end)
		return t;
	char c = *s->p;
	if (is_letter(c)) {
		t.kind = WORD;
		take_word(s);
	} else if (is_digit(c) || (c == '.' && s->p + 1 < s->end && is_digit(s->p[1]))) {
		t.kind = NUMBER;
		s->p++;
		take_number(s);
	} else if (c == '"' || c == '\'') {
		t.kind = STRING;
		take_quoted(s, c);
	} else if (c == '/' && regex_may_begin(&s->last)) {
		t.kind = REGEX;
		take_quoted(s, c);
		take_word(s);
	} else if (c == '`') {
		t.kind = TEMPLATE;
		s->p++;
	} else {
		t.kind = MARK;
		take_mark(s);
	}
	t.s = (struct str){ begin, (size_t)(s->p - begin) };
	return t;
}

struct lack {
	const char *what;
	unsigned edition;
};

static struct lack lack_of_number(struct str s)
{
	bool hex = s.n > 1 && (s.p[1] == 'x' || s.p[1] == 'X');
	if (memchr(s.p, '_', s.n))
		return (struct lack){ "separators in numbers need", 2021 };
	if (s.p[s.n - 1] == 'n' && !hex)
		return (struct lack){ "BigInt literals need", 2020 };
	return (struct lack){ 0 };
}

static struct lack lack_of_regex(struct str s)
{
	const char *flags = memrchr(s.p, '/', s.n);
	size_t n = (size_t)(s.p + s.n - flags);
	if (flags == s.p)
		return (struct lack){ 0 }; /* it does not end */
	if (memchr(flags, 'u', n) || memchr(flags, 'y', n))
		return (struct lack){ "the flags u and y of regular expressions need", 2015 };
	if (memchr(flags, 's', n))
		return (struct lack){ "the flag s of regular expressions needs", 2018 };
	if (memmem(s.p, s.n, "(?<", 3))
		return (struct lack){ "named groups and look-behind in regular expressions need", 2018 };
	return (struct lack){ 0 };
}

static struct lack lack_of_mark(const struct token *t)
{
	static const struct { const char *mark; struct lack lack; } rows[] = {
		{ "=>", { "arrow functions need", 2015 } },
		{ "...", { "spread and rest (...) need", 2015 } },
		{ "?.", { "optional chaining (?.) needs", 2020 } },
		{ "\?\?", { "the operator ?? needs", 2020 } },
		{ "\?\?=", { "the operator ?\?= needs", 2021 } },
		{ "||=", { "the operator ||= needs", 2021 } },
		{ "&&=", { "the operator &&= needs", 2021 } },
	};
	for (size_t i = 0; i < COUNT(rows); i++)
		if (is(t, rows[i].mark))
			return rows[i].lack;
	return (struct lack){ 0 };
}

/* What a word and what is behind it say; `next` is a word (W), a string (S), a bracket that opens (O), or a mark of its own. */
static const struct pair {
	const char *word, *next;
	struct lack lack;
} pairs[] = {
	{ "let", "O", { "destructuring needs", 2015 } },
	{ "const", "O", { "destructuring needs", 2015 } },
	{ "var", "O", { "destructuring needs", 2015 } },
	{ "let", "W", { "let needs", 2015 } },
	{ "class", "WO", { "classes need", 2015 } },
	{ "import", "WSO*", { "modules (import, export) need", 2015 } },
	{ "export", "WO*", { "modules (import, export) need", 2015 } },
	{ "function", "*", { "generators need", 2015 } },
	{ "yield", "W", { "generators need", 2015 } },
	{ "async", "W", { "async and await need", 2017 } },
	{ "await", "W", { "async and await need", 2017 } },
	{ "catch", "{", { "catch without a parameter needs", 2019 } },
};

static bool fits(const char *kinds, const struct token *t)
{
	bool opens = is(t, "{") || is(t, "[");
	return (t->kind == WORD && strchr(kinds, 'W')) || (t->kind == STRING && strchr(kinds, 'S')) || (opens && strchr(kinds, 'O')) ||
	       (t->kind == MARK && t->s.n == 1 && strchr(kinds, *t->s.p));
}

static struct lack lack_of_pair(const struct token *word, const struct token *next)
{
	for (size_t i = 0; i < COUNT(pairs); i++)
		if (is(word, pairs[i].word) && fits(pairs[i].next, next))
			return pairs[i].lack;
	return (struct lack){ 0 };
}

/* for (... of ...), for (const ... in ...) */
static struct lack lack_of_loop(struct scan *s, const struct token *t)
{
	struct lack l = { 0 };
	if (s->heading && is(t, "of") && s->last.kind == WORD && !is(&s->last, "var"))
		l = (struct lack){ "for ... of needs", 2015 };
	else if (s->heading && is(t, "in") && s->constant)
		l = (struct lack){ "for (const ... in ...) needs", 2015 };
	s->constant = s->heading && (s->constant || is(t, "const"));
	if (is(t, "for"))
		s->heading = true;
	else if (is(t, ";") || is(t, ")") || is(t, "in"))
		s->heading = false;
	return l;
}

/* Between the brackets of a function's head. */
static struct lack lack_of_parameters(struct scan *s, const struct token *t)
{
	static const char *const opening[] = { "(", "{", "[", NULL }, *const closing[] = { ")", "}", "]", NULL };
	bool opens = one_of(t, opening);
	struct lack l = { 0 };
	if (is(t, ")") && is(&s->last, ","))
		l = (struct lack){ "a comma behind the last parameter needs", 2017 };
	else if (s->depth && opens && !is(t, "("))
		l = (struct lack){ "destructuring needs", 2015 };
	else if (s->depth && is(t, "="))
		l = (struct lack){ "default values of parameters need", 2015 };
	if (is(t, "function"))
		s->function = true;
	if (s->function ? is(t, "(") : s->depth && opens) {
		s->depth++;
		s->function = false;
	} else if (s->depth && one_of(t, closing)) {
		s->depth--;
	}
	return l;
}

static struct lack lack_at(struct scan *s, const struct token *t)
{
	struct lack l = { 0 };
	if (t->kind == TEMPLATE)
		return (struct lack){ "template literals need", 2015 };
	if (t->kind == NUMBER)
		l = lack_of_number(t->s);
	else if (t->kind == REGEX)
		l = lack_of_regex(t->s);
	else if (t->kind == MARK)
		l = lack_of_mark(t);
	if (!l.what && s->last.kind == WORD && !is(&s->before_last, "."))
		l = lack_of_pair(&s->last, t);
	struct lack loop = lack_of_loop(s, t), parameters = lack_of_parameters(s, t);
	return l.what ? l : loop.what ? loop : parameters;
}

struct syntax_lack syntax_lack(struct str text)
{
	struct scan s = { .p = text.p, .end = text.p + text.n, .line = 1 };
	for (;;) {
		struct token t = take(&s);
		if (t.kind == END)
			return (struct syntax_lack){ 0 };
		struct lack l = lack_at(&s, &t);
		if (l.what)
			return (struct syntax_lack){ l.what, l.edition, t.line };
		s.before_last = s.last;
		s.last = t;
	}
}
