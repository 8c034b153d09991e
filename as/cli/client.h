/** @file A blocking HTTP client for the command line, on evhttp. */
#pragma once
#include "common/core/text.h"

struct event_base;
struct evhttp_connection;
struct ssl_ctx_st;

struct client {
	char address[256];      /**< "http://127.0.0.1:1885", "https://lora.example.net:8885" */
	char key[128];          /**< bearer token; empty: none */
	struct ssl_ctx_st *tls; /**< with an address of https */
};

/** What the command line says of where the API is; NULL: it does not. */
struct client_flags {
	const char *address, *key, *state_dir;
	const char *ca; /**< PEM file of the authorities that are trusted; else those of the system */
};

/** The state directory: what the flag says, or GODWIT_STATE_DIR, or the usual one. */
const char *client_state_dir(const char *flag);
/** Find address and key: flags, environment, then addresses.json and admin.key in the state directory. The
 * key there is not for other hosts.
 * @param c  all zero @return 0; -errno with one line in *err. Either way client_done is due */
int client_find(struct client *c, const struct client_flags *flags, struct text *err);
void client_done(struct client *c);

/** A connection to the address, not opened yet; over TLS it insists on a certificate for its host. The caller's to free.
 * @return 0; -EINVAL, -ENOMEM with one line in *err */
int client_connection(const struct client *c, struct event_base *base, struct evhttp_connection **ret, struct text *err);

/** One request; the body of the answer in *ret_body (growing).
 * @param chunk  if not NULL: called with each piece of the body of a 200 as it comes (a stream); a non-zero
 * result ends the call
 * @return HTTP status; -EINVAL address; -ECONNREFUSED no answer; -ECONNRESET it broke off; with one line in
 * *err */
int client_call(const struct client *c, const char *method, const char *path, struct str body, struct text *ret_body,
	int (*chunk)(void *ctx, struct str piece), void *ctx, struct text *err);
