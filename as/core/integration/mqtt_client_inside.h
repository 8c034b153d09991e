/** @file The inside of an MQTT client, for its own files. */
#pragma once
#include "as/core/integration/mqtt_client.h"
#include "common/core/clock.h"
#include "proto/mqtt/mqtt_topic.h"
#include "proto/mqtt/mqtt_write.h"

enum client_state { CLIENT_IDLE, CLIENT_CONNECTING, CLIENT_UP };

/** One item on its way. */
enum flight_state { FLIGHT_SENT_0, FLIGHT_SENT_1, FLIGHT_SENT_2, FLIGHT_STORING, FLIGHT_RELEASED };
struct flight {
	uint64_t number;
	uint16_t id;
	enum flight_state state;
};

/** An acknowledgement that we owe; they leave in the order of what they acknowledge [MQTT311 4.6.0-2, -3]. */
struct due {
	uint8_t type;
	uint16_t id;
	uint64_t token;
	bool is_ready;
};

/** A message of QoS 2 that came and is not released: not to be taken twice. */
struct held {
	uint16_t id;
	uint64_t token, release; /**< of its message and of its PUBREL; 0: none yet */
	bool is_taken;
};

struct mqtt_client {
	struct mqtt_client_wire wire;
	struct mqtt_client_user user;
	uint8_t level;
	uint16_t keep_alive_s, in_flight_max;
	size_t packet_max;
	uint64_t answer_us, ack_us, maybe_sent;
	uint8_t *connect; /**< CONNECT, as it goes out */
	size_t connect_n;
	char *text; /**< what the filters point into */
	size_t text_n;
	struct mqtt_filter filters[MQTT_CLIENT_FILTERS_MAX];
	size_t filters_n;
	char client_id[64]; /**< for words: its beginning */

	/* Of the connection. */
	enum client_state state;
	bool has_session, is_full, is_draining, wants_room, is_paused, is_subscribing, has_warned_of_qos;
	bool asks, pings; /**< a question, a ping is among what has not left yet */
	unsigned answers; /**< acknowledgements written since all had left */
	uint16_t now_keep_alive_s, now_in_flight_max;
	uint32_t broker_packet_max;
	uint8_t broker_qos_max;
	uint64_t begun_us, accepted_us, last_tx_us, last_rx_us, ping_us, acked_us;
	uint64_t last_offered;
	struct flight *flights; /**< in the order of their numbers */
	size_t flights_n;
	struct due due[MQTT_CLIENT_TAKING_MAX];
	size_t due_n;

	/* Of the session. */
	struct held held[MQTT_CLIENT_HELD_MAX];
	size_t held_n;
	uint64_t next_token;
};

enum { SUBSCRIBE_ID = 65535 };

/** One packet's handler; the client is connected, or CONNACK is what came. */
typedef void client_handler(struct mqtt_client *c, const struct mqtt_frame *f, uint64_t now_us);

void mqtt_client_put(struct mqtt_client *c, const struct slice *parts, size_t n, uint64_t now_us);
void mqtt_client_write(struct mqtt_client *c, const struct writer *w, uint64_t now_us);
/** Over, with a sentence. */
void mqtt_client_fail(struct mqtt_client *c, enum mqtt_fault fault, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/** It broke the protocol: a packet that cannot be, or cannot be now. */
void mqtt_client_breach(struct mqtt_client *c, uint8_t type, const char *how);
/** ": TEXT (what the broker says)" for a reason of 5.0. */
void mqtt_client_reason(struct text *t, uint8_t reason, const struct mqtt_props *props);

/** Write an acknowledgement; they are counted, so that nobody makes us pile them up. */
void mqtt_client_answer(struct mqtt_client *c, uint8_t type, uint16_t id, uint8_t reason, uint64_t now_us);

/* mqtt_client_out.c */
client_handler mqtt_client_on_ack;
void mqtt_client_out_drained(struct mqtt_client *c); /**< all that was sent has left */
void mqtt_client_tell_room(struct mqtt_client *c);
bool mqtt_client_owes_us(const struct mqtt_client *c); /**< is an acknowledgement of the broker's waited for? */

/* mqtt_client_in.c */
client_handler mqtt_client_on_publish, mqtt_client_on_release;
void mqtt_client_resume(struct mqtt_client *c, uint64_t now_us); /**< read on, if nothing stands against it */
bool mqtt_client_is_held_up(const struct mqtt_client *c);
