/** @file The description of the HTTP API (OpenAPI 3.0), made of the tables of routes, parameters and schemas. */
#include "as/api/api.h"
#include "as/api/route.h"
#include "as/api/routes.h"
#include <string.h>

enum { DOCUMENT_MAX = 1 << 20 };

static const struct member {
	const char *schema, *about; /* of the schema that begins here */
	bool is_open;
	const char *name, *type, *meaning;
} members[] = {
#define SCHEMA(schema, about) { #schema, about, false, NULL, NULL, NULL },
#define OPEN_SCHEMA(schema, about) { #schema, about, true, NULL, NULL, NULL },
#define M(name, type, meaning) { NULL, NULL, false, name, type, meaning },
#include "as/api/schemas.def"
#undef SCHEMA
#undef OPEN_SCHEMA
#undef M
};

static const struct query {
	const char *name, *type, *meaning;
} queries[] = {
#define QUERY(name, type, meaning) { #name, type, meaning },
#include "as/api/queries.def"
#undef QUERY
};

static void word(struct text *t, const char *name, const char *value)
{
	json_name(t, name);
	json_puts(t, value);
}

static void open_member(struct text *t, const char *name)
{
	json_name(t, name);
	json_open(t, '{');
}

/* ---- schemas ---- */

static void reference(struct text *t, struct str schema)
{
	char where[96];
	struct text w = text_fixed(where, sizeof where);
	text_printf(&w, "#/components/schemas/%.*s", STR_ARG(schema));
	word(t, "$ref", where);
}

static void words(struct text *t, struct str rest)
{
	struct str one;
	word(t, "type", "string");
	json_name(t, "enum");
	json_open(t, '[');
	while (rest.n) {
		rest = str_cut(rest, '|', &one);
		json_str(t, one);
	}
	json_close(t, ']');
}

static void plain(struct text *t, struct str type)
{
	static const struct {
		const char *name, *type, *more, *value;
	} kinds[] = {
		{ "time", "string", "format", "date-time" },
		{ "eui", "string", "pattern", "^[0-9A-Fa-f]{16}$" },
		{ "hex", "string", "pattern", "^([0-9A-Fa-f]{2})*$" },
		{ "base64", "string", "format", "byte" },
	};
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (str_is(type, kinds[i].name)) {
			word(t, "type", kinds[i].type);
			word(t, kinds[i].more, kinds[i].value);
			return;
		}
	if (!str_is(type, "any")) {
		json_name(t, "type");
		json_str(t, type);
	}
}

/** The members of a schema object that say this type. */
static void type_write(struct text *t, struct str type)
{
	bool is_array = str_starts(type, "[");
	if (is_array) {
		type = (struct str){ type.p + 1, type.n - 2 };
		word(t, "type", "array");
		open_member(t, "items");
	}
	if (str_starts(type, "@"))
		reference(t, (struct str){ type.p + 1, type.n - 1 });
	else if (memchr(type.p, '|', type.n))
		words(t, type);
	else
		plain(t, type);
	if (is_array)
		json_close(t, '}');
}

static struct str type_of(const struct member *m)
{
	return str_of(m->type[0] == '*' ? m->type + 1 : m->type);
}

static void member_write(struct text *t, const struct member *m)
{
	open_member(t, m->name);
	/* Beside a reference nothing else counts in 3.0. */
	if (*m->meaning && m->type[strspn(m->type, "*")] != '@')
		word(t, "description", m->meaning);
	type_write(t, type_of(m));
	json_close(t, '}');
}

/** A schema and its members. @return where the next one begins */
static size_t schema_write(struct text *t, size_t at)
{
	size_t from = at + 1, to = from, required = 0;
	for (; to < COUNT(members) && !members[to].schema; to++)
		required += members[to].type[0] == '*';
	open_member(t, members[at].schema);
	word(t, "description", members[at].about);
	word(t, "type", "object");
	if (required) {
		json_name(t, "required");
		json_open(t, '[');
		for (size_t i = from; i < to; i++)
			if (members[i].type[0] == '*')
				json_puts(t, members[i].name);
		json_close(t, ']');
	}
	open_member(t, "properties");
	for (size_t i = from; i < to; i++)
		member_write(t, &members[i]);
	json_close(t, '}');
	json_name(t, "additionalProperties");
	json_truth(t, members[at].is_open);
	json_close(t, '}');
	return to;
}

static void components(struct text *t)
{
	open_member(t, "components");
	open_member(t, "securitySchemes");
	open_member(t, "key");
	word(t, "type", "http");
	word(t, "scheme", "bearer");
	word(t, "description", "An API key: NNSXS.…");
	json_close(t, '}');
	json_close(t, '}');
	open_member(t, "schemas");
	for (size_t at = 0; at < COUNT(members);)
		at = schema_write(t, at);
	json_close(t, '}');
	json_close(t, '}');
}

/* ---- paths ---- */

static const char *method_name(enum http_method m)
{
	static const char *const names[] = { "get", "post", "put", "patch", "delete" };
	return names[m];
}

static void content(struct text *t, const char *kind, const char *type)
{
	open_member(t, kind);
	open_member(t, "schema");
	type_write(t, str_of(type));
	json_close(t, '}');
	json_close(t, '}');
}

static void answer(struct text *t, const char *status, const char *gives, const char *about)
{
	open_member(t, status);
	word(t, "description", about);
	open_member(t, "content");
	if (!strcmp(gives, "text")) {
		content(t, "text/plain", "string");
	} else {
		bool is_stream = !strcmp(gives, "events");
		if (strcmp(gives, "events") != 0)
			content(t, "application/json", gives);
		if (is_stream || !strcmp(gives, "@Events")) {
			content(t, "application/x-ndjson", "@Event");
			content(t, "text/event-stream", "string");
		}
	}
	json_close(t, '}');
	json_close(t, '}');
}

static void parameter(struct text *t, struct str name, const char *in, const char *type, const char *meaning)
{
	json_open(t, '{');
	json_name(t, "name");
	json_str(t, name);
	word(t, "in", in);
	if (*meaning)
		word(t, "description", meaning);
	json_name(t, "required");
	json_truth(t, !strcmp(in, "path"));
	open_member(t, "schema");
	type_write(t, str_of(type));
	json_close(t, '}');
	json_close(t, '}');
}

static void path_parameters(struct text *t, const char *path)
{
	struct str rest = str_of(path), part;
	while (rest.n) {
		rest = str_cut(rest, '/', &part);
		if (part.n > 2 && part.p[0] == '{')
			parameter(t, (struct str){ part.p + 1, part.n - 2 }, "path", "string", "");
	}
}

static void query_parameters(struct text *t, const char *query)
{
	struct str rest = str_of(query), name;
	while (rest.n) {
		rest = str_cut(rest, ' ', &name);
		for (size_t i = 0; i < COUNT(queries); i++)
			if (str_is(name, queries[i].name))
				parameter(t, name, "query", queries[i].type, queries[i].meaning);
	}
}

/** Unique, and a name in every language: get_applications_application_id. */
static void operation_id(struct text *t, const struct api_route *r)
{
	char id[160];
	struct text w = text_fixed(id, sizeof id);
	const char *path = strncmp(r->path, "/api/v3", 7) ? r->path : r->path + 7;
	text_puts(&w, method_name(r->method));
	for (; *path; path++)
		if (*path != '{' && *path != '}')
			text_putc(&w, strchr("/-.", *path) ? '_' : *path);
	word(t, "operationId", id);
}

static void security(struct text *t, const struct api_route *r)
{
	char about[160];
	struct text w = text_fixed(about, sizeof about);
	if (!strcmp(r->right, "none")) {
		json_name(t, "security");
		json_open(t, '[');
		json_close(t, ']');
		return;
	}
	if (!strcmp(r->right, "any key"))
		text_puts(&w, "With any API key; it shows what that may see.");
	else if (!strcmp(r->right, "operator"))
		text_puts(&w, "With the operator's API key.");
	else
		text_printf(&w, "With an API key that has RIGHT_%s.", r->right);
	word(t, "description", about);
}

static void operation(struct text *t, const struct api_route *r)
{
	open_member(t, method_name(r->method));
	operation_id(t, r);
	word(t, "summary", r->about);
	security(t, r);
	json_name(t, "parameters");
	json_open(t, '[');
	path_parameters(t, r->path);
	query_parameters(t, r->query);
	json_close(t, ']');
	if (*r->takes) {
		open_member(t, "requestBody");
		open_member(t, "content");
		content(t, "application/json", r->takes);
		json_close(t, '}');
		json_close(t, '}');
	}
	open_member(t, "responses");
	answer(t, "200", r->gives, "Done");
	if (strcmp(r->right, "none") != 0 || strcmp(r->gives, "text") != 0)
		answer(t, "default", "@Error", "Refused");
	else
		answer(t, "default", "text", "Not now, and why");
	json_close(t, '}');
	json_close(t, '}');
}

/** The routes of one path, if this is the first of them. */
static void path(struct text *t, const struct api_route *const *routes, size_t n, size_t at)
{
	const char *own = routes[at]->path;
	for (size_t i = 0; i < at; i++)
		if (!strcmp(routes[i]->path, own))
			return;
	open_member(t, own);
	for (size_t i = at; i < n; i++)
		if (!strcmp(routes[i]->path, own))
			operation(t, routes[i]);
	json_close(t, '}');
}

static void document(struct text *t, const struct api_route *const *routes, size_t n)
{
	json_open(t, '{');
	word(t, "openapi", "3.0.3");
	open_member(t, "info");
	word(t, "title", "Godwit");
	word(t, "version", "3");
	word(t, "description", "The Things Stack's paths and shapes where it has them. Every error has a JSON body that names what is wrong.");
	json_close(t, '}');
	json_name(t, "security");
	json_open(t, '[');
	json_open(t, '{');
	json_name(t, "key");
	json_open(t, '[');
	json_close(t, ']');
	json_close(t, '}');
	json_close(t, ']');
	open_member(t, "paths");
	for (size_t i = 0; i < n; i++)
		path(t, routes, n, i);
	json_close(t, '}');
	components(t);
	json_close(t, '}');
}

static void get_openapi(void *ctx, struct http_request *r)
{
	struct as *as = ctx;
	AUTO(text_done) struct text t = text_growing(DOCUMENT_MAX);
	document(&t, as->described, as->n_described);
	if (t.failed)
		http_reply_error(r, 503, "no memory for the description");
	else
		http_reply_json(r, 200, text_str(&t));
}

const struct api_route api_openapi_routes[] = {
	{ HTTP_GET, "/api/v3/openapi.json", get_openapi, "none", "This description", "", "object", "" },
	{ .path = NULL },
};

/* What every process serves (common/health.h); here for the description alone. */
const struct api_route api_health_about[] = {
	{ HTTP_GET, "/metrics", NULL, "none", "Metrics, for Prometheus", "", "text", "" },
	{ HTTP_GET, "/healthz", NULL, "none", "Does it serve, with all that it needs?", "", "text", "" },
	{ HTTP_GET, "/healthz/live", NULL, "none", "Does it run?", "", "text", "" },
	{ HTTP_GET, "/healthz/ready", NULL, "none", "Does it serve, with all that it needs?", "", "text", "" },
	{ .path = NULL },
};

void api_add_routes(struct as *as, const struct api_route *routes)
{
	for (; routes->path; routes++) {
		assert(as->n_described < AS_ROUTES_MAX);
		as->described[as->n_described++] = routes;
		if (routes->fn)
			as_add_routes(as, (struct http_route[]){ { routes->method, routes->path, routes->fn }, { .path = NULL } });
	}
}
