/** @file What a region allows: one constant table per region, and the frequency plans built on them.
 * [RP002-1.0.4] */
#pragma once
#include "proto/lorawan/modu.h"
#include "proto/lorawan/version.h"
#include "proto/region/channels.h"
#include <stddef.h>

enum {
	REGION_DRS = 16,
	REGION_OFFSETS = 8,
	REGION_BANDS = 8,
	REGION_RUNS = 4,
	PLAN_EXTRA = 8
};
enum { DR_NONE = 0xFF };

/** A run of evenly spaced channels: index first + i is at first_hz + i * step_hz. */
struct region_run {
	uint8_t first, n;
	uint8_t min_dr, max_dr;
	uint8_t join_min_dr, join_max_dr;
	uint32_t first_hz, step_hz;
};

/** A legal sub-band of transmitters, gateways and devices alike. */
struct region_band {
	uint32_t min_hz, max_hz; /**< min inclusive, max exclusive */
	uint32_t duty_ppm;       /**< share of any hour on air, parts per million; 1000000: no limit */
	int16_t max_eirp_ddbm;   /**< [0.1 dBm] */
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

/** Highest TXPower index, from one version on. */
struct region_powers {
	enum phy_version since;
	uint8_t max_index;
};

/** What ChMaskCntl means. */
enum region_chmask {
	CHMASK_16,       /**< 0: channels 0 to 15; 6: all that are defined */
	CHMASK_72,       /**< 0 to 4: banks; 5: by sub-band; 6, 7: all 125 kHz on, off, and ChMask for the 500 kHz ones */
	CHMASK_96,       /**< 0 to 5: banks; 6: all on */
	CHMASK_64,       /**< 0 to 3: banks; 6: all on; 7: all off */
	CHMASK_48,       /**< 0 to 2: banks; 3: all on; 4: all off */
	CHMASK_N
};
enum region_cf_list { CF_LIST_NONE, CF_LIST_FREQUENCIES, CF_LIST_MASKS };
/** RX1 is on the uplink's frequency, or on a downlink channel by index. */
enum region_rx1_channel { RX1_SAME, RX1_MODULO };

struct region {
	const char *id;   /**< The Things Stack's band id: "EU_863_870" */
	const char *name; /**< "EU868" */
	bool is_fixed;    /**< channels are fixed and masked (US915), not defined one by one (EU868) */
	bool has_new_channel, has_tx_param_setup;
	uint32_t min_hz, max_hz; /**< what a channel's frequency may be, inclusive */
	struct modu up[REGION_DRS], down[REGION_DRS];           /**< kind MODU_NONE: not defined */
	enum phy_version dr_since[REGION_DRS];                  /**< 0: always there */
	const struct region_limits *up_limits, *down_limits;    /**< oldest first */
	size_t n_up_limits, n_down_limits;
	const struct region_rx1 *rx1;
	size_t n_rx1;
	const struct region_powers *powers;
	size_t n_powers;
	struct region_run runs[REGION_RUNS]; /**< default channels, uplink */
	size_t n_runs;
	struct region_run down_run; /**< RX1_MODULO: downlink channels */
	enum region_rx1_channel rx1_channel;
	enum region_cf_list cf_list;
	enum phy_version cf_list_since;
	uint8_t max_channels;
	enum region_chmask chmask;
	enum phy_version chmask5_since; /**< CHMASK_72: version that brought ChMaskCntl 5; 0: always there */
	uint8_t rx1_offset_max;
	uint8_t rx2_dr;
	uint32_t rx2_hz;
	uint8_t adr_min_dr, adr_max_dr; /**< what ADR chooses from */
	int16_t max_eirp_ddbm;          /**< of devices, TXPower index 0; each index is 2 dB less */
	struct region_band bands[REGION_BANDS];
	size_t n_bands;
	uint8_t rx1_delay_s, join_delay_s;      /**< RX2 is always 1 s later */
	uint8_t adr_ack_limit, adr_ack_delay;   /**< [uplinks] */
	uint8_t beacon_dr, ping_slot_dr;        /**< class B */
	uint32_t beacon_hz, ping_slot_hz;       /**< class B; 0: hops */
};

/** A frequency plan: a region with choices made. */
struct plan {
	const char *id;
	const struct region *region;
	uint32_t extra_hz[PLAN_EXTRA]; /**< channels beyond the default ones, for the CFList; 0 ends */
	int8_t rx2_dr;                 /**< -1: the region's */
	uint32_t rx2_hz;               /**< 0: the region's */
};

const struct plan *plan_find(struct str id); /**< NULL: no such plan */
const struct plan *plan_at(size_t i);        /**< every plan in order; NULL at the end */
uint8_t plan_rx2_dr(const struct plan *p);
uint32_t plan_rx2_hz(const struct plan *p);
/** Channel i of a device that has the plan's channels; false: there is none. min and max DR as in a CFList or
 * the defaults. */
bool plan_channel(
	const struct plan *p, unsigned i, uint32_t *ret_hz, uint8_t *ret_min_dr, uint8_t *ret_max_dr);
/** Index of the channel at this frequency that has this uplink data rate; -1: none. */
int plan_channel_index(const struct plan *p, uint32_t freq_hz, uint8_t dr);
/** The CFList of a join-accept, 16 octets. false: none in this version or plan */
bool plan_cf_list(const struct plan *p, enum phy_version v, uint8_t ret[16]);

/** Data rate index of a modulation as sent up or down; -1: none of this region (and version). */
int region_dr(const struct region *r, enum phy_version v, bool is_up, const struct modu *m);
/** Modulation of a data rate; NULL: not defined in this direction. */
const struct modu *region_modu(const struct region *r, bool is_up, unsigned dr);
/** Most octets of MACPayload at a data rate; 0: not usable. */
unsigned region_max_payload(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, bool is_dwell_limited);
/** The most of any data rate of the region: more can never be sent. */
unsigned region_max_payload_ever(const struct region *r, enum phy_version v, bool is_up);
/** Data rate of RX1 for an uplink; -1: not defined. */
int region_rx1_dr(
	const struct region *r, enum phy_version v, unsigned up_dr, unsigned offset, bool is_dwell_limited);
/** Frequency of RX1 for an uplink on this frequency and channel index (the index matters in fixed plans
 * only). */
uint32_t region_rx1_hz(const struct region *r, uint32_t up_hz, unsigned channel);
/** The sub-band of a frequency; NULL: nobody may send there. */
const struct region_band *region_band(const struct region *r, uint32_t freq_hz);
/** What a gateway may radiate there, whole dBm EIRP, rounded down; INT_MIN outside every sub-band. */
int region_down_eirp_dbm(const struct region *r, uint32_t freq_hz);
unsigned region_max_power_index(const struct region *r, enum phy_version v);
/** Can a channel be there at all? */
bool region_freq_ok(const struct region *r, uint32_t freq_hz);
