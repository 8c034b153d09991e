/** @file CN 779-787 MHz, no longer in the regional parameters since RP002-1.0.4. [RP002-1.0.3 2.6] */
#include "proto/region/tables.h"

/* 250 under data rate 6 for repeaters is how 1.0.3 rev. A has it. */
static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250 }, { 59, 59, 59, 123, 250, 250, 250, 250 } },
		{ { 59, 59, 59, 123, 230, 230, 250, 230 }, { 59, 59, 59, 123, 230, 230, 250, 230 } },
	} },
	{ RP_002_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250 }, { 59, 59, 59, 123, 250, 250, 250, 250 } },
		{ { 59, 59, 59, 123, 230, 230, 230, 230 }, { 59, 59, 59, 123, 230, 230, 230, 230 } },
	} },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_LESS_6_7, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 5, 121 } };

const struct region region_cn779 = {
	.id = "CN_779_787",
	.name = "CN779",
	DEFINED_CHANNELS,
	.min_hz = 779500000,
	.max_hz = 786500000,
	.up = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	.down = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },
	OWN_TABLES,
	.runs = { { .first = 0, .n = 3, .max_dr = 5, .join_max_dr = 5, .first_hz = 779500000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 786000000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, 5, 6, NO_BACK_8 },
	.bands = { { 779000000, 787000000, 10000, 121 } },
	.n_bands = 1,
	DELAYS_AND_ADR,
	.beacon = { 785000000, 0, 1, 3 },
	.ping_slot = { 785000000, 0, 1, 3 },
	.beacon_bytes = 17,
};
