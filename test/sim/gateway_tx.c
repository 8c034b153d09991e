/** @file A simulated gateway's transmitter: PULL_RESP, the queue, TX_ACK, emissions and beacons. */
#include "common/core/clock.h"
#include "proto/lorawan/airtime.h"
#include "test/sim/capture.h"
#include "test/sim/report.h"
#include <string.h>

enum { BEACON_AHEAD_US = 10 * 1000 * 1000 };

static void event_report(struct gateway *g, const char *event, const char *why)
{
	struct report r;
	if (g->sim->opt.load)
		return;
	report_begin(&r, g->sim, event);
	report_eui(&r, "gateway", g->eui);
	report_word(&r, "why", why);
	report_end(&r);
}

static void slot_end(struct tx_slot *slot)
{
	sim_cancel(slot->gateway->sim, &slot->event);
	slot->is_used = false;
}

static void emission_report(struct gateway *g, const struct tx_slot *slot, unsigned heard)
{
	struct report r;
	report_begin(&r, g->sim, "emission");
	report_eui(&r, "gateway", g->eui);
	report_num(&r, "tmst", slot->tmst_us);
	report_num(&r, "freq", slot->txpk.freq_hz);
	report_num(&r, "heard_by", heard);
	report_end(&r);
}

static void on_emission(struct event *e, struct sim *s, uint64_t at_us)
{
	struct tx_slot *slot = CONTAINER_OF(e, struct tx_slot, event);
	struct gateway *g = slot->gateway;
	const struct txpk *tx = &slot->txpk;
	struct emission em = {
		.start_us = at_us,
		.end_us = at_us + slot->airtime_us,
		.freq_hz = tx->freq_hz,
		.modu = { .kind = (uint8_t)tx->radio.kind,
			.sf = (uint8_t)tx->radio.sf,
			.bw_hz = tx->radio.bw_hz,
			.bit_rate = tx->radio.bit_rate,
			.cr = CR_4_5 },
		.is_inverted = tx->ipol || tx->radio.kind == RADIO_FSK,
		.phy = tx->phy,
		.phy_len = tx->phy_len,
	};
	slot_end(slot);
	g->on_air_us = em.end_us;
	g->txnb++;
	if (!s->opt.load)
		emission_report(g, slot, air_downlink(s, g->index, &em));
}

/** The queue hands a frame to the concentrator, which has room for one and knows no other while it sends. */
static void on_programmed(struct event *e, struct sim *s, uint64_t at_us)
{
	struct tx_slot *slot = CONTAINER_OF(e, struct tx_slot, event);
	struct gateway *g = slot->gateway;
	jit_remove(&g->jit, slot->tmst_us);
	if (at_us < g->on_air_us) {
		slot_end(slot);
		event_report(g, "emission-dropped", "the concentrator is sending");
		return;
	}
	for (unsigned i = 0; i < JIT_MAX; i++)
		if (g->tx[i].is_used && g->tx[i].is_programmed) {
			slot_end(&g->tx[i]);
			event_report(g, "emission-dropped", "another one was programmed over it");
		}
	slot->is_programmed = true;
	slot->event.fire = on_emission;
	sim_at(s, &slot->event, slot->start_us);
}

static struct tx_slot *slot_free(struct gateway *g)
{
	for (unsigned i = 0; i < JIT_MAX; i++)
		if (!g->tx[i].is_used)
			return &g->tx[i];
	return NULL;
}

static uint32_t airtime_of(const struct txpk *tx)
{
	struct modu m = { .kind = (uint8_t)tx->radio.kind,
		.sf = (uint8_t)tx->radio.sf,
		.bw_hz = tx->radio.bw_hz,
		.bit_rate = tx->radio.bit_rate };
	if (m.kind == MODU_LORA && modu_parse_codr(str_of(tx->radio.codr), &m))
		m.cr = CR_4_5;
	return airtime_us(&m, tx->phy_len, !tx->ncrc);
}

/** Set a frame on its way. @param lead_us  from now to its first symbol */
static void slot_start(struct gateway *g, struct tx_slot *slot, const struct txpk *tx, uint32_t tmst, uint32_t lead_us)
{
	uint64_t now = sim_now(g->sim);
	uint32_t jit_us = g->jit.forwarder->has_queue ? g->jit.forwarder->jit_us : lead_us;
	*slot = (struct tx_slot){ .gateway = g,
		.is_used = true,
		.tmst_us = tmst,
		.airtime_us = airtime_of(tx),
		.start_us = now + lead_us,
		.txpk = *tx };
	slot->event.fire = on_programmed;
	sim_at(g->sim, &slot->event, slot->start_us - jit_us);
}

/** Take a txpk into the queue, or say why not. */
static struct txack txpk_take(struct gateway *g, const struct txpk *tx, uint32_t *ret_tmst)
{
	uint64_t now = sim_now(g->sim);
	uint32_t counter = gateway_tmst(g, now), tmms = 0;
	struct tx_slot *slot = slot_free(g);
	struct txack ack = { .result = TX_RESULT_COLLISION_PACKET };
	*ret_tmst = tx->tmst_us;
	if (tx->when == TXPK_TMMS && !g->has_gps) {
		ack.result = TX_RESULT_GPS_UNLOCKED;
		return ack;
	}
	if (tx->when == TXPK_TMMS)
		*ret_tmst = tmms = gateway_tmst(g, now + (tx->tmms * MS_US - gateway_gps_us(g, now)));
	ack.result = jit_power(&g->jit, tx->powe_dbm, &ack);
	if (!slot)
		ack.result = TX_RESULT_COLLISION_PACKET;
	else if (ack.result == TX_RESULT_SUCCESS)
		ack.result = jit_admit(&g->jit, counter, tx, tmms, airtime_of(tx), ret_tmst);
	if (ack.result == TX_RESULT_SUCCESS)
		slot_start(g, slot, tx, *ret_tmst, *ret_tmst - counter);
	else
		ack.has_power = false;
	return ack;
}

/** Without a queue: what comes replaces what is programmed; nothing is said. */
static void txpk_program(struct gateway *g, const struct txpk *tx)
{
	uint32_t counter = gateway_tmst(g, sim_now(g->sim)), lead = tx->when == TXPK_IMME ? 0 : tx->tmst_us - counter;
	if (tx->when == TXPK_TMMS || lead > INT32_MAX)
		event_report(g, "emission-dropped", tx->when == TXPK_TMMS ? "tmms" : "it is in the past");
	else
		slot_start(g, slot_free(g), tx, counter + lead, lead);
}

static void txpk_report(struct gateway *g, const struct txpk *tx, const char *result, uint32_t tmst)
{
	struct report r;
	char datr[24];
	struct text d = text_fixed(datr, sizeof datr);
	radio_datr_text(&d, &tx->radio);
	report_begin(&r, g->sim, "tx-ack");
	report_eui(&r, "gateway", g->eui);
	report_word(&r, "result", result);
	report_num(&r, "tmst", tmst);
	report_num(&r, "lead_us", (int32_t)(tmst - gateway_tmst(g, sim_now(g->sim))));
	report_num(&r, "freq", tx->freq_hz);
	report_word(&r, "datr", datr);
	report_num(&r, "powe", tx->powe_dbm);
	report_num(&r, "size", tx->phy_len);
	if (g->sim->opt.verbose)
		report_hex(&r, "phy", tx->phy, tx->phy_len);
	report_end(&r);
}

static void on_late_ack(struct event *e, struct sim *s, uint64_t at_us)
{
	struct late_ack *l = CONTAINER_OF(e, struct late_ack, event);
	(void)s, (void)at_us;
	l->is_used = false;
	gateway_say(l->gateway, SEMTECH_TX_ACK, l->token, str_of(l->body));
}

static void ack_send(struct gateway *g, uint16_t token, struct str body)
{
	for (unsigned i = 0; g->answer_delay_us && i < GATEWAY_LATE_ACKS; i++) {
		struct late_ack *l = &g->late[i];
		if (l->is_used || str_copy(body, l->body, sizeof l->body))
			continue;
		l->is_used = true;
		l->gateway = g;
		l->token = token;
		l->event.fire = on_late_ack;
		sim_at(g->sim, &l->event, sim_now(g->sim) + g->answer_delay_us);
		return;
	}
	gateway_say(g, SEMTECH_TX_ACK, token, body);
}

/** What it does with a txpk, and says. @return the word of TX_ACK, for the report; NULL: it says nothing */
static const char *txpk_answer(struct gateway *g, uint16_t token, const struct txpk *tx, uint32_t *ret_tmst)
{
	char body[128];
	struct text t = text_fixed(body, sizeof body);
	struct txack ack = { .result = TX_RESULT_UNKNOWN_ERROR };
	*ret_tmst = tx->tmst_us;
	if (!g->jit.forwarder->has_queue) {
		txpk_program(g, tx);
		return NULL;
	}
	if (g->answer == ANSWER_WORD)
		memcpy(ack.word, g->answer_word, sizeof ack.word);
	else
		ack = txpk_take(g, tx, ret_tmst);
	if (g->answer == ANSWER_NEVER)
		return NULL;
	txack_write(&t, &ack);
	ack_send(g, token, text_str(&t));
	return ack.result == TX_RESULT_SUCCESS ? "NONE" :
		g->answer == ANSWER_WORD ? g->answer_word : tx_result_info(ack.result)->word;
}

void gateway_pull_resp(struct gateway *g, const struct semtech_datagram *d)
{
	static struct json_tok tok[TXPK_TOKENS];
	struct sim *s = g->sim;
	struct txpk tx;
	uint32_t tmst;
	s->totals.pull_resps++;
	int why = txpk_read(d->body, tok, TXPK_TOKENS, &tx);
	if (g->answer == ANSWER_LOST || why || tx.rfch != 0) {
		/* A forwarder drops these without a word, and so do we; but the reader of our output should
		 * know. */
		event_report(g, "txpk-dropped", g->answer == ANSWER_LOST ? "lost" : why ? semtech_refusal_word(why) : "rfch");
		s->totals.tx_errors++;
		return;
	}
	g->dwnb++;
	const char *said = txpk_answer(g, d->token, &tx, &tmst);
	*(!said || strcmp(said, "NONE") == 0 ? &s->totals.tx_oks : &s->totals.tx_errors) += 1;
	if (!s->opt.load)
		txpk_report(g, &tx, said ? said : "(nothing)", tmst);
}

void gateway_tx_forget(struct gateway *g)
{
	for (unsigned i = 0; i < JIT_MAX; i++)
		if (g->tx[i].is_used)
			slot_end(&g->tx[i]);
	for (unsigned i = 0; i < GATEWAY_LATE_ACKS; i++)
		if (g->late[i].is_used) {
			sim_cancel(g->sim, &g->late[i].event);
			g->late[i].is_used = false;
		}
	g->jit.n = 0;
	g->on_air_us = 0;
}

/** Ten seconds before its time the beacon goes into the queue. It stays there until the next one does, so that nothing
 * overlaps it. */
static void on_beacon(struct event *e, struct sim *s, uint64_t at_us)
{
	struct gateway *g = CONTAINER_OF(e, struct gateway, beacon);
	uint64_t start_us = at_us + BEACON_AHEAD_US;
	jit_remove(&g->jit, gateway_tmst(g, start_us - s->opt.beacon_us));
	if (g->has_gps && g->jit.forwarder->has_queue)
		jit_beacon(&g->jit, gateway_tmst(g, start_us));
	sim_at(s, e, at_us + s->opt.beacon_us);
}

void gateway_beacon_plan(struct gateway *g)
{
	struct sim *s = g->sim;
	if (!s->opt.beacon_us)
		return;
	uint64_t now = sim_now(s), next = now + s->opt.beacon_us - gateway_gps_us(g, now) % s->opt.beacon_us;
	g->beacon.fire = on_beacon;
	if (next < now + BEACON_AHEAD_US) {
		on_beacon(&g->beacon, s, next - BEACON_AHEAD_US);
		return;
	}
	sim_at(s, &g->beacon, next - BEACON_AHEAD_US);
}
