/** @file Children: posix_spawn, a socket, a guard against one that says nothing. */
#include "as/scripts/process.h"
#include "as/scripts/child.h"
#include "as/scripts/sandbox.h"
#include "as/scripts/wire.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* A loaded machine is slow; one that hangs in a way that takes no processor time is no script's doing, and ended all the same. */
static const uint64_t GUARD_US = 20 * SEC_US;

/* ---- its end ---- */

/* The status of a process that is ending, or is made to. */
static int reap(const struct process *it)
{
	int status = 0;
	/* One that is already on its way keeps its status. */
	(void)kill(it->pid, SIGKILL);
	while (waitpid(it->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void process_free(struct process *it)
{
	bufferevent_free(it->socket);
	loop_timer_free(it->guard);
	for (size_t i = 0; i < WORKER_SLOTS; i++)
		script_release(it->slots[i].script);
	free(it);
}

void process_end(struct process *it)
{
	if (!it)
		return;
	(void)reap(it);
	process_free(it);
}

static enum script_outcome outcome_of(int status, struct text *words)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (code == SANDBOX_TIMEOUT) {
		text_puts(words, "it took more than 100 ms of processor time");
		return SCRIPT_TIMEOUT;
	}
	if (code == SANDBOX_STACK) {
		text_puts(words, "too deep a recursion: it needs more stack than there is");
		return SCRIPT_STACK;
	}
	if (code == SANDBOX_MEMORY) {
		text_puts(words, "no memory");
		return SCRIPT_CRASHED;
	}
	if (code >= 0)
		text_printf(words, "the process that runs scripts ended with status %d", code);
	else
		text_printf(words, "the process that runs scripts ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	return SCRIPT_CRASHED;
}

static void gone(struct process *it)
{
	char buf[160];
	struct text words = text_fixed(buf, sizeof buf);
	enum script_outcome outcome = outcome_of(reap(it), &words);
	pool_ended(it->pool, it, outcome, buf);
	process_free(it);
}

static void on_guard(void *ctx)
{
	struct process *it = ctx;
	(void)reap(it);
	pool_ended(it->pool, it, it->greeted ? SCRIPT_TIMEOUT : SCRIPT_CRASHED, "the process that runs scripts gave no answer for 20 s");
	process_free(it);
}

static void out_of_order(struct process *it)
{
	(void)reap(it);
	pool_ended(it->pool, it, SCRIPT_CRASHED, "the process that runs scripts gave an answer that is none");
	process_free(it);
}

/* ---- what it says ---- */

static void begin_next(struct process *it)
{
	it->since_us = loop_now(it->loop)->mono_us;
	loop_timer_at(it->guard, it->first ? it->since_us + GUARD_US : UINT64_MAX);
}

static int take_answer(struct process *it, const struct wire *m)
{
	struct process_job *j = it->first;
	struct script_answer memory;
	struct script_result r;
	if (!j || !it->greeted || script_answer_read(m->text, j->question.call, &memory, &r))
		return -EBADMSG;
	r.cpu_us = m->cpu_us;
	it->first = j->next;
	it->n_jobs--;
	if (!it->first) {
		it->last = NULL;
		it->suspect = false;
	}
	begin_next(it);
	pool_answer(it->pool, j, &r);
	return 0;
}

static int take_frame(struct process *it, struct slice frame)
{
	struct wire m;
	TRY(wire_read(frame, &m));
	if (m.kind == WIRE_ANSWER)
		return take_answer(it, &m);
	if (m.kind != WIRE_HELLO || it->greeted || it->refused)
		return -EBADMSG;
	it->greeted = m.runs;
	it->refused = !m.runs;
	begin_next(it);
	pool_hello(it->pool, m.runs, m.text);
	return 0;
}

static void on_read(struct bufferevent *b, void *ctx)
{
	struct process *it = ctx;
	struct evbuffer *in = bufferevent_get_input(b);
	for (;;) {
		uint8_t length[WIRE_LENGTH];
		struct slice frame;
		size_t n = evbuffer_get_length(in);
		ssize_t head = evbuffer_copyout(in, length, sizeof length);
		int r = wire_frame(length, head < 0 ? 0 : (size_t)head, &frame);
		if (r == -EAGAIN && n >= WIRE_LENGTH) {
			size_t whole = WIRE_LENGTH + ((size_t)length[0] << 24 | (size_t)length[1] << 16 | (size_t)length[2] << 8 | length[3]);
			const uint8_t *p = n >= whole ? evbuffer_pullup(in, (ssize_t)whole) : NULL;
			if (p)
				r = wire_frame(p, whole, &frame);
		}
		if (r == -EAGAIN)
			return;
		if (r || take_frame(it, frame)) {
			out_of_order(it);
			return;
		}
		evbuffer_drain(in, WIRE_LENGTH + frame.n);
	}
}

static void on_event(struct bufferevent *b, short what, void *ctx)
{
	(void)b;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		gone(ctx);
}

/* ---- what it is given ---- */

static int send_frame(const struct process *it, const struct wire *m)
{
	uint8_t head[WIRE_HEAD_MAX];
	struct slice rest;
	size_t n = wire_head(m, head, &rest);
	struct evbuffer *out = bufferevent_get_output(it->socket);
	return evbuffer_expand(out, n + rest.n) || evbuffer_add(out, head, n) || evbuffer_add(out, rest.p, rest.n) ? -ENOMEM : 0;
}

/* The slot that holds the script; where none does, the one used longest ago, which holds it from now on. */
static int slot_for(struct process *it, struct script *script, unsigned *ret)
{
	unsigned oldest = 0;
	it->uses++;
	for (unsigned i = 0; i < WORKER_SLOTS; i++) {
		if (it->slots[i].script == script) {
			it->slots[i].used = it->uses;
			*ret = i;
			return 0;
		}
		if (it->slots[i].used < it->slots[oldest].used)
			oldest = i;
	}
	struct wire m = { .kind = WIRE_SCRIPT, .slot = oldest, .text = script_str(script) };
	TRY(send_frame(it, &m));
	script_release(it->slots[oldest].script);
	it->slots[oldest].script = script_hold(script);
	it->slots[oldest].used = it->uses;
	*ret = oldest;
	return 0;
}

int process_give(struct process *it, struct process_job *j)
{
	struct wire m = { .kind = WIRE_QUESTION, .question = j->question };
	TRY(slot_for(it, j->script, &m.slot));
	TRY(send_frame(it, &m));
	j->next = NULL;
	if (it->last)
		it->last->next = j;
	else
		it->first = j;
	it->last = j;
	if (it->n_jobs++ == 0)
		begin_next(it);
	return 0;
}

/* ---- its beginning ---- */

static int spawn(int fd, pid_t *ret)
{
	static char name[] = "godwit-scripts", word[] = CHILD_ARGUMENT;
	char *const argv[] = { name, word, NULL };
	char *const environment[] = { NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t all;
	int r = posix_spawn_file_actions_init(&files);
	if (r)
		return -r;
	r = posix_spawnattr_init(&how);
	if (!r) {
		sigfillset(&all);
		/* A group of its own: a terminal's Ctrl-C is not for it. */
		posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
		posix_spawnattr_setpgroup(&how, 0);
		posix_spawnattr_setsigdefault(&how, &all);
		r = posix_spawn_file_actions_adddup2(&files, fd, STDIN_FILENO);
		if (!r)
			r = posix_spawn(ret, "/proc/self/exe", &files, &how, argv, environment);
		posix_spawnattr_destroy(&how);
	}
	posix_spawn_file_actions_destroy(&files);
	return -r;
}

static struct process *process_new(struct script_pool *pool, struct loop *loop, int fd)
{
	struct process *it = calloc(1, sizeof *it);
	if (!it)
		return NULL;
	*it = (struct process){ .pool = pool, .loop = loop };
	it->guard = loop_timer_new(loop, on_guard, it);
	it->socket = it->guard ? bufferevent_socket_new(loop_base(loop), fd, BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (it->socket)
		return it;
	loop_timer_free(it->guard);
	free(it);
	return NULL;
}

int process_start(struct script_pool *pool, struct loop *loop, struct text *why, struct process **ret)
{
	int fd[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd)) {
		text_printf(why, "scripts cannot be run: %s", strerror(errno));
		return -errno;
	}
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	struct process *it = process_new(pool, loop, fd[0]);
	int r = it ? spawn(fd[1], &it->pid) : -ENOMEM;
	close(fd[1]);
	if (!r) {
		bufferevent_setcb(it->socket, on_read, NULL, on_event, it);
		bufferevent_enable(it->socket, EV_READ | EV_WRITE);
		begin_next(it);
		loop_timer_at(it->guard, it->since_us + GUARD_US);
		*ret = it;
		return 0;
	}
	if (it)
		process_free(it);
	else
		close(fd[0]);
	if (r == -ENOENT)
		text_puts(why, "scripts cannot be run: there is no /proc/self/exe; is /proc mounted?");
	else
		text_printf(why, "scripts cannot be run: no process could be started: %s", strerror(-r));
	return r;
}
