/** @file HTTP/1.1 server, plain and over TLS: a table of routes; bounds of heads, bodies, connections and times; JSON answers.
 *
 * Not on evhttp, which has no bound on connections, cannot tell that a waiting peer left, and answers errors in HTML.
 * What is over a bound is told so: 408 too slow, 413 and 431 too large, 429 and 503 too many; only who never asks for anything is
 * closed without a word. HEAD takes the GET route; OPTIONS says what a path has, to browsers what they may do with it (CORS).
 */
#pragma once
#include "common/core/text.h"
#include "common/loop.h"
#include <stdbool.h>

struct bufferevent;
struct http_server;
struct http_request;
struct net_address;
struct ssl_ctx_st;
struct ssl_st;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_N };
enum { HTTP_PARAMS_MAX = 8, HTTP_TABLES_MAX = 4, HTTP_PORTS_MAX = 16, HTTP_RETRY_AFTER_S = 5 };

/** The bounds of a server; a member of 0 is its default. */
struct http_limits {
	size_t head_bytes;      /**< of a request line and its fields, of which there may be HTTP_HEADERS_MAX; 16 KiB */
	size_t body_bytes;      /**< 1 MiB */
	size_t output_bytes;    /**< not taken by the peer yet: then a stream is told -ENOBUFS, and no further request is read; 1 MiB */
	uint32_t connections;   /**< at a time; one more makes an idle one give way, or is answered 503; 256 */
	uint32_t connections_per_address; /**< the same for one IPv4 address or IPv6 /64, answered 429; 0: any number */
	uint64_t request_us;    /**< from the first octet of a request to its last; 60 s */
	uint64_t idle_us;       /**< without any request; 60 s */
	uint64_t write_us;      /**< in which the peer takes nothing of an answer; 60 s */
};

struct http_options {
	struct http_limits limits;
	const char *allow_origins; /**< whose web pages may ask (common/core/http_fields.h); NULL, "": no others than its own; borrowed */
	/** Is an address excepted from connections_per_address, as a proxy is? NULL: none is */
	bool (*is_trusted)(void *ctx, const struct net_address *from);
	void *ctx;
};

struct http_route {
	enum http_method method;
	/** "/api/v3/applications/{application_id}/devices/{device_id}": {x} is one segment, not empty; the first match counts */
	const char *path;
	void (*fn)(void *ctx, struct http_request *r); /**< must answer, now or later, exactly once */
};

/** A server that listens nowhere yet. @param o  NULL: defaults @return NULL: no memory */
struct http_server *http_new(struct loop *l, const struct http_options *o);
/** Listen on one more address.
 * @param address  "127.0.0.1:1885", "[::1]:0"
 * @param tls      NULL: plain; else what to serve TLS with, borrowed
 * @return 0; -errno with one line in *ret_error that names the address */
int http_open(struct http_server *s, const char *address, struct ssl_ctx_st *tls, struct text *ret_error);
/** The three in one: a plain server with the defaults, on one address. @return as http_open */
int http_listen(struct loop *l, const char *address, const struct http_route *routes, void *ctx,
	struct http_server **ret, struct text *ret_error);
/** Serve more paths, with a ctx of their own; earlier tables go first. At most HTTP_TABLES_MAX tables.
 * @param routes  terminated by path NULL; borrowed */
void http_add_routes(struct http_server *s, const struct http_route *routes, void *ctx);
/** The first address that it listens on, plain or with TLS, as bound, port included; "": none */
const char *http_address(const struct http_server *s, bool is_tls);
/** Write what it counts as metrics. @param process  whose server it is: "as" */
void http_metrics(const struct http_server *s, struct text *t, const char *process);
void http_free(struct http_server *s);

/** Path parameter by name ("" if none), query parameter (NULL if absent), header (NULL if absent): borrowed. */
const char *http_param(const struct http_request *r, const char *name);
const char *http_query(const struct http_request *r, const char *name);
/** The nth query parameter of that name, from 0 on; NULL: there are no more. */
const char *http_query_nth(const struct http_request *r, const char *name, size_t nth);
const char *http_header(const struct http_request *r, const char *name);
struct str http_body(const struct http_request *r);
/** Who asks. @return 0; -errno, it has gone */
int http_peer(const struct http_request *r, struct net_address *ret);
/** The TLS of its connection. @return NULL: it is plain, or has gone */
const struct ssl_st *http_tls(const struct http_request *r);
void http_reply_json(struct http_request *r, int status, struct str body);
/** The same with further header lines, each with its CR LF. */
void http_reply_json_more(struct http_request *r, int status, struct str body, const char *lines);
void http_reply_text(struct http_request *r, int status, const char *content_type, struct str body);
/** The gRPC code that an error with this status has. */
int http_error_code(int status);
/** {"code":…,"message":"…","details":[]} with that code. Every answer of 401, 426, 429 and 503 has the field that goes with it
 * (WWW-Authenticate, Upgrade, Retry-After). */
void http_reply_error(struct http_request *r, int status, const char *message);

/** A stream (events): headers now, chunks as they come. on_close is called once when the peer goes away, and not after
 * http_stream_end. The bytes not yet taken by the peer are bounded: -ENOBUFS means drop or end. */
void http_stream_begin(struct http_request *r, const char *content_type, void (*on_close)(void *ctx), void *ctx);
int http_stream_send(struct http_request *r, struct str chunk); /**< 0; -ENOBUFS; -EPIPE if it is gone and on_close was NULL */
void http_stream_end(struct http_request *r);
/** Is it a GET of HTTP/1.1, which alone can be upgraded? */
bool http_may_upgrade(const struct http_request *r);
/** Within the route's function: answer 101 with these header lines ("Upgrade: websocket\r\n…") and hand over the connection, with
 * what has been read behind the request in its input. The request is gone.
 * @return the caller's from now on; callbacks, watermarks and timeouts are to be set anew */
struct bufferevent *http_upgrade(struct http_request *r, const char *lines);
/** Be told if the peer goes away before the answer. The request is then gone: do not answer it. */
void http_on_close(struct http_request *r, void (*fn)(void *ctx), void *ctx);
