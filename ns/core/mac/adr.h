/** @file Adaptive data rate: which data rate, transmission power and number of transmissions a device should have.
 *
 * Pure arithmetic on what was heard; who sends the LinkADRReq, and when again, is decided elsewhere (mac_link_adr.c):
 *
 *     each new uplink     adr_heard; then, if its ADR bit is set, adr_want -> the commands to send, and adr_asked
 *     LinkADRAns          adr_applied or adr_refused, before that uplink's adr_heard
 *
 * `in force` is what the device uses, as far as anybody knows. A device that changes by itself (back-off) is believed.
 * [LW1.0.4 4.3.1.1, 5.2]
 */
#pragma once
#include "proto/lorawan/modu.h"
#include "proto/region/region.h"

enum {
	ADR_SAMPLES = 20,    /**< uplinks whose SNR is remembered, since the last change */
	ADR_DRS = REGION_DRS,
	ADR_NB_TRANS_MAX = 15,
};

enum adr_mode { ADR_DYNAMIC, ADR_STATIC, ADR_DISABLED };

/** What a device is told, or uses. */
struct adr_choice {
	uint8_t dr, power; /**< indices; never "keep" */
	uint8_t nb_trans;  /**< 1..15 */
};

/** The operator's settings, all filled in (adr_settings_default). */
struct adr_settings {
	enum adr_mode mode;
	struct adr_choice fixed; /**< ADR_STATIC */
	/* ADR_DYNAMIC */
	int16_t margin_ddb;      /**< [0.1 dB] kept between the best SNR and the demodulation floor */
	uint8_t min_dr, max_dr, min_power, max_power; /**< indices, inclusive; the region narrows them further */
	struct adr_trans {
		uint8_t min, max;
	} nb_trans, at_dr[ADR_DRS]; /**< 1..15; at_dr: instead of nb_trans at this data rate, max 0: not given */
	bool steers_narrow;      /**< only LoRa of 125 kHz is chosen */
};

/** What region, version and channels allow. */
struct adr_limits {
	uint16_t drs, narrow;      /**< bits by data rate: may be chosen; and is LoRa of 125 kHz */
	int16_t floor_ddb[ADR_DRS]; /**< [0.1 dB] least SNR, if the noise were that of 125 kHz */
	int16_t wide_ddb[ADR_DRS];  /**< [0.1 dB] how much noise its bandwidth has over 125 kHz */
	uint8_t max_power;         /**< index; each is 2 dB less */
};

struct adr_sample {
	uint32_t f_cnt;
	int16_t snr_ddb; /**< of the gateway that heard it best */
	uint8_t dr;
	bool ack_req;    /**< ADRACKReq: it has heard nothing for long */
};

/** What outlives the process: store it, and give it to adr_start. */
struct adr_link {
	struct adr_choice now; /**< in force */
	uint16_t refused_drs, refused_powers; /**< bits by index: not asked again in this session */
};

/** Of a session. */
struct adr {
	struct adr_link link;
	struct adr_choice asked;
	bool is_asked;       /**< by a LinkADRReq that may be on its way */
	bool has_f_cnt;
	uint32_t f_cnt;      /**< of the last uplink */
	uint16_t kept;       /**< uplinks since the data rate changed; saturates */
	uint16_t hold;       /**< uplinks for which it is kept before it is raised; doubles when raising it was wrong */
	bool was_raised;     /**< by that change */
	bool was_away;       /**< it was not heard for long, or lowered its data rate by itself, and nothing was applied since */
	uint8_t n, at;       /**< a ring */
	int16_t snr_ddb[ADR_SAMPLES];
	/* Since the last change, the older the less they weigh. */
	uint16_t frames, frames_lost;
	uint8_t gaps;         /**< places where frames were lost */
	uint16_t sent, heard; /**< transmissions */
	uint8_t last_heard;   /**< transmissions of the last frame */
};

/** The Things Stack's defaults: dynamic, 15 dB, every data rate and power, 1 to 3 transmissions. */
struct adr_settings adr_settings_default(void);
/** Of a region: its ADR data rates that are LoRa, and the powers of a version. Take bits of data rates away that no
 * channel of the device has. */
void adr_limits_of(const struct region *r, enum phy_version v, struct adr_limits *ret);

/** A session begins, or is taken up again. @param link  NULL: a device after its join: data rate not known, full power */
void adr_start(struct adr *a, const struct adr_link *link);
/** A new uplink, in the order of counters; not repetitions.
 * @return whether the device turned out to use something else than was in force (back-off, or an answer that was lost) */
bool adr_heard(struct adr *a, const struct adr_sample *s);
/** The last uplink once more, under NbTrans. */
void adr_heard_again(struct adr *a);
/** How many of the recent frames were lost [1e-4], since the last change. */
unsigned adr_loss_e4(const struct adr *a);
/** A downlink answers the last uplink: the device does not repeat it any more. */
void adr_answered(struct adr *a);
/** What the device should have. For uplinks with the ADR bit, and after adr_heard.
 * @param ret  set on true
 * @return whether that differs from what is in force */
bool adr_want(const struct adr *a, const struct adr_settings *s, const struct adr_limits *l, struct adr_choice *ret);
/** A LinkADRReq leaves. */
void adr_asked(struct adr *a, const struct adr_choice *c);
/** The device took it. Call it also for changes that the operator or the protocol makes. */
void adr_applied(struct adr *a, const struct adr_choice *c);
/** It did not, and nothing has changed: what it refused is not asked again. */
void adr_refused(struct adr *a, bool dr_ok, bool power_ok);
