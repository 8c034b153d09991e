/** @file txpk: one frame that a gateway is to emit. */
#include "proto/semtech/txpk.h"
#include "common/core/err.h"
#include "common/core/json_out.h"
#include "proto/semtech/member.h"
#include <string.h>

struct raw {
	struct txpk tx;
	json_val imme, freq, modu, datr, codr, ipol, ncrc, size, data;
};

enum { SEEN_TMST = 1 << 0, SEEN_TMMS = 1 << 1, SEEN_RFCH = 1 << 2 };

static const struct member members[] = {
	MEMBER("imme", raw, imme, MEMBER_VALUE, 0, 0),
	MEMBER("tmst", raw, tx.tmst_us, MEMBER_U32, 0, SEEN_TMST),
	MEMBER("tmms", raw, tx.tmms, MEMBER_U64, 0, SEEN_TMMS),
	MEMBER("freq", raw, freq, MEMBER_VALUE, 0, 0),
	MEMBER("rfch", raw, tx.rfch, MEMBER_U32, 0, SEEN_RFCH),
	MEMBER("powe", raw, tx.powe_dbm, MEMBER_I32, 0, 0),
	MEMBER("modu", raw, modu, MEMBER_VALUE, 0, 0),
	MEMBER("datr", raw, datr, MEMBER_VALUE, 0, 0),
	MEMBER("codr", raw, codr, MEMBER_VALUE, 0, 0),
	MEMBER("fdev", raw, tx.fdev_hz, MEMBER_U32, 0, 0),
	MEMBER("prea", raw, tx.prea, MEMBER_U32, 0, 0),
	MEMBER("ipol", raw, ipol, MEMBER_VALUE, 0, 0),
	MEMBER("ncrc", raw, ncrc, MEMBER_VALUE, 0, 0),
	MEMBER("size", raw, size, MEMBER_VALUE, 0, 0),
	MEMBER("data", raw, data, MEMBER_VALUE, 0, 0),
};

static void truth_write(struct text *t, const char *name, bool v)
{
	json_name(t, name);
	json_truth(t, v);
}

static void number_write(struct text *t, const char *name, uint64_t v)
{
	json_name(t, name);
	json_unum(t, v);
}

void txpk_write(struct text *t, const struct txpk *tx)
{
	json_open(t, '{');
	json_name(t, "txpk");
	json_open(t, '{');
	if (tx->when == TXPK_IMME)
		truth_write(t, "imme", true);
	else if (tx->when == TXPK_TMST)
		number_write(t, "tmst", tx->tmst_us);
	else
		number_write(t, "tmms", tx->tmms);
	radio_freq_write(t, tx->freq_hz);
	number_write(t, "rfch", tx->rfch);
	json_name(t, "powe");
	json_num(t, tx->powe_dbm);
	radio_write(t, &tx->radio);
	if (tx->radio.kind == RADIO_FSK)
		number_write(t, "fdev", tx->fdev_hz);
	if (tx->prea)
		number_write(t, "prea", tx->prea);
	truth_write(t, "ipol", tx->ipol);
	truth_write(t, "ncrc", tx->ncrc);
	number_write(t, "size", tx->phy_len);
	json_name(t, "data");
	json_b64(t, tx->phy, tx->phy_len);
	json_close(t, '}');
	json_close(t, '}');
}

/** Only the boolean true counts; forwarders do not see 1 or "true". */
static bool is_true(const struct json *j, json_val v)
{
	bool b = false;
	return v >= 0 && json_type(j, v) == JSON_BOOL && !json_bool(j, v, &b) && b;
}

static int when_take(const struct json *j, const struct raw *raw, uint32_t seen, struct txpk *tx)
{
	if (is_true(j, raw->imme))
		tx->when = TXPK_IMME;
	else if (seen & SEEN_TMST)
		tx->when = TXPK_TMST;
	else if (seen & SEEN_TMMS)
		tx->when = TXPK_TMMS;
	else
		return SEMTECH_E_WHEN;
	return 0;
}

static int radio_take(const struct json *j, const struct raw *raw, struct radio *r)
{
	char buf[24];
	struct str text;
	if (member_text(j, raw->modu, buf, sizeof buf, &text) || radio_modu_read(text, &r->kind) ||
		r->kind == RADIO_LR_FHSS)
		return SEMTECH_E_MODU;
	if (json_string(j, raw->datr, buf, sizeof buf) || radio_datr_read(str_of(buf), r->kind, r))
		return SEMTECH_E_DATR;
	if (r->kind != RADIO_LORA)
		return 0;
	return json_string(j, raw->codr, r->codr, sizeof r->codr) || !radio_codr_is_sendable(r->codr)
		       ? SEMTECH_E_CODR
		       : 0;
}

static int data_take(const struct json *j, const struct raw *raw, struct txpk *tx)
{
	size_t n;
	uint64_t size;
	if (member_base64(j, raw->data, tx->phy, sizeof tx->phy, &n))
		return SEMTECH_E_DATA;
	tx->phy_len = (uint32_t)n;
	return json_u64(j, raw->size, &size) || size != n ? SEMTECH_E_SIZE : 0;
}

int txpk_read(struct str body, struct json_tok *tok, size_t max, struct txpk *ret)
{
	struct raw raw;
	struct json j;
	int64_t freq;
	memset(&raw, 0, sizeof raw);
	raw.imme = raw.freq = raw.modu = raw.datr = raw.codr = raw.ipol = raw.ncrc = raw.size = raw.data = -1;
	int e = json_parse(body, tok, max, &j, NULL);
	if (e)
		return e == -ENOSPC ? SEMTECH_E_TOKENS : SEMTECH_E_JSON;
	json_val object = json_get(&j, json_root(&j), "txpk");
	if (object < 0 || json_type(&j, object) != JSON_OBJECT)
		return SEMTECH_E_JSON;
	uint32_t seen = member_read(&j, object, members, COUNT(members), &raw);
	int why = when_take(&j, &raw, seen, &raw.tx);
	if (why)
		return why;
	if (json_decimal(&j, raw.freq, 6, &freq) || freq <= 0 || freq > UINT32_MAX)
		return SEMTECH_E_FREQ;
	raw.tx.freq_hz = (uint32_t)freq;
	if (!(seen & SEEN_RFCH))
		return SEMTECH_E_RFCH;
	raw.tx.ipol = is_true(&j, raw.ipol);
	raw.tx.ncrc = is_true(&j, raw.ncrc);
	why = radio_take(&j, &raw, &raw.tx.radio);
	if (!why)
		why = data_take(&j, &raw, &raw.tx);
	if (!why)
		*ret = raw.tx;
	return why;
}
