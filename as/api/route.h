/** @file A route of the HTTP API together with what its description says of it. */
#pragma once
#include "common/http.h"

struct as;

struct api_route {
	enum http_method method;
	const char *path;
	void (*fn)(void *ctx, struct http_request *r);
	const char *right; /**< "APPLICATION_INFO"; "operator", "any key" or "none" */
	const char *about; /**< one sentence */
	const char *takes; /**< a type of as/api/schemas.def: the body; "": none */
	const char *gives; /**< the same: the answer; "text", "events": a stream of them */
	const char *query; /**< names of as/api/queries.def, with blanks between */
};

/** Add a table of routes, terminated by path NULL; handlers get the struct as as their ctx. The table stays where it is. */
void api_add_routes(struct as *as, const struct api_route *routes);
