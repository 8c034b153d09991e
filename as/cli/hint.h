/** @file What somebody may have meant who wrote what is none. */
#pragma once
#include "as/cli/cli.h"

/** How many characters must be added, left out, changed or swapped to make one text of the other; - and _ are the same.
 * @param most  at which to give up: then more than it */
size_t hint_distance(struct str a, struct str b, size_t most);
/** Append "; did you mean --X?" where a flag that the command takes is near.
 * @param groups  of the command; IN_ANY where it is not known */
void hint_flag(struct text *t, struct str said, int groups);
/** The command that is nearest to the words. @return NULL: none is near */
const struct command *hint_command(const struct args *a);
