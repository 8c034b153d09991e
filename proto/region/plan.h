/** @file Frequency plans: a region with an operator's choices, under the names that The Things Stack gives them. */
#pragma once
#include "proto/region/region.h"

enum { PLAN_EXTRA = 8 };

struct plan {
	const char *id;
	const struct region *region;
	uint32_t extra_hz[PLAN_EXTRA]; /**< channels beyond the default ones, for the CFList; 0 ends */
	uint8_t sub_band;              /**< fixed regions: which eight channels are listened to, from 1; 0: all */
	int8_t rx2_dr;                 /**< -1: the region's */
	uint32_t rx2_hz;               /**< 0: the region's */
	uint8_t up_dwell, down_dwell;  /**< enum region_dwell; DWELL_UNKNOWN: the region's choice */
	enum phy_version until;        /**< it is for devices of versions before this one; 0: of all */
};

const struct plan *plan_find(struct str id); /**< NULL: no such plan */
const struct plan *plan_at(size_t i);        /**< every plan in order; NULL at the end */
/** The plan as a device of a version sees it: where an early version had other data rates or channels, it is another
 * one of the same name. NULL: no such plan */
const struct plan *plan_for(struct str id, enum phy_version v);

/** Names to offer somebody who wrote one that is no plan: those that begin with the same two letters, else one of each
 * region. "US_902_928, US_902_928_FSB_1 to 8". */
void plan_suggest(struct text *t, struct str id);

uint8_t plan_rx2_dr(const struct plan *p);
uint32_t plan_rx2_hz(const struct plan *p);
/** Channel i of the plan as a device knows it; false: there is none. In fixed regions every channel is there, whether it
 * is enabled or not. min and max DR as in a CFList or the defaults. */
bool plan_channel(
	const struct plan *p, unsigned i, uint32_t *ret_hz, uint8_t *ret_min_dr, uint8_t *ret_max_dr);
/** Index of the channel at this frequency that has this uplink data rate; -1: none. */
int plan_channel_index(const struct plan *p, uint32_t freq_hz, uint8_t dr);
/** The CFList of a join-accept. false: none in this version or plan */
bool plan_cf_list(const struct plan *p, enum phy_version v, uint8_t ret[16]);

/** The channels that are to be enabled: those that the gateways of the plan listen to. */
void plan_wanted(const struct plan *p, struct channels *ret);
/** The channels that are enabled in a device that was told nothing since it started or joined.
 * @param has_cf_list  it joined, and the join-accept had the plan's CFList */
void plan_start(const struct plan *p, bool has_cf_list, struct channels *ret);
/** What a device of the plan is to be told with TXParamSetupReq. */
bool plan_dwell(const struct plan *p, bool is_up);
