/** @file MQTT control packets of 3.1, 3.1.1 and 5.0: framing and reading, for a server and for a client.
 *
 * Readers return 0 or the 5.0 reason code that names the fault; an older level closes the connection without a word.
 * Everything read is borrowed from the body.
 */
#pragma once
#include "proto/mqtt/mqtt_props.h"

enum mqtt_type {
	MQTT_CONNECT = 1, MQTT_CONNACK, MQTT_PUBLISH, MQTT_PUBACK, MQTT_PUBREC, MQTT_PUBREL, MQTT_PUBCOMP,
	MQTT_SUBSCRIBE, MQTT_SUBACK, MQTT_UNSUBSCRIBE, MQTT_UNSUBACK, MQTT_PINGREQ, MQTT_PINGRESP, MQTT_DISCONNECT, MQTT_AUTH
};

enum mqtt_level { MQTT_31 = 3, MQTT_311 = 4, MQTT_5 = 5 };

/** Reason codes [MQTT5 2.4]; inside this project they serve for every level. */
enum mqtt_reason {
	MQTT_OK = 0x00,
	MQTT_WITH_WILL = 0x04,
	MQTT_NO_SUBSCRIBERS = 0x10,
	MQTT_NO_SUBSCRIPTION = 0x11,
	MQTT_UNSPECIFIED = 0x80,
	MQTT_MALFORMED = 0x81,
	MQTT_PROTOCOL_ERROR = 0x82,
	MQTT_BAD_VERSION = 0x84,
	MQTT_BAD_CLIENT_ID = 0x85,
	MQTT_BAD_CREDENTIALS = 0x86,
	MQTT_NOT_AUTHORIZED = 0x87,
	MQTT_UNAVAILABLE = 0x88,
	MQTT_SHUTTING_DOWN = 0x8b,
	MQTT_BAD_AUTH_METHOD = 0x8c,
	MQTT_KEEP_ALIVE_TIMEOUT = 0x8d,
	MQTT_TAKEN_OVER = 0x8e,
	MQTT_BAD_FILTER = 0x8f,
	MQTT_BAD_TOPIC = 0x90,
	MQTT_ID_IN_USE = 0x91,
	MQTT_ID_NOT_FOUND = 0x92,
	MQTT_RECEIVE_MAX_EXCEEDED = 0x93,
	MQTT_BAD_ALIAS = 0x94,
	MQTT_TOO_LARGE = 0x95,
	MQTT_RATE = 0x96,
	MQTT_QUOTA = 0x97,
	MQTT_ADMINISTRATIVE = 0x98,
	MQTT_BAD_PAYLOAD = 0x99,
};

/** One packet as it lies in a stream. */
struct mqtt_frame {
	uint8_t type, flags;
	struct slice body;
	size_t size; /**< octets of the whole packet; after MQTT_E_MORE: octets needed before asking again makes sense */
};

/** Find the packet at the start of `in`. The fixed header is judged as soon as it is there: nobody need buffer what will be refused.
 * @param max  most octets a packet may have
 * @param ret  set on 0; on MQTT_E_MORE only its size
 * @return 0; MQTT_E_MORE; MQTT_MALFORMED; MQTT_TOO_LARGE [MQTT311 2.2] */
enum { MQTT_E_MORE = 1 };
int mqtt_frame_read(struct slice in, size_t max, struct mqtt_frame *ret);

struct str mqtt_str_read(struct reader *r); /**< two octets of length, then that many */
void mqtt_str_write(struct writer *w, struct str s);

/** Something a packet may leave out, which is not the same as empty. */
struct mqtt_optional {
	bool is_present;
	struct str s;
};

struct mqtt_connect {
	uint8_t level;
	bool is_clean;
	uint16_t keep_alive_s;
	struct str client_id;
	bool has_will, will_retain;
	uint8_t will_qos;
	struct str will_topic;
	struct slice will_payload;
	struct mqtt_optional user, password;
	struct mqtt_props props, will_props; /**< has = 0 below 5.0 */
};

/** @return 0; MQTT_BAD_VERSION (ret->level says which was asked for); MQTT_MALFORMED; MQTT_PROTOCOL_ERROR; MQTT_BAD_TOPIC */
int mqtt_connect_read(struct slice body, struct mqtt_connect *ret);

struct mqtt_connack {
	bool has_session;
	uint8_t code; /**< as on the wire: 0 to 5 below 5.0, a reason code in 5.0 */
	struct mqtt_props props;
};
int mqtt_connack_read(struct slice body, uint8_t level, struct mqtt_connack *ret);

struct mqtt_publish {
	bool is_dup, retain;
	uint8_t qos;
	uint16_t id; /**< 0 with QoS 0 */
	struct str topic; /**< empty only in 5.0, with a topic alias */
	struct slice payload;
	struct mqtt_props props; /**< has = 0 below 5.0 */
};
int mqtt_publish_read(uint8_t flags, struct slice body, uint8_t level, struct mqtt_publish *ret);

/** PUBACK, PUBREC, PUBREL, PUBCOMP; also DISCONNECT and AUTH, whose id is 0. The reason is 0 below 5.0. */
struct mqtt_ack {
	uint16_t id;
	uint8_t reason;
	struct mqtt_props props;
};
int mqtt_ack_read(uint8_t type, struct slice body, uint8_t level, struct mqtt_ack *ret);

/** SUBSCRIBE, UNSUBSCRIBE: the entries are taken one after another with mqtt_filter_next; SUBACK, UNSUBACK: `entries` are the codes. */
struct mqtt_filters {
	uint16_t id;
	struct slice entries;
	struct mqtt_props props;
};
int mqtt_filters_read(uint8_t type, struct slice body, uint8_t level, struct mqtt_filters *ret);

struct mqtt_filter {
	struct str filter; /**< well-formed, `$share/…` looked at */
	uint8_t qos;
	bool no_local, retain_as_published;
	uint8_t retain_handling;
};
/** @param type  MQTT_SUBSCRIBE or MQTT_UNSUBSCRIBE
 * @return 0; MQTT_E_MORE no further entry; MQTT_MALFORMED; MQTT_PROTOCOL_ERROR; MQTT_BAD_FILTER */
int mqtt_filter_next(struct reader *r, uint8_t type, uint8_t level, struct mqtt_filter *ret);
