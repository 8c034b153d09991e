/** @file Reading the URL of a broker. */
#include "as/core/integration/broker_url.h"
#include <string.h>

static const struct scheme {
	const char *name;
	bool is_tls, is_websocket;
	uint16_t port;
} schemes[] = {
	{ "mqtt", false, false, 1883 }, { "tcp", false, false, 1883 },
	{ "mqtts", true, false, 8883 }, { "ssl", true, false, 8883 }, { "tls", true, false, 8883 },
	{ "ws", false, true, 80 }, { "wss", true, true, 443 },
};

static const struct scheme *scheme_find(struct str name)
{
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (str_is(name, schemes[i].name))
			return &schemes[i];
	return NULL;
}

/** The port of the same protocol over TLS. */
static uint16_t default_port(const struct scheme *s, bool is_tls)
{
	return is_tls == s->is_tls ? s->port : s->is_websocket ? 443 : 8883;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return true;
}

/** "host:port", "[::1]:port"; *ret_port is empty without one. */
static bool host_cut(struct str authority, struct str *ret_host, struct str *ret_port)
{
	if (authority.n && authority.p[0] == '[') {
		struct str rest = str_cut((struct str){ authority.p + 1, authority.n - 1 }, ']', ret_host);
		bool is_closed = ret_host->n + 1 < authority.n;
		*ret_port = rest.n ? (struct str){ rest.p + 1, rest.n - 1 } : rest;
		return is_closed && (rest.n == 0 || (rest.p[0] == ':' && rest.n > 1));
	}
	*ret_port = str_cut(authority, ':', ret_host);
	bool has_colon = ret_host->n < authority.n;
	return !has_colon || (ret_port->n && !memchr(ret_port->p, ':', ret_port->n));
}

static int authority_read(struct str authority, struct broker_url *ret, struct text *why)
{
	struct str host, port;
	uint64_t number = ret->port;
	if (memchr(authority.p, '@', authority.n)) {
		text_puts(why, "user name and password do not belong into the URL: it is shown to whoever may see the integration");
		return -EINVAL;
	}
	if (!host_cut(authority, &host, &port) || host.n == 0 || str_copy(host, ret->host, sizeof ret->host)) {
		text_puts(why, "the URL names no host; it should be like mqtt://broker.example.com:1883, with an IPv6 address in brackets");
		return -EINVAL;
	}
	if (port.n && (num_u64(port, &number) || number == 0 || number > UINT16_MAX)) {
		text_printf(why, "\"%.*s\" is not a port; a port is a number from 1 to 65535", (int)(port.n < 20 ? port.n : 20), port.p);
		return -EINVAL;
	}
	ret->port = (uint16_t)number;
	return 0;
}

static int path_read(struct str path, struct broker_url *ret, struct text *why)
{
	if (!ret->is_websocket && path.n > 1) {
		text_puts(why, "only the URLs of WebSocket, ws:// and wss://, have a path");
		return -EINVAL;
	}
	if (!ret->is_websocket)
		return 0;
	if (memchr(path.p, '#', path.n) || str_copy(path.n ? path : STR("/mqtt"), ret->path, sizeof ret->path)) {
		text_printf(why, "the path has a fragment, or more than %d characters", BROKER_PATH_CAP - 1);
		return -EINVAL;
	}
	return 0;
}

int broker_url_parse(struct str url, bool wants_tls, struct broker_url *ret, struct text *why)
{
	struct str name, rest = str_cut(url, ':', &name);
	const struct scheme *s = scheme_find(name);
	memset(ret, 0, sizeof *ret);
	if (!s || !str_starts(rest, "//")) {
		text_puts(why, "the URL should begin with mqtt://, mqtts://, ws:// or wss://");
		return -EINVAL;
	}
	if (!is_printable(url)) {
		text_puts(why, "the URL has a blank or a character that no URL has");
		return -EINVAL;
	}
	rest = (struct str){ rest.p + 2, rest.n - 2 };
	size_t n = 0;
	while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
		n++;
	if (n < rest.n && rest.p[n] != '/') {
		text_puts(why, "the URL has a query or a fragment without a path");
		return -EINVAL;
	}
	ret->is_tls = s->is_tls || wants_tls;
	ret->is_websocket = s->is_websocket;
	ret->port = default_port(s, ret->is_tls);
	TRY(authority_read((struct str){ rest.p, n }, ret, why));
	return path_read((struct str){ rest.p + n, rest.n - n }, ret, why);
}
