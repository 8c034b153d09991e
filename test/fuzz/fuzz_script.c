/** @file Any text as a script: it is compiled and called, and whatever comes of it is an answer that can be read. One that does not end is
 * left behind in the middle, as in earnest its process would be: the next call's memory is as if it had never been. */
#include "as/scripts/answer.h"
#include "as/scripts/worker.h"
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

enum { TEXT_MAX = 4096, TICK_US = 20000 };

static sigjmp_buf out;
static volatile sig_atomic_t asking, ticks;

static void on_tick(int signo)
{
	(void)signo;
	if (asking && ++ticks > 4)
		siglongjmp(out, 1);
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct worker *ready(void)
{
	static struct worker *w;
	if (w)
		return w;
	struct sigaction tick = { .sa_handler = on_tick, .sa_flags = SA_RESTART };
	struct itimerval every = { { 0, TICK_US }, { 0, TICK_US } };
	w = worker_new();
	require(w && !sigaction(SIGPROF, &tick, NULL) && !setitimer(ITIMER_PROF, &every, NULL));
	return w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char lines[SCRIPT_ANSWER_MAX + 1];
	static const uint8_t octets[] = { 0, 1, 127, 255 };
	struct worker *w = ready();
	if (n < 1 || n > TEXT_MAX || !utf8_valid((struct str){ (const char *)data, n }))
		return 0;
	struct script_question q = { .call = data[0] % SCRIPT_CALL_N, .f_port = 1, .received_unix_us = 1700000000000000,
		.bytes = { octets, sizeof octets }, .data = STR("{\"a\":1,\"b\":[true,null,\"x\"]}") };
	/* Nothing in there takes memory of the process once it is compiled, so nothing is left half done when it is left. */
	struct text answer = text_fixed(lines, sizeof lines);
	require(!worker_keep(w, 0, (struct str){ (const char *)data + 1, n - 1 }));
	ticks = 0;
	if (!sigsetjmp(out, 1)) {
		asking = 1;
		int r = worker_ask(w, 0, &q, &answer);
		asking = 0;
		struct script_answer memory;
		struct script_result result;
		require(!r);
		/* A script that has broken what the prelude needs may get an answer that is none. */
		(void)script_answer_read(text_str(&answer), q.call, &memory, &result);
	}
	asking = 0;
	return 0;
}
