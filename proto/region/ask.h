/** @file Questions to a region's table. */
#pragma once
#include "proto/region/region.h"

/** Data rate index of a modulation as sent up or down; -1: none of this region (and version). */
int region_dr(const struct region *r, enum phy_version v, bool is_up, const struct modu *m);
/** Modulation of a data rate; NULL: not defined in this direction. */
const struct modu *region_modu(const struct region *r, bool is_up, unsigned dr);
/** Most octets of MACPayload at a data rate; 0: not usable. Where the dwell time is not known, what surely fits. */
unsigned region_max_payload(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, enum region_dwell dwell);
/** The same for devices that a repeater may carry further. */
unsigned region_max_payload_repeater(
	const struct region *r, enum phy_version v, bool is_up, unsigned dr, enum region_dwell dwell);
/** The most of any data rate of the region: more can never be sent. */
unsigned region_max_payload_ever(const struct region *r, enum phy_version v, bool is_up);

/** Data rate of RX1 for an uplink; -1: not defined, or it depends on a dwell time that is not known.
 * @param dwell  of downlinks */
int region_rx1_dr(
	const struct region *r, enum phy_version v, unsigned up_dr, unsigned offset, enum region_dwell dwell);
/** Frequency of RX1 for an uplink on this frequency and channel index (the index matters in fixed plans
 * only). */
uint32_t region_rx1_hz(const struct region *r, uint32_t up_hz, unsigned channel);
/** The windows of a join-request on this frequency, where the region has some of their own; NULL: as data. */
const struct region_join *region_join(const struct region *r, uint32_t up_hz);

/** The sub-band of a frequency; NULL: nobody may send there. */
const struct region_band *region_band(const struct region *r, uint32_t freq_hz);
/** What a gateway may radiate there, whole dBm EIRP, rounded down; INT_MIN outside every sub-band. */
int region_down_eirp_dbm(const struct region *r, uint32_t freq_hz);
/** Can a channel be there at all? */
bool region_freq_ok(const struct region *r, uint32_t freq_hz);
/** What a frequency is counted in by CFList and MAC commands [Hz]. */
uint32_t region_freq_step_hz(const struct region *r);

unsigned region_max_power_index(const struct region *r, enum phy_version v);
/** EIRP of TXPower index 0, unless TXParamSetupReq said otherwise [0.1 dBm]. */
int region_max_eirp_ddbm(const struct region *r, enum phy_version v);
/** Does a device know TXParamSetupReq there? */
bool region_has_tx_param_setup(const struct region *r, enum phy_version v);
/** The dwell time that a device observes before it was told anything. */
enum region_dwell region_boot_dwell(const struct region *r, enum phy_version v, bool is_up);
/** The data rate that a device falls back to next while it hears nothing; -1: none is lower. */
int region_backoff_dr(const struct region *r, unsigned dr);

/** Where a beacon, or a ping slot, of the period that begins at this GPS time is; 0: not known beforehand.
 * @param gps_s     beginning of the beacon period [s], a multiple of 128
 * @param dev_addr  of ping slots; 0 for beacons [LW1.0.4 15; RP002-1.0.4, beacon format of each region] */
uint32_t region_hop_hz(const struct region_hop *h, uint32_t gps_s, uint32_t dev_addr);
