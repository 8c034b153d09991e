/** @file Versions of LoRaWAN and of its regional parameters, and what differs between them (versions.def). */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>

enum phy_version {
	RP_NONE = 0,
#define MAC_VERSION(...)
#define PHY_VERSION(symbol, number, ...) symbol = number,
#include "proto/lorawan/versions.def"
#undef MAC_VERSION
#undef PHY_VERSION
};

enum mac_version {
	LW_NONE = 0,
#define MAC_VERSION(symbol, number, ...) symbol = number,
#define PHY_VERSION(...)
#include "proto/lorawan/versions.def"
#undef MAC_VERSION
#undef PHY_VERSION
};

/** What a version does; the columns are explained in versions.def. */
struct mac_rules {
	enum mac_version version;
	enum phy_version usual_phy;
	const char *json, *plain;
	bool has_max_gap, nonce_rises, has_cnt32, nb_trans_confirmed, keep_15, adr_block, single_adr_ans,
		drops_long, is_v11;
};

enum { DR_KEEP = 15, POWER_KEEP = 15 };

/** The rules of a version; NULL for a number that is no row. */
const struct mac_rules *mac_rules(uint32_t version);
/** Parse "1.0.3", "1.1", "v1.0.3", "MAC_V1_0_3", "1_0_3", any case. @return 0; -EINVAL */
int mac_version_parse(struct str s, enum mac_version *ret);
/** Parse "1.0.3-a", "1.0.2", "PHY_V1_0_3_REV_A", "RP001_V1_0_3_REV_A", "rp002-1.0.4", "RP002_V1_0_4", any
 * case;
 * where a revision letter is left out, the last one. @return 0; -EINVAL */
int phy_version_parse(struct str s, enum phy_version *ret);
/** "MAC_V1_0_3", "PHY_V1_0_3_REV_A": as The Things Stack's JSON spells them. "" for a number that is no
 * row. */
const char *mac_version_json(uint32_t version);
const char *phy_version_json(uint32_t version);
/** "1.0.3", "1.0.3-a". "" for a number that is no row. */
const char *mac_version_plain(uint32_t version);
const char *phy_version_plain(uint32_t version);
