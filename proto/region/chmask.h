/** @file ChMask and ChMaskCntl of LinkADRReq: what they mean to a device, and the shortest way to a set of
 * channels. [LW1.0.4 5.3, 1.0.2 5.2; RP002-1.0.4 2.4 to 2.13, the LinkADRReq paragraph of each region] */
#pragma once
#include "proto/region/channels.h"
#include "proto/region/region.h"
#include <stddef.h>

/** The two fields of one LinkADRReq. */
struct chmask {
	uint16_t mask;
	uint8_t cntl;
};

/** More pairs than this are never needed: one for each bank. */
enum { CHMASKS_MAX = CHANNEL_BANKS };

/** The shortest sequence of pairs that takes a device from one set of channels to another, in the order in which
 * to send them.
 *
 * Where LinkADRReq are a block (mac_rules.adr_block), only its end is judged. Where they are not (LoRaWAN 1.0.0
 * and 1.0.1), the set after each pair is one that a device accepts: no kind of channel (of 125 kHz or of 500 kHz)
 * that is wanted is ever without a channel.
 *
 * There is always at least one pair, since a LinkADRReq cannot be without: if nothing is to change it says again
 * what is so.
 * @param is_block  consecutive LinkADRReq are one block
 * @param now       what is enabled in the device; NULL: not known, every channel is to be said
 * @param wanted    not empty, and only channels that the device has
 * @param ret       the pairs
 * @return how many; 0: wanted is empty, or has channels that the region has not, or (1.0.0 and 1.0.1) no way leads
 *         there without a set that would be refused */
size_t chmask_pairs(const struct region *r, enum phy_version v, bool is_block, const struct channels *now,
	const struct channels *wanted, struct chmask ret[CHMASKS_MAX]);

/** What a pair does to a device's enabled channels, the 500 kHz channels of ChMaskCntl 5 included.
 * Whether the set at the end of the block will do (not empty, data rate supported) is for the caller.
 * @param defined  the channels that the device has: all of a fixed region's, or those that were defined
 * @return true; false: ChMaskCntl is reserved in this region and version, or a channel is not defined. `set` is
 *         then as it was */
bool chmask_apply(const struct region *r, enum phy_version v, const struct channels *defined, struct chmask m,
	struct channels *set);

/** All channels that a fixed region has; of a region whose channels are defined one by one: 0 to 15. */
void chmask_all(const struct region *r, struct channels *ret);
