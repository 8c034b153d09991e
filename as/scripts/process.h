/** @file A child as its parent has it: starting it, giving it questions, hearing its answers, and its end. */
#pragma once
#include "as/core/hash.h"
#include "as/scripts/job.h"
#include "as/scripts/worker.h"
#include "common/loop.h"
#include <sys/types.h>

struct script_pool;
struct lane;

enum { PROCESS_CPU_US = 100000 };

struct process_job {
	uint64_t ticket;
	struct lane *lane;
	struct script *script; /* held */
	struct script_question question; /* borrows from octets */
	void (*done)(void *ctx, const struct script_result *r); /* NULL: nobody wants to know any more */
	void *ctx;
	unsigned attempts;       /* processes that ended while they were at it */
	struct process_job *next; /* of its lane while it waits, then of its process */
	UT_hash_handle hh;
	uint8_t octets[];
};

struct process {
	struct script_pool *pool;
	struct loop *loop;
	pid_t pid;
	struct bufferevent *socket;
	struct process_job *first, *last; /* given and not answered, in order */
	size_t n_jobs;
	uint64_t since_us; /* the first of them has been the first, or there has been none, since then (monotonic) */
	uint64_t uses;
	struct process_slot {
		struct script *script; /* held; NULL: empty */
		uint64_t used;
	} slots[WORKER_SLOTS];
	struct loop_timer *guard;
	bool greeted, refused; /* it has said that it runs scripts; that it does not */
	bool suspect;          /* the last of them is one of which something bad is expected: nothing is given behind it */
};

/** Start one. @param why  on failure, in words
 * @return 0; -errno */
int process_start(struct script_pool *pool, struct loop *loop, struct text *why, struct process **ret);
/** Give it a job, which is its own until it is answered. @return 0; -ENOMEM, the job is the caller's still */
int process_give(struct process *it, struct process_job *j);
/** End it at once and without a word to the pool; its jobs are forgotten, not freed. NULL is accepted. */
void process_end(struct process *it);

/* What the pool is told. */
void pool_hello(struct script_pool *p, bool runs, struct str words);
void pool_answer(struct script_pool *p, struct process_job *j, const struct script_result *r);
/** It has ended by itself, or had to be ended; its jobs are the pool's again, and it is freed when this returns. */
void pool_ended(struct script_pool *p, struct process *it, enum script_outcome outcome, const char *words);
