/** @file The body of PUSH_DATA, walked element by element. */
#include "proto/semtech/push.h"

struct walk {
	const char *p, *end;
};

static void blanks_skip(struct walk *w)
{
	while (w->p < w->end && (*w->p == ' ' || *w->p == '\t' || *w->p == '\r' || *w->p == '\n'))
		w->p++;
}

/** The next character that is no blank; 0 at the end. */
static char peek(struct walk *w)
{
	blanks_skip(w);
	return w->p < w->end ? *w->p : '\0';
}

static bool take(struct walk *w, char c)
{
	if (peek(w) != c)
		return false;
	w->p++;
	return true;
}

/** Step over a string; p stands on its first quote. */
static bool string_skip(struct walk *w)
{
	for (w->p++; w->p < w->end; w->p++) {
		if (*w->p == '\\')
			w->p++;
		else if (*w->p == '"')
			return w->p++, true;
	}
	w->p = w->end;
	return false;
}

/** Step over an object or array; p stands on its first bracket. That brackets pair up is the JSON reader's
 * business. */
static bool nested_skip(struct walk *w)
{
	size_t depth = 0;
	while (w->p < w->end) {
		char c = *w->p;
		if (c == '"') {
			if (!string_skip(w))
				return false;
			continue;
		}
		w->p++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return true;
	}
	return false;
}

static bool is_end_of_plain(char c)
{
	return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/** Step over one value and say where it stands. @return false: it is cut short, or there is none */
static bool value_take(struct walk *w, struct str *ret)
{
	char c = peek(w);
	const char *from = w->p;
	bool whole = true;
	if (c == '"')
		whole = string_skip(w);
	else if (c == '{' || c == '[')
		whole = nested_skip(w);
	else
		while (w->p < w->end && !is_end_of_plain(*w->p))
			w->p++;
	*ret = (struct str){from, (size_t)(w->p - from)};
	return whole && ret->n > 0;
}

static void element_read(struct str element, struct push_scratch *s, const struct push_sink *sink)
{
	int why = rxpk_read(element, s->tok, RXPK_TOKENS, &s->rxpk);
	if (why)
		sink->refused(sink->ctx, why, element);
	else
		sink->rxpk(sink->ctx, &s->rxpk);
}

static int rxpks_read(struct walk *w, struct push_scratch *s, const struct push_sink *sink)
{
	struct str element;
	if (!take(w, '['))
		return SEMTECH_E_JSON;
	while (!take(w, ']')) {
		if (!value_take(w, &element))
			return SEMTECH_E_JSON;
		element_read(element, s, sink);
		if (!take(w, ',') && peek(w) != ']')
			return SEMTECH_E_JSON;
	}
	return 0;
}

static int stat_read(struct walk *w, struct push_scratch *s, const struct push_sink *sink)
{
	struct str raw;
	if (!value_take(w, &raw))
		return SEMTECH_E_JSON;
	int why = gwstat_read(raw, s->tok, RXPK_TOKENS, &s->stat);
	if (why)
		sink->refused(sink->ctx, why, raw);
	else
		sink->stat(sink->ctx, &s->stat, raw);
	return 0;
}

static int member_step(struct walk *w, struct push_scratch *s, const struct push_sink *sink)
{
	struct str name, other;
	if (peek(w) != '"' || !value_take(w, &name) || !take(w, ':'))
		return SEMTECH_E_JSON;
	if (str_is(name, "\"rxpk\""))
		return rxpks_read(w, s, sink);
	if (str_is(name, "\"stat\""))
		return stat_read(w, s, sink);
	return value_take(w, &other) ? 0 : SEMTECH_E_JSON;
}

int push_read(struct str body, struct push_scratch *scratch, const struct push_sink *sink)
{
	struct walk w = {body.p, body.p + body.n};
	if (!take(&w, '{'))
		return SEMTECH_E_JSON;
	while (!take(&w, '}')) {
		int why = member_step(&w, scratch, sink);
		if (why)
			return why;
		if (!take(&w, ',') && peek(&w) != '}')
			return SEMTECH_E_JSON;
	}
	/* Some senders count the terminating NUL of their string, or end it with a newline. */
	while (w.p < w.end && (*w.p == '\0' || is_end_of_plain(*w.p)))
		w.p++;
	return w.p == w.end ? 0 : SEMTECH_E_JSON;
}
