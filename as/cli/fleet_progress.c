/** @file How far it is, for people; and Ctrl-C. */
#include "as/cli/fleet.h"
#include <time.h>
#include <unistd.h>

enum { EVERY_MS = 200, EVERY_LINE_MS = 10000, BAR = 30 };

volatile sig_atomic_t fleet_is_stopped;

static void on_stop(int signal)
{
	(void)signal;
	fleet_is_stopped = 1;
}

void fleet_catch_stop(void)
{
	/* Without SA_RESTART: a read of standard input ends too. The second time it is obeyed at once. */
	struct sigaction a = { .sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND };
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGTERM, &a, NULL);
}

static uint64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void fleet_progress_start(struct fleet_progress *p, const char *verb)
{
	*p = (struct fleet_progress){ .verb = verb, .is_terminal = isatty(STDERR_FILENO), .percent = 101 };
	p->started_ms = p->shown_ms = now_ms();
}

static void print_bar(const struct fleet_progress *p)
{
	char bar[BAR + 1];
	for (unsigned i = 0; i < BAR; i++)
		bar[i] = i * 100 < p->percent * BAR ? '#' : '.';
	bar[BAR] = '\0';
	fprintf(stderr, "[%s] %3u%%  ", bar, p->percent);
}

void fleet_progress_show(struct fleet_progress *p)
{
	uint64_t now = now_ms(), ms = now - p->started_ms;
	if (now - p->shown_ms < (p->is_terminal ? EVERY_MS : EVERY_LINE_MS))
		return;
	p->shown_ms = now;
	if (p->is_terminal) {
		fputs("\r\033[K", stderr);
		if (p->percent <= 100)
			print_bar(p);
	}
	fprintf(stderr, "%llu devices %s, %llu a second%s", (unsigned long long)p->n, p->verb,
		(unsigned long long)(ms ? p->n * 1000 / ms : 0), p->is_terminal ? "" : "\n");
	fflush(stderr);
	p->is_shown = p->is_terminal;
}

void fleet_progress_clear(struct fleet_progress *p)
{
	if (p->is_shown)
		fputs("\r\033[K", stderr);
	p->is_shown = false;
}
