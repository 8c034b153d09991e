/** @file HTTP/1.1 server: a table of routes, bounded heads, bodies, connections and times, JSON answers.
 *
 * Not on evhttp, which has no bound on connections, cannot tell that a waiting peer left, and answers errors in HTML.
 * At most 256 connections; a head has 16 KiB and 60 s, a body 1 MiB and 60 s; a HEAD request takes the GET route.
 */
#pragma once
#include "common/core/text.h"
#include "common/loop.h"
#include <stdbool.h>

struct bufferevent;
struct http_server;
struct http_request;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };
enum { HTTP_PARAMS_MAX = 8, HTTP_TABLES_MAX = 4, HTTP_BODY_MAX = 1 << 20 };

struct http_route {
	enum http_method method;
	/** "/api/v3/applications/{application_id}/devices/{device_id}": {x} is one segment, not empty; the first match counts */
	const char *path;
	void (*fn)(void *ctx, struct http_request *r); /**< must answer, now or later, exactly once */
};

/** @param address  "127.0.0.1:1885", "[::1]:0"
 * @param routes    terminated by path NULL; borrowed
 * @return 0; -errno with one line in *ret_error that names the address */
int http_listen(struct loop *l, const char *address, const struct http_route *routes, void *ctx,
	struct http_server **ret, struct text *ret_error);
/** Serve more paths, with a ctx of their own; earlier tables go first. At most HTTP_TABLES_MAX tables, the first one included.
 * @param routes  terminated by path NULL; borrowed */
void http_add_routes(struct http_server *s, const struct http_route *routes, void *ctx);
const char *http_address(const struct http_server *s); /**< as bound, port included */
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
struct net_address;
/** Who asks. @return 0; -errno, it has gone */
int http_peer(const struct http_request *r, struct net_address *ret);
void http_reply_json(struct http_request *r, int status, struct str body);
/** The same with further header lines, each with its CR LF. */
void http_reply_json_more(struct http_request *r, int status, struct str body, const char *lines);
void http_reply_text(struct http_request *r, int status, const char *content_type, struct str body);
/** {"code":…,"message":"…","details":[]} with the gRPC code that goes with the status. */
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
