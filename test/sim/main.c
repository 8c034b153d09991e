/** @file godwit-sim: simulated gateways and devices, for demos, tests and load. */
#include "test/sim/capture.h"
#include "test/sim/devices.h"
#include "test/sim/load.h"
#include "test/sim/report.h"
#include "test/sim/script.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void fire_due(void *ctx)
{
	struct sim *s = ctx;
	struct heap_node *n;
	while (!s->is_over && (n = heap_pop_due(&s->due, sim_now(s)))) {
		struct event *e = CONTAINER_OF(n, struct event, node);
		e->fire(e, s, n->due_us);
	}
	loop_timer_at(s->timer, s->is_over ? UINT64_MAX : heap_deadline(&s->due));
}

static void on_timer(void *ctx)
{
	(void)ctx; /* the wake is all that was wanted: fire_due runs at its end */
}

static void on_signal(int signo, void *ctx)
{
	(void)signo;
	sim_end(ctx);
}

static int world_open(struct sim *s)
{
	s->loop = loop_new();
	s->crypto = crypto_new();
	if (!s->loop || !s->crypto)
		return -ENOMEM;
	struct rng kernel = loop_rng();
	if (!s->opt.has_seed)
		s->opt.seed = rng_u64(&kernel) >> 1;
	s->rng = rng_seeded(&s->rng_state, s->opt.seed);
	s->start_us = sim_now(s);
	s->timer = loop_timer_new(s->loop, on_timer, s);
	s->plan = plan_find(str_of(s->opt.plan_id));
	if (s->plan)
		s->plan = plan_for(str_of(s->opt.plan_id), mac_rules(s->opt.version)->usual_phy);
	if (s->plan && s->opt.dr == DR_NONE)
		s->opt.dr = s->plan->region->adr_max_dr;
	if (!s->plan || !region_modu(s->plan->region, true, s->opt.dr)) {
		fprintf(stderr, "error: no such frequency plan, or no such data rate in it: %s, %u\n",
			s->opt.plan_id, s->opt.dr);
		return -EINVAL;
	}
	if (!s->timer || loop_after_wake(s->loop, fire_due, s) ||
		loop_on_signal(s->loop, SIGINT, on_signal, s) ||
		loop_on_signal(s->loop, SIGTERM, on_signal, s))
		return -ENOMEM;
	return 0;
}

static int devices_open(struct sim *s)
{
	if (s->opt.device_file)
		return devices_read(s);
	s->devices = calloc(s->opt.devices, sizeof *s->devices);
	if (!s->devices)
		return -ENOMEM;
	for (size_t i = 0; i < s->opt.devices; i++)
		device_init(&s->devices[i], s, i);
	return 0;
}

static int gateways_open(struct sim *s)
{
	s->gateways = calloc(s->opt.gateways, sizeof *s->gateways);
	if (!s->gateways)
		return -ENOMEM;
	for (size_t i = 0; i < s->opt.gateways; i++) {
		int e = gateway_open(&s->gateways[i], s, i);
		if (e) {
			fprintf(stderr, "error: gateway %zu: %s\n", i, strerror(-e));
			return e;
		}
	}
	return 0;
}

/** Two sockets a gateway soon are more than a shell allows. */
static void files_allow(void)
{
	struct rlimit l;
	if (getrlimit(RLIMIT_NOFILE, &l))
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int simulate(struct sim *s)
{
	struct report r;
	s->opt.abp |= s->opt.load;
	int e = world_open(s);
	if (e || (e = devices_open(s)) || (e = capture_open(s)) || (e = gateways_open(s)))
		return e;
	if ((e = s->opt.script ? script_start(s) : s->opt.load ? load_start(s) : 0))
		return e;
	report_begin(&r, s, "ready");
	report_num(&r, "gateways", s->opt.gateways);
	report_num(&r, "devices", s->opt.devices);
	report_num(&r, "seed", (int64_t)s->opt.seed);
	report_end(&r);
	for (size_t i = 0; !s->opt.load && i < s->opt.devices; i++)
		device_start(&s->devices[i], s);
	loop_timer_at(s->timer, heap_deadline(&s->due));
	e = loop_run(s->loop);
	report_totals(s);
	return e;
}

int main(int argc, char **argv)
{
	struct sim s = { .rng_state = { 0 } };
	int e = options_read(argc, argv, &s.opt);
	if (e)
		return e > 0 ? EXIT_SUCCESS : 2;
	files_allow();
	e = simulate(&s);
	for (size_t i = 0; s.gateways && i < s.opt.gateways; i++)
		gateway_close(&s.gateways[i]);
	capture_close(&s);
	heap_done(&s.due);
	script_stop(&s);
	load_stop(&s);
	free(s.gateways);
	free(s.devices);
	loop_timer_free(s.timer);
	loop_free(s.loop);
	crypto_free(s.crypto);
	return e ? EXIT_FAILURE : EXIT_SUCCESS;
}
