/** @file RU 864-870 MHz. [RP002-1.0.4 2.13] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250 }, { 59, 59, 59, 123, 250, 250, 250, 250 } },
		{ { 59, 59, 59, 123, 230, 230, 230, 230 }, { 59, 59, 59, 123, 230, 230, 230, 230 } },
	} },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_LESS_6_7, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 7, 160 } };

const struct region region_ru864 = {
	.id = "RU_864_870",
	.name = "RU864",
	DEFINED_CHANNELS,
	.min_hz = 864000000,
	.max_hz = 870000000,
	.up = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	.down = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	OWN_TABLES,
	.runs = { { .first = 0, .n = 2, .max_dr = 5, .join_max_dr = 5, .first_hz = 868900000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 869100000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, 5, 6, NO_BACK_8 },
	.bands = {
		{ 864000000, 865000000, 1000, 161 },
		{ 866000000, 868000000, 10000, 161 },
		{ 868700000, 869200000, 100000, 221 },
	},
	.n_bands = 3,
	DELAYS_AND_ADR,
	.beacon = { 869100000, 0, 1, 3 },
	.ping_slot = { 868900000, 0, 1, 3 },
	.beacon_bytes = 17,
};
