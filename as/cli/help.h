/** @file What the commands are, for who asks and for who is wrong. */
#pragma once
#include "as/cli/cli.h"

/** The command that the first words name, by its own words or by the other names that The Things Stack has for them.
 * @param ret_n  how many words they are @return NULL: none */
const struct command *help_find(const struct args *a, size_t *ret_n);
/** Say what there is, or what the command does and takes, with an example. @return exit status */
int help_print(const struct args *a);
/** There is no such command: say so, and which there are. @return exit status */
int help_usage(const struct args *a);
/** How a command is written: the words behind "godwit" and its own; NULL: nothing is behind them. */
const char *help_example(const struct command *cmd);
