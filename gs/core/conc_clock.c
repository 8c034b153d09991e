/** @file A concentrator's clock. */
#include "gs/core/conc_clock.h"
#include "common/core/clock.h"

/* Beyond these a reception does not fit, give or take twice what is usual. A late one may be a straggler. An early one cannot be: all before it
 * came late, or the server's clock was put back. */
enum { LATE_US = 50 * 1000, EARLY_US = 200 * 1000 };
/* Late receptions that agree with each other to within AGREE_US: so many, over so long, make a new truth. */
enum { AGREE_US = 40 * 1000, LATE_N = 10, LATE_SPAN_US = 2000 * 1000, MISSED_N = 3 };
enum { USUAL_OF = 16 };
enum { VERY_LATE_US = 500 * 1000, VERY_LATE_N = 5 };
enum { DRIFT_SPAN_US = 1024 * 1000 * 1000, DRIFT_MAX_PPB = 60 * 1000, PAIRS = CONC_POINTS * (CONC_POINTS - 1) / 2 };
/* Two restarts within this are one too many: a forwarder that fails again and again, or two with one EUI. */
enum { FLAP_US = 60 * 1000 * 1000 };
/* How old a difference may be that still counts: while the drift is not known, not very. */
static const uint64_t WINDOW_US = 3600 * SEC_US, WINDOW_DRIFTING_US = 2 * (uint64_t)CONC_POINT_US;
/* 50 millionths of half an hour, or 5 of five hours, are 90 ms. */
static const uint64_t SURE_US = 1800 * SEC_US, SURE_WITH_DRIFT_US = 5 * 3600 * SEC_US;
static const uint64_t GPS_US = 300 * SEC_US;

static int64_t drifted(const struct conc_clock *c, uint64_t from_us, uint64_t to_us)
{
	return (int64_t)(to_us - from_us) / 1000 * c->drift_ppb / 1000000;
}

/** The offset that the clock expects at a moment. */
static int64_t offset_at(const struct conc_clock *c, uint64_t server_us)
{
	return c->offset_us + drifted(c, c->server_us, server_us);
}

static struct conc_point *newest(struct conc_clock *c)
{
	return &c->v[(c->next + CONC_POINTS - 1) % CONC_POINTS];
}

/** The median of the slopes through all pairs of points: few that are wrong do not move it. */
static void drift_estimate(struct conc_clock *c)
{
	int64_t slope[PAIRS];
	uint32_t n = 0;
	for (uint32_t i = 0; i < c->n; i++)
		for (uint32_t k = 0; k < c->n; k++) {
			const struct conc_point *a = &c->v[i], *b = &c->v[k];
			if (b->server_us < a->server_us + DRIFT_SPAN_US / 2)
				continue;
			int64_t v = (b->offset_us - a->offset_us) * 1000000 /
				    (int64_t)((b->server_us - a->server_us) / 1000);
			uint32_t at = n++;
			for (; at > 0 && slope[at - 1] > v; at--)
				slope[at] = slope[at - 1];
			slope[at] = v;
		}
	const struct conc_point *last = newest(c), *first = &c->v[c->n < CONC_POINTS ? 0 : c->next];
	if (!n || last->server_us - first->server_us < DRIFT_SPAN_US)
		return;
	int64_t median = slope[n / 2];
	if (median > DRIFT_MAX_PPB || median < -DRIFT_MAX_PPB)
		return; /* no crystal is like that: the path has changed */
	c->drift_ppb = (int32_t)median;
	c->has_drift = true;
}

static void point_keep(struct conc_clock *c, int64_t offset_us, uint64_t server_us)
{
	struct conc_point *p = newest(c);
	if (c->n && p->server_us / CONC_POINT_US == server_us / CONC_POINT_US) {
		if (offset_us < p->offset_us + drifted(c, p->server_us, server_us))
			*p = (struct conc_point){server_us, offset_us};
		return;
	}
	drift_estimate(c);
	c->v[c->next] = (struct conc_point){server_us, offset_us};
	c->next = (c->next + 1) % CONC_POINTS;
	if (c->n < CONC_POINTS)
		c->n++;
}

/** The offset now, by the reception that was least delayed. */
static int64_t offset_estimate(struct conc_clock *c, uint64_t server_us)
{
	const struct conc_point *p = newest(c);
	int64_t low = p->offset_us + drifted(c, p->server_us, server_us);
	for (uint32_t i = 0; i < c->n; i++) {
		p = &c->v[i];
		if (server_us - p->server_us > (c->has_drift ? WINDOW_US : WINDOW_DRIFTING_US))
			continue;
		int64_t v = p->offset_us + drifted(c, p->server_us, server_us);
		low = v < low ? v : low;
	}
	return low;
}

/** Begin anew from one difference. What is known of the drift stays true. */
static void rebase(struct conc_clock *c, int64_t offset_us, uint64_t server_us)
{
	c->v[0] = (struct conc_point){server_us, offset_us};
	c->n = c->next = 1;
	c->odd.n = 0;
}

static enum conc_step restart(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us)
{
	enum conc_step step = c->known ? CONC_RESTART : CONC_FIRST;
	if (step == CONC_RESTART) {
		c->restarts++;
		if (c->restarted_us && server_us - c->restarted_us < FLAP_US)
			c->distrust_us = server_us + FLAP_US;
		c->restarted_us = server_us;
	}
	c->known = true;
	c->gps_us = 0;
	/* One wrap ahead, so that a reception older than the first can be named too. */
	*ret_conc_us = c->conc_us = (UINT64_C(1) << 32) + tmst_us;
	c->server_us = server_us;
	c->offset_us = (int64_t)(server_us - c->conc_us);
	rebase(c, c->offset_us, server_us);
	return step;
}

/** A reception that is late. @return whether enough of them agree */
static bool late_agree(struct conc_clock *c, int64_t offset_us, int64_t late_us, uint64_t server_us)
{
	uint32_t enough = late_us > VERY_LATE_US ? VERY_LATE_N : LATE_N;
	int64_t agree_us = AGREE_US + 2 * c->usual_us;
	bool is_later = c->odd.n && offset_us > c->odd.low_us + agree_us;
	if (is_later && ++c->odd.missed < MISSED_N)
		return false;
	/* What the others agree on may be the one that strayed. */
	if (!c->odd.n || is_later || offset_us < c->odd.low_us - agree_us) {
		c->odd.n = 1;
		c->odd.low_us = offset_us;
		c->odd.since_us = server_us;
		c->odd.missed = 0;
		return false;
	}
	c->odd.missed = 0;
	c->odd.n++;
	if (offset_us < c->odd.low_us)
		c->odd.low_us = offset_us;
	return c->odd.n >= enough && server_us - c->odd.since_us >= LATE_SPAN_US;
}

static enum conc_step fit(struct conc_clock *c, int64_t offset_us, int64_t late_us, uint64_t server_us)
{
	if (late_us <= LATE_US + 2 * c->usual_us && late_us >= -EARLY_US) {
		c->odd.n = 0;
		if (late_us > 0)
			c->usual_us += ((int32_t)late_us - c->usual_us) / USUAL_OF;
		point_keep(c, offset_us, server_us);
		return CONC_ON;
	}
	if (late_us > 0 && !late_agree(c, offset_us, late_us, server_us))
		return CONC_ON;
	rebase(c, late_us > 0 ? c->odd.low_us : offset_us, server_us);
	c->jumps++;
	return CONC_JUMP;
}

enum conc_step gs_conc_clock_take(
	struct conc_clock *c, uint32_t tmst_us, uint64_t server_us, uint64_t *ret_conc_us)
{
	c->in_doubt = false;
	if (!c->known)
		return restart(c, tmst_us, server_us, ret_conc_us);
	uint64_t expected = gs_conc_clock_at(c, server_us);
	int32_t ahead = (int32_t)(tmst_us - (uint32_t)expected);
	if (ahead > CONC_CLOCK_SLACK_US || ahead < -CONC_CLOCK_SLACK_US)
		return restart(c, tmst_us, server_us, ret_conc_us);
	uint64_t conc = expected + (uint64_t)(int64_t)ahead;
	*ret_conc_us = conc;
	enum conc_step step = fit(c, (int64_t)(server_us - conc), -(int64_t)ahead, server_us);
	c->offset_us = offset_estimate(c, server_us);
	c->server_us = server_us;
	if (conc > c->conc_us)
		c->conc_us = conc;
	return step;
}

void gs_conc_clock_gps(struct conc_clock *c, uint64_t conc_us, uint64_t gps_us)
{
	c->has_gps = gps_us != 0;
	if (!gps_us)
		return;
	c->gps_us = gps_us;
	c->gps_conc_us = conc_us;
}

void gs_conc_clock_doubt(struct conc_clock *c)
{
	c->in_doubt = true;
}

bool gs_conc_clock_is_sure(const struct conc_clock *c, uint64_t now_us)
{
	return c->known && !c->in_doubt && now_us >= c->distrust_us &&
	       now_us - c->server_us <= (c->has_drift ? SURE_WITH_DRIFT_US : SURE_US);
}

uint64_t gs_conc_clock_at(const struct conc_clock *c, uint64_t server_us)
{
	return server_us - (uint64_t)offset_at(c, server_us);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

bool gs_conc_clock_at_gps(const struct conc_clock *c, uint64_t gps_us, uint64_t *ret_conc_us)
{
	if (!c->gps_us || distance(gps_us, c->gps_us) > GPS_US)
		return false;
	*ret_conc_us = c->gps_conc_us + (gps_us - c->gps_us);
	return true;
}

bool gs_conc_clock_gps_of(const struct conc_clock *c, uint64_t conc_us, uint64_t *ret_gps_us)
{
	if (!c->gps_us || distance(conc_us, c->gps_conc_us) > GPS_US)
		return false;
	*ret_gps_us = c->gps_us + (conc_us - c->gps_conc_us);
	return true;
}
