/** @file Copying stores: a snapshot of each, taken at one moment, written record by record into a new one. */
#include "common/store_copy.h"
#include "common/core/err.h"
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_CAP = 4096 };

/** One store being read. */
struct source {
	MDB_env *env;
	MDB_txn *writer, *reader; /**< the writer only holds others up */
	MDB_dbi dbi;
};

static int errno_of(int rc)
{
	return rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH ? -EMEDIUMTYPE : rc == MDB_MAP_FULL ? -ENOSPC : rc > 0 ? -rc : rc ? -EIO : 0;
}

static const char *reason(int rc)
{
	return rc == -EMEDIUMTYPE ? "it is damaged, or was written on another kind of processor (32 bits are not 64)" : strerror(-rc);
}

bool store_is_there(const char *dir)
{
	char path[PATH_CAP];
	return (size_t)snprintf(path, sizeof path, "%s/data.mdb", dir) < sizeof path && access(path, F_OK) == 0;
}

/** The lock file that LMDB makes where there was none belongs to the store's owner, whoever we are. */
static int give_lock(const char *dir)
{
	char path[PATH_CAP];
	struct stat st;
	if ((size_t)snprintf(path, sizeof path, "%s/data.mdb", dir) >= sizeof path)
		return -ENAMETOOLONG;
	if (stat(path, &st))
		return -errno;
	snprintf(path, sizeof path, "%s/lock.mdb", dir);
	return geteuid() == st.st_uid || chown(path, st.st_uid, st.st_gid) == 0 ? 0 : -errno;
}

static int open_source(struct source *s, const struct store_copy *c)
{
	unsigned flags = MDB_NOTLS | (c->is_live ? 0 : MDB_RDONLY | MDB_NOLOCK);
	if (!store_is_there(c->from))
		return -ENOENT;
	TRY(errno_of(mdb_env_create(&s->env)));
	TRY(errno_of(mdb_env_open(s->env, c->from, flags, 0600)));
	if (!c->is_live)
		return 0;
	TRY(give_lock(c->from));
	return errno_of(mdb_txn_begin(s->env, NULL, 0, &s->writer));
}

static int look(struct source *s)
{
	TRY(errno_of(mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader)));
	return errno_of(mdb_dbi_open(s->reader, NULL, 0, &s->dbi));
}

static void let_go(struct source *s)
{
	if (s->writer)
		mdb_txn_abort(s->writer);
	s->writer = NULL;
}

static void close_source(struct source *s)
{
	let_go(s);
	if (s->reader)
		mdb_txn_abort(s->reader);
	if (s->env)
		mdb_env_close(s->env);
}

/** All records, in their order. */
static int put_all(const struct source *s, MDB_txn *to, struct store_copy *c)
{
	MDB_cursor *cursor;
	MDB_dbi dbi;
	MDB_val k, v;
	TRY(errno_of(mdb_dbi_open(to, NULL, 0, &dbi)));
	TRY(errno_of(mdb_cursor_open(s->reader, s->dbi, &cursor)));
	int rc;
	while ((rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
		rc = mdb_put(to, dbi, &k, &v, MDB_APPEND);
		if (rc)
			break;
		c->ret_records++;
		c->ret_bytes += k.mv_size + v.mv_size;
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : errno_of(rc);
}

static int write_env(const struct source *s, MDB_env *env, struct store_copy *c)
{
	MDB_envinfo info;
	MDB_txn *txn;
	TRY(errno_of(mdb_env_info(s->env, &info)));
	TRY(errno_of(mdb_env_set_mapsize(env, info.me_mapsize)));
	TRY(errno_of(mdb_env_open(env, c->to, MDB_NOLOCK, 0600)));
	TRY(errno_of(mdb_txn_begin(env, NULL, 0, &txn)));
	int rc = put_all(s, txn, c);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return errno_of(mdb_txn_commit(txn));
}

/** The name of the file is to be on disk too. */
static int sync_dir(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int write_copy(const struct source *s, struct store_copy *c)
{
	MDB_env *env;
	c->ret_records = c->ret_bytes = 0;
	if (mkdir(c->to, 0700))
		return -errno;
	TRY(errno_of(mdb_env_create(&env)));
	int rc = write_env(s, env, c);
	mdb_env_close(env);
	return rc ? rc : sync_dir(c->to);
}

/** Hold up all writers, look at all stores, let the writers go on. */
static int look_at_all(struct source *s, const struct store_copy *c, size_t n, struct text *ret_error)
{
	int rc = 0;
	for (size_t i = 0; !rc && i < n; i++) {
		rc = open_source(&s[i], &c[i]);
		if (rc)
			text_printf(ret_error, "%s: cannot be opened: %s", c[i].from, reason(rc));
	}
	for (size_t i = 0; !rc && i < n; i++) {
		rc = look(&s[i]);
		if (rc)
			text_printf(ret_error, "%s: cannot be read: %s", c[i].from, reason(rc));
	}
	for (size_t i = 0; i < n; i++)
		let_go(&s[i]);
	return rc;
}

int store_copy(struct store_copy *c, size_t n, struct text *ret_error)
{
	struct source s[STORE_COPIES_MAX] = { 0 };
	if (n > STORE_COPIES_MAX)
		return -EINVAL;
	int rc = look_at_all(s, c, n, ret_error);
	for (size_t i = 0; !rc && i < n; i++) {
		rc = write_copy(&s[i], &c[i]);
		if (rc)
			text_printf(ret_error, "%s: cannot be written: %s", c[i].to, reason(rc));
	}
	for (size_t i = 0; i < n; i++)
		close_source(&s[i]);
	return rc;
}
