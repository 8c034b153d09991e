/** @file One row of why.def being looked at: its test's result, and the words of its answer. */
#pragma once
#include "as/core/why/why.h"

enum { WHY_CASE_SIGHTS = 4 };

struct why_case {
	const struct why_facts *f;
	const struct why_sight *sight[WHY_CASE_SIGHTS]; /**< what the row was found by; the first one fills in its words */
	uint32_t n_sights;
	const struct why_gateway *gateway; /**< which one is meant; NULL: the sight's, if any */
};

/** Note what a row is found by. @return whether there is something (not NULL) */
bool why_found(struct why_case *c, const struct why_sight *s);
/** Append a template of why.def, {words} filled in. @return false: a word that is none, or that nothing is known of */
bool why_words(const struct why_case *c, const char *text, struct text *out);
/** Is it a word that templates may have? */
bool why_has_word(struct str name);
/** "12 s", "3 min", "5 h", "2 days" */
void why_span(struct text *t, uint64_t us);

/** A sign of why.def: does it hold? */
typedef bool why_sign(struct why_case *c);
