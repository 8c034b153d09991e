/** @file The head of an HTTP/1.x request (RFC 9112), parsed in place. Pure. */
#pragma once
#include "common/core/text.h"

enum { HTTP_HEADERS_MAX = 64, HTTP_QUERIES_MAX = 32 };

struct http_pair {
	const char *name, *value;
};

/** Everything points into the parsed buffer and is terminated there. */
struct http_head {
	const char *method;
	char *path; /**< still percent-encoded, so that an encoded slash is none; begins with '/', or is the "*" of OPTIONS */
	struct http_pair headers[HTTP_HEADERS_MAX], queries[HTTP_QUERIES_MAX]; /**< queries are decoded */
	size_t header_n, query_n;
	uint64_t content_length; /**< 0 if there is none */
	bool is_chunked, keeps_alive, expects_continue, is_http10;
};

/** Parse a request line and its headers, the empty line included. Obsolete line folding, two lengths, a length beside
 * chunks and anything else that two readers could understand differently is refused.
 * @param buf  n octets that end with CR LF CR LF; changed
 * @return 0; otherwise the HTTP status that tells the peer: 400, 414, 431, 501, 505 */
int http_head_parse(char *buf, size_t n, struct http_head *ret);
/** By name, without regard to case. NULL: absent. */
const char *http_head_header(const struct http_head *h, const char *name);
const char *http_head_query(const struct http_head *h, const char *name);
/** Decode %XX in place (and + as a blank if plus). @return 0; -EINVAL a bad escape, or one of NUL */
int http_percent_decode(char *z, bool plus);
/** The length of a chunk: "1a;ext" is 26. @return 0; -EINVAL */
int http_chunk_length(struct str line, uint64_t *ret);
