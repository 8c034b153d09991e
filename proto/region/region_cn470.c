/** @file CN 470-510 MHz in both styles: 96 channels up and 48 down until RP002, and from RP002 on one of four plans, by the
 * antennas that a network has (20 or 26 MHz wide, A or B). A device finds out which by the channel on which its join-request was
 * answered, so each has join channels with windows of their own. [RP 1.0.3 rev. A 2.9; RP002-1.0.4 2.9]
 *
 * A frame may be on air for 1 s: that is in the payload limits of RP002, and DR0 has no room for anything there. */
#include "proto/region/tables.h"

#define M(top)  { 59, 59, 59, 123, top, top }
static const struct region_limits limits[] = {
	{ RP_1_0_0, { { M(250), M(250) }, { M(230), M(230) } } },
};
#define M_1S(top) { 0, 31, 94, 192, top, top, top, top }
static const struct region_limits limits_1s[] = {
	{ RP_002_1_0_0, { { M_1S(250), M_1S(250) }, { M_1S(230), M_1S(230) } } },
};

#define RX1_ROWS { RX1_LESS_0_5, RX1_NONE_2, RX1_NONE_8 }
static const struct region_rx1 rx1[] = { { RP_1_0_0, { RX1_ROWS, RX1_ROWS } } };

#define RX1_1S_ROWS                                                                                          \
	{                                                                                                        \
		RX1_6(0, 0, 0, 0, 0, 0), RX1_6(1, 1, 1, 1, 1, 1), RX1_6(2, 1, 1, 1, 1, 1), RX1_6(3, 2, 1, 1, 1, 1),  \
			RX1_6(4, 3, 2, 1, 1, 1), RX1_6(5, 4, 3, 2, 1, 1), RX1_LESS_6_7, RX1_NONE_8,                      \
	}
static const struct region_rx1 rx1_1s[] = { { RP_002_1_0_0, { RX1_1S_ROWS, RX1_1S_ROWS } } };

static const struct region_powers powers[] = { { RP_1_0_0, 7, 170 }, { RP_1_0_2_B, 7, 191 } };

static const struct region_join joins_20a[] = {
	{ 470900000, 484500000, 485300000 }, { 472500000, 486100000, 486900000 },
	{ 474100000, 487700000, 488500000 }, { 475700000, 489300000, 490100000 },
	{ 504100000, 490900000, 491700000 }, { 505700000, 492500000, 493300000 },
	{ 507300000, 494100000, 494900000 }, { 508900000, 495700000, 496500000 },
};
static const struct region_join joins_20b[] = {
	{ 479900000, 479900000, 478300000 },
	{ 499900000, 499900000, 498300000 },
};
static const struct region_join joins_26a[] = {
	{ 470300000, 492500000, 492500000 }, { 472300000, 492500000, 492500000 },
	{ 474300000, 492500000, 492500000 }, { 476300000, 492500000, 492500000 },
	{ 478300000, 492500000, 492500000 },
};
static const struct region_join joins_26b[] = {
	{ 480300000, 502500000, 502500000 }, { 482300000, 502500000, 502500000 },
	{ 484300000, 502500000, 502500000 }, { 486300000, 502500000, 502500000 },
	{ 488300000, 502500000, 502500000 },
};

#define CN470                                                                                                \
	.is_fixed = true, .min_hz = 470000000, .max_hz = 510000000, .powers = powers, .n_powers = COUNT(powers), \
	.cf_list = CF_LIST_MASKS, .rx1_offset_max = 5, .adr_max_dr = 5,                                          \
	.bands = { { 470000000, 510000000, 1000000, 191 } }, .n_bands = 1, DELAYS_AND_ADR, .beacon_bytes = 19

const struct region region_cn470 = {
	CN470,
	.id = "CN_470_510",
	.name = "CN470",
	.up = { LORA_125, NO_DR, NO_DR, NO_DRS_8 },
	.down = { LORA_125, NO_DR, NO_DR, NO_DRS_8 },
	.up_limits = limits,
	.n_up_limits = COUNT(limits),
	.down_limits = limits,
	.n_down_limits = COUNT(limits),
	.rx1 = rx1,
	.n_rx1 = COUNT(rx1),
	.runs = { { .first = 0, .n = 96, .max_dr = 5, .join_max_dr = 5, .first_hz = 470300000, .step_hz = 200000 } },
	.n_runs = 1,
	.down_run = { .first = 0, .n = 48, .max_dr = 5, .first_hz = 500300000, .step_hz = 200000 },
	.rx1_channel = RX1_MODULO,
	.cf_list_since = RP_1_0_3_A,
	.max_channels = 96,
	.chmask = CHMASK_96,
	.rx2_dr = 0,
	.rx2_hz = 505300000,
	.adr_min_dr = 0,
	.backoff_dr = { BACKOFF_0_5, NO_BACK_2, NO_BACK_8 },
	.beacon = { 508300000, 200000, 8, 2 },
	.ping_slot = { 508300000, 200000, 8, 2 },
};

/* The four plans of RP002. */
#define CN470_RP002                                                                                          \
	CN470, .up = { LORA_125, LORA(7, 500), FSK(50000), NO_DRS_8 },                                           \
	.down = { LORA_125, LORA(7, 500), FSK(50000), NO_DRS_8 }, .up_limits = limits_1s,                        \
	.n_up_limits = COUNT(limits_1s), .down_limits = limits_1s, .n_down_limits = COUNT(limits_1s),            \
	.rx1 = rx1_1s, .n_rx1 = COUNT(rx1_1s), .cf_list_since = RP_002_1_0_0, .rx2_dr = 1, .adr_min_dr = 1,      \
	.up_dwell_ms = 1000, .backoff_dr = { DR_NONE, DR_NONE, 1, 2, 3, 4, 5, 6, NO_BACK_8 }
#define RUN(first_, n_, hz)                                                                                  \
	{ .first = first_, .n = n_, .min_dr = 1, .max_dr = 5, .join_min_dr = 1, .join_max_dr = 5,                \
		.first_hz = hz, .step_hz = 200000 }

const struct region region_cn470_20a = {
	CN470_RP002,
	.id = "CN_470_510_20_A",
	.name = "CN470-20A",
	.runs = { RUN(0, 32, 470300000), RUN(32, 32, 503500000) },
	.n_runs = 2,
	.down_run = RUN(0, 64, 483900000),
	.rx1_channel = RX1_MODULO,
	.max_channels = 64,
	.chmask = CHMASK_64,
	.joins = joins_20a,
	.n_joins = COUNT(joins_20a),
	.rx2_hz = 486900000,
	/* Class B hops over eight channels that depend on the join channel. */
	.beacon = { .dr = 2 },
	.ping_slot = { .dr = 2 },
};

const struct region region_cn470_20b = {
	CN470_RP002,
	.id = "CN_470_510_20_B",
	.name = "CN470-20B",
	.runs = { RUN(0, 32, 476900000), RUN(32, 32, 496900000) },
	.n_runs = 2,
	.rx1_channel = RX1_SAME,
	.max_channels = 64,
	.chmask = CHMASK_64,
	.joins = joins_20b,
	.n_joins = COUNT(joins_20b),
	.rx2_hz = 498300000,
	/* Class B is on channel 23 or 55, by the join channel. */
	.beacon = { .dr = 2 },
	.ping_slot = { .dr = 2 },
};

const struct region region_cn470_26a = {
	CN470_RP002,
	.id = "CN_470_510_26_A",
	.name = "CN470-26A",
	.runs = { RUN(0, 48, 470300000) },
	.n_runs = 1,
	.down_run = RUN(0, 24, 490100000),
	.rx1_channel = RX1_MODULO,
	.max_channels = 48,
	.chmask = CHMASK_48,
	.joins = joins_26a,
	.n_joins = COUNT(joins_26a),
	.rx2_hz = 492500000,
	.beacon = { 494900000, 0, 1, 2 },
	.ping_slot = { 494900000, 0, 1, 2 },
};

const struct region region_cn470_26b = {
	CN470_RP002,
	.id = "CN_470_510_26_B",
	.name = "CN470-26B",
	.runs = { RUN(0, 48, 480300000) },
	.n_runs = 1,
	.down_run = RUN(0, 24, 500100000),
	.rx1_channel = RX1_MODULO,
	.max_channels = 48,
	.chmask = CHMASK_48,
	.joins = joins_26b,
	.n_joins = COUNT(joins_26b),
	.rx2_hz = 502500000,
	.beacon = { 504900000, 0, 1, 2 },
	.ping_slot = { 504900000, 0, 1, 2 },
};
