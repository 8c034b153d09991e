/** @file An MQTT client whose messages outlive it: what it has in flight is a row of its caller's durable numbers.
 *
 * Octets and time come in, octets and outcomes go out; it keeps nothing on disk and needs to: a message's packet id follows from its
 * number, and its caller stores the two things that must survive, "the broker has received it" and "it is done". The session is never
 * clean, so after any end, also of the process, the caller offers what it still has in the order of numbers, and nothing of QoS 2
 * arrives twice. What a broker may do wrong ends the connection with a sentence that an operator understands.
 *
 * Nothing is allocated after mqtt_client_new. No function may be called from within wire.send and wire.close; all may be from the others.
 */
#pragma once
#include "as/core/integration/mqtt_fault.h"
#include "common/core/err.h"
#include "proto/mqtt/mqtt_packet.h"

struct mqtt_client;

enum {
	MQTT_CLIENT_TOPIC_MAX = 1024,   /**< octets of a topic that is sent */
	/** If nothing else is said. mosquitto takes 20, counts those of a session that it has restored as well, and answers one too many with
	 * a PUBREC that in 3.1.1 looks as if it had taken it: half of that is safe. */
	MQTT_CLIENT_IN_FLIGHT = 10,
	MQTT_CLIENT_IN_FLIGHT_MAX = 1000,
	MQTT_CLIENT_TAKING_MAX = 20,    /**< messages of the broker that the caller has not taken yet; then no more is read */
	MQTT_CLIENT_HELD_MAX = 2048,    /**< messages of QoS 2 that the broker has sent and not released; one that was away long sends all that it kept (mosquitto: 1000) at once */
	MQTT_CLIENT_FILTERS_MAX = 8,
};

/** All of it is copied. */
struct mqtt_client_options {
	uint8_t level;             /**< MQTT_311 or MQTT_5 */
	struct str client_id;      /**< not empty: a session without a name cannot be come back to */
	struct mqtt_optional user, password;
	uint16_t keep_alive_s;     /**< [s]; 0: none, and a broker that falls silent is noticed only while it owes an answer */
	uint16_t in_flight_max;    /**< messages on the way; 0: MQTT_CLIENT_IN_FLIGHT */
	size_t packet_max;         /**< octets of a packet that the broker may send */
	uint64_t answer_us;        /**< how long an answer is waited for: CONNACK, PINGRESP [us] */
	uint64_t ack_us;           /**< how long a broker may acknowledge nothing of what is on its way [us] */
	uint64_t maybe_sent;       /**< the highest number that an earlier process may have sent; 0: none */
	const struct mqtt_filter *filters; /**< to be subscribed: filter and QoS */
	size_t filters_n;
};

enum mqtt_item_state {
	MQTT_ITEM_WAITING,
	MQTT_ITEM_RECEIVED, /**< QoS 2: the broker has said PUBREC, and that is stored; topic and payload are needed no more */
};

/** A message of the caller's queue. */
struct mqtt_item {
	uint64_t number; /**< from 1, ascending, durable, one row per client id; never used again */
	enum mqtt_item_state state;
	uint8_t qos;
	struct str topic;
	struct slice payload;
};

enum mqtt_outcome {
	MQTT_OUTCOME_RECEIVED, /**< QoS 2: store that, then mqtt_client_stored */
	MQTT_OUTCOME_DONE,     /**< the broker has it (QoS 0: it has left); forget the item */
	MQTT_OUTCOME_REFUSED,  /**< the broker does not want it, and never will; forget the item, it was not delivered */
};

/** A message of the broker; everything borrowed for the call. */
struct mqtt_incoming {
	struct str topic;
	struct slice payload;
	size_t filter;  /**< the first of the filters that it matches; what matches none never comes here */
	uint8_t qos;
	bool is_retained; /**< the broker had kept it, and sends it at every subscribing, this one too */
	uint16_t id;    /**< QoS 2: to be stored with whatever the message changes, until it is released */
	uint64_t token; /**< for mqtt_client_accept; 0 with QoS 0 */
};

/** The way to the broker: octets, in order. */
struct mqtt_client_wire {
	void *ctx;
	/** Send the parts. @return true: they were taken, but no more should follow before mqtt_client_drained */
	bool (*send)(void *ctx, const struct slice *parts, size_t n);
	void (*resume)(void *ctx); /**< read on: mqtt_client_receive has asked not to */
	/** It is over: close. The client is idle already. @param words  borrowed for the call */
	void (*close)(void *ctx, enum mqtt_fault fault, struct str words);
};

/** Whoever has the messages. */
struct mqtt_client_user {
	void *ctx;
	/** The broker has accepted. Offer items from the first on, in order, until one does not fit.
	 * @param has_session  false: the broker knows nothing of earlier; ids of QoS 2 that were stored are void */
	void (*connected)(void *ctx, bool has_session);
	void (*room)(void *ctx); /**< an item did not fit; now there is room: go on with that one */
	/** @param words  why it was refused; else empty */
	void (*outcome)(void *ctx, uint64_t number, enum mqtt_outcome what, struct str words);
	/** Take it, and say mqtt_client_accept once it is durable. */
	void (*message)(void *ctx, const struct mqtt_incoming *m);
	/** A message of QoS 2 is through: let go of its id, durably, then mqtt_client_accept. NULL: ids are not stored. */
	void (*released)(void *ctx, uint16_t id, uint64_t token);
	/** Something that an operator should hear of, though the connection goes on: a subscription was refused. */
	void (*warning)(void *ctx, struct str words);
};

/** @param ret  on 0: the caller's
 * @return 0; -EINVAL no client id, too many filters, a text that MQTT cannot carry, too long; -ENOMEM */
int mqtt_client_new(const struct mqtt_client_options *o, const struct mqtt_client_wire *wire, const struct mqtt_client_user *user,
	struct mqtt_client **ret);
void mqtt_client_free(struct mqtt_client *c); /**< never from within a callback */
DEFINE_AUTO(struct mqtt_client, mqtt_client_free);

/* The wire's side. */

void mqtt_client_begin(struct mqtt_client *c, uint64_t now_us); /**< octets can be sent: CONNECT leaves */
/** @param ret_need  octets that must be there before the next call makes sense; 0: stop reading until wire.resume
 * @return octets used; the rest is to be given again */
size_t mqtt_client_receive(struct mqtt_client *c, struct slice octets, uint64_t now_us, size_t *ret_need);
void mqtt_client_drained(struct mqtt_client *c, uint64_t now_us); /**< all that was sent has left */
void mqtt_client_lost(struct mqtt_client *c);                     /**< there is no wire any more, by whatever cause */
/** Write what takes leave of the broker in good order: DISCONNECT. The client is idle then; the caller closes.
 * @param is_for_ever  unsubscribe too: the broker need not collect for this client @return false: there is nobody to take leave of */
bool mqtt_client_leave(struct mqtt_client *c, bool is_for_ever);
/** What is the matter with the wire's end, from where the client stood: "the broker closed the connection …". @param t  appended to */
enum mqtt_fault mqtt_client_why_closed(const struct mqtt_client *c, uint64_t now_us, struct text *t);
uint64_t mqtt_client_deadline_us(const struct mqtt_client *c); /**< when mqtt_client_tick is due; UINT64_MAX: not */
void mqtt_client_tick(struct mqtt_client *c, uint64_t now_us);

/* The caller's side. */

bool mqtt_client_is_connected(const struct mqtt_client *c); /**< accepted by the broker */
/** Send an item, or say PUBREL for one that was received; of that, if the broker has lost the session, the outcome comes from within: done.
 * @return 0 on its way, an outcome follows; MQTT_CLIENT_E_WAIT not now: not connected, or no room (user.room is called);
 *   MQTT_CLIENT_E_NEVER such an item cannot be sent, `why` says so; -EINVAL it is on its way already, or not behind the others */
enum { MQTT_CLIENT_E_WAIT = 1, MQTT_CLIENT_E_NEVER = 2 };
int mqtt_client_send(struct mqtt_client *c, const struct mqtt_item *item, uint64_t now_us, struct text *why);
/** That the broker has received it is stored. Of an item that is not in flight any more: nothing happens. */
void mqtt_client_stored(struct mqtt_client *c, uint64_t number, uint64_t now_us);
/** What came with this token is durable; of an earlier connection, too. */
void mqtt_client_accept(struct mqtt_client *c, uint64_t token, uint64_t now_us);
/** Before the first connection: an id of QoS 2 that was stored and not released. @return 0; -ENOSPC */
int mqtt_client_remember(struct mqtt_client *c, uint16_t id);
size_t mqtt_client_in_flight(const struct mqtt_client *c);
/** The packet id of a number: 1 to 65534, so that 65535 is free for subscribing. */
uint16_t mqtt_client_packet_id(uint64_t number);
