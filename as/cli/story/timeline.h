/** @file A story as a time line that a person reads at a glance: one line a step, and one that sums it up. */
#pragma once
#include "common/core/json.h"
#include "proto/events.h"

struct timeline_style {
	size_t width;    /**< columns of the terminal; SIZE_MAX: none */
	bool is_colored;
};

/** Append the time line of events as `trace` answers them: an array, oldest first. @return 0; -ENOMEM */
int timeline_write(struct text *out, const struct json *j, const struct timeline_style *style);
/** Append text that begins at a column, broken between words where the terminal ends. */
void timeline_wrap(struct text *out, struct str s, size_t column, size_t width);
