/** @file The loop of a child: a frame in, a frame out. */
#include "as/scripts/child.h"
#include "as/scripts/pool.h"
#include "as/scripts/sandbox.h"
#include "as/scripts/wire.h"
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { SOCKET = 0 };

static void send_all(const void *p, size_t n)
{
	for (const char *at = p; n;) {
		ssize_t r = write(SOCKET, at, n);
		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			_exit(0); /* nobody is there any more */
		at += r, n -= (size_t)r;
	}
}

static void send_frame(const struct wire *m)
{
	uint8_t head[WIRE_HEAD_MAX];
	struct slice rest;
	send_all(head, wire_head(m, head, &rest));
	send_all(rest.p, rest.n);
}

static void answer(struct worker *w, const struct wire *m, struct text *lines)
{
	struct wire reply = { .kind = WIRE_ANSWER };
	if (m->kind == WIRE_SCRIPT) {
		if (worker_keep(w, m->slot, m->text))
			_exit(SANDBOX_MEMORY);
		return;
	}
	text_reset(lines);
	sandbox_begin();
	int r = worker_ask(w, m->slot, &m->question, lines);
	reply.cpu_us = sandbox_end();
	if (r)
		_exit(SANDBOX_MEMORY);
	reply.text = text_str(lines);
	send_frame(&reply);
}

static _Noreturn void serve(struct worker *w)
{
	uint8_t *buf = malloc(WIRE_MAX);
	struct text lines = text_growing(SCRIPT_ANSWER_MAX);
	size_t have = 0;
	if (!buf)
		_exit(SANDBOX_MEMORY);
	for (;;) {
		ssize_t n = read(SOCKET, buf + have, WIRE_MAX - have);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(0);
		have += (size_t)n;
		size_t done = 0;
		struct slice frame;
		struct wire m;
		int r;
		while (!(r = wire_frame(buf + done, have - done, &frame))) {
			if (wire_read(frame, &m) || (m.kind != WIRE_SCRIPT && m.kind != WIRE_QUESTION))
				_exit(1);
			answer(w, &m, &lines);
			done += WIRE_LENGTH + frame.n;
		}
		if (r != -EAGAIN)
			_exit(1);
		have -= done;
		memmove(buf, buf + done, have);
	}
}

_Noreturn void child_run(void)
{
	char words[256] = "";
	struct text why = text_fixed(words, sizeof words);
	struct wire hello = { .kind = WIRE_HELLO };
	(void)prctl(PR_SET_NAME, "godwit-scripts"); /* it was started as /proc/self/exe */
	hello.runs = !sandbox_enter(SOCKET, &why);
	struct worker *w = hello.runs ? worker_new() : NULL;
	if (hello.runs && !w) {
		hello.runs = false;
		text_puts(&why, "no memory");
	}
	hello.text = hello.runs ? str_of(engine_kind()->name) : text_str(&why);
	send_frame(&hello);
	if (!w)
		_exit(0);
	serve(w);
}

void scripts_child(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], CHILD_ARGUMENT))
		child_run();
}
