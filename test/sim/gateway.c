/** @file A simulated gateway: an sx1302 packet forwarder on two UDP sockets. */
#include "test/sim/gateway.h"
#include "proto/lorawan/airtime.h"
#include "proto/semtech/txack.h"
#include "test/sim/report.h"
#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	PUSH_TIMEOUT_US = 100000,
	POLL_US = 10000,
	BODY_MAX = 16384,
	RSSI_DBM = -57,
	SNR_DDB = 92,
	FAR_DB = 6
};

static uint64_t now_of(const struct gateway *g)
{
	return sim_now(g->sim);
}

uint32_t gateway_tmst(const struct gateway *g, uint64_t at_us)
{
	return (uint32_t)(at_us - g->zero_us);
}

static void datagram_send(struct gateway *g, int fd, enum semtech_type type, uint16_t token, struct str body)
{
	uint8_t buf[SEMTECH_HEAD_EUI + BODY_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	semtech_write(&w, &(struct semtech_datagram){
				  .version = 2, .token = token, .type = type, .eui = g->eui, .body = body });
	/* A server that is not there yet answers with ICMP; a forwarder goes on, and so do we. */
	if (!w.failed && g->is_on && send(fd, buf, w.len, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
		(void)!send(fd, buf, w.len, MSG_DONTWAIT);
}

/** One rxpk as sx1302_hal prints it, blank before `mid` included. */
static void rxpk_print(struct text *t, const struct heard *h)
{
	char datr[24];
	struct text d = text_fixed(datr, sizeof datr);
	bool is_fsk = h->modu.kind == MODU_FSK;
	modu_datr(&d, &h->modu);
	text_printf(t,
		"{\"jver\":1,\"tmst\":%u,\"chan\":%u,\"rfch\":%u,\"freq\":%u.%06u,\"mid\":%2u,\"stat\":1,"
		"\"modu\":\"%s\"",
		h->tmst_us, is_fsk ? 9 : h->freq_hz / 200000 % 8, h->freq_hz > 868000000,
		h->freq_hz / 1000000, h->freq_hz % 1000000, 8, is_fsk ? "FSK" : "LORA");
	text_printf(t, is_fsk ? ",\"datr\":%s" : ",\"datr\":\"%s\",\"codr\":\"4/5\"", datr);
	if (!is_fsk)
		text_printf(t, ",\"rssis\":%d,\"lsnr\":%s%d.%d,\"foff\":-137", h->rssi_dbm - 1,
			h->snr_ddb < 0 ? "-" : "", h->snr_ddb < 0 ? -h->snr_ddb / 10 : h->snr_ddb / 10,
			h->snr_ddb < 0 ? -h->snr_ddb % 10 : h->snr_ddb % 10);
	text_printf(t, ",\"rssi\":%d,\"size\":%u,\"data\":\"", h->rssi_dbm, h->len);
	text_base64(t, h->phy, h->len);
	text_puts(t, "\"}");
}

void gateway_push(struct gateway *g)
{
	char body[BODY_MAX];
	if (!g->n_pending || now_of(g) < g->push_busy_us)
		return;
	struct text t = text_fixed(body, sizeof body);
	text_puts(&t, "{\"rxpk\":[");
	for (unsigned n = 0; g->n_pending && n < GATEWAY_BATCH; n++) {
		if (n)
			text_putc(&t, ',');
		rxpk_print(&t, &g->pending[g->first]);
		g->first = (g->first + 1) % GATEWAY_PENDING;
		g->n_pending--;
	}
	text_puts(&t, "]}");
	g->push_token = g->token++;
	g->push_busy_us = now_of(g) + PUSH_TIMEOUT_US;
	g->pushed++;
	g->sim->totals.datagrams++;
	datagram_send(g, g->push_fd, SEMTECH_PUSH_DATA, g->push_token, text_str(&t));
	sim_at(g->sim, &g->push, g->push_busy_us);
}

static void on_push_due(struct event *e, struct sim *s, uint64_t at_us)
{
	struct gateway *g = CONTAINER_OF(e, struct gateway, push);
	(void)s, (void)at_us;
	gateway_push(g);
}

void gateway_hear(struct sim *s, struct gateway *g, const struct emission *e, unsigned far)
{
	if (!g->is_on)
		return;
	if (g->n_pending == GATEWAY_PENDING) {
		s->totals.dropped++;
		return;
	}
	struct heard *h = &g->pending[(g->first + g->n_pending++) % GATEWAY_PENDING];
	h->tmst_us = gateway_tmst(g, e->end_us);
	h->freq_hz = e->freq_hz;
	h->modu = e->modu;
	h->rssi_dbm = RSSI_DBM - FAR_DB * (int)far;
	h->snr_ddb = SNR_DDB - 10 * FAR_DB * (int)far;
	if (h->snr_ddb < modu_floor_ddb(&e->modu))
		h->snr_ddb = modu_floor_ddb(&e->modu);
	h->len = (uint8_t)e->phy_len;
	for (size_t i = 0; i < e->phy_len; i++)
		h->phy[i] = e->phy[i];
	g->rxnb++;
	/* The forwarder asks its radio every 10 ms. In a benchmark that would only blur the times that are
	 * measured. */
	uint64_t poll_us = s->opt.load ? sim_now(s) : (e->end_us / POLL_US + 1) * POLL_US;
	if (g->push_busy_us < poll_us)
		sim_at(s, &g->push, poll_us);
}

static void on_keepalive(struct event *e, struct sim *s, uint64_t at_us)
{
	struct gateway *g = CONTAINER_OF(e, struct gateway, keepalive);
	datagram_send(g, g->pull_fd, SEMTECH_PULL_DATA, g->token++, (struct str){ NULL, 0 });
	sim_at(s, e, at_us + s->opt.keepalive_us);
}

static void on_stat(struct event *e, struct sim *s, uint64_t at_us)
{
	struct gateway *g = CONTAINER_OF(e, struct gateway, stat);
	char body[512], when[32];
	time_t now = (time_t)(loop_now(s->loop)->unix_us / SEC_US);
	struct tm tm;
	gmtime_r(&now, &tm);
	strftime(when, sizeof when, "%F %T GMT", &tm);
	uint32_t permille = g->pushed ? g->acked * 1000 / g->pushed : 0;
	struct text t = text_fixed(body, sizeof body);
	text_printf(&t,
		"{\"stat\":{\"time\":\"%s\",\"rxnb\":%u,\"rxok\":%u,\"rxfw\":%u,\"ackr\":%u.%u,\"dwnb\":%u,"
		"\"txnb\":%u,\"temp\":23.4}}",
		when, g->rxnb, g->rxnb, g->rxnb, permille / 10, permille % 10, g->dwnb, g->txnb);
	g->rxnb = g->pushed = g->acked = g->dwnb = g->txnb = 0;
	datagram_send(g, g->push_fd, SEMTECH_PUSH_DATA, g->token++, text_str(&t));
	g->sim->totals.datagrams++;
	sim_at(s, e, at_us + s->opt.stat_us);
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
	jit_remove(&g->jit, slot->tmst_us);
	slot->is_used = false;
	g->txnb++;
	if (s->opt.load)
		return;
	unsigned heard = air_downlink(s, g->index, &em);
	struct report r;
	report_begin(&r, s, "emission");
	report_eui(&r, "gateway", g->eui);
	report_num(&r, "tmst", slot->tmst_us);
	report_num(&r, "freq", tx->freq_hz);
	report_num(&r, "heard_by", heard);
	report_end(&r);
}

static struct tx_slot *slot_free(struct gateway *g)
{
	for (unsigned i = 0; i < JIT_MAX; i++)
		if (!g->tx[i].is_used)
			return &g->tx[i];
	return NULL;
}

/** Take a txpk into the queue, or say why not. */
static struct txack txpk_take(struct gateway *g, const struct txpk *tx, uint32_t *ret_tmst)
{
	struct modu m = { .kind = (uint8_t)tx->radio.kind,
		.sf = (uint8_t)tx->radio.sf,
		.bw_hz = tx->radio.bw_hz,
		.bit_rate = tx->radio.bit_rate };
	if (m.kind == MODU_LORA && modu_parse_codr(str_of(tx->radio.codr), &m))
		m.cr = CR_4_5;
	uint64_t now = now_of(g);
	uint32_t counter = gateway_tmst(g, now), airtime = airtime_us(&m, tx->phy_len, !tx->ncrc);
	struct tx_slot *slot = slot_free(g);
	struct txack ack = { .result = TX_RESULT_COLLISION_PACKET };
	*ret_tmst = tx->tmst_us;
	if (!slot)
		return ack;
	ack.result = jit_admit(&g->jit, counter, tx, airtime, ret_tmst);
	if (ack.result != TX_RESULT_SUCCESS)
		return ack;
	ack.power_dbm = jit_power(tx->powe_dbm);
	ack.has_power = ack.power_dbm != tx->powe_dbm;
	slot->is_used = true;
	slot->gateway = g;
	slot->tmst_us = *ret_tmst;
	slot->airtime_us = airtime;
	slot->txpk = *tx;
	slot->event.fire = on_emission;
	sim_at(g->sim, &slot->event, now + (*ret_tmst - counter));
	return ack;
}

static void txpk_report(struct gateway *g, const struct txpk *tx, const struct txack *ack, uint32_t tmst)
{
	struct report r;
	char datr[24];
	struct text d = text_fixed(datr, sizeof datr);
	radio_datr_text(&d, &tx->radio);
	report_begin(&r, g->sim, "tx-ack");
	report_eui(&r, "gateway", g->eui);
	report_word(
		&r, "result", ack->result == TX_RESULT_SUCCESS ? "NONE" : tx_result_info(ack->result)->word);
	report_num(&r, "tmst", tmst);
	report_num(&r, "lead_us", (int32_t)(tmst - gateway_tmst(g, now_of(g))));
	report_num(&r, "freq", tx->freq_hz);
	report_word(&r, "datr", datr);
	report_num(&r, "powe", tx->powe_dbm);
	report_num(&r, "size", tx->phy_len);
	if (g->sim->opt.verbose)
		report_hex(&r, "phy", tx->phy, tx->phy_len);
	report_end(&r);
}

static void pull_resp_take(struct gateway *g, const struct semtech_datagram *d)
{
	static struct json_tok tok[TXPK_TOKENS];
	struct sim *s = g->sim;
	struct txpk tx;
	s->totals.pull_resps++;
	int why = txpk_read(d->body, tok, TXPK_TOKENS, &tx);
	if (why || tx.rfch != 0) {
		/* A forwarder drops these without a word, and so do we; but the reader of our output should
		 * know. */
		struct report r;
		report_begin(&r, s, "txpk-dropped");
		report_eui(&r, "gateway", g->eui);
		report_word(&r, "why", why ? semtech_refusal_word(why) : "rfch");
		report_end(&r);
		s->totals.tx_errors++;
		return;
	}
	g->dwnb++;
	char body[128];
	struct text t = text_fixed(body, sizeof body);
	uint32_t tmst;
	struct txack ack = txpk_take(g, &tx, &tmst);
	txack_write(&t, &ack);
	datagram_send(g, g->pull_fd, SEMTECH_TX_ACK, d->token, text_str(&t));
	*(ack.result == TX_RESULT_SUCCESS ? &s->totals.tx_oks : &s->totals.tx_errors) += 1;
	if (!s->opt.load)
		txpk_report(g, &tx, &ack, tmst);
}

static void datagram_take(struct gateway *g, const struct semtech_datagram *d)
{
	if (d->type == SEMTECH_PULL_RESP) {
		pull_resp_take(g, d);
	} else if (d->type == SEMTECH_PUSH_ACK) {
		g->acked++;
		g->sim->totals.push_acks++;
		if (d->token != g->push_token)
			return;
		g->push_busy_us = 0;
		gateway_push(g);
	}
}

static void on_readable(int fd, void *ctx)
{
	struct gateway *g = ctx;
	uint8_t buf[2048];
	for (int i = 0; i < GATEWAY_BATCH; i++) {
		ssize_t n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
		struct semtech_datagram d;
		if (n < 0)
			return;
		if (g->is_on && semtech_read(buf, (size_t)n, &d) == 0 && d.version == 2)
			datagram_take(g, &d);
	}
}

/** A connected socket, as forwarders have: answers from elsewhere are not heard. */
static int socket_open(const struct net_address *server)
{
	int fd = socket(server->sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&server->sa, server->len)) {
		int e = -errno;
		close(fd);
		return e;
	}
	return fd;
}

int gateway_open(struct gateway *g, struct sim *s, size_t index)
{
	*g = (struct gateway){ .sim = s,
		.index = index,
		.eui = s->opt.gateway_eui + index,
		.is_on = true,
		.push_fd = -1,
		.pull_fd = -1 };
	g->keepalive.fire = on_keepalive;
	g->stat.fire = on_stat;
	g->push.fire = on_push_due;
	g->zero_us = s->start_us - (uint32_t)rng_u64(&s->rng);
	g->token = (uint16_t)rng_u64(&s->rng);
	g->push_fd = socket_open(&s->opt.server);
	if (g->push_fd < 0)
		return g->push_fd;
	g->pull_fd = socket_open(&s->opt.server);
	if (g->pull_fd < 0)
		return g->pull_fd;
	g->push_watch = loop_watch_read(s->loop, g->push_fd, on_readable, g);
	g->pull_watch = loop_watch_read(s->loop, g->pull_fd, on_readable, g);
	if (!g->push_watch || !g->pull_watch)
		return -ENOMEM;
	sim_at(s, &g->keepalive, s->start_us);
	sim_at(s, &g->stat, s->start_us + s->opt.stat_us);
	return 0;
}

void gateway_close(struct gateway *g)
{
	loop_watch_free(g->push_watch);
	loop_watch_free(g->pull_watch);
	if (g->push_fd > 0)
		close(g->push_fd);
	if (g->pull_fd > 0)
		close(g->pull_fd);
}
