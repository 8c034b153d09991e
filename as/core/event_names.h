/** @file Names of events as people ask for them: "ns.up.data.process" exactly, or a regular expression between slashes,
 * "/^ns\..+/", which may match anywhere in the name.
 *
 * Expressions come from strangers, so they are run as a set of states (Thompson), in time that grows with their length times the
 * name's and no faster. What they may hold: characters, `.`, `[a-z]` and `[^a-z]`, `*`, `+`, `?`, `|`, `( )`, `(?: )`, `^`, `$`,
 * and a backslash before whatever sign is to stand for itself, `\d` and `\w`. Back references, counts such as `{2}` and looks
 * ahead are refused.
 */
#pragma once
#include "common/core/text.h"

enum {
	EVENT_NAMES_MAX = 32,  /**< of each kind */
	EVENT_NAME_TEXT = 100, /**< characters of a name, or of an expression with its slashes */
	EVENT_NAMES_STEPS = 256,
	EVENT_NAMES_SETS = 16,
	EVENT_NAMES_DEPTH = 8
};

struct name_step {
	uint8_t op, arg;   /**< a character, or the number of a set */
	int16_t to, or_to; /**< where to go on, from here */
};

/** All zero: no names, and none is found. */
struct event_names {
	char exact[EVENT_NAMES_MAX][EVENT_NAME_TEXT + 1];
	struct name_step steps[EVENT_NAMES_STEPS];
	uint64_t sets[EVENT_NAMES_SETS][2];   /**< of the 128 characters of ASCII */
	uint16_t starts[EVENT_NAMES_MAX]; /**< where each expression begins */
	uint16_t n_exact, n_starts, n_steps, n_sets;
};

/** Add one.
 * @param ret_why  what is wrong with it, a static text; set on failure, after which e is good for nothing
 * @return 0; -EINVAL */
int event_names_add(struct event_names *e, struct str text, const char **ret_why);
/** Is it one of them? */
bool event_names_find(const struct event_names *e, struct str name);
