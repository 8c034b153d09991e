/** @file Answers of `godwit why` as prose. */
#pragma once
#include "as/cli/story/timeline.h"

/** Append the answers: an array as the API has it. */
void prose_write(struct text *out, const struct json *j, const struct timeline_style *style);
