/** @file What a region allows: one constant table per region. The frequency plans built on them are in plan.h.
 * [RP002-1.0.4 and the regional parameters before it, from 1.0.0] */
#pragma once
#include "proto/lorawan/modu.h"
#include "proto/lorawan/version.h"
#include "proto/region/channels.h"
#include <stddef.h>

enum { REGION_DRS = 16, REGION_OFFSETS = 8, REGION_BANDS = 8, REGION_RUNS = 4, REGION_JOINS = 10 };
enum { DR_NONE = 0xFF };

/** Is the dwell time of 400 ms observed? A bool will do where it is known. */
enum region_dwell { DWELL_OFF, DWELL_ON, DWELL_UNKNOWN };

/** A run of evenly spaced channels: index first + i is at first_hz + i * step_hz. */
struct region_run {
	uint8_t first, n;
	uint8_t min_dr, max_dr;           /**< that ADR may choose there */
	uint8_t join_min_dr, join_max_dr; /**< of join-requests */
	uint8_t top_dr;                   /**< LR-FHSS data rates above max_dr that are sent there too; 0: none */
	uint32_t first_hz, step_hz;
};

/** A legal sub-band of transmitters, gateways and devices alike. */
struct region_band {
	uint32_t min_hz, max_hz; /**< min inclusive, max exclusive */
	uint32_t duty_ppm;       /**< share of any hour on air, parts per million; 1000000: no limit */
	int16_t max_eirp_ddbm;   /**< [0.1 dBm], rounded down */
};

/** MACPayload limits (M: FHDR, FPort and FRMPayload), from one version of the regional parameters on. */
struct region_limits {
	enum phy_version since;
	/** [repeater compatible][dwell time limited][data rate]; 0: not usable */
	uint8_t m[2][2][REGION_DRS];
};

/** RX1 data rates, from one version on. */
struct region_rx1 {
	enum phy_version since;
	/** [downlink dwell limited][uplink data rate][offset]; DR_NONE: not defined */
	uint8_t dr[2][REGION_DRS][REGION_OFFSETS];
};

/** Powers of devices, from one version on: TXPower index 0 is the EIRP here, each index is 2 dB less. */
struct region_powers {
	enum phy_version since;
	uint8_t max_index;
	int16_t max_eirp_ddbm; /**< [0.1 dBm], rounded down */
};

/** What a device observes before it was told anything, from one version on. */
struct region_boot {
	enum phy_version since;
	uint8_t up_dwell, down_dwell; /**< enum region_dwell */
};

/** Channels that class B hops over, by time (and address); n 1: it does not hop; 0: not known beforehand. */
struct region_hop {
	uint32_t first_hz, step_hz;
	uint8_t n, dr;
};

/** A channel of join-requests with windows of its own. [RP002-1.0.4 2.8.2, common join channels of CN470] */
struct region_join {
	uint32_t up_hz, rx1_hz, rx2_hz;
};

enum region_cf_list { CF_LIST_NONE, CF_LIST_FREQUENCIES, CF_LIST_MASKS };
/** RX1 is on the uplink's frequency, or on a downlink channel by index. */
enum region_rx1_channel { RX1_SAME, RX1_MODULO };
/** What ChMaskCntl means. */
enum region_chmask {
	CHMASK_16, /**< 0: channels 0 to 15; 6: all that are defined */
	CHMASK_72, /**< 0 to 4: banks; 5: by sub-band; 6, 7: all 125 kHz on, off, and ChMask for the 500 kHz ones */
	CHMASK_96, /**< 0 to 5: banks; 6: all on */
	CHMASK_64, /**< 0 to 3: banks; 6: all on; 7: all off */
	CHMASK_48, /**< 0 to 2: banks; 3: all on; 4: all off */
	CHMASK_N
};

struct region {
	const char *id;   /**< The Things Stack's band id: "EU_863_870" */
	const char *name; /**< "EU868" */
	bool is_fixed;    /**< channels are fixed and masked (US915), not defined one by one (EU868) */
	bool has_new_channel;
	bool has_tx_param_setup;
	enum phy_version tx_param_setup_since;
	uint32_t min_hz, max_hz; /**< what a channel's frequency may be, inclusive */
	uint32_t freq_step_hz;   /**< of frequencies in CFList and MAC commands; 0: 100 Hz */
	struct modu up[REGION_DRS], down[REGION_DRS];        /**< kind MODU_NONE: not defined */
	enum phy_version dr_since[REGION_DRS];               /**< 0: always there */
	const struct region_limits *up_limits, *down_limits; /**< oldest first, as all that is versioned */
	size_t n_up_limits, n_down_limits;
	const struct region_rx1 *rx1;
	size_t n_rx1;
	const struct region_powers *powers;
	size_t n_powers;
	const struct region_boot *boot; /**< NULL: there is no dwell time to be told of */
	size_t n_boot;
	uint16_t up_dwell_ms, down_dwell_ms; /**< what the law or TXParamSetupReq limits a frame to; 0: nothing does */
	struct region_run runs[REGION_RUNS]; /**< default channels, uplink */
	size_t n_runs;
	struct region_run down_run; /**< RX1_MODULO: downlink channels */
	enum region_rx1_channel rx1_channel;
	enum region_cf_list cf_list;
	enum phy_version cf_list_since;
	uint8_t max_channels;
	enum region_chmask chmask;
	enum phy_version chmask5_since; /**< CHMASK_72: version that brought ChMaskCntl 5; 0: always there */
	const struct region_join *joins; /**< NULL: a join-request is answered as data is */
	size_t n_joins;
	uint8_t rx1_offset_max;
	uint8_t rx2_dr;
	uint32_t rx2_hz;
	uint8_t adr_min_dr, adr_max_dr; /**< what ADR chooses from, and extra channels have */
	uint8_t backoff_dr[REGION_DRS]; /**< the data rate that a device falls back to next from each; DR_NONE: none */
	struct region_band bands[REGION_BANDS];
	size_t n_bands;
	uint8_t rx1_delay_s, join_delay_s;    /**< RX2 is always 1 s later */
	uint8_t adr_ack_limit, adr_ack_delay; /**< [uplinks] */
	struct region_hop beacon, ping_slot;  /**< class B */
	uint8_t beacon_bytes;
};

#include "proto/region/ask.h"
#include "proto/region/plan.h"
