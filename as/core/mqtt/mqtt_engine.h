/** @file The MQTT server without sockets, clock and disk: bytes and time go in, bytes go out through a sink.
 *
 * A connection is the shell's socket; a session is what the standard calls so and may outlive connections. Both, subscriptions
 * and retained messages belong to an owner, and nothing ever crosses from one owner to another.
 */
#pragma once
#include "as/core/mqtt/mqtt_policy.h"
#include "common/core/metric.h"

struct mqtt_engine;
struct mqtt_conn;

/** Where a connection's output goes. None of these may call the engine. */
struct mqtt_sink {
	void *ctx;
	/** Send the parts one after another. @return true: more is waiting than should be; mqtt_engine_drained says when it is gone */
	bool (*send)(void *ctx, void *socket, const struct slice *parts, size_t n);
	/** Send what is waiting, then close; the mqtt_conn is gone with this call. */
	void (*close)(void *ctx, void *socket);
	/** After mqtt_engine_receive left whole packets untouched: call it again, later. */
	void (*resume)(void *ctx, void *socket);
	/** What is sent next says that something is kept: it, and all behind it, may leave only once all that was kept so far is on disk. */
	void (*hold)(void *ctx, void *socket);
};

/** Where sessions and retained messages are kept across restarts. Keys are at most 32 octets. */
struct mqtt_keep {
	void *ctx;
	void (*put)(void *ctx, struct slice key, struct slice value);
	void (*del)(void *ctx, struct slice key);
};

struct mqtt_engine_options {
	struct mqtt_policy policy;
	struct mqtt_sink sink;
	const struct mqtt_keep *keep;  /**< NULL: nothing is kept; else borrowed */
	struct mqtt_limits limits;     /**< defaults of a login; all 0: mqtt_limits_default */
	uint32_t connect_bytes;        /**< largest CONNECT; 0: 16 KiB */
	uint32_t connect_s;            /**< a CONNECT is awaited this long; 0: 10 s */
	uint32_t sessions;             /**< of all owners; 0: 100000 */
	uint64_t total_bytes;          /**< of all waiting and retained messages; 0: 256 MiB */
	uint64_t seed;                 /**< unpredictable: guards the hash tables, makes client ids */
};

struct mqtt_stats {
	uint64_t connections, sessions, connected, subscriptions, retained, message_bytes; /**< now; connected: of the sessions */
	uint64_t queued; /**< messages now that wait for a session, or in flight for their acknowledgement */
	uint64_t connects, refused, closed, received, sent, dropped_qos0, dropped_queue, dropped_rights, taken_over, malformed;
	struct histogram ack; /**< from a message of QoS 1 or 2 to its PUBACK or PUBCOMP */
};

struct mqtt_limits mqtt_limits_default(void); /**< of an application */
struct mqtt_limits mqtt_limits_of_device(void); /**< of one device that logs in for itself */
struct mqtt_engine *mqtt_engine_new(const struct mqtt_engine_options *o); /**< NULL: no memory */
void mqtt_engine_free(struct mqtt_engine *e); /**< connections are forgotten without a word; what is kept stays kept */

/** A connection has come in. @param socket  handed to the sink  @param peer  handed to the policy; both outlive the connection
 * @return 0; -ENOMEM */
int mqtt_engine_open(struct mqtt_engine *e, void *socket, const void *peer, const struct now *now, struct mqtt_conn **ret);
/** Give all bytes that wait. The connection may be gone afterwards (the sink was told).
 * @param ret_need  octets that must wait before the next call makes sense; 0: not before the sink's `resume`
 * @return how many octets were used up */
size_t mqtt_engine_receive(struct mqtt_conn *c, struct slice bytes, const struct now *now, size_t *ret_need);
/** Little is waiting for the socket now. */
void mqtt_engine_drained(struct mqtt_conn *c, const struct now *now);
/** The socket is gone; the sink is not told. */
void mqtt_engine_lost(struct mqtt_conn *c, const struct now *now);
/** Do what is due and free what is gone: at every wake, after everything else. */
void mqtt_engine_step(struct mqtt_engine *e, const struct now *now);
uint64_t mqtt_engine_deadline(const struct mqtt_engine *e); /**< [us, monotonic]; UINT64_MAX: never */

/** A message of ours. Everything is borrowed. */
struct mqtt_message {
	struct str topic;
	struct slice payload;
	uint8_t qos;      /**< delivered with the lower of this and what was granted */
	bool retain;
	uint64_t cookie;  /**< not 0: policy.acknowledged tells when it has arrived */
};
/** Sessions that messages went to, by QoS; of these those whose clients are away; and those that were to have it and lost it. */
struct mqtt_reach {
	uint32_t qos[3], stored, dropped;
};
/** What all was reached since the last call. */
struct mqtt_reach mqtt_engine_reach(struct mqtt_engine *e);
/** Publish to all subscribers of an owner. @return how many sessions took it, offline ones included */
size_t mqtt_engine_publish(struct mqtt_engine *e, struct str owner, const struct mqtt_message *m, const struct now *now);
/** Send to one connection, subscribed or not: with the QoS granted to a matching subscription, else with m->qos.
 * @return whether that login is connected and has room */
bool mqtt_engine_answer(struct mqtt_engine *e, uint64_t login, const struct mqtt_message *m, const struct now *now);
/** Is a login connected and subscribed to the topic? */
bool mqtt_engine_listens(struct mqtt_engine *e, uint64_t login, struct str topic);
/** A message is safely taken: acknowledge it once those before it are.
 * @param reason  0, or what a 5.0 client is told; MQTT_UNAVAILABLE: it could not be taken, close */
void mqtt_engine_taken(struct mqtt_engine *e, uint64_t ticket, uint8_t reason, const struct now *now);
/** From within the policy's `filter` and `publish`: what a 5.0 client is told besides the reason code (at most 160 octets of UTF-8;
 * for a message that is taken later only the reason code's own text is sent). */
void mqtt_engine_explain(struct mqtt_engine *e, struct str why);
/** Close all connections of which is() is true, and discard their wills. @return how many */
size_t mqtt_engine_kick(struct mqtt_engine *e, bool (*is)(const void *arg, uint64_t login), const void *arg, uint8_t reason,
	const struct now *now);
/** Forget all sessions and retained messages of an owner that is no more; its connections are closed. */
void mqtt_engine_forget(struct mqtt_engine *e, struct str owner, const struct now *now);
/** Close all connections before the process ends; wills are published, sessions stay kept. */
void mqtt_engine_shutdown(struct mqtt_engine *e, const struct now *now);

/** Take back one record that `keep` was given, at start, in the order of the keys; nothing is written meanwhile. @return 0; -EPROTO not understood; -ENOMEM */
int mqtt_engine_load(struct mqtt_engine *e, struct slice key, struct slice value, const struct now *now);
/** What is counted, and what there is now; that is counted here, so ask once in a while. */
const struct mqtt_stats *mqtt_engine_stats(struct mqtt_engine *e);
/** How many clients of an owner are there, and how many sessions are kept for clients that are away. */
void mqtt_engine_count(struct mqtt_engine *e, struct str owner, uint32_t *ret_there, uint32_t *ret_away);
