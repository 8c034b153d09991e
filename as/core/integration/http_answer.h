/** @file The answer to an HTTP/1.x request that had a body (RFC 9112), read as its octets come in. Of its body nothing is kept but the
 * beginning, for people. Pure. */
#pragma once
#include "common/core/text.h"

enum {
	HTTP_ANSWER_LINE_MAX = 1024,         /**< octets of a line that are looked at */
	HTTP_ANSWER_HEAD_MAX = 32768,        /**< octets of all lines of a head together, of trailers likewise */
	HTTP_ANSWER_INTERIM_MAX = 8,         /**< answers 1xx before the final one */
	HTTP_ANSWER_BODY_MAX = 1024 * 1024,  /**< octets of body that are listened to; a longer one costs the connection */
	HTTP_ANSWER_BEGINNING = 160,
};

enum http_answer_state {
	ANSWER_STATUS,
	ANSWER_FIELDS,
	ANSWER_BODY,       /**< `left` octets of it */
	ANSWER_CHUNK_SIZE,
	ANSWER_CHUNK,      /**< `left` octets of it */
	ANSWER_CHUNK_END,
	ANSWER_TRAILERS,
	ANSWER_UNTIL_CLOSE, /**< the end of the connection is that of the body */
	ANSWER_DONE,
};

struct http_answer {
	enum http_answer_state state;
	unsigned status;     /**< 200 to 599 once the head is there; before, or of an interim answer, whatever */
	bool has_head;       /**< the final answer's head is there: status and fields below count */
	bool keeps_alive;    /**< another request may follow on this connection, once it is DONE */
	char retry_after[64], location[256]; /**< of the fields of these names; "": none, or longer */
	char beginning[HTTP_ANSWER_BEGINNING + 1]; /**< of the body, as printable ASCII */
	/* Inside: */
	uint64_t left, body;
	size_t beginning_n, line_n, head_n;
	unsigned n_interim;
	bool is_chunked, has_length, is_http10, is_cut; /**< is_cut: the line is longer than `line` */
	char line[HTTP_ANSWER_LINE_MAX];
};

void http_answer_init(struct http_answer *a);
/** Take what has come in. Nothing is taken once it is DONE.
 * @return 0; -EBADMSG this is no answer of HTTP/1, or one that two readers could understand differently; -EMSGSIZE it is too long.
 * With has_head the status counts all the same */
int http_answer_take(struct http_answer *a, const void *p, size_t n);
/** The connection has ended. @return 0: the answer is whole, and DONE; -EBADMSG it is not */
int http_answer_end(struct http_answer *a);
