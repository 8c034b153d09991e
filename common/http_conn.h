/** @file One HTTP connection: reads requests one after the other, writes what answers them. Internal to http. */
#pragma once
#include "common/core/http_head.h"
#include "common/core/metric.h"
#include "common/http.h"
#include <sys/queue.h>

struct bufferevent;
struct evbuffer;

enum { HTTP_HEAD_MAX = 16 << 10, HTTP_SEGMENTS_MAX = 32 };

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
	uint64_t left;  /**< octets of the body or chunk to come */
	size_t scanned, trailer_bytes;
	struct { struct str name; const char *value; } params[HTTP_PARAMS_MAX];
	size_t param_n;
	void (*on_close)(void *ctx);
	void *on_close_ctx;
	bool closes;    /**< after this answer */
	bool lingers;
	uint64_t begun_us; /**< when the whole request was there */
};

TAILQ_HEAD(http_list, http_request);

/** By the first digit of the status. */
enum { HTTP_CLASSES = 6 };
struct http_stats {
	uint64_t requests[HTTP_CLASSES];
	struct histogram took; /**< from a whole request to its answer */
};

struct http_server {
	struct loop *loop;
	struct {
		const struct http_route *routes;
		void *ctx;
	} tables[HTTP_TABLES_MAX];
	size_t table_n;
	struct http_stats stats;
	struct loop_watch *watch;
	struct loop_timer *accept_again;
	int fd;
	size_t n;
	struct http_list requests;
	char address[128];
};

/** Take over an accepted socket. @return 0; -ENOMEM (then it is closed) */
int http_conn_open(struct http_server *s, int fd);
/** End it at once; a handler that has the request is told, or answers into the void. */
void http_conn_close(struct http_request *r);
bool http_conn_is_idle(const struct http_request *r);
/** 405, with the methods that the path has. */
void http_conn_refuse_method(struct http_request *r, const char *allow);
/** Hand a complete request to its route. */
void http_dispatch(struct http_request *r);
