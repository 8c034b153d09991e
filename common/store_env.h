/** @file The LMDB side of the store: opening, one snapshot for reading, committing a group. Internal to the store.
 *
 * store_env_commit may run on another thread than the rest; nothing else may.
 */
#pragma once
#include "common/core/text.h"
#include "common/overlay.h"
#include "common/store.h"
#include <lmdb.h>

struct store_env {
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *reader;
	MDB_cursor *cursor;
	bool has_snapshot;
	int dir_fd; /**< holds the lock that keeps a second process out */
	char *dir;
	uint64_t map_size; /**< what may be stored; LMDB gets some more, so that deleting always has room */
	bool is_full;      /**< the last commit found it so; of the thread that commits */
	bool is_lazy;      /**< as in struct store_options */
};

/** @return as store_open */
int store_env_open(const struct store_options *o, struct store_env *ret, struct text *ret_error);
void store_env_close(struct store_env *e);
/** Open the files again after LMDB gave up on them (a failed write of its meta page); the lock is kept. @return 0; -errno */
int store_env_reopen(struct store_env *e);
/** The snapshot is taken at the first read and kept until it is dropped. @return 0; STORE_E_NONE; -EIO */
int store_env_get(struct store_env *e, struct slice key, struct slice *ret);
void store_env_drop_snapshot(struct store_env *e);
/** First key at or after `from` (the next one if is_next). @return 0; STORE_E_NONE; -EIO */
int store_env_seek(struct store_env *e, struct slice from, bool is_next, struct slice *ret_key, struct slice *ret_value);
/** @param ret_full  set on 0: more is stored than may be; only what deletes should still be taken
 * @return 0 and on disk; -errno and nothing of it is; -ENOTRECOVERABLE: reopen first */
int store_env_commit(struct store_env *e, const struct overlay_group *g, bool *ret_full);
void store_env_size(const struct store_env *e, uint64_t *ret_used, uint64_t *ret_map);
