/** @file One call, in a child of this very process. */
#include "as/scripts/once.h"
#include "as/scripts/answer.h"
#include "as/scripts/sandbox.h"
#include "as/scripts/worker.h"
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static void put(int fd, struct str s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);
		if (n <= 0 && errno != EINTR)
			return;
		s.p += n > 0 ? n : 0;
		s.n -= n > 0 ? (size_t)n : 0;
	}
}

static _Noreturn void be_child(int fd, const struct script_once_job *job)
{
	char words[256] = "";
	struct text why = text_fixed(words, sizeof words), lines = text_growing(SCRIPT_ANSWER_MAX);
	if (sandbox_enter(fd, &why)) {
		script_answer_write(&lines, SCRIPT_UNAVAILABLE, 0, words);
	} else {
		struct worker *w = worker_new();
		sandbox_begin();
		if (!w || worker_keep(w, 0, job->text) || worker_ask(w, 0, &job->question, &lines))
			_exit(SANDBOX_MEMORY);
		put(fd, (struct str){ (const char *)&(uint64_t){ sandbox_end() }, sizeof(uint64_t) });
		put(fd, text_str(&lines));
		_exit(0);
	}
	put(fd, (struct str){ (const char *)&(uint64_t){ 0 }, sizeof(uint64_t) });
	put(fd, text_str(&lines));
	_exit(0);
}

/* All that it says. */
static size_t hear(int fd, char *buf, size_t cap)
{
	size_t have = 0;
	while (have < cap) {
		struct pollfd on = { fd, POLLIN, 0 };
		int r = poll(&on, 1, PATIENCE_MS);
		if (r < 0 && errno == EINTR)
			continue;
		ssize_t n = r > 0 ? read(fd, buf + have, cap - have) : 0;
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	return have;
}

static struct script_result ended(int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	struct script_result r = { .outcome = SCRIPT_CRASHED, .message = STR("the process that ran it ended without a word") };
	if (code == SANDBOX_TIMEOUT || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		r = (struct script_result){ .outcome = SCRIPT_TIMEOUT, .message = STR("it took more than 100 ms of processor time"), .cpu_us = SANDBOX_CPU_US };
	else if (code == SANDBOX_STACK)
		r = (struct script_result){ .outcome = SCRIPT_STACK, .message = STR("too deep a recursion: it needs more stack than there is") };
	return r;
}

struct memory {
	struct script_answer answer;
	char said[sizeof(uint64_t) + SCRIPT_ANSWER_MAX + 1];
};

static bool too_long(const struct script_once_job *job)
{
	const struct script_question *q = &job->question;
	return job->text.n > SCRIPT_TEXT_MAX || q->data.n > SCRIPT_JSON_MAX || q->bytes.n > SCRIPT_BYTES_MAX;
}

/* The child, at the other end of *ret_fd. @return its number; -errno */
static int be_parent(const struct script_once_job *job, int *ret_fd)
{
	int fd[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd))
		return -errno;
	pid_t pid = fork();
	if (!pid)
		be_child(fd[1], job);
	int e = errno;
	close(fd[1]);
	*ret_fd = fd[0];
	if (pid > 0)
		return pid;
	close(fd[0]);
	return -e;
}

int script_once(const struct script_once_job *job, struct script_once_result *ret)
{
	int fd = -1, status = 0;
	if (too_long(job))
		return -EMSGSIZE;
	struct memory *m = calloc(1, sizeof *m);
	pid_t pid = m ? be_parent(job, &fd) : -ENOMEM;
	if (pid < 0) {
		free(m);
		return pid;
	}
	size_t n = hear(fd, m->said, sizeof m->said - 1);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	close(fd);
	uint64_t cpu_us;
	struct str lines = { m->said + sizeof cpu_us, n > sizeof cpu_us ? n - sizeof cpu_us : 0 };
	if (script_answer_read(lines, job->question.call, &m->answer, &ret->result)) {
		ret->result = ended(status);
	} else {
		memcpy(&cpu_us, m->said, sizeof cpu_us);
		ret->result.cpu_us = cpu_us;
	}
	ret->memory = (char *)m;
	return 0;
}

void script_once_done(struct script_once_result *r)
{
	free(r->memory);
	r->memory = NULL;
}
