/** @file The frames of a WebSocket connection, as its server or its client (RFC 6455), and its opening handshake. libwslay reads and writes
 * the frames; what may follow what, and what is answered, is decided here. Neither sockets nor time.
 *
 * Only binary messages are taken, in frames and fragments of any size: their octets are one stream (as MQTT has it [MQTT5 6.0]),
 * so nothing is kept of a message, whatever length it announces.
 */
#pragma once
#include "common/core/bytes.h"
#include "common/core/rng.h"
#include "common/core/text.h"

struct websocket;

enum {
	WEBSOCKET_FRAME_MAX = 16 << 20, /**< octets of one frame's payload; a longer one is refused when its head is read */
	WEBSOCKET_KEY_TEXT = 28,        /**< characters of Sec-WebSocket-Accept */
};

/** The status codes of Close frames that are used here (RFC 6455 7.4.1). */
enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_UNSUPPORTED = 1003,
	WEBSOCKET_BAD_TEXT = 1007,
	WEBSOCKET_TOO_BIG = 1009,
};

/** Where octets go. Neither function may call the websocket. */
struct websocket_io {
	void *ctx;
	int (*data)(void *ctx, struct slice octets);    /**< that binary messages carried. @return 0; -ENOMEM */
	int (*write)(void *ctx, struct slice octets); /**< of frames, to the other end. @return 0; -ENOMEM */
};

struct websocket *websocket_new(const struct websocket_io *io); /**< a server's end; NULL: no memory */
/** A client's end: its frames are masked. @param rng  must stay; NULL: no memory */
struct websocket *websocket_new_client(const struct websocket_io *io, const struct rng *rng);
void websocket_free(struct websocket *w);
/** Take what the other end sent. A Ping is answered; after a Close frame, or what is no WebSocket, a Close frame has been written, and
 * what comes later is ignored.
 * @return 0; WEBSOCKET_E_CLOSED the connection is over once what was written has left; -ENOMEM */
enum { WEBSOCKET_E_CLOSED = 1 };
int websocket_receive(struct websocket *w, struct slice octets);
/** Send the parts as one binary message. Nothing is sent behind a Close frame. @return 0; -ENOMEM, the connection cannot go on */
int websocket_send(struct websocket *w, const struct slice *parts, size_t n);
/** Write a Close frame, unless one was written. */
void websocket_close(struct websocket *w, enum websocket_code code);

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 4.2.2). @return 0; -EINVAL no 16 octets of base64 */
int websocket_accept(struct str key, char ret[WEBSOCKET_KEY_TEXT + 1]);
