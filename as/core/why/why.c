/** @file The rows of why.def, asked one after the other; what they find, as JSON. */
#include "as/core/why/why.h"
#include "as/core/why/case.h"
#include "as/core/why/evidence.h"
#include "as/core/why/signs.h"
#include "common/core/json_out.h"
#include <string.h>

/** Does a question end with this finding? ELSE: it does, and is asked only where no problem was found before. */
enum then { END, ON, ELSE };

struct row {
	const char *id;
	enum why_question question;
	enum why_kind kind;
	enum then then;
	why_sign *sign; /**< NULL: the event was seen since the device was last heard */
	enum event_id event;
	const char *word;
	unsigned shows; /**< states that stand beside the events as evidence */
	const char *answer, *advice; /**< advice: one a line; "" none */
};

static const struct row rows[] = {
#define SIGN(name) name, EVENT_N, NULL
#define SEEN(event, word) NULL, EVENT_##event, word
#define WHY(symbol, id, question, kind, then, sign, shows, answer, advice) \
	{ id, WHY_##question, WHY_##kind, then, sign, shows, answer, advice },
#include "as/core/why/why.def"
#undef WHY
#undef SIGN
#undef SEEN
};

static const char *const questions[] = {
	[WHY_JOIN] = "Why does it not join?",
	[WHY_HEARD] = "Why is it not heard?",
	[WHY_DOWNLINK] = "What became of its last downlink?",
	[WHY_GATEWAY] = "What is the matter with this gateway?",
};

const char *why_name(enum why_id id)
{
	return id < WHY_N ? rows[id].id : NULL;
}

const char *why_asks(enum why_question q)
{
	return questions[q];
}

bool why_found(struct why_case *c, const struct why_sight *s)
{
	if (s && c->n_sights < WHY_CASE_SIGHTS)
		c->sight[c->n_sights++] = s;
	return s;
}

static bool holds(const struct row *r, struct why_case *c)
{
	if (r->sign)
		return r->sign(c);
	return why_found(c, why_recent(c->f, r->event, r->word));
}

static void put(struct text *out, const char *name, const struct why_case *c, const char *text)
{
	char buf[1024];
	struct text t = text_fixed(buf, sizeof buf);
	why_words(c, text, &t);
	if (name)
		json_name(out, name);
	json_puts(out, buf);
}

/** One piece of advice a line; one that has a word of which nothing is known is left out. */
static void put_advice(struct text *out, const struct why_case *c, const char *advice)
{
	struct str s = str_of(advice), line;
	json_name(out, "advice");
	json_open(out, '[');
	while (s.n) {
		char template[512], buf[1024];
		struct text t = text_fixed(buf, sizeof buf);
		s = str_cut(s, '\n', &line);
		if (!str_copy(line, template, sizeof template) && why_words(c, template, &t))
			json_puts(out, buf);
	}
	json_close(out, ']');
}

static void write_finding(const struct row *r, const struct why_case *c, struct text *out)
{
	static const char *const kinds[] = { [WHY_PROBLEM] = "problem", [WHY_NOTE] = "note", [WHY_FINE] = "fine" };
	json_open(out, '{');
	json_name(out, "question");
	json_puts(out, questions[r->question]);
	json_name(out, "finding");
	json_puts(out, r->id);
	json_name(out, "kind");
	json_puts(out, kinds[r->kind]);
	put(out, "answer", c, r->answer);
	evidence_write(out, c, r->shows);
	put_advice(out, c, r->advice);
	json_close(out, '}');
}

void why_answer(const struct why_facts *f, enum why_question q, struct text *out)
{
	bool has_problem = false;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct why_case c = { .f = f, .gateway = q == WHY_GATEWAY ? f->about : NULL };
		/* All is well only where nothing is wrong. */
		if (r->question != q || ((r->kind == WHY_FINE || r->then == ELSE) && has_problem) || !holds(r, &c))
			continue;
		write_finding(r, &c, out);
		has_problem |= r->kind == WHY_PROBLEM;
		if (r->then != ON)
			return;
	}
}
