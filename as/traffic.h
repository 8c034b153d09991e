/** @file What the application server keeps of each device's traffic: sessions, downlink queue; and publishing
 * to applications. */
#pragma once
#include "as/as.h"
#include "as/core/queue.h"
#include "as/core/session.h"
#include "common/core/heap.h"
#include "proto/tts/message.h"

struct device_traffic {
	uint64_t uid;
	struct sessions sessions;
	struct queue queue;
	struct heap_node lease; /**< of the first item that is out or offered */
	uint64_t heard_us;      /**< monotonic: its last uplink; 0: none since the start */
	uint8_t told_unserved;  /**< of which kind of formatter it was told that it does not run: enum formatter_kind; 0: none */
	bool has_battery;
	struct tts_battery battery; /**< as it last said */
	UT_hash_handle hh;
};

struct traffic {
	struct as *as;
	struct device_traffic *devices; /**< by uid; those that have any traffic */
	struct queue_list queues;       /**< that hold anything */
	struct queue_sink queue_sink;
	struct heap leases;
	struct loop_timer *lease_timer;
	uint64_t offers, offers_committing, offers_durable; /**< numbers: the last one, and how far they are on disk */
	bool is_offer_commit_due;
	uint64_t next_seq;              /**< age of the next item; over all devices */
	struct text json;               /**< scratch for messages */
};


/** A device's traffic. @param make  create it if there is none yet. NULL: none, or no memory */
struct device_traffic *traffic_of(struct as *as, uint64_t uid, bool make);
/** Does the device have any session? */
bool traffic_has_session(struct as *as, uint64_t uid);
/** Write the device's sessions down. @return 0; -errno */
int traffic_save_sessions(struct as *as, const struct device_traffic *d);
/** Keep what a device said of its battery. @return 0; -errno */
int traffic_keep_battery(struct as *as, uint64_t uid, const struct tts_battery *b);
/** What it last said; NULL: nothing. Borrowed until the next turn of the loop. */
const struct tts_battery *traffic_battery(struct as *as, uint64_t uid);
/** Move the lease timer to the first item that is out. */
void traffic_lease(struct as *as, struct device_traffic *d);

/** How many items are in all queues. @param ret_oldest_unix_us  when the oldest was pushed; UINT64_MAX: there is none */
size_t traffic_items(const struct as *as, uint64_t *ret_oldest_unix_us);

/** The envelope of a message about a device: its ids, the address of its newest session, the time. */
struct tts_up traffic_envelope(struct as *as, const struct device *d);
/** Scratch to compose one message in; valid until the next call. */
struct text *traffic_json(struct as *as);
/** Give a message to everybody who is to have it: the application's integrations keep it, its MQTT clients are sent it, on topic
 * `…/devices/{device id}/{suffix}`.
 * @param device_id  not always of a device that exists
 * @return 0; -errno: nobody was given it */
int traffic_publish(
	struct as *as, const struct app *a, const char *device_id, const char *suffix, struct str json);
/** The same to MQTT clients alone: integrations have it already. */
void traffic_tell(struct as *as, const struct app *a, const char *device_id, const char *suffix, struct str json);
