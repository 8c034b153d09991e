/** @file What is known of a device or gateway when somebody asks why: values, no pointers into anybody's house. */
#pragma once
#include "common/core/id.h"
#include "proto/cids.h"
#include "proto/events.h"

enum { WHY_SIGHTS = 128, WHY_GATEWAYS = 32, WHY_ADDRESSES = 8, WHY_NAME = 120 };

/** Events of one name and one word (reason, result or error): how often, and the last of them. */
struct why_sight {
	enum event_id event;
	char word[48];
	bool is_stranger; /**< of no device: its DevEUI or DevAddr only */
	uint32_t count;   /**< all that are kept */
	uint32_t recent;  /**< since the device was last heard */
	uint64_t first_us, last_us; /**< UTC */
	char gateway_id[ID_MAX + 1];
	uint32_t dev_addr;
	char data[sizeof((struct trace_event *)0)->data]; /**< of the last: JSON, or "" */
};

struct why_gateway {
	char id[ID_MAX + 1], plan[33];
	uint64_t eui;
	bool is_registered, is_connected, can_send, has_address, is_in_band; /**< in_band: its plan's region is the device's */
	uint64_t last_uplink_us, connected_us, disconnected_us; /**< UTC; 0: never, or unknown */
	uint64_t uplinks, downlinks, tx_acks;
	uint32_t used_ppm, limit_ppm, band_min_hz, band_max_hz; /**< the sub-band that is used most of its limit; limit 0: unknown */
	uint32_t path_us;
};

/** The head of the queue. */
enum why_item_state { WHY_ITEM_NONE, WHY_ITEM_WAITS, WHY_ITEM_FLIES, WHY_ITEM_AWAITED };
struct why_item {
	enum why_item_state state;
	uint8_t f_port, size, attempt, max_attempts, misses;
	bool is_confirmed;
	uint64_t queued_us, at_us; /**< UTC; at: 0 as soon as possible */
};

struct why_facts {
	uint64_t now_us; /**< UTC */
	bool is_operator; /**< who asks may see everybody's traffic */

	/* The registry's: */
	char app[WHY_NAME], dev[ID_MAX + 1];
	uint64_t uid;
	bool is_lorawan, supports_join, is_multicast, has_dev_eui, resets_f_cnt, resets_join_nonces, has_app_key, has_nwk_key;
	uint64_t dev_eui, join_eui;
	char version[16], plan[33];
	bool is_v11;
	char twin[WHY_NAME + ID_MAX + 2]; /**< another device of the same DevEUI that the asker may know; "" */
	bool is_linked;
	char unserved[40]; /**< its formatter of uplinks, if it is one that does not run here; "" */
	bool knows_listeners;
	uint32_t listeners, away, keys_expired; /**< MQTT sessions of the application: there, and kept for clients that are away; keys
						     that have expired */

	/* The network server's: */
	bool has_ns, has_live; /**< connected; answered */
	bool has_session, has_pending, has_up, is_class_c;
	uint32_t dev_addr, last_f_cnt_up, last_f_cnt_down, duty_cycle_exponent;
	uint64_t started_us, heard_us; /**< UTC; heard: its last uplink; 0: never */

	/* The queue's: */
	uint32_t queued;
	struct why_item head;

	/* Gateways: all that are known where an operator asks, those in the first place that were heard of last. */
	struct why_gateway gateways[WHY_GATEWAYS];
	uint32_t n_gateways; /**< in the list */
	uint32_t known, connected, sending, in_band; /**< of all; sending and in_band: of the connected ones */
	uint64_t any_uplink_us; /**< when any gateway heard anything */
	char any_gateway[ID_MAX + 1]; /**< which */
	const struct why_gateway *about; /**< WHY_GATEWAY: the one that is asked for; NULL: never heard of */

	/* The trace's: */
	struct why_sight sights[WHY_SIGHTS];
	uint32_t n_sights;
	bool has_no_steps;     /**< only failures, or nothing, are told (trace.events) */
	uint64_t since_us;     /**< the oldest event that is kept; 0: none */
	uint32_t backwards;    /**< join-requests of its DevEUI with its octets the other way round, which is no device's */
	uint32_t addresses[WHY_ADDRESSES];
	uint32_t n_addresses;  /**< that the device has or had */
	struct cid last_ids[4]; /**< receptions of its last uplink */
	uint32_t n_last_ids;
	uint64_t last_ids_us;
	struct {
		char gateway_id[ID_MAX + 1];
		uint32_t gateways, sf;
		int32_t rssi_ddbm, snr_ddb;
		bool has_snr;
	} radio; /**< of the last uplink: whoever heard it best; gateways 0: not known */
};

/** First visit of the trace: an event of the device (uid), or of the gateway that is asked for. Any order. */
void why_see(struct why_facts *f, const struct trace_event *e);
/** Second visit: what nobody could give to a device, and who heard its last uplink. */
void why_see_rest(struct why_facts *f, const struct trace_event *e);
/** The newest sight of an event with this word (NULL: any); NULL: none. */
const struct why_sight *why_sight(const struct why_facts *f, enum event_id e, const char *word);
/** The same, and newer than the last uplink. */
const struct why_sight *why_recent(const struct why_facts *f, enum event_id e, const char *word);
/** A member of a sight's data. @return 0; -ENOENT */
int why_number(const struct why_sight *s, const char *member, uint64_t *ret);
int why_string(const struct why_sight *s, const char *member, char *dst, size_t cap);
/** How far the SNR of the last uplink was above what its spreading factor needs [0.1 dB]. @return 0; -ENOENT */
int why_margin(const struct why_facts *f, int32_t *ret_ddb);
/** Count a gateway, and keep it where there is room. */
void why_add_gateway(struct why_facts *f, const struct why_gateway *g);
