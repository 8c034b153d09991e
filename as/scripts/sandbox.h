/** @file What a process may do that runs scripts: compute, and speak on one socket. */
#pragma once
#include "common/core/text.h"

/** Statuses with which such a process ends itself, when a script makes it. */
enum { SANDBOX_TIMEOUT = 40, SANDBOX_STACK = 41, SANDBOX_MEMORY = 42 };

enum { SANDBOX_CPU_US = 100000 }; /**< of processor time for a message */

/** Shut this process in, for good: no file, no further socket, no process, no signal to another; it dies with its parent. All but
 * descriptor fd (and, in a build with sanitizers, their stderr) is closed first.
 * @param why  on failure: what is missing, in words
 * @return 0; -errno: nothing that a stranger wrote may run in here */
int sandbox_enter(int fd, struct text *why);

/** Begin to count a message's processor time: the process ends with SANDBOX_TIMEOUT once it has used SANDBOX_CPU_US. */
void sandbox_begin(void);
/** @return what it has used since [us] */
uint64_t sandbox_end(void);
