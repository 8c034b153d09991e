/** @file What the records of the registry share: free texts and problems. */
#include "as/core/registry/record.h"
#include "proto/region/region.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int problem_say(struct problem *p, int outcome, const char *field, const char *fmt, ...)
{
	if (!p)
		return outcome;
	va_list ap;
	struct text t = text_fixed(p->field, sizeof p->field);
	text_puts(&t, field);
	va_start(ap, fmt);
	vsnprintf(p->message, sizeof p->message, fmt, ap);
	va_end(ap);
	return outcome;
}

int texts_set(struct record_texts *t, enum record_text which, struct str s)
{
	char *copy = NULL;
	if (s.n) {
		copy = malloc(s.n + 1);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, s.p, s.n);
		copy[s.n] = '\0';
	}
	free(t->v[which]);
	t->v[which] = copy;
	return 0;
}

int texts_copy(struct record_texts *dst, const struct record_texts *src)
{
	for (enum record_text i = 0; i < TEXT_N; i++)
		TRY(texts_set(dst, i, str_of(src->v[i])));
	return 0;
}

void texts_done(struct record_texts *t)
{
	for (size_t i = 0; i < TEXT_N; i++)
		free(t->v[i]);
	*t = (struct record_texts){ 0 };
}

const char *texts_get(const struct record_texts *t, enum record_text which)
{
	return t->v[which] ? t->v[which] : "";
}

int plan_check(const char *plan, struct problem *p)
{
	char known[600];
	struct text t = text_fixed(known, sizeof known);
	if (!*plan || plan_find(str_of(plan)))
		return 0;
	plan_suggest(&t, str_of(plan));
	return problem_say(p, REGISTRY_E_INVALID, "frequency_plan_id", "is none of %s", known);
}
