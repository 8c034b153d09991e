/** @file Which route a request belongs to, and what a path has for whoever asks that first. */
#include "common/core/http_fields.h"
#include "common/http_conn.h"
#include <stdio.h>
#include <string.h>

enum { ALLOW_CAP = 80, PREFLIGHT_AGE_S = 600 };
/* Sets of methods: a bit each, and these two besides. */
#define BIT(method) (1u << (method))
enum { HEAD_BIT = BIT(HTTP_METHOD_N), OPTIONS_BIT = BIT(HTTP_METHOD_N + 1), ALL_BITS = BIT(HTTP_METHOD_N + 2) - 1 };

static const char *const method_names[] = {
	[HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE",
	[HTTP_METHOD_N] = "HEAD", [HTTP_METHOD_N + 1] = "OPTIONS",
};

/** A path of a request, decoded segment by segment. */
struct segments {
	const char *v[HTTP_SEGMENTS_MAX];
	size_t n;
};

/** @return 0; -EINVAL bad escape; -E2BIG */
static int split_path(char *path, struct segments *ret)
{
	ret->n = 0;
	for (char *at = path + 1; at;) {
		char *slash = strchr(at, '/');
		if (slash)
			*slash++ = '\0';
		if (ret->n == HTTP_SEGMENTS_MAX)
			return -E2BIG;
		if (http_percent_decode(at, false))
			return -EINVAL;
		ret->v[ret->n++] = at;
		at = slash;
	}
	return 0;
}

static bool is_param(struct str pattern)
{
	return pattern.n > 2 && pattern.p[0] == '{' && pattern.p[pattern.n - 1] == '}';
}

static bool match(const char *pattern, const struct segments *s, struct http_request *r)
{
	struct str rest = str_of(pattern + 1), part;
	size_t i = 0;
	r->param_n = 0;
	bool more = true;
	for (; more && i < s->n; i++) {
		size_t before = rest.n;
		rest = str_cut(rest, '/', &part);
		more = part.n < before;
		if (!is_param(part)) {
			if (!str_is(part, s->v[i]))
				return false;
			continue;
		}
		if (!*s->v[i] || r->param_n == HTTP_PARAMS_MAX)
			return false;
		r->params[r->param_n].name = (struct str){ part.p + 1, part.n - 2 };
		r->params[r->param_n++].value = s->v[i];
	}
	return !more && i == s->n;
}

/** The set of one method. @return 0: none of this server's */
static unsigned bit_of(const char *method)
{
	for (size_t i = 0; i < COUNT(method_names); i++)
		if (!strcmp(method, method_names[i]))
			return BIT(i);
	return 0;
}

static unsigned bits_of(const struct http_route *route)
{
	return BIT(route->method) | (route->method == HTTP_GET ? (unsigned)HEAD_BIT : 0);
}

/** Call the route that has the path and the method. @return whether there is one; if not, *ret_has is what the path has */
static bool call(struct http_request *r, const struct segments *segments, unsigned wanted, unsigned *ret_has)
{
	*ret_has = 0;
	for (size_t i = 0; i < r->server->table_n; i++) {
		for (const struct http_route *route = r->server->tables[i].routes; route->path; route++) {
			if (!match(route->path, segments, r))
				continue;
			*ret_has |= bits_of(route);
			if (!(bits_of(route) & wanted))
				continue;
			route->fn(r->server->tables[i].ctx, r);
			return true;
		}
	}
	return false;
}

static void put_methods(struct text *t, const char *name, unsigned set)
{
	const char *before = "";
	text_printf(t, "%s: ", name);
	for (size_t i = 0; i < COUNT(method_names); i++) {
		if (!(set & BIT(i)))
			continue;
		text_printf(t, "%s%s", before, method_names[i]);
		before = ", ";
	}
	text_puts(t, "\r\n");
}

/** What a path has; and to a browser that asks before it lets a page ask, what that page may do. */
static void answer_options(struct http_request *r, unsigned has)
{
	char lines[2 * ALLOW_CAP + 200];
	struct text t = text_fixed(lines, sizeof lines);
	put_methods(&t, "Allow", has | OPTIONS_BIT);
	bool is_welcome = http_origin_allowed(str_of(r->server->options.allow_origins), http_header(r, "Origin"));
	if (is_welcome && http_header(r, "Access-Control-Request-Method")) {
		put_methods(&t, "Access-Control-Allow-Methods", has);
		text_printf(&t, "Access-Control-Allow-Headers: Authorization, Content-Type\r\nAccess-Control-Max-Age: %d\r\n", PREFLIGHT_AGE_S);
	}
	http_answer(r, 204, NULL, STR(""), lines);
}

static void refuse_method(struct http_request *r, unsigned has)
{
	char allow[ALLOW_CAP];
	struct text t = text_fixed(allow, sizeof allow);
	put_methods(&t, "Allow", has | OPTIONS_BIT);
	http_answer_error(r, 405, "this path does not have that method", allow);
}

void http_dispatch(struct http_request *r)
{
	struct segments segments;
	unsigned wanted = bit_of(r->head.method), has;
	if (!strcmp(r->head.path, "*")) {
		answer_options(r, ALL_BITS);
		return;
	}
	int rc = split_path(r->head.path, &segments);
	if (rc)
		http_reply_error(r, rc == -EINVAL ? 400 : 404, rc == -EINVAL ? "malformed escape in the path" : "no such path");
	else if (!wanted)
		http_reply_error(r, 501, "this server does not have that method on any path");
	else if (call(r, &segments, wanted, &has))
		return;
	else if (!has)
		http_reply_error(r, 404, "no such path");
	else if (wanted == OPTIONS_BIT)
		answer_options(r, has);
	else
		refuse_method(r, has);
}
