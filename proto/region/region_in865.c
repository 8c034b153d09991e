/** @file IN 865-867 MHz. [RP002-1.0.4 2.12] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 0, 250 }, { 59, 59, 59, 123, 250, 250, 0, 250 } },
		{ { 59, 59, 59, 123, 230, 230, 0, 230 }, { 59, 59, 59, 123, 230, 230, 0, 230 } },
	} },
};

/* Offsets 6 and 7 are 1 and 2 data rates up. There is no data rate 6, so what would be 6 is 5. */
#define RX1_ROWS                                                                                             \
	{                                                                                                        \
		RX1_8(0, 0, 0, 0, 0, 0, 1, 2), RX1_8(1, 0, 0, 0, 0, 0, 2, 3), RX1_8(2, 1, 0, 0, 0, 0, 3, 4),         \
			RX1_8(3, 2, 1, 0, 0, 0, 4, 5), RX1_8(4, 3, 2, 1, 0, 0, 5, 5), RX1_8(5, 4, 3, 2, 1, 0, 5, 7),     \
			RX1_NONE, RX1_8(7, 5, 5, 4, 3, 2, 7, 7), RX1_NONE_8,                                             \
	}
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 10, 300 } };

const struct region region_in865 = {
	.id = "IN_865_867",
	.name = "IN865",
	DEFINED_CHANNELS,
	.min_hz = 865000000,
	.max_hz = 867000000,
	.up = { LORA_125, NO_DR, FSK(50000), NO_DRS_8 },
	.down = { LORA_125, NO_DR, FSK(50000), NO_DRS_8 },
	OWN_TABLES,
	.runs = {
		{ .first = 0, .n = 2, .max_dr = 5, .join_max_dr = 5, .first_hz = 865062500, .step_hz = 340000 },
		{ .first = 2, .n = 1, .max_dr = 5, .join_max_dr = 5, .first_hz = 865985000 },
	},
	.n_runs = 2,
	.rx1_offset_max = 7,
	.rx2_dr = 2,
	.rx2_hz = 866550000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.backoff_dr = { BACKOFF_0_5, NO_BACK, 5, NO_BACK_8 },
	.bands = { { 865000000, 867000000, 1000000, 161 } },
	.n_bands = 1,
	DELAYS_AND_ADR,
	.beacon = { 866550000, 0, 1, 4 },
	.ping_slot = { 866550000, 0, 1, 4 },
	.beacon_bytes = 19,
};
