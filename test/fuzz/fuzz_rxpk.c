/** @file Any text as a rxpk: what is read is written and read back the same. */
#include "proto/semtech/rxpk.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool truth)
{
	if (!truth)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json_tok tok[RXPK_TOKENS];
	struct rxpk rx, back;
	char buf[4096];
	struct text t = text_fixed(buf, sizeof buf);
	if (rxpk_read((struct str){(const char *)data, n}, tok, COUNT(tok), &rx))
		return 0;
	rxpk_write(&t, &rx);
	require(!t.failed);
	require(!rxpk_read(text_str(&t), tok, COUNT(tok), &back));
	require(back.has == rx.has && back.tmst_us == rx.tmst_us && back.freq_hz == rx.freq_hz &&
		back.crc == rx.crc);
	require(back.rssi_ddbm == rx.rssi_ddbm && back.radio.kind == rx.radio.kind &&
		back.radio.sf == rx.radio.sf);
	require(!(rx.has & RXPK_TIME) || back.time_unix_ns == rx.time_unix_ns);
	require(!(rx.has & RXPK_LSNR) || back.lsnr_ddb == rx.lsnr_ddb);
	require(back.phy_len == rx.phy_len && !memcmp(back.phy, rx.phy, rx.phy_len));
	return 0;
}
