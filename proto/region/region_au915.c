/** @file AU 915-928 MHz: as US915, but for its data rates and a dwell time that devices are told of. [RP002-1.0.4 2.8]
 *
 * Until 1.0.2 rev. A its data rates were those of US915 (region_au915_old). Payload limits under the dwell time are what
 * fits 400 ms, in every version: it is the law and not the version that knows it. */
#include "proto/region/tables.h"

#define M_UP(top)       { 59, 59, 59, 123, top, top, top, 58 }
#define M_UP_DWELL(top) { 0, 0, 19, 61, 133, top, top, 58 }
static const struct region_limits up_limits[] = {
	{ RP_1_0_0, { { M_UP(250), M_UP_DWELL(250) }, { M_UP(230), M_UP_DWELL(250) } } },
	{ RP_002_1_0_0, { { M_UP(250), M_UP_DWELL(250) }, { M_UP(230), M_UP_DWELL(230) } } },
};
#define M_OLD_UP(top) { 59, 123, top, top, top }
static const struct region_limits old_up_limits[] = {
	{ RP_1_0_0, { { M_OLD_UP(250), M_OLD_UP(250) }, { M_OLD_UP(230), M_OLD_UP(230) } } },
};

#define M_DOWN(a, b, top)   { 0, 0, 0, 0, 0, 0, 0, 0, a, b, top, top, top, top }
#define M_DOWN_2(a, b, top) { M_DOWN(a, b, top), M_DOWN(a, b, top) }
static const struct region_limits down_limits[] = {
	{ RP_1_0_0, { M_DOWN_2(61, 137, 250), M_DOWN_2(41, 117, 230) } },
	{ RP_002_1_0_0, { M_DOWN_2(61, 137, 250), M_DOWN_2(61, 137, 230) } },
};

#define RX1_ROWS                                                                                             \
	{                                                                                                        \
		RX1_6(8, 8, 8, 8, 8, 8), RX1_6(9, 8, 8, 8, 8, 8), RX1_6(10, 9, 8, 8, 8, 8), RX1_6(11, 10, 9, 8, 8, 8), \
			RX1_6(12, 11, 10, 9, 8, 8), RX1_6(13, 12, 11, 10, 9, 8), RX1_6(13, 13, 12, 11, 10, 9),           \
			RX1_6(9, 8, 8, 8, 8, 8), RX1_NONE_8,                                                             \
	}
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

#define RX1_OLD_ROWS                                                                                         \
	{                                                                                                        \
		RX1_4(10, 9, 8, 8), RX1_4(11, 10, 9, 8), RX1_4(12, 11, 10, 9), RX1_4(13, 12, 11, 10),                \
			RX1_4(13, 13, 12, 11), RX1_NONE, RX1_NONE_2, RX1_NONE_8,                                         \
	}
static const struct region_rx1 old_rx1[] = { { RP_1_0_0, { RX1_OLD_ROWS, RX1_OLD_ROWS } } };

static const struct region_powers powers[] = {
	{ RP_1_0_0, 10, 300 },
	{ RP_1_0_3_A, 14, 300 },
	{ RP_1_1_0_A, 10, 300 },
	{ RP_1_1_0_B, 14, 300 },
};

static const struct region_boot boot[] = { { RP_1_0_0, DWELL_OFF, DWELL_OFF }, { RP_1_0_3_A, DWELL_ON, DWELL_OFF } };

#define AU915                                                                                                \
	.id = "AU_915_928", .name = "AU915", .is_fixed = true, .min_hz = 915200000, .max_hz = 927800000,         \
	.down = { NO_DRS_8, LORA_500, NO_DR, NO_DR }, .down_limits = down_limits,                                \
	.n_down_limits = COUNT(down_limits), .powers = powers, .n_powers = COUNT(powers), .n_runs = 2,           \
	.down_run = { .first = 0, .n = 8, .min_dr = 8, .max_dr = 13, .first_hz = 923300000, .step_hz = 600000 }, \
	.rx1_channel = RX1_MODULO, .cf_list = CF_LIST_MASKS, .cf_list_since = RP_1_0_3_A, .max_channels = 72,    \
	.chmask = CHMASK_72, .chmask5_since = RP_1_0_3_A, .rx2_dr = 8, .rx2_hz = 923300000, .adr_min_dr = 0,     \
	.bands = { { 915000000, 928000000, 1000000, 300 } }, .n_bands = 1, DELAYS_AND_ADR,                       \
	.beacon = { 923300000, 600000, 8, 8 }, .ping_slot = { 923300000, 600000, 8, 8 }, .beacon_bytes = 23

const struct region region_au915 = {
	AU915,
	.has_tx_param_setup = true,
	.tx_param_setup_since = RP_1_0_3_A,
	.up = { LORA_125, LORA(8, 500), LR_FHSS(CR_1_3, 1523), NO_DRS_8 },
	.dr_since = { [7] = RP_002_1_0_2 },
	.up_limits = up_limits,
	.n_up_limits = COUNT(up_limits),
	.rx1 = rx1,
	.n_rx1 = COUNT(rx1),
	.boot = boot,
	.n_boot = COUNT(boot),
	.up_dwell_ms = 400,
	.runs = {
		{ .first = 0, .n = 64, .max_dr = 5, .join_min_dr = 2, .join_max_dr = 2, .first_hz = 915200000, .step_hz = 200000 },
		{ .first = 64, .n = 8, .min_dr = 6, .max_dr = 6, .join_min_dr = 6, .join_max_dr = 6, .top_dr = 7,
			.first_hz = 915900000, .step_hz = 1600000 },
	},
	.rx1_offset_max = 5,
	.adr_max_dr = 5, /* a sub-band has but one channel of 500 kHz: not for everyone who is near */
	.backoff_dr = { BACKOFF_0_5, 5, 0, NO_BACK_8 },
};

const struct region region_au915_old = {
	AU915,
	.up = { LORA(10, 125), LORA(9, 125), LORA(8, 125), LORA(7, 125), LORA(8, 500), NO_DR, NO_DR, NO_DR, NO_DRS_8 },
	.up_limits = old_up_limits,
	.n_up_limits = COUNT(old_up_limits),
	.rx1 = old_rx1,
	.n_rx1 = COUNT(old_rx1),
	.runs = {
		{ .first = 0, .n = 64, .max_dr = 3, .first_hz = 915200000, .step_hz = 200000 },
		{ .first = 64, .n = 8, .min_dr = 4, .max_dr = 4, .join_min_dr = 4, .join_max_dr = 4,
			.first_hz = 915900000, .step_hz = 1600000 },
	},
	.rx1_offset_max = 3,
	.adr_max_dr = 3,
	.backoff_dr = { DR_NONE, 0, 1, 2, 3, NO_BACK, NO_BACK_2, NO_BACK_8 },
};
