/** @file 2400-2480 MHz, as Semtech proposed it: LoRa of 812 kHz with long interleaving, frequencies in steps of 200 Hz.
 * [Physical layer proposal 2.4 GHz, Semtech 2019] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 123, 248, 248, 248, 248, 248, 248 }, { 59, 123, 248, 248, 248, 248, 248, 248 } },
		{ { 59, 123, 228, 228, 228, 228, 228, 228 }, { 59, 123, 228, 228, 228, 228, 228, 228 } },
	} },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_LESS_6_7, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 7, 100 } };

#define LORA_812                                                                                             \
	LORA_LI(12, 812), LORA_LI(11, 812), LORA_LI(10, 812), LORA_LI(9, 812), LORA_LI(8, 812), LORA_LI(7, 812), \
		LORA_LI(6, 812), LORA_LI(5, 812)

const struct region region_ism2400 = {
	.id = "ISM_2400",
	.name = "ISM2400",
	DEFINED_CHANNELS,
	.min_hz = 2400000000,
	.max_hz = 2480000000,
	.freq_step_hz = 200,
	.up = { LORA_812, NO_DRS_8 },
	.down = { LORA_812, NO_DRS_8 },
	OWN_TABLES,
	.runs = {
		{ .first = 0, .n = 2, .max_dr = 7, .join_max_dr = 7, .first_hz = 2403000000, .step_hz = 22000000 },
		{ .first = 2, .n = 1, .max_dr = 7, .join_max_dr = 7, .first_hz = 2479000000 },
	},
	.n_runs = 2,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 2423000000,
	.adr_min_dr = 0,
	.adr_max_dr = 7,
	.backoff_dr = { BACKOFF_0_5, 5, 6, NO_BACK_8 },
	.bands = { { 2400000000, 2500000000, 1000000, 101 } },
	.n_bands = 1,
	DELAYS_AND_ADR,
	.beacon = { 2424000000, 0, 1, 3 },
	.ping_slot = { 2424000000, 0, 1, 3 },
	.beacon_bytes = 17,
};
