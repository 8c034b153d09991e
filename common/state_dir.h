/** @file The state directory: made and locked by pid file, with the addresses in use. Internal to the daemon. */
#pragma once
#include "common/core/text.h"
#include <limits.h>

struct state_dir {
	char path[PATH_MAX];
	char process[16]; /**< "gs" */
	int dir_fd, pid_fd;
};

/** Make the directory if it is missing (0700), take <process>.pid, forget the addresses of an earlier run.
 * @param ret_error  on failure: one line for the operator
 * @return 0; -errno; -EBUSY the process runs there already */
int state_dir_open(struct state_dir *ret, const char *path, const char *process, struct text *ret_error);
/** Forget the addresses, remove the pid file. Does nothing if it was never opened. */
void state_dir_close(struct state_dir *s);
/** Set name to address in addresses.json; address NULL: remove every "<process>.…". @return 0; -errno */
int state_dir_address(struct state_dir *s, const char *name, const char *address);
