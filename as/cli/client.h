/** @file A blocking HTTP client for the command line, on evhttp. */
#pragma once
#include "common/core/text.h"

struct client {
	char address[256];  /**< "http://127.0.0.1:1885" */
	char key[128];      /**< bearer token; empty: none */
};

/** The state directory: what the flag says, or GODWIT_STATE_DIR, or the usual one. */
const char *client_state_dir(const char *flag);
/** Find address and key: flags, environment, then addresses.json and admin.key in the state directory. The
 * key there is not for other hosts.
 * @return 0; -ENOENT with one line in *err */
int client_find(struct client *c, const char *address, const char *key, const char *state_dir, struct text *err);

/** Host and port of the address. @return 0; -EINVAL with one line in *err */
int client_endpoint(const struct client *c, char ret_host[256], uint16_t *ret_port, struct text *err);

/** One request; the body of the answer in *ret_body (growing).
 * @param chunk  if not NULL: called with each piece of the body of a 200 as it comes (a stream); a non-zero
 * result ends the call
 * @return HTTP status; -EINVAL address; -ECONNREFUSED no answer; -ECONNRESET it broke off; with one line in
 * *err */
int client_call(const struct client *c, const char *method, const char *path, struct str body, struct text *ret_body,
	int (*chunk)(void *ctx, struct str piece), void *ctx, struct text *err);
