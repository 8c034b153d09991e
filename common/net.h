/** @file Addresses as operators write them, and the sockets that go with them. */
#pragma once
#include "common/core/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct net_address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/** Parse "127.0.0.1:1700", "[::]:1700", "localhost:1883", "unix:/run/x.sock", "tcp:HOST:PORT" (default_port where none is given).
 * A name is asked of the resolver, which may block; of several addresses an IPv4 one is preferred.
 * @return 0; -EINVAL; -ENAMETOOLONG a path that no socket can have */
int net_parse(struct str s, uint16_t default_port, struct net_address *ret);
/** "127.0.0.1:1700", "[::1]:1700", "unix:/path". */
void net_text(struct text *t, const struct net_address *a);
uint16_t net_port(const struct net_address *a);
/** Are they of one host, as far as that can be told: the same IPv4 address, or the same /64 of IPv6? UNIX sockets are. */
bool net_same_host(const struct net_address *a, const struct net_address *b);
/** A bound non-blocking close-on-exec UDP socket with a large receive buffer. @return the fd; -errno */
int net_udp_bind(const struct net_address *a);
/** A listening non-blocking TCP or UNIX socket; a stale UNIX socket file is replaced, a live one is -EADDRINUSE. @return the fd; -errno */
int net_listen(const struct net_address *a);
/** The address a socket is bound to. @return 0; -errno */
int net_local(int fd, struct net_address *ret);
