/** @file KR 920-923 MHz. [RP002-1.0.4 2.11]
 *
 * Devices may radiate 14 dBm from 922.1 MHz on and 10 dBm below, gateways 16.15 dBm everywhere. */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250 }, { 59, 59, 59, 123, 250, 250 } },
		{ { 59, 59, 59, 123, 230, 230 }, { 59, 59, 59, 123, 230, 230 } },
	} },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_NONE_2, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 7, 140 } };

const struct region region_kr920 = {
	.id = "KR_920_923",
	.name = "KR920",
	DEFINED_CHANNELS,
	.min_hz = 920900000,
	.max_hz = 923300000,
	.up = { LORA_125, NO_DR, NO_DR, NO_DRS_8 },
	.down = { LORA_125, NO_DR, NO_DR, NO_DRS_8 },
	OWN_TABLES,
	.runs = { { .first = 0, .n = 3, .max_dr = 5, .join_max_dr = 5, .first_hz = 922100000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 921900000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, NO_BACK_2, NO_BACK_8 },
	/* Up to 923.4 MHz, as 923.3 MHz is a channel. */
	.bands = { { 920000000, 923400000, 1000000, 161 } },
	.n_bands = 1,
	DELAYS_AND_ADR,
	.beacon = { 923100000, 0, 1, 3 },
	.ping_slot = { 923100000, 0, 1, 3 },
	.beacon_bytes = 17,
};
