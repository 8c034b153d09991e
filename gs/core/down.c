/** @file PULL_RESP: frames for gateways to emit, from the request to the datagram. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include "gs/core/moment.h"
#include <string.h>

enum { IMMEDIATE_WAIT_S = 5, ACK_WAIT_S = 1 };
enum { POWE_MAX_DBM = 27 }; /* no stock table of a forwarder goes beyond, and some refuse what they do not have */

static int32_t powe_of(int32_t eirp_dbm)
{
	return eirp_dbm - EIRP_TO_POWE_DB < POWE_MAX_DBM ? eirp_dbm - EIRP_TO_POWE_DB : POWE_MAX_DBM;
}

/** @return TX_RESULT_SUCCESS, or why this request can be sent to nobody */
static enum tx_result txpk_fill(struct txpk *tx, const struct tx_request *rq, const struct moment *at)
{
	const struct modulation *m = &rq->mod;
	*tx = (struct txpk){.when = at->when,
		.tmst_us = at->tmst_us,
		.tmms = at->tmms,
		.freq_hz = rq->freq_hz,
		.powe_dbm = powe_of(rq->eirp_dbm),
		.ipol = true,
		.ncrc = true};
	if (m->kind == RADIO_LORA && MSG_HAS(m, sf) && MSG_HAS(m, bw_hz)) {
		tx->radio = (struct radio){.kind = RADIO_LORA, .sf = m->sf, .bw_hz = m->bw_hz};
		str_copy(MSG_HAS(m, coding_rate) ? str_of(m->coding_rate) : STR("4/5"), tx->radio.codr,
			sizeof tx->radio.codr);
	} else if (m->kind == RADIO_FSK && MSG_HAS(m, bit_rate)) {
		tx->radio = (struct radio){.kind = RADIO_FSK, .bit_rate = m->bit_rate};
		tx->fdev_hz = TXPK_FDEV_FSK_HZ;
		tx->ipol = tx->ncrc = false;
	} else {
		return TX_RESULT_UNKNOWN_ERROR;
	}
	tx->phy_len = rq->phy.len;
	memcpy(tx->phy, rq->phy.p, rq->phy.len);
	return TX_RESULT_SUCCESS;
}

/** The event of a request that is refused: what it asked for, and why that cannot be. */
static void refused_trace(struct gs *gs, const struct gateway *g, const struct tx_request *rq,
	enum tx_result result, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_DOWN_SCHEDULE_FAIL, g, now);
	if (!e)
		return;
	CIDS_ADD_ALL(&e->cids, &rq->cids);
	gs_trace_frame(e, rq->phy.p, rq->phy.len);
	struct text t = gs_trace_data(e);
	gs_trace_num(&t, "frequency", rq->freq_hz);
	json_name(&t, "eirp");
	json_num(&t, rq->eirp_dbm);
	gs_trace_num(&t, "size", rq->phy.len);
	gs_trace_num(&t, "lead_us", rq->wait_us);
	json_name(&t, "result");
	json_puts(&t, tx_result_info(result)->name);
	gs_trace_end(gs, e, &t);
}

/** How the forwarder is told when, and when that is. */
static void when_json(struct text *t, const struct gateway *g, const struct txpk *tx)
{
	uint64_t gps_us, conc_us = g->clock.conc_us + (uint64_t)(int64_t)(int32_t)(tx->tmst_us - (uint32_t)g->clock.conc_us);
	if (tx->when == TXPK_IMME) {
		json_name(t, "imme");
		json_truth(t, true);
	} else if (tx->when == TXPK_TMMS) {
		json_name(t, "tmms");
		json_unum(t, tx->tmms);
	} else {
		json_name(t, "tmst");
		json_unum(t, tx->tmst_us);
		if (gs_conc_clock_gps_of(&g->clock, conc_us, &gps_us)) {
			json_name(t, "gps_ms");
			json_unum(t, gps_us / MS_US);
		}
	}
}

static void down_trace(
	struct gs *gs, enum event_id event, const struct gateway *g, const struct pending *p, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, event, g, now);
	if (!e)
		return;
	CIDS_ADD_ALL(&e->cids, &p->cids);
	gs_trace_frame(e, p->tx.phy, p->tx.phy_len);
	struct text t = gs_trace_data(e);
	gs_trace_num(&t, "frequency", p->tx.freq_hz);
	radio_write(&t, &p->tx.radio);
	json_name(&t, "eirp");
	json_num(&t, p->eirp_dbm);
	when_json(&t, g, &p->tx);
	uint64_t lead_us = p->start_us > now->mono_us ? p->start_us - now->mono_us : 0;
	json_name(&t, "due");
	json_time(&t, (now->unix_us + lead_us) * 1000);
	gs_trace_num(&t, "lead_us", lead_us);
	gs_trace_num(&t, "airtime_us", p->airtime_us);
	gs_trace_num(&t, "size", p->tx.phy_len);
	gs_trace_end(gs, e, &t);
}

static enum tx_result pull_resp_send(struct gs *gs, const struct gateway *g, const struct pending *p)
{
	char body[SEMTECH_PULL_RESP_MAX + 1];
	uint8_t datagram[SEMTECH_HEAD + SEMTECH_PULL_RESP_MAX];
	struct text t = text_fixed(body, sizeof body);
	txpk_write(&t, &p->tx);
	struct writer w = writer_of(datagram, sizeof datagram);
	semtech_write(&w, &(struct semtech_datagram){.version = p->version,
				  .token = p->token,
				  .type = SEMTECH_PULL_RESP,
				  .body = text_str(&t)});
	if (t.failed || w.failed || w.len > SEMTECH_PULL_RESP_MAX)
		return TX_RESULT_UNKNOWN_ERROR;
	return gs->sink.send(gs->sink.ctx, &g->pull, (struct slice){datagram, w.len})
		       ? TX_RESULT_NOT_CONNECTED
		       : TX_RESULT_SUCCESS;
}

/** When to stop waiting for the TX_ACK; for version 1, which has none: when the emission is over. */
static uint64_t deadline_of(const struct pending *p, uint64_t now_us)
{
	uint64_t start_us = p->start_us > now_us ? p->start_us : now_us;
	if (p->version == 1)
		return start_us + p->airtime_us;
	if (p->tx.when == TXPK_IMME)
		return now_us + IMMEDIATE_WAIT_S * SEC_US;
	return start_us + p->airtime_us + ACK_WAIT_S * SEC_US;
}

/** The PULL_RESP leaves. @return TX_RESULT_SUCCESS; why not, and *p still has to be ended */
static enum tx_result release(struct gs *gs, struct pending *p, const struct now *now)
{
	struct gateway *g = &gs->gateways[p->gateway];
	if (!gs_gateway_can_send(g, now->mono_us))
		return TX_RESULT_NOT_CONNECTED;
	gs_pending_token(gs, g, p);
	enum tx_result r = pull_resp_send(gs, g, p);
	if (r)
		return r;
	p->sent_us = now->mono_us;
	heap_set(&gs->pending_due, &p->due, deadline_of(p, now->mono_us));
	gs->metrics.downlinks++;
	g->counts.downlinks++;
	g->counts.last_downlink_unix_us = now->unix_us;
	down_trace(gs, EVENT_GS_DOWN_SEND, g, p, now);
	gs_status_touch(gs, g, now->mono_us, false);
	return TX_RESULT_SUCCESS;
}

static enum tx_result request_take(struct gs *gs, struct gateway *g, const struct tx_request *rq,
	const struct now *now)
{
	struct moment m;
	struct txpk tx;
	if (!gs_gateway_can_send(g, now->mono_us))
		return TX_RESULT_NOT_CONNECTED;
	enum tx_result r = gs_moment_find(g, rq, now, &m);
	if (!r)
		r = txpk_fill(&tx, rq, &m);
	if (r)
		return r;
	struct pending *p = gs_pending_take(gs, g);
	if (!p)
		return TX_RESULT_COLLISION_PACKET; /* more than any forwarder's queue holds */
	p->version = g->version;
	p->start_us = m.start_us;
	p->airtime_us = rq->airtime_us;
	p->eirp_dbm = rq->eirp_dbm;
	p->tx = tx;
	p->transmission = rq->transmission;
	CIDS_ADD_ALL(&p->cids, &rq->cids);
	if (tx.when != TXPK_IMME)
		histogram_add(&gs->metrics.downlink_lead, us_since(now->mono_us, m.start_us));
	struct antenna_use use = gs_moment_use(g, &m, rq->airtime_us);
	if (m.release_us <= now->mono_us) {
		r = release(gs, p, now);
	} else {
		heap_set(&gs->pending_due, &p->due, m.release_us);
		gs->metrics.downlinks_held++;
		down_trace(gs, EVENT_GS_DOWN_HOLD, g, p, now);
	}
	if (r) {
		gs_pending_free(gs, p);
		return r;
	}
	use.id = p->serial;
	gs_antenna_add(&g->antenna, use);
	return TX_RESULT_SUCCESS;
}

enum tx_result gs_tx(struct gs *gs, const struct tx_request *rq, const struct now *now)
{
	struct gateway *g = gs_conn_find(gs, rq->gateway_eui);
	enum tx_result r = g ? request_take(gs, g, rq, now) : TX_RESULT_NOT_CONNECTED;
	if (r) {
		gs->metrics.downlinks_refused[r]++;
		if (g)
			refused_trace(gs, g, rq, r, now);
	}
	return r;
}

void gs_down_due(struct gs *gs, struct pending *p, const struct now *now)
{
	enum tx_result r = p->version == 1 ? TX_RESULT_SUCCESS : TX_RESULT_NO_TX_ACK;
	if (!p->sent_us) {
		r = release(gs, p, now);
		if (!r)
			return;
	}
	gs_outcome_end(gs, p, r, now);
}
