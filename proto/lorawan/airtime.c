/** @file Time on air: the formulas of the transceivers' data sheets, on integers. */
#include "proto/lorawan/airtime.h"

/** From this symbol time on, low data rate optimisation is on. */
enum { LDRO_SYMBOL_US = 16384 };

static uint64_t div_up(uint64_t a, uint64_t b) { return (a + b - 1) / b; }

static bool is_lora(const struct modu *m)
{
	return m->kind == MODU_LORA && m->sf >= 5 && m->sf <= 12 && m->bw_hz > 0;
}

uint32_t airtime_symbol_us(const struct modu *m)
{
	return is_lora(m) ? (uint32_t)div_up((UINT64_C(1) << m->sf) * 1000000, m->bw_hz) : 0;
}

/** Quarters of symbols to microseconds, rounded up. */
static uint32_t quarters_us(const struct modu *m, uint64_t quarters)
{
	return (uint32_t)div_up(quarters * (UINT64_C(1) << m->sf) * 1000000, UINT64_C(4) * m->bw_hz);
}

/** SF5 and SF6 have two more symbols before the header. */
static uint64_t preamble_quarters(const struct modu *m, const struct airtime_form *form)
{
	return 4 * (uint64_t)form->preamble + (m->sf < 7 ? 25 : 17);
}

/** Long interleaving: the header's block takes what it has room for of the payload and is always 4/8; what is left is coded
 * as one, so its symbols are rounded up once and not by blocks. [SX1280 data sheet 7.4.4.2] */
static uint32_t airtime_li_us(const struct modu *m, size_t n_bytes, const struct airtime_form *form)
{
	enum { LI = 100 };
	uint64_t bits = 8 * (uint64_t)n_bytes, room = 8 * (((uint64_t)m->sf - (m->sf < 7 ? 5 : 7)) / 2);
	uint64_t left = bits + (form->has_crc ? 16 : 0) - (room < bits ? room : bits);
	uint64_t symbols = 8 + div_up(left * (m->cr - LI), 4 * (uint64_t)(m->sf - (m->sf > 10 ? 2 : 0)));
	return quarters_us(m, preamble_quarters(m, form) + 4 * symbols);
}

static bool is_long_interleaved(const struct modu *m)
{
	return m->cr == CR_4_5_LI || m->cr == CR_4_6_LI || m->cr == CR_4_8_LI;
}

uint32_t airtime_lora_us(const struct modu *m, size_t n_bytes, const struct airtime_form *form)
{
	if (!is_lora(m) || n_bytes > 4096)
		return 0;
	if (is_long_interleaved(m))
		return airtime_li_us(m, n_bytes, form);
	if (m->cr < CR_4_5 || m->cr > CR_4_8)
		return 0;
	bool ldro = (UINT64_C(1) << m->sf) * 1000000 >= (uint64_t)LDRO_SYMBOL_US * m->bw_hz;
	int64_t bits = 8 * (int64_t)n_bytes - 4 * m->sf + (m->sf < 7 ? 20 : 28) + (form->has_crc ? 16 : 0) -
		       (form->is_implicit ? 20 : 0);
	uint64_t per_block = 4 * (uint64_t)(m->sf - (ldro ? 2 : 0));
	uint64_t symbols = 8 + (bits > 0 ? div_up((uint64_t)bits, per_block) * m->cr : 0);
	return quarters_us(m, preamble_quarters(m, form) + 4 * symbols);
}

/** Preamble 5, sync word 3, length 1, CRC 2 octets around the payload. */
static uint32_t airtime_fsk_us(const struct modu *m, size_t n_bytes)
{
	return m->bit_rate ? (uint32_t)div_up(8 * (UINT64_C(11) + n_bytes) * 1000000, m->bit_rate) : 0;
}

/** The exact form, as Semtech's LR-FHSS modem counts (SWL2001, lr_fhss_mac.c), and not the application note's, which rounds
 * the last fragment up. Payload, its 2 octets of CRC and 6 tail bits are coded at the rate; each fragment of 48 coded bits, the
 * last one of however many, has 2 bits more; each copy of the header is 114 bits; a bit is 2.048 ms. */
static uint32_t airtime_lr_fhss_us(const struct modu *m, size_t n_bytes)
{
	enum { BIT_US = 2048, HEADER_BITS = 114, FRAGMENT_BITS = 48, FRAGMENT_EXTRA_BITS = 2 };
	uint64_t raw = ((uint64_t)n_bytes + 2) * 8 + 6, coded, headers;
	if (n_bytes > 4096 || (m->cr != CR_1_3 && m->cr != CR_2_3))
		return 0;
	headers = m->cr == CR_1_3 ? 3 : 2;
	coded = m->cr == CR_1_3 ? raw * 3 : raw * 3 / 2;
	coded += div_up(coded, FRAGMENT_BITS) * FRAGMENT_EXTRA_BITS;
	return (uint32_t)((headers * HEADER_BITS + coded) * BIT_US);
}

uint32_t airtime_us(const struct modu *m, size_t n_bytes, bool is_up)
{
	struct airtime_form form = { .preamble = LORA_PREAMBLE, .has_crc = is_up };
	switch (m->kind) {
	case MODU_LORA: return airtime_lora_us(m, n_bytes, &form);
	case MODU_FSK: return airtime_fsk_us(m, n_bytes);
	case MODU_LR_FHSS: return airtime_lr_fhss_us(m, n_bytes);
	default: return 0;
	}
}
