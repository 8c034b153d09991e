/** @file EU 863-870 MHz. [RP002-1.0.4 2.4; EN 300 220-2 tables B.1, ERC/REC 70-03 annex 1] */
#include "proto/region/tables.h"

static const struct region_limits limits[] = {
	{ RP_1_0_0, {
		{ { 59, 59, 59, 123, 250, 250, 250, 250, 58, 123, 58, 123 }, { 59, 59, 59, 123, 250, 250, 250, 250, 58, 123, 58, 123 } },
		{ { 59, 59, 59, 123, 230, 230, 230, 230, 58, 123, 58, 123 }, { 59, 59, 59, 123, 230, 230, 230, 230, 58, 123, 58, 123 } },
	} },
};

#define RX1_ROWS                                                                                                          \
	{                                                                                                                 \
		RX1_ROW(0, 0, 0, 0, 0, 0), RX1_ROW(1, 0, 0, 0, 0, 0), RX1_ROW(2, 1, 0, 0, 0, 0),                          \
		RX1_ROW(3, 2, 1, 0, 0, 0), RX1_ROW(4, 3, 2, 1, 0, 0), RX1_ROW(5, 4, 3, 2, 1, 0),                          \
		RX1_ROW(6, 5, 4, 3, 2, 1), RX1_ROW(7, 6, 5, 4, 3, 2), RX1_ROW(1, 0, 0, 0, 0, 0),                          \
		RX1_ROW(2, 1, 0, 0, 0, 0), RX1_ROW(1, 0, 0, 0, 0, 0), RX1_ROW(2, 1, 0, 0, 0, 0),                          \
		RX1_ROW_NONE, RX1_ROW_NONE, RX1_ROW_NONE, RX1_ROW_NONE,                                                   \
	}
#define RX1_ROW(a, b, c, d, e, f) { a, b, c, d, e, f, DR_NONE, DR_NONE }
static const struct region_rx1 rx1[] = {
	{ RP_1_0_0, { RX1_ROWS, RX1_ROWS } },
};

static const struct region_powers powers[] = {
	{ RP_1_0_0, 5 },
	{ RP_1_0_2_B, 7 },
};

const struct region region_eu868 = {
	.id = "EU_863_870",
	.name = "EU868",
	.has_new_channel = true,
	.min_hz = 863000000,
	.max_hz = 870000000,
	.up = {
		LORA(12, 125), LORA(11, 125), LORA(10, 125), LORA(9, 125), LORA(8, 125), LORA(7, 125), LORA(7, 250), FSK(50000),
		LR_FHSS(CR_1_3, 137), LR_FHSS(CR_2_3, 137), LR_FHSS(CR_1_3, 336), LR_FHSS(CR_2_3, 336),
		NO_DR, NO_DR, NO_DR, NO_DR,
	},
	.down = {
		LORA(12, 125), LORA(11, 125), LORA(10, 125), LORA(9, 125), LORA(8, 125), LORA(7, 125), LORA(7, 250), FSK(50000),
		NO_DR, NO_DR, NO_DR, NO_DR, NO_DR, NO_DR, NO_DR, NO_DR,
	},
	.dr_since = { [8] = RP_002_1_0_2, [9] = RP_002_1_0_2, [10] = RP_002_1_0_2, [11] = RP_002_1_0_2 },
	.up_limits = limits,
	.n_up_limits = COUNT(limits),
	.down_limits = limits,
	.n_down_limits = COUNT(limits),
	.rx1 = rx1,
	.n_rx1 = COUNT(rx1),
	.powers = powers,
	.n_powers = COUNT(powers),
	.runs = { { .first = 0, .n = 3, .max_dr = 5, .join_max_dr = 5, .first_hz = 868100000, .step_hz = 200000 } },
	.n_runs = 1,
	.rx1_channel = RX1_SAME,
	.cf_list = CF_LIST_FREQUENCIES,
	.cf_list_since = RP_1_0_0,
	.max_channels = 16,
	.chmask = CHMASK_16,
	.rx1_offset_max = 5,
	.rx2_dr = 0,
	.rx2_hz = 869525000,
	.adr_min_dr = 0,
	.adr_max_dr = 5,
	.max_eirp_ddbm = 160,
	.bands = {
		{ 863000000, 865000000, 1000, 161 },
		{ 865000000, 868000000, 10000, 161 },
		{ 868000000, 868600000, 10000, 161 },
		{ 868700000, 869200000, 1000, 161 },
		{ 869400000, 869650000, 100000, 291 },
		{ 869700000, 870000000, 10000, 161 },
	},
	.n_bands = 6,
	.rx1_delay_s = 1,
	.join_delay_s = 5,
	.adr_ack_limit = 64,
	.adr_ack_delay = 32,
	.beacon_dr = 3,
	.ping_slot_dr = 3,
	.beacon_hz = 869525000,
	.ping_slot_hz = 869525000,
};
