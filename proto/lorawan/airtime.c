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

uint32_t airtime_lora_us(const struct modu *m, size_t n_bytes, const struct airtime_form *form)
{
	if (!is_lora(m) || m->cr < CR_4_5 || m->cr > CR_4_8 || n_bytes > 4096)
		return 0;
	bool is_short = m->sf < 7; /* SF5 and SF6 have two more preamble symbols and two fewer header bits */
	bool ldro = (UINT64_C(1) << m->sf) * 1000000 >= (uint64_t)LDRO_SYMBOL_US * m->bw_hz;
	int64_t bits = 8 * (int64_t)n_bytes - 4 * m->sf + (is_short ? 20 : 28) + (form->has_crc ? 16 : 0) -
		       (form->is_implicit ? 20 : 0);
	uint64_t per_block = 4 * (uint64_t)(m->sf - (ldro ? 2 : 0));
	uint64_t symbols = 8 + (bits > 0 ? div_up((uint64_t)bits, per_block) * m->cr : 0);
	uint64_t quarters = 4 * (uint64_t)form->preamble + (is_short ? 25 : 17) + 4 * symbols;
	return (uint32_t)div_up(quarters * (UINT64_C(1) << m->sf) * 1000000, UINT64_C(4) * m->bw_hz);
}

/** Preamble 5, sync word 3, length 1, CRC 2 octets around the payload. */
static uint32_t airtime_fsk_us(const struct modu *m, size_t n_bytes)
{
	return m->bit_rate ? (uint32_t)div_up(8 * (UINT64_C(11) + n_bytes) * 1000000, m->bit_rate) : 0;
}

/** Header copies of 233.472 ms, payload fragments of 102.4 ms; fragments counted whole, so never too
 * short. */
static uint32_t airtime_lr_fhss_us(const struct modu *m, size_t n_bytes)
{
	if (m->cr == CR_1_3)
		return (uint32_t)(3 * UINT64_C(233472) + div_up(n_bytes + 3, 2) * 102400);
	if (m->cr == CR_2_3)
		return (uint32_t)(2 * UINT64_C(233472) + div_up(n_bytes + 3, 4) * 102400);
	return 0;
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
