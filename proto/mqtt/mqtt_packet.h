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
#define REASON(name, code, packets, text) MQTT_##name = code,
#include "proto/mqtt/mqtt_reasons.def"
#undef REASON
};
const char *mqtt_reason_text(uint8_t reason); /**< for people; "" for one that is not known */
/** May a packet of that type carry this reason code? @param is_server  who sends it (a DISCONNECT differs) */
bool mqtt_reason_fits(uint8_t type, uint8_t reason, bool is_server);

/** One packet as it lies in a stream. */
struct mqtt_frame {
	uint8_t type, flags;
	bool is_padded; /**< the remaining length has more octets than it needs, which 5.0 forbids [MQTT5 1.5.5-1] */
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

/** @return 0; MQTT_BAD_VERSION (ret->level says which was asked for); MQTT_MALFORMED (ret->level is 0 for another protocol); MQTT_PROTOCOL_ERROR; MQTT_BAD_TOPIC */
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

/** PUBACK, PUBREC, PUBREL, PUBCOMP; also DISCONNECT and AUTH, whose id is 0. The reason is 0 below 5.0, and else one that this packet may carry. */
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
