/** @file godwit up: the three processes as children on one host, started again when one dies.
 *
 * A child says that it serves as it would to systemd: with READY=1 to NOTIFY_SOCKET, which is a socket of ours here.
 */
#include "as/cli/cli.h"
#include "common/loop.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3 };
#define BACKOFF_FIRST_US (500 * MS_US)
#define BACKOFF_LAST_US  (30 * SEC_US)
#define STEADY_US        (10 * SEC_US) /* a child that lived so long did not die of its start */
#define STOP_US          (6 * SEC_US)

struct child {
	const char *name;
	pid_t pid;      /* 0: not running */
	bool ready;     /* said so since its last start */
	uint64_t started_us, backoff_us;
	struct loop_timer *again;
	struct up *up;
};

struct up {
	struct loop *loop;
	struct child child[CHILDREN];
	char **argv, programs[PATH_MAX];
	int notify_fd, status;
	bool serving, stopping;
	struct loop_timer *give_up;
	struct loop_watch *watch;
};

static const int handled[] = { SIGCHLD, SIGTERM, SIGINT, SIGHUP };

static void start_child(struct child *c)
{
	struct up *up = c->up;
	char program[PATH_MAX + 32];
	snprintf(program, sizeof program, "%s/%s", up->programs, c->name);
	sigset_t all, before;
	sigfillset(&all);
	/* Until it is another program, a signal would be taken by the copy of our own handlers, and be lost to it. */
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t parent = getpid(), pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < COUNT(handled); i++)
			signal(handled[i], SIG_DFL);
		sigemptyset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		up->argv[0] = program;
		execv(program, up->argv);
		fprintf(stderr, "error: cannot run %s: %s\n", program, strerror(errno));
		_exit(1);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		fprintf(stderr, "error: cannot start %s: %s\n", c->name, strerror(errno));
	c->pid = pid > 0 ? pid : 0;
	c->ready = false;
	c->started_us = loop_now(up->loop)->mono_us;
	if (!c->pid)
		loop_timer_in(c->again, BACKOFF_LAST_US);
}

static void start_again(void *ctx)
{
	struct child *c = ctx;
	if (!c->up->stopping)
		start_child(c);
}

/** End the loop once no child is left. */
static void stop_if_alone(struct up *up)
{
	for (int i = 0; i < CHILDREN; i++)
		if (up->child[i].pid)
			return;
	loop_stop(up->loop);
}

static void stop_all(struct up *up)
{
	up->stopping = true;
	for (int i = 0; i < CHILDREN; i++)
		if (up->child[i].pid)
			kill(up->child[i].pid, SIGTERM);
	loop_timer_in(up->give_up, STOP_US);
	stop_if_alone(up);
}

static void kill_all(void *ctx)
{
	struct up *up = ctx;
	for (int i = 0; i < CHILDREN; i++)
		if (up->child[i].pid) {
			fprintf(stderr, "godwit: %s does not end; killed\n", up->child[i].name);
			kill(up->child[i].pid, SIGKILL);
		}
	up->status = CLI_FAILED;
}

static void say_end(const struct child *c, int wait_status)
{
	bool killed = WIFSIGNALED(wait_status);
	fprintf(stderr, "godwit: %s ended with %s %d\n", c->name, killed ? "signal" : "status",
		killed ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
}

/** A child has ended: part of the stop, a start that failed, or an accident to be mended. */
static void child_ended(struct up *up, struct child *c, int wait_status)
{
	int status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
	c->pid = 0;
	if (up->stopping) {
		/* One that had not yet begun to listen for our SIGTERM ends by it, and that is well. */
		bool is_bad = status && !(WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGTERM);
		if (is_bad)
			say_end(c, wait_status);
		if (is_bad && !up->status)
			up->status = CLI_FAILED;
		stop_if_alone(up);
		return;
	}
	if (!up->serving) {
		/* It has said why in one line of its own. */
		up->status = WIFEXITED(wait_status) && status ? status : CLI_FAILED;
		stop_all(up);
		return;
	}
	bool steady = loop_now(up->loop)->mono_us - c->started_us > STEADY_US;
	c->backoff_us = steady || !c->backoff_us ? BACKOFF_FIRST_US : c->backoff_us * 2 < BACKOFF_LAST_US ? c->backoff_us * 2 : BACKOFF_LAST_US;
	say_end(c, wait_status);
	fprintf(stderr, "godwit: starting %s again in %.1f s\n", c->name, (double)c->backoff_us / 1e6);
	loop_timer_in(c->again, c->backoff_us);
}

static void on_child(int signo, void *ctx)
{
	struct up *up = ctx;
	int status;
	(void)signo;
	for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
		for (int i = 0; i < CHILDREN; i++)
			if (up->child[i].pid == pid)
				child_ended(up, &up->child[i], status);
}

static void on_stop(int signo, void *ctx)
{
	struct up *up = ctx;
	(void)signo;
	if (!up->stopping)
		stop_all(up);
}

static void on_reload(int signo, void *ctx)
{
	struct up *up = ctx;
	for (int i = 0; i < CHILDREN; i++)
		if (up->child[i].pid)
			kill(up->child[i].pid, signo);
}

/** Tell our own supervisor, if there is one. */
static void tell_supervisor(const char *socket_name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t n = socket_name ? strlen(socket_name) : 0;
	if (!n || n >= sizeof sa.sun_path)
		return;
	memcpy(sa.sun_path, socket_name, n);
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && sendto(fd, "READY=1", 7, 0, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		fprintf(stderr, "godwit: cannot tell the supervisor: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
}

/** The next child is started once the one before serves, so that what is wrong for all of them is said once. */
static void go_on(struct up *up)
{
	for (int i = 0; i < CHILDREN; i++) {
		struct child *c = &up->child[i];
		if (c->ready)
			continue;
		if (!up->serving && !up->stopping && !c->pid)
			start_child(c);
		return;
	}
	if (up->serving)
		return;
	up->serving = true;
	puts("godwit: ready");
	fflush(stdout);
	tell_supervisor(getenv("GODWIT_SUPERVISOR"));
}

static void on_notify(int fd, void *ctx)
{
	struct up *up = ctx;
	char buf[256];
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(struct ucred))]; } control;
	struct iovec iov = { buf, sizeof buf - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!c || c->cmsg_type != SCM_CREDENTIALS)
		return;
	struct ucred who;
	memcpy(&who, CMSG_DATA(c), sizeof who);
	buf[n] = '\0';
	for (int i = 0; i < CHILDREN; i++)
		if (up->child[i].pid == who.pid && strstr(buf, "READY=1"))
			up->child[i].ready = true;
	go_on(up);
}

/** A socket that the children tell us on; its name goes into their environment. @return 0; -errno */
static int open_notify(struct up *up)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int on = 1, n = snprintf(sa.sun_path + 1, sizeof sa.sun_path - 1, "godwit-up-%ld", (long)getpid());
	char name[sizeof sa.sun_path + 1];
	up->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (up->notify_fd < 0 || setsockopt(up->notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) ||
		bind(up->notify_fd, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)))
		return -errno;
	snprintf(name, sizeof name, "@%s", sa.sun_path + 1);
	const char *above = getenv("NOTIFY_SOCKET");
	if (above)
		setenv("GODWIT_SUPERVISOR", above, 1);
	else
		unsetenv("GODWIT_SUPERVISOR");
	return setenv("NOTIFY_SOCKET", name, 1) ? -errno : 0;
}

int cli_programs(char ret[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", ret, PATH_MAX - 1);
	if (n <= 0)
		return -errno;
	ret[n] = '\0';
	char *slash = strrchr(ret, '/');
	*slash = '\0';
	return 0;
}

static const char *const names[CHILDREN] = { "godwit-ns", "godwit-as", "godwit-gs" };

/** --check-config: each program looks at its part of the configuration, one after another. @return the first bad status */
static int check_config(struct up *up)
{
	for (int i = 0; i < CHILDREN; i++) {
		char program[PATH_MAX + 32];
		int status;
		snprintf(program, sizeof program, "%s/%s", up->programs, names[i]);
		pid_t pid = fork();
		if (pid == 0) {
			up->argv[0] = program;
			execv(program, up->argv);
			fprintf(stderr, "error: cannot run %s: %s\n", program, strerror(errno));
			_exit(1);
		}
		if (pid < 0 || waitpid(pid, &status, 0) < 0 || !WIFEXITED(status))
			return CLI_FAILED;
		if (WEXITSTATUS(status))
			return WEXITSTATUS(status);
	}
	return CLI_OK;
}

static int run(struct up *up)
{
	int r = open_notify(up);
	if (r)
		return r;
	up->give_up = loop_timer_new(up->loop, kill_all, up);
	if (!up->give_up || loop_on_signal(up->loop, SIGCHLD, on_child, up) || loop_on_signal(up->loop, SIGTERM, on_stop, up) ||
		loop_on_signal(up->loop, SIGINT, on_stop, up) || loop_on_signal(up->loop, SIGHUP, on_reload, up) ||
		!(up->watch = loop_watch_read(up->loop, up->notify_fd, on_notify, up)))
		return -ENOMEM;
	for (int i = 0; i < CHILDREN; i++) {
		up->child[i] = (struct child){ .name = names[i], .up = up };
		up->child[i].again = loop_timer_new(up->loop, start_again, &up->child[i]);
		if (!up->child[i].again)
			return -ENOMEM;
	}
	go_on(up);
	return loop_run(up->loop);
}

int up_main(int argc, char **argv)
{
	bool checks = false;
	for (int i = 1; i < argc; i++) {
		checks |= !strcmp(argv[i], "--check-config");
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			printf("godwit up [--config FILE] [--state-dir DIR] [--section.key=value …]\n"
			       "  runs godwit-gs, godwit-ns and godwit-as on this host; prints `godwit: ready` when all three serve.\n"
			       "  --check-config only says whether the configuration is good.\n"
			       "  Settings: godwit-gs --help, godwit-ns --help, godwit-as --help.\n");
			return CLI_OK;
		}
	}
	struct up *up = calloc(1, sizeof *up);
	if (!up)
		return CLI_FAILED;
	up->argv = argv;
	up->loop = loop_new();
	int r = up->loop ? cli_programs(up->programs) : -ENOMEM;
	if (!r && checks)
		up->status = check_config(up);
	else if (!r)
		r = run(up);
	if (r)
		fprintf(stderr, "error: %s\n", strerror(-r));
	int status = r ? CLI_FAILED : up->status;
	for (int i = 0; i < CHILDREN; i++)
		loop_timer_free(up->child[i].again);
	loop_timer_free(up->give_up);
	loop_watch_free(up->watch);
	if (up->loop)
		loop_free(up->loop);
	free(up);
	return status;
}
