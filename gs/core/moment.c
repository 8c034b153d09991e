/** @file When a frame is to be emitted, and when its PULL_RESP is to leave. */
#include "gs/core/moment.h"

enum {
	LEAD_US = 52500, /**< least lead of an sx1302 forwarder, 42.5 ms, and its polling */
	SOON_US = 85000, /**< lead of what is to be sent as soon as possible: nothing hangs on 30 ms, but on being in time */
	QUEUE_US = 512 * 1000 * 1000,
	IMME_SOON_US = 80 * 1000, /**< so far ahead sx1302 forwarders place immediate frames, sx1301 ones 1 s */
	IMME_LATE_US = 1000 * 1000,
	HOLD_MAX_US = 3 * 1000 * 1000,
	ALONE_US = 150 * 1000, /**< lead that is comfortable without a queue */
	TAKEN_US = 100 * 1000, /**< so long before its start a frame has left the forwarder's queue, or may have */
	GUARD_US = 20 * 1000
};

static void moment_counter(const struct gateway *g, uint64_t conc_us, struct moment *ret)
{
	/* The clock is that of receptions, which come by the path that the PULL_RESP takes. */
	ret->when = TXPK_TMST;
	ret->tmst_us = (uint32_t)(conc_us + gs_rtt_min(&g->rtt) / 2);
}

/** @param at_us  from now; what is sooner than can be done becomes that */
static void moment_at(const struct gateway *g, uint64_t at_us, const struct now *now, struct moment *ret)
{
	bool is_sure = gs_conc_clock_is_sure(&g->clock, now->mono_us);
	uint64_t soon_us = (uint64_t)gs_rtt_path(&g->rtt) + SOON_US;
	if (is_sure && at_us < soon_us)
		at_us = soon_us;
	ret->start_us = now->mono_us + at_us;
	if (is_sure) {
		moment_counter(g, gs_conc_clock_at(&g->clock, ret->start_us), ret);
		return;
	}
	uint64_t lead_us = gs_rtt_median(&g->rtt) / 2 + IMME_SOON_US;
	ret->when = TXPK_IMME;
	ret->release_us = at_us > lead_us ? ret->start_us - lead_us : now->mono_us;
	ret->start_us = ret->release_us + lead_us;
}

static enum tx_result moment_gps(
	const struct gateway *g, uint64_t gps_us, const struct now *now, struct moment *ret)
{
	uint64_t unix_us = clock_unix_us_of_gps(gps_us), conc_us;
	uint64_t at_us = unix_us > now->unix_us ? unix_us - now->unix_us : 0;
	if (at_us < (uint64_t)gs_rtt_path(&g->rtt) + LEAD_US)
		return TX_RESULT_TOO_LATE;
	if (at_us > QUEUE_US)
		return TX_RESULT_TOO_EARLY;
	ret->start_us = now->mono_us + at_us;
	if (g->clock.has_gps && g->version != 1) {
		ret->when = TXPK_TMMS;
		ret->tmms = gps_us / MS_US;
	} else if (gs_conc_clock_is_sure(&g->clock, now->mono_us) &&
		   gs_conc_clock_at_gps(&g->clock, gps_us, &conc_us)) {
		ret->when = TXPK_TMST;
		ret->tmst_us = (uint32_t)conc_us;
	} else {
		moment_at(g, at_us, now, ret);
	}
	return TX_RESULT_SUCCESS;
}

/** A delay may become longer: what is programmed while another frame is on air is dropped, and nobody says so. */
static enum tx_result delay_fit(const struct gateway *g, uint32_t airtime_us, struct moment *m)
{
	uint64_t begin_us = m->start_us > LEAD_US ? m->start_us - LEAD_US : 0;
	uint64_t later_us = gs_antenna_free_us(&g->antenna, begin_us, LEAD_US + airtime_us) - begin_us;
	if (later_us > HOLD_MAX_US)
		return TX_RESULT_COLLISION_PACKET;
	m->start_us += later_us;
	m->tmst_us += (uint32_t)later_us;
	return TX_RESULT_SUCCESS;
}

static enum tx_result moment_wanted(
	const struct gateway *g, const struct tx_request *rq, const struct now *now, struct moment *ret)
{
	ret->release_us = now->mono_us;
	if (MSG_HAS(rq, tmst_us)) {
		ret->when = TXPK_TMST;
		ret->tmst_us = rq->tmst_us;
		ret->start_us = now->mono_us + rq->wait_us;
	} else if (MSG_HAS(rq, gps_ms)) {
		/* The far end of 64 bits is no time at all. */
		return rq->gps_ms > UINT64_MAX / MS_US / 2 ? TX_RESULT_TOO_EARLY
							   : moment_gps(g, rq->gps_ms * MS_US, now, ret);
	} else if (MSG_HAS(rq, at_us)) {
		if (rq->at_us > QUEUE_US)
			return TX_RESULT_TOO_EARLY;
		moment_at(g, rq->at_us, now, ret);
		if (ret->when == TXPK_TMST)
			return delay_fit(g, rq->airtime_us, ret);
	} else {
		ret->when = TXPK_IMME;
		ret->start_us = now->mono_us + gs_rtt_median(&g->rtt) / 2 + IMME_SOON_US;
	}
	return TX_RESULT_SUCCESS;
}

/** Without a queue the datagram stays here until shortly before its time, or until the one before it is over. */
static enum tx_result alone_fit(const struct gateway *g, uint32_t airtime_us, const struct now *now, struct moment *m)
{
	uint64_t path_us = gs_rtt_path(&g->rtt), end_us = m->start_us + airtime_us;
	uint64_t latest_us = m->start_us > path_us + LEAD_US ? m->start_us - path_us - LEAD_US : 0;
	if (m->start_us > path_us + ALONE_US && m->start_us - path_us - ALONE_US > m->release_us)
		m->release_us = m->start_us - path_us - ALONE_US;
	uint64_t free_us = gs_antenna_free_us(&g->antenna, m->release_us, end_us - m->release_us);
	if (free_us > m->release_us && free_us > latest_us)
		return TX_RESULT_COLLISION_PACKET;
	m->release_us = free_us > now->mono_us ? free_us : now->mono_us;
	return TX_RESULT_SUCCESS;
}

enum tx_result gs_moment_find(
	const struct gateway *g, const struct tx_request *rq, const struct now *now, struct moment *ret)
{
	struct moment m = {.when = TXPK_IMME};
	enum tx_result r = moment_wanted(g, rq, now, &m);
	if (!r && m.when == TXPK_IMME) {
		uint64_t for_us = g->version == 1 ? m.start_us - m.release_us + rq->airtime_us : 0;
		uint64_t free_us = gs_antenna_free_us(&g->antenna, m.release_us, for_us);
		if (free_us - m.release_us > HOLD_MAX_US)
			return TX_RESULT_COLLISION_PACKET;
		m.start_us += free_us - m.release_us;
		m.release_us = free_us;
	} else if (!r && g->version == 1) {
		r = alone_fit(g, rq->airtime_us, now, &m);
	}
	if (!r)
		*ret = m;
	return r;
}

struct antenna_use gs_moment_use(const struct gateway *g, const struct moment *m, uint32_t airtime_us)
{
	struct antenna_use u = {.from_us = m->release_us, .until_us = m->start_us + airtime_us + GUARD_US};
	if (g->version == 1)
		return u;
	if (m->when != TXPK_IMME) {
		u.from_us = m->start_us > TAKEN_US ? m->start_us - TAKEN_US : 0;
		return u;
	}
	/* Nobody says where in its queue the forwarder puts it: soon, in a second, or behind what is queued. */
	uint64_t path_us = gs_rtt_path(&g->rtt), latest_us = m->start_us;
	if (!g->is_imme_soon)
		latest_us = m->release_us + path_us + IMME_LATE_US;
	u.until_us = gs_antenna_free_us(&g->antenna, latest_us, airtime_us + LEAD_US) + path_us + airtime_us + GUARD_US;
	return u;
}
