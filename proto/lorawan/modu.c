/** @file Modulations in the words of packet forwarders. */
#include "proto/lorawan/modu.h"

bool modu_eq(const struct modu *a, const struct modu *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case MODU_LORA: return a->sf == b->sf && a->bw_hz == b->bw_hz;
	case MODU_FSK: return a->bit_rate == b->bit_rate;
	case MODU_LR_FHSS: return a->cr == b->cr && a->bw_hz == b->bw_hz;
	default: return false;
	}
}

int modu_floor_ddb(const struct modu *m)
{
	/* SF7 needs -7.5 dB, each step of spreading 2.5 dB less [SX1276 data sheet, table 13]. */
	return m->kind == MODU_LORA ? -75 - 25 * ((int)m->sf - 7) : 0;
}

void modu_datr(struct text *t, const struct modu *m)
{
	switch (m->kind) {
	case MODU_LORA: text_printf(t, "SF%uBW", m->sf), text_decimal(t, m->bw_hz, 3); break;
	case MODU_FSK: text_u64(t, m->bit_rate); break;
	case MODU_LR_FHSS: text_printf(t, "M0CW%u", (unsigned)(m->bw_hz / 1000)); break;
	default: break;
	}
}

/** Cut a prefix off. */
static bool prefix_take(struct str *s, const char *prefix)
{
	if (!str_starts(*s, prefix))
		return false;
	size_t n = str_of(prefix).n;
	s->p += n, s->n -= n;
	return true;
}

static int khz_parse(struct str s, uint32_t *ret_hz)
{
	int64_t hz;
	if (num_decimal(s, 3, &hz) || hz < 1000 || hz > 10000000)
		return -EINVAL;
	*ret_hz = (uint32_t)hz;
	return 0;
}

static int lora_parse(struct str s, struct modu *ret)
{
	size_t digits = 0;
	while (digits < s.n && s.p[digits] != 'B')
		digits++;
	uint64_t sf;
	if (num_u64((struct str){ s.p, digits }, &sf) || sf < 5 || sf > 12)
		return -EINVAL;
	s.p += digits, s.n -= digits;
	struct modu m = { .kind = MODU_LORA, .sf = (uint8_t)sf, .cr = CR_4_5 };
	if (!prefix_take(&s, "BW"))
		return -EINVAL;
	TRY(khz_parse(s, &m.bw_hz));
	*ret = m;
	return 0;
}

int modu_parse(struct str datr, struct modu *ret)
{
	if (prefix_take(&datr, "SF"))
		return lora_parse(datr, ret);
	if (prefix_take(&datr, "M0CW")) {
		struct modu m = { .kind = MODU_LR_FHSS, .cr = CR_1_3 };
		TRY(khz_parse(datr, &m.bw_hz));
		*ret = m;
		return 0;
	}
	uint64_t rate;
	if (num_u64(datr, &rate) || rate < 500 || rate > 1000000)
		return -EINVAL;
	*ret = (struct modu){ .kind = MODU_FSK, .bit_rate = (uint32_t)rate };
	return 0;
}

const char *modu_codr(const struct modu *m)
{
	switch (m->cr) {
	case CR_4_5: return "4/5";
	case CR_4_6: return "4/6";
	case CR_4_7: return "4/7";
	case CR_4_8: return "4/8";
	case CR_4_5_LI: return "4/5LI";
	case CR_4_6_LI: return "4/6LI";
	case CR_4_8_LI: return "4/8LI";
	case CR_1_3: return "1/3";
	case CR_2_3: return "2/3";
	default: return "";
	}
}

int modu_parse_codr(struct str codr, struct modu *m)
{
	static const struct {
		const char *word;
		uint8_t lora, lr_fhss;
	} words[] = {
		{ "4/5", CR_4_5, 0 },
		{ "4/6", CR_4_6, CR_2_3 },
		{ "2/3", CR_4_6, CR_2_3 },
		{ "4/7", CR_4_7, 0 },
		{ "4/8", CR_4_8, 0 },
		{ "1/2", CR_4_8, 0 },
		{ "4/5LI", CR_4_5_LI, 0 },
		{ "4/6LI", CR_4_6_LI, 0 },
		{ "4/7LI", CR_4_8_LI, 0 },
		{ "4/8LI", CR_4_8_LI, 0 },
		{ "1/3", 0, CR_1_3 },
		{ "2/6", 0, CR_1_3 },
	};
	for (size_t i = 0; i < COUNT(words); i++) {
		uint8_t cr = m->kind == MODU_LORA      ? words[i].lora
			     : m->kind == MODU_LR_FHSS ? words[i].lr_fhss
						       : 0;
		if (!cr || !str_is(codr, words[i].word))
			continue;
		m->cr = cr;
		return 0;
	}
	return -EINVAL;
}
