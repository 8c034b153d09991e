/** @file The URL of a broker: mqtt://host:1883, mqtts://, ws://host/mqtt, wss://; tcp:// and ssl:// as The Things Stack writes them. */
#pragma once
#include "common/core/text.h"

enum { BROKER_HOST_CAP = 256, BROKER_PATH_CAP = 256 };

struct broker_url {
	bool is_tls, is_websocket;
	char host[BROKER_HOST_CAP]; /**< a name or an address, an IPv6 one without brackets */
	uint16_t port;              /**< 1883, 8883; of WebSocket 80, 443, if the URL has none */
	char path[BROKER_PATH_CAP]; /**< of WebSocket: /mqtt, if the URL has none; else "" */
};

/** @param wants_tls  TLS whatever the scheme says
 * @param why  if not 0: what is wrong with it, in words; appended to
 * @return 0; -EINVAL */
int broker_url_parse(struct str url, bool wants_tls, struct broker_url *ret, struct text *why);
