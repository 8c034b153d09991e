/** @file Addresses and sockets. */
#include "common/net.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { UDP_BUFFER_BYTES = 4 << 20, LISTEN_BACKLOG = 512 };

static int parse_unix(struct str path, struct net_address *ret)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	if (path.n == 0)
		return -EINVAL;
	if (path.n >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	if (str_copy(path, un.sun_path, sizeof un.sun_path))
		return -EINVAL;
	memset(ret, 0, sizeof *ret);
	memcpy(&ret->sa, &un, sizeof un);
	ret->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.n + 1);
	return 0;
}

/** Split HOST:PORT, [HOST]:PORT, HOST or a bare IPv6 address. */
static int split_host(struct str s, struct str *ret_host, struct str *ret_port)
{
	struct str host, rest;
	if (s.n > 0 && s.p[0] == '[') {
		rest = str_cut((struct str){ s.p + 1, s.n - 1 }, ']', &host);
		bool closed = host.n + 1 < s.n;
		if (!closed || (rest.n > 0 && (rest.p[0] != ':' || rest.n == 1)))
			return -EINVAL;
		*ret_host = host;
		*ret_port = rest.n ? (struct str){ rest.p + 1, rest.n - 1 } : STR("");
		return 0;
	}
	rest = str_cut(s, ':', &host);
	if (rest.n > 0 && memchr(rest.p, ':', rest.n)) { /* two colons: no port */
		host = s;
		rest = STR("");
	} else if (rest.n == 0 && host.n < s.n) {
		return -EINVAL; /* a colon and nothing behind it */
	}
	*ret_host = host;
	*ret_port = rest;
	return 0;
}

static const struct addrinfo *prefer_ipv4(const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a; a = a->ai_next)
		if (a->ai_family == AF_INET)
			return a;
	return list;
}

static void set_port(struct net_address *a, uint16_t port)
{
	if (a->sa.ss_family == AF_INET6)
		((struct sockaddr_in6 *)(void *)&a->sa)->sin6_port = htons(port);
	else
		((struct sockaddr_in *)(void *)&a->sa)->sin_port = htons(port);
}

int net_parse(struct str s, uint16_t default_port, struct net_address *ret)
{
	if (str_starts(s, "unix:"))
		return parse_unix((struct str){ s.p + 5, s.n - 5 }, ret);
	if (str_starts(s, "tcp:"))
		s = (struct str){ s.p + 4, s.n - 4 };
	struct str host, port_text;
	uint64_t port = default_port;
	char name[256];
	TRY(split_host(s, &host, &port_text));
	if (host.n == 0 || str_copy(host, name, sizeof name))
		return -EINVAL;
	if (port_text.n && (num_u64(port_text, &port) || port > UINT16_MAX))
		return -EINVAL;
	struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found = NULL;
	/* RFC 6761 6.3: this one name needs no resolver, and small systems have none that knows it. */
	if (strcasecmp(name, "localhost") == 0)
		str_copy(STR("127.0.0.1"), name, sizeof name);
	if (getaddrinfo(name, NULL, &hints, &found)) {
		hints.ai_flags = 0;
		if (getaddrinfo(name, NULL, &hints, &found))
			return -EINVAL;
	}
	const struct addrinfo *a = prefer_ipv4(found);
	memset(ret, 0, sizeof *ret);
	memcpy(&ret->sa, a->ai_addr, a->ai_addrlen);
	ret->len = a->ai_addrlen;
	freeaddrinfo(found);
	set_port(ret, (uint16_t)port);
	return 0;
}

static void put_scope(struct text *t, uint32_t scope)
{
	if (!scope)
		return;
	text_putc(t, '%');
	text_u64(t, scope);
}

void net_text(struct text *t, const struct net_address *a)
{
	char ip[INET6_ADDRSTRLEN] = "";
	if (a->sa.ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)&a->sa;
		text_puts(t, "unix:");
		text_put(t, (struct str){ un->sun_path, strnlen(un->sun_path, sizeof un->sun_path) });
	} else if (a->sa.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&a->sa;
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof ip);
		text_putc(t, '[');
		text_puts(t, ip);
		put_scope(t, in6->sin6_scope_id);
		text_puts(t, "]:");
		text_u64(t, net_port(a));
	} else if (a->sa.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&a->sa;
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof ip);
		text_puts(t, ip);
		text_putc(t, ':');
		text_u64(t, net_port(a));
	}
}

uint16_t net_port(const struct net_address *a)
{
	if (a->sa.ss_family == AF_INET6)
		return ntohs(((const struct sockaddr_in6 *)(const void *)&a->sa)->sin6_port);
	if (a->sa.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)(const void *)&a->sa)->sin_port);
	return 0;
}

bool net_same_host(const struct net_address *a, const struct net_address *b)
{
	const struct sockaddr_in *a4 = (const void *)&a->sa, *b4 = (const void *)&b->sa;
	const struct sockaddr_in6 *a6 = (const void *)&a->sa, *b6 = (const void *)&b->sa;
	if (a->sa.ss_family != b->sa.ss_family)
		return false;
	if (a->sa.ss_family == AF_INET)
		return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	if (a->sa.ss_family != AF_INET6)
		return true;
	/* Who has one address of a /64 has them all; but those of IPv4 are all in one (::ffff:a.b.c.d). */
	bool is_ipv4 = IN6_IS_ADDR_V4MAPPED(&a6->sin6_addr);
	return memcmp(&a6->sin6_addr, &b6->sin6_addr, is_ipv4 ? 16 : 8) == 0;
}

static int open_socket(const struct net_address *a, int type)
{
	int fd = socket(a->sa.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	int yes = 1;
	/* Else [::]:1700 would take 0.0.0.0:1700 as well, and the second of the two could not be bound. */
	if (a->sa.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
	return fd;
}

static int bind_or_close(int fd, const struct net_address *a)
{
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) == 0)
		return 0;
	int rc = -errno;
	close(fd);
	return rc;
}

int net_udp_bind(const struct net_address *a)
{
	int fd = open_socket(a, SOCK_DGRAM);
	if (fd < 0)
		return fd;
	int bytes = UDP_BUFFER_BYTES;
	/* The first needs a privilege, the second is cut to the system's limit; either is better than the default. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	TRY(bind_or_close(fd, a));
	return fd;
}

/** Remove a socket file that nobody listens on. @return 0 removed; -EADDRINUSE somebody does */
static int remove_stale(const struct net_address *a)
{
	const struct sockaddr_un *un = (const void *)&a->sa;
	struct stat st;
	/* connect refuses a plain file too, and that is not ours to remove. */
	if (lstat(un->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return -EADDRINUSE;
	int fd = open_socket(a, SOCK_STREAM);
	if (fd < 0)
		return fd;
	int rc = connect(fd, (const struct sockaddr *)&a->sa, a->len) == 0 ? 0 : -errno;
	close(fd);
	if (rc != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(un->sun_path) == 0 ? 0 : -errno;
}

static int bind_listener(const struct net_address *a)
{
	int fd = open_socket(a, SOCK_STREAM);
	if (fd < 0)
		return fd;
	int yes = 1;
	if (a->sa.ss_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	TRY(bind_or_close(fd, a));
	if (listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	int rc = -errno;
	close(fd);
	return rc;
}

int net_listen(const struct net_address *a)
{
	int fd = bind_listener(a);
	if (fd != -EADDRINUSE || a->sa.ss_family != AF_UNIX)
		return fd;
	TRY(remove_stale(a));
	return bind_listener(a);
}

int net_local(int fd, struct net_address *ret)
{
	struct net_address a = { .len = sizeof a.sa };
	if (getsockname(fd, (struct sockaddr *)&a.sa, &a.len))
		return -errno;
	*ret = a;
	return 0;
}
