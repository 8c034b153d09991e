/** @file AS 923 MHz, its four groups, which differ in frequencies only, and what some countries allow. [RP002-1.0.4 2.10]
 *
 * The share of an hour is the 1 % that is common in those countries; Japan's rule is to listen before talk instead. RX1 may be
 * on any channel of a plan, so every frequency of the group is in a sub-band, not just those of its first channels. */
#include "proto/region/tables.h"

#define M_FREE(dr2, top) { 59, 59, dr2, 123, top, top, top, top }
#define M_DWELL(top)     { 0, 0, 19, 61, 133, top, top, top }
static const struct region_limits limits[] = {
	{ RP_1_0_0, { { M_FREE(59, 250), M_DWELL(250) }, { M_FREE(59, 230), M_DWELL(250) } } },
	{ RP_002_1_0_0, { { M_FREE(59, 250), M_DWELL(250) }, { M_FREE(59, 230), M_DWELL(230) } } },
	{ RP_002_1_0_1, { { M_FREE(123, 250), M_DWELL(250) }, { M_FREE(123, 230), M_DWELL(230) } } },
};

/* Before RP002 a rule: uplink data rate less offset (6 and 7: plus 1 and 2), at least 0, or 2 under the dwell time, and at
 * most 5. From then on a table that goes up to 7. */
static const struct region_rx1 rx1[] = {
	{ RP_1_0_0, {
		{
			RX1_8(0, 0, 0, 0, 0, 0, 1, 2), RX1_8(1, 0, 0, 0, 0, 0, 2, 3), RX1_8(2, 1, 0, 0, 0, 0, 3, 4),
			RX1_8(3, 2, 1, 0, 0, 0, 4, 5), RX1_8(4, 3, 2, 1, 0, 0, 5, 5), RX1_8(5, 4, 3, 2, 1, 0, 5, 5),
			RX1_8(5, 5, 4, 3, 2, 1, 5, 5), RX1_8(5, 5, 5, 4, 3, 2, 5, 5), RX1_NONE_8,
		},
		{
			RX1_8(2, 2, 2, 2, 2, 2, 2, 2), RX1_8(2, 2, 2, 2, 2, 2, 2, 3), RX1_8(2, 2, 2, 2, 2, 2, 3, 4),
			RX1_8(3, 2, 2, 2, 2, 2, 4, 5), RX1_8(4, 3, 2, 2, 2, 2, 5, 5), RX1_8(5, 4, 3, 2, 2, 2, 5, 5),
			RX1_8(5, 5, 4, 3, 2, 2, 5, 5), RX1_8(5, 5, 5, 4, 3, 2, 5, 5), RX1_NONE_8,
		},
	} },
	{ RP_002_1_0_0, {
		{
			RX1_8(0, 0, 0, 0, 0, 0, 1, 2), RX1_8(1, 0, 0, 0, 0, 0, 2, 3), RX1_8(2, 1, 0, 0, 0, 0, 3, 4),
			RX1_8(3, 2, 1, 0, 0, 0, 4, 5), RX1_8(4, 3, 2, 1, 0, 0, 5, 6), RX1_8(5, 4, 3, 2, 1, 0, 6, 7),
			RX1_8(6, 5, 4, 3, 2, 1, 7, 7), RX1_8(7, 6, 5, 4, 3, 2, 7, 7), RX1_NONE_8,
		},
		{
			RX1_8(2, 2, 2, 2, 2, 2, 2, 2), RX1_8(2, 2, 2, 2, 2, 2, 2, 3), RX1_8(2, 2, 2, 2, 2, 2, 3, 4),
			RX1_8(3, 2, 2, 2, 2, 2, 4, 5), RX1_8(4, 3, 2, 2, 2, 2, 5, 6), RX1_8(5, 4, 3, 2, 2, 2, 6, 7),
			RX1_8(6, 5, 4, 3, 2, 2, 7, 7), RX1_8(7, 6, 5, 4, 3, 2, 7, 7), RX1_NONE_8,
		},
	} },
};

static const struct region_powers powers[] = { { RP_1_0_0, 5, 140 }, { RP_1_0_2_B, 7, 160 } };

/* What devices begin with was never agreed on for downlinks, but by those of 1.0.2 rev. B. */
static const struct region_boot boot[] = {
	{ RP_1_0_0, DWELL_UNKNOWN, DWELL_UNKNOWN },
	{ RP_1_0_2_B, DWELL_ON, DWELL_ON },
	{ RP_1_0_3_A, DWELL_ON, DWELL_UNKNOWN },
};

#define AS923(id_, name_, first_hz_)                                                                         \
	.id = id_, .name = name_, DEFINED_CHANNELS, OWN_TABLES, .has_tx_param_setup = true,                      \
	.up = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 },                                                  \
	.down = { LORA_125, LORA(7, 250), FSK(50000), NO_DRS_8 }, .boot = boot, .n_boot = COUNT(boot),           \
	.up_dwell_ms = 400, .down_dwell_ms = 400,                                                                \
	.runs = { { .first = 0, .n = 2, .max_dr = 5, .join_min_dr = 2, .join_max_dr = 5, .first_hz = first_hz_,  \
		.step_hz = 200000 } },                                                                               \
	.n_runs = 1, .rx1_offset_max = 7, .rx2_dr = 2, .rx2_hz = first_hz_,                                      \
	.adr_min_dr = 0, .adr_max_dr = 5, .backoff_dr = { BACKOFF_0_5, 5, 6, NO_BACK_8 }, DELAYS_AND_ADR,        \
	.beacon = { (first_hz_) + 200000, 0, 1, 3 }, .ping_slot = { (first_hz_) + 200000, 0, 1, 3 },             \
	.beacon_bytes = 17

#define GROUP_1 AS923("AS_923", "AS923-1", 923200000), .min_hz = 915000000, .max_hz = 928000000

const struct region region_as923 = {
	GROUP_1,
	.bands = {
		{ 915000000, 923000000, 10000, 160 },
		{ 923000000, 923500000, 10000, 160 },
		{ 923500000, 928000000, 10000, 160 },
	},
	.n_bands = 3,
};

const struct region region_as923_au = {
	GROUP_1,
	.bands = { { 915000000, 928000000, 1000000, 300 } },
	.n_bands = 1,
};

const struct region region_as923_jp = {
	GROUP_1,
	.bands = { { 920500000, 923500000, 1000000, 160 } },
	.n_bands = 1,
};

const struct region region_as923_jp_land = {
	GROUP_1,
	.bands = { { 920500000, 923500000, 1000000, 270 } },
	.n_bands = 1,
};

const struct region region_as923_2 = {
	AS923("AS_923_2", "AS923-2", 921400000),
	.min_hz = 920000000,
	.max_hz = 923000000,
	.bands = {
		{ 920000000, 921400000, 10000, 160 },
		{ 921400000, 922000000, 10000, 160 },
		{ 922000000, 923000000, 10000, 160 },
	},
	.n_bands = 3,
};

const struct region region_as923_3 = {
	AS923("AS_923_3", "AS923-3", 916600000),
	.min_hz = 915000000,
	.max_hz = 921000000,
	.bands = {
		{ 915000000, 916500000, 10000, 160 },
		{ 916500000, 917000000, 10000, 160 },
		{ 917000000, 921000000, 10000, 160 },
	},
	.n_bands = 3,
};

const struct region region_as923_4 = {
	AS923("AS_923_4", "AS923-4", 917300000),
	.min_hz = 917000000,
	.max_hz = 920000000,
	.bands = { { 917000000, 920000000, 10000, 160 } },
	.n_bands = 1,
};
