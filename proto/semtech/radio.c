/** @file `modu` and `datr`: how rxpk and txpk write a data rate. */
#include "common/core/err.h"
#include "common/core/json_out.h"
#include "proto/semtech/semtech.h"
#include <string.h>

static const char *const modu_words[RADIO_N] = {
	[RADIO_LORA] = "LORA",
	[RADIO_FSK] = "FSK",
	[RADIO_LR_FHSS] = "LR-FHSS",
};

enum { SF_MIN = 5, SF_MAX = 12, BIT_RATE_MIN = 500, BIT_RATE_MAX = 300000 };
enum { BW_MIN_HZ = 7800, BW_MAX_HZ = 2000000 };

const char *radio_modu(enum radio_kind kind)
{
	return modu_words[kind];
}

int radio_modu_read(struct str modu, enum radio_kind *ret)
{
	for (unsigned i = 0; i < RADIO_N; i++)
		if (str_is(modu, modu_words[i])) {
			*ret = (enum radio_kind)i;
			return 0;
		}
	return SEMTECH_E_MODU;
}

void radio_datr_text(struct text *t, const struct radio *r)
{
	switch (r->kind) {
	case RADIO_LORA:
		text_puts(t, "SF");
		text_u64(t, r->sf);
		text_puts(t, "BW");
		text_decimal(t, r->bw_hz, 3);
		break;
	case RADIO_FSK: text_u64(t, r->bit_rate); break;
	default:
		text_puts(t, "M0CW");
		text_u64(t, r->bw_hz / 1000);
		break;
	}
}

/** A width in kHz, as it stands in the name of a data rate. */
static int width_read(struct str khz, uint32_t *ret_hz)
{
	int64_t hz;
	if (!khz.n || khz.p[0] < '0' || khz.p[0] > '9' || num_decimal(khz, 3, &hz) || hz < BW_MIN_HZ ||
		hz > BW_MAX_HZ)
		return SEMTECH_E_DATR;
	*ret_hz = (uint32_t)hz;
	return 0;
}

static struct str str_from(struct str s, size_t n)
{
	return (struct str){s.p + n, s.n - n};
}

static int lora_read(struct str datr, struct radio *ret)
{
	struct str sf;
	uint64_t n;
	if (!str_starts(datr, "SF"))
		return SEMTECH_E_DATR;
	struct str width = str_cut(str_from(datr, 2), 'B', &sf);
	if (num_u64(sf, &n) || n < SF_MIN || n > SF_MAX || !str_starts(width, "W"))
		return SEMTECH_E_DATR;
	ret->sf = (uint32_t)n;
	return width_read(str_from(width, 1), &ret->bw_hz);
}

static int lr_fhss_read(struct str datr, struct radio *ret)
{
	struct str mode;
	if (!str_starts(datr, "M"))
		return SEMTECH_E_DATR;
	struct str width = str_cut(datr, 'C', &mode);
	return str_starts(width, "W") ? width_read(str_from(width, 1), &ret->bw_hz) : SEMTECH_E_DATR;
}

int radio_datr_read(struct str datr, enum radio_kind kind, struct radio *ret)
{
	struct radio r = *ret;
	uint64_t n = 0;
	int why = 0;
	r.kind = kind;
	if (kind == RADIO_LORA)
		why = lora_read(datr, &r);
	else if (kind == RADIO_LR_FHSS)
		why = lr_fhss_read(datr, &r);
	else if (num_u64(datr, &n) || n < BIT_RATE_MIN || n > BIT_RATE_MAX)
		why = SEMTECH_E_DATR;
	else
		r.bit_rate = (uint32_t)n;
	if (!why)
		*ret = r;
	return why;
}

bool radio_codr_is_sendable(const char *codr)
{
	static const char *const known[] = {"4/5", "4/6", "4/7", "4/8", "2/3", "1/2"};
	for (size_t i = 0; i < COUNT(known); i++)
		if (!strcmp(codr, known[i]))
			return true;
	return false;
}

void radio_freq_write(struct text *t, uint32_t freq_hz)
{
	char buf[24];
	struct text mhz = text_fixed(buf, sizeof buf);
	text_printf(&mhz, "%u.%06u", freq_hz / 1000000, freq_hz % 1000000);
	json_name(t, "freq");
	json_raw_out(t, text_str(&mhz));
}

void radio_write(struct text *t, const struct radio *r)
{
	char buf[24];
	struct text datr = text_fixed(buf, sizeof buf);
	radio_datr_text(&datr, r);
	json_name(t, "modu");
	json_puts(t, radio_modu(r->kind));
	json_name(t, "datr");
	if (r->kind == RADIO_FSK)
		json_raw_out(t, text_str(&datr));
	else
		json_str(t, text_str(&datr));
	if (r->codr[0]) {
		json_name(t, "codr");
		json_puts(t, r->codr);
	}
}
