/** @file Properties of MQTT 5.0: one table says which exist, what they hold and which packets may carry them. */
#pragma once
#include "common/core/bytes.h"
#include "common/core/text.h"

/** Packets in which a property may stand, as bits. */
enum mqtt_prop_place {
	IN_CONNECT = 1,
	IN_CONNACK = 2,
	IN_PUBLISH = 4,
	IN_WILL = 8,
	IN_ACK = 16, /**< PUBACK, PUBREC, PUBREL, PUBCOMP */
	IN_SUBSCRIBE = 32,
	IN_SUBACK = 64, /**< UNSUBACK too */
	IN_UNSUBSCRIBE = 128,
	IN_DISCONNECT = 256,
	IN_AUTH = 512,
	IN_ANY = 1023,
};

enum mqtt_prop {
#define PROP(name, id, kind, places) MQTT_PROP_##name,
#include "proto/mqtt/mqtt_props.def"
#undef PROP
	MQTT_PROP_N
};

/** The largest number of user properties taken in one packet; more is MQTT_QUOTA. */
enum { MQTT_USER_PROPS_MAX = 64 };

/** The properties of one packet. Values are meaningful only where `has` says so. */
struct mqtt_props {
	uint32_t has;     /**< bit per enum mqtt_prop */
	struct slice raw; /**< as they came, without the length; borrowed */
	struct {
		uint32_t u;
		struct str s;
	} v[MQTT_PROP_N];
};

/** Read the length and the properties of a packet.
 * @param place  where they stand: one bit of enum mqtt_prop_place
 * @param ret    set on 0; borrows from r
 * @return 0; MQTT_MALFORMED (out of place, too); MQTT_PROTOCOL_ERROR (one twice or out of range); MQTT_QUOTA [MQTT5 2.2.2] */
int mqtt_props_read(struct reader *r, unsigned place, struct mqtt_props *ret);
bool mqtt_props_has(const struct mqtt_props *p, enum mqtt_prop which);
uint32_t mqtt_props_u(const struct mqtt_props *p, enum mqtt_prop which, uint32_t otherwise);

/** Set a number or a string, to be written; strings stay borrowed. */
void mqtt_props_set_u(struct mqtt_props *p, enum mqtt_prop which, uint32_t v);
void mqtt_props_set_s(struct mqtt_props *p, enum mqtt_prop which, struct str s);
/** Write length and properties, without user properties. */
void mqtt_props_write(struct writer *w, const struct mqtt_props *p);
size_t mqtt_props_size(const struct mqtt_props *p); /**< of what mqtt_props_write writes */

/** Copy what a server hands on with a message (payload format, content type, response topic, correlation data, user
 * properties, in their order) [MQTT5 3.3.2.3]. Writes at most raw.n octets. */
void mqtt_props_forward(struct writer *w, struct slice raw);

/** A variable byte integer; failed on a fifth octet, and on octets that it does not need. */
uint32_t mqtt_varint_read(struct reader *r);
void mqtt_varint_write(struct writer *w, uint32_t v);
size_t mqtt_varint_size(uint32_t v);
