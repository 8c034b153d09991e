/** @file EU 863-870 MHz. [RP002-1.0.4 2.4; EN 300 220-2 tables B.1, ERC/REC 70-03 annex 1] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250, 58, 123, 58, 123 }, { 59, 59, 59, 123, 250, 250, 250, 250, 58, 123, 58, 123 } },
		{ { 59, 59, 59, 123, 230, 230, 230, 230, 58, 123, 58, 123 }, { 59, 59, 59, 123, 230, 230, 230, 230, 58, 123, 58, 123 } },
	} },
};

#define RX1_ROWS                                                                                             \
	{                                                                                                        \
		RX1_LESS_0_5, RX1_LESS_6_7, RX1_6(1, 0, 0, 0, 0, 0), RX1_6(2, 1, 0, 0, 0, 0),                        \
			RX1_6(1, 0, 0, 0, 0, 0), RX1_6(2, 1, 0, 0, 0, 0), RX1_NONE_4,                                    \
	}
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 5, 160 }, { RP_1_0_2_B, 7, 160 } };

const struct region region_eu868 = {
	.id = "EU_863_870",
	.name = "EU868",
	DEFINED_CHANNELS,
	.min_hz = 863000000,
	.max_hz = 870000000,
	.up = {
		LORA_125, LORA(7, 250), FSK(50000),
		LR_FHSS(CR_1_3, 137), LR_FHSS(CR_2_3, 137), LR_FHSS(CR_1_3, 336), LR_FHSS(CR_2_3, 336), NO_DRS_4,
	},
	.down = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	.dr_since = { [8] = RP_002_1_0_2, [9] = RP_002_1_0_2, [10] = RP_002_1_0_2, [11] = RP_002_1_0_2 },
	OWN_TABLES,
	.runs = { { .first = 0, .n = 3, .max_dr = 5, .join_max_dr = 5, .first_hz = 868100000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 869525000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, 5, 6, 0, 8, 0, 10, NO_BACK_4 },
	.bands = {
		{ 863000000, 865000000, 1000, 161 },
		{ 865000000, 868000000, 10000, 161 },
		{ 868000000, 868600000, 10000, 161 },
		{ 868700000, 869200000, 1000, 161 },
		{ 869400000, 869650000, 100000, 291 },
		{ 869700000, 870000000, 10000, 161 },
	},
	.n_bands = 6,
	DELAYS_AND_ADR,
	.beacon = { 869525000, 0, 1, 3 },
	.ping_slot = { 869525000, 0, 1, 3 },
	.beacon_bytes = 17,
};
