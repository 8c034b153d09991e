/** @file API keys as JSON: for the store, for people, and from a request. */
#pragma once
#include "as/core/registry/json_copy.h"
#include "as/core/registry/rights.h"

void api_key_json_store(struct text *t, const struct api_key *key);
/** @return 0; REGISTRY_E_INVALID; REGISTRY_E_NOT_FOUND its owner is gone */
int api_key_json_load(struct api_key *key, const struct registry *r, struct slice value, struct problem *p);
/** As The Things Stack shows one: id, name, rights, times. @param token  the whole key once, when it is made;
 * else NULL */
void api_key_json_write(struct text *t, const struct api_key *key, const char *token);
/** Read name, rights and expires_at that the object has into *w. @return 0; REGISTRY_E_INVALID */
int api_key_json_read(struct api_key_wish *w, const struct json *j, json_val object, struct problem *p);
