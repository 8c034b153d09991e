/** @file Short words for the region tables; only for their files. */
#pragma once
#include "common/core/err.h"
#include "proto/region/region.h"

#define LORA(sf_, khz_)    { .kind = MODU_LORA, .sf = sf_, .cr = CR_4_5, .bw_hz = (khz_) * 1000 }
#define LORA_LI(sf_, khz_) { .kind = MODU_LORA, .sf = sf_, .cr = CR_4_8_LI, .bw_hz = (khz_) * 1000 }
#define FSK(rate_)         { .kind = MODU_FSK, .bit_rate = rate_ }
#define LR_FHSS(cr_, khz_) { .kind = MODU_LR_FHSS, .cr = cr_, .bw_hz = (khz_) * 1000 }
#define NO_DR              { .kind = MODU_NONE }
#define NO_DRS_4           NO_DR, NO_DR, NO_DR, NO_DR
#define NO_DRS_8           NO_DRS_4, NO_DRS_4

/* SF12 to SF7 at 125 kHz: data rates 0 to 5 of most regions; SF12 to SF7 at 500 kHz: 8 to 13 of US915 and AU915. */
#define LORA_125 LORA(12, 125), LORA(11, 125), LORA(10, 125), LORA(9, 125), LORA(8, 125), LORA(7, 125)
#define LORA_500 LORA(12, 500), LORA(11, 500), LORA(10, 500), LORA(9, 500), LORA(8, 500), LORA(7, 500)

/* Rows of RX1 data rates by offset: six offsets, four, eight. */
#define RX1_6(a, b, c, d, e, f)       { a, b, c, d, e, f, DR_NONE, DR_NONE }
#define RX1_4(a, b, c, d)             { a, b, c, d, DR_NONE, DR_NONE, DR_NONE, DR_NONE }
#define RX1_8(a, b, c, d, e, f, g, h) { a, b, c, d, e, f, g, h }
#define RX1_NONE                      { DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE, DR_NONE }
#define RX1_NONE_2                    RX1_NONE, RX1_NONE
#define RX1_NONE_4                    RX1_NONE_2, RX1_NONE_2
#define RX1_NONE_8                    RX1_NONE_4, RX1_NONE_4
/* Uplink data rate less offset, never below 0: data rates 0 to 5, and 6 and 7. */
#define RX1_LESS_0_5                                                                                         \
	RX1_6(0, 0, 0, 0, 0, 0), RX1_6(1, 0, 0, 0, 0, 0), RX1_6(2, 1, 0, 0, 0, 0), RX1_6(3, 2, 1, 0, 0, 0),      \
		RX1_6(4, 3, 2, 1, 0, 0), RX1_6(5, 4, 3, 2, 1, 0)
#define RX1_LESS_6_7 RX1_6(6, 5, 4, 3, 2, 1), RX1_6(7, 6, 5, 4, 3, 2)

/* What a device falls back to from data rates 0 to 5, and nothing from the rest. */
#define BACKOFF_0_5 DR_NONE, 0, 1, 2, 3, 4
#define NO_BACK     DR_NONE
#define NO_BACK_2   NO_BACK, NO_BACK
#define NO_BACK_4   NO_BACK_2, NO_BACK_2
#define NO_BACK_8   NO_BACK_4, NO_BACK_4

/* The tables of a region's file, where uplinks and downlinks have the same limits. */
#define OWN_TABLES                                                                                           \
	.up_limits = limits, .n_up_limits = COUNT(limits), .down_limits = limits, .n_down_limits = COUNT(limits), \
	.rx1 = rx1, .n_rx1 = COUNT(rx1), .powers = powers, .n_powers = COUNT(powers)
/* Channels are defined one by one, up to 16, and RX1 is where the uplink was. */
#define DEFINED_CHANNELS                                                                                     \
	.has_new_channel = true, .rx1_channel = RX1_SAME, .cf_list = CF_LIST_FREQUENCIES,                        \
	.cf_list_since = RP_1_0_0, .max_channels = 16, .chmask = CHMASK_16

/* What all regions but those with an exception in their file have in common. [RP002-1.0.4 2.3] */
#define DELAYS_AND_ADR .rx1_delay_s = 1, .join_delay_s = 5, .adr_ack_limit = 64, .adr_ack_delay = 32

#define REGION(table) extern const struct region table;
#define PLAN(...)
#define OLD_PLAN(...)
#include "proto/region/regions.def"
#undef REGION
#undef PLAN
#undef OLD_PLAN
