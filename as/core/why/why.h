/** @file What operators ask of a device or gateway, answered from facts: why does it not join, why is it not heard, what became of its
 * last downlink, what is the matter with this gateway.
 *
 * Facts come from the registry, the network server's state of the device, the gateways' connections and the trace. Each thing that can
 * be found out is one row of why.def: a test, an answer and advice.
 */
#pragma once
#include "as/core/why/facts.h"

enum why_question { WHY_JOIN, WHY_HEARD, WHY_DOWNLINK, WHY_GATEWAY, WHY_QUESTIONS };
/** What a finding means to who asks. */
enum why_kind { WHY_PROBLEM, WHY_NOTE, WHY_FINE };

enum why_id {
#define WHY(symbol, ...) WHY_##symbol,
#include "as/core/why/why.def"
#undef WHY
	WHY_N
};

/** Append the findings of a question to an array of JSON, the most decisive first: objects with `question`, `finding` (the row's id),
 * `kind`, `answer`, `evidence` and `advice`. There is always one. */
void why_answer(const struct why_facts *f, enum why_question q, struct text *out);
/** Is this the first row's, or the next one's, id? NULL: there is none. */
const char *why_name(enum why_id id);
/** What is asked, as people ask it. */
const char *why_asks(enum why_question q);
