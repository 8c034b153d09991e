/** @file Is a store sound? A child finds out: a damaged page may be the end of it. */
#include "common/store_probe.h"
#include "common/store_copy.h"
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WALK_MAX_S = 60, FREE_DBI = 0 };

/** Every key behind the one before, every value to its last octet. */
static bool is_sound(MDB_txn *txn, MDB_dbi dbi)
{
	MDB_cursor *c;
	MDB_val k, v, last = { 0, NULL };
	int rc;
	if (mdb_cursor_open(txn, dbi, &c))
		return false;
	while (!(rc = mdb_cursor_get(c, &k, &v, MDB_NEXT))) {
		const volatile uint8_t *octets = v.mv_data;
		if (last.mv_data && mdb_cmp(txn, dbi, &last, &k) >= 0)
			return false;
		if (v.mv_size)
			(void)octets[v.mv_size - 1];
		last = k;
	}
	return rc == MDB_NOTFOUND;
}

static bool walk(const char *dir)
{
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi dbi;
	return !mdb_env_create(&env) && !mdb_env_open(env, dir, MDB_RDONLY | MDB_NOLOCK, 0600) &&
	       !mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) && !mdb_dbi_open(txn, NULL, 0, &dbi) && is_sound(txn, FREE_DBI) &&
	       is_sound(txn, dbi);
}

/** In the child: end on any signal, leave no core and no words. */
static void walk_and_exit(const char *dir)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM };
	sigset_t none;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (size_t i = 0; i < COUNT(fatal); i++)
		signal(fatal[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_DUMPABLE, 0);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	alarm(WALK_MAX_S);
	_exit(walk(dir) ? EXIT_SUCCESS : EXIT_FAILURE);
}

int store_probe(const char *dir)
{
	int status;
	if (!store_is_there(dir))
		return 0;
	pid_t pid = fork();
	if (pid == 0)
		walk_and_exit(dir);
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	return pid < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) ? 0 : -EMEDIUMTYPE;
}
