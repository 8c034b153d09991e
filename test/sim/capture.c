/** @file --capture. */
#include "test/sim/capture.h"
#include "test/sim/report.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int capture_open(struct sim *s)
{
	if (!s->opt.capture_file)
		return 0;
	s->capture = fopen(s->opt.capture_file, "w");
	if (s->capture)
		return 0;
	int e = errno;
	fprintf(stderr, "error: %s: %s\n", s->opt.capture_file, strerror(e));
	return -e;
}

void capture_close(struct sim *s)
{
	if (s->capture)
		fclose(s->capture);
	s->capture = NULL;
}

void capture_datagram(struct gateway *g, const char *from, const void *p, size_t n)
{
	struct sim *s = g->sim;
	struct report r;
	if (!s->capture)
		return;
	uint64_t now = sim_now(s);
	r.t = text_fixed(r.buf, sizeof r.buf);
	json_open(&r.t, '{');
	report_num(&r, "t_us", (int64_t)(now - s->start_us));
	report_eui(&r, "gateway", g->eui);
	report_word(&r, "forwarder", g->jit.forwarder->name);
	report_num(&r, "counter", gateway_tmst(g, now));
	if (g->has_gps)
		report_num(&r, "gps_us", (int64_t)gateway_gps_us(g, now));
	report_word(&r, "from", from);
	report_hex(&r, "hex", p, n);
	json_close(&r.t, '}');
	fwrite(r.t.p, 1, r.t.len, s->capture);
	fputc('\n', s->capture);
}
