/** @file What the core noticed, as log lines. */
#pragma once
#include "gs/core/gs.h"

void notes_log(const struct gs_note *note);
