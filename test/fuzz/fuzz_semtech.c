/** @file Any octets as a datagram of the Semtech UDP protocol, and its body as what its type says. */
#include "proto/semtech/push.h"
#include "proto/semtech/txack.h"
#include "proto/semtech/txpk.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool truth)
{
	if (!truth)
		abort();
}

static void on_rxpk(void *ctx, const struct rxpk *rx)
{
	unsigned *n = ctx;
	require(rx->phy_len <= SEMTECH_PHY_MAX && rx->freq_hz > 0);
	require(++*n <= PUSH_RXPK_MAX * 64);
}

static void on_refused(void *ctx, int why, struct str element)
{
	(void)ctx;
	(void)element;
	require(why > 0 && why < SEMTECH_E_N && strcmp(semtech_refusal_word(why), "unknown") != 0);
}

static void on_stat(void *ctx, const struct gwstat *st, struct str raw)
{
	(void)ctx;
	require(raw.n > 0 && raw.p[0] == '{');
	require(!(st->has & GWSTAT_POSITION) ||
		(st->latitude_e7 <= 900000000 && st->latitude_e7 >= -900000000));
}

static void txpk_check(struct str body)
{
	struct json_tok tok[TXPK_TOKENS];
	struct txpk tx, back;
	char buf[SEMTECH_PULL_RESP_MAX];
	struct text t = text_fixed(buf, sizeof buf);
	if (txpk_read(body, tok, COUNT(tok), &tx))
		return;
	txpk_write(&t, &tx);
	require(!t.failed);
	require(!txpk_read(text_str(&t), tok, COUNT(tok), &back));
	require(back.when == tx.when && back.freq_hz == tx.freq_hz && back.powe_dbm == tx.powe_dbm &&
		back.ipol == tx.ipol);
	require(back.phy_len == tx.phy_len && !memcmp(back.phy, tx.phy, tx.phy_len));
	require(back.radio.sf == tx.radio.sf && back.radio.bw_hz == tx.radio.bw_hz &&
		back.radio.bit_rate == tx.radio.bit_rate);
}

static void txack_check(struct str body)
{
	struct txack a, back;
	char buf[256];
	struct text t = text_fixed(buf, sizeof buf);
	if (txack_read(body, &a))
		return;
	txack_write(&t, &a);
	require(!t.failed);
	require(!txack_read(text_str(&t), &back));
	require(back.result == a.result && back.has_power == a.has_power &&
		(!a.has_power || back.power_dbm == a.power_dbm));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct push_scratch scratch;
	static uint8_t again[1 << 20];
	uint8_t ack[SEMTECH_HEAD];
	unsigned rxpks = 0;
	struct semtech_datagram d;
	if (semtech_read(data, n, &d))
		return 0;
	struct writer w = writer_of(again, sizeof again);
	semtech_write(&w, &d);
	require(!w.failed && w.len == n && !memcmp(again, data, n));
	semtech_ack(&d, ack);
	struct push_sink sink = {on_rxpk, on_refused, on_stat, &rxpks};
	if (d.type == SEMTECH_PUSH_DATA)
		push_read(d.body, &scratch, &sink);
	else if (d.type == SEMTECH_PULL_RESP)
		txpk_check(d.body);
	else if (d.type == SEMTECH_TX_ACK)
		txack_check(d.body);
	return 0;
}
