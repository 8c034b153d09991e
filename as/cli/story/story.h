/** @file The parts of a time line: an event as a line, the members of its data in words, the sentence at the end. */
#pragma once
#include "as/cli/story/timeline.h"

/** One line of it. */
struct step {
	json_val event;
	enum event_id id;  /**< EVENT_N: one that this version does not know */
	uint64_t time_us;  /**< UTC */
	bool is_on_air;    /**< no event, but the emission that one speaks of */
	bool is_hidden;    /**< says nothing that its neighbour does not */
};

/** A story: its steps in order of time. */
struct story {
	const struct json *j;
	struct step *v;
	size_t n;
	uint64_t start_us;
};

/** A text of an event: a path such as "identifiers.gateway_id" or "data.result". "" where it is absent. @return dst */
const char *story_text(const struct story *s, const struct step *e, const char *path, char *dst, size_t cap);
/** @return 0; -ENOENT */
int story_number(const struct story *s, const struct step *e, const char *path, int64_t *ret);
/** "RX1", "RX2", "class C" */
const char *story_window(int64_t window);
/** Append a number of microseconds as "1.2 ms". */
void story_ms(struct text *t, int64_t us);
/** Append the data of a step in words, two blanks between. */
void story_data(struct text *t, const struct story *s, const struct step *e);
/** Append the sentence that sums up the story. */
void story_sum(struct text *t, const struct story *s);
