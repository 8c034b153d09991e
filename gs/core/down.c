/** @file PULL_RESP and TX_ACK: frames for gateways to emit, and what becomes of them. */
#include "common/core/json_out.h"
#include "gs/core/gs_int.h"
#include "proto/semtech/txack.h"
#include <string.h>

enum { IMMEDIATE_WAIT_S = 5, ACK_WAIT_S = 1, ACK_AFTER_EMISSION_US = 300 * 1000 };
/* What a forwarder calls powe is what it takes for radiated power; its antenna_gain is that over a dipole as
 * operators enter it. So powe is ERP: 2.15 dB below EIRP, and the bands' 16.15 and 29.15 dBm come as 16
 * and 29. No stock table of a forwarder goes beyond 27, and some refuse what they do not have. */
enum { EIRP_TO_POWE_DB = 2, POWE_MAX_DBM = 27 };

static int32_t powe_of(int32_t eirp_dbm)
{
	return eirp_dbm - EIRP_TO_POWE_DB < POWE_MAX_DBM ? eirp_dbm - EIRP_TO_POWE_DB : POWE_MAX_DBM;
}

static struct pending *pending_take(struct gs *gs)
{
	uint32_t slot = gs->pendings_free;
	if (slot != INDEX_NONE)
		gs->pendings_free = gs->pendings[slot].next;
	else if (gs->pendings_high < gs->config.max_pending)
		slot = gs->pendings_high++;
	else
		return NULL;
	struct pending *p = &gs->pendings[slot];
	*p = (struct pending){.slot = slot, .used = true};
	gs->metrics.pending++;
	return p;
}

static void pending_free(struct gs *gs, struct pending *p)
{
	struct gateway *g = &gs->gateways[p->gateway];
	uint32_t *link = &g->pending;
	while (*link != INDEX_NONE && *link != p->slot)
		link = &gs->pendings[*link].next;
	if (*link == p->slot) {
		*link = p->next;
		g->pending_n--;
	}
	heap_remove(&gs->pending_due, &p->due);
	p->used = false;
	p->next = gs->pendings_free;
	gs->pendings_free = p->slot;
	gs->metrics.pending--;
}

static struct pending *pending_find(const struct gs *gs, const struct gateway *g, uint16_t token)
{
	for (uint32_t i = g->pending; i != INDEX_NONE; i = gs->pendings[i].next)
		if (gs->pendings[i].token == token && gs->pendings[i].version != 1)
			return &gs->pendings[i];
	return NULL;
}

static uint16_t token_make(struct gs *gs, const struct gateway *g)
{
	uint16_t token;
	rng_fill(&gs->rng, &token, sizeof token);
	while (pending_find(gs, g, token))
		token++;
	return token;
}

/** @return TX_RESULT_SUCCESS, or why this request can be sent to nobody */
static enum tx_result txpk_fill(struct txpk *tx, const struct tx_request *rq, uint8_t version)
{
	const struct modulation *m = &rq->mod;
	*tx = (struct txpk){
		.freq_hz = rq->freq_hz, .powe_dbm = powe_of(rq->eirp_dbm), .ipol = true, .ncrc = true};
	if (MSG_HAS(rq, tmst_us)) {
		tx->when = TXPK_TMST;
		tx->tmst_us = rq->tmst_us;
	} else if (MSG_HAS(rq, gps_ms)) {
		if (version == 1)
			return TX_RESULT_GPS_UNLOCKED; /* forwarders of that version do not know tmms */
		tx->when = TXPK_TMMS;
		tx->tmms = rq->gps_ms;
	}
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

static void down_trace(struct gs *gs, const char *name, const struct gateway *g, const struct tx_request *rq,
	const char *result, const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, name, g, now);
	if (!e)
		return;
	CIDS_ADD_ALL(&e->cids, &rq->cids);
	gs_trace_frame(e, rq->phy.p, rq->phy.len);
	struct text t = gs_trace_data(e);
	json_name(&t, "frequency");
	json_unum(&t, rq->freq_hz);
	json_name(&t, "eirp");
	json_num(&t, rq->eirp_dbm);
	if (MSG_HAS(rq, tmst_us)) {
		json_name(&t, "tmst");
		json_unum(&t, rq->tmst_us);
	}
	json_name(&t, "size");
	json_unum(&t, rq->phy.len);
	if (result) {
		json_name(&t, "result");
		json_puts(&t, result);
	}
	gs_trace_data_end(e, &t);
}

static enum tx_result pull_resp_send(
	struct gs *gs, const struct gateway *g, const struct txpk *tx, uint16_t token)
{
	char body[SEMTECH_PULL_RESP_MAX + 1];
	uint8_t datagram[SEMTECH_HEAD + SEMTECH_PULL_RESP_MAX];
	struct text t = text_fixed(body, sizeof body);
	txpk_write(&t, tx);
	struct writer w = writer_of(datagram, sizeof datagram);
	semtech_write(&w, &(struct semtech_datagram){.version = g->version,
				  .token = token,
				  .type = SEMTECH_PULL_RESP,
				  .body = text_str(&t)});
	if (t.failed || w.failed || w.len > SEMTECH_PULL_RESP_MAX)
		return TX_RESULT_UNKNOWN_ERROR;
	return gs->sink.send(gs->sink.ctx, &g->pull, (struct slice){datagram, w.len})
		       ? TX_RESULT_NOT_CONNECTED
		       : TX_RESULT_SUCCESS;
}

/** When to stop waiting for the TX_ACK; for version 1, which has none: when the emission is over. */
static uint64_t deadline_of(const struct tx_request *rq, uint8_t version, uint64_t now_us)
{
	bool timed = MSG_HAS(rq, tmst_us) || MSG_HAS(rq, gps_ms);
	uint64_t end_us = now_us + (timed ? rq->wait_us : 0) + rq->airtime_us;
	if (version == 1)
		return end_us;
	return timed ? end_us + ACK_WAIT_S * SEC_US : now_us + IMMEDIATE_WAIT_S * SEC_US;
}

static enum tx_result tx_send(
	struct gs *gs, struct gateway *g, const struct tx_request *rq, const struct now *now)
{
	struct txpk tx;
	if (!gs_gateway_can_send(g, now->mono_us))
		return TX_RESULT_NOT_CONNECTED;
	enum tx_result r = txpk_fill(&tx, rq, g->version);
	if (r)
		return r;
	struct pending *p = g->pending_n < GATEWAY_PENDING_MAX ? pending_take(gs) : NULL;
	if (!p)
		return TX_RESULT_COLLISION_PACKET; /* more than any forwarder's queue holds */
	p->gateway = g->slot;
	p->version = g->version;
	p->token = g->version == 1 ? 0 : token_make(gs, g);
	p->next = g->pending;
	g->pending = p->slot;
	g->pending_n++;
	p->sent_us = now->mono_us;
	p->wait_us = tx.when == TXPK_IMME ? 0 : rq->wait_us;
	p->transmission = rq->transmission;
	p->cids.len = 0;
	CIDS_ADD_ALL(&p->cids, &rq->cids);
	r = pull_resp_send(gs, g, &tx, p->token);
	if (r)
		pending_free(gs, p);
	else
		heap_set(&gs->pending_due, &p->due, deadline_of(rq, g->version, now->mono_us));
	return r;
}

enum tx_result gs_tx(struct gs *gs, const struct tx_request *rq, const struct now *now)
{
	struct gateway *g = gs_conn_find(gs, rq->gateway_eui);
	enum tx_result r = g ? tx_send(gs, g, rq, now) : TX_RESULT_NOT_CONNECTED;
	if (r) {
		gs->metrics.downlinks_refused++;
		if (g)
			down_trace(gs, "gs.down.schedule.fail", g, rq, tx_result_info(r)->name, now);
		return r;
	}
	gs->metrics.downlinks++;
	g->counts.downlinks++;
	g->counts.last_downlink_unix_us = now->unix_us;
	down_trace(gs, "gs.down.send", g, rq, NULL, now);
	gs_status_touch(gs, g, now->mono_us, false);
	return r;
}

static void outcome_trace(struct gs *gs, const struct gateway *g, const char *name, const struct txack *a,
	const struct now *now)
{
	struct trace_event *e = gs_trace_begin(gs, name, g, now);
	if (!e)
		return;
	CIDS_ADD_ALL(&e->cids, &gs->ack.cids);
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
	gs_trace_data_end(e, &t);
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
		outcome_trace(gs, g, "gs.txack.receive", a, now);
	}
	outcome_trace(gs, g, a->result ? "gs.down.tx.fail" : "gs.down.tx.success", a, now);
	if (a->result == TX_RESULT_SUCCESS)
		gs->metrics.tx_ok++;
	else if (a->result == TX_RESULT_NO_TX_ACK)
		gs->metrics.tx_unknown++;
	else
		gs->metrics.tx_failed++;
	if (a->result) {
		struct gs_note note = {.kind = GS_NOTE_TX_FAIL,
			.gateway = g,
			.eui = g->eui,
			.result = a->result,
			.word = a->word[0] ? a->word : NULL};
		gs->sink.note(gs->sink.ctx, &note);
	}
	pending_free(gs, p);
	gs->sink.tx_ack(gs->sink.ctx, ack);
}

/** Some clients answer only when the frame has been emitted; that says nothing of the path. A refusal comes
 * at once. */
static bool is_path_sample(const struct pending *p, enum tx_result result, uint64_t rtt_us)
{
	bool after_emission = p->wait_us >= ACK_AFTER_EMISSION_US && rtt_us >= p->wait_us - p->wait_us / 16;
	return rtt_us <= RTT_SANE_US && (result != TX_RESULT_SUCCESS || !after_emission);
}

void gs_down_tx_ack(struct gs *gs, struct gateway *g, const struct semtech_datagram *d, const struct now *now)
{
	struct txack a;
	int why = txack_read(d->body, &a);
	struct pending *p = why ? NULL : pending_find(gs, g, d->token);
	if (!p) {
		gs_trace_drop(gs, g, g->eui, &g->pull, why ? (enum gs_drop)why : GS_DROP_UNKNOWN_TOKEN, now);
		gs_trace_begin(gs, "gs.txack.drop", g, now);
		return;
	}
	uint64_t rtt_us = now->mono_us - p->sent_us;
	if (is_path_sample(p, a.result, rtt_us))
		gs_rtt_add(&g->rtt, (uint32_t)rtt_us);
	g->counts.tx_acks++;
	finish(gs, p, &a, rtt_us < 1 ? 1 : (uint32_t)(rtt_us < UINT32_MAX ? rtt_us : UINT32_MAX), now);
	gs_status_touch(gs, g, now->mono_us, false);
}

void gs_down_due(struct gs *gs, struct pending *p, const struct now *now)
{
	finish(gs, p, &(struct txack){.result = p->version == 1 ? TX_RESULT_SUCCESS : TX_RESULT_NO_TX_ACK}, 0,
		now);
}

void gs_down_abandon(struct gs *gs, struct gateway *g, const struct now *now)
{
	while (g->pending != INDEX_NONE)
		finish(gs, &gs->pendings[g->pending], &(struct txack){.result = TX_RESULT_NO_TX_ACK}, 0, now);
}
