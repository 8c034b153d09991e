/** @file Texts of payload formatters, each kept once. */
#include "as/core/formatters/script.h"
#include <stdlib.h>
#include <string.h>

struct script *script_new(struct str text)
{
	struct script *s = calloc(1, sizeof *s + text.n + 1);
	if (!s)
		return NULL;
	if (text.n)
		memcpy(s->text, text.p, text.n);
	s->n = text.n;
	s->refs = 1;
	return s;
}

struct script *script_hold(struct script *s)
{
	if (s)
		s->refs++;
	return s;
}

void script_release(struct script *s)
{
	if (!s || --s->refs)
		return;
	if (s->table)
		HASH_DEL(s->table->by_text, s);
	free(s);
}

struct str script_str(const struct script *s)
{
	return s ? (struct str){ s->text, s->n } : STR("");
}

int scripts_intern(struct scripts *t, struct script **s)
{
	struct script *own = *s, *known = NULL;
	if (!own || own->table == t)
		return 0;
	HASH_FIND(hh, t->by_text, own->text, own->n, known);
	if (known) {
		*s = script_hold(known);
		script_release(own);
		return 0;
	}
	HASH_ADD_KEYPTR(hh, t->by_text, own->text, own->n, own);
	if (!own->hh.tbl)
		return -ENOMEM;
	own->table = t;
	own->number = ++t->last;
	return 0;
}

void scripts_done(struct scripts *t)
{
	struct script *s, *next;
	HASH_ITER(hh, t->by_text, s, next) {
		HASH_DEL(t->by_text, s);
		s->table = NULL;
	}
	*t = (struct scripts){ 0 };
}
