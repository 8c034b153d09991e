/** @file TLS beneath libevent's bufferevents: both ends of a connection, its polite end, and what went wrong. */
#pragma once
#include "common/core/text.h"

struct bufferevent;
struct event_base;
struct ssl_ctx_st;

/** Serve an accepted socket.
 * @param fd   the bufferevent's on success, else the caller's still
 * @param tls  NULL: plain TCP @return NULL: no memory */
struct bufferevent *net_tls_accept(struct event_base *base, int fd, struct ssl_ctx_st *tls);
/** A connection that is yet to be opened (bufferevent_socket_connect…), with whom a certificate of this host speaks for.
 * @param host  name or IP address that the certificate must be of @return NULL: no memory */
struct bufferevent *net_tls_connect(struct event_base *base, struct ssl_ctx_st *tls, const char *host);
/** Tell the other end that nothing follows what was written, if this is TLS. The output must be empty. */
void net_tls_close(struct bufferevent *bev);
/** Within the callback of an error: did the client speak HTTP where TLS was to be spoken? */
bool net_tls_heard_http(struct bufferevent *bev);
/** Within the callback of an error: why, in OpenSSL's words; nothing if it has none. */
void net_tls_why(struct bufferevent *bev, struct text *t);
/** What OpenSSL says of a file that it could not use, or the system; it is forgotten then. */
void net_tls_complaint(struct text *t);
