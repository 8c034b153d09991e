/** @file rxpk: one frame as a gateway heard it. */
#include "proto/semtech/rxpk.h"
#include "common/core/clock.h"
#include "common/core/err.h"
#include "common/core/json_out.h"
#include "proto/semtech/member.h"
#include <string.h>

/** What the walk over the object leaves behind: numbers in place, the rest as values. */
struct raw {
	struct rxpk rx;
	json_val freq, time, stat, modu, datr, codr, size, data, rsig;
};

/* Bits of members that no rxpk_has says: they only tell what came. */
enum { SEEN_TMST = 1 << 24, SEEN_RSSI = 1 << 25, HAS_MASK = SEEN_TMST - 1 };

static const struct member members[] = {
	MEMBER("tmst", raw, rx.tmst_us, MEMBER_U32, 0, SEEN_TMST),
	MEMBER("time", raw, time, MEMBER_VALUE, 0, 0),
	MEMBER("tmms", raw, rx.tmms, MEMBER_U64, 0, RXPK_TMMS),
	MEMBER("ftime", raw, rx.ftime_ns, MEMBER_U32, 0, RXPK_FTIME),
	MEMBER("chan", raw, rx.chan, MEMBER_U32, 0, RXPK_CHAN),
	MEMBER("rfch", raw, rx.rfch, MEMBER_U32, 0, RXPK_RFCH),
	MEMBER("freq", raw, freq, MEMBER_VALUE, 0, 0),
	MEMBER("mid", raw, rx.mid, MEMBER_U32, 0, RXPK_MID),
	MEMBER("stat", raw, stat, MEMBER_VALUE, 0, 0),
	MEMBER("modu", raw, modu, MEMBER_VALUE, 0, 0),
	MEMBER("datr", raw, datr, MEMBER_VALUE, 0, 0),
	MEMBER("codr", raw, codr, MEMBER_VALUE, 0, 0),
	MEMBER("rssi", raw, rx.rssi_ddbm, MEMBER_I32, 1, SEEN_RSSI),
	MEMBER("rssis", raw, rx.rssis_ddbm, MEMBER_I32, 1, RXPK_RSSIS),
	MEMBER("lsnr", raw, rx.lsnr_ddb, MEMBER_I32, 1, RXPK_LSNR),
	MEMBER("foff", raw, rx.foff_hz, MEMBER_I32, 0, RXPK_FOFF),
	MEMBER("hpw", raw, rx.hpw, MEMBER_U32, 0, RXPK_HPW),
	MEMBER("jver", raw, rx.jver, MEMBER_U32, 0, RXPK_JVER),
	MEMBER("ant", raw, rx.antenna, MEMBER_U32, 0, RXPK_ANTENNA),
	MEMBER("size", raw, size, MEMBER_VALUE, 0, 0),
	MEMBER("data", raw, data, MEMBER_VALUE, 0, 0),
	MEMBER("rsig", raw, rsig, MEMBER_VALUE, 0, 0),
};

/* One antenna of rsig; the channel's RSSI has another name there. */
static const struct member antenna_members[] = {
	MEMBER("ant", rxpk, antenna, MEMBER_U32, 0, RXPK_ANTENNA),
	MEMBER("chan", rxpk, chan, MEMBER_U32, 0, RXPK_CHAN),
	MEMBER("rssic", rxpk, rssi_ddbm, MEMBER_I32, 1, SEEN_RSSI),
	MEMBER("rssis", rxpk, rssis_ddbm, MEMBER_I32, 1, RXPK_RSSIS),
	MEMBER("lsnr", rxpk, lsnr_ddb, MEMBER_I32, 1, RXPK_LSNR),
	MEMBER("ftime", rxpk, ftime_ns, MEMBER_U32, 0, RXPK_FTIME),
	MEMBER("foff", rxpk, foff_hz, MEMBER_I32, 0, RXPK_FOFF),
};

static void time_take(const struct json *j, json_val time, struct rxpk *rx)
{
	char buf[48];
	struct str text;
	if (!member_text(j, time, buf, sizeof buf, &text) && !clock_parse_rfc3339(text, &rx->time_unix_ns))
		rx->has |= RXPK_TIME;
}

static enum rxpk_crc crc_of(const struct json *j, json_val stat)
{
	int64_t v = RXPK_CRC_OK;
	if (json_i64(j, stat, &v) == -ENOENT || v == RXPK_CRC_OK)
		return RXPK_CRC_OK;
	return v == RXPK_CRC_NONE ? RXPK_CRC_NONE : RXPK_CRC_BAD;
}

/** Only what may stand in a text; the word itself is passed on as it is ("4/5", "OFF", "4/5LI", "1/3"). */
static void codr_take(const struct json *j, json_val codr, struct radio *r)
{
	if (r->kind == RADIO_FSK || json_string(j, codr, r->codr, sizeof r->codr))
		r->codr[0] = '\0';
	for (const char *c = r->codr; *c; c++)
		if (*c < ' ' || *c > '~')
			r->codr[0] = '\0';
}

static int radio_take(const struct json *j, const struct raw *raw, struct radio *r)
{
	char buf[24];
	struct str text;
	if (member_text(j, raw->modu, buf, sizeof buf, &text) || radio_modu_read(text, &r->kind))
		return SEMTECH_E_MODU;
	/* json_string takes a number as its text, which is how FSK has its bit rate. */
	if (json_string(j, raw->datr, buf, sizeof buf) || radio_datr_read(str_of(buf), r->kind, r))
		return SEMTECH_E_DATR;
	codr_take(j, raw->codr, r);
	return 0;
}

static int data_take(const struct json *j, const struct raw *raw, struct rxpk *rx)
{
	size_t n;
	uint64_t size;
	if (member_base64(j, raw->data, rx->phy, sizeof rx->phy, &n))
		return SEMTECH_E_DATA;
	rx->phy_len = (uint32_t)n;
	int e = json_u64(j, raw->size, &size);
	return e == -ENOENT || (!e && size == n) ? 0 : SEMTECH_E_SIZE;
}

/** Let the antenna with the best SNR speak. @return the bits it brought */
static uint32_t rsig_take(const struct json *j, json_val rsig, struct rxpk *rx)
{
	uint32_t seen = 0;
	if (rsig < 0 || json_type(j, rsig) != JSON_ARRAY)
		return 0;
	struct rxpk best = *rx;
	for (json_val v = json_first(j, rsig); v >= 0; v = json_next(j, v)) {
		struct rxpk one = *rx;
		uint32_t has = member_read(j, v, antenna_members, COUNT(antenna_members), &one);
		if (!has ||
			(seen && (!(has & RXPK_LSNR) || (seen & RXPK_LSNR && one.lsnr_ddb <= best.lsnr_ddb))))
			continue;
		best = one;
		seen = has;
	}
	*rx = best;
	rx->has |= seen & HAS_MASK;
	return seen;
}

int rxpk_read(struct str json, struct json_tok *tok, size_t max, struct rxpk *ret)
{
	struct raw raw;
	struct json j;
	int64_t freq;
	memset(&raw, 0, offsetof(struct raw, rx.phy));
	raw.freq = raw.time = raw.stat = raw.modu = raw.datr = raw.codr = raw.size = raw.data = raw.rsig = -1;
	int e = json_parse(json, tok, max, &j, NULL);
	if (e)
		return e == -ENOSPC ? SEMTECH_E_TOKENS : SEMTECH_E_JSON;
	if (json_type(&j, json_root(&j)) != JSON_OBJECT)
		return SEMTECH_E_JSON;
	uint32_t seen = member_read(&j, json_root(&j), members, COUNT(members), &raw);
	struct rxpk *rx = &raw.rx;
	rx->has = seen & HAS_MASK;
	seen |= rsig_take(&j, raw.rsig, rx);
	time_take(&j, raw.time, rx);
	rx->crc = crc_of(&j, raw.stat);
	if (!(seen & SEEN_TMST))
		return SEMTECH_E_TMST;
	if (json_decimal(&j, raw.freq, 6, &freq) || freq <= 0 || freq > UINT32_MAX)
		return SEMTECH_E_FREQ;
	rx->freq_hz = (uint32_t)freq;
	int why = radio_take(&j, &raw, &rx->radio);
	if (why)
		return why;
	if (!(seen & SEEN_RSSI))
		return SEMTECH_E_RSSI;
	why = data_take(&j, &raw, rx);
	if (!why)
		*ret = *rx;
	return why;
}

static void optional_u32(
	struct text *t, const struct rxpk *rx, enum rxpk_has bit, const char *name, uint32_t v)
{
	if (!(rx->has & bit))
		return;
	json_name(t, name);
	json_unum(t, v);
}

static void optional_dec(struct text *t, const struct rxpk *rx, enum rxpk_has bit, const char *name,
	int32_t v, unsigned digits)
{
	if (!(rx->has & bit))
		return;
	json_name(t, name);
	json_dec(t, v, digits);
}

void rxpk_write(struct text *t, const struct rxpk *rx)
{
	json_open(t, '{');
	optional_u32(t, rx, RXPK_JVER, "jver", rx->jver);
	json_name(t, "tmst");
	json_unum(t, rx->tmst_us);
	if (rx->has & RXPK_TIME) {
		json_name(t, "time");
		json_time(t, rx->time_unix_ns);
	}
	if (rx->has & RXPK_TMMS) {
		json_name(t, "tmms");
		json_unum(t, rx->tmms);
	}
	optional_u32(t, rx, RXPK_FTIME, "ftime", rx->ftime_ns);
	optional_u32(t, rx, RXPK_CHAN, "chan", rx->chan);
	optional_u32(t, rx, RXPK_RFCH, "rfch", rx->rfch);
	radio_freq_write(t, rx->freq_hz);
	optional_u32(t, rx, RXPK_MID, "mid", rx->mid);
	optional_u32(t, rx, RXPK_ANTENNA, "ant", rx->antenna);
	json_name(t, "stat");
	json_num(t, rx->crc);
	radio_write(t, &rx->radio);
	optional_u32(t, rx, RXPK_HPW, "hpw", rx->hpw);
	optional_dec(t, rx, RXPK_RSSIS, "rssis", rx->rssis_ddbm, 1);
	optional_dec(t, rx, RXPK_LSNR, "lsnr", rx->lsnr_ddb, 1);
	optional_dec(t, rx, RXPK_FOFF, "foff", rx->foff_hz, 0);
	json_name(t, "rssi");
	json_dec(t, rx->rssi_ddbm, 1);
	json_name(t, "size");
	json_unum(t, rx->phy_len);
	json_name(t, "data");
	json_b64(t, rx->phy, rx->phy_len);
	json_close(t, '}');
}
