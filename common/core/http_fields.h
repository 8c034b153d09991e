/** @file What the values of HTTP's header fields say: lists of tokens, media types, origins. Pure. */
#pragma once
#include "common/core/text.h"

enum { HTTP_ORIGIN_MAX = 300 /**< octets of an origin in a list */ };

/** Is the token in a list ("keep-alive, Upgrade"), without regard to case? An empty one is in none. */
bool http_has_token(struct str list, const char *token);
/** Is a body of this Content-Type to be read as JSON? Besides JSON's own types those are what clients send that were told of none:
 * none at all, and application/x-www-form-urlencoded, which curl -d has. @param content_type  NULL: none */
bool http_is_json(const char *content_type);
/** Are these origins of web pages, "https://a.example, http://localhost:3000", or "*"? "" is a list of none.
 * @param ret_wrong  if not: the first one that is none */
bool http_origins_valid(struct str list, struct str *ret_wrong);
/** Is a page of this origin let in? @param origin  the field Origin; NULL: no browser asks, and the answer is false */
bool http_origin_allowed(struct str list, const char *origin);
