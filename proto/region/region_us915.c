/** @file US 902-928 MHz: 64 channels of 125 kHz and 8 of 500 kHz up, 8 of 500 kHz down. [RP002-1.0.4 2.5; FCC 15.247]
 *
 * A frame may be on air for 400 ms, which the payload limits keep: no command tells it to a device. */
#include "proto/region/tables.h"

#define M_UP(top)   { 19, 61, 133, top, top, 58, 133 }
#define M_UP_2(top) { M_UP(top), M_UP(top) }
static const struct region_limits up_limits[] = {
	{ RP_1_0_0, { M_UP_2(250), M_UP_2(250) } },
	{ RP_002_1_0_0, { M_UP_2(250), M_UP_2(230) } },
};

#define M_DOWN(a, b, top)   { 0, 0, 0, 0, 0, 0, 0, 0, a, b, top, top, top, top }
#define M_DOWN_2(a, b, top) { M_DOWN(a, b, top), M_DOWN(a, b, top) }
static const struct region_limits down_limits[] = {
	{ RP_1_0_0, { M_DOWN_2(61, 137, 250), M_DOWN_2(41, 117, 230) } },
	{ RP_002_1_0_0, { M_DOWN_2(61, 137, 250), M_DOWN_2(61, 137, 230) } },
};

#define RX1_ROWS                                                                                             \
	{                                                                                                        \
		RX1_4(10, 9, 8, 8), RX1_4(11, 10, 9, 8), RX1_4(12, 11, 10, 9), RX1_4(13, 12, 11, 10),                \
			RX1_4(13, 13, 12, 11), RX1_4(10, 9, 8, 8), RX1_4(11, 10, 9, 8), RX1_NONE, RX1_NONE_8,            \
	}
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 10, 300 }, { RP_1_0_3_A, 14, 300 } };

const struct region region_us915 = {
	.id = "US_902_928",
	.name = "US915",
	.is_fixed = true,
	.min_hz = 902300000,
	.max_hz = 927500000,
	.up = {
		LORA(10, 125), LORA(9, 125), LORA(8, 125), LORA(7, 125), LORA(8, 500),
		LR_FHSS(CR_1_3, 1523), LR_FHSS(CR_2_3, 1523), NO_DR, NO_DRS_8,
	},
	.down = { NO_DRS_8, LORA_500, NO_DR, NO_DR },
	.dr_since = { [5] = RP_002_1_0_2, [6] = RP_002_1_0_2 },
	.up_limits = up_limits,
	.n_up_limits = COUNT(up_limits),
	.down_limits = down_limits,
	.n_down_limits = COUNT(down_limits),
	.rx1 = rx1,
	.n_rx1 = COUNT(rx1),
	.powers = powers,
	.n_powers = COUNT(powers),
	.up_dwell_ms = 400,
	.runs = {
		{ .first = 0, .n = 64, .max_dr = 3, .first_hz = 902300000, .step_hz = 200000 },
		{ .first = 64, .n = 8, .min_dr = 4, .max_dr = 4, .join_min_dr = 4, .join_max_dr = 4, .top_dr = 6,
			.first_hz = 903000000, .step_hz = 1600000 },
	},
	.n_runs = 2,
	.down_run = { .first = 0, .n = 8, .min_dr = 8, .max_dr = 13, .first_hz = 923300000, .step_hz = 600000 },
	.rx1_channel = RX1_MODULO,
	.cf_list = CF_LIST_MASKS,
	.cf_list_since = RP_1_0_3_A,
	.max_channels = 72,
	.chmask = CHMASK_72,
	.chmask5_since = RP_1_0_2_B,
	.rx1_offset_max = 3,
	.rx2_dr = 8,
	.rx2_hz = 923300000,
	.adr_min_dr = 0,
	.adr_max_dr = 3, /* a sub-band has but one channel of 500 kHz: not for everyone who is near */
	.backoff_dr = { DR_NONE, 0, 1, 2, 3, 0, 5, DR_NONE, NO_BACK_8 },
	.bands = { { 902000000, 915000000, 1000000, 231 }, { 923000000, 928000000, 1000000, 281 } },
	.n_bands = 2,
	DELAYS_AND_ADR,
	.beacon = { 923300000, 600000, 8, 8 },
	.ping_slot = { 923300000, 600000, 8, 8 },
	.beacon_bytes = 23,
};
