/** @file Scripts in slots, compiled when they are first asked. */
#include "as/scripts/worker.h"
#include "as/scripts/answer.h"
#include "as/scripts/syntax.h"
#include <stdlib.h>
#include <string.h>

struct slot {
	char *text; /* until it is compiled */
	size_t n;
	struct engine_script *script;
	char *refusal; /* the answer to each question, where it does not compile */
};

struct worker {
	const struct engine_kind *kind;
	struct engine *engine;
	struct slot slots[WORKER_SLOTS];
	struct text request;
};

struct worker *worker_new(void)
{
	struct worker *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->kind = engine_kind();
	w->engine = w->kind->create();
	/* A byte is at most four characters of a request. */
	w->request = text_growing(SCRIPT_JSON_MAX + 4 * SCRIPT_BYTES_MAX + 256);
	if (w->engine)
		return w;
	free(w);
	return NULL;
}

static void empty(struct worker *w, struct slot *s)
{
	if (s->script)
		w->kind->drop(w->engine, s->script);
	free(s->text);
	free(s->refusal);
	*s = (struct slot){ 0 };
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		empty(w, &w->slots[i]);
	w->kind->destroy(w->engine);
	text_done(&w->request);
	free(w);
}

int worker_keep(struct worker *w, unsigned slot, struct str text)
{
	struct slot *s = &w->slots[slot];
	empty(w, s);
	s->text = malloc(text.n + 1);
	if (!s->text)
		return -ENOMEM;
	memcpy(s->text, text.p, text.n);
	s->text[text.n] = '\0';
	s->n = text.n;
	return 0;
}

/* What the engine lacks says more than its "parse error". */
static void refuse(const struct worker *w, const struct slot *s, const struct engine_error *e, struct text *answer)
{
	char words[SCRIPT_WORDS_MAX + 1];
	struct text t = text_fixed(words, sizeof words);
	struct syntax_lack lack = { 0 };
	if (e->outcome == SCRIPT_SYNTAX && !w->kind->modern)
		lack = syntax_lack((struct str){ s->text, s->n });
	unsigned line = lack.what ? lack.line : e->line;
	if (line)
		text_printf(&t, "line %u: ", line);
	if (lack.what)
		text_printf(&t, "%s an engine with ECMAScript %u; this one (%s) has 5.1", lack.what, lack.edition, w->kind->name);
	else
		text_puts(&t, e->message);
	script_answer_write(answer, e->outcome, line, words);
}

static int compile(struct worker *w, struct slot *s)
{
	struct engine_error e = { .outcome = SCRIPT_SYNTAX };
	AUTO(text_done) struct text answer = text_growing(8 * SCRIPT_WORDS_MAX); /* a character may take six in JSON */
	int r = w->kind->compile(w->engine, (struct str){ s->text, s->n }, &s->script, &e);
	if (r < 0)
		return r;
	if (r) {
		refuse(w, s, &e, &answer);
		s->refusal = answer.failed ? NULL : strndup(answer.p, answer.len);
		if (!s->refusal)
			return -ENOMEM;
	}
	free(s->text);
	s->text = NULL;
	return 0;
}

int worker_ask(struct worker *w, unsigned slot, const struct script_question *q, struct text *answer)
{
	struct slot *s = &w->slots[slot];
	struct engine_error e = { .outcome = SCRIPT_THREW };
	size_t before = answer->len;
	if (s->text)
		TRY(compile(w, s));
	if (s->refusal) {
		text_puts(answer, s->refusal);
		return answer->failed ? -ENOMEM : 0;
	}
	if (!s->script)
		return -ENOENT;
	text_reset(&w->request);
	engine_request(&w->request, q);
	if (w->request.failed)
		return -ENOMEM;
	if (w->kind->run(w->engine, s->script, text_str(&w->request), answer, &e)) {
		char words[SCRIPT_WORDS_MAX + 1];
		struct text t = text_fixed(words, sizeof words);
		if (e.line)
			text_printf(&t, "line %u: ", e.line);
		text_puts(&t, e.message);
		answer->len = before;
		answer->failed = false;
		script_answer_write(answer, e.outcome, e.line, words);
	}
	return answer->failed ? -ENOMEM : 0;
}
