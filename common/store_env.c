/** @file The LMDB side of the store. */
#include "common/store_env.h"
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RESERVE_PART = 8, RESERVE_LEAST = 1 << 20, FREE_DBI = 0 };
/* The key no table may have: the version of what is stored. */
static const uint8_t schema_key[1] = { 0 };

static int errno_of(int rc)
{
	switch (rc) {
	case MDB_MAP_FULL:
	case MDB_TXN_FULL:
		return -ENOSPC;
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
		return -EMEDIUMTYPE;
	case MDB_PANIC:
		return -ENOTRECOVERABLE;
	default:
		return rc > 0 ? -rc : rc == 0 ? 0 : -EIO;
	}
}

static struct slice slice_of(MDB_val v)
{
	return (struct slice){ v.mv_data, v.mv_size };
}

/** LMDB takes a pointer to what it will only read. */
static MDB_val val_of(struct slice s)
{
	union {
		const void *in;
		void *out;
	} p = { .in = s.p };
	return (MDB_val){ s.n, p.out };
}

static int lock_dir(const struct store_options *o, struct store_env *e, struct text *ret_error)
{
	if (mkdir(o->dir, 0700) && errno != EEXIST) {
		int rc = -errno;
		text_printf(ret_error, "%s: cannot create the directory: %s", o->dir, strerror(-rc));
		return rc;
	}
	e->dir_fd = open(o->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->dir_fd < 0) {
		int rc = -errno;
		text_printf(ret_error, "%s: %s", o->dir, strerror(-rc));
		return rc;
	}
	if (flock(e->dir_fd, LOCK_EX | LOCK_NB)) {
		text_printf(ret_error, "%s: another process has this store open", o->dir);
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	}
	return 0;
}

static int open_txns(struct store_env *e)
{
	MDB_txn *txn = NULL;
	int rc = mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn);
	if (rc)
		return errno_of(rc);
	rc = mdb_dbi_open(txn, NULL, 0, &e->dbi);
	if (!rc)
		rc = mdb_cursor_open(txn, e->dbi, &e->cursor);
	if (rc) {
		mdb_txn_abort(txn);
		return errno_of(rc);
	}
	e->reader = txn;
	e->has_snapshot = true;
	return 0;
}

/** Deleting needs pages too, before it gives any back: some for each commit, however small the store. */
static uint64_t reserve_of(const struct store_env *e)
{
	uint64_t part = e->map_size / RESERVE_PART;
	return part > RESERVE_LEAST ? part : RESERVE_LEAST;
}

/** A file that has lost its end is read as if there were zeros, which are found to be no page; beyond its end the process would die. */
static int mend_length(const struct store_env *e)
{
	MDB_envinfo info;
	MDB_stat stat;
	struct stat st;
	int fd = -1;
	if (mdb_env_info(e->env, &info) || mdb_env_stat(e->env, &stat) || mdb_env_get_fd(e->env, &fd))
		return -EIO;
	off_t least = (off_t)(info.me_last_pgno + 1) * (off_t)stat.ms_psize;
	if (fstat(fd, &st) || (st.st_size < least && ftruncate(fd, least)))
		return -errno;
	return 0;
}

static int open_env(struct store_env *e)
{
	int rc = mdb_env_create(&e->env);
	if (rc)
		return errno_of(rc);
	/* Whole pages, whatever size they have here. */
	rc = mdb_env_set_mapsize(e->env, (size_t)(e->map_size + reserve_of(e)) >> 16 << 16);
	if (!rc)
		rc = mdb_env_open(e->env, e->dir, MDB_NOTLS | (e->is_lazy ? MDB_NOMETASYNC : 0), 0600);
	if (rc)
		return errno_of(rc);
	TRY(mend_length(e));
	return open_txns(e);
}

static void close_env(struct store_env *e)
{
	if (e->cursor)
		mdb_cursor_close(e->cursor);
	if (e->reader)
		mdb_txn_abort(e->reader);
	if (e->env)
		mdb_env_close(e->env);
	e->cursor = NULL;
	e->reader = NULL;
	e->env = NULL;
	e->has_snapshot = false;
}

int store_env_reopen(struct store_env *e)
{
	close_env(e);
	int rc = open_env(e);
	if (rc)
		close_env(e);
	return rc;
}

static int write_schema(struct store_env *e, uint32_t schema)
{
	uint8_t octets[4];
	struct writer w = writer_of(octets, sizeof octets);
	MDB_txn *txn = NULL;
	writer_be32(&w, schema);
	int rc = mdb_txn_begin(e->env, NULL, 0, &txn);
	if (rc)
		return errno_of(rc);
	MDB_val key = val_of((struct slice){ schema_key, sizeof schema_key });
	MDB_val value = val_of((struct slice){ octets, sizeof octets });
	rc = mdb_put(txn, e->dbi, &key, &value, 0);
	if (rc)
		mdb_txn_abort(txn);
	else
		rc = mdb_txn_commit(txn);
	return errno_of(rc);
}

static int check_schema(struct store_env *e, uint32_t schema, struct text *ret_error)
{
	struct slice v;
	int rc = store_env_get(e, (struct slice){ schema_key, sizeof schema_key }, &v);
	struct reader r = rc == 0 ? reader_of(v.p, v.n) : reader_of("", 0);
	uint32_t stored = reader_be32(&r);
	store_env_drop_snapshot(e);
	if (rc == STORE_E_NONE)
		rc = write_schema(e, schema);
	if (rc) {
		text_printf(ret_error, "%s: %s", e->dir, strerror(-rc));
		return rc;
	}
	if (r.failed || stored == schema)
		return 0;
	text_printf(ret_error, "%s: was written by %s release (schema %u, this program has %u); %s", e->dir,
		stored > schema ? "a newer" : "an older", stored, schema, stored > schema ?
		"install that release again, or put back what was kept before the upgrade" : "this release does not read it any more");
	return -EPROTO;
}

static uint64_t default_map_size(void)
{
	return sizeof(void *) > 4 ? UINT64_C(16) << 30 : UINT64_C(512) << 20;
}

int store_env_open(const struct store_options *o, struct store_env *ret, struct text *ret_error)
{
	struct store_env e = { .dir_fd = -1, .map_size = o->map_size ? o->map_size : default_map_size(),
		.is_lazy = o->is_lazy };
	e.dir = strdup(o->dir);
	int rc = e.dir ? lock_dir(o, &e, ret_error) : -ENOMEM;
	if (!rc) {
		rc = open_env(&e);
		if (rc)
			text_printf(ret_error, "%s: cannot open the store: %s", o->dir, rc != -EMEDIUMTYPE ? strerror(-rc) :
				"it is damaged, or was written on another kind of processor (32 bits are not 64)");
	}
	if (!rc)
		rc = check_schema(&e, o->schema, ret_error);
	if (rc)
		store_env_close(&e);
	else
		*ret = e;
	return rc;
}

void store_env_close(struct store_env *e)
{
	close_env(e);
	if (e->dir_fd >= 0)
		close(e->dir_fd);
	free(e->dir);
	e->dir = NULL;
	e->dir_fd = -1;
}

static int take_snapshot(struct store_env *e)
{
	if (e->has_snapshot)
		return 0;
	if (!e->reader || mdb_txn_renew(e->reader))
		return -EIO;
	e->has_snapshot = true;
	return mdb_cursor_renew(e->reader, e->cursor) ? -EIO : 0;
}

void store_env_drop_snapshot(struct store_env *e)
{
	if (e->has_snapshot)
		mdb_txn_reset(e->reader);
	e->has_snapshot = false;
}

int store_env_get(struct store_env *e, struct slice key, struct slice *ret)
{
	TRY(take_snapshot(e));
	MDB_val k = val_of(key), v;
	int rc = mdb_get(e->reader, e->dbi, &k, &v);
	if (rc)
		return rc == MDB_NOTFOUND ? STORE_E_NONE : -EIO;
	*ret = slice_of(v);
	return 0;
}

int store_env_seek(struct store_env *e, struct slice from, bool is_next, struct slice *ret_key, struct slice *ret_value)
{
	TRY(take_snapshot(e));
	MDB_val k = val_of(from), v;
	MDB_cursor_op op = is_next ? MDB_NEXT : from.n ? MDB_SET_RANGE : MDB_FIRST;
	int rc = mdb_cursor_get(e->cursor, &k, &v, op);
	if (rc)
		return rc == MDB_NOTFOUND ? STORE_E_NONE : -EIO;
	*ret_key = slice_of(k);
	*ret_value = slice_of(v);
	return 0;
}

static int write_op(MDB_txn *txn, MDB_dbi dbi, const struct overlay_op *op)
{
	MDB_val k = val_of(overlay_key(op)), v = val_of(overlay_value(op));
	if (!op->is_del)
		return mdb_put(txn, dbi, &k, &v, 0);
	int rc = mdb_del(txn, dbi, &k, NULL);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

/** Pages in LMDB's list of free ones: each record begins with how many it has. */
static uint64_t count_free_pages(struct store_env *e)
{
	MDB_txn *txn;
	MDB_cursor *c;
	MDB_val k, v;
	uint64_t n = 0;
	if (mdb_txn_begin(e->env, NULL, MDB_RDONLY, &txn))
		return 0;
	if (mdb_cursor_open(txn, FREE_DBI, &c) == 0) {
		while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
			size_t pages;
			memcpy(&pages, v.mv_data, sizeof pages);
			n += pages;
		}
		mdb_cursor_close(c);
	}
	mdb_txn_abort(txn);
	return n;
}

/** More is in use than the operator allows. It is full until a sixteenth of that is free again: the pages that a commit moves go
 * to and fro, and nobody is served by a store that takes one write and refuses the next. */
static bool is_full(struct store_env *e)
{
	MDB_envinfo info;
	MDB_stat stat;
	if (mdb_env_info(e->env, &info) || mdb_env_stat(e->env, &stat))
		return false;
	uint64_t pages = (uint64_t)info.me_last_pgno + 1, may = e->map_size / stat.ms_psize;
	if (e->is_full)
		may -= may / 16;
	e->is_full = pages > may && pages - count_free_pages(e) > may;
	return e->is_full;
}

int store_env_commit(struct store_env *e, const struct overlay_group *g, bool *ret_full)
{
	MDB_txn *txn = NULL;
	const struct overlay_op *op;
	if (!e->env)
		return -ENOTRECOVERABLE;
	int rc = mdb_txn_begin(e->env, NULL, 0, &txn);
	if (rc)
		return errno_of(rc);
	TAILQ_FOREACH(op, &g->ops, link) {
		rc = write_op(txn, e->dbi, op);
		if (rc) {
			mdb_txn_abort(txn);
			return errno_of(rc);
		}
	}
	rc = mdb_txn_commit(txn);
	if (!rc)
		*ret_full = is_full(e);
	return errno_of(rc);
}

void store_env_size(const struct store_env *e, uint64_t *ret_used, uint64_t *ret_map)
{
	MDB_envinfo info;
	MDB_stat stat;
	*ret_used = 0;
	*ret_map = e->map_size;
	if (!e->env || mdb_env_info(e->env, &info) || mdb_env_stat(e->env, &stat))
		return;
	*ret_used = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}
