/** @file One gateway's connection: where it is, what it said, what is on its way to it. */
#pragma once
#include "common/core/heap.h"
#include "gs/core/antenna.h"
#include "gs/core/conc_clock.h"
#include "gs/core/quota.h"
#include "gs/core/repeat.h"
#include "gs/core/rtt.h"
#include "proto/cids.h"
#include "proto/semtech/gwstat.h"

enum { PEER_MAX = 48, GATEWAY_ID_MAX = 36, GATEWAY_PLAN_MAX = 32, GATEWAY_STAT_MAX = 400 };
/** A connection ends 3 min after the last packet, its downlink path 90 s after the last PULL_DATA or TX_ACK.
 */
enum { GATEWAY_EXPIRY_S = 180, GATEWAY_PATH_EXPIRY_S = 90, GATEWAY_REPORT_S = 30 };
enum { GATEWAY_PENDING_MAX = 64, GATEWAY_DONE_MAX = 16, GATEWAY_SOURCES = 4 };

/** Where a datagram came from: octets of the shell, which alone looks into them. */
struct gs_peer {
	uint16_t listener; /**< the socket; answers leave from it */
	uint8_t len;       /**< of sa; 0: none */
	uint8_t sa[PEER_MAX];
};

/** One of the addresses that a gateway's datagrams come from: a forwarder has two sockets. Each has a share of
 * its own, so that a stranger who uses the same EUI does not use up the gateway's. */
struct gs_source {
	struct gs_peer peer;
	uint64_t last_us;
	struct quota datagrams, uplinks;
};

/** A token whose downlink is done: a TX_ACK for it comes late, or again. */
struct done_token {
	uint64_t sent_us; /**< 0: none */
	uint16_t token;
	bool is_answered;
};

/** What changes while a gateway is connected, for its status. */
struct gateway_counts {
	uint64_t uplinks, downlinks, tx_acks;
	uint64_t last_uplink_unix_us, last_downlink_unix_us, last_status_unix_us;
};

struct gateway {
	struct heap_node due; /**< next moment at which something about it changes by itself */
	uint64_t eui;
	struct ulid conn; /**< gs:conn */
	uint64_t connected_unix_us;
	uint64_t last_packet_us;
	uint64_t path_us;     /**< last PULL_DATA or TX_ACK; 0: none */
	uint64_t report_us;   /**< when its status is to be told next */
	uint64_t reported_us; /**< when it was last told */
	uint32_t slot, free_next;
	uint32_t pending, pending_n; /**< downlinks that wait for a TX_ACK: first of the list, how many */
	uint32_t drops_noted;        /**< bits of the reasons that were logged since drops_noted_us */
	uint64_t drops_noted_us;
	struct gs_peer pull, push;
	uint8_t version; /**< protocol version octet of PULL_DATA; before that, of PUSH_DATA */
	bool connected, registered, plan_noted;
	bool path_open; /**< as last told */
	bool has_position, is_position_registered;
	bool has_altitude;
	int32_t latitude_e7, longitude_e7, altitude_m;
	char id[GATEWAY_ID_MAX + 1], plan[GATEWAY_PLAN_MAX + 1];
	char stat[GATEWAY_STAT_MAX + 1]; /**< last stat object; "" if none, or too long to be passed on */
	struct gateway_counts counts;
	struct conc_clock clock;
	bool was_sure, had_gps; /**< of its clock, as last told */
	bool is_imme_soon;      /**< an sx1302 forwarder: immediate frames leave 80 ms after they came */
	struct antenna antenna;
	struct rtt rtt;
	struct done_token done[GATEWAY_DONE_MAX]; /**< a ring */
	uint32_t done_next;
	struct quota datagram_quota, uplink_quota;
	struct gs_source source[GATEWAY_SOURCES];
	uint32_t moves; /**< times that PULL_DATA came from elsewhere, since moves_noted_us */
	uint64_t moves_noted_us;
	struct repeat repeat;
};

/** A downlink path is open: PULL_DATA came, and not too long ago. */
bool gs_gateway_has_path(const struct gateway *g, uint64_t now_us);
bool gs_peer_is(const struct gs_peer *a, const struct gs_peer *b);
/** Where a datagram comes from: known already, or in the place of the one silent for longest. */
struct gs_source *gs_gateway_source(struct gateway *g, const struct gs_peer *from, uint64_t now_us);
/** A downlink may be sent: there is a path, and a plan says what may be sent. */
bool gs_gateway_can_send(const struct gateway *g, uint64_t now_us);
