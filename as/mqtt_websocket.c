/** @file MQTT over WebSocket: the opening handshake (RFC 6455 4.2, MQTT 5.0 section 6). */
#include "as/mqtt_websocket.h"
#include "as/mqtt_listener.h"
#include "as/websocket.h"
#include "common/core/http_fields.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* As MQTT 3.1.1 and 5.0 have it, and as clients of 3.1 do. */
static const char *const protocols[] = { "mqtt", "mqttv3.1" };

static const char *protocol_choose(struct str offered)
{
	for (size_t i = 0; i < COUNT(protocols); i++)
		if (http_has_token(offered, protocols[i]))
			return protocols[i];
	return NULL;
}

/** A client that sends no Origin is no browser, and need not be kept from anything. */
static bool is_welcome(const char *origins, const char *origin)
{
	return !origin || http_origin_allowed(str_of(origins), origin);
}

/** @return 0; the HTTP status of what is wrong, with the reason in *ret_why */
static int handshake_judge(const struct http_request *r, const char *origins, char accept[WEBSOCKET_KEY_TEXT + 1], const char **ret_why)
{
	const char *version = http_header(r, "Sec-WebSocket-Version");
	if (!http_may_upgrade(r) || !http_has_token(str_of(http_header(r, "Upgrade")), "websocket") ||
		!http_has_token(str_of(http_header(r, "Connection")), "upgrade") || !version || strcmp(version, "13") != 0) {
		*ret_why = "this path speaks MQTT over WebSocket, version 13";
		return 426;
	}
	*ret_why = "Sec-WebSocket-Key must be 16 octets in base64";
	if (websocket_accept(str_of(http_header(r, "Sec-WebSocket-Key")), accept))
		return 400;
	*ret_why = "the subprotocol must be mqtt (or mqttv3.1): Sec-WebSocket-Protocol";
	if (!protocol_choose(str_of(http_header(r, "Sec-WebSocket-Protocol"))))
		return 400;
	*ret_why = "pages of this origin are not let in: see as.websocket-origins";
	return is_welcome(origins, http_header(r, "Origin")) ? 0 : 403;
}

void mqtt_websocket_open(struct mqtt_listener *l, const char *origins, struct http_request *r)
{
	char accept[WEBSOCKET_KEY_TEXT + 1], lines[256];
	const char *why;
	struct net_address from;
	int status = handshake_judge(r, origins, accept, &why);
	if (!status && (http_peer(r, &from) || !mqtt_listener_has_room(l, &from))) {
		status = 503;
		why = "too many MQTT connections";
	}
	if (status) {
		http_reply_error(r, status, why);
		return;
	}
	snprintf(lines, sizeof lines, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: %s\r\n",
		accept, protocol_choose(str_of(http_header(r, "Sec-WebSocket-Protocol"))));
	(void)mqtt_listener_adopt(l, http_upgrade(r, lines), &from);
}
