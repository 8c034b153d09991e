/** @file A concentrator's clock against hours of made-up traffic: the truth is known here, and the clock sees only
 * what arrives, late, lost, out of order, over wraps, restarts and jumps of the server's own clock. */
#include "common/core/clock.h"
#include "common/core/err.h"
#include "common/core/rng.h"
#include "gs/core/conc_clock.h"
#include <check.h>
#include <stdlib.h>

enum { BASE_US = 5000, POLL_US = 10000, ON_THEIR_WAY = 64 };
#define SEC UINT64_C(1000000)
#define HOUR (3600 * SEC)
static const uint64_t BEGIN_US = 777 * SEC_US;

/** A way of life. Times are means; a chance is in a thousand. */
struct traffic {
	const char *name;
	uint64_t length_us, every_us;
	uint32_t first_tmst, jitter_us, lost, straggler;
	int32_t ppm; /**< what the concentrator's crystal gains on ours */
	uint64_t restart_every_us, jump_every_us;
	int64_t jump_us;     /**< of our clock */
	int64_t bound_us;    /**< of the error, once the first minutes are over */
	uint64_t settled_us; /**< so long after the start, or a jump */
};

static const struct traffic lives[] = {
	{"busy", 6 * HOUR, 2 * SEC, 4294000000u, 3000, 300, 20, 20, 0, 0, 0, 10000, 300 * SEC},
	{"busy, slow crystal", 6 * HOUR, 2 * SEC, 0, 3000, 300, 20, -35, 0, 0, 0, 15000, 300 * SEC},
	{"far and shaky", 6 * HOUR, 3 * SEC, 99, 40000, 300, 50, 10, 0, 0, 0, 50000, 300 * SEC},
	{"quiet", 48 * HOUR, 120 * SEC, 5, 10000, 100, 20, 20, 0, 0, 0, 60000, 300 * SEC},
	/* of one frame alone nobody can tell how late it is: no stragglers */
	{"hardly anything", 240 * HOUR, 1000 * SEC, 5, 10000, 100, 0, 20, 0, 0, 0, 100000, 300 * SEC},
	{"it starts again and again", 12 * HOUR, 5 * SEC, 0, 3000, 300, 20, 20, 2400 * SEC, 0, 0, 100000, 60 * SEC},
	{"our clock is put forward", 12 * HOUR, 5 * SEC, 0, 3000, 300, 20, 20, 0, 1500 * SEC, 2500000, 30000, 120 * SEC},
	{"our clock is put back", 12 * HOUR, 5 * SEC, 0, 3000, 300, 20, 20, 0, 1500 * SEC, -1000000, 30000, 120 * SEC},
	{"everything", 24 * HOUR, 5 * SEC, 0, 20000, 300, 50, -20, 5000 * SEC, 3100 * SEC, 1300000, 100000, 180 * SEC},
};

struct way {
	uint64_t at_us; /**< when it arrives, in true time; 0: none */
	uint32_t tmst;
};

struct life {
	const struct traffic *t;
	struct conc_clock clock;
	struct rng_seeded seed;
	struct rng rng;
	uint64_t now_us; /**< true time, from BEGIN_US */
	uint64_t zero_us, first_us;
	int64_t ours_us; /**< our clock less true time */
	uint64_t next_us, restart_us, jump_us, unsettled_us;
	struct way way[ON_THEIR_WAY];
	int64_t worst_us;
	uint32_t checks, restarts, jumps;
};

/** About exponential. */
static uint64_t around(struct life *l, uint64_t mean_us)
{
	uint64_t sum = 0;
	for (uint64_t part = mean_us; part > 0; part /= 2)
		sum += rng_below(&l->rng, 2) ? part : rng_below(&l->rng, part + 1) / 2;
	return sum;
}

/** The truth. */
static uint64_t counter(const struct life *l, uint64_t at_us)
{
	int64_t us = (int64_t)(at_us - l->zero_us);
	return (uint64_t)(us + us / 1000000 * l->t->ppm) + l->first_us;
}

static uint64_t ours(const struct life *l)
{
	return l->now_us + (uint64_t)l->ours_us;
}

static void transmit(struct life *l)
{
	if (rng_below(&l->rng, 1000) < l->t->lost)
		return;
	uint64_t delay_us = BASE_US + rng_below(&l->rng, POLL_US) + around(l, l->t->jitter_us);
	if (rng_below(&l->rng, 1000) < l->t->straggler)
		delay_us += rng_below(&l->rng, 5 * SEC_US);
	for (int i = 0; i < ON_THEIR_WAY; i++)
		if (!l->way[i].at_us) {
			l->way[i] = (struct way){l->now_us + delay_us, (uint32_t)counter(l, l->now_us)};
			return;
		}
}

static void check(struct life *l)
{
	uint64_t at_us = ours(l);
	if (l->now_us < l->unsettled_us || !gs_conc_clock_is_sure(&l->clock, at_us))
		return;
	/* A counter of 32 bits is all that a forwarder is told. */
	int64_t error = (int32_t)((uint32_t)gs_conc_clock_at(&l->clock, at_us) - (uint32_t)counter(l, l->now_us - BASE_US));
	if (llabs(error) > l->worst_us)
		l->worst_us = llabs(error);
	l->checks++;
}

/** Another start: what was on its way then is lost. */
static void restart(struct life *l)
{
	l->zero_us = l->now_us;
	l->first_us = 300000;
	l->restart_us = l->now_us + l->t->restart_every_us;
	l->unsettled_us = l->now_us + l->t->settled_us;
	l->restarts++;
	for (int i = 0; i < ON_THEIR_WAY; i++)
		l->way[i].at_us = 0;
	/* As the gateway server does when PULL_DATA comes from another port. */
	gs_conc_clock_doubt(&l->clock);
}

static void arrive(struct life *l, struct way *w)
{
	uint64_t conc_us;
	w->at_us = 0;
	gs_conc_clock_take(&l->clock, w->tmst, ours(l), &conc_us);
	ck_assert_uint_eq((uint32_t)conc_us, w->tmst);
	check(l);
}

static void step(struct life *l)
{
	struct way *first = NULL;
	for (int i = 0; i < ON_THEIR_WAY; i++)
		if (l->way[i].at_us && (!first || l->way[i].at_us < first->at_us))
			first = &l->way[i];
	uint64_t arrival_us = first ? first->at_us : UINT64_MAX;
	uint64_t restart_us = l->t->restart_every_us ? l->restart_us : UINT64_MAX;
	uint64_t jump_us = l->t->jump_every_us ? l->jump_us : UINT64_MAX;
	if (restart_us <= l->next_us && restart_us <= arrival_us && restart_us <= jump_us) {
		l->now_us = restart_us;
		restart(l);
	} else if (jump_us <= l->next_us && jump_us <= arrival_us) {
		l->now_us = jump_us;
		l->ours_us += l->t->jump_us;
		l->jump_us += l->t->jump_every_us;
		l->unsettled_us = l->now_us + l->t->settled_us;
		l->jumps++;
	} else if (arrival_us <= l->next_us) {
		l->now_us = arrival_us;
		arrive(l, first);
	} else {
		l->now_us = l->next_us;
		check(l);
		transmit(l);
		l->next_us += 1000 + around(l, l->t->every_us);
	}
}

START_TEST(the_error_stays_within_its_bound)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct life l = {.t = &lives[_i], .now_us = BEGIN_US, .zero_us = BEGIN_US};
		l.rng = rng_seeded(&l.seed, seed);
		l.first_us = l.t->first_tmst;
		l.next_us = BEGIN_US + SEC_US;
		l.restart_us = BEGIN_US + l.t->restart_every_us;
		l.jump_us = BEGIN_US + l.t->jump_every_us;
		l.unsettled_us = BEGIN_US + l.t->settled_us;
		while (l.now_us < BEGIN_US + l.t->length_us)
			step(&l);
		ck_assert_msg(l.checks > 100, "%s: only %u checks", l.t->name, l.checks);
		ck_assert_msg(l.worst_us <= l.t->bound_us, "%s, seed %u: off by %lld us", l.t->name, (unsigned)seed, (long long)l.worst_us);
		/* none, or but one that nobody heard of */
		ck_assert(l.clock.restarts == l.restarts || l.clock.restarts + 1 == l.restarts);
		if (l.t->every_us <= 10 * SEC_US && !l.restarts && !l.jumps)
			ck_assert_int_lt(abs(l.clock.drift_ppb + l.t->ppm * 1000), l.t->jitter_us > 10000 ? 10000 : 2000);
	}
}
END_TEST

/** A clock that has heard a frame a second for a minute. */
static struct conc_clock settled(uint64_t *at_us)
{
	struct conc_clock c = {.known = false};
	uint64_t conc;
	for (int i = 0; i < 60; i++, *at_us += SEC_US)
		gs_conc_clock_take(&c, (uint32_t)(*at_us - 1000), *at_us, &conc);
	return c;
}

START_TEST(a_backlog_handed_on_at_last_moves_nothing)
{
	uint64_t at = 5000 * SEC_US, conc;
	struct conc_clock c = settled(&at);
	uint64_t before = gs_conc_clock_at(&c, at + 30 * SEC_US);
	/* ten seconds of frames, all in one datagram, and again */
	for (int k = 0; k < 3; k++, at += 12 * SEC_US)
		for (uint64_t i = 0; i < 10; i++)
			ck_assert_int_eq(gs_conc_clock_take(&c, (uint32_t)(at - (10 - i) * SEC_US), at, &conc), CONC_ON);
	ck_assert_uint_eq(gs_conc_clock_at(&c, at - 6 * SEC_US), before);
	ck_assert_uint_eq(c.jumps, 0);
}
END_TEST

START_TEST(two_forwarders_with_one_eui_are_not_relied_on)
{
	uint64_t at = 5000 * SEC_US, conc;
	struct conc_clock c = settled(&at);
	ck_assert(gs_conc_clock_is_sure(&c, at));
	for (int i = 0; i < 10; i++, at += SEC_US) {
		gs_conc_clock_take(&c, (uint32_t)(at + 2000 * SEC_US), at, &conc);
		gs_conc_clock_take(&c, (uint32_t)at, at, &conc);
	}
	ck_assert(!gs_conc_clock_is_sure(&c, at));
	for (int i = 0; i < 70; i++, at += SEC_US)
		gs_conc_clock_take(&c, (uint32_t)at, at, &conc);
	ck_assert(gs_conc_clock_is_sure(&c, at));
}
END_TEST

START_TEST(long_silence_makes_unsure_and_one_frame_sure_again)
{
	uint64_t at = 5000 * SEC_US, conc;
	struct conc_clock c = settled(&at);
	ck_assert(gs_conc_clock_is_sure(&c, at + 1700 * SEC_US));
	ck_assert(!gs_conc_clock_is_sure(&c, at + 1900 * SEC_US));
	at += 7200 * SEC_US;
	ck_assert_int_eq(gs_conc_clock_take(&c, (uint32_t)(at - 1000), at, &conc), CONC_ON);
	ck_assert(gs_conc_clock_is_sure(&c, at));
	gs_conc_clock_doubt(&c);
	ck_assert(!gs_conc_clock_is_sure(&c, at));
	ck_assert_int_eq(gs_conc_clock_take(&c, (uint32_t)(at - 1000 + SEC_US), at + SEC_US, &conc), CONC_ON);
	ck_assert(gs_conc_clock_is_sure(&c, at + SEC_US));
}
END_TEST

START_TEST(gps_time_is_mapped_both_ways_while_it_is_fresh)
{
	uint64_t at = 5000 * SEC_US, conc, got;
	struct conc_clock c = settled(&at);
	const uint64_t gps = UINT64_C(1479253008550) * MS_US;
	ck_assert(!gs_conc_clock_at_gps(&c, gps, &got) && !gs_conc_clock_gps_of(&c, c.conc_us, &got));
	gs_conc_clock_take(&c, (uint32_t)(at - 1000), at, &conc);
	gs_conc_clock_gps(&c, conc, gps);
	ck_assert(c.has_gps);
	ck_assert(gs_conc_clock_at_gps(&c, gps + 3 * SEC_US, &got) && got == conc + 3 * SEC_US);
	ck_assert(gs_conc_clock_at_gps(&c, gps - 3 * SEC_US, &got) && got == conc - 3 * SEC_US);
	ck_assert(gs_conc_clock_gps_of(&c, conc + 5000000000u / 20, &got) && got == gps + 250 * SEC_US);
	ck_assert(!gs_conc_clock_at_gps(&c, gps + 301 * SEC_US, &got));
	gs_conc_clock_gps(&c, conc + SEC_US, 0);
	ck_assert(!c.has_gps && gs_conc_clock_at_gps(&c, gps, &got));
	at += SEC_US;
	ck_assert_int_eq(gs_conc_clock_take(&c, 5000, at, &conc), CONC_RESTART);
	ck_assert(!gs_conc_clock_at_gps(&c, gps, &got)); /* it was of another counter */
}
END_TEST

int main(void)
{
	Suite *s = suite_create("gs_clock");
	TCase *t = tcase_create("clock");
	tcase_add_loop_test(t, the_error_stays_within_its_bound, 0, COUNT(lives));
	tcase_add_test(t, a_backlog_handed_on_at_last_moves_nothing);
	tcase_add_test(t, two_forwarders_with_one_eui_are_not_relied_on);
	tcase_add_test(t, long_silence_makes_unsure_and_one_frame_sure_again);
	tcase_add_test(t, gps_time_is_mapped_both_ways_while_it_is_fresh);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	int bad = srunner_ntests_failed(r);
	srunner_free(r);
	return bad ? EXIT_FAILURE : EXIT_SUCCESS;
}
