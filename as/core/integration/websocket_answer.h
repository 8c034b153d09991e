/** @file The opening handshake of a WebSocket from its client's side: the request, and what the server answers (RFC 6455 4.1). */
#pragma once
#include "common/core/bytes.h"
#include "common/core/text.h"

enum { WEBSOCKET_ANSWER_MAX = 8192 /**< octets of an answer's head */ };

/** The request for MQTT. @param host  without brackets @param key  Sec-WebSocket-Key */
void websocket_question_write(struct text *t, const char *host, uint16_t port, bool is_default_port, const char *path, struct str key);
/** Read the head of the answer.
 * @param accept    what Sec-WebSocket-Accept has to be
 * @param ret_used  on 0: octets of the head; frames follow
 * @param why  on -EINVAL: what the server said instead; appended to
 * @return 0; WEBSOCKET_ANSWER_E_MORE; -EINVAL */
enum { WEBSOCKET_ANSWER_E_MORE = 1 };
int websocket_answer_read(struct slice in, struct str accept, size_t *ret_used, struct text *why);
