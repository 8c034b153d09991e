/** @file Limits, seccomp, and the signals that end a script. */
#include "as/scripts/sandbox.h"
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

enum { TICK_US = 10000, SIGNAL_STACK = 64 << 10, STACK_ROOM = 64 << 20, DESCRIPTORS_MAX = 65536 };

static volatile sig_atomic_t counting;
static uint64_t begun_us; /* written while not counting */
static char *stack_top;

static uint64_t used_us(void)
{
	struct timespec t;
	/* The process has one thread; and that of a process with a timer such as ours goes forward by ticks. */
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void sandbox_begin(void)
{
	begun_us = used_us();
	counting = 1;
}

uint64_t sandbox_end(void)
{
	counting = 0;
	return used_us() - begun_us;
}

/* As _exit; but of that one the address sanitizer knows that it does not return, and then wants to read files. */
static void leave(int status)
{
	syscall(SYS_exit_group, status);
}

/* Ticks come with processor time: a process that waits for its turn gets none. */
static void on_tick(int signo)
{
	(void)signo;
	if (counting && used_us() - begun_us > SANDBOX_CPU_US)
		leave(SANDBOX_TIMEOUT);
}

/* Below the stack: too deep a recursion in the engine. Elsewhere: a fault of the engine's, which happens again and ends the process. */
static void on_fault(int signo, siginfo_t *info, void *ctx)
{
	(void)signo, (void)ctx;
	const char *at = info->si_addr;
	if (at < stack_top && at > stack_top - STACK_ROOM)
		leave(SANDBOX_STACK);
}

static int set_signals(void)
{
	static const int deaf[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2 };
	static char signal_stack[SIGNAL_STACK];
	stack_top = __builtin_frame_address(0);
	stack_t on = { .ss_sp = signal_stack, .ss_size = sizeof signal_stack };
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART | SA_ONSTACK };
	struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND) };
	/* It ends when its parent does, not when a terminal or a service manager tells both to. */
	for (size_t i = 0; i < COUNT(deaf); i++)
		signal(deaf[i], SIG_IGN);
	sigset_t none;
	sigemptyset(&none);
	if (sigaltstack(&on, NULL) || sigaction(SIGPROF, &tick, NULL) || sigaction(SIGSEGV, &fault, NULL) ||
		sigaction(SIGBUS, &fault, NULL) || sigprocmask(SIG_SETMASK, &none, NULL))
		return -errno;
	struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };
	return setitimer(ITIMER_PROF, &every, NULL) ? -errno : 0;
}

static void close_others(int fd)
{
	int from = SANITIZED && fd < STDERR_FILENO ? STDERR_FILENO + 1 : fd + 1;
	for (int i = 0; i < fd; i++)
		if (!SANITIZED || i != STDERR_FILENO)
			close(i);
	if (SANITIZED && fd < 1)
		close(1);
	/* Not every filter of system calls lets this one pass. */
	if (close_range((unsigned)from, ~0u, 0))
		for (int i = from; i < DESCRIPTORS_MAX; i++)
			close(i);
}

/* The last of them would keep sanitizers from their reports. What may be refused by the service manager's own filter does not matter: seccomp refuses all that these would. */
static void set_limits(void)
{
	static const int none[] = { RLIMIT_CORE, RLIMIT_NPROC, RLIMIT_MSGQUEUE, RLIMIT_FSIZE };
	for (size_t i = 0; i < COUNT(none) - SANITIZED; i++)
		(void)setrlimit((__rlimit_resource_t)none[i], &(struct rlimit){ 0, 0 });
	(void)prctl(PR_SET_DUMPABLE, 0);
}

struct rule {
	int call;
	unsigned n;
	struct scmp_arg_cmp args[2];
};

static int add_rules(scmp_filter_ctx filter, int fd)
{
	const uint64_t on = (uint64_t)fd;
	const struct rule rules[] = {
		{ SCMP_SYS(read), 1, { SCMP_A0(SCMP_CMP_EQ, on, 0) } },
		{ SCMP_SYS(write), 1, { SCMP_A0(SCMP_CMP_EQ, on, 0) } },
		{ SCMP_SYS(exit), 0, { { 0 } } },
		{ SCMP_SYS(exit_group), 0, { { 0 } } },
		{ SCMP_SYS(restart_syscall), 0, { { 0 } } },
		{ SCMP_SYS(rt_sigreturn), 0, { { 0 } } },
		{ SCMP_SYS(sigreturn), 0, { { 0 } } },
		{ SCMP_SYS(clock_gettime), 0, { { 0 } } },
		{ SCMP_SYS(clock_gettime64), 0, { { 0 } } },
		{ SCMP_SYS(gettimeofday), 0, { { 0 } } },
		{ SCMP_SYS(time), 0, { { 0 } } },
		{ SCMP_SYS(brk), 0, { { 0 } } },
		{ SCMP_SYS(mmap), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ SCMP_SYS(mmap2), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ SCMP_SYS(mprotect), 1, { SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0) } },
		{ SCMP_SYS(munmap), 0, { { 0 } } },
		{ SCMP_SYS(mremap), 0, { { 0 } } },
		{ SCMP_SYS(madvise), 0, { { 0 } } },
		{ SCMP_SYS(futex), 0, { { 0 } } },
	};
	/* Their reports, and what they look at while they make them. */
	const struct rule sanitizers[] = {
		{ SCMP_SYS(write), 1, { SCMP_A0(SCMP_CMP_EQ, STDERR_FILENO, 0) } },
		{ SCMP_SYS(sigaltstack), 0, { { 0 } } },
		{ SCMP_SYS(getpid), 0, { { 0 } } },
		{ SCMP_SYS(gettid), 0, { { 0 } } },
		{ SCMP_SYS(sched_yield), 0, { { 0 } } },
	};
	int r = 0;
	for (size_t i = 0; !r && i < COUNT(rules); i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].call, rules[i].n, rules[i].args);
	for (size_t i = 0; SANITIZED && !r && i < COUNT(sanitizers); i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, sanitizers[i].call, sanitizers[i].n, sanitizers[i].args);
	return r;
}

static int set_filter(int fd)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return -ENOMEM;
	/* By prctl: service managers' filters let that pass, and seen from there it is the same as seccomp. */
	(void)seccomp_api_set(1);
	int r = add_rules(filter, fd);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}

int sandbox_enter(int fd, struct text *why)
{
	/* What libraries read from files they read now. Scripts see UTC, as in The Things Stack. */
	clearenv();
	(void)setenv("TZ", "UTC0", 1);
	tzset();
	close_others(fd);
	set_limits();
	int r = prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
	if (r) {
		text_printf(why, "a process cannot be shut in here: %s", strerror(-r));
		return r;
	}
	r = set_signals();
	if (r) {
		text_printf(why, "a process's time cannot be bounded here: %s", strerror(-r));
		return r;
	}
	r = set_filter(fd);
	if (r)
		text_printf(why, "this kernel has no seccomp with filters, without which no script is run: %s", strerror(-r));
	return r;
}
