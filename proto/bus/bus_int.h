/** @file What the files of the bus know of each other. Not for anybody else. */
#pragma once
#include "common/net.h"
#include "proto/bus/bus.h"
#include "proto/bus/calls.h"
#include "proto/bus/rpc.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <sys/queue.h>

enum {
	PEERS_MAX = 256,            /**< connections of a listener */
	REQUESTS_MAX = 1 << 16,     /**< requests of one peer that wait for our answer */
	REQUESTS_BLOCK = 256,
	COMPLAINTS_MAX = 10,        /**< log lines about what one peer says; then silence */
	GREETING_US = 5 * 1000000,  /**< to connect and say hello */
	BACKOFF_MIN_US = 100 * 1000,
	BACKOFF_MAX_US = 5 * 1000 * 1000,
	STEADY_US = 1000 * 1000,    /**< a connection that lasted so long starts the back-off anew */
};

/** CONNECTING -> GREETING -> UP, or GREETING -> LEAVING; any -> DEAD. */
enum peer_state {
	PEER_CONNECTING, /**< the socket is not connected, or the TLS handshake is not done */
	PEER_GREETING,   /**< hello is awaited */
	PEER_UP,
	PEER_LEAVING,    /**< refused: the reason is being sent, nothing is read any more */
	PEER_DEAD,       /**< taken down at the end of this wake */
};

struct bus_request {
	LIST_ENTRY(bus_request) link; /**< in peer->requests, or in bus->free_requests */
	struct bus *bus;
	struct bus_peer *peer; /**< NULL: has gone */
	enum method method;
	uint32_t id;
};
LIST_HEAD(request_list, bus_request);

struct bus_peer {
	LIST_ENTRY(bus_peer) link;
	struct bus *bus;
	struct bufferevent *bev;
	struct evbuffer *out; /**< written in this wake */
	enum peer_state state;
	bool was_up, is_refused; /**< it ended after being up; by a greeting that was not accepted */
	struct rpc_scan scan;
	size_t scanned; /**< octets of the input that scan has seen; they are still in it */
	struct calls calls;
	struct request_list requests;
	size_t n_requests;
	uint64_t greet_by_us, up_at_us;
	struct hello hello; /**< the other side's, once UP */
	unsigned complaints;
	void *user;
	char why[200]; /**< of its end */
};

struct request_block {
	SLIST_ENTRY(request_block) link;
	struct bus_request v[REQUESTS_BLOCK];
};

struct bus_stats {
	uint64_t connects, losses; /**< of greeted connections */
};

struct bus {
	struct bus_options o;
	struct loop *loop;
	struct bus_handler handlers[METHOD_N]; /**< fn NULL: not served */
	char asked[160], address[160]; /**< as asked, as bound */
	char role[9];
	struct ulid instance;
	struct net_address net;
	struct bus_tls_ctx *tls; /**< NULL: none */

	/* The listening side. */
	int listen_fd; /**< -1: this bus connects */
	struct loop_watch *accept_watch;

	/* The connecting side. */
	uint64_t connect_at_us; /**< next attempt (a listener: to accept again); UINT64_MAX: none is due */
	uint64_t backoff_us;
	char last_why[200]; /**< told already: the same reason again is not news */

	LIST_HEAD(, bus_peer) peers;
	size_t n_peers;
	struct request_list free_requests;
	SLIST_HEAD(, request_block) request_blocks;
	struct bus_stats stats;
	struct loop_timer *timer;
	uint64_t timer_us;   /**< what it is set to */
	bool is_scheduled;   /**< bus_settle runs at the end of this wake */
	uint8_t *encoded;    /**< RPC_FRAME_MAX octets for the frame being made */
	void *decoded;       /**< room for the largest message: the one being handled. Never nested, since answers are never
	                          dispatched from inside a call */
};

/* bus.c */
/** Send what was written, take down the dead, set the timer: once, at the end of this wake. */
void bus_schedule(struct bus *b);

/* bus_peer.c */
struct bus_peer *peer_new(struct bus *b);
/** Take over a connected socket, or fd -1 to connect. @return 0; -errno, and the peer is DEAD */
int peer_open(struct bus_peer *p, int fd);
/** Nothing is read or sent any more; the rest happens at the end of the wake. The first reason counts. */
void peer_drop(struct bus_peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Fail its calls, tell the owner, free it. */
void peer_bury(struct bus_peer *p);
void peer_flush(struct bus_peer *p);
/** At the end of the bus: what the kernel takes at once still leaves (not over TLS). */
void peer_flush_now(struct bus_peer *p);

/* bus_call.c */
/** Act on one frame. */
void call_dispatch(struct bus_peer *p, struct slice frame);
void call_fail_due(struct bus_peer *p, uint64_t now_us);
/** Fail all open calls with -ECONNRESET, orphan the requests. */
void call_abandon(struct bus_peer *p);

/* bus_hello.c */
void hello_send(struct bus_peer *p);
/** The first frame of a connection. */
void hello_take(struct bus_peer *p, const struct rpc_frame *f);

/* bus_tls.c */
int bus_tls_open(const struct bus_tls *files, struct bus_tls_ctx **ret, struct text *ret_error);
void bus_tls_free(struct bus_tls_ctx *t);
/** Wrap a socket (-1: to be connected). NULL: refused by OpenSSL or no memory. */
struct bufferevent *bus_tls_wrap(struct bus_tls_ctx *t, struct event_base *base, int fd, const char *host);
/** When its certificate ends [us, unix]; NULL, or none: 0 */
uint64_t bus_tls_end_us(const struct bus_tls_ctx *t);
