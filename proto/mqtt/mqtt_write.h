/** @file Writing MQTT packets of 3.1, 3.1.1 and 5.0, for a server and for a client. All write into a struct writer; look at its `failed`. */
#pragma once
#include "proto/mqtt/mqtt_packet.h"

/** The fixed header. @param first  type and flags as they go out */
void mqtt_head_write(struct writer *w, uint8_t first, size_t remaining);

/** @param props  for 5.0; NULL: none */
void mqtt_connack_write(struct writer *w, uint8_t level, bool has_session, uint8_t code, const struct mqtt_props *props);

/** PUBACK, PUBREC, PUBREL, PUBCOMP. The reason and its text (may be empty) go out in 5.0 only. */
void mqtt_ack_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, uint8_t reason, struct str why);

/** SUBACK, UNSUBACK, without the codes: n of them are to follow. @param why  as above */
void mqtt_suback_head_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, size_t n, struct str why);

/** PINGREQ, PINGRESP. */
void mqtt_ping_write(struct writer *w, uint8_t type);
void mqtt_disconnect_write(struct writer *w, uint8_t level, uint8_t reason, struct str why);

void mqtt_connect_write(struct writer *w, const struct mqtt_connect *c);

/** Everything of a PUBLISH before its payload, which is to follow. p->props goes out in 5.0 only, without user properties. */
void mqtt_publish_head_write(struct writer *w, uint8_t level, const struct mqtt_publish *p);

/** A SUBSCRIBE or UNSUBSCRIBE of n filters. */
void mqtt_filters_write(struct writer *w, uint8_t type, uint16_t id, uint8_t level, const struct mqtt_filter *v, size_t n);
