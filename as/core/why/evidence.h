/** @file What a finding stands on: events, and states as they are now. */
#pragma once
#include "as/core/why/case.h"

/** States that a row may show. */
enum {
	SHOW_DEVICE = 1, SHOW_SESSION = 2, SHOW_QUEUE = 4, SHOW_GATEWAYS = 8, SHOW_GATEWAY = 16, SHOW_RADIO = 32, SHOW_LISTENERS = 64
};

/** Append the member "evidence": a list of {"time","event","count","data"} and {"state","data"}. */
void evidence_write(struct text *t, const struct why_case *c, unsigned shows);
