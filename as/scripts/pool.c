/** @file Room scripts: who waits, whose turn it is, and what becomes of the answers. The processes are process.c's. */
#include "as/scripts/pool.h"
#include "as/core/hash.h"
#include "as/scripts/process.h"
#include "common/log.h"
#include <stdlib.h>
#include <string.h>

enum {
	WAITING_MAX = 20000,             /* calls that wait or are under way */
	DEPTH = 8,                       /* questions that one process is given ahead */
	FAILED_STARTS = 3,               /* processes in a row that end before their first word */
	TRUSTED_AGAIN = 16,              /* calls in a row that are well, after one that was not */
};
static const uint64_t WITHOUT_US = 60 * SEC_US, IDLE_US = 120 * SEC_US;

/* An application. Its calls are given out in the order in which they came. */
struct lane {
	char whose[APP_KEY_TEXT];
	struct process_job *first, *last; /* that wait */
	unsigned under_way;
	unsigned suspect; /* its scripts hung or crashed; counts down with each call that is well */
	struct lane *next, *prev; /* in the ring of those whose calls wait */
	UT_hash_handle hh;
};

struct script_pool {
	struct as *as;
	struct process **processes; /* as.script-processes of them; NULL: not started */
	size_t n;
	struct lane *lanes, *turn; /* by name; whose turn it is */
	struct process_job *jobs;  /* by ticket */
	size_t n_jobs;
	uint64_t last_ticket;
	unsigned failed_starts;
	uint64_t without_until_us; /* no process can be started: until then nobody tries */
	char without[256];         /* why */
	bool deferred, told, engine_told; /* it was logged why not; it was logged which engine */
	struct loop_timer *idle;
};

/* ---- lanes ---- */

static struct lane *lane_of(struct script_pool *p, const char *whose)
{
	struct lane *l;
	HASH_FIND_STR(p->lanes, whose, l);
	if (l)
		return l;
	l = calloc(1, sizeof *l);
	if (!l || str_copy(str_of(whose), l->whose, sizeof l->whose)) {
		free(l);
		return NULL;
	}
	HASH_ADD_STR(p->lanes, whose, l);
	if (l->hh.tbl)
		return l;
	free(l);
	return NULL;
}

static void ring_add(struct script_pool *p, struct lane *l)
{
	if (l->next)
		return;
	if (!p->turn) {
		p->turn = l->next = l->prev = l;
		return;
	}
	/* Behind all others: before the one whose turn it is. */
	l->next = p->turn;
	l->prev = p->turn->prev;
	l->prev->next = l->next->prev = l;
}

static void ring_del(struct script_pool *p, struct lane *l)
{
	if (!l->next)
		return;
	if (p->turn == l)
		p->turn = l->next == l ? NULL : l->next;
	l->next->prev = l->prev;
	l->prev->next = l->next;
	l->next = l->prev = NULL;
}

static void lane_settle(struct script_pool *p, struct lane *l)
{
	if (!l->first)
		ring_del(p, l);
	if (l->first || l->under_way || l->suspect)
		return;
	HASH_DEL(p->lanes, l);
	free(l);
}

static void wait_last(struct script_pool *p, struct lane *l, struct process_job *j)
{
	j->next = NULL;
	if (l->last)
		l->last->next = j;
	else
		l->first = j;
	l->last = j;
	ring_add(p, l);
}

static void wait_first(struct script_pool *p, struct process_job *j)
{
	struct lane *l = j->lane;
	l->under_way--;
	j->next = l->first;
	l->first = j;
	if (!l->last)
		l->last = j;
	ring_add(p, l);
}

static struct process_job *lane_take(struct lane *l)
{
	struct process_job *j = l->first;
	l->first = j->next;
	if (!l->first)
		l->last = NULL;
	j->next = NULL;
	return j;
}

/* ---- jobs ---- */

static void job_free(struct script_pool *p, struct process_job *j)
{
	HASH_DEL(p->jobs, j);
	p->n_jobs--;
	p->as->metrics.scripts_waiting = p->n_jobs;
	script_release(j->script);
	free(j);
}

/* j waits nowhere and is under way nowhere. */
static void job_end(struct script_pool *p, struct process_job *j, const struct script_result *r)
{
	struct lane *l = j->lane;
	bool harmful = r->outcome == SCRIPT_TIMEOUT || r->outcome == SCRIPT_CRASHED || r->outcome == SCRIPT_STACK;
	if (harmful)
		l->suspect = TRUSTED_AGAIN;
	else if (l->suspect)
		l->suspect--;
	p->as->metrics.script_calls[r->outcome]++;
	if (r->outcome != SCRIPT_UNAVAILABLE)
		histogram_add(&p->as->metrics.script_cpu, r->cpu_us);
	void (*done)(void *ctx, const struct script_result *r) = j->done;
	void *ctx = j->ctx;
	job_free(p, j);
	lane_settle(p, l);
	if (done)
		done(ctx, r);
}

static void job_fail(struct script_pool *p, struct process_job *j, enum script_outcome outcome, const char *words)
{
	struct script_result r = { .outcome = outcome, .message = str_of(words) };
	if (outcome == SCRIPT_TIMEOUT)
		r.cpu_us = PROCESS_CPU_US;
	job_end(p, j, &r);
}

/* ---- turns ---- */

static void defer(struct script_pool *p);

static bool suspect_is_out(const struct script_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->processes[i] && p->processes[i]->suspect)
			return true;
	return false;
}

/* The process with the least to do that takes one more; a new one rather than a second question for an old one. */
static struct process *process_for(struct script_pool *p)
{
	struct process *best = NULL;
	size_t none = p->n;
	for (size_t i = 0; i < p->n; i++) {
		struct process *it = p->processes[i];
		if (!it)
			none = i;
		else if (it->n_jobs < DEPTH && !it->suspect && (!best || it->n_jobs < best->n_jobs))
			best = it;
	}
	if (none == p->n || (best && !best->n_jobs))
		return best;
	char words[200];
	struct text why = text_fixed(words, sizeof words);
	if (process_start(p, p->as->loop, &why, &p->processes[none])) {
		if (!best) {
			p->without_until_us = loop_now(p->as->loop)->mono_us + WITHOUT_US;
			(void)str_copy(text_str(&why), p->without, sizeof p->without);
		}
		return best;
	}
	p->as->metrics.script_processes++;
	p->as->metrics.script_processes_started++;
	return p->processes[none];
}

/* Of those that wait, the next whose turn it is and who may have it. */
static struct lane *next_lane(struct script_pool *p)
{
	struct lane *l = p->turn, *begin = l;
	if (!l)
		return NULL;
	bool out = suspect_is_out(p);
	do {
		if (!l->suspect || !out)
			return l;
		l = l->next;
	} while (l != begin);
	return NULL;
}

static void fail_all(struct script_pool *p, const char *words)
{
	/* Those that come while these are told wait for the next turn of the loop. */
	uint64_t last = p->last_ticket;
	while (p->turn && p->turn->first->ticket <= last) {
		struct process_job *j = lane_take(p->turn);
		job_fail(p, j, SCRIPT_UNAVAILABLE, words);
	}
}

static bool without(struct script_pool *p)
{
	if (!p->n) {
		fail_all(p, "scripts do not run here: as.script-processes is 0");
		return true;
	}
	if (!p->without_until_us)
		return false;
	if (loop_now(p->as->loop)->mono_us >= p->without_until_us) {
		p->without_until_us = 0;
		p->failed_starts = 0;
		return false;
	}
	if (!p->told)
		LOG(LOG_WARN, "scripts", KV_Z("error", p->without));
	p->told = true;
	fail_all(p, p->without);
	return true;
}

static void pump(void *ctx)
{
	struct script_pool *p = ctx;
	p->deferred = false;
	struct lane *l;
	while (!without(p) && (l = next_lane(p))) {
		struct process *to = process_for(p);
		if (!to) {
			if (p->without_until_us)
				continue;
			break;
		}
		struct process_job *j = lane_take(l);
		l->under_way++;
		p->turn = l->next;
		if (!l->first)
			ring_del(p, l);
		to->suspect = l->suspect > 0;
		if (process_give(to, j)) {
			l->under_way--;
			job_fail(p, j, SCRIPT_UNAVAILABLE, "no memory");
		}
	}
	if (p->turn && p->without_until_us)
		defer(p);
}

static void defer(struct script_pool *p)
{
	if (!p->deferred)
		p->deferred = !loop_defer(p->as->loop, pump, p);
}

/* ---- what processes say (process.h) ---- */

void pool_hello(struct script_pool *p, bool runs, struct str words)
{
	if (!runs) {
		p->without_until_us = loop_now(p->as->loop)->mono_us + WITHOUT_US;
		(void)str_copy(words, p->without, sizeof p->without);
		return;
	}
	p->failed_starts = 0;
	if (!p->engine_told)
		LOG(LOG_INFO, "scripts", KV_STR("engine", words), KV_U("processes", p->n));
	p->engine_told = true;
	p->told = false;
}

void pool_answer(struct script_pool *p, struct process_job *j, const struct script_result *r)
{
	j->lane->under_way--;
	job_end(p, j, r);
	defer(p);
}

static void forget(struct script_pool *p, const struct process *it)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->processes[i] == it)
			p->processes[i] = NULL;
	p->as->metrics.script_processes--;
}

/* The first of its jobs is what it died of, unless it never said a word. One crash may be somebody else's doing: another try. */
void pool_ended(struct script_pool *p, struct process *it, enum script_outcome outcome, const char *words)
{
	struct process_job *first = it->first, *kept = NULL;
	bool greeted = it->greeted, refused = it->refused;
	forget(p, it);
	if (!greeted && !refused && ++p->failed_starts >= FAILED_STARTS) {
		p->without_until_us = loop_now(p->as->loop)->mono_us + WITHOUT_US;
		struct text t = text_fixed(p->without, sizeof p->without);
		text_printf(&t, "scripts cannot be run: %s", words);
	}
	bool culprit = greeted && first && (outcome != SCRIPT_CRASHED || first->attempts++ > 0);
	if (culprit)
		it->first = first->next;
	/* Back to the front of their lanes, the last one first. */
	for (struct process_job *j = it->first, *next; j; j = next) {
		next = j->next;
		j->next = kept;
		kept = j;
	}
	for (struct process_job *j = kept, *next; j; j = next) {
		next = j->next;
		wait_first(p, j);
	}
	it->first = NULL;
	if (culprit) {
		LOG(LOG_DEBUG, "script_ended", KV_Z("application", first->lane->whose), KV_Z("outcome", script_outcome_word(outcome)), KV_Z("why", words));
		first->lane->under_way--;
		job_fail(p, first, outcome, words);
	} else if (outcome == SCRIPT_CRASHED) {
		LOG(LOG_WARN, "script_process_ended", KV_Z("why", words));
		if (greeted && first)
			first->lane->suspect = TRUSTED_AGAIN; /* alone, the next time */
	}
	defer(p);
}

/* ---- the room ---- */

uint64_t scripts_start(struct as *as, const struct script_job *job)
{
	struct script_pool *p = as->script_pool;
	bool encodes = job->call == SCRIPT_ENCODE_DOWNLINK;
	size_t n = encodes ? job->data.n : job->bytes.n;
	if (p->n_jobs >= WAITING_MAX || n > (encodes ? (size_t)SCRIPT_JSON_MAX : (size_t)SCRIPT_BYTES_MAX))
		return 0;
	struct process_job *j = calloc(1, sizeof *j + n);
	struct lane *l = j ? lane_of(p, job->whose) : NULL;
	if (!l) {
		free(j);
		return 0;
	}
	j->ticket = p->last_ticket + 1;
	HASH_ADD(hh, p->jobs, ticket, sizeof j->ticket, j);
	if (!j->hh.tbl) {
		free(j);
		lane_settle(p, l);
		return 0;
	}
	p->last_ticket++;
	p->as->metrics.scripts_waiting = ++p->n_jobs;
	if (n)
		memcpy(j->octets, encodes ? (const void *)job->data.p : (const void *)job->bytes.p, n);
	j->lane = l;
	j->script = script_hold(job->script);
	j->done = job->done, j->ctx = job->ctx;
	j->question = (struct script_question){ .call = job->call, .f_port = job->f_port, .received_unix_us = job->received_unix_us };
	if (encodes)
		j->question.data = (struct str){ (const char *)j->octets, n };
	else
		j->question.bytes = (struct slice){ j->octets, n };
	wait_last(p, l, j);
	defer(p);
	return j->ticket;
}

void scripts_cancel(struct as *as, uint64_t ticket)
{
	struct script_pool *p = as->script_pool;
	struct process_job *j, *before = NULL;
	HASH_FIND(hh, p->jobs, &ticket, sizeof ticket, j);
	if (!j)
		return;
	struct lane *l = j->lane;
	j->done = NULL;
	struct process_job *it = l->first;
	while (it && it != j)
		before = it, it = it->next;
	if (!it)
		return; /* under way: its answer finds nobody */
	if (before)
		before->next = j->next;
	else
		l->first = j->next;
	if (l->last == j)
		l->last = before;
	job_free(p, j);
	lane_settle(p, l);
}

bool scripts_available(const struct as *as)
{
	const struct script_pool *p = as->script_pool;
	return p && p->n && (!p->without_until_us || loop_now(as->loop)->mono_us >= p->without_until_us);
}

/* One that has had nothing to do for long is let go. */
static void on_idle(void *ctx)
{
	struct script_pool *p = ctx;
	uint64_t now_us = loop_now(p->as->loop)->mono_us;
	for (size_t i = 0; i < p->n; i++) {
		struct process *it = p->processes[i];
		if (it && !it->n_jobs && us_since(it->since_us, now_us) >= IDLE_US) {
			forget(p, it);
			process_end(it);
		}
	}
	loop_timer_in(p->idle, IDLE_US / 4);
}

int script_pool_start(struct as *as, struct text *err)
{
	struct script_pool *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	(void)err;
	as->script_pool = p;
	p->as = as;
	p->n = as->settings->script_processes;
	p->processes = calloc(p->n + 1, sizeof *p->processes);
	p->idle = loop_timer_new(as->loop, on_idle, p);
	if (!p->processes || !p->idle)
		return -ENOMEM;
	loop_timer_in(p->idle, IDLE_US / 4);
	return 0;
}

void script_pool_stop(struct as *as)
{
	struct script_pool *p = as->script_pool;
	struct process_job *j, *next_j;
	struct lane *l, *next_l;
	if (!p)
		return;
	loop_forget(as->loop, pump, p);
	for (size_t i = 0; p->processes && i < p->n; i++)
		process_end(p->processes[i]);
	HASH_ITER(hh, p->jobs, j, next_j)
		job_free(p, j);
	HASH_ITER(hh, p->lanes, l, next_l) {
		HASH_DEL(p->lanes, l);
		free(l);
	}
	loop_timer_free(p->idle);
	free(p->processes);
	free(p);
	as->script_pool = NULL;
}
