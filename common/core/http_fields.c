/** @file What the values of HTTP's header fields say. */
#include "common/core/http_fields.h"
#include <string.h>
#include <strings.h>

static bool is_same(struct str s, const char *z)
{
	return s.n == strlen(z) && strncasecmp(s.p, z, s.n) == 0;
}

bool http_has_token(struct str list, const char *token)
{
	while (list.n) {
		struct str one;
		list = str_cut(list, ',', &one);
		one = str_trim(one);
		if (one.n && is_same(one, token))
			return true;
	}
	return false;
}

bool http_is_json(const char *content_type)
{
	static const char *const types[] = { "", "application/json", "text/json", "application/x-www-form-urlencoded" };
	static const char suffix[] = "+json";
	struct str type;
	str_cut(str_of(content_type ? content_type : ""), ';', &type);
	type = str_trim(type);
	for (size_t i = 0; i < COUNT(types); i++)
		if (is_same(type, types[i]))
			return true;
	size_t n = sizeof suffix - 1;
	return type.n > n && strncasecmp(type.p + type.n - n, suffix, n) == 0 && memchr(type.p, '/', type.n);
}

/** scheme "://" host [":" port], as a browser writes it: no path, not even a slash. */
static bool is_origin(struct str s)
{
	struct str scheme, host;
	if (s.n > HTTP_ORIGIN_MAX)
		return false;
	host = str_cut(s, ':', &scheme);
	if (scheme.n == 0 || host.n < 3 || host.p[0] != '/' || host.p[1] != '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || strchr("\"',;<>\\^`{|}?#@*", s.p[i]))
			return false;
	return !memchr(host.p + 2, '/', host.n - 2);
}

bool http_origins_valid(struct str list, struct str *ret_wrong)
{
	while (list.n) {
		struct str one;
		list = str_cut(list, ',', &one);
		one = str_trim(one);
		if (!one.n || str_is(one, "*") || str_is(one, "null") || is_origin(one))
			continue;
		*ret_wrong = one;
		return false;
	}
	return true;
}

bool http_origin_allowed(struct str list, const char *origin)
{
	return origin && *origin && (http_has_token(list, "*") || http_has_token(list, origin));
}
