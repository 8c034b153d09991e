/** @file The process in which scripts run. */
#pragma once

#define CHILD_ARGUMENT "--run-payload-formatters" /**< hidden: a program that is given it becomes such a process */

/** Be one: shut in, speak on the socket at descriptor 0, until it is closed. Does not return. */
_Noreturn void child_run(void);
