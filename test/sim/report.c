/** @file What happened, one JSON object a line on stdout. */
#include "test/sim/report.h"
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

void report_begin(struct report *r, const struct sim *s, const char *event)
{
	r->t = text_fixed(r->buf, sizeof r->buf);
	json_open(&r->t, '{');
	report_word(r, "event", event);
	report_num(r, "t", (int64_t)(sim_now(s) - s->start_us));
}

void report_num(struct report *r, const char *name, int64_t v)
{
	json_name(&r->t, name);
	json_num(&r->t, v);
}

void report_flag(struct report *r, const char *name, bool v)
{
	json_name(&r->t, name);
	json_truth(&r->t, v);
}

void report_word(struct report *r, const char *name, const char *word)
{
	json_name(&r->t, name);
	json_puts(&r->t, word);
}

void report_eui(struct report *r, const char *name, uint64_t eui)
{
	json_name(&r->t, name);
	json_eui(&r->t, eui);
}

void report_addr(struct report *r, const char *name, uint32_t addr)
{
	char word[9];
	snprintf(word, sizeof word, "%08" PRIX32, addr);
	report_word(r, name, word);
}

void report_hex(struct report *r, const char *name, const void *p, size_t n)
{
	json_name(&r->t, name);
	json_hex(&r->t, p, n);
}

void report_end(struct report *r)
{
	json_close(&r->t, '}');
	fwrite(r->t.p, 1, r->t.len, stdout);
	putchar('\n');
	fflush(stdout);
}

static int64_t cpu_us(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * INT64_C(1000000) + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

void report_totals(const struct sim *s)
{
	struct report r;
	const struct totals *n = &s->totals;
	report_begin(&r, s, "end");
	report_num(&r, "uplinks", (int64_t)n->uplinks);
	report_num(&r, "downlinks", (int64_t)n->downlinks);
	report_num(&r, "joins", (int64_t)n->joins);
	report_num(&r, "datagrams", (int64_t)n->datagrams);
	report_num(&r, "push_acks", (int64_t)n->push_acks);
	report_num(&r, "pull_resps", (int64_t)n->pull_resps);
	report_num(&r, "tx_ok", (int64_t)n->tx_oks);
	report_num(&r, "tx_errors", (int64_t)n->tx_errors);
	report_num(&r, "dropped", (int64_t)n->dropped);
	report_num(&r, "cpu_us", cpu_us());
	report_end(&r);
}
