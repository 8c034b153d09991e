/** @file TX_ACK and its absence: what became of a downlink. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include "proto/semtech/txack.h"

enum { ACK_AFTER_EMISSION_US = 300 * 1000 };

static void outcome_trace(struct gs *gs, const struct pending *p, enum event_id event, const struct txack *a,
	const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, event, &gs->gateways[p->gateway], now);
	if (!e)
		return;
	CIDS_ADD_ALL(&e->cids, &gs->ack.cids);
	gs_trace_frame(e, p->tx.phy, p->tx.phy_len);
	struct text t = gs_trace_data(e);
	json_name(&t, "result");
	json_puts(&t, tx_result_info(a->result)->name);
	if (a->word[0]) {
		json_name(&t, "error");
		json_puts(&t, a->word);
	}
	if (a->has_power) {
		json_name(&t, "power");
		json_num(&t, a->power_dbm);
	}
	gs_trace_num(&t, "frequency", p->tx.freq_hz);
	if (p->sent_us)
		gs_trace_num(&t, "duration_us", now->mono_us - p->sent_us);
	gs_trace_end(gs, e, &t);
}

static void outcome_count(struct gs *gs, enum tx_result result)
{
	gs->metrics.tx[result]++;
}

/** The end of a downlink: tell it, count it, forget it. @param rtt_us  0: no TX_ACK came */
static void finish(
	struct gs *gs, struct pending *p, const struct txack *a, uint32_t rtt_us, const struct now *now)
{
	struct gateway *g = &gs->gateways[p->gateway];
	struct tx_ack *ack = &gs->ack;
	ack->has = 0;
	ack->cids.len = 0;
	CIDS_ADD_ALL(&ack->cids, &p->cids);
	CIDS_ADD(&ack->cids, CID_GS_TX_ACK, ulid_make(now->unix_us, &gs->rng));
	CIDS_ADD(&ack->cids, CID_RPC_GSNS_TX_ACK, ulid_make(now->unix_us, &gs->rng));
	ack->transmission = p->transmission;
	ack->gateway_eui = g->eui;
	ack->result = a->result;
	if (a->has_power)
		MSG_SET(ack, power_dbm, a->power_dbm + EIRP_TO_POWE_DB); /* EIRP, as in the request */
	if (rtt_us) {
		MSG_SET(ack, rtt_us, rtt_us);
		outcome_trace(gs, p, EVENT_GS_TXACK_RECEIVE, a, now);
	}
	outcome_trace(gs, p, a->result ? EVENT_GS_DOWN_TX_FAIL : EVENT_GS_DOWN_TX_SUCCESS, a, now);
	outcome_count(gs, a->result);
	/* What was refused keeps no antenna; what may have been sent does. */
	if (a->result != TX_RESULT_SUCCESS && a->result != TX_RESULT_NO_TX_ACK)
		gs_antenna_remove(&g->antenna, p->serial);
	p->is_answered = rtt_us != 0;
	gs_pending_free(gs, p);
	gs->sink.tx_ack(gs->sink.ctx, ack);
}

/** Some clients answer only when the frame has been emitted; that says nothing of the path. A refusal comes
 * at once. */
static bool is_path_sample(const struct pending *p, enum tx_result result, uint64_t rtt_us)
{
	uint64_t wait_us = p->tx.when == TXPK_IMME || p->start_us < p->sent_us ? 0 : p->start_us - p->sent_us;
	bool after_emission = wait_us >= ACK_AFTER_EMISSION_US && rtt_us >= wait_us - wait_us / 16;
	return rtt_us <= RTT_SANE_US && (result != TX_RESULT_SUCCESS || !after_emission);
}

static void stray_drop(struct gs *gs, struct gateway *g, enum gs_drop why, const struct now *now)
{
	gs_trace_drop(gs, g, g->eui, &g->pull, why, now);
	struct trace_event *e = gs_trace_begin(gs, EVENT_GS_TXACK_DROP, g, now);
	if (!e)
		return;
	struct text t = gs_trace_data(e);
	json_name(&t, "reason");
	json_puts(&t, gs_drop_word(why));
	gs_trace_end(gs, e, &t);
}

void gs_outcome_tx_ack(
	struct gs *gs, struct gateway *g, const struct semtech_datagram *d, const struct now *now)
{
	struct txack a;
	int why = txack_read(d->body, &a);
	struct pending *p = why ? NULL : gs_pending_find(gs, g, d->token);
	if (!p) {
		stray_drop(gs, g, why ? (enum gs_drop)why : gs_pending_stray(g, d->token), now);
		return;
	}
	uint64_t rtt_us = now->mono_us - p->sent_us;
	histogram_add(&gs->metrics.tx_ack, rtt_us);
	if (is_path_sample(p, a.result, rtt_us)) {
		histogram_add(&gs->metrics.round_trip, rtt_us);
		gs_rtt_add(&g->rtt, (uint32_t)rtt_us);
	}
	if (a.result == TX_RESULT_GPS_UNLOCKED)
		g->clock.has_gps = false;
	g->counts.tx_acks++;
	finish(gs, p, &a, rtt_us < 1 ? 1 : (uint32_t)(rtt_us < UINT32_MAX ? rtt_us : UINT32_MAX), now);
	gs_status_touch(gs, g, now->mono_us, false);
}

void gs_outcome_end(struct gs *gs, struct pending *p, enum tx_result result, const struct now *now)
{
	finish(gs, p, &(struct txack){.result = result}, 0, now);
}

void gs_outcome_abandon(struct gs *gs, struct gateway *g, const struct now *now)
{
	while (g->pending != INDEX_NONE) {
		struct pending *p = &gs->pendings[g->pending];
		gs_outcome_end(gs, p, p->sent_us ? TX_RESULT_NO_TX_ACK : TX_RESULT_NOT_CONNECTED, now);
	}
}
