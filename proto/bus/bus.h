/** @file The bus: msgpack-RPC over UNIX sockets or TCP, with the methods of proto/messages.def.
 *
 * One side listens (the ns), the others connect and stay connected, with back-off and jitter. Either side calls.
 * Writes are gathered and leave once per wake. The first call on a connection is Bus/Hello; another protocol version is
 * refused with a clear error, logged on both sides. Connections are bounded in what they may hold unsent (BUS_BACKLOG_MAX): a call
 * beyond that fails with -ENOBUFS, so that a stuck peer never makes this process grow.
 */
#pragma once
#include "common/loop.h"
#include "proto/schema.h"

enum { BUS_PROTOCOL = 1, BUS_PORT = 1910, BUS_FRAME_MAX = 1 << 20, BUS_BACKLOG_MAX = 32 << 20 };

struct bus;
struct bus_peer; /**< a live, greeted connection */
struct bus_request;

/** Who serves a method. `msg` is borrowed for the call. The handler answers exactly once, now or later, with bus_reply or
 * bus_refuse, unless the method is a notification (then request is NULL). */
struct bus_handler {
	enum method method;
	void (*fn)(void *ctx, struct bus_peer *peer, struct bus_request *request, const void *msg);
};

struct bus_tls {
	const char *ca, *certificate, *key; /**< PEM files; all empty: no TLS */
};

struct bus_options {
	struct loop *loop;
	const char *address;               /**< unix:PATH or tcp:HOST:PORT */
	const char *role;                  /**< gs, ns or as */
	struct bus_tls tls;                /**< with tcp: mutual; required unless the host is a loopback address */
	const struct bus_handler *handlers; /**< n_handlers rows, borrowed */
	size_t n_handlers;
	void (*up)(void *ctx, struct bus_peer *peer);   /**< greeted; calls may be made */
	void (*down)(void *ctx, struct bus_peer *peer); /**< gone; its open calls have failed with -ECONNRESET; forget it */
	void *ctx;
};

/** @return 0; -errno with one line in *ret_error that names the address */
int bus_listen(const struct bus_options *o, struct bus **ret, struct text *ret_error);
/** Connects in the background, now and again after every loss. @return 0; -EINVAL, -ENOMEM */
int bus_connect(const struct bus_options *o, struct bus **ret, struct text *ret_error);
/** Open calls fail with -ECONNRESET, `down` is called for every peer, requests may no longer be answered. What was written last
 * still leaves if the kernel takes it at once (not over TLS). Not from inside a callback of this bus. */
void bus_free(struct bus *b);
/** Read the certificates again, for connections from now on. @return 0 (also without TLS); -errno, and the old ones stay */
int bus_reload(struct bus *b, struct text *ret_error);
/** Write what it counts as metrics. */
void bus_metrics(const struct bus *b, struct text *t);
const char *bus_address(const struct bus *b); /**< as bound */

const char *bus_peer_role(const struct bus_peer *p);
struct ulid bus_peer_instance(const struct bus_peer *p);
void *bus_peer_user(const struct bus_peer *p); /**< what the owner tied to it */
void bus_peer_set_user(struct bus_peer *p, void *user);
size_t bus_peer_backlog(const struct bus_peer *p); /**< octets not yet taken by the other side */

/** The end of a call.
 * @param status  0; -ECONNRESET, -ETIMEDOUT, -EBADMSG (answer not understood); BUS_E_REFUSED with *failure
 * @param reply   the answer on 0, borrowed */
enum { BUS_E_REFUSED = 1 };
typedef void bus_done(void *ctx, int status, const struct failure *failure, const void *reply);

/** Call a method. `done` is called exactly once unless this fails; never from inside this call.
 * @param timeout_us  how long to wait for the answer
 * @param done        may be NULL: nobody wants to know
 * @return 0; -ENOBUFS the peer does not keep up; -ECONNRESET it is on its way out (`down` follows); -ENOMEM;
 *         -ENOSPC the message does not fit BUS_FRAME_MAX; -EINVAL a len in it is beyond its max */
int bus_call(struct bus_peer *p, enum method m, const void *msg, uint64_t timeout_us, bus_done *done, void *ctx);
/** The same with a message that is encoded already (msg_encode), as an outbox keeps it. */
int bus_call_encoded(struct bus_peer *p, enum method m, struct slice encoded, uint64_t timeout_us, bus_done *done, void *ctx);
/** Send a notification; dropped with -ENOBUFS when the peer does not keep up. @return as bus_call */
int bus_notify(struct bus_peer *p, enum method m, const void *msg);
/** Answer; harmless when the peer has gone meanwhile. Frees the request. */
void bus_reply(struct bus_request *r, const void *msg);
void bus_refuse(struct bus_request *r, const char *name, const char *message);
