/** @file One HTTP connection: reads requests one after the other, writes what answers them. Internal to http. */
#pragma once
#include "common/core/http_head.h"
#include "common/core/metric.h"
#include "common/http.h"
#include "common/net.h"
#include <sys/queue.h>

struct bufferevent;
struct evbuffer;

enum { HTTP_SEGMENTS_MAX = 32 };

enum http_state {
	HTTP_HEAD,       /**< waiting for a request, or reading its head */
	HTTP_BODY,
	HTTP_CHUNK_LINE,
	HTTP_CHUNK_DATA,
	HTTP_CHUNK_END,
	HTTP_TRAILER,
	HTTP_HANDLING,   /**< the request is with its handler */
	HTTP_STREAMING,  /**< and the answer has begun */
	HTTP_FLUSHING,   /**< answered; closes when the peer has taken it */
	HTTP_LINGERING,  /**< waits until the peer has seen the answer, so that a reset does not overtake it */
	HTTP_UPGRADED,   /**< the connection is somebody else's, the request is to be freed */
	HTTP_GONE,       /**< the peer is gone, the handler has not answered yet */
};

/** A connection and the request on it. */
struct http_request {
	TAILQ_ENTRY(http_request) link;
	struct http_server *server; /**< NULL: gone */
	struct bufferevent *bev;
	struct loop_timer *timer;
	enum http_state state;
	char *head_text;
	struct http_head head;
	struct evbuffer *body;
	uint64_t begun_us; /**< when the whole request was there */
	uint64_t left;  /**< octets of the body or chunk to come */
	size_t scanned, trailer_bytes;
	struct { struct str name; const char *value; } params[HTTP_PARAMS_MAX];
	size_t param_n;
	void (*on_close)(void *ctx);
	void *on_close_ctx;
	struct net_address peer;
	int refusal;    /**< what its first request is answered with, whatever it asks: 429, 503; 0: it is served */
	bool closes;    /**< after this answer */
	bool lingers;
};

TAILQ_HEAD(http_list, http_request);

/** By the first digit of the status. */
enum { HTTP_CLASSES = 6 };
struct http_stats {
	uint64_t requests[HTTP_CLASSES];
	struct histogram took; /**< from a whole request to its answer */
	uint64_t connections;  /**< now */
	uint64_t turned_away;  /**< answered 429 or 503 for want of room, or closed where even that was too much */
};

/** A socket that listens. */
struct http_port {
	struct http_server *server;
	struct loop_watch *watch;
	struct ssl_ctx_st *tls; /**< NULL: plain */
	int fd;
	char address[128];
};

struct http_server {
	struct loop *loop;
	struct http_options options;
	struct {
		const struct http_route *routes;
		void *ctx;
	} tables[HTTP_TABLES_MAX];
	struct http_port ports[HTTP_PORTS_MAX];
	size_t table_n, port_n;
	struct loop_timer *accept_again;
	struct http_stats stats;
	uint32_t refused_n;        /**< connections that are there to be told that there is no room */
	uint64_t said_us, unsaid;  /**< when it was last logged that there is none; how many since */
	struct http_list requests; /**< the one that was used last is last */
};

/** Take over an accepted socket. @param refusal  of struct http_request @return 0; -ENOMEM (then it is closed) */
int http_conn_open(struct http_port *p, int fd, const struct net_address *from, int refusal);
/** End it at once; a handler that has the request is told, or answers into the void. */
void http_conn_close(struct http_request *r);
/** Nobody knows of it any more: let go of it. */
void http_conn_free(struct http_request *r);
bool http_conn_is_idle(const struct http_request *r);
/** The answer is written: go on with the next request, or close. */
void http_conn_next(struct http_request *r);

/** Answer. @param content_type  NULL: none @param more  header lines, or "" */
void http_answer(struct http_request *r, int status, const char *content_type, struct str body, const char *more);
/** As http_reply_error, with more header lines. */
void http_answer_error(struct http_request *r, int status, const char *message, const char *more);
/** Write no more than the head. @param framing  Content-Length or Transfer-Encoding line, or "" */
void http_answer_head(struct http_request *r, int status, const char *content_type, const char *framing, const char *more);
bool http_is_head(const struct http_request *r);

/** Hand a complete request to its route. */
void http_dispatch(struct http_request *r);
