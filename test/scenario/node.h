/** @file A device as the specification describes it: any version, any region, class A or C. It is given octets and moments, and
 * has no part of ns/core in it. */
#pragma once
#include "proto/lorawan/keys.h"
#include "proto/lorawan/mac_cmds.h"
#include "proto/lorawan/security.h"
#include "proto/lorawan/version.h"
#include "proto/region/chmask.h"
#include "proto/region/region.h"

enum { NODE_ANSWERS = 64, NODE_CLASS_C = 2 };

struct node_channel {
	uint32_t up_hz, down_hz; /**< 0: not defined; down_hz 0: the same */
	uint8_t min_dr, max_dr;
};

struct node_session {
	bool is_there, is_v11;
	uint32_t dev_addr, f_cnt_up;
	uint64_t down_next[2]; /**< NFCntDown (or the one of 1.0.x), AFCntDown */
	struct session_keys keys;
};

/** A multicast group that it listens to, with keys of 1.0.x. */
struct node_group {
	uint32_t dev_addr; /**< 0: none */
	uint64_t down_next;
	struct key nwk, app;
};

struct node {
	/* who it is */
	uint64_t dev_eui, join_eui;
	struct key app_key, nwk_key;
	const struct mac_rules *rules;
	enum phy_version phy_version;
	const struct plan *plan;
	bool is_otaa, class_c;
	uint8_t power_cap;       /**< the highest power index that it takes */
	struct crypto *crypto;   /**< borrowed */
	/* what it knows */
	struct node_session s;
	struct node_group group;
	uint16_t dev_nonce, rj_count0, rj_count1; /**< the last DevNonce; the next RJcounts */
	uint32_t net_id;
	bool wants_rekey;        /**< 1.1: RekeyInd or ResetInd in every uplink */
	bool wants_mode;         /**< 1.1, class C: DeviceModeInd likewise */
	int must_rejoin;         /**< type of the rejoin-request that the network asked for; -1: none */
	struct node_channel ch[CHANNELS_MAX];
	struct channels defined, on;
	uint8_t dr, power, nb_trans, rx1_delay_s, rx1_offset, rx2_dr;
	uint32_t rx2_hz;
	bool dwell_up, dwell_down;
	unsigned ack_cnt, ack_limit, ack_delay; /**< [uplinks] */
	bool owes_ack;
	uint16_t owed_f_cnt, sent_f_cnt;        /**< 1.1: counters that ACKs are for */
	bool is_ack;                            /**< the frame carries one, for */
	uint16_t acked_f_cnt;
	uint8_t answers[NODE_ANSWERS], sticky[NODE_ANSWERS];
	size_t n_answers, n_sticky, n_sent; /**< sent: of answers, in the last frame */
	/* the exchange under way */
	bool is_join;            /**< a join-request, or a rejoin-request */
	uint8_t join_type;       /**< JOIN_REQ_TYPE; 0, 1, 2: rejoin */
	uint16_t join_nonce;     /**< its DevNonce or RJcount */
	uint8_t phy[PHY_MAX];
	size_t n_phy;
	uint32_t up_hz;
	uint8_t up_dr, up_ch;
	/* the last downlink */
	bool is_heard, ack, pending, confirmed, has_link_check, has_time, is_group;
	uint8_t port, frm[242], n_frm;
	uint8_t cmds[242]; /**< its MAC commands */
	size_t n_cmds;
	uint32_t f_cnt_down;
};

/** A device out of its box: crypto, identity and plan are set; ABP: the session too. */
void node_reset(struct node *n);
/** Has its version this data rate, and may ADR's range hold it? */
bool node_has_rate(const struct node *n, unsigned dr);
/** Choose a channel for the next transmission. @param chance  any number */
void node_hop(struct node *n, uint64_t chance);
/** Build the next join-request, rejoin-request or data frame. Length in n->n_phy. */
void node_join(struct node *n, uint16_t dev_nonce);
/** 1.1, in a session: build a rejoin-request. @param type 0, 1, 2 */
void node_rejoin(struct node *n, uint8_t type);
struct node_say {
	int port; /**< -1: none */
	const uint8_t *frm;
	size_t n;
	bool confirmed, asks_link, asks_time;
};
void node_speak(struct node *n, const struct node_say *say);
/** Sign the frame for the channel and data rate that node_hop chose; after each hop. */
void node_sign(struct node *n);
/** A downlink that was received: is it valid, and for this device? Then carry it out. */
bool node_hear(struct node *n, struct slice phy);
/** A join-accept that was received (node_join.c). */
bool node_hear_join(struct node *n, struct slice phy);
/** Where and when it listens. @param window 1, 2; 3: class C. false: no such window */
bool node_window(const struct node *n, unsigned window, uint32_t *ret_hz, const struct modu **ret_modu, unsigned *ret_delay_s);
