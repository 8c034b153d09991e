/** @file Topic aliases of MQTT 5.0, both ways: a number stands for a topic while the connection lives [MQTT5 3.3.2.3.4]. */
#pragma once
#include "common/core/text.h"

struct mqtt_conn;
struct mqtt_publish;
struct mqtt_aliases;

/** Put the topic that a client's alias stands for into p->topic, or remember it.
 * @return 0; MQTT_BAD_ALIAS 0, or more than was offered; MQTT_PROTOCOL_ERROR it stands for nothing yet; MQTT_UNAVAILABLE no memory */
int mqtt_alias_resolve(struct mqtt_conn *c, struct mqtt_publish *p);

struct mqtt_alias_use {
	uint16_t alias; /**< 0: none */
	bool is_known;  /**< the client has been told the topic: it may be left out */
};
/** Which alias shall a message with this topic go out with? */
struct mqtt_alias_use mqtt_alias_choose(struct mqtt_conn *c, struct str topic);
/** The client has been told that the chosen alias stands for the topic. */
void mqtt_alias_told(struct mqtt_conn *c, uint16_t alias, struct str topic);
void mqtt_aliases_free(struct mqtt_aliases *a);
