/** @file A simulated gateway: a packet forwarder on two UDP sockets. */
#include "test/sim/gateway.h"
#include "common/core/clock.h"
#include "common/core/err.h"
#include "test/sim/capture.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
	PUSH_TIMEOUT_US = 100000,
	POLL_US = 10000,
	BODY_MAX = 16384,
	RSSI_DBM = -57,
	SNR_DDB = 92,
	FAR_DB = 6,
	FIRST_TOKEN = 0x67c6 /**< every forwarder begins with it: its random numbers have no seed */
};

static uint64_t now_of(const struct gateway *g)
{
	return sim_now(g->sim);
}

uint32_t gateway_tmst(const struct gateway *g, uint64_t at_us)
{
	return (uint32_t)(at_us - g->zero_us);
}

uint64_t gateway_gps_us(const struct gateway *g, uint64_t at_us)
{
	const struct now *now = loop_now(g->sim->loop);
	return clock_gps_us(now->unix_us + (at_us - now->mono_us));
}

static void datagram_send(struct gateway *g, int fd, enum semtech_type type, uint16_t token, struct str body)
{
	uint8_t buf[SEMTECH_HEAD_EUI + BODY_MAX];
	struct writer w = writer_of(buf, sizeof buf);
	semtech_write(&w, &(struct semtech_datagram){
				  .version = g->jit.forwarder->version, .token = token, .type = type, .eui = g->eui, .body = body });
	/* A server that is not there yet answers with ICMP; a forwarder goes on, and so do we. */
	if (!w.failed && g->is_on && send(fd, buf, w.len, MSG_DONTWAIT) < 0 && errno == ECONNREFUSED)
		(void)!send(fd, buf, w.len, MSG_DONTWAIT);
	if (type == SEMTECH_TX_ACK && g->is_on)
		capture_datagram(g, "gateway", buf, w.len);
}

void gateway_say(struct gateway *g, enum semtech_type type, uint16_t token, struct str body)
{
	datagram_send(g, g->pull_fd, type, token, body);
}

/** UTC and GPS time of a reception, as a forwarder with GPS adds them. */
static void gps_print(struct text *t, const struct gateway *g, const struct heard *h)
{
	const struct now *now = loop_now(g->sim->loop);
	uint64_t unix_us = now->unix_us + (h->end_us - now->mono_us);
	char when[32];
	time_t second = (time_t)(unix_us / SEC_US);
	struct tm tm;
	gmtime_r(&second, &tm);
	strftime(when, sizeof when, "%FT%T", &tm);
	text_printf(t, ",\"time\":\"%s.%06uZ\",\"tmms\":%" PRIu64, when, (unsigned)(unix_us % SEC_US),
		gateway_gps_us(g, h->end_us) / MS_US);
}

/** One rxpk as the forwarder prints it; sx1302_hal with a blank before `mid`. */
static void rxpk_print(struct text *t, const struct gateway *g, const struct heard *h)
{
	char datr[24];
	struct text d = text_fixed(datr, sizeof datr);
	bool is_fsk = h->modu.kind == MODU_FSK, is_sx1302 = g->jit.forwarder->is_sx1302;
	modu_datr(&d, &h->modu);
	text_printf(t, "{%s\"tmst\":%u", is_sx1302 ? "\"jver\":1," : "", h->tmst_us);
	if (g->has_gps)
		gps_print(t, g, h);
	text_printf(t, ",\"chan\":%u,\"rfch\":%u,\"freq\":%u.%06u", is_fsk ? 9 : h->freq_hz / 200000 % 8,
		h->freq_hz > 868000000, h->freq_hz / 1000000, h->freq_hz % 1000000);
	if (is_sx1302)
		text_printf(t, ",\"mid\":%2u", 8);
	text_printf(t, ",\"stat\":1,\"modu\":\"%s\"", is_fsk ? "FSK" : "LORA");
	text_printf(t, is_fsk ? ",\"datr\":%s" : ",\"datr\":\"%s\",\"codr\":\"4/5\"", datr);
	if (!is_fsk && is_sx1302)
		text_printf(t, ",\"rssis\":%d", h->rssi_dbm - 1);
	if (!is_fsk)
		text_printf(t, ",\"lsnr\":%s%d.%d", h->snr_ddb < 0 ? "-" : "",
			h->snr_ddb < 0 ? -h->snr_ddb / 10 : h->snr_ddb / 10,
			h->snr_ddb < 0 ? -h->snr_ddb % 10 : h->snr_ddb % 10);
	if (!is_fsk && is_sx1302)
		text_puts(t, ",\"foff\":-137");
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
		rxpk_print(&t, g, &g->pending[g->first]);
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
	h->end_us = e->end_us;
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
		"\"txnb\":%u%s}}",
		when, g->rxnb, g->rxnb, g->rxnb, permille / 10, permille % 10, g->dwnb, g->txnb,
		g->jit.forwarder->is_sx1302 ? ",\"temp\":23.4" : "");
	g->rxnb = g->pushed = g->acked = g->dwnb = g->txnb = 0;
	datagram_send(g, g->push_fd, SEMTECH_PUSH_DATA, g->token++, text_str(&t));
	g->sim->totals.datagrams++;
	sim_at(s, e, at_us + s->opt.stat_us);
}

static void datagram_take(struct gateway *g, const struct semtech_datagram *d)
{
	if (d->type == SEMTECH_PULL_RESP) {
		gateway_pull_resp(g, d);
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
		if (!g->is_on || semtech_read(buf, (size_t)n, &d) || d.version != g->jit.forwarder->version)
			continue;
		if (d.type == SEMTECH_PULL_RESP)
			capture_datagram(g, "server", buf, (size_t)n);
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

static void sockets_close(struct gateway *g)
{
	loop_watch_free(g->push_watch);
	loop_watch_free(g->pull_watch);
	g->push_watch = g->pull_watch = NULL;
	if (g->push_fd >= 0)
		close(g->push_fd);
	if (g->pull_fd >= 0)
		close(g->pull_fd);
	g->push_fd = g->pull_fd = -1;
}

static int sockets_open(struct gateway *g)
{
	struct sim *s = g->sim;
	g->push_fd = socket_open(&s->opt.server);
	if (g->push_fd < 0)
		return g->push_fd;
	g->pull_fd = socket_open(&s->opt.server);
	if (g->pull_fd < 0)
		return g->pull_fd;
	g->push_watch = loop_watch_read(s->loop, g->push_fd, on_readable, g);
	g->pull_watch = loop_watch_read(s->loop, g->pull_fd, on_readable, g);
	return g->push_watch && g->pull_watch ? 0 : -ENOMEM;
}

/** What the transmitter is configured for, by the band that the plan begins in. */
static void transmitter_set(struct gateway *g)
{
	static const uint32_t bands[][2] = { { 433050000, 434790000 }, { 470000000, 510000000 }, { 779000000, 787000000 },
		{ 863000000, 870000000 }, { 902000000, 928000000 } };
	g->jit.max_hz = UINT32_MAX;
	for (size_t i = 0; i < COUNT(bands); i++) {
		uint32_t hz = g->sim->plan->region->runs[0].first_hz;
		if (hz < bands[i][0] || hz > bands[i][1])
			continue;
		g->jit.min_hz = bands[i][0];
		g->jit.max_hz = bands[i][1];
	}
}

int gateway_open(struct gateway *g, struct sim *s, size_t index)
{
	*g = (struct gateway){ .sim = s,
		.index = index,
		.eui = s->opt.gateway_eui + index,
		.is_on = true,
		.has_gps = s->opt.gps,
		.push_fd = -1,
		.pull_fd = -1 };
	g->keepalive.fire = on_keepalive;
	g->stat.fire = on_stat;
	g->push.fire = on_push_due;
	g->zero_us = s->start_us - (uint32_t)rng_u64(&s->rng);
	g->token = (uint16_t)rng_u64(&s->rng);
	g->answer_delay_us = s->opt.tx_ack_delay_us;
	transmitter_set(g);
	if (gateway_forwarder(g, s->opt.forwarder) || gateway_answer(g, str_of(s->opt.tx_ack)))
		return -EINVAL;
	TRY(sockets_open(g));
	sim_at(s, &g->keepalive, s->start_us);
	sim_at(s, &g->stat, s->start_us + s->opt.stat_us);
	gateway_beacon_plan(g);
	return 0;
}

void gateway_close(struct gateway *g)
{
	sockets_close(g);
}

int gateway_move(struct gateway *g)
{
	struct gateway old = { .push_fd = g->push_fd, .pull_fd = g->pull_fd, .push_watch = g->push_watch, .pull_watch = g->pull_watch };
	/* The old ones are closed last, or their ports would be given out again at once. */
	int e = sockets_open(g);
	sockets_close(&old);
	return e;
}

int gateway_reboot(struct gateway *g)
{
	struct sim *s = g->sim;
	gateway_tx_forget(g);
	g->n_pending = 0;
	g->push_busy_us = 0;
	g->token = FIRST_TOKEN;
	g->zero_us = sim_now(s);
	g->rxnb = g->pushed = g->acked = g->dwnb = g->txnb = 0;
	TRY(gateway_move(g));
	sim_at(s, &g->keepalive, sim_now(s));
	sim_at(s, &g->stat, sim_now(s) + s->opt.stat_us);
	gateway_beacon_plan(g);
	return 0;
}

int gateway_forwarder(struct gateway *g, const char *name)
{
	const struct forwarder *f = forwarder_find(name);
	if (!f)
		return -EINVAL;
	gateway_tx_forget(g);
	g->jit.forwarder = f;
	return 0;
}

int gateway_answer(struct gateway *g, struct str word)
{
	g->answer = str_is(word, "NONE") ? ANSWER_RULES :
		str_is(word, "NEVER") ? ANSWER_NEVER :
		str_is(word, "LOST") ? ANSWER_LOST : ANSWER_WORD;
	return str_copy(word, g->answer_word, sizeof g->answer_word);
}
