/** @file The store: ordered keys and values in LMDB, without the loop ever waiting for the disk.
 *
 * Writes enter an in-memory overlay that every later read and scan sees first; one writer thread commits them in groups.
 * `store_after` runs something once all that was written before it is durable. A group that fails (disk full, read-only)
 * is kept and tried again with back-off (1 s to 30 s); meanwhile the store is `store_failing`, the process refuses new work and serves reads.
 * Narrow on purpose (get, put, delete, scan, after): another engine can take LMDB's place without a change in the cores.
 *
 * Keys start with a table octet (enum in each process), so one LMDB database holds them all. Key: at most 511 octets.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/metric.h"
#include "common/loop.h"
#include <stdbool.h>

struct store;

struct store_options {
	const char *dir;          /**< created (0700) if missing */
	uint64_t map_size;        /**< most octets the store may ever take; 0: a default that suits the machine */
	uint64_t commit_delay_us; /**< each commit takes at least this long: to gather more into each, and for tests of slow disks */
	uint32_t schema;          /**< version of what is stored; another one on disk is migrated or refused */
	bool is_lazy;             /**< what was committed last may go with the power (not with the process): half the work for the disk */
};

/** @param ret_error  on failure: one line for the operator
 * @return 0; -errno (-EACCES, -ENOSPC, -EBUSY another process has it open, -EPROTO another schema, -EMEDIUMTYPE no store of this machine) */
int store_open(struct loop *l, const struct store_options *o, struct store **ret, struct text *ret_error);
/** Commit what is pending, run what waits for it, close. Blocks: for the end of a process only. */
void store_close(struct store *s);

/** Read a value: *ret is borrowed until the next call of any store function.
 * @return 0; STORE_E_NONE no such key; -EIO */
enum { STORE_E_NONE = 1 };
int store_get(struct store *s, struct slice key, struct slice *ret);
/** @return 0; -ENOMEM; -EINVAL key too long. Never waits. */
int store_put(struct store *s, struct slice key, struct slice value);
int store_del(struct store *s, struct slice key);
/** Visit all keys that begin with prefix, from `from` (inclusive; empty: the first) on, in byte order, until fn returns non-zero.
 * fn must not write to the store. @return 0; what fn returned; -EIO */
int store_scan(struct store *s, struct slice prefix, struct slice from,
	int (*fn)(void *ctx, struct slice key, struct slice value), void *ctx);
/** Call fn on the loop once every write made so far is on disk; in the order asked. At once if nothing is pending.
 * @return 0; -ENOMEM */
int store_after(struct store *s, void (*fn)(void *ctx), void *ctx);
/** The last commit failed, or the map is full: refuse new work. Work in hand may go on writing: a full map keeps an eighth
 * (1 MiB at least) in reserve, so that what deletes still gets through. After a failure everything waits in memory (64 MiB, then
 * -ENOMEM) and is tried again as one group, so that what deletes may make room for what was written before it. */
bool store_failing(const struct store *s);

struct store_stats {
	uint64_t commits, failures, ops, pending_ops, pending_bytes, used_bytes, map_bytes, last_commit_us, max_commit_us;
	struct histogram commit; /**< how long they took */
	int error; /**< why the last commit failed: -errno; 0: it did not */
};
void store_stats(const struct store *s, struct store_stats *ret);
/** Write them as metrics. @param process  whose store it is: "ns" */
void store_metrics(const struct store *s, struct text *t, const char *process);
