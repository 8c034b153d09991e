/** @file MQTT over WebSocket: the path /mqtt of the HTTP listener. */
#pragma once
#include "as/as.h"

struct mqtt_listener;

/** Answer a request for /mqtt: with an upgrade, after which the connection is the listener's, or with what is wrong.
 * @param origins  as.websocket-origins: "*", or those that are let in, separated by commas */
void mqtt_websocket_open(struct mqtt_listener *l, const char *origins, struct http_request *r);
