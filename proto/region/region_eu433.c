/** @file EU 433 MHz. [RP002-1.0.4 2.7; ERC/REC 70-03 annex 1, band f] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250 }, { 59, 59, 59, 123, 250, 250, 250, 250 } },
		{ { 59, 59, 59, 123, 230, 230, 230, 230 }, { 59, 59, 59, 123, 230, 230, 230, 230 } },
	} },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_LESS_6_7, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 5, 121 } };

const struct region region_eu433 = {
	.id = "EU_433",
	.name = "EU433",
	DEFINED_CHANNELS,
	.min_hz = 433175000,
	.max_hz = 434665000,
	.up = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	.down = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	OWN_TABLES,
	.runs = { { .first = 0, .n = 3, .max_dr = 5, .join_max_dr = 5, .first_hz = 433175000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 434665000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, 5, 6, NO_BACK_8 },
	.bands = { { 433050000, 434790000, 100000, 121 } },
	.n_bands = 1,
	DELAYS_AND_ADR,
	.beacon = { 434665000, 0, 1, 3 },
	.ping_slot = { 434665000, 0, 1, 3 },
	.beacon_bytes = 17,
};
