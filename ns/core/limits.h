/** @file What the network server's memory may hold, and how long it waits. */
#pragma once
#include "common/core/clock.h"

enum {
	NS_COPIES_MAX = 50,       /**< copies of one frame whose metadata is kept */
	NS_PATHS_MAX = 8,         /**< gateways remembered as ways back to a device */
	NS_CONF_MAX = 8,          /**< attempts of confirmed downlinks that an ACK of 1.1 may mean */
	NS_CANDIDATES_MAX = 256,  /**< sessions of one DevAddr that are tried */
	NS_REPEATS_MAX = 15,      /**< times that a repeated frame is answered again */
	NS_PREFIXES_MAX = 32,     /**< blocks of addresses for devices that join */
	NS_GATEWAYS_MAX = 16384,
	NS_DEVICES_MAX = 1000000,
	NS_GS_MAX = 64,           /**< gateway servers connected at once */
	NS_RECEPTIONS_MAX = 65536, /**< frames of the last second */
	NS_COPY_POOL = 262144,
	NS_EXCHANGES_MAX = 65536, /**< class A windows waited for at once */
	NS_JOIN_BUSY_TRIES = 16,  /**< chances for a DevAddr that nobody has */
	NS_OUTBOX_WINDOW = 512,   /**< messages on the way to the as */
	NS_ATTEMPTS_MAX = 6,      /**< emissions of one answer */
	NS_CIDS_MAX = 12,
	NS_GROUPS_MAX = 8,        /**< multicast groups of one device */
	NS_WAYS_MAX = 64,         /**< gateways of one cast */
	NS_CASTS_MAX = 16384,     /**< emissions at times of our choosing, at once */
	NS_WAY_TRIES_MAX = 4,     /**< through one gateway of a cast */
};

#define NS_LATE_US         (1 * SEC_US)      /**< copies are known as such this long after the first */
#define NS_REPEAT_US       (11 * SEC_US)     /**< and an unconfirmed one no later than this after its RX1 */
#define NS_LEAD_US         (42500)           /**< least time a forwarder needs */
#define NS_POLL_US         (10 * MS_US)      /**< how often a forwarder looks */
#define NS_GAP_US          (43500)           /**< between two emissions of one gateway */
#define NS_PREPARE_US      (300 * MS_US)     /**< how long before a pull the as is told of it: two commits of a slow disk */
#define NS_PULL_US         (50 * MS_US)      /**< how long the as may think about a pull */
#define NS_MARGIN_US       (40 * MS_US)      /**< bus and scheduling of this host */
#define NS_TX_ACK_US       (1500 * MS_US)    /**< after the planned emission; then its outcome is unknown */
#define NS_CAST_MARGIN_US  (20 * MS_US)      /**< bus and scheduling, where no window is missed */
#define NS_IMMEDIATE_US    (80 * MS_US)      /**< a forwarder without our time begins so much after it was told, at the least, */
#define NS_IMMEDIATE_MAX_US (1100 * MS_US)   /**< and at the most */
#define NS_IMMEDIATE_ACK_US (9 * SEC_US)     /**< its outcome is unknown after that: its gs may hold it for 3 s, and waits 5 s */
#define NS_TIMED_US        (85 * MS_US)      /**< its gs wants so much, beside the path, to keep a time by the gateway's counter; */
#define NS_TIMED_SLACK_US  (25 * MS_US)      /**< that time is so much later at the most, as it counts from when the gs is told */
#define NS_HORIZON_US      (300 * MS_US)     /**< a counter is used for a class C frame no longer before it begins */
#define NS_WINDOW_BEFORE_US (50 * MS_US)     /**< a class C device is left alone from so much before RX1 and RX2 */
#define NS_WINDOW_AFTER_US (300 * MS_US)     /**< until so much after they begin */
#define NS_JOIN_CALL_US    (4 * SEC_US)
#define NS_UP_CALL_US      (30 * SEC_US)
