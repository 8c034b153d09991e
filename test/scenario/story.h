/** @file A story being told: what the rooms of the scenario language share; see test/scenario/README.md. */
#pragma once
#include "test/unit/ns_life.h"

enum { LINE_MAX_CHARS = 512, WORDS_MAX = 32 };

struct story {
	struct world *w;
	struct str word[WORDS_MAX];
	size_t n, at;
	char why[LINE_MAX_CHARS]; /**< it is not as the story says; "" while it is */
};

/** Say why the line is wrong, and leave. */
#define FAIL(s, ...)                                               \
	do {                                                       \
		snprintf((s)->why, sizeof((s)->why), __VA_ARGS__); \
		return;                                            \
	} while (0)

/* words.c */

/** Split a line into words; "several in one", # begins a remark. */
void split(struct story *s, char *line);
/** Is this the next word? Then go on behind it. */
bool take(struct story *s, const char *word);
struct str next(struct story *s); /**< "" at the end */
uint64_t number(struct story *s);
uint64_t duration(struct story *s); /**< [us] */
uint32_t megahertz(struct story *s); /**< [Hz] of 868.1 */
struct w_device *device_named(struct world *w, struct str name);
struct w_gateway *gateway_named(struct world *w, struct str name);
const char *copied(struct str s, char buf[LINE_MAX_CHARS]);

/* commands.c: MAC commands by their names */

/** "LinkCheckReq", "DevStatusAns 07ff": append it to a device's options. */
void command_put(struct story *s, struct writer *w);
/** Is a command in what a device has heard? "LinkADRReq 5.......": a dot is any digit. */
void expect_command(struct story *s, const struct w_device *d, bool is_wanted);

/** Are all commands that a device has heard these? "02....0d.........."; "none" */
void expect_commands(struct story *s, const struct w_device *d);
/** Octets as a pattern in hex, where a dot is any digit. */
void expect_octets(struct story *s, const char *what, struct slice have, struct str pattern);

/* statements.c, expectations.c, chance.c */

/** A line that is split. */
void statement(struct story *s);
/** What is behind "expect". */
void do_expect(struct story *s);
/** A story of chance. @param ret_why  "" or what is wrong with it */
void chance_story(uint64_t seed, char ret_why[W_TEXT]);
