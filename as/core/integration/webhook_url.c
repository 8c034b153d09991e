/** @file Templates of URLs, RFC 6570, and what base URL and path come to. */
#include "as/core/integration/webhook_url.h"
#include <string.h>

/** How an expression is written out [RFC 6570 appendix A]. */
static const struct operator {
	char c;            /**< 0: of an expression without one */
	const char *first; /**< before the first value */
	char separator;
	bool is_named;
	const char *if_empty; /**< behind the name of an empty value */
	bool has_reserved;    /**< reserved characters stay, and so do escapes */
} operators[] = {
	{ 0, "", ',', false, "", false },
	{ '+', "", ',', false, "", true },
	{ '#', "#", ',', false, "", true },
	{ '.', ".", '.', false, "", false },
	{ '/', "/", '/', false, "", false },
	{ ';', ";", ';', true, "", false },
	{ '?', "?", '&', true, "=", false },
	{ '&', "&", '&', true, "=", false },
};

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static bool is_escape(struct str s)
{
	uint8_t octet;
	return s.n >= 3 && s.p[0] == '%' && hex_exact((struct str){ s.p + 1, 2 }, &octet, 1) == 0;
}

static void put_encoded(struct text *t, struct str s, bool has_reserved)
{
	for (; s.n; s.p++, s.n--) {
		bool stays = is_unreserved(*s.p) || (has_reserved && (strchr(":/?#[]@!$&'()*+,;=", *s.p) || is_escape(s)));
		if (stays && *s.p) {
			text_putc(t, *s.p);
			continue;
		}
		text_putc(t, '%');
		text_hex(t, s.p, 1, true);
	}
}

static const char *value_of(const struct webhook_variables *v, struct str name)
{
	const struct {
		const char *name, *value;
	} all[] = {
		{ "appID", v->application_id }, { "applicationID", v->application_id }, { "devID", v->device_id }, { "deviceID", v->device_id },
		{ "appEUI", v->join_eui }, { "joinEUI", v->join_eui }, { "devEUI", v->dev_eui }, { "devAddr", v->dev_addr },
	};
	for (size_t i = 0; i < COUNT(all); i++)
		if (str_is(name, all[i].name))
			return all[i].value ? all[i].value : "";
	return NULL;
}

/** The modifier behind a variable's name: `*`, which means nothing for a text, or `:n`, its first n characters. */
static int cut_modifier(struct str *name, uint64_t *ret_most)
{
	struct str head, digits;
	*ret_most = UINT64_MAX;
	if (name->n && name->p[name->n - 1] == '*') {
		name->n--;
		return 0;
	}
	if (!memchr(name->p, ':', name->n))
		return 0;
	digits = str_cut(*name, ':', &head);
	if (num_u64(digits, ret_most) || !*ret_most || digits.n > 4 || digits.p[0] == '0')
		return -EINVAL;
	*name = head;
	return 0;
}

static int expand_variable(struct text *t, const struct operator *op, struct str name, bool is_first, const struct webhook_variables *v,
	const char **ret_why)
{
	uint64_t most;
	if (cut_modifier(&name, &most)) {
		*ret_why = "has a prefix that is no number from 1 to 9999";
		return -EINVAL;
	}
	const char *value = value_of(v, name);
	if (!value) {
		*ret_why = "has a variable that there is not: there are {appID}, {applicationID}, {devID}, {deviceID}, {devEUI}, {joinEUI}, {appEUI} and {devAddr}";
		return -EINVAL;
	}
	struct str s = str_of(value);
	if (s.n > most)
		s.n = (size_t)most;
	if (is_first)
		text_puts(t, op->first);
	else
		text_putc(t, op->separator);
	if (op->is_named) {
		text_put(t, name);
		text_puts(t, s.n ? "=" : op->if_empty);
	}
	put_encoded(t, s, op->has_reserved);
	return 0;
}

static int expand_expression(struct text *t, struct str inside, const struct webhook_variables *v, const char **ret_why)
{
	const struct operator *op = &operators[0];
	bool is_first = true;
	for (size_t i = 1; i < COUNT(operators); i++)
		if (inside.n && inside.p[0] == operators[i].c)
			op = &operators[i];
	if (op->c)
		inside = (struct str){ inside.p + 1, inside.n - 1 };
	do {
		struct str name;
		inside = str_cut(inside, ',', &name);
		int e = expand_variable(t, op, name, is_first, v, ret_why);
		if (e)
			return e;
		is_first = false;
	} while (inside.n);
	return 0;
}

int webhook_expand(struct text *t, struct str url_template, const struct webhook_variables *v, const char **ret_why)
{
	struct str rest = url_template;
	while (rest.n) {
		const char *open = memchr(rest.p, '{', rest.n), *wrong = memchr(rest.p, '}', rest.n);
		size_t literal = open ? (size_t)(open - rest.p) : rest.n;
		const char *close = open ? memchr(open, '}', rest.n - literal) : NULL;
		if ((open && !close) || (wrong && (!open || wrong < open))) {
			*ret_why = "has a brace without its other half";
			return -EINVAL;
		}
		put_encoded(t, (struct str){ rest.p, literal }, true);
		if (!open)
			break;
		int e = expand_expression(t, (struct str){ open + 1, (size_t)(close - open - 1) }, v, ret_why);
		if (e)
			return e;
		rest = (struct str){ close + 1, rest.n - (size_t)(close + 1 - rest.p) };
	}
	return 0;
}

/* ---- taking a URL apart ---- */

/** Cut at the first `c`. @return is there one? */
static bool split(struct str s, char c, struct str *ret_before, struct str *ret_behind)
{
	bool has = s.n && memchr(s.p, c, s.n);
	*ret_behind = str_cut(s, c, ret_before);
	return has;
}

static bool is_host(struct str s, bool is_address)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool is_good = is_address ? c && strchr("0123456789abcdefABCDEF:.", c) : is_unreserved(c) && c != '~';
		if (!is_good)
			return false;
	}
	return s.n > 0;
}

/** Host and port of an authority. @return 0; -EINVAL */
static int cut_authority(struct str authority, bool is_address, struct str *ret_host, struct str *ret_port, const char **ret_why)
{
	if (authority.n && memchr(authority.p, '@', authority.n)) {
		*ret_why = "holds a user name or password: give them in a header, Authorization: Basic and both in base64";
		return -EINVAL;
	}
	if (!is_address) {
		split(authority, ':', ret_host, ret_port);
		return 0;
	}
	struct str behind;
	bool is_closed = split((struct str){ authority.p + 1, authority.n - 1 }, ']', ret_host, &behind);
	if (!is_closed || (behind.n && behind.p[0] != ':')) {
		*ret_why = "has an address of IPv6 that does not end with ]";
		return -EINVAL;
	}
	*ret_port = behind.n ? (struct str){ behind.p + 1, behind.n - 1 } : behind;
	return 0;
}

static int take_authority(struct str authority, struct webhook_target *ret, const char **ret_why)
{
	struct str host, port;
	uint64_t own = ret->is_tls ? 443 : 80, n = own;
	bool is_address = authority.n && authority.p[0] == '[';
	int e = cut_authority(authority, is_address, &host, &port, ret_why);
	if (e)
		return e;
	if (!is_host(host, is_address) || str_copy(host, ret->host, sizeof ret->host)) {
		*ret_why = "must name a host by ASCII letters, digits, dots and dashes (xn--… for others), or by its address";
		return -EINVAL;
	}
	if (port.n && (num_u64(port, &n) || n < 1 || n > UINT16_MAX)) {
		*ret_why = "has a port that is not from 1 to 65535";
		return -EINVAL;
	}
	ret->port = (uint16_t)n;
	struct text a = text_fixed(ret->authority, sizeof ret->authority);
	text_printf(&a, "%s%s%s", is_address ? "[" : "", ret->host, is_address ? "]" : "");
	if (n != own)
		text_printf(&a, ":%u", ret->port);
	return 0;
}

/** Path and query together. */
static void join(struct text *t, struct str base, struct str path)
{
	struct str base_query, path_query, none;
	split(base, '#', &base, &none);
	split(path, '#', &path, &none);
	split(base, '?', &base, &base_query);
	split(path, '?', &path, &path_query);
	bool has_slash = path.n && path.p[0] == '/';
	while (path.n && path.p[0] == '/')
		path = (struct str){ path.p + 1, path.n - 1 };
	text_put(t, base);
	if (!base.n || ((path.n || has_slash) && base.p[base.n - 1] != '/'))
		text_putc(t, '/');
	text_put(t, path);
	if (base_query.n || path_query.n)
		text_putc(t, '?');
	text_put(t, base_query);
	if (base_query.n && path_query.n)
		text_putc(t, '&');
	text_put(t, path_query);
}

static int take_apart(struct str base, struct str path, struct webhook_target *ret, const char **ret_why)
{
	ret->is_tls = str_starts(base, "https://");
	if (!ret->is_tls && !str_starts(base, "http://")) {
		*ret_why = "must begin with https:// or http://";
		return -EINVAL;
	}
	size_t scheme = ret->is_tls ? strlen("https://") : strlen("http://"), n = 0;
	struct str rest = { base.p + scheme, base.n - scheme };
	while (n < rest.n && !strchr("/?#", rest.p[n]))
		n++;
	int e = take_authority((struct str){ rest.p, n }, ret, ret_why);
	if (e)
		return e;
	join(&ret->target, (struct str){ rest.p + n, rest.n - n }, path);
	if (ret->target.failed) {
		*ret_why = "comes to more than 4096 characters";
		return -EINVAL;
	}
	return 0;
}

int webhook_target_of(struct str base, struct str path, const struct webhook_variables *v, struct webhook_target *ret, const char **ret_why)
{
	__attribute__((cleanup(text_done_auto))) struct text b = text_growing(WEBHOOK_URL_MAX);
	__attribute__((cleanup(text_done_auto))) struct text p = text_growing(WEBHOOK_URL_MAX);
	*ret = (struct webhook_target){ .target = text_growing(WEBHOOK_URL_MAX) };
	*ret_why = "";
	int e = webhook_expand(&b, base, v, ret_why);
	if (!e)
		e = webhook_expand(&p, path, v, ret_why);
	if (e)
		return e;
	return b.failed || p.failed ? -ENOMEM : take_apart(text_str(&b), text_str(&p), ret, ret_why);
}
